/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SITE_FOLDER_H
#define SITE_FOLDER_H
#include "base/arena.h"
#include "base/slice.h"

const char *site__type_of(const char *path);
/* Reads folder/path whole; false when there is no such regular file inside the folder. */
bool site__read(const char *folder, const char *path, struct arena *arena, struct slice *ret);

#endif
