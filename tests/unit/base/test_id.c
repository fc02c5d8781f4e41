/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/id.h"
#include "suites.h"

START_TEST(id_carries_time_and_shard)
{
    for (unsigned shard = 0; shard < SHARDS_MAX; shard += 5) {
        struct id id = id_make(0x0123456789abu, (uint16_t)shard, ~UINT64_C(0));

        ck_assert_uint_eq(id_shard(&id), shard);
        ck_assert_uint_eq(id_unix_ms(&id), 0x0123456789abu);
        ck_assert_uint_eq(id.bytes[6] >> 4, 7);
        ck_assert_uint_eq(id.bytes[8] >> 6, 2);
    }
}
END_TEST

START_TEST(text_form_is_canonical_and_comes_back)
{
    struct id id = id_make(0x017f22e279b0u, 0xcc3, 0x18c4dc0c0c07398fu), again;
    char text[ID_TEXT_BYTES];

    id_format(&id, text);
    ck_assert_str_eq(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"); /* RFC 9562, A.6 */
    ck_assert(id_parse(text, &again));
    ck_assert(id_eq(&id, &again));
    ck_assert(id_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", &again));
    ck_assert(id_eq(&id, &again));
}
END_TEST

START_TEST(anything_else_is_refused)
{
    static const char *const BAD[] = {
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f",
        "017f22e2x79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
        "017f22e279b07cc398c4dc0c0c07398fabcd",
        "-17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    };
    struct id id = {{1}};

    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        ck_assert_msg(!id_parse(BAD[i], &id), "%s", BAD[i]);
    ck_assert(!id_parse(NULL, &id));
    ck_assert_uint_eq(id.bytes[0], 1); /* untouched */
}
END_TEST

START_TEST(derived_ids_are_stable_distinct_and_near_their_parent)
{
    struct id parent = id_make(1700000000000u, 9, 77), other = id_make(1700000000000u, 9, 78);
    struct id a = id_derive(&parent, "fetch", 0), again = id_derive(&parent, "fetch", 0);
    struct id b = id_derive(&parent, "fetch", 1), c = id_derive(&parent, "score", 0);
    struct id d = id_derive(&other, "fetch", 0);
    char text[ID_TEXT_BYTES];

    ck_assert(id_eq(&a, &again));
    ck_assert(!id_eq(&a, &b) && !id_eq(&a, &c) && !id_eq(&a, &d) && !id_eq(&a, &parent));
    ck_assert_uint_eq(id_shard(&a), 9);
    ck_assert_uint_eq(id_unix_ms(&b), 1700000000000u);
    /* Stored data depends on it: this value may never change. */
    id_format(&a, text);
    ck_assert_str_eq(text, "018bcfe5-6800-7009-8385-3cbd0c5015ca");
}
END_TEST

START_TEST(order_is_by_time_and_nil_is_nil)
{
    struct id early = id_make(1, 4095, ~UINT64_C(0)), late = id_make(2, 0, 0), nil = {{0}};

    ck_assert_int_lt(id_cmp(&early, &late), 0);
    ck_assert(id_is_nil(&nil) && !id_is_nil(&late));
    ck_assert_uint_ne(id_hash(&early), id_hash(&late));
}
END_TEST

START_TEST(hash_spreads_ids_of_one_millisecond)
{
    unsigned slots[64] = {0};

    for (uint64_t i = 0; i < 6400; i++) {
        struct id id = id_make(1700000000000u, 3, i);

        slots[id_hash(&id) % 64]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        ck_assert_uint_gt(slots[i], 50);
        ck_assert_uint_lt(slots[i], 150);
    }
}
END_TEST

TCase *id_case(void)
{
    TCase *tc = tcase_create("id");

    tcase_add_test(tc, id_carries_time_and_shard);
    tcase_add_test(tc, text_form_is_canonical_and_comes_back);
    tcase_add_test(tc, anything_else_is_refused);
    tcase_add_test(tc, derived_ids_are_stable_distinct_and_near_their_parent);
    tcase_add_test(tc, order_is_by_time_and_nil_is_nil);
    tcase_add_test(tc, hash_spreads_ids_of_one_millisecond);
    return tc;
}
