/* SPDX-License-Identifier: Apache-2.0 */
#include "schema_internal.h"

/* Field numbers of descriptor.proto. */
enum { SET_FILE = 1 };
enum { FILE_PACKAGE = 2, FILE_MESSAGES = 4, FILE_ENUMS = 5, FILE_SERVICES = 6, FILE_SOURCE = 9 };
enum {
    MESSAGE_NAME = 1,
    MESSAGE_FIELDS = 2,
    MESSAGE_NESTED = 3,
    MESSAGE_ENUMS = 4,
    MESSAGE_OPTIONS = 7,
    MESSAGE_ONEOFS = 8,
};
enum { MESSAGE_OPTION_MAP_ENTRY = 7 };
enum {
    FIELD_NAME = 1,
    FIELD_NUMBER = 3,
    FIELD_LABEL = 4,
    FIELD_TYPE = 5,
    FIELD_TYPE_NAME = 6,
    FIELD_ONEOF = 9,
    FIELD_JSON_NAME = 10,
};
enum { LABEL_REPEATED = 3 };
enum {
    METHOD_NAME = 1,
    METHOD_INPUT = 2,
    METHOD_OUTPUT = 3,
    METHOD_OPTIONS = 4,
    METHOD_CLIENT_STREAMING = 5,
    METHOD_SERVER_STREAMING = 6,
};

struct reader {
    struct schema *schema;
    struct arena *arena;
    bool bad;
};

static const char *without_dot(const char *name)
{
    return name[0] == '.' ? name + 1 : name;
}

static void read_field(struct reader *reader, struct slice bytes, struct schema_field *ret)
{
    struct wire wire = wire_of(bytes);
    struct wire_field field;

    *ret = (struct schema_field){
        .name = "", .json_name = "", .comment = "", .type_name = "", .oneof = -1};
    while (wire_next(&wire, &field)) {
        switch (field.number) {
        case FIELD_NAME:
            ret->name = wire_text(reader->arena, field.bytes);
            break;
        case FIELD_NUMBER:
            ret->number = (int32_t)field.value;
            break;
        case FIELD_LABEL:
            ret->repeated = field.value == LABEL_REPEATED;
            break;
        case FIELD_TYPE:
            ret->type = (enum schema_type)field.value;
            break;
        case FIELD_TYPE_NAME:
            ret->type_name = without_dot(wire_text(reader->arena, field.bytes));
            break;
        case FIELD_ONEOF:
            ret->oneof = (int32_t)field.value;
            break;
        case FIELD_JSON_NAME:
            ret->json_name = wire_text(reader->arena, field.bytes);
            break;
        default:
            break;
        }
    }
    if (!ret->json_name[0])
        ret->json_name = ret->name;
    reader->bad |= wire.bad;
}

static void read_enum(struct reader *reader, struct slice bytes, const char *scope,
                      struct schema_enum **ret)
{
    struct schema_enum *decl = ARENA_NEW(reader->arena, struct schema_enum);
    struct wire wire = wire_of(bytes);
    struct wire_field field, part;

    decl->comment = decl->name = "";
    decl->values = ARENA_ARRAY(reader->arena, struct schema_value, wire_count(bytes, 2));
    while (wire_next(&wire, &field)) {
        if (field.number == 1)
            decl->name = wire_text(reader->arena, field.bytes);
        if (field.number != 2)
            continue;
        struct schema_value *value = &decl->values[decl->value_count++];
        struct wire parts = wire_of(field.bytes);

        value->name = value->comment = "";
        while (wire_next(&parts, &part)) {
            if (part.number == 1)
                value->name = wire_text(reader->arena, part.bytes);
            if (part.number == 2)
                value->number = (int32_t)part.value;
        }
        reader->bad |= parts.bad;
    }
    decl->full_name = arena_printf(reader->arena, "%s%s", scope, decl->name);
    map_insert(&reader->schema->enums, &decl->node, hash_text(decl->full_name));
    reader->bad |= wire.bad;
    *ret = decl;
}

static bool is_map_entry(struct slice options)
{
    struct wire wire = wire_of(options);
    struct wire_field field;
    bool map_entry = false;

    while (wire_next(&wire, &field))
        if (field.number == MESSAGE_OPTION_MAP_ENTRY)
            map_entry = field.value != 0;
    return map_entry;
}

