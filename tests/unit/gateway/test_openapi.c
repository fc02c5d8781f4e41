/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "fixture.h"
#include "openapi/openapi.h"

static struct fixture f;
static json_t *document;
static const struct openapi_info info = {
    .title = "Shelf", .version = "9", .description = "Books & <shelves>."};

static void setup(void)
{
    fixture_init(&f);
    document = json_loads(openapi_document(&f.only, f.routes, &info, &f.arena), 0, NULL);
    ck_assert_ptr_nonnull(document);
}

static void teardown(void)
{
    json_decref(document);
    fixture_fini(&f);
}

/* Follows names through objects; NULL when one is missing. */
static json_t *at(const char *const *names)
{
    json_t *json = document;

    for (; *names; names++)
        json = json_object_get(json, *names);
    return json;
}
#define AT(...) at((const char *const[]){__VA_ARGS__, NULL})

static const char *verb_key(const char *verb)
{
    return str_eq(verb, "GET") ? "get" : str_eq(verb, "PUT") ? "put" : "post";
}

START_TEST(every_route_is_there)
{
    for (size_t i = 0; i < routes_count(f.routes); i++) {
        const struct route *route = routes_at(f.routes, i);
        const json_t *operation = AT("paths", route->template, verb_key(route->verb));
        const char *method = json_string_value(json_object_get(operation, "x-plankton-method"));
        const char *stream = json_string_value(json_object_get(operation, "x-plankton-stream"));

        ck_assert_msg(str_eq(method, route->schema->path) || str_eq(stream, route->schema->path),
                      "%s is missing", route->schema->path);
    }
}
END_TEST

START_TEST(operations_say_who_and_what)
{
    json_t *create = AT("paths", "/api/v1/books", "post");
    json_t *roles = json_object_get(AT("paths", "/api/v1/books/{id}", "get"), "x-plankton-roles");

    ck_assert_str_eq(json_string_value(json_object_get(create, "operationId")), "Shelf_CreateBook");
    ck_assert_str_eq(json_string_value(json_object_get(create, "summary")),
                     "Puts a book on the shelf");
    ck_assert_uint_eq(json_array_size(roles), 2);
    ck_assert_str_eq(json_string_value(json_array_get(roles, 0)), "admin");
    ck_assert_str_eq(json_string_value(json_array_get(roles, 1)), "worker");
    ck_assert_ptr_nonnull(
        AT("paths", "/api/v1/books", "post", "responses", "201", "headers", "Location"));
    ck_assert_ptr_nonnull(AT("paths", "/api/v1/books", "post", "responses", "200"));
    ck_assert_ptr_nonnull(AT("paths", "/api/v1/books", "post", "responses", "default"));
    ck_assert_uint_eq(
        json_array_size(json_object_get(AT("paths", "/api/v1/files/{name=**}", "get"), "security")),
        0);
}
END_TEST

static bool has_parameter(json_t *operation, const char *name, const char *in)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(operation, "parameters"), i, item)
    {
        if (str_eq(json_string_value(json_object_get(item, "name")), name) &&
            str_eq(json_string_value(json_object_get(item, "in")), in))
            return true;
    }
    return false;
}

START_TEST(parameters_have_their_places)
{
    json_t *list = AT("paths", "/api/v1/books", "get");
    json_t *put = AT("paths", "/api/v1/books/{id}", "put");
    json_t *pages = AT("paths", "/api/v1/books/{id}/pages", "get");

    ck_assert(has_parameter(list, "pageSize", "query"));
    ck_assert(has_parameter(list, "size.minPages", "query"));
    ck_assert(has_parameter(put, "id", "path"));
    ck_assert(has_parameter(put, "If-Match", "header"));
    ck_assert(has_parameter(put, "message", "query"));
    ck_assert(!has_parameter(put, "source", "query"));
    ck_assert(!has_parameter(put, "etag", "query"));
    ck_assert(has_parameter(pages, "Last-Event-ID", "header"));
    ck_assert(has_parameter(AT("paths", "/api/v1/books", "post"), "Idempotency-Key", "header"));
}
END_TEST

