/* SPDX-License-Identifier: Apache-2.0 */
#include "document.h"

#define GIVEN_MAX 1024 /* messages in requests; more are simply not marked */

struct well_known {
    const char *type_name;
    const char *json; /* its schema */
};
static const struct well_known well_known[] = {
    {ANY_JSON_TYPE, "{\"description\": \"Any JSON value.\"}"},
    {"google.protobuf.Timestamp", "{\"type\": \"string\", \"format\": \"date-time\"}"},
    {"google.protobuf.Duration",
     "{\"type\": \"string\", \"pattern\": \"^-?[0-9]+(\\\\.[0-9]{1,9})?s$\", \"examples\": "
     "[\"1.5s\"]}"},
    {"google.protobuf.Empty", "{\"type\": \"object\"}"},
    {"google.protobuf.FieldMask", "{\"type\": \"string\"}"},
    {"google.protobuf.Any", "{\"type\": \"object\", \"properties\": {\"@type\": {\"type\": "
                            "\"string\"}}, \"required\": [\"@type\"]}"},
    {"google.protobuf.StringValue", "{\"type\": \"string\"}"},
    {"google.protobuf.BoolValue", "{\"type\": \"boolean\"}"},
    {"google.protobuf.Int32Value", "{\"type\": \"integer\", \"format\": \"int32\"}"},
    {"google.protobuf.UInt32Value", "{\"type\": \"integer\", \"minimum\": 0}"},
    {"google.protobuf.Int64Value", "{\"type\": \"string\", \"format\": \"int64\"}"},
    {"google.protobuf.UInt64Value", "{\"type\": \"string\", \"format\": \"uint64\"}"},
    {"google.protobuf.DoubleValue", "{\"type\": \"number\"}"},
    {"google.protobuf.FloatValue", "{\"type\": \"number\"}"},
    {"google.protobuf.BytesValue", "{\"type\": \"string\", \"contentEncoding\": \"base64\"}"},
};

static const struct well_known *find_well_known(const char *type_name)
{
    for (size_t i = 0; i < ARRAY_LEN(well_known); i++)
        if (str_eq(well_known[i].type_name, type_name))
            return &well_known[i];
    return NULL;
}

bool document_is_well_known(const char *type_name)
{
    return find_well_known(type_name) != NULL;
}

static json_t *scalar_schema(enum schema_type type)
{
    switch (type) {
    case SCHEMA_DOUBLE:
    case SCHEMA_FLOAT:
        return json_pack("{s:s}", "type", "number");
    case SCHEMA_INT32:
    case SCHEMA_SINT32:
    case SCHEMA_SFIXED32:
        return json_pack("{s:s, s:s}", "type", "integer", "format", "int32");
    case SCHEMA_UINT32:
    case SCHEMA_FIXED32:
        return json_pack("{s:s, s:i, s:I}", "type", "integer", "minimum", 0, "maximum",
                         (json_int_t)UINT32_MAX);
    case SCHEMA_INT64:
    case SCHEMA_SINT64:
    case SCHEMA_SFIXED64:
        return json_pack("{s:s, s:s, s:s}", "type", "string", "format", "int64", "pattern",
                         "^-?[0-9]+$");
    case SCHEMA_UINT64:
    case SCHEMA_FIXED64:
        return json_pack("{s:s, s:s, s:s}", "type", "string", "format", "uint64", "pattern",
                         "^[0-9]+$");
    case SCHEMA_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case SCHEMA_BYTES:
        return json_pack("{s:s, s:s}", "type", "string", "contentEncoding", "base64");
    default:
        return json_pack("{s:s}", "type", "string");
    }
}

/* "Task" while that is clear, else the whole name. */
static const char *schema_name(struct document *document, const char *full_name, const char *name)
{
    const json_t *taken = json_object_get(document->schemas, name);
    const char *owner = json_string_value(json_object_get(taken, "x-plankton-type"));

    if (!taken || str_eq(owner, full_name))
        return name;
    char *copy = arena_strdup(document->arena, full_name);

    for (char *c = copy; *c; c++)
        if (*c == '.')
            *c = '_';
    return copy;
}

static json_t *reference(struct document *document, const char *name)
{
    return json_pack("{s:o}", "$ref",
                     json_string(arena_printf(document->arena, "#/components/schemas/%s", name)));
}

