/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/edge.h"
#include "fixture.h"

static const struct {
    const char *host;
    bool allowed;
} hosts[] = {
    {"localhost", true},
    {"LOCALHOST:8080", true},
    {"run.localhost:1", true},
    {"127.0.0.1", true},
    {"127.9.9.9:8080", true},
    {"[::1]:8080", true},
    {"[::1]", true},
    {"plankton.example", true},
    {"Plankton.Example:443", true},
    {"evil.test", false},
    {"localhost.evil.test", false},
    {"evil-localhost", false},
    {"127.0.0.1.evil.test", false},
    {"128.0.0.1", false},
    {"plankton.example.evil.test", false},
    {"", false},
    {":8080", false},
    {"localhost:80x", false},
    {"localhost/", false},
    {"local host", false},
    {"0x7f.1", false},
};

START_TEST(hosts_are_allowed_by_name)
{
    struct edge_hosts list;
    struct arena arena;

    arena_init(&arena, 0);
    ck_assert_int_eq(edge_hosts_parse("plankton.example, other.example", &arena, &list, NULL),
                     STATUS_OK);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_msg(edge_host_allowed(&list, slice_of(hosts[_i].host)) == hosts[_i].allowed, "%s",
                  hosts[_i].host);
    arena_fini(&arena);
}
END_TEST

START_TEST(bad_lists_of_hosts_are_refused)
{
    struct edge_hosts list;
    struct arena arena;

    arena_init(&arena, 0);
    ck_assert_int_ne(edge_hosts_parse("a b", &arena, &list, NULL), STATUS_OK);
    ck_assert_int_ne(edge_hosts_parse("http://a", &arena, &list, NULL), STATUS_OK);
    ck_assert_int_ne(edge_hosts_parse("a,,b", &arena, &list, NULL), STATUS_OK);
    ck_assert_int_eq(edge_hosts_parse("*", &arena, &list, NULL), STATUS_OK);
    ck_assert(edge_host_allowed(&list, slice_of("anything.test")));
    ck_assert_int_eq(edge_hosts_parse(NULL, &arena, &list, NULL), STATUS_OK);
    ck_assert_uint_eq(list.count, 0);
    arena_fini(&arena);
}
END_TEST

static const struct {
    const char *origin, *site, *host;
    enum edge_origin expected;
} origins[] = {
    {NULL, "same-origin", "a", EDGE_ORIGIN_SAME},
    {NULL, "same-site", "a", EDGE_ORIGIN_OTHER},
    {NULL, "cross-site", "a", EDGE_ORIGIN_OTHER},
    {NULL, "none", "a", EDGE_ORIGIN_OTHER},
    {"http://a:1", "cross-site", "a:1", EDGE_ORIGIN_OTHER},
    {"http://a:1", NULL, "a:1", EDGE_ORIGIN_SAME},
    {"https://A:1", NULL, "a:1", EDGE_ORIGIN_SAME},
    {"http://a:2", NULL, "a:1", EDGE_ORIGIN_OTHER},
    {"http://a.evil.test", NULL, "a", EDGE_ORIGIN_OTHER},
    {"http://evil-a", NULL, "a", EDGE_ORIGIN_OTHER},
    {"null", NULL, "a", EDGE_ORIGIN_OTHER},
    {"", NULL, "", EDGE_ORIGIN_OTHER},
    {"http://", NULL, "", EDGE_ORIGIN_OTHER},
    {"ftp://a", NULL, "a", EDGE_ORIGIN_OTHER},
    {NULL, NULL, "a", EDGE_ORIGIN_UNKNOWN},
};

START_TEST(only_our_own_pages_are_the_same_origin)
{
    struct slice origin = slice_of(origins[_i].origin), site = slice_of(origins[_i].site);

    ck_assert_int_eq(edge_origin(origin, site, slice_of(origins[_i].host)), origins[_i].expected);
}
END_TEST

START_TEST(cookies_are_found_by_name)
{
    struct slice header = slice_of("a=1; plankton_session=k=v ; xplankton_session=no; b=\"q\"");

    ck_assert(slice_is(edge_cookie(header, "plankton_session"), "k=v"));
    ck_assert(slice_is(edge_cookie(header, "b"), "q"));
    ck_assert_ptr_null(edge_cookie(header, "session").data);
    ck_assert_ptr_null(edge_cookie(slice_of("plankton_session"), "plankton_session").data);
    ck_assert_ptr_null(edge_cookie((struct slice){0}, "a").data);
}
END_TEST

