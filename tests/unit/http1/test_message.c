/* SPDX-License-Identifier: Apache-2.0 */
#include "parser.h"
#include "suites.h"

START_TEST(escapes_are_read_strictly)
{
    struct arena arena;
    struct slice out;

    arena_init(&arena, 0);
    ck_assert(http1_unescape(&arena, slice_of("/a%20b%2Fc%c3%a9+"), &out));
    ck_assert(slice_is(out, "/a b/c\xc3\xa9+"));
    ck_assert(http1_unescape(&arena, slice_of(""), &out) && out.len == 0);
    ck_assert(!http1_unescape(&arena, slice_of("%"), &out));
    ck_assert(!http1_unescape(&arena, slice_of("a%2"), &out));
    ck_assert(!http1_unescape(&arena, slice_of("%zz"), &out));
    ck_assert(http1_unescape(&arena, slice_of("%00"), &out) && out.len == 1);
    arena_fini(&arena);
}
END_TEST

START_TEST(query_gives_pairs_in_order)
{
    struct arena arena;
    struct http1_request request = {.arena = &arena, .query = "a=1&&b=x+y%26z&c&=d"};
    static const char *const WANT[][2] = {{"a", "1"}, {"b", "x y&z"}, {"c", ""}, {"", "d"}};
    struct slice name, value;
    size_t pos = 0;

    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(WANT); i++) {
        ck_assert(http1_query_next(&request, &pos, &name, &value));
        ck_assert(slice_is(name, WANT[i][0]) && slice_is(value, WANT[i][1]));
    }
    ck_assert(!http1_query_next(&request, &pos, &name, &value));
    ck_assert_uint_ne(pos, SIZE_MAX);
    request.query = "ok=1&bad=%g";
    pos = 0;
    ck_assert(http1_query_next(&request, &pos, &name, &value));
    ck_assert(!http1_query_next(&request, &pos, &name, &value));
    ck_assert_uint_eq(pos, SIZE_MAX);
    arena_fini(&arena);
}
END_TEST

static enum status put_one(struct buf *out, const char *name, size_t name_len, const char *value,
                           size_t value_len)
{
    struct http1_header header = {{name, name_len}, {value, value_len}};
    struct http1__response_head head = {.status = 200, .headers = &header, .header_count = 1};

    buf_clear(out);
    return http1__put_response_head(out, &head);
}

START_TEST(headers_cannot_be_injected)
{
    static const char *const BAD_VALUES[] = {"a\r\nX: y", "a\nX: y", "a\rb", "\x01", "a\x7f"};
    static const char *const BAD_NAMES[] = {
        "", "a b", "a:", "a\r\nb", "\xc3\xa9", "Content-Length", "transfer-encoding", "CONNECTION"};
    struct buf out;

    buf_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_LEN(BAD_VALUES); i++)
        ck_assert_int_eq(put_one(&out, "X", 1, BAD_VALUES[i], strlen(BAD_VALUES[i])),
                         STATUS_INVALID_ARGUMENT);
    for (size_t i = 0; i < ARRAY_LEN(BAD_NAMES); i++)
        ck_assert_int_eq(put_one(&out, BAD_NAMES[i], strlen(BAD_NAMES[i]), "v", 1),
                         STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(put_one(&out, "X", 1, "a\0b", 3), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(put_one(&out, "X", 1, "caf\xc3\xa9\tok", 8), STATUS_OK);
    ck_assert_str_eq(buf_cstr(&out), "HTTP/1.1 200 OK\r\nX: caf\xc3\xa9\tok\r\n\r\n");
    buf_fini(&out);
    buf_init(&out, 20);
    ck_assert_int_eq(put_one(&out, "X", 1, "too long for it", 15), STATUS_RESOURCE_EXHAUSTED);
    buf_fini(&out);
}
END_TEST

START_TEST(date_has_the_fixed_form)
{
    char date[32];

    http1__format_date(784111777, date); /* RFC 9110, 5.6.7 */
    ck_assert_str_eq(date, "Sun, 06 Nov 1994 08:49:37 GMT");
    ck_assert_str_eq(http1_reason(404), "Not Found");
    ck_assert_str_eq(http1_reason(799), "Unknown");
}
END_TEST

TCase *message_case(void)
{
    TCase *tc = tcase_create("message");

    tcase_add_test(tc, escapes_are_read_strictly);
    tcase_add_test(tc, query_gives_pairs_in_order);
    tcase_add_test(tc, headers_cannot_be_injected);
    tcase_add_test(tc, date_has_the_fixed_form);
    return tc;
}
