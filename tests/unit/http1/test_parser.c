/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "parser.h"
#include "suites.h"

#define BODY_MAX 64

/* Feeds text in pieces of `piece` bytes until a request, a refusal or the end. */
static enum http1__step feed(struct http1__parser *parser, const char *text, size_t len,
                             size_t piece, size_t *ret_used)
{
    enum http1__step step = HTTP1_MORE;
    size_t pos = 0, used;

    while (pos < len && (step == HTTP1_MORE || step == HTTP1_CONTINUE)) {
        step = http1__parse(parser, (struct slice){text + pos, MIN_OF(piece, len - pos)}, &used);
        pos += used;
    }
    *ret_used = pos;
    return step;
}

/* One text, cut in every way that matters; the same must come out. */
static struct http1__message *parse_good(const char *text)
{
    struct http1__message *message = NULL;

    for (size_t piece = strlen(text); piece > 0; piece = piece > 3 ? 3 : piece - 1) {
        struct http1__parser parser;
        size_t used;

        http1__message_free(message);
        http1__parser_init(&parser, BODY_MAX);
        ck_assert_msg(feed(&parser, text, strlen(text), piece, &used) == HTTP1_REQUEST,
                      "%u %s in pieces of %zu: %s", parser.refused, parser.why, piece, text);
        ck_assert_uint_eq(used, strlen(text));
        message = http1__parser_take(&parser);
        ck_assert(!http1__parser_in_head(&parser) && !http1__parser_in_body(&parser));
        http1__parser_fini(&parser);
    }
    return message;
}

static void check_refused(const char *text, size_t len, unsigned status)
{
    for (size_t piece = len; piece > 0; piece = piece > 3 ? 3 : piece - 1) {
        struct http1__parser parser;
        enum http1__step step;
        size_t used;

        http1__parser_init(&parser, BODY_MAX);
        step = feed(&parser, text, len, piece, &used);
        ck_assert_msg(step == HTTP1_REFUSED && parser.refused == status,
                      "step %d, %u (%s) instead of %u in pieces of %zu: %s", step, parser.refused,
                      parser.why ? parser.why : "", status, piece, text);
        ck_assert_ptr_nonnull(parser.why);
        /* It stays refused. */
        ck_assert_int_eq(http1__parse(&parser, slice_of("GET / HTTP/1.1\r\n"), &used),
                         HTTP1_REFUSED);
        http1__parser_fini(&parser);
    }
}

START_TEST(a_plain_request_is_read)
{
    struct http1__message *m = parse_good("GET /a%20b?x=1&y HTTP/1.1\r\nHost: example.org:80\r\n"
                                          "X-Thing: \t v w \t\r\nempty:\r\nACCEPT: */*\r\n\r\n");

    ck_assert_str_eq(m->request.method, "GET");
    ck_assert_str_eq(m->request.target, "/a%20b?x=1&y");
    ck_assert_str_eq(m->request.path, "/a%20b");
    ck_assert_str_eq(m->request.query, "x=1&y");
    ck_assert(slice_is(m->request.host, "example.org:80"));
    ck_assert_uint_eq(m->request.header_count, 4);
    ck_assert(slice_is(m->request.headers[1].name, "x-thing"));
    ck_assert(slice_is(http1_header(&m->request, "x-thing"), "v w"));
    ck_assert(slice_is(http1_header(&m->request, "empty"), ""));
    ck_assert_ptr_nonnull(http1_header(&m->request, "empty").data);
    ck_assert_ptr_null(http1_header(&m->request, "absent").data);
    ck_assert(m->keep_alive && !m->is_head && m->request.body.len == 0);
    http1__message_free(m);
}
END_TEST