static const struct {
    const char *type;
    enum edge_content content;
} contents[] = {
    {"application/json", EDGE_JSON},
    {"Application/JSON; charset=utf-8", EDGE_JSON},
    {"application/json;charset=\"UTF-8\"", EDGE_JSON},
    {"application/json; charset=latin1", EDGE_OTHER},
    {"application/yaml", EDGE_YAML},
    {"application/x-yaml", EDGE_YAML},
    {"text/yaml; charset=utf-8", EDGE_YAML},
    {"text/plain", EDGE_OTHER},
    {"application/x-www-form-urlencoded", EDGE_OTHER},
    {"multipart/form-data; boundary=x", EDGE_OTHER},
    {"application/jsonp", EDGE_OTHER},
    {"", EDGE_NONE},
};

START_TEST(media_types_are_told_apart)
{
    ck_assert_int_eq(edge_content(slice_of(contents[_i].type)), contents[_i].content);
}
END_TEST

START_TEST(accept_names_types_outright)
{
    struct slice accept = slice_of("text/html, text/event-stream;q=0.5 , a/b;q=0, */*");

    ck_assert(edge_accepts(accept, "text/event-stream"));
    ck_assert(edge_accepts(accept, "text/html"));
    ck_assert(!edge_accepts(accept, "a/b"));
    ck_assert(!edge_accepts(accept, "application/json"));
    ck_assert(edge_accepts_coding(slice_of("gzip, deflate, br"), "br"));
    ck_assert(!edge_accepts_coding(slice_of("gzip;q=1.0, br;q=0.000"), "br"));
    ck_assert(!edge_accepts_coding((struct slice){0}, "gzip"));
}
END_TEST

START_TEST(entity_tags_are_compared_weakly)
{
    ck_assert(edge_matches_etag(slice_of("\"a\", W/\"b\""), "\"b\""));
    ck_assert(edge_matches_etag(slice_of("*"), "\"b\""));
    ck_assert(!edge_matches_etag(slice_of("\"bb\""), "\"b\""));
    ck_assert(!edge_matches_etag((struct slice){0}, "\"b\""));
}
END_TEST

START_TEST(request_ids_are_harmless)
{
    char longest[EDGE_REQUEST_ID_BYTES_MAX + 2];

    memset(longest, 'a', sizeof longest);
    ck_assert(edge_request_id_valid(slice_of("a1-B_2.3:4/5+6=~")));
    ck_assert(edge_request_id_valid((struct slice){longest, EDGE_REQUEST_ID_BYTES_MAX}));
    ck_assert(!edge_request_id_valid((struct slice){longest, EDGE_REQUEST_ID_BYTES_MAX + 1}));
    ck_assert(!edge_request_id_valid(slice_of("")));
    ck_assert(!edge_request_id_valid(slice_of("a b")));
    ck_assert(!edge_request_id_valid(slice_of("a\"b")));
    ck_assert(!edge_request_id_valid((struct slice){"a\0b", 3}));
    ck_assert(!edge_request_id_valid(slice_of("\xc3\xa9")));
}
END_TEST

Suite *edge_suite(void)
{
    Suite *suite = suite_create("edge");
    TCase *tcase = tcase_create("edge");

    tcase_add_loop_test(tcase, hosts_are_allowed_by_name, 0, (int)ARRAY_LEN(hosts));
    tcase_add_test(tcase, bad_lists_of_hosts_are_refused);
    tcase_add_loop_test(tcase, only_our_own_pages_are_the_same_origin, 0, (int)ARRAY_LEN(origins));
    tcase_add_test(tcase, cookies_are_found_by_name);
    tcase_add_loop_test(tcase, media_types_are_told_apart, 0, (int)ARRAY_LEN(contents));
    tcase_add_test(tcase, accept_names_types_outright);
    tcase_add_test(tcase, entity_tags_are_compared_weakly);
    tcase_add_test(tcase, request_ids_are_harmless);
    suite_add_tcase(suite, tcase);
    return suite;
}
