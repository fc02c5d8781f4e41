/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TYPES_PARAMETERS_H
#define TYPES_PARAMETERS_H
/*
 * Parameters of a task: a JSON object whose fields are all known to the type; anything else ends
 * the attempt as BAD_INPUT.
 */
#include <jansson.h>
#include "json/json.h"
#include "pool/pool.h"

#define PARAMETERS_BYTES_MAX (256u << 10)

/* False: the attempt has been ended. *ret is to be dropped with json_drop. */
MUST_USE bool parameters_parse(struct attempt *attempt, const char *const *known,
                               size_t known_count, json_t **ret);
/* Variables, directories, images and secrets mean something to processes only; a type without one
 * refuses them. */
MUST_USE bool parameters_refuse_environment(struct attempt *attempt);

#endif