static json_t *enum_ref(struct document *document, const struct schema_enum *decl)
{
    const char *name = schema_name(document, decl->full_name, decl->name);
    json_t *values, *schema;

    if (json_object_get(document->schemas, name))
        return reference(document, name);
    values = json_array();
    for (size_t i = 0; i < decl->value_count; i++)
        json_array_append_new(values, json_string(decl->values[i].name));
    schema = json_pack("{s:s, s:o, s:s}", "type", "string", "enum", values, "x-plankton-type",
                       decl->full_name);
    if (decl->comment[0])
        json_object_set_new(schema, "description", json_string(decl->comment));
    json_object_set_new(document->schemas, name, schema);
    return reference(document, name);
}

static bool is_given(const struct document *document, const struct schema_message *message)
{
    for (size_t i = 0; i < document->given_count; i++)
        if (document->given[i] == message)
            return true;
    return false;
}

void document_mark_given(struct document *document, const struct schema_message *message)
{
    if (!document->given)
        document->given = ARENA_ARRAY(document->arena, const struct schema_message *, GIVEN_MAX);
    if (!message || document_is_well_known(message->full_name) || is_given(document, message) ||
        document->given_count == GIVEN_MAX)
        return;
    document->given[document->given_count++] = message;
    for (size_t i = 0; i < message->field_count; i++)
        document_mark_given(document, message->fields[i].message);
}

json_t *document_message_ref(struct document *document, const struct schema_message *message)
{
    const char *name = schema_name(document, message->full_name, message->name);

    if (!json_object_get(document->schemas, name)) {
        /* The name is taken first, for messages that contain themselves. */
        json_t *place = json_pack("{s:s}", "x-plankton-type", message->full_name);
        json_t *object;

        json_object_set_new(document->schemas, name, place);
        object = document_object(document, message, NULL, 0);
        json_object_set_new(object, "x-plankton-type", json_string(message->full_name));
        if (message->comment[0])
            json_object_set_new(object, "description", json_string(message->comment));
        json_object_update(place, object);
        json_decref(object);
    }
    return reference(document, name);
}

static json_t *value_schema(struct document *document, const struct schema_field *field)
{
    const struct well_known *known = find_well_known(field->type_name);

    if (field->type == SCHEMA_MESSAGE && known)
        return json_loads(known->json, 0, NULL);
    if (field->type == SCHEMA_MESSAGE && field->message)
        return document_message_ref(document, field->message);
    if (field->type == SCHEMA_ENUM && field->enumeration)
        return enum_ref(document, field->enumeration);
    return scalar_schema(field->type);
}

json_t *document_field_schema(struct document *document, const struct schema_field *field)
{
    json_t *schema;

    if (field->message && field->message->map_entry)
        schema = json_pack("{s:s, s:o}", "type", "object", "additionalProperties",
                           value_schema(document, schema_find_field(field->message, "value")));
    else if (field->repeated)
        schema = json_pack("{s:s, s:o}", "type", "array", "items", value_schema(document, field));
    else
        schema = value_schema(document, field);
    if (field->comment[0])
        json_object_set_new(schema, "description", json_string(field->comment));
    return schema;
}

static bool is_without(const struct schema_field *field, const struct schema_field *const *without,
                       size_t without_count)
{
    for (size_t i = 0; i < without_count; i++)
        if (without[i] == field)
            return true;
    return false;
}

json_t *document_object(struct document *document, const struct schema_message *message,
                        const struct schema_field *const *without, size_t without_count)
{
    json_t *properties = json_object(), *required = json_array();
    json_t *object = json_pack("{s:s}", "type", "object");

    for (size_t i = 0; i < message->field_count; i++) {
        const struct schema_field *field = &message->fields[i];
        bool printed = field->repeated || (field->type != SCHEMA_MESSAGE && field->oneof < 0);

        if (is_without(field, without, without_count))
            continue;
        json_object_set_new(properties, field->json_name, document_field_schema(document, field));
        if (printed)
            json_array_append_new(required, json_string(field->json_name));
    }
    json_object_set_new(object, "properties", properties);
    if (!is_given(document, message) && json_array_size(required))
        json_object_set(object, "required", required);
    json_decref(required);
    return object;
}