START_TEST(streams_are_answers_of_their_own_type)
{
    ck_assert_ptr_nonnull(AT("paths", "/api/v1/books/{id}/pages", "get", "responses", "200",
                             "content", "text/event-stream"));
    ck_assert_ptr_nonnull(AT("paths", "/api/v1/books/{id}/pages", "get", "responses", "200",
                             "content", "application/json"));
    ck_assert_ptr_nonnull(AT("paths", "/api/v1/books/{id}/pages", "get", "responses", "200",
                             "content", "text/plain"));
    ck_assert_ptr_null(AT("paths", "/api/v1/books/{id}/events", "get", "responses", "200",
                          "content", "application/json"));
}
END_TEST

START_TEST(schemas_have_json_types)
{
    const char *const weight[] = {"components", "schemas", "Book", "properties",
                                  "weightMg",   "type",    NULL};

    ck_assert_str_eq(json_string_value(at(weight)), "string");
    ck_assert_str_eq(json_string_value(AT("components", "schemas", "Book", "properties", "labels",
                                          "additionalProperties", "type")),
                     "string");
    ck_assert_ptr_null(AT("components", "schemas", "Book", "properties", "notes", "type"));
    ck_assert_uint_eq(json_array_size(AT("components", "schemas", "Binding", "enum")), 3);
    /* A book is also sent by clients, who may leave things out; a reading only comes out. */
    ck_assert_ptr_null(AT("components", "schemas", "Book", "required"));
    ck_assert_uint_eq(json_array_size(AT("components", "schemas", "Reading", "required")), 2);
    ck_assert_ptr_null(AT("paths", "/api/v1/books/{id}:burn", "post", "requestBody", "content",
                          "application/json", "schema", "properties", "id"));
}
END_TEST

/* Every $ref leads somewhere. */
static void check_refs(json_t *json)
{
    const char *key, *ref;
    json_t *value;
    size_t i;

    if (json_is_array(json)) {
        json_array_foreach(json, i, value)
        {
            check_refs(value);
        }
        return;
    }
    json_object_foreach(json, key, value)
    {
        ref = str_eq(key, "$ref") ? json_string_value(value) : NULL;
        if (ref) {
            const char *name = strrchr(ref, '/') + 1;
            const char *kind = strstr(ref, "/responses/") ? "responses" : "schemas";

            ck_assert_msg(AT("components", kind, name) != NULL, "%s", ref);
        }
        check_refs(value);
    }
}

START_TEST(references_lead_somewhere)
{
    check_refs(document);
}
END_TEST

START_TEST(the_page_has_every_route_and_no_markup_from_comments)
{
    const char *page = openapi_page(&f.only, f.routes, &info, &f.arena);

    for (size_t i = 0; i < routes_count(f.routes); i++)
        ck_assert_ptr_nonnull(strstr(page, routes_at(f.routes, i)->template));
    ck_assert_ptr_nonnull(strstr(page, "Books &amp; &lt;shelves&gt;."));
    ck_assert_ptr_null(strstr(page, "<script"));
    ck_assert_ptr_null(strstr(page, " style="));
}
END_TEST

Suite *openapi_suite(void)
{
    Suite *suite = suite_create("openapi");
    TCase *tcase = tcase_create("openapi");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_route_is_there);
    tcase_add_test(tcase, operations_say_who_and_what);
    tcase_add_test(tcase, parameters_have_their_places);
    tcase_add_test(tcase, streams_are_answers_of_their_own_type);
    tcase_add_test(tcase, schemas_have_json_types);
    tcase_add_test(tcase, references_lead_somewhere);
    tcase_add_test(tcase, the_page_has_every_route_and_no_markup_from_comments);
    suite_add_tcase(suite, tcase);
    return suite;
}
