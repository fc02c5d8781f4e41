/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "suites.h"

START_TEST(append_stops_at_the_maximum_and_changes_nothing)
{
    struct buf buf;

    buf_init(&buf, 10);
    ck_assert_int_eq(buf_append(&buf, "12345678", 8), STATUS_OK);
    ck_assert_int_eq(buf_append(&buf, "abc", 3), STATUS_RESOURCE_EXHAUSTED);
    ck_assert_int_eq(buf_printf(&buf, "%d", 123), STATUS_RESOURCE_EXHAUSTED);
    ck_assert_uint_eq(buf.len, 8);
    ck_assert_int_eq(buf_printf(&buf, "%d", 90), STATUS_OK);
    ck_assert_str_eq(buf_cstr(&buf), "1234567890");
    ck_assert_ptr_null(buf_reserve(&buf, 1));
    ck_assert_ptr_null(buf_reserve(&buf, SIZE_MAX));
    buf_fini(&buf);
}
END_TEST

START_TEST(grows_over_many_appends)
{
    struct buf buf;

    buf_init(&buf, 1 << 20);
    for (unsigned i = 0; i < 5000; i++)
        buf_putf(&buf, "%08u", i);
    ck_assert_uint_eq(buf.len, 40000);
    ck_assert_int_eq(memcmp(buf.data + 8 * 4321, "00004321", 8), 0);
    buf_clear(&buf);
    ck_assert_str_eq(buf_cstr(&buf), "");
    buf_fini(&buf);
    buf_fini(&buf);
}
END_TEST

START_TEST(consume_drops_from_the_front)
{
    struct buf buf;

    buf_init(&buf, 100);
    buf_puts(&buf, "hello");
    buf_putc(&buf, '!');
    buf_consume(&buf, 2);
    ck_assert(slice_is(buf_slice(&buf), "llo!"));
    buf_consume(&buf, 4);
    ck_assert_uint_eq(buf.len, 0);
    buf_fini(&buf);
}
END_TEST

START_TEST(empty_buffer_has_an_empty_text)
{
    struct buf buf;

    buf_init(&buf, 0);
    ck_assert_str_eq(buf_cstr(&buf), "");
    ck_assert_int_eq(buf_append(&buf, NULL, 0), STATUS_OK);
    ck_assert_int_eq(buf_append(&buf, "a", 1), STATUS_RESOURCE_EXHAUSTED);
    buf_fini(&buf);
}
END_TEST

START_TEST(reserve_leaves_the_length_to_the_caller)
{
    struct buf buf;
    char *room;

    buf_init(&buf, 100);
    room = buf_reserve(&buf, 100);
    ck_assert_ptr_nonnull(room);
    memcpy(room, "xyz", 3);
    ck_assert_uint_eq(buf.len, 0);
    buf.len += 3;
    ck_assert_str_eq(buf_cstr(&buf), "xyz");
    buf_fini(&buf);
}
END_TEST

START_TEST(put_past_the_maximum_aborts)
{
    struct buf buf;

    buf_init(&buf, 2);
    buf_puts(&buf, "abc");
}
END_TEST

TCase *buf_case(void)
{
    TCase *tc = tcase_create("buf");
    const char *fork_mode = getenv("CK_FORK");

    tcase_add_test(tc, append_stops_at_the_maximum_and_changes_nothing);
    tcase_add_test(tc, grows_over_many_appends);
    tcase_add_test(tc, consume_drops_from_the_front);
    tcase_add_test(tc, empty_buffer_has_an_empty_text);
    tcase_add_test(tc, reserve_leaves_the_length_to_the_caller);
    if (!fork_mode || strcmp(fork_mode, "no") != 0)
        tcase_add_test_raise_signal(tc, put_past_the_maximum_aborts, SIGABRT);
    return tc;
}
