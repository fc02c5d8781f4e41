/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "routes/bind.h"

static struct fixture f;
static struct error err;
static int64_t wait_ms;

static void setup(void)
{
    fixture_init(&f);
    memset(&err, 0, sizeof err);
    wait_ms = -1;
}

static void teardown(void)
{
    fixture_fini(&f);
}

#define QUERY_MAX 8

/* query: name, value, …, NULL */
static enum status bind_full(const char *verb, const char *path, const char *const *query,
                             struct bind_request extra, void *ret)
{
    struct bind_pair pairs[QUERY_MAX];
    struct route_match match;

    ck_assert_int_eq(routes_match(f.routes, verb, slice_of(path), &f.arena, &match), ROUTE_FOUND);
    extra.route = match.plain ? match.plain : match.stream;
    extra.values = match.values;
    extra.query = pairs;
    for (; query && query[0]; query += 2)
        pairs[extra.query_count++] = (struct bind_pair){slice_of(query[0]), slice_of(query[1])};
    *(void **)ret = NULL;
    return bind_message(f.registry, &extra, &f.arena, (ProtobufCMessage **)ret, &wait_ms, &err);
}

static enum status bind_get(const char *path, const char *const *query, void *ret)
{
    return bind_full("GET", path, query, (struct bind_request){0}, ret);
}

static enum status bind_json(const char *verb, const char *path, const char *body, void *ret)
{
    return bind_full(verb, path, NULL,
                     (struct bind_request){.body = slice_of(body), .content = BIND_JSON}, ret);
}

START_TEST(path_values_are_unescaped)
{
    Plankton__Testing__GetBookRequest *request;

    ck_assert_int_eq(bind_get("/api/v1/books/a%20b%2Fc%c3%A9", NULL, &request), STATUS_OK);
    ck_assert_str_eq(request->id, "a b/cé");
    ck_assert_int_eq(wait_ms, 0);
}
END_TEST

static const char *const broken_paths[] = {"/api/v1/books/%",   "/api/v1/books/%4",
                                           "/api/v1/books/%zz", "/api/v1/books/a%00b",
                                           "/api/v1/books/%ff", "/api/v1/books/%c0%80"};