START_TEST(bodies_by_length_and_by_chunks)
{
    struct http1__message *m =
        parse_good("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");

    ck_assert(slice_is(m->request.body, "hello"));
    http1__message_free(m);
    m = parse_good("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                   "5\r\nhello\r\n00006;ext=\"a b\"\r\n world\r\n0\r\n\r\n");
    ck_assert(slice_is(m->request.body, "hello world"));
    http1__message_free(m);
    m = parse_good("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    ck_assert_uint_eq(m->request.body.len, 0);
    http1__message_free(m);
    m = parse_good("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    ck_assert_uint_eq(m->request.body.len, 0);
    http1__message_free(m);
}
END_TEST

START_TEST(keep_alive_follows_version_and_connection)
{
    static const struct {
        const char *text;
        bool keep_alive;
    } CASES[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
         true},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct http1__message *m = parse_good(CASES[i].text);

        ck_assert_msg(m->keep_alive == CASES[i].keep_alive, "%s", CASES[i].text);
        http1__message_free(m);
    }
}
END_TEST

START_TEST(forms_of_the_target)
{
    struct http1__message *m = parse_good("GET http://other:81/p?q HTTP/1.1\r\nHost: a\r\n\r\n");

    ck_assert_str_eq(m->request.path, "/p");
    ck_assert_str_eq(m->request.query, "q");
    ck_assert(slice_is(m->request.host, "other:81"));
    http1__message_free(m);
    m = parse_good("GET http://other?q HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_str_eq(m->request.path, "/");
    ck_assert_str_eq(m->request.query, "q");
    http1__message_free(m);
    m = parse_good("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_str_eq(m->request.path, "*");
    http1__message_free(m);
    m = parse_good("\r\nHEAD / HTTP/1.1\r\nHost:\r\n\r\n"); /* a stray line end before it */
    ck_assert(m->is_head && m->request.host.len == 0);
    http1__message_free(m);
}
END_TEST

#define HEAD_WITH(header) "POST / HTTP/1.1\r\nHost: a\r\n" header "\r\n\r\n"
#define CHUNKS(body) "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" body

START_TEST(whatever_smuggles_is_refused)
{
    static const char *const CASES[] = {
        HEAD_WITH("Content-Length: 5\r\nTransfer-Encoding: chunked"),
        HEAD_WITH("Transfer-Encoding: chunked\r\nContent-Length: 5"),
        HEAD_WITH("Content-Length: 5\r\nContent-Length: 5"),
        HEAD_WITH("Content-Length: 5\r\nContent-Length: 6"),
        HEAD_WITH("Content-Length: 5, 5"),
        HEAD_WITH("Content-Length: +5"),
        HEAD_WITH("Content-Length: -5"),
        HEAD_WITH("Content-Length: 0x5"),
        HEAD_WITH("Content-Length: 5 5"),
        HEAD_WITH("Content-Length:"),
        HEAD_WITH("Content-Length: 99999999999999999999"),
        HEAD_WITH("Transfer-Encoding: gzip, chunked"),
        HEAD_WITH("Transfer-Encoding: chunked, identity"),
        HEAD_WITH("Transfer-Encoding: identity"),
        HEAD_WITH("Transfer-Encoding: xchunked"),
        HEAD_WITH("Transfer-Encoding: \x0b"
                  "chunked"),
        HEAD_WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        HEAD_WITH("Transfer-Encoding : chunked"),
        HEAD_WITH("Content-Length : 5"),
        HEAD_WITH("X: a\r\n b"),
        HEAD_WITH("X: a\r\n\tb"),
        HEAD_WITH(" X: a"),
        HEAD_WITH("X\x80: a"),
        HEAD_WITH(": a"),
        HEAD_WITH("X"),
        HEAD_WITH("X: a\x01"
                  "b"),
        "POST / HTTP/1.1\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\n\n",
        "POST / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "POST / HTTP/1.1\r\n\rHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: x\r\nAuthorization: y\r\n\r\n",
        CHUNKS("5\nhello\r\n0\r\n\r\n"),
        CHUNKS("5\r\nhello\n0\r\n\r\n"),
        CHUNKS("5\r\nhello0\r\n\r\n"),
        CHUNKS("5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
        CHUNKS("5\r\nhello\r\n0\r\n\rX"),
        CHUNKS("5\r\nhello\r\n0\n\n"),
        CHUNKS("0x5\r\nhello\r\n0\r\n\r\n"),
        CHUNKS("-1\r\n"),
        CHUNKS(" 5\r\nhello\r\n"),
        CHUNKS("5 \r\nhello\r\n"),
        CHUNKS("\r\nhello\r\n"),
        CHUNKS("5;a=\nb\r\nhello\r\n"),
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        check_refused(CASES[i], strlen(CASES[i]), 400);
    check_refused("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29, 400);
}
END_TEST

START_TEST(broken_request_lines_are_refused)
{
    static const struct {
        const char *text;
        unsigned status;
    } CASES[] = {
        {"\x16\x03\x01\x02", 400}, /* TLS on the plain port, told at its first byte */
        {"GET\r\n\r\n", 400},
        {"GET /\r\n\r\n", 400},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
        {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET http://u@h/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
        {"GET / HTTP/11\r\nHost: a\r\n\r\n", 505},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        {"FROB / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: magic\r\n\r\n", 417},
        {"\r\n\r\n\r\n\r\n", 400},
    };

    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        check_refused(CASES[i].text, strlen(CASES[i].text), CASES[i].status);
}
END_TEST

static size_t put_start(char *out, const char *text)
{
    memcpy(out, text, strlen(text) + 1);
    return strlen(text);
}

START_TEST(limits_hold_to_the_byte)
{
    static char text[HTTP1_HEAD_BYTES_MAX + 200];
    struct http1__message *m;
    size_t len, n;

    check_refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n", 49, 413);
    check_refused(CHUNKS("41\r\n"), strlen(CHUNKS("41\r\n")), 413);
    check_refused(CHUNKS("fffffffff\r\n"), strlen(CHUNKS("fffffffff\r\n")), 413);
    n = put_start(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset(text + n, 'v', sizeof(text) - n);
    memcpy(text + HTTP1_HEAD_BYTES_MAX - 4, "\r\n\r\n", 5);
    m = parse_good(text);
    http1__message_free(m);
    memset(text + HTTP1_HEAD_BYTES_MAX - 4, 'v', 4);
    memcpy(text + HTTP1_HEAD_BYTES_MAX - 3, "\r\n\r\n", 5);
    check_refused(text, strlen(text), 431);
    n = put_start(text, "GET /");
    memset(text + n, 'v', sizeof(text) - n);
    check_refused(text, sizeof(text), 414);
    memcpy(text + 9000, " HTTP/1.1\r\nHost: a\r\n\r\n", 23);
    check_refused(text, strlen(text), 414);
    len = put_start(text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (unsigned i = 1; i < HTTP1_HEADERS_MAX; i++)
        len += (size_t)snprintf(text + len, 16, "a: b\r\n");
    memcpy(text + len, "\r\n", 3);
    m = parse_good(text);
    ck_assert_uint_eq(m->request.header_count, HTTP1_HEADERS_MAX);
    http1__message_free(m);
    memcpy(text + len, "a: b\r\n\r\n", 9);
    check_refused(text, strlen(text), 431);
}
END_TEST

START_TEST(continue_is_asked_for_once_and_only_with_a_body)
{
    static const char HEAD[] =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
    struct http1__parser parser;
    struct http1__message *m;
    size_t used;

    http1__parser_init(&parser, BODY_MAX);
    ck_assert_int_eq(http1__parse(&parser, slice_of(HEAD), &used), HTTP1_CONTINUE);
    ck_assert_uint_eq(used, sizeof(HEAD) - 1);
    ck_assert_int_eq(http1__parse(&parser, slice_of("o"), &used), HTTP1_MORE);
    ck_assert_int_eq(http1__parse(&parser, slice_of("kGET"), &used), HTTP1_REQUEST);
    ck_assert_uint_eq(used, 1);
    m = http1__parser_take(&parser);
    ck_assert(slice_is(m->request.body, "ok"));
    http1__message_free(m);
    http1__parser_fini(&parser);
    m = parse_good("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
    http1__message_free(m);
}
END_TEST

START_TEST(requests_follow_each_other)
{
    static const char TEXT[] =
        "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        "GET /4 HTTP/1.1\r\nHost: a\r\n\r\n";
    struct http1__parser parser;
    size_t pos = 0, used;

    http1__parser_init(&parser, BODY_MAX);
    for (char n = '1'; n <= '4'; n++) {
        struct http1__message *m;

        ck_assert_int_eq(feed(&parser, TEXT + pos, sizeof(TEXT) - 1 - pos, 7, &used),
                         HTTP1_REQUEST);
        pos += used;
        m = http1__parser_take(&parser);
        ck_assert_int_eq(m->request.path[1], n);
        http1__message_free(m);
    }
    ck_assert_uint_eq(pos, sizeof(TEXT) - 1);
    http1__parser_fini(&parser);
}
END_TEST

TCase *parser_case(void)
{
    TCase *tc = tcase_create("parser");

    tcase_add_test(tc, a_plain_request_is_read);
    tcase_add_test(tc, bodies_by_length_and_by_chunks);
    tcase_add_test(tc, keep_alive_follows_version_and_connection);
    tcase_add_test(tc, forms_of_the_target);
    tcase_add_test(tc, whatever_smuggles_is_refused);
    tcase_add_test(tc, broken_request_lines_are_refused);
    tcase_add_test(tc, limits_hold_to_the_byte);
    tcase_add_test(tc, continue_is_asked_for_once_and_only_with_a_body);
    tcase_add_test(tc, requests_follow_each_other);
    return tc;
}
