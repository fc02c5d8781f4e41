/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/shards.h"
#include "suites.h"

START_TEST(a_lease_counts_only_with_the_nonce_and_the_stream_of_now)
{
    struct shards shards;
    struct uplink first, second;

    shards_init(&shards);
    struct shard *shard = shards_get(&shards, 7);
    ck_assert_ptr_eq(shards_get(&shards, 7), shard);
    ck_assert_ptr_null(shards_find(&shards, 8));
    ck_assert(!shard_accepts(shard, NULL, 0));
    ck_assert_int_eq(shard_take(shard, 3, &first, 100, 1), TAKE_ACCEPTED);
    ck_assert(shard_accepts(shard, &first, 100));
    ck_assert(!shard_accepts(shard, &first, 101));
    ck_assert(!shard_accepts(shard, &second, 100));
    ck_assert_int_eq(shard_take(shard, 4, &second, 200, 2), TAKE_ACCEPTED);
    ck_assert(!shard_accepts(shard, &first, 100));
    ck_assert(shard_accepts(shard, &second, 200));
    shards_fini(&shards);
}
END_TEST

START_TEST(a_deposed_owner_changes_nothing)
{
    struct shards shards;
    struct uplink owner, deposed;

    shards_init(&shards);
    struct shard *shard = shards_get(&shards, 0);
    ck_assert_int_eq(shard_take(shard, 5, &owner, 100, 1), TAKE_ACCEPTED);
    ck_assert_int_eq(shard_take(shard, 4, &deposed, 200, 2), TAKE_REFUSED);
    ck_assert_uint_eq(shard->floor, 5);
    ck_assert(shard_accepts(shard, &owner, 100));
    /* The same owner again, after it has built its memory anew in the same epoch's stream. */
    ck_assert_int_eq(shard_take(shard, 5, &owner, 300, 3), TAKE_ACCEPTED);
    ck_assert(!shard_accepts(shard, &owner, 100));
    shards_fini(&shards);
}
END_TEST

START_TEST(a_lost_stream_ends_its_sessions_and_keeps_the_floor)
{
    struct shards shards;
    struct uplink lost, other;

    shards_init(&shards);
    struct shard *mine = shards_get(&shards, 1), *theirs = shards_get(&shards, 2);
    ck_assert_int_eq(shard_take(mine, 9, &lost, 100, 1), TAKE_ACCEPTED);
    ck_assert_int_eq(shard_take(theirs, 9, &other, 200, 1), TAKE_ACCEPTED);
    shards_lose(&shards, &lost);
    ck_assert(!shard_accepts(mine, &lost, 100));
    ck_assert_ptr_null(mine->uplink);
    ck_assert(shard_accepts(theirs, &other, 200));
    ck_assert_int_eq(shard_take(mine, 8, &lost, 300, 2), TAKE_REFUSED);
    shards_fini(&shards);
}
END_TEST

TCase *shards_case(void)
{
    TCase *tc = tcase_create("shards");

    tcase_add_test(tc, a_lease_counts_only_with_the_nonce_and_the_stream_of_now);
    tcase_add_test(tc, a_deposed_owner_changes_nothing);
    tcase_add_test(tc, a_lost_stream_ends_its_sessions_and_keeps_the_floor);
    return tc;
}
