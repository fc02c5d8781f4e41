/* SPDX-License-Identifier: Apache-2.0 */
#include "descriptors/descriptors.h"
#include "fixture.h"
#include "refused.rpc.h"
#include "services/services.h"

static struct fixture f;

static void setup(void)
{
    fixture_init(&f);
}

static void teardown(void)
{
    fixture_fini(&f);
}

static enum route_outcome match(const char *verb, const char *path, struct route_match *ret)
{
    return routes_match(f.routes, verb, slice_of(path), &f.arena, ret);
}

START_TEST(paths_find_their_method_and_variables)
{
    struct route_match m;

    ck_assert_int_eq(match("GET", "/api/v1/books/b%201", &m), ROUTE_FOUND);
    ck_assert_str_eq(m.plain->schema->name, "GetBook");
    ck_assert(slice_is(m.values[0], "b%201"));
    ck_assert_int_eq(match("POST", "/api/v1/books", &m), ROUTE_FOUND);
    ck_assert_str_eq(m.plain->schema->name, "CreateBook");
    ck_assert_int_eq(match("GET", "/api/v1/shelves/s1/books", &m), ROUTE_FOUND);
    ck_assert_str_eq(m.plain->schema->name, "ListBooks");
    ck_assert_int_eq(match("HEAD", "/api/v1/books", &m), ROUTE_FOUND);
}
END_TEST

START_TEST(a_colon_begins_a_verb)
{
    struct route_match m;

    ck_assert_int_eq(match("POST", "/api/v1/books/b1:burn", &m), ROUTE_FOUND);
    ck_assert_str_eq(m.plain->schema->name, "BurnBook");
    ck_assert(slice_is(m.values[0], "b1"));
    ck_assert_int_eq(match("POST", "/api/v1/books/b1:bury", &m), ROUTE_NO_PATH);
    ck_assert_int_eq(match("GET", "/api/v1/books/b1:burn", &m), ROUTE_NO_VERB);
    ck_assert_str_eq(m.allow, "POST");
    ck_assert_int_eq(match("GET", "/api/v1/books/b1%3Aburn", &m), ROUTE_FOUND);
    ck_assert_int_eq(match("GET", "/api/v1/books/b1:", &m), ROUTE_NO_PATH);
}
END_TEST

START_TEST(one_path_can_be_plain_and_a_stream)
{
    struct route_match m;

    ck_assert_int_eq(match("GET", "/api/v1/books/b1/pages", &m), ROUTE_FOUND);
    ck_assert_str_eq(m.plain->schema->name, "QueryPages");
    ck_assert_str_eq(m.stream->schema->name, "TailPages");
    ck_assert_int_eq(match("GET", "/api/v1/books/b1/events", &m), ROUTE_FOUND);
    ck_assert_ptr_null(m.plain);
    ck_assert(m.stream->streams);
}
END_TEST

START_TEST(the_rest_of_a_path_can_be_one_variable)
{
    struct route_match m;

    ck_assert_int_eq(match("GET", "/api/v1/files/a/b%2Fc/d", &m), ROUTE_FOUND);
    ck_assert(slice_is(m.values[0], "a/b%2Fc/d"));
    ck_assert_int_eq(match("GET", "/api/v1/files", &m), ROUTE_NO_PATH);
}
END_TEST

START_TEST(wrong_methods_are_told_the_right_ones)
{
    struct route_match m;

    ck_assert_int_eq(match("PATCH", "/api/v1/books/b1", &m), ROUTE_NO_VERB);
    ck_assert_ptr_nonnull(strstr(m.allow, "GET"));
    ck_assert_ptr_nonnull(strstr(m.allow, "HEAD"));
    ck_assert_ptr_nonnull(strstr(m.allow, "PUT"));
    ck_assert_ptr_null(strstr(m.allow, "POST"));
}
END_TEST

static const char *const nowhere[] = {
    "",          "/",
    "//",        "/api/v1/books/",
    "api/v1",    "/api/v1//books",
    "/api/v1",   "/api/v1/books/../books",
    "*",         "/api/v1/books/b1/pages/",
    "/api/v1/.", "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
};

START_TEST(strange_paths_lead_nowhere)
{
    struct route_match m;

    ck_assert_int_eq(match("GET", nowhere[_i], &m), ROUTE_NO_PATH);
}
END_TEST

START_TEST(created_things_know_their_place)
{
    const struct route *create = fixture_route(&f, "POST", "/api/v1/books");
    const struct route *read = fixture_route(&f, "POST", "/api/v1/books/b1/readings");
    const struct route *burn = fixture_route(&f, "POST", "/api/v1/books/b1:burn");

    ck_assert(create->creates && read->creates && !burn->creates);
    ck_assert_str_eq(create->location_prefix, "/api/v1/books/");
    ck_assert_str_eq(create->location_id, "id");
    ck_assert_str_eq(read->location_prefix, "/api/v1/readings/");
    ck_assert_ptr_nonnull(create->request_id);
    ck_assert(create->has_etag);
}
END_TEST