START_TEST(broken_path_values_are_refused)
{
    Plankton__Testing__GetBookRequest *request;

    ck_assert_int_eq(bind_get(broken_paths[_i], NULL, &request), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_null(request);
}
END_TEST

START_TEST(several_segments_keep_their_escaped_slashes)
{
    Plankton__Testing__OpenFileRequest *request;

    ck_assert_int_eq(bind_get("/api/v1/files/a/b%2Fc%20d", NULL, &request), STATUS_OK);
    ck_assert_str_eq(request->name, "a/b%2Fc d");
}
END_TEST

START_TEST(query_fills_fields_by_both_names)
{
    const char *const query[] = {"pageSize",      "7",    "page_token", "t",    "binding",
                                 "sewn",          "tags", "a",          "tags", "b",
                                 "size.minPages", "3",    NULL};
    Plankton__Testing__ListBooksRequest *request;

    ck_assert_msg(bind_get("/api/v1/books", query, &request) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(request->page_size, 7);
    ck_assert_str_eq(request->page_token, "t");
    ck_assert_int_eq(request->binding, PLANKTON__TESTING__BINDING__BINDING_SEWN);
    ck_assert_uint_eq(request->n_tags, 2);
    ck_assert_str_eq(request->tags[1], "b");
    ck_assert_int_eq(request->size->min_pages, 3);
}
END_TEST

START_TEST(unknown_parameters_are_refused_with_a_hint)
{
    const char *const query[] = {"pageSze", "7", NULL};
    Plankton__Testing__ListBooksRequest *request;

    ck_assert_int_eq(bind_get("/api/v1/books", query, &request), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.reason, "UNKNOWN_FIELD");
    ck_assert_ptr_nonnull(err.violations);
    ck_assert_str_eq(err.violations->field, "pageSze");
    ck_assert_str_eq(err.violations->hint, "did you mean \"pageSize\"?");
}
END_TEST

/* What has its place elsewhere has none in the query. */
static const struct {
    const char *verb, *path, *name;
} misplaced[] = {
    {"GET", "/api/v1/books/b1", "id"},           {"POST", "/api/v1/books", "book"},
    {"PUT", "/api/v1/books/b1", "source"},       {"PUT", "/api/v1/books/b1", "document"},
    {"POST", "/api/v1/books/b1:burn", "reason"}, {"GET", "/api/v1/books", "size"},
};

START_TEST(misplaced_parameters_are_refused)
{
    const char *const query[] = {misplaced[_i].name, "x", NULL};
    struct bind_request extra = {0};
    ProtobufCMessage *request;

    if (!str_eq(misplaced[_i].verb, "GET")) {
        extra.body = slice_of("{}");
        extra.content = BIND_JSON;
    }
    ck_assert_int_eq(bind_full(misplaced[_i].verb, misplaced[_i].path, query, extra, &request),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_parameter_may_not_be_given_twice)
{
    const char *const query[] = {"pageSize", "7", "page_size", "8", NULL};
    Plankton__Testing__ListBooksRequest *request;

    ck_assert_int_eq(bind_get("/api/v1/books", query, &request), STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(bad_values_name_their_parameter)
{
    const char *const query[] = {"pageSize", "seven", NULL};
    Plankton__Testing__ListBooksRequest *request;

    ck_assert_int_eq(bind_get("/api/v1/books", query, &request), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.field, "pageSize");
}
END_TEST

static const struct {
    const char *text;
    int64_t ms;
} waits[] = {{"30s", 30000}, {"1.5s", 1500}, {"250ms", 250}, {"2m", 120000}};

START_TEST(wait_is_a_duration)
{
    const char *const query[] = {"wait", waits[_i].text, NULL};
    Plankton__Testing__GetBookRequest *request;

    ck_assert_msg(bind_get("/api/v1/books/b", query, &request) == STATUS_OK, "%s", err.message);
    ck_assert_int_eq(wait_ms, waits[_i].ms);
}
END_TEST

START_TEST(a_field_can_be_the_body)
{
    const char *const query[] = {"dryRun", "true", NULL};
    struct bind_request extra = {.body = slice_of("{\"title\":\"T\",\"weightMg\":\"5\"}"),
                                 .content = BIND_JSON,
                                 .idempotency_key = slice_of("k1")};
    Plankton__Testing__CreateBookRequest *request;

    ck_assert_msg(bind_full("POST", "/api/v1/books", query, extra, &request) == STATUS_OK, "%s",
                  err.message);
    ck_assert_str_eq(request->book->title, "T");
    ck_assert_int_eq(request->book->weight_mg, 5);
    ck_assert_str_eq(request->request_id, "k1");
    ck_assert(request->dry_run);
}
END_TEST

START_TEST(a_body_field_needs_a_body)
{
    ProtobufCMessage *request;

    ck_assert_int_eq(bind_json("POST", "/api/v1/books", "", &request), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(bind_json("POST", "/api/v1/books", "{\"ttle\":1}", &request),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.reason, "UNKNOWN_FIELD");
}
END_TEST

START_TEST(the_whole_message_can_be_the_body)
{
    Plankton__Testing__BurnBookRequest *request;

    ck_assert_int_eq(bind_json("POST", "/api/v1/books/b1:burn", "{\"reason\":\"r\"}", &request),
                     STATUS_OK);
    ck_assert_str_eq(request->id, "b1");
    ck_assert_str_eq(request->reason, "r");
    ck_assert_int_eq(bind_json("POST", "/api/v1/books/b1:burn", "", &request), STATUS_OK);
    ck_assert_str_eq(request->id, "b1");
    ck_assert_int_eq(bind_json("POST", "/api/v1/books/b1:burn", "{\"id\":\"b1\"}", &request),
                     STATUS_OK);
    ck_assert_int_eq(bind_json("POST", "/api/v1/books/b1:burn", "{\"id\":\"b2\"}", &request),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(documents_come_with_their_text)
{
    const char *text = "{ \"a\": [1, 2] }";
    Plankton__Testing__ReplaceBookRequest *request;

    ck_assert_int_eq(bind_json("PUT", "/api/v1/books/b1", text, &request), STATUS_OK);
    ck_assert_str_eq(request->document->text, "{\"a\":[1,2]}");
    ck_assert_str_eq(request->source, text);
}
END_TEST

START_TEST(yaml_documents_are_text_only)
{
    struct bind_request extra = {
        .body = slice_of("a: 1 # why\n"), .content = BIND_YAML, .if_match = slice_of("\"v3\"")};
    Plankton__Testing__ReplaceBookRequest *request;

    ck_assert_int_eq(bind_full("PUT", "/api/v1/books/b1", NULL, extra, &request), STATUS_OK);
    ck_assert_ptr_null(request->document);
    ck_assert_str_eq(request->source, "a: 1 # why\n");
    ck_assert_str_eq(request->etag, "v3");
}
END_TEST

static const struct {
    const char *header, *etag;
} tags[] = {{"\"v3\"", "v3"}, {"W/\"v3\"", "v3"}, {"v3", "v3"}, {"*", ""}};

START_TEST(if_match_is_the_etag)
{
    struct bind_request extra = {
        .body = slice_of("{}"), .content = BIND_JSON, .if_match = slice_of(tags[_i].header)};
    Plankton__Testing__ReplaceBookRequest *request;

    ck_assert_int_eq(bind_full("PUT", "/api/v1/books/b1", NULL, extra, &request), STATUS_OK);
    ck_assert_str_eq(request->etag, tags[_i].etag);
}
END_TEST

START_TEST(headers_without_a_field_are_refused)
{
    struct bind_request key = {.idempotency_key = slice_of("k")};
    struct bind_request match = {.if_match = slice_of("\"v\"")};
    ProtobufCMessage *request;

    ck_assert_int_eq(bind_full("GET", "/api/v1/books/b1", NULL, key, &request),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(bind_full("GET", "/api/v1/books/b1", NULL, match, &request),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(last_event_id_wins_over_the_query)
{
    const char *const query[] = {"afterEventId", "e1", NULL};
    struct bind_request extra = {.last_event_id = slice_of("e2")};
    Plankton__Testing__WatchBookRequest *request;

    ck_assert_int_eq(bind_full("GET", "/api/v1/books/b1/events", query, extra, &request),
                     STATUS_OK);
    ck_assert_str_eq(request->after_event_id, "e2");
    ck_assert_int_eq(bind_full("GET", "/api/v1/books/b1", NULL, extra, &request), STATUS_OK);
}
END_TEST

static const char *const bad_documents[] = {"{\"a\":}", "", "{\"a\":\"\xff\"}",
                                            "{\"a\":1,\"a\":2}"};

START_TEST(bad_documents_are_refused)
{
    ProtobufCMessage *request;

    ck_assert_int_eq(bind_json("PUT", "/api/v1/books/b1", bad_documents[_i], &request),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(deep_json_is_refused)
{
    char *deep = arena_alloc(&f.arena, 20001);
    ProtobufCMessage *request;

    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    deep[20000] = '\0';
    ck_assert_int_eq(bind_json("PUT", "/api/v1/books/b1", deep, &request), STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(nul_in_a_document_is_refused)
{
    struct bind_request extra = {.body = {"a: \0 b", 6}, .content = BIND_YAML};
    ProtobufCMessage *request;

    ck_assert_int_eq(bind_full("PUT", "/api/v1/books/b1", NULL, extra, &request),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(a_body_that_nobody_asked_for_is_refused)
{
    struct bind_request extra = {.body = slice_of("{}"), .content = BIND_JSON};
    ProtobufCMessage *request;

    ck_assert_int_eq(bind_full("GET", "/api/v1/books/b1", NULL, extra, &request),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

Suite *bind_suite(void)
{
    Suite *suite = suite_create("bind");
    TCase *tcase = tcase_create("bind");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, path_values_are_unescaped);
    tcase_add_loop_test(tcase, broken_path_values_are_refused, 0, (int)ARRAY_LEN(broken_paths));
    tcase_add_test(tcase, several_segments_keep_their_escaped_slashes);
    tcase_add_test(tcase, query_fills_fields_by_both_names);
    tcase_add_test(tcase, unknown_parameters_are_refused_with_a_hint);
    tcase_add_loop_test(tcase, misplaced_parameters_are_refused, 0, (int)ARRAY_LEN(misplaced));
    tcase_add_test(tcase, a_parameter_may_not_be_given_twice);
    tcase_add_test(tcase, bad_values_name_their_parameter);
    tcase_add_loop_test(tcase, wait_is_a_duration, 0, (int)ARRAY_LEN(waits));
    tcase_add_test(tcase, a_field_can_be_the_body);
    tcase_add_test(tcase, a_body_field_needs_a_body);
    tcase_add_test(tcase, the_whole_message_can_be_the_body);
    tcase_add_test(tcase, documents_come_with_their_text);
    tcase_add_test(tcase, yaml_documents_are_text_only);
    tcase_add_loop_test(tcase, if_match_is_the_etag, 0, (int)ARRAY_LEN(tags));
    tcase_add_test(tcase, headers_without_a_field_are_refused);
    tcase_add_test(tcase, last_event_id_wins_over_the_query);
    tcase_add_loop_test(tcase, bad_documents_are_refused, 0, (int)ARRAY_LEN(bad_documents));
    tcase_add_test(tcase, deep_json_is_refused);
    tcase_add_test(tcase, nul_in_a_document_is_refused);
    tcase_add_test(tcase, a_body_that_nobody_asked_for_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
