/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON Schema of a plan document, made from the tables of fields.c, so that it cannot say
 * anything else than the checker. */
#include <stdio.h>
#include "internal.h"

#define SCHEMA_BYTES_MAX ((size_t)256 * 1024)
#define OBJECTS_MAX 24
#define EXPRESSION "{\"type\":\"string\",\"pattern\":\"^\\\\$\\\\{\\\\{[\\\\s\\\\S]*\\\\}\\\\}$\"}"

struct writer {
    struct buf out;
    const struct object *seen[OBJECTS_MAX];
    size_t seen_len;
};

static void see(struct writer *writer, const struct object *object)
{
    for (size_t i = 0; i < writer->seen_len; i++) {
        if (writer->seen[i] == object)
            return;
    }
    writer->seen[writer->seen_len++] = object;
    for (size_t i = 0; i < object->fields_len; i++) {
        if (object->fields[i].object)
            see(writer, object->fields[i].object);
    }
}

static void put_strings(struct writer *writer, const struct field *field)
{
    buf_putf(
        &writer->out,
        "\"type\":\"object\",\"maxProperties\":%.0f,\"additionalProperties\":{\"type\":\"string\"}",
        field->max);
    if (field->shape == SHAPE_TEMPLATES)
        buf_puts(
            &writer->out,
            ",\"propertyNames\":{\"pattern\":\"^(?!PLANKTON_)[A-Za-z_][A-Za-z0-9_]{0,127}$\"}");
}

static void put_words(struct writer *writer, const struct field *field)
{
    buf_puts(&writer->out, "\"enum\":[");
    for (size_t i = 0; field->words[i]; i++)
        buf_putf(&writer->out, "%s\"%s\"", i ? "," : "", field->words[i]);
    buf_puts(&writer->out, "]");
}

static void put_texts(struct buf *out, const struct field *field)
{
    buf_putf(
        out,
        "\"type\":\"array\",\"maxItems\":%.0f,\"items\":{\"type\":\"string\",\"minLength\":1%s}",
        field->max, field->shape == SHAPE_NAMES ? ",\"maxLength\":128" : "");
}

static void put_shape(struct writer *writer, const struct field *field)
{
    struct buf *out = &writer->out;

    switch (field->shape) {
    case SHAPE_TEXT:
    case SHAPE_TEMPLATE:
        buf_putf(out, "\"type\":\"string\",\"maxLength\":%.0f", field->max);
        return;
    case SHAPE_NAME:
        buf_putf(out,
                 "\"type\":\"string\",\"maxLength\":%.0f,\"pattern\":\"^[a-z0-9][a-z0-9._-]*$\"",
                 field->max);
        return;
    case SHAPE_STEP_ID:
        buf_putf(
            out,
            "\"type\":\"string\",\"maxLength\":%.0f,\"pattern\":\"^[A-Za-z0-9_][A-Za-z0-9_-]*$\"",
            field->max);
        return;
    case SHAPE_INT:
    case SHAPE_NUMBER:
        buf_putf(out, "\"type\":\"%s\",\"minimum\":%.10g,\"maximum\":%.10g",
                 field->shape == SHAPE_INT ? "integer" : "number", field->min, field->max);
        return;
    case SHAPE_DURATION:
        buf_puts(out, "\"type\":\"string\",\"pattern\":\"^(0|[0-9]+(\\\\.[0-9]+)?(ms|s|m|h|d))$\"");
        return;
    case SHAPE_BYTES:
        buf_puts(
            out,
            "\"type\":\"string\",\"pattern\":\"^[0-9]+(\\\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$\"");
        return;
    case SHAPE_WORD:
        put_words(writer, field);
        return;
    case SHAPE_SELECTORS:
    case SHAPE_NAMES:
        put_texts(out, field);
        return;
    case SHAPE_STRINGS:
    case SHAPE_TEMPLATES:
        put_strings(writer, field);
        return;
    case SHAPE_FREE:
        buf_puts(out, "\"anyOf\":[{\"type\":\"object\"}," EXPRESSION "]");
        return;
    case SHAPE_CONDITION:
        buf_puts(out, "\"anyOf\":[{\"type\":\"boolean\"}," EXPRESSION "]");
        return;
    case SHAPE_ITEMS:
        buf_puts(out, "\"anyOf\":[{\"type\":\"array\"}," EXPRESSION "]");
        return;
    case SHAPE_SCHEMA:
        buf_puts(out, "\"type\":\"object\"");
        return;
    case SHAPE_OBJECT:
        buf_putf(out, "\"$ref\":\"#/$defs/%s\"", field->object->name);
        return;
    case SHAPE_OBJECTS:
        buf_putf(out,
                 "\"type\":\"array\",\"minItems\":%.0f,\"maxItems\":%.0f,\"items\":{\"$ref\":\"#/"
                 "$defs/%s\"}",
                 field->min, field->max, field->object->name);
        return;
    }
}

static void put_field(struct writer *writer, const struct object *object, const struct field *field)
{
    char help[512];
    const char *hint;

    snprintf(help, sizeof(help), "%s%s", field->help,
             plan__unsupported(object, field->name, &hint) ? " Not supported by this version yet."
                                                           : "");
    buf_putf(&writer->out, "\"%s\":{\"description\":", field->name);
    json_write_string(&writer->out, slice_of(help));
    buf_puts(&writer->out, ",");
    put_shape(writer, field);
    buf_puts(&writer->out, "}");
}

static void put_object(struct writer *writer, const struct object *object)
{
    bool first = true;

    buf_puts(&writer->out, "\"description\":");
    json_write_string(&writer->out, slice_of(object->help));
    buf_puts(&writer->out, ",\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < object->fields_len; i++) {
        if (i)
            buf_puts(&writer->out, ",");
        put_field(writer, object, &object->fields[i]);
    }
    buf_puts(&writer->out, "}");
    for (size_t i = 0; i < object->fields_len; i++) {
        if (!object->fields[i].required)
            continue;
        buf_putf(&writer->out, "%s\"%s\"", first ? ",\"required\":[" : ",", object->fields[i].name);
        first = false;
    }
    if (!first)
        buf_puts(&writer->out, "]");
    if (object == &PLAN_STEP_OBJECT)
        buf_puts(
            &writer->out,
            ",\"oneOf\":[{\"required\":[\"task\"]},{\"required\":[\"approval\"]},{\"required\":["
            "\"sleep\"]},{\"required\":[\"signal\"]},{\"required\":[\"plan\"]}]");
}

const char *plan_schema_text(void)
{
    static char *text; /* made once, on the one thread that may call this */
    struct writer writer = {.seen_len = 0};

    if (text)
        return text;
    buf_init(&writer.out, SCHEMA_BYTES_MAX);
    see(&writer, &PLAN_OBJECT);
    buf_puts(&writer.out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/"
                          "schema\",\"title\":\"Plankton plan\",");
    put_object(&writer, &PLAN_OBJECT);
    buf_puts(&writer.out, ",\"$defs\":{");
    for (size_t i = 1; i < writer.seen_len; i++) {
        buf_putf(&writer.out, "%s\"%s\":{", i > 1 ? "," : "", writer.seen[i]->name);
        put_object(&writer, writer.seen[i]);
        buf_puts(&writer.out, "}");
    }
    buf_puts(&writer.out, "}}\n");
    text = mem_strdup(buf_cstr(&writer.out));
    buf_fini(&writer.out);
    return text;
}
