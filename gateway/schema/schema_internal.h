/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEMA_INTERNAL_H
#define SCHEMA_INTERNAL_H
#include "schema/schema.h"
#include "wire.h"

#define SCHEMA_DEPTH_MAX 16 /* of nested message declarations */

/* One file while it is being read: the tree by which its comments are found. */
struct schema__decl {
    struct schema_message *message;
    struct schema__decl *nested;
    struct schema_enum **enums;
    size_t nested_count, enum_count;
};
struct schema__file {
    struct schema__decl *messages;
    struct schema_enum **enums;
    struct schema_service **services;
    size_t message_count, enum_count, service_count;
};

/* Options of a method: google.api.http and plankton.v1.access. */
bool schema__read_options(struct arena *arena, struct slice options, struct schema_method *method);
/* Attaches the comments of a SourceCodeInfo. */
bool schema__read_comments(struct arena *arena, struct slice source_info,
                           const struct schema__file *file);

#endif
