/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of a plan's input: a closed subset of JSON Schema. Fields that are not declared are
 * refused unless additionalProperties is true. */
#include <math.h>
#include <stdio.h>
#include "internal.h"

#define SCHEMA_DEPTH_MAX 16
#define WORDS_MAX 100

static const char *const KEYWORDS[] = {
    "type",       "required",  "properties", "additionalProperties",
    "default",    "enum",      "items",      "minimum",
    "maximum",    "minLength", "maxLength",  "title",
    "description"};
static const char *const TYPES[] = {"object", "array",   "string", "integer",
                                    "number", "boolean", "null"};

static bool is_of_type(const json_t *json, const char *type)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return strcmp(type, "object") == 0;
    case JSON_ARRAY:
        return strcmp(type, "array") == 0;
    case JSON_STRING:
        return strcmp(type, "string") == 0;
    case JSON_INTEGER:
        return strcmp(type, "integer") == 0 || strcmp(type, "number") == 0;
    case JSON_REAL:
        return strcmp(type, "number") == 0 ||
               (strcmp(type, "integer") == 0 && fabs(json_real_value(json)) < 9e15 &&
                json_real_value(json) == floor(json_real_value(json)));
    case JSON_NULL:
        return strcmp(type, "null") == 0;
    default:
        return strcmp(type, "boolean") == 0;
    }
}

static bool wants(struct problems *problems, const struct at *at, const json_t *json, bool ok,
                  const char *expected)
{
    if (json && !ok)
        plan__problem(problems, at, NULL, "must be %s", expected);
    return json && ok;
}

static void check_type(struct problems *problems, const struct at *at, const json_t *schema,
                       uint32_t depth)
{
    const json_t *type = json_object_get(schema, "type");
    struct at here = {at, "type", 0};
    bool known = false;

    if (!type) {
        if (depth && !json_object_get(schema, "enum"))
            plan__problem(problems, at, NULL, "'type' is missing");
        return;
    }
    for (size_t i = 0; json_is_string(type) && i < ARRAY_LEN(TYPES); i++)
        known = known || strcmp(json_string_value(type), TYPES[i]) == 0;
    if (!known)
        plan__problem(problems, &here,
                      json_is_string(type) ? plan__nearest(problems, json_string_value(type), TYPES,
                                                           ARRAY_LEN(TYPES))
                                           : NULL,
                      "must be one of object, array, string, integer, number, boolean, null");
    else if (!depth && strcmp(json_string_value(type), "object") != 0)
        plan__problem(problems, &here, NULL, "a plan's input is an object");
}

static void check_properties(struct problems *problems, const struct at *at, const json_t *schema,
                             uint32_t depth)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    struct at here = {at, "properties", 0}, at_required = {at, "required", 0};
    const char *key;
    json_t *value;
    size_t index;

    if (wants(problems, &here, properties, json_is_object(properties), "an object")) {
        json_object_foreach((json_t *)properties, key, value)
        {
            struct at member = {&here, key, 0};

            plan__check_schema(problems, &member, value, depth + 1);
        }
    }
    if (!wants(problems, &at_required, required, json_is_array(required), "a list of names"))
        return;
    json_array_foreach(required, index, value)
    {
        struct at element = {&at_required, NULL, index};

        if (!json_is_string(value))
            plan__problem(problems, &element, NULL, "must be a string");
        else if (!json_object_get(properties, json_string_value(value)) &&
                 !json_is_true(json_object_get(schema, "additionalProperties")))
            plan__problem(problems, &element, NULL, "'%.64s' is not among the properties",
                          json_string_value(value));
    }
}

static void check_bounds(struct problems *problems, const struct at *at, const json_t *schema)
{
    static const char *const NUMBERS[] = {"minimum", "maximum"};
    static const char *const LENGTHS[] = {"minLength", "maxLength"};
    static const char *const TEXTS[] = {"title", "description"};

    for (size_t i = 0; i < 2; i++) {
        struct at number = {at, NUMBERS[i], 0}, length = {at, LENGTHS[i], 0},
                  text = {at, TEXTS[i], 0};
        const json_t *bound = json_object_get(schema, LENGTHS[i]);

        (void)wants(problems, &number, json_object_get(schema, NUMBERS[i]),
                    json_is_number(json_object_get(schema, NUMBERS[i])), "a number");
        (void)wants(problems, &length, bound,
                    json_is_integer(bound) && json_integer_value(bound) >= 0,
                    "a whole number from 0 on");
        (void)wants(problems, &text, json_object_get(schema, TEXTS[i]),
                    json_is_string(json_object_get(schema, TEXTS[i])), "a string");
    }
}

