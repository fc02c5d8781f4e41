/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OPENAPI_DOCUMENT_H
#define OPENAPI_DOCUMENT_H
#include <jansson.h>

#include "openapi/openapi.h"

#define ANY_JSON_TYPE "plankton.v1.Json"
#define ROLE_ENUM "plankton.v1.Role"
#define ROLE_PUBLIC_BIT (1u << 4)

/* A document being made. Messages are collected as they are referred to; `given` marks those that
 * are part of a request. */
struct document {
    const struct schema *schema;
    const struct routes *routes;
    struct arena *arena;
    json_t *schemas;
    const struct schema_message **given;
    size_t given_count;
};

/* Marks every message reachable from a request's. */
void document_mark_given(struct document *document, const struct schema_message *message);
/* Schema of a field's value: inline for scalars and well-known types, else a reference. */
json_t *document_field_schema(struct document *document, const struct schema_field *field);
json_t *document_message_ref(struct document *document, const struct schema_message *message);
/* An object schema of a message without some of its top-level fields (those in the path). */
json_t *document_object(struct document *document, const struct schema_message *message,
                        const struct schema_field *const *without, size_t without_count);
/* True for types whose JSON form is no object of their own. */
bool document_is_well_known(const char *type_name);
json_t *document_operation(struct document *document, const struct route *plain,
                           const struct route *stream);
/* Lower-case names of the roles in an access mask. */
json_t *document_roles(const struct schema *schema, uint32_t access);
/* The first repeated field of messages with a `text`: what text/plain gives. */
const struct schema_field *document_lines_field(const struct schema_message *message);

#endif
