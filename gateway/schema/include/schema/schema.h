/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCHEMA_SCHEMA_H
#define SCHEMA_SCHEMA_H
/*
 * A readable model of a FileDescriptorSet: what protobuf-c's own descriptors leave out (JSON names,
 * map entries, options, comments, cross-references by name). Routes and the OpenAPI document are
 * made from it, so that a new RPC in a .proto file needs no code. Immutable once made; everything
 * lives in one arena that schema_free drops. The set comes from the build, but a broken one is an
 * error and never a crash.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "base/slice.h"

enum schema_type { /* numbers of FieldDescriptorProto.Type */
                   SCHEMA_DOUBLE = 1,
                   SCHEMA_FLOAT = 2,
                   SCHEMA_INT64 = 3,
                   SCHEMA_UINT64 = 4,
                   SCHEMA_INT32 = 5,
                   SCHEMA_FIXED64 = 6,
                   SCHEMA_FIXED32 = 7,
                   SCHEMA_BOOL = 8,
                   SCHEMA_STRING = 9,
                   SCHEMA_GROUP = 10,
                   SCHEMA_MESSAGE = 11,
                   SCHEMA_BYTES = 12,
                   SCHEMA_UINT32 = 13,
                   SCHEMA_ENUM = 14,
                   SCHEMA_SFIXED32 = 15,
                   SCHEMA_SFIXED64 = 16,
                   SCHEMA_SINT32 = 17,
                   SCHEMA_SINT64 = 18,
};

struct schema_message;
struct schema_enum;

struct schema_field {
    const char *name, *json_name;
    const char *comment;   /* "" when none */
    const char *type_name; /* full name of a message or enum, without leading dot; else "" */
    int32_t number;
    enum schema_type type;
    bool repeated;
    int32_t oneof;                         /* index into the message's oneofs, -1 = none */
    const struct schema_message *message;  /* of type MESSAGE, when it is in the set */
    const struct schema_enum *enumeration; /* of type ENUM, when it is in the set */
};
struct schema_oneof {
    const char *name;
    uint32_t members; /* 1: mere presence of a scalar */
};
struct schema_message {
    const char *full_name, *name, *comment;
    struct schema_field *fields;
    size_t field_count;
    struct schema_oneof *oneofs;
    size_t oneof_count;
    bool map_entry;
    struct map_node node;
};
struct schema_value {
    const char *name, *comment;
    int32_t number;
};
struct schema_enum {
    const char *full_name, *name, *comment;
    struct schema_value *values;
    size_t value_count;
    struct map_node node;
};
/* google.api.http: verb is GET, PUT, POST, DELETE, PATCH or a custom kind. */
struct schema_rule {
    const char *verb, *path;
    const char *body;          /* "" = none, "*" = the whole message, else a field */
    const char *response_body; /* "" = the whole message */
};
struct schema_method {
    const char *name, *comment;
    const char *path; /* "/package.Service/Method" */
    const char *input_name, *output_name;
    const struct schema_message *input, *output;
    bool client_streaming, server_streaming;
    struct schema_rule *rules; /* the rule and its additional bindings */
    size_t rule_count;
    bool access_given; /* option plankton.v1.access stands there */
    uint32_t access;   /* bits (1 << role) of those who may call */
};
struct schema_service {
    const char *full_name, *name, *comment;
    struct schema_method *methods;
    size_t method_count;
};
struct schema {
    struct arena *arena;
    const struct schema_service **services;
    size_t service_count;
    struct map messages, enums;
};

MUST_USE enum status schema_new(struct slice descriptor_set, struct schema **ret,
                                struct error *err);
void schema_free(struct schema *schema); /* NULL allowed */
void schema_freep(struct schema **schema);
const struct schema_message *schema_find_message(const struct schema *schema,
                                                 const char *full_name);
const struct schema_enum *schema_find_enum(const struct schema *schema, const char *full_name);
const struct schema_method *schema_find_method(const struct schema *schema, const char *path);
/* By its proto name; NULL when there is none. */
const struct schema_field *schema_find_field(const struct schema_message *message,
                                             const char *name);
/* By proto or JSON name. */
const struct schema_field *schema_find_field_by_either(const struct schema_message *message,
                                                       struct slice name);
bool schema_is_message(const struct schema_field *field, const char *full_name);

#endif
