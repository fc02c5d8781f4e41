/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "cel/cel.h"
#include "json/json.h"
#include "suites.h"

static const char ROOTS[] = "{\"a\":5,\"s\":\"x\",\"m\":{\"k\":[1]},\"no\":null}";

static struct arena arena;
static json_t *roots;

static void setup(void)
{
    struct error err;

    arena_init(&arena, 0);
    ck_assert_int_eq(json_parse(slice_of(ROOTS), sizeof(ROOTS), &roots, &err), STATUS_OK);
}

static void teardown(void)
{
    json_drop(&roots);
    arena_fini(&arena);
}

struct pair {
    const char *text;
    const char *expected;
};

static const struct pair TEMPLATES[] = {
    {"", "\"\""},
    {"plain", "\"plain\""},
    {"${{ a }}", "5"},
    {"${{m}}", "{\"k\":[1]}"},
    {"${{ no }}", "null"},
    {" ${{ a }}", "\" 5\""},
    {"${{ s }}-${{ a }}-${{ m }}-${{ no }}.", "\"x-5-{\\\"k\\\":[1]}-.\""},
    {"$${{ a }}", "\"${{ a }}\""},
    {"a $${{ b }} ${{ a }}", "\"a ${{ b }} 5\""},
    {"$5 {{ }} ${x}", "\"$5 {{ }} ${x}\""},
    {"${{ {'a': {'b': 1}} }}", "{\"a\":{\"b\":1}}"},
    {"${{ '}}' }}", "\"}}\""},
    {"${{ \"}}\\\"}}\" + r'\\' }}!", "\"}}\\\"}}\\\\!\""},
};

START_TEST(template_keeps_the_type_or_joins)
{
    struct cel_env env = {cel_resolve_object, roots};
    const struct cel_template *tmpl;
    AUTO(json_drop) json_t *json = NULL;
    struct error err = {0};

    ck_assert_msg(cel_template_compile(slice_of(TEMPLATES[_i].text), &arena, &tmpl, NULL, &err) ==
                      STATUS_OK,
                  "%s: %s", TEMPLATES[_i].text, err.message);
    ck_assert_msg(cel_template_eval(tmpl, &env, &json, &err) == STATUS_OK, "%s: %s",
                  TEMPLATES[_i].text, err.message);
    ck_assert_str_eq(json_text(json, &arena), TEMPLATES[_i].expected);
}
END_TEST

