/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAPI_OPENAPI_H
#define OPENAPI_OPENAPI_H
/*
 * The API reference, made from the same route table that serves the requests: an OpenAPI 3.1
 * document and a plain HTML page. Descriptions are the comments of the .proto files, if the schema
 * was made with them. Messages that only ever come out list their always-printed fields as
 * required, so that generated types need no guesses.
 */
#include "base/arena.h"
#include "routes/routes.h"

struct openapi_info {
    const char *title, *version, *description;
};
/* JSON text and HTML text; memory from the arena. */
char *openapi_document(const struct schema *schema, const struct routes *routes,
                       const struct openapi_info *info, struct arena *arena);
char *openapi_page(const struct schema *schema, const struct routes *routes,
                   const struct openapi_info *info, struct arena *arena);

#endif
