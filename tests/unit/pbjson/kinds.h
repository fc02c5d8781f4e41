/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PBJSON_KINDS_H
#define TESTS_PBJSON_KINDS_H
/* The registry of kinds.proto, made once and kept to the end of the process. */
#include <kinds.pb-c.h>
#include "pbjson/pbjson.h"

struct pbjson_registry *kinds_registry(void);

#endif
