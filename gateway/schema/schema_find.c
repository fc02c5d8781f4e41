/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/schema.h"

const struct schema_message *schema_find_message(const struct schema *schema, const char *full_name)
{
    struct map_node *node = map_first(&schema->messages, hash_text(full_name));

    for (; node; node = map_next(node)) {
        const struct schema_message *message = CONTAINER_OF(node, struct schema_message, node);

        if (str_eq(message->full_name, full_name))
            return message;
    }
    return NULL;
}

const struct schema_enum *schema_find_enum(const struct schema *schema, const char *full_name)
{
    struct map_node *node = map_first(&schema->enums, hash_text(full_name));

    for (; node; node = map_next(node)) {
        const struct schema_enum *decl = CONTAINER_OF(node, struct schema_enum, node);

        if (str_eq(decl->full_name, full_name))
            return decl;
    }
    return NULL;
}

const struct schema_method *schema_find_method(const struct schema *schema, const char *path)
{
    for (size_t i = 0; i < schema->service_count; i++)
        for (size_t j = 0; j < schema->services[i]->method_count; j++)
            if (str_eq(schema->services[i]->methods[j].path, path))
                return &schema->services[i]->methods[j];
    return NULL;
}

const struct schema_field *schema_find_field(const struct schema_message *message, const char *name)
{
    for (size_t i = 0; message && i < message->field_count; i++)
        if (str_eq(message->fields[i].name, name))
            return &message->fields[i];
    return NULL;
}

const struct schema_field *schema_find_field_by_either(const struct schema_message *message,
                                                       struct slice name)
{
    for (size_t i = 0; message && i < message->field_count; i++)
        if (slice_is(name, message->fields[i].name) || slice_is(name, message->fields[i].json_name))
            return &message->fields[i];
    return NULL;
}

bool schema_is_message(const struct schema_field *field, const char *full_name)
{
    return field && field->type == SCHEMA_MESSAGE && str_eq(field->type_name, full_name);
}