START_TEST(columns_are_those_of_the_whole_text)
{
    const struct cel_template *tmpl;
    struct error err = {0};
    uint32_t column = 0;

    ck_assert_int_eq(
        cel_template_compile(slice_of("h\xC3\xA9 ${{ a + }}"), &arena, &tmpl, &column, &err),
        STATUS_INVALID_ARGUMENT);
    ck_assert_uint_eq(column, 12);
    ck_assert_int_eq(cel_template_compile(slice_of("ab ${{ a"), &arena, &tmpl, &column, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_uint_eq(column, 4);
    ck_assert_str_eq(err.message, "column 4: '${{' has no '}}'");
}
END_TEST

START_TEST(has_expression_knows_the_escape)
{
    ck_assert(cel_template_has_expression(slice_of("x ${{ a }}")));
    ck_assert(!cel_template_has_expression(slice_of("x $${{ a }}")));
    ck_assert(!cel_template_has_expression(slice_of("")));
    ck_assert(cel_template_has_expression(slice_of("$${{ a }} ${{ b }}")));
}
END_TEST

START_TEST(document_is_evaluated_as_a_whole)
{
    static const char TEXT[] =
        "{\"command\":[\"run\",\"${{ s }}\"],\"n\":\"${{ a }}\",\"keep\":{\"${{k}}\":1},"
        "\"lit\":\"$${{ }}\"}";
    struct cel_env env = {cel_resolve_object, roots};
    const struct cel_document *document;
    AUTO(json_drop) json_t *source = NULL;
    AUTO(json_drop) json_t *json = NULL;
    struct error err = {0};

    ck_assert_int_eq(json_parse(slice_of(TEXT), sizeof(TEXT), &source, &err), STATUS_OK);
    ck_assert_int_eq(cel_document_compile(source, &arena, &document, NULL, NULL, &err), STATUS_OK);
    ck_assert_ptr_null(cel_document_constant(document));
    ck_assert_int_eq(cel_document_eval(document, &env, &json, &err), STATUS_OK);
    ck_assert_str_eq(
        json_text(json, &arena),
        "{\"command\":[\"run\",\"x\"],\"n\":5,\"keep\":{\"${{k}}\":1},\"lit\":\"${{ }}\"}");
}
END_TEST

START_TEST(document_without_expressions_is_constant_text)
{
    const struct cel_document *document;
    AUTO(json_drop) json_t *source = json_pack("{s:[i,s]}", "a", 1, "b");
    AUTO(json_drop) json_t *json = NULL;
    struct cel_env env = {cel_resolve_object, roots};
    struct error err = {0};

    ck_assert_int_eq(cel_document_compile(source, &arena, &document, NULL, NULL, &err), STATUS_OK);
    ck_assert_str_eq(cel_document_constant(document), "{\"a\":[1,\"b\"]}");
    ck_assert_int_eq(cel_document_eval(document, &env, &json, &err), STATUS_OK);
    ck_assert(json_equal(source, json));
}
END_TEST

struct faults {
    int count;
    char text[256];
};

static void note_fault(void *userdata, const char *path, uint32_t column, const char *message)
{
    struct faults *faults = userdata;
    size_t len = strlen(faults->text);

    faults->count++;
    snprintf(faults->text + len, sizeof(faults->text) - len, "%s@%u;", path, column);
}

static void note_path(void *userdata, const char *place, const struct cel_path *path)
{
    struct faults *faults = userdata;
    size_t len = strlen(faults->text);

    snprintf(faults->text + len, sizeof(faults->text) - len, "%s:%s;", place, path->parts[0]);
}

START_TEST(all_faults_of_a_document_are_told_with_their_place)
{
    const struct cel_document *document;
    AUTO(json_drop)
    json_t *source =
        json_pack("{s:[s,s],s:{s:s}}", "a", "${{ 1 + }}", "${{ ok }}", "b", "c", "${{");
    struct faults faults = {0};
    struct error err = {0};

    ck_assert_int_eq(cel_document_compile(source, &arena, &document, note_fault, &faults, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(faults.count, 2);
    ck_assert_str_eq(faults.text, "a[0]@9;b.c@1;");
    ck_assert_str_eq(err.field, "a[0]");
}
END_TEST

START_TEST(failed_evaluation_names_the_place)
{
    const struct cel_document *document;
    AUTO(json_drop) json_t *source = json_pack("{s:[s,s]}", "a", "${{ s }}", "${{ s.y + z }}");
    AUTO(json_drop) json_t *json = NULL;
    struct cel_env env = {cel_resolve_object, roots};
    struct faults faults = {0};
    struct error err = {0};

    ck_assert_int_eq(cel_document_compile(source, &arena, &document, NULL, NULL, &err), STATUS_OK);
    cel_document_each_path(document, note_path, &faults);
    ck_assert_str_eq(faults.text, "a[0]:s;a[1]:s;a[1]:z;");
    ck_assert_int_eq(cel_document_eval(document, &env, &json, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.field, "a[1]");
    ck_assert_str_eq(err.message, "column 5: string has no field 'y'");
}
END_TEST

Suite *suite_template(void)
{
    Suite *suite = suite_create("template");
    TCase *tests = tcase_create("template");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, template_keeps_the_type_or_joins, 0, (int)ARRAY_LEN(TEMPLATES));
    tcase_add_test(tests, columns_are_those_of_the_whole_text);
    tcase_add_test(tests, has_expression_knows_the_escape);
    tcase_add_test(tests, document_is_evaluated_as_a_whole);
    tcase_add_test(tests, document_without_expressions_is_constant_text);
    tcase_add_test(tests, all_faults_of_a_document_are_told_with_their_place);
    tcase_add_test(tests, failed_evaluation_names_the_place);
    suite_add_tcase(suite, tests);
    return suite;
}
