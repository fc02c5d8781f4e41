/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "base/text.h"
#include "logship/lines.h"
#include "suites.h"

struct emitted {
    size_t count, len[64];
    bool continued[64];
    char *text[64];
};

static void note(struct slice text, bool continued, void *userdata)
{
    struct emitted *emitted = userdata;

    ck_assert_uint_lt(emitted->count, 64);
    ck_assert_uint_le(text.len, LINE_BYTES_MAX);
    ck_assert(text_is_utf8(text.data, text.len));
    ck_assert_ptr_null(memchr(text.data, 0, text.len));
    char *copy = mem_alloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    emitted->text[emitted->count] = copy;
    emitted->len[emitted->count] = text.len;
    emitted->continued[emitted->count++] = continued;
}

/* The lines of the input, fed in pieces of `step` bytes. */
static void split(struct emitted *emitted, const char *data, size_t len, size_t step)
{
    struct line_splitter splitter;

    *emitted = (struct emitted){0};
    line_splitter_init(&splitter, note, emitted);
    for (size_t at = 0; at < len; at += step)
        line_splitter_feed(&splitter, (struct slice){data + at, MIN_OF(step, len - at)});
    line_splitter_end(&splitter);
    line_splitter_fini(&splitter);
}

static void drop(struct emitted *emitted)
{
    for (size_t i = 0; i < emitted->count; i++)
        free(emitted->text[i]);
}

START_TEST(lines_are_the_same_however_the_bytes_come)
{
    static const char input[] = "one\n\ntwo\r\nw\xc3\xbcrz\nbad \xff\xc3 byte\nnul\0here\nlast";
    static const char *const wanted[] = {
        "one", "", "two", "w\xc3\xbcrz", "bad \xef\xbf\xbd\xef\xbf\xbd byte", "nul\xef\xbf\xbdhere",
        "last"};

    for (size_t step = 1; step <= sizeof input; step++) {
        struct emitted emitted;
        split(&emitted, input, sizeof input - 1, step);
        ck_assert_uint_eq(emitted.count, ARRAY_LEN(wanted));
        for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
            ck_assert_str_eq(emitted.text[i], wanted[i]);
            ck_assert(!emitted.continued[i]);
        }
        drop(&emitted);
    }
}
END_TEST

START_TEST(long_lines_are_split_between_characters_and_marked)
{
    size_t n =
        100000; /* of two bytes each, after one of one byte: the limit falls inside a character */
    AUTO(free_ptr) char *input = mem_alloc(2 * n + 3);
    struct emitted emitted;
    size_t total = 0;

    input[0] = 'x';
    for (size_t i = 0; i < n; i++)
        memcpy(input + 1 + 2 * i, "\xc3\xbc", 2);
    memcpy(input + 1 + 2 * n, "\ny", 2);
    for (size_t step = 1000; step < 300000; step *= 3) {
        split(&emitted, input, 2 * n + 3, step);
        ck_assert_uint_eq(emitted.count, 5);
        ck_assert_uint_eq(emitted.len[0], LINE_BYTES_MAX - 1);
        total = 0;
        for (size_t i = 0; i < 4; i++) {
            ck_assert_int_eq(emitted.continued[i], i > 0);
            total += emitted.len[i];
        }
        ck_assert_uint_eq(total, 2 * n + 1);
        ck_assert_str_eq(emitted.text[4], "y");
        ck_assert(!emitted.continued[4]);
        drop(&emitted);
    }
}
END_TEST

START_TEST(a_line_that_grows_by_repair_stays_within_the_limit)
{
    AUTO(free_ptr) char *input = mem_alloc(LINE_BYTES_MAX);
    struct emitted emitted;
    size_t total = 0;

    memset(input, 0xff, LINE_BYTES_MAX);
    split(&emitted, input, LINE_BYTES_MAX, LINE_BYTES_MAX);
    for (size_t i = 0; i < emitted.count; i++) {
        total += emitted.len[i];
        ck_assert_int_eq(emitted.continued[i], i > 0);
    }
    ck_assert_uint_eq(total, 3 * LINE_BYTES_MAX);
    drop(&emitted);
}
END_TEST

TCase *lines_case(void)
{
    TCase *tc = tcase_create("lines");

    tcase_add_test(tc, lines_are_the_same_however_the_bytes_come);
    tcase_add_test(tc, long_lines_are_split_between_characters_and_marked);
    tcase_add_test(tc, a_line_that_grows_by_repair_stays_within_the_limit);
    return tc;
}
