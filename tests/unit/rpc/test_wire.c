/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "suites.h"
#include "plankton/test/echo.pb-c.h"
#include "rpc/rpc.h"

#define BYTES(text) ((struct slice){text, sizeof(text) - 1})
#define CHECK(bytes, strict, err)                                                                  \
    rpc_wire_check(&plankton__test__echo_request__descriptor, (bytes), (strict), (err))

/* Node within Node, `levels` deep, as field 7 of EchoRequest. Written from the inside out. */
static struct slice deep_tree(size_t levels, char *room, size_t room_bytes)
{
    size_t at = room_bytes;

    for (size_t i = 0; i < levels; i++) {
        size_t len = room_bytes - at;
        uint8_t varint[10];
        size_t n = 0;
        for (; len > 0x7f; len >>= 7)
            varint[n++] = (uint8_t)(len | 0x80);
        varint[n++] = (uint8_t)len;
        at -= n;
        memcpy(room + at, varint, n);
        room[--at] = i + 1 == levels ? 0x3a : 0x0a;
    }
    return (struct slice){room + at, room_bytes - at};
}

START_TEST(nesting_is_bounded)
{
    size_t bytes = 60000;
    char *room = mem_alloc(bytes);
    struct error err = {0};

    ck_assert_int_eq(CHECK(deep_tree(31, room, bytes), false, &err), STATUS_OK);
    ck_assert_int_eq(CHECK(deep_tree(33, room, bytes), false, &err), STATUS_INTERNAL);
    ck_assert_str_eq(err.reason, "TOO_DEEP");
    ck_assert_int_eq(CHECK(deep_tree(10000, room, bytes), false, &err), STATUS_INTERNAL);
    free(room);
}
END_TEST

START_TEST(strings_must_be_utf8_without_nul)
{
    struct error err = {0};

    ck_assert_int_eq(CHECK(BYTES("\x0a\x03gr\xc3"), false, &err), STATUS_INTERNAL);
    ck_assert_str_eq(err.reason, "INVALID_UTF8");
    ck_assert_str_eq(err.field, "text");
    ck_assert_int_eq(CHECK(BYTES("\x42\x01"
                                 "a\x42\x02"
                                 "a\0"),
                           false, &err),
                     STATUS_INTERNAL);
    ck_assert_str_eq(err.reason, "NUL_IN_STRING");
    ck_assert_str_eq(err.field, "items[1]");
    /* bytes may hold anything */
    ck_assert_int_eq(CHECK(BYTES("\x12\x02\xc3\0"), true, &err), STATUS_OK);
}
END_TEST

START_TEST(unknown_fields_are_refused_only_where_asked)
{
    struct error err = {0};
    struct slice top = BYTES("\xf8\x01\x05");        /* field 31 */
    struct slice nested = BYTES("\x3a\x02\x18\x01"); /* tree.field 3 */

    ck_assert_int_eq(CHECK(top, false, &err), STATUS_OK);
    ck_assert_int_eq(CHECK(top, true, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.reason, "UNKNOWN_FIELD");
    ck_assert_msg(strstr(err.message, "31") != NULL, "%s", err.message);
    ck_assert_int_eq(CHECK(nested, true, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.field, "tree");
}
END_TEST

START_TEST(malformed_bytes_are_internal)
{
    static const struct slice cases[] = {
        BYTES("\x0a"),
        BYTES("\x0a\x05"
              "abc"),
        BYTES("\x00\x01"),
        BYTES("\x0b\x0c"),
        BYTES("\x0f"),
        BYTES("\x08\x01"), /* text as a varint */
        BYTES("\x1a\x01x\x1a"),
        BYTES("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        BYTES("\x1d\x01\x02"),
    };
    struct arena arena AUTO(arena_fini);
    struct error err = {0};
    ProtobufCMessage *message;

    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum status st = rpc_unpack(&plankton__test__echo_request__descriptor, cases[i], false,
                                    &arena, &message, &err);
        ck_assert_msg(st == STATUS_INTERNAL, "case %zu: %s", i, status_name(st));
    }
}
END_TEST

START_TEST(unpacking_cannot_take_more_memory_than_its_bound)
{
    size_t n = 500000;
    char *bytes = mem_alloc(n * 2);
    struct arena arena AUTO(arena_fini);
    struct error err = {0};
    ProtobufCMessage *message = NULL;

    /* Empty strings: 2 bytes each on the wire. */
    for (size_t i = 0; i < n; i++)
        memcpy(bytes + 2 * i, "\x42\x00", 2);
    arena_init(&arena, 0);
    enum status st = rpc_unpack(&plankton__test__echo_request__descriptor,
                                (struct slice){bytes, n * 2}, true, &arena, &message, &err);
    ck_assert_int_eq(st, STATUS_OK);
    ck_assert_uint_le(arena.used_bytes, n * 2 * 64 + 65536);
    ck_assert_uint_eq(((Plankton__Test__EchoRequest *)message)->n_items, n);
    free(bytes);
}
END_TEST

START_TEST(elements_are_counted)
{
    size_t n = 1000001;
    char *bytes = mem_alloc(n * 2);
    struct error err = {0};

    for (size_t i = 0; i < n; i++)
        memcpy(bytes + 2 * i, "\x42\x00", 2);
    ck_assert_int_eq(CHECK(((struct slice){bytes, n * 2}), false, &err), STATUS_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(err.reason, "TOO_MANY_ELEMENTS");
    free(bytes);
}
END_TEST

TCase *wire_tests(void)
{
    TCase *tc = tcase_create("wire");

    tcase_add_test(tc, nesting_is_bounded);
    tcase_add_test(tc, strings_must_be_utf8_without_nul);
    tcase_add_test(tc, unknown_fields_are_refused_only_where_asked);
    tcase_add_test(tc, malformed_bytes_are_internal);
    tcase_add_test(tc, unpacking_cannot_take_more_memory_than_its_bound);
    tcase_add_test(tc, elements_are_counted);
    return tc;
}
