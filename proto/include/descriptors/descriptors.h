/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DESCRIPTORS_DESCRIPTORS_H
#define DESCRIPTORS_DESCRIPTORS_H
/* The FileDescriptorSets of all .proto files with their imports, embedded in the program. */
#include <stddef.h>

extern const char plankton_descriptor_set[];
extern const size_t plankton_descriptor_set_bytes;
/* The same with the comments of the files, for the API reference. */
extern const char plankton_descriptor_set_commented[];
extern const size_t plankton_descriptor_set_commented_bytes;

#endif