START_TEST(documents_keep_their_text)
{
    const struct route *replace = fixture_route(&f, "PUT", "/api/v1/books/b1");

    ck_assert_int_eq(replace->body, ROUTE_BODY_FIELD);
    ck_assert(replace->takes_source);
    ck_assert_ptr_nonnull(replace->etag);
    ck_assert(!fixture_route(&f, "POST", "/api/v1/books")->takes_source);
}
END_TEST

static const struct {
    const char *service;
    const struct rpc_service_desc *desc;
    const char *why;
} refused[] = {
    {"plankton.refused.NoAccess", &plankton_refused_no_access_desc, "access"},
    {"plankton.refused.EmptyAccess", &plankton_refused_empty_access_desc, "access"},
    {"plankton.refused.TwoForOne", &plankton_refused_two_for_one_desc, "both answer"},
    {"plankton.refused.NoSuchVariable", &plankton_refused_no_such_variable_desc, "variable"},
    {"plankton.refused.NoSuchBody", &plankton_refused_no_such_body_desc, "body"},
    {"plankton.refused.BodyOfGet", &plankton_refused_body_of_get_desc, "no body"},
    {"plankton.refused.StreamIn", &plankton_refused_stream_in_desc, "stream of requests"},
    {"plankton.refused.PostedStream", &plankton_refused_posted_stream_desc, "GET"},
    {"plankton.refused.BadTemplate", &plankton_refused_bad_template_desc, "template"},
};

START_TEST(bad_rules_and_missing_access_refuse_the_table)
{
    const struct rpc_service_desc *services[] = {refused[_i].desc};
    const struct schema *only = fixture_only(&f, refused[_i].service);
    struct routes *routes = NULL;
    struct error err = {0};

    ck_assert_int_ne(routes_new(only, services, 1, &routes, &err), STATUS_OK);
    ck_assert_ptr_null(routes);
    ck_assert_msg(strstr(err.message, refused[_i].why) != NULL, "%s", err.message);
}
END_TEST

START_TEST(a_route_without_code_is_refused)
{
    struct routes *routes = NULL;
    struct error err = {0};

    ck_assert_int_ne(routes_new(&f.only, NULL, 0, &routes, &err), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(err.message, "no generated table"));
}
END_TEST

/* Of the product's own services: every method says who may call it. */
START_TEST(all_services_make_a_table)
{
    struct slice set = {plankton_descriptor_set, plankton_descriptor_set_bytes};
    struct schema *schema = NULL;
    struct routes *routes = NULL;
    struct error err = {0};
    struct route_match m;

    ck_assert_int_eq(schema_new(set, &schema, &err), STATUS_OK);
    ck_assert_msg(routes_new(schema, services_all, services_all_count, &routes, &err) == STATUS_OK,
                  "%s", err.message);
    for (size_t i = 0; i < services_all_count; i++)
        for (size_t j = 0; j < services_all[i]->method_count; j++) {
            const struct schema_method *method =
                schema_find_method(schema, services_all[i]->methods[j]->path);

            ck_assert_ptr_nonnull(method);
            ck_assert_msg(method->access != 0, "%s has no access", method->path);
        }
    ck_assert_int_eq(routes_match(routes, "POST", slice_of("/api/v1/plans/p/runs"), &f.arena, &m),
                     ROUTE_FOUND);
    ck_assert_str_eq(m.plain->location_prefix, "/api/v1/runs/");
    ck_assert_int_eq(services_backend_of("plankton.v1.TaskLogger"), SERVICES_LOGGER);
    ck_assert_int_eq(services_backend_of("plankton.v1.PlanAPI"), SERVICES_CONTROLLER);
    routes_free(routes);
    schema_free(schema);
}
END_TEST

Suite *routes_suite(void)
{
    Suite *suite = suite_create("routes");
    TCase *tcase = tcase_create("routes");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, paths_find_their_method_and_variables);
    tcase_add_test(tcase, a_colon_begins_a_verb);
    tcase_add_test(tcase, one_path_can_be_plain_and_a_stream);
    tcase_add_test(tcase, the_rest_of_a_path_can_be_one_variable);
    tcase_add_test(tcase, wrong_methods_are_told_the_right_ones);
    tcase_add_loop_test(tcase, strange_paths_lead_nowhere, 0, (int)ARRAY_LEN(nowhere));
    tcase_add_test(tcase, created_things_know_their_place);
    tcase_add_test(tcase, documents_keep_their_text);
    tcase_add_loop_test(tcase, bad_rules_and_missing_access_refuse_the_table, 0,
                        (int)ARRAY_LEN(refused));
    tcase_add_test(tcase, a_route_without_code_is_refused);
    tcase_add_test(tcase, all_services_make_a_table);
    suite_add_tcase(suite, tcase);
    return suite;
}