static const char *read_name(struct reader *reader, struct slice bytes)
{
    struct wire wire = wire_of(bytes);
    struct wire_field field;

    while (wire_next(&wire, &field))
        if (field.number == 1)
            return wire_text(reader->arena, field.bytes);
    reader->bad = true; /* every declaration has a name */
    return "";
}

static void count_oneof_members(struct reader *reader, struct schema_message *message)
{
    for (size_t i = 0; i < message->field_count; i++) {
        int32_t oneof = message->fields[i].oneof;

        if (oneof < -1 || (oneof >= 0 && (size_t)oneof >= message->oneof_count))
            reader->bad = true;
        else if (oneof >= 0)
            message->oneofs[oneof].members++;
    }
}

static void read_message(struct reader *reader, struct slice bytes, const char *scope,
                         unsigned depth, struct schema__decl *ret)
{
    struct schema_message *message = ARENA_NEW(reader->arena, struct schema_message);
    struct arena *arena = reader->arena;
    struct wire wire = wire_of(bytes);
    struct wire_field field;
    const char *inner;

    ret->message = message;
    message->comment = "";
    message->name = read_name(reader, bytes);
    message->full_name = arena_printf(arena, "%s%s", scope, message->name);
    inner = arena_printf(arena, "%s.", message->full_name);
    message->fields = ARENA_ARRAY(arena, struct schema_field, wire_count(bytes, MESSAGE_FIELDS));
    message->oneofs = ARENA_ARRAY(arena, struct schema_oneof, wire_count(bytes, MESSAGE_ONEOFS));
    ret->nested = ARENA_ARRAY(arena, struct schema__decl, wire_count(bytes, MESSAGE_NESTED));
    ret->enums = ARENA_ARRAY(arena, struct schema_enum *, wire_count(bytes, MESSAGE_ENUMS));
    reader->bad |= depth >= SCHEMA_DEPTH_MAX;
    while (!reader->bad && wire_next(&wire, &field)) {
        switch (field.number) {
        case MESSAGE_FIELDS:
            read_field(reader, field.bytes, &message->fields[message->field_count++]);
            break;
        case MESSAGE_NESTED:
            read_message(reader, field.bytes, inner, depth + 1, &ret->nested[ret->nested_count++]);
            break;
        case MESSAGE_ENUMS:
            read_enum(reader, field.bytes, inner, &ret->enums[ret->enum_count++]);
            break;
        case MESSAGE_OPTIONS:
            message->map_entry = is_map_entry(field.bytes);
            break;
        case MESSAGE_ONEOFS:
            message->oneofs[message->oneof_count++].name = read_name(reader, field.bytes);
            break;
        default:
            break;
        }
    }
    reader->bad |= wire.bad;
    count_oneof_members(reader, message);
    map_insert(&reader->schema->messages, &message->node, hash_text(message->full_name));
}

static void read_method(struct reader *reader, struct slice bytes, const char *service,
                        struct schema_method *ret)
{
    struct wire wire = wire_of(bytes);
    struct wire_field field;

    *ret = (struct schema_method){.name = "", .comment = "", .input_name = "", .output_name = ""};
    while (wire_next(&wire, &field)) {
        switch (field.number) {
        case METHOD_NAME:
            ret->name = wire_text(reader->arena, field.bytes);
            break;
        case METHOD_INPUT:
            ret->input_name = without_dot(wire_text(reader->arena, field.bytes));
            break;
        case METHOD_OUTPUT:
            ret->output_name = without_dot(wire_text(reader->arena, field.bytes));
            break;
        case METHOD_OPTIONS:
            reader->bad |= !schema__read_options(reader->arena, field.bytes, ret);
            break;
        case METHOD_CLIENT_STREAMING:
            ret->client_streaming = field.value != 0;
            break;
        case METHOD_SERVER_STREAMING:
            ret->server_streaming = field.value != 0;
            break;
        default:
            break;
        }
    }
    ret->path = arena_printf(reader->arena, "/%s/%s", service, ret->name);
    reader->bad |= wire.bad;
}

static void read_service(struct reader *reader, struct slice bytes, const char *scope,
                         struct schema_service **ret)
{
    struct schema_service *service = ARENA_NEW(reader->arena, struct schema_service);
    struct wire wire = wire_of(bytes);
    struct wire_field field;

    service->comment = "";
    service->name = read_name(reader, bytes);
    service->full_name = arena_printf(reader->arena, "%s%s", scope, service->name);
    service->methods = ARENA_ARRAY(reader->arena, struct schema_method, wire_count(bytes, 2));
    while (wire_next(&wire, &field))
        if (field.number == 2)
            read_method(reader, field.bytes, service->full_name,
                        &service->methods[service->method_count++]);
    reader->bad |= wire.bad;
    *ret = service;
}