static void check_keywords(struct problems *problems, const struct at *at, const json_t *schema)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)schema, key, value)
    {
        struct at here = {at, key, 0};
        bool known = false;

        for (size_t i = 0; i < ARRAY_LEN(KEYWORDS); i++)
            known = known || strcmp(key, KEYWORDS[i]) == 0;
        if (!known)
            plan__problem(problems, &here,
                          plan__nearest(problems, key, KEYWORDS, ARRAY_LEN(KEYWORDS)),
                          "'%.64s' is not supported in the schema of an input", key);
    }
}

static void check_default(struct problems *problems, const struct at *at, const json_t *schema)
{
    AUTO(json_drop) json_t *value = json_deep_copy(json_object_get(schema, "default"));
    struct at here = {at, "default", 0};

    if (value)
        plan__apply_schema(problems, &here, schema, value);
}

void plan__check_schema(struct problems *problems, const struct at *at, const json_t *schema,
                        uint32_t depth)
{
    const json_t *words, *items, *more;
    struct at at_words = {at, "enum", 0}, at_items = {at, "items", 0},
              at_more = {at, "additionalProperties", 0};
    uint32_t count = problems->count;

    if (!json_is_object(schema)) {
        plan__problem(problems, at, NULL, "must be a schema: an object such as {type: string}");
        return;
    }
    if (depth > SCHEMA_DEPTH_MAX) {
        plan__problem(problems, at, NULL, "schema is nested deeper than %d levels",
                      SCHEMA_DEPTH_MAX);
        return;
    }
    words = json_object_get(schema, "enum");
    items = json_object_get(schema, "items");
    more = json_object_get(schema, "additionalProperties");
    check_keywords(problems, at, schema);
    check_type(problems, at, schema, depth);
    check_properties(problems, at, schema, depth);
    check_bounds(problems, at, schema);
    (void)wants(problems, &at_words, words,
                json_is_array(words) && json_array_size(words) > 0 &&
                    json_array_size(words) <= WORDS_MAX,
                "a list of 1 to 100 values");
    (void)wants(problems, &at_more, more, json_is_boolean(more), "true or false");
    if (items)
        plan__check_schema(problems, &at_items, items, depth + 1);
    if (problems->count == count) /* only a sound schema can judge its own default */
        check_default(problems, at, schema);
}

static size_t characters(const json_t *json)
{
    size_t n = 0;

    for (const char *at = json_string_value(json); *at; at++)
        n += ((unsigned char)*at & 0xC0) != 0x80;
    return n;
}

static void apply_bounds(struct problems *problems, const struct at *at, const json_t *schema,
                         const json_t *value)
{
    const json_t *low = json_object_get(schema, "minimum"),
                 *high = json_object_get(schema, "maximum");
    const json_t *shortest = json_object_get(schema, "minLength"),
                 *longest = json_object_get(schema, "maxLength");

    if (json_is_number(value)) {
        if (low && json_number_value(value) < json_number_value(low))
            plan__problem(problems, at, NULL, "must be at least %g", json_number_value(low));
        if (high && json_number_value(value) > json_number_value(high))
            plan__problem(problems, at, NULL, "must be at most %g", json_number_value(high));
    }
    if (json_is_string(value)) {
        if (shortest && characters(value) < (size_t)json_integer_value(shortest))
            plan__problem(problems, at, NULL, "must have at least %lld characters",
                          json_integer_value(shortest));
        if (longest && characters(value) > (size_t)json_integer_value(longest))
            plan__problem(problems, at, NULL, "must have at most %lld characters",
                          json_integer_value(longest));
    }
}

static void apply_enum(struct problems *problems, const struct at *at, const json_t *words,
                       const json_t *value)
{
    AUTO(buf_fini) struct buf list = {0};
    json_t *word;
    size_t index;

    buf_init(&list, 256);
    json_array_foreach(words, index, word)
    {
        if (json_equal(word, value))
            return;
        if (index && buf_append(&list, ", ", 2) != STATUS_OK)
            break;
        if (json_append(&list, word) != STATUS_OK)
            break;
    }
    plan__problem(problems, at, NULL, "must be one of %s", buf_cstr(&list));
}

