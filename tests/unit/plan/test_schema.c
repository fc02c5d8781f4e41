/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "internal.h"
#include "suites.h"

static json_t *schema(void)
{
    json_t *json = NULL;
    struct error err = {0};

    ck_assert_msg(json_parse(slice_of(plan_schema_text()), 1 << 20, &json, &err) == STATUS_OK, "%s",
                  err.message);
    return json;
}

START_TEST(file_is_what_the_tables_say)
{
    FILE *file = fopen(PLAN_SCHEMA_FILE, "rb");
    char *text = malloc(1 << 20);
    AUTO(json_drop) json_t *expected = schema();
    AUTO(json_drop) json_t *found = NULL;
    struct error err = {0};
    size_t len;

    ck_assert_ptr_nonnull(file);
    len = fread(text, 1, 1 << 20, file);
    fclose(file);
    ck_assert_int_eq(json_parse((struct slice){text, len}, 1 << 20, &found, &err), STATUS_OK);
    ck_assert_msg(json_equal(expected, found), "plan.schema.json is out of date");
    free(text);
}
END_TEST

/* Both ways: each field of a table stands in the schema, each property of the schema in a table. */
static void compare(const struct object *object, const json_t *root, const json_t *described)
{
    const json_t *properties = json_object_get(described, "properties");
    const json_t *required = json_object_get(described, "required");
    const char *key;
    json_t *value;
    size_t needed = 0;

    ck_assert(json_is_false(json_object_get(described, "additionalProperties")));
    json_object_foreach((json_t *)properties, key, value) ck_assert_msg(
        plan__field(object, key) != NULL, "%s.%s is in the schema only", object->name, key);
    for (size_t i = 0; i < object->fields_len; i++) {
        const struct field *field = &object->fields[i];

        ck_assert_msg(json_object_get(properties, field->name) != NULL,
                      "%s.%s is in the table only", object->name, field->name);
        needed += field->required;
        if (field->object)
            compare(field->object, root,
                    json_object_get(json_object_get(root, "$defs"), field->object->name));
    }
    ck_assert_uint_eq(json_array_size(required), needed);
}

START_TEST(schema_and_tables_have_the_same_fields)
{
    AUTO(json_drop) json_t *json = schema();

    compare(&PLAN_OBJECT, json, json);
}
END_TEST

Suite *suite_schema(void)
{
    Suite *suite = suite_create("schema");
    TCase *tests = tcase_create("schema");

    tcase_add_test(tests, file_is_what_the_tables_say);
    tcase_add_test(tests, schema_and_tables_have_the_same_fields);
    suite_add_tcase(suite, tests);
    return suite;
}
