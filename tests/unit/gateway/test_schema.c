/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

static struct fixture f;

static void setup(void)
{
    fixture_init(&f);
}

static void teardown(void)
{
    fixture_fini(&f);
}

START_TEST(fields_have_names_types_and_comments)
{
    const struct schema_message *book = schema_find_message(f.schema, "plankton.testing.Book");
    const struct schema_field *field;

    ck_assert_ptr_nonnull(book);
    field = schema_find_field(book, "weight_mg");
    ck_assert_str_eq(field->json_name, "weightMg");
    ck_assert_int_eq(field->type, SCHEMA_INT64);
    ck_assert_int_eq(field->oneof, -1);
    ck_assert_str_eq(schema_find_field(book, "title")->comment, "As on the cover.");
    field = schema_find_field(book, "labels");
    ck_assert(field->repeated && field->message && field->message->map_entry);
    ck_assert(schema_is_message(schema_find_field(book, "notes"), "plankton.v1.Json"));
    ck_assert_ptr_eq(schema_find_field_by_either(book, slice_of("weightMg")),
                     schema_find_field(book, "weight_mg"));
    ck_assert_ptr_null(schema_find_field(book, "nothing"));
}
END_TEST

START_TEST(oneofs_know_their_members)
{
    const struct schema_message *update =
        schema_find_message(f.schema, "plankton.testing.BookUpdate");

    ck_assert_uint_eq(update->oneof_count, 2);
    ck_assert_str_eq(update->oneofs[0].name, "update");
    ck_assert_uint_eq(update->oneofs[0].members, 2);
    ck_assert_uint_eq(update->oneofs[1].members, 1);
    ck_assert_int_eq(schema_find_field(update, "new_reading")->oneof, 0);
}
END_TEST

START_TEST(enums_and_their_values_have_comments)
{
    const struct schema_enum *binding = schema_find_enum(f.schema, "plankton.testing.Binding");

    ck_assert_ptr_nonnull(binding);
    ck_assert_uint_eq(binding->value_count, 3);
    ck_assert_str_eq(binding->values[1].name, "BINDING_SEWN");
    ck_assert_str_eq(binding->values[1].comment, "Thread and glue.");
}
END_TEST

START_TEST(methods_have_rules_access_and_kind)
{
    const struct schema_method *method =
        schema_find_method(f.schema, "/plankton.testing.Shelf/ListBooks");

    ck_assert_ptr_nonnull(method);
    ck_assert_uint_eq(method->rule_count, 2);
    ck_assert_str_eq(method->rules[0].verb, "GET");
    ck_assert_str_eq(method->rules[1].path, "/api/v1/shelves/{shelf}/books");
    ck_assert(method->access_given);
    method = schema_find_method(f.schema, "/plankton.testing.Shelf/GetBook");
    ck_assert_uint_eq(method->access, (1u << 1) | (1u << 2));
    method = schema_find_method(f.schema, "/plankton.testing.Shelf/TailPages");
    ck_assert(method->server_streaming && !method->client_streaming);
    method = schema_find_method(f.schema, "/plankton.refused.NoAccess/Get");
    ck_assert(!method->access_given);
}
END_TEST

START_TEST(comments_of_methods_are_kept_whole)
{
    const struct schema_method *method =
        schema_find_method(f.schema, "/plankton.testing.Shelf/CreateBook");

    ck_assert_str_eq(method->comment,
                     "Puts a book on the shelf. INVALID_ARGUMENT when it has no title.");
}
END_TEST

/* Every cut and many a flipped byte: an error or a schema, never a crash. */
START_TEST(broken_sets_are_errors)
{
    char *copy = arena_memdup(&f.arena, f.set.data, f.set.len);
    struct schema *schema;

    for (size_t len = 1; len < f.set.len; len += 97) {
        if (schema_new((struct slice){copy, len}, &schema, NULL) == STATUS_OK)
            schema_free(schema);
    }
    for (size_t i = 0; i < f.set.len; i += 31) {
        char old = copy[i];

        copy[i] = (char)(old ^ 0xff);
        if (schema_new((struct slice){copy, f.set.len}, &schema, NULL) == STATUS_OK)
            schema_free(schema);
        copy[i] = old;
    }
    ck_assert_int_ne(schema_new((struct slice){"\x0a\xff\x01", 3}, &schema, NULL), STATUS_OK);
}
END_TEST

Suite *schema_suite(void)
{
    Suite *suite = suite_create("schema");
    TCase *tcase = tcase_create("schema");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, fields_have_names_types_and_comments);
    tcase_add_test(tcase, oneofs_know_their_members);
    tcase_add_test(tcase, enums_and_their_values_have_comments);
    tcase_add_test(tcase, methods_have_rules_access_and_kind);
    tcase_add_test(tcase, comments_of_methods_are_kept_whole);
    tcase_add_test(tcase, broken_sets_are_errors);
    suite_add_tcase(suite, tcase);
    return suite;
}
