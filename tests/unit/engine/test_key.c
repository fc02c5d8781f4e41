/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

static struct bench bench;

static void setup(void)
{
    bench_init(&bench);
}

static void teardown(void)
{
    bench_fini(&bench);
}

static void answer(uint64_t read, bool found, struct id id, uint8_t digest)
{
    struct engine_command command = {.kind = ENGINE_KEY_ROW,
                                     .key_row = {.read = read, .found = found, .id = id}};

    command.key_row.digest[0] = digest;
    bench_apply(&bench, &command);
}

static void load_incomplete(void)
{
    bench_begin(&bench, &(struct engine_load_begin){.epoch = 1});
    bench_end(&bench, 0);
}

START_TEST(the_same_key_and_body_gives_the_first_task)
{
    struct id first;

    bench_load(&bench, 0, 1);
    first = bench_submit_key(&bench, "k", 1);
    bench_submit_key(&bench, "k", 1);
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards[0].keys_insert_len, 1);
    ck_assert_uint_eq(bench.batch.shards[0].tasks_insert_len, 1);
    ck_assert(id_eq(&bench_reply(&bench, 2)->id, &first));
    ck_assert(bench_reply(&bench, 2)->duplicate);
    ck_assert(!bench_reply(&bench, 1)->duplicate);
}
END_TEST

START_TEST(the_same_key_with_another_body_is_a_conflict)
{
    bench_load(&bench, 0, 1);
    bench_submit_key(&bench, "k", 1);
    bench_cut(&bench);
    bench_submit_key(&bench, "k", 2);
    bench_cut(&bench);
    ck_assert_int_eq(bench_reply(&bench, 2)->status, STATUS_ALREADY_EXISTS);
    ck_assert_str_eq(bench_reply(&bench, 2)->reason, "REQUEST_ID_CONFLICT");
    ck_assert_uint_eq(bench.batch.shards_len, 0);
}
END_TEST

START_TEST(an_unknown_key_is_looked_up_once_and_all_wait_behind_the_first)
{
    struct engine_effect *effects;
    struct id first;

    load_incomplete();
    first = bench_submit_key(&bench, "k", 1);
    bench_submit_key(&bench, "k", 1);
    effects = bench_immediate(&bench);
    ck_assert_int_eq(effects->kind, ENGINE_KEY_LOOKUP);
    ck_assert_str_eq(effects->key_lookup.key, "k");
    ck_assert_ptr_null(effects->next);
    bench_cut(&bench);
    ck_assert_ptr_null(bench_reply(&bench, 1));
    answer(effects->key_lookup.read, false, (struct id){{0}}, 0);
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards[0].tasks_insert_len, 1);
    ck_assert(id_eq(&bench_reply(&bench, 1)->id, &first));
    ck_assert(bench_reply(&bench, 2)->duplicate);
}
END_TEST

START_TEST(a_key_found_in_the_database_answers_with_its_task)
{
    struct engine_effect *effects;
    struct id old = bench_id(&bench, 0);

    load_incomplete();
    bench_submit_key(&bench, "k", 1);
    effects = bench_immediate(&bench);
    answer(effects->key_lookup.read, true, old, 1);
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards_len, 0);
    ck_assert(id_eq(&bench_reply(&bench, 1)->id, &old));
    ck_assert(bench_reply(&bench, 1)->duplicate);
    ck_assert(bench_reply(&bench, 1)->not_in_memory);
}
END_TEST

START_TEST(a_complete_set_of_hashes_spares_lookups_of_new_keys_only)
{
    uint64_t known = engine_key_hash(1, "old");

    bench_begin(&bench,
                &(struct engine_load_begin){
                    .epoch = 1, .key_hashes = &known, .key_hashes_len = 1, .keys_complete = true});
    bench_end(&bench, 0);
    bench_submit_key(&bench, "new", 1);
    ck_assert_ptr_null(bench_immediate(&bench));
    bench_submit_key(&bench, "old", 1);
    ck_assert_int_eq(bench_immediate(&bench)->kind, ENGINE_KEY_LOOKUP);
}
END_TEST

START_TEST(keys_of_two_namespaces_do_not_meet)
{
    struct engine_command command = {
        .kind = ENGINE_SUBMIT,
        .ticket = 90,
        .submit = {.namespace_id = 2, .actor = "b", .spec = bench_spec("noop"), .key = "k"}};

    bench_load(&bench, 0, 1);
    bench_submit_key(&bench, "k", 1);
    command.submit.id = bench_id(&bench, 0);
    bench_apply(&bench, &command);
    bench_cut(&bench);
    ck_assert(!bench_reply(&bench, 90)->duplicate);
    ck_assert_uint_eq(bench.batch.shards[0].keys_insert_len, 2);
}
END_TEST

Suite *key_suite(void)
{
    Suite *suite = suite_create("key");
    TCase *tcase = tcase_create("key");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_same_key_and_body_gives_the_first_task);
    tcase_add_test(tcase, the_same_key_with_another_body_is_a_conflict);
    tcase_add_test(tcase, an_unknown_key_is_looked_up_once_and_all_wait_behind_the_first);
    tcase_add_test(tcase, a_key_found_in_the_database_answers_with_its_task);
    tcase_add_test(tcase, a_complete_set_of_hashes_spares_lookups_of_new_keys_only);
    tcase_add_test(tcase, keys_of_two_namespaces_do_not_meet);
    suite_add_tcase(suite, tcase);
    return suite;
}
