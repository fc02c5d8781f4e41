/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include "base/text.h"
#include "internal.h"

#define SECRET_BYTES_MAX 128

static void check_field(struct problems *problems, const struct at *at, const json_t *json,
                        const struct field *field);

static const char *type_name(const json_t *json)
{
    static const char *const NAMES[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "a string",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };

    return NAMES[json_typeof(json)];
}

static void wrong_type(struct problems *problems, const struct at *at, const json_t *json,
                       const char *expected)
{
    const char *hint = NULL;

    if (strcmp(expected, "a string") == 0 && !json_is_object(json) && !json_is_array(json) &&
        !json_is_null(json))
        hint = "put it in quotes";
    plan__problem(problems, at, hint, "must be %s, not %s", expected, type_name(json));
}

bool plan__is_name(const char *text, size_t max)
{
    size_t len = strlen(text);

    if (len == 0 || len > max || text[0] == '.' || text[0] == '_' || text[0] == '-')
        return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

static bool is_step_id(const char *text, size_t max)
{
    size_t len = strlen(text);

    if (len == 0 || len > max || text[0] == '-')
        return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

static void check_text(struct problems *problems, const struct at *at, const json_t *json,
                       const struct field *field)
{
    const char *text = json_string_value(json);

    if (!text) {
        wrong_type(problems, at, json, "a string");
        return;
    }
    if (json_string_length(json) > (size_t)field->max) {
        plan__problem(problems, at, NULL, "is longer than %.0f bytes", field->max);
        return;
    }
    if (field->shape == SHAPE_NAME && !plan__is_name(text, (size_t)field->max))
        plan__problem(problems, at, NULL,
                      "must be a name: lower-case letters, digits, '.', '_', '-', and begin with a "
                      "letter or digit");
    if (field->shape == SHAPE_STEP_ID && !is_step_id(text, (size_t)field->max))
        plan__problem(problems, at, NULL,
                      "must be an id: letters, digits, '_', '-', and not begin with '-'");
    if (field->required && !*text && field->shape == SHAPE_TEMPLATE)
        plan__problem(problems, at, NULL, "must not be empty");
}

static void check_number(struct problems *problems, const struct at *at, const json_t *json,
                         const struct field *field)
{
    double value = json_number_value(json);

    if (field->shape == SHAPE_INT && !json_is_integer(json))
        wrong_type(problems, at, json, "a whole number");
    else if (!json_is_number(json))
        wrong_type(problems, at, json, "a number");
    else if (value < field->min || value > field->max)
        plan__problem(problems, at, NULL, "must be from %g to %g", field->min, field->max);
}

static void check_duration(struct problems *problems, const struct at *at, const json_t *json,
                           const struct field *field)
{
    const char *text = json_string_value(json);
    int64_t ms;

    if (!text && json_is_number(json)) {
        plan__problem(problems, at, "write 250ms, 5s, 10m, 2h or 7d", "a duration needs a unit%s",
                      json_number_value(json) < 0 ? " and must not be negative" : "");
        return;
    }
    if (!text) {
        wrong_type(problems, at, json, "a duration");
        return;
    }
    if (text[0] == '-')
        plan__problem(problems, at, NULL, "must not be negative");
    else if (!text_to_duration_ms(text, &ms))
        plan__problem(problems, at, "write 250ms, 5s, 10m, 2h or 7d", "is not a duration");
    else if (ms > PLAN_DURATION_MS_MAX)
        plan__problem(problems, at, NULL, "is longer than 366d");
    else if ((double)ms < field->min)
        plan__problem(problems, at, NULL, "must be longer than 0");
}

static void check_bytes(struct problems *problems, const struct at *at, const json_t *json)
{
    int64_t bytes;

    if (!json_is_string(json))
        wrong_type(problems, at, json, "a string");
    else if (!text_to_bytes(json_string_value(json), &bytes))
        plan__problem(problems, at, "write 64Ki, 512Mi or 2Gi", "is not a size");
}

static void check_word(struct problems *problems, const struct at *at, const json_t *json,
                       const struct field *field)
{
    AUTO(buf_fini) struct buf list = {0};
    size_t n = 0;

    if (!json_is_string(json)) {
        wrong_type(problems, at, json, "a string");
        return;
    }
    buf_init(&list, 256);
    for (; field->words[n]; n++) {
        if (strcmp(field->words[n], json_string_value(json)) == 0)
            return;
        buf_putf(&list, "%s%s", n ? ", " : "", field->words[n]);
    }
    plan__problem(problems, at, plan__nearest(problems, json_string_value(json), field->words, n),
                  "must be one of %s", buf_cstr(&list));
}

static void check_names(struct problems *problems, const struct at *at, const json_t *json,
                        const struct field *field)
{
    size_t index;
    json_t *value;

    if (!json_is_array(json)) {
        plan__problem(problems, at, json_is_string(json) ? "put it in brackets: [a, b]" : NULL,
                      "must be a list of strings, not %s", type_name(json));
        return;
    }
    if (json_array_size(json) > (size_t)field->max)
        plan__problem(problems, at, NULL, "has more than %.0f elements", field->max);
    json_array_foreach(json, index, value)
    {
        struct at here = {at, NULL, index};

        if (!json_is_string(value))
            wrong_type(problems, &here, value, "a string");
        else if (json_string_length(value) == 0 || json_string_length(value) > SECRET_BYTES_MAX)
            plan__problem(problems, &here, NULL, "must have 1 to %d bytes", SECRET_BYTES_MAX);
    }
}

static bool is_variable_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= 128 && !(text[0] >= '0' && text[0] <= '9') &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

static void check_strings(struct problems *problems, const struct at *at, const json_t *json,
                          const struct field *field)
{
    bool variables = field->shape == SHAPE_TEMPLATES;
    const char *key;
    json_t *value;

    if (!json_is_object(json)) {
        wrong_type(problems, at, json, "an object of strings");
        return;
    }
    if (json_object_size(json) > (size_t)field->max)
        plan__problem(problems, at, NULL, "has more than %.0f entries", field->max);
    json_object_foreach((json_t *)json, key, value)
    {
        struct at here = {at, key, 0};

        if (!json_is_string(value))
            wrong_type(problems, &here, value, "a string");
        else if (!variables && strlen(key) + json_string_length(value) > PLAN_LABEL_BYTES_MAX)
            plan__problem(problems, &here, NULL, "is longer than %d bytes", PLAN_LABEL_BYTES_MAX);
        if (variables && !is_variable_name(key))
            plan__problem(problems, &here, NULL,
                          "a variable's name has letters, digits and '_' (at most 128)");
        else if (variables && strncmp(key, "PLANKTON_", 9) == 0)
            plan__problem(problems, &here, NULL,
                          "variables that begin with PLANKTON_ are reserved");
        else if (!variables && !*key)
            plan__problem(problems, &here, NULL, "a label needs a name");
    }
}

/* What may be one expression instead of a value of its own kind. */
static bool is_expression(const json_t *json)
{
    const char *text = json_string_value(json);
    size_t len = json_string_length(json);

    return text && len >= 5 && strncmp(text, "${{", 3) == 0 && strcmp(text + len - 2, "}}") == 0;
}

/* Adds up what the text may need at most, to find the few documents that must be written out to be
 * measured. */
static size_t most_bytes(const json_t *json)
{
    size_t sum = 2, index;
    const char *key;
    json_t *value;

    if (json_is_string(json))
        return json_string_length(json) * 6 + 2; /* as if all of it needed escapes */
    json_array_foreach(json, index, value) sum += most_bytes(value) + 1;
    json_object_foreach((json_t *)json, key, value) sum += strlen(key) * 6 + most_bytes(value) + 4;
    return json_is_number(json) ? 32 : sum;
}

static void check_free(struct problems *problems, const struct at *at, const json_t *json)
{
    AUTO(buf_fini) struct buf text = {0};

    if (!json_is_object(json) && !is_expression(json)) {
        wrong_type(problems, at, json, "an object");
        return;
    }
    if (most_bytes(json) <= PLAN_PARAMETERS_BYTES_MAX)
        return;
    buf_init(&text, PLAN_PARAMETERS_BYTES_MAX);
    if (json_append(&text, json) != STATUS_OK)
        plan__problem(problems, at, NULL, "is larger than 256 KiB");
}

static void check_objects(struct problems *problems, const struct at *at, const json_t *json,
                          const struct field *field)
{
    size_t index;
    json_t *value;

    if (!json_is_array(json)) {
        wrong_type(problems, at, json, "a list");
        return;
    }
    if (json_array_size(json) < (size_t)field->min)
        plan__problem(problems, at, NULL, "must not be empty");
    if (json_array_size(json) > (size_t)field->max) {
        plan__problem(problems, at, NULL, "has more than %.0f elements", field->max);
        return;
    }
    json_array_foreach(json, index, value)
    {
        struct at here = {at, NULL, index};

        plan__check(problems, &here, value, field->object);
    }
}

/* What holds expressions is judged when they have been evaluated. */
static void check_selectors(struct problems *problems, const struct at *at, const json_t *json,
                            const struct field *field)
{
    size_t index;
    json_t *value;

    if (!json_is_array(json)) {
        wrong_type(problems, at, json, "a list of strings");
        return;
    }
    if (json_array_size(json) > (size_t)field->max) {
        plan__problem(problems, at, NULL, "has more than %.0f elements", field->max);
        return;
    }
    json_array_foreach(json, index, value)
    {
        struct at here = {at, NULL, index};
        struct plan_selector selector;

        if (!json_is_string(value))
            wrong_type(problems, &here, value, "a string");
        else if (!strstr(json_string_value(value), "${{") &&
                 !plan_selector_parse(json_string_value(value), problems->arena, &selector))
            plan__problem(problems, &here, "write zone = eu, zone != eu, memory > 16 or ssd",
                          "is nothing that can be asked of a label");
    }
}

static void check_field(struct problems *problems, const struct at *at, const json_t *json,
                        const struct field *field)
{
    switch (field->shape) {
    case SHAPE_TEXT:
    case SHAPE_TEMPLATE:
    case SHAPE_NAME:
    case SHAPE_STEP_ID:
        check_text(problems, at, json, field);
        return;
    case SHAPE_INT:
    case SHAPE_NUMBER:
        check_number(problems, at, json, field);
        return;
    case SHAPE_DURATION:
        check_duration(problems, at, json, field);
        return;
    case SHAPE_BYTES:
        check_bytes(problems, at, json);
        return;
    case SHAPE_WORD:
        check_word(problems, at, json, field);
        return;
    case SHAPE_SELECTORS:
        check_selectors(problems, at, json, field);
        return;
    case SHAPE_NAMES:
        check_names(problems, at, json, field);
        return;
    case SHAPE_STRINGS:
    case SHAPE_TEMPLATES:
        check_strings(problems, at, json, field);
        return;
    case SHAPE_FREE:
        check_free(problems, at, json);
        return;
    case SHAPE_CONDITION:
        if (!json_is_boolean(json) && !is_expression(json))
            plan__problem(problems, at, "write ${{ … }}", "must be true, false or one expression");
        return;
    case SHAPE_ITEMS:
        if (!json_is_array(json) && !is_expression(json))
            plan__problem(problems, at, "write ${{ … }}", "must be a list or one expression");
        return;
    case SHAPE_SCHEMA:
        plan__check_schema(problems, at, json, 0);
        return;
    case SHAPE_OBJECT:
        plan__check(problems, at, json, field->object);
        return;
    case SHAPE_OBJECTS:
        check_objects(problems, at, json, field);
        return;
    }
}

static void unknown_field(struct problems *problems, const struct at *at, const char *key,
                          const struct object *object)
{
    const char *names[32];
    size_t n = MIN_OF(object->fields_len, ARRAY_LEN(names));

    for (size_t i = 0; i < n; i++)
        names[i] = object->fields[i].name;
    plan__problem(problems, at, plan__nearest(problems, key, names, n), "unknown field '%.64s'",
                  key);
}

void plan__check(struct problems *problems, const struct at *at, const json_t *json,
                 const struct object *object)
{
    const char *key, *hint;
    json_t *value;

    if (!json_is_object(json)) {
        wrong_type(problems, at, json, "an object");
        return;
    }
    json_object_foreach((json_t *)json, key, value)
    {
        const struct field *field = plan__field(object, key);
        struct at here = {at, key, 0};

        if (!field) {
            unknown_field(problems, &here, key, object);
            continue;
        }
        check_field(problems, &here, value, field);
        if (plan__unsupported(object, key, &hint))
            plan__problem(problems, &here, hint, "%s is not supported by this version yet", key);
    }
    for (size_t i = 0; i < object->fields_len; i++) {
        struct at here = {at, object->fields[i].name, 0};

        if (object->fields[i].required && !json_object_get(json, object->fields[i].name))
            plan__problem(problems, &here, NULL, "'%s' is missing", object->fields[i].name);
    }
}