static const char *file_scope(struct reader *reader, struct slice bytes)
{
    struct wire wire = wire_of(bytes);
    struct wire_field field;

    while (wire_next(&wire, &field))
        if (field.number == FILE_PACKAGE && field.bytes.len)
            return arena_printf(reader->arena, "%.*s.", (int)field.bytes.len, field.bytes.data);
    return "";
}

static void read_file(struct reader *reader, struct slice bytes)
{
    struct schema *schema = reader->schema;
    const char *scope = file_scope(reader, bytes);
    struct schema__file file = {0};
    struct wire wire = wire_of(bytes);
    struct wire_field field;
    struct slice source_info = {0};

    file.messages =
        ARENA_ARRAY(reader->arena, struct schema__decl, wire_count(bytes, FILE_MESSAGES));
    file.enums = ARENA_ARRAY(reader->arena, struct schema_enum *, wire_count(bytes, FILE_ENUMS));
    file.services =
        ARENA_ARRAY(reader->arena, struct schema_service *, wire_count(bytes, FILE_SERVICES));
    while (!reader->bad && wire_next(&wire, &field)) {
        switch (field.number) {
        case FILE_MESSAGES:
            read_message(reader, field.bytes, scope, 0, &file.messages[file.message_count++]);
            break;
        case FILE_ENUMS:
            read_enum(reader, field.bytes, scope, &file.enums[file.enum_count++]);
            break;
        case FILE_SERVICES:
            read_service(reader, field.bytes, scope, &file.services[file.service_count]);
            schema->services[schema->service_count++] = file.services[file.service_count++];
            break;
        case FILE_SOURCE:
            source_info = field.bytes;
            break;
        default:
            break;
        }
    }
    reader->bad |= wire.bad;
    if (!reader->bad)
        reader->bad |= !schema__read_comments(reader->arena, source_info, &file);
}

/* Files may refer to types of later ones, so names are resolved at the end. */
static void resolve(struct schema *schema)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    while ((node = map_walk(&schema->messages, &cursor))) {
        struct schema_message *message = CONTAINER_OF(node, struct schema_message, node);

        for (size_t i = 0; i < message->field_count; i++) {
            struct schema_field *field = &message->fields[i];

            if (field->type == SCHEMA_MESSAGE)
                field->message = schema_find_message(schema, field->type_name);
            if (field->type == SCHEMA_ENUM)
                field->enumeration = schema_find_enum(schema, field->type_name);
        }
    }
    for (size_t i = 0; i < schema->service_count; i++) {
        const struct schema_service *service = schema->services[i];

        for (size_t j = 0; j < service->method_count; j++) {
            struct schema_method *method = &service->methods[j];

            method->input = schema_find_message(schema, method->input_name);
            method->output = schema_find_message(schema, method->output_name);
        }
    }
}

static size_t count_services(struct slice set)
{
    struct wire wire = wire_of(set);
    struct wire_field field;
    size_t n = 0;

    while (wire_next(&wire, &field))
        if (field.number == SET_FILE)
            n += wire_count(field.bytes, FILE_SERVICES);
    return n;
}

enum status schema_new(struct slice descriptor_set, struct schema **ret, struct error *err)
{
    struct arena *arena = arena_new(0);
    struct schema *schema = ARENA_NEW(arena, struct schema);
    struct reader reader = {.schema = schema, .arena = arena};
    struct wire wire = wire_of(descriptor_set);
    struct wire_field field;

    schema->arena = arena;
    schema->services =
        ARENA_ARRAY(arena, const struct schema_service *, count_services(descriptor_set));
    map_init(&schema->messages);
    map_init(&schema->enums);
    while (!reader.bad && wire_next(&wire, &field))
        if (field.number == SET_FILE)
            read_file(&reader, field.bytes);
    if (reader.bad || wire.bad) {
        schema_free(schema);
        return error_set(err, STATUS_INVALID_ARGUMENT, "malformed descriptor set");
    }
    resolve(schema);
    *ret = schema;
    return STATUS_OK;
}

void schema_free(struct schema *schema)
{
    if (!schema)
        return;
    map_fini(&schema->messages);
    map_fini(&schema->enums);
    arena_free(schema->arena);
}

void schema_freep(struct schema **schema)
{
    schema_free(*schema);
    *schema = NULL;
}