/* 3.0 where an integer is wanted becomes 3, so that expressions see an int. */
static void apply_member(struct problems *problems, const struct at *at, const json_t *schema,
                         json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    const char *type = json_string_value(json_object_get(schema, "type"));

    plan__apply_schema(problems, at, schema, value);
    if (type && strcmp(type, "integer") == 0 && json_is_real(value) && is_of_type(value, type))
        json_object_set_new(object, key, json_integer((json_int_t)json_real_value(value)));
}

static void refuse_unknown(struct problems *problems, const struct at *at, const json_t *properties,
                           const char *key)
{
    const char *names[64], *name;
    struct at here = {at, key, 0};
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)properties, name, value)
    {
        if (n < ARRAY_LEN(names))
            names[n++] = name;
    }
    plan__problem(problems, &here, plan__nearest(problems, key, names, n), "unknown field '%.64s'",
                  key);
}

static void apply_object(struct problems *problems, const struct at *at, const json_t *schema,
                         json_t *object)
{
    const json_t *properties = json_object_get(schema, "properties");
    bool open = json_is_true(json_object_get(schema, "additionalProperties"));
    json_t *value, *required = json_object_get(schema, "required");
    const char *key;
    size_t index;

    json_object_foreach(object, key, value)
    {
        if (!open && !json_object_get(properties, key))
            refuse_unknown(problems, at, properties, key);
    }
    json_object_foreach((json_t *)properties, key, value)
    {
        struct at here = {at, key, 0};
        json_t *fallback = json_object_get(value, "default");

        if (!json_object_get(object, key) && fallback)
            json_object_set_new(object, key, json_deep_copy(fallback));
        if (json_object_get(object, key))
            apply_member(problems, &here, value, object, key);
    }
    json_array_foreach(required, index, value)
    {
        struct at here = {at, json_string_value(value), 0};

        if (!json_object_get(object, json_string_value(value)))
            plan__problem(problems, &here, NULL, "is missing");
    }
}

void plan__apply_schema(struct problems *problems, const struct at *at, const json_t *schema,
                        json_t *value)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    const json_t *items = json_object_get(schema, "items"),
                 *words = json_object_get(schema, "enum");
    json_t *element;
    size_t index;

    if (type && !is_of_type(value, type)) {
        plan__problem(problems, at, NULL, "must be of type %s", type);
        return;
    }
    if (words)
        apply_enum(problems, at, words, value);
    apply_bounds(problems, at, schema, value);
    if (json_is_object(value) && (type || json_object_get(schema, "properties")))
        apply_object(problems, at, schema, value);
    json_array_foreach(value, index, element)
    {
        struct at here = {at, NULL, index};

        if (items)
            plan__apply_schema(problems, &here, items, element);
    }
}

static enum status input_fault(struct error *err)
{
    struct error_violation *violations = err ? err->violations : NULL;

    if (!violations)
        return STATUS_INVALID_ARGUMENT;
    error_field(err, STATUS_INVALID_ARGUMENT, "INPUT_INVALID", violations->field, "%s: %s",
                violations->field, violations->description);
    err->violations = violations;
    return STATUS_INVALID_ARGUMENT;
}

enum status plan_check_input(const struct plan *plan, struct slice input, struct arena *arena,
                             const char **ret_input, struct error *err)
{
    struct problems problems = {.arena = arena, .err = err, .prefix = ""};
    struct at root = {NULL, "input", 0};
    AUTO(json_drop) json_t *json = NULL;
    AUTO(buf_fini) struct buf text = {0};
    enum status status =
        json_parse(input.len ? input : slice_of("{}"), PLAN_INPUT_BYTES_MAX, &json, err);

    buf_init(&text, PLAN_INPUT_BYTES_MAX);
    if (status != STATUS_OK)
        return error_wrap(err, status, "input");
    error_reset(err);
    if (!json_is_object(json))
        plan__problem(&problems, &root, NULL, "must be an object");
    else if (plan->input)
        plan__apply_schema(&problems, &root, plan->input->json, json);
    if (problems.count)
        return input_fault(err);
    if (json_append(&text, json) != STATUS_OK)
        return error_field(err, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", "input",
                           "input is larger than 256 KiB with its defaults");
    *ret_input = arena_strndup(arena, text.data, text.len);
    return STATUS_OK;
}
