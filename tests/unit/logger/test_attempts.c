/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/attempts.h"
#include "ingest/sources.h"
#include "suites.h"

static struct attempts attempts;
static const struct id nil;

static void setup(void)
{
    attempts_init(&attempts);
}

static void teardown(void)
{
    attempts_fini(&attempts);
}

static void add_lines(struct attempt *attempt, uint64_t lsn, uint64_t first_seq)
{
    struct lines lines = {.lsn = lsn, .first_seq = first_seq, .count = 1};

    attempts_add_ref(&attempts, attempt, &lines, 100);
}

START_TEST(an_attempt_is_found_by_task_and_by_run)
{
    struct id a = sample_id(1), b = sample_id(2), run = sample_id(3);
    struct attempt *first = attempts_get(&attempts, &a, &run, 1, 1),
                   *second = attempts_get(&attempts, &a, &run, 2, 1);
    size_t n = 0;

    attempts_get(&attempts, &b, &run, 1, 1);
    ck_assert_ptr_eq(attempts_get(&attempts, &a, &run, 1, 1), first);
    ck_assert_ptr_eq(attempts_find(&attempts, &a, 2), second);
    ck_assert_ptr_null(attempts_find(&attempts, &b, 2));
    for (struct attempt *x = attempts_of_run(&attempts, &run); x; x = attempt_next_of_run(x))
        n++;
    ck_assert_uint_eq(n, 3);
    n = 0;
    for (struct attempt *x = attempts_of_task(&attempts, &a); x; x = attempt_next_of_task(x))
        n++;
    ck_assert_uint_eq(n, 2);
    ck_assert_ptr_null(attempts_of_run(&attempts, &a));
    ck_assert_uint_eq(attempts.wanted_count, 3);
}
END_TEST

START_TEST(what_the_database_says_never_lowers_what_is_known)
{
    struct id task = sample_id(1);
    struct attempt *attempt = attempts_get(&attempts, &task, &nil, 1, 1);

    attempt_unverified(attempt, 7, SAMPLE_US);
    ck_assert(attempt->known && attempt->unverified);
    ck_assert_uint_eq(attempts.wanted_count, 1);
    attempts_known(&attempts, attempt, 5, SAMPLE_US - 1);
    ck_assert(!attempt->unverified);
    ck_assert_uint_eq(attempt->last_seq, 7);
    ck_assert_int_eq(attempt->last_us, SAMPLE_US);
    ck_assert_uint_eq(attempts.wanted_count, 0);
}
END_TEST

START_TEST(stored_records_are_forgotten_up_to_the_place)
{
    struct id task = sample_id(1);
    struct attempt *attempt = attempts_get(&attempts, &task, &nil, 1, 1);

    attempts_known(&attempts, attempt, 0, INT64_MIN);
    add_lines(attempt, 100, 1);
    add_lines(attempt, 200, 2);
    attempts_stored(&attempts, 200);
    ck_assert_uint_eq(attempts.ref_count, 1);
    ck_assert_uint_eq(LIST_FIRST(&attempt->refs, struct line_ref, of_attempt)->lsn, 200);
    attempts_stored(&attempts, 201);
    ck_assert(list_empty(&attempt->refs));
}
END_TEST

START_TEST(only_attempts_that_nothing_holds_are_forgotten)
{
    struct id held = sample_id(1), pinned = sample_id(2), unknown = sample_id(3),
              doubtful = sample_id(4);
    struct attempt *attempt = attempts_get(&attempts, &held, &nil, 1, 1);

    attempts_known(&attempts, attempt, 1, 0);
    add_lines(attempt, 1, 1);
    attempt = attempts_get(&attempts, &pinned, &nil, 1, 1);
    attempts_known(&attempts, attempt, 1, 0);
    attempt_pin(&attempts, attempt);
    attempts_get(&attempts, &unknown, &nil, 1, 1);
    attempt_unverified(attempts_get(&attempts, &doubtful, &nil, 1, 1), 1, 0);
    for (uint64_t i = 0; i < ATTEMPTS_KEPT_MAX + 100; i++) {
        struct id task = sample_id(1000 + i), run = sample_id(1000000 + i / 10);
        attempts_known(&attempts, attempts_get(&attempts, &task, &run, 1, 1), 1, 0);
    }
    ck_assert_uint_eq(attempts.count, ATTEMPTS_KEPT_MAX);
    ck_assert_ptr_nonnull(attempts_find(&attempts, &held, 1));
    ck_assert_ptr_nonnull(attempts_find(&attempts, &pinned, 1));
    ck_assert_ptr_nonnull(attempts_find(&attempts, &unknown, 1));
    ck_assert_ptr_nonnull(attempts_find(&attempts, &doubtful, 1));
    struct id oldest = sample_id(1000), run = sample_id(1000000);
    ck_assert_ptr_null(attempts_find(&attempts, &oldest, 1));
    ck_assert_ptr_null(attempts_of_run(&attempts, &run));
}
END_TEST

START_TEST(closed_attempts_are_remembered_the_newest_ones)
{
    struct id task = sample_id(1), oldest = sample_id(10);

    ck_assert(!attempts_is_closed(&attempts, &task, 1));
    attempts_close(&attempts, &task, 1);
    attempts_close(&attempts, &task, 1);
    ck_assert_uint_eq(attempts.closed_count, 1);
    ck_assert(attempts_is_closed(&attempts, &task, 1));
    ck_assert(!attempts_is_closed(&attempts, &task, 2));
    for (uint64_t i = 0; i < ATTEMPTS_CLOSED_MAX + 5; i++) {
        struct id other = sample_id(10 + i);
        attempts_close(&attempts, &other, 3);
    }
    ck_assert_uint_eq(attempts.closed_count, ATTEMPTS_CLOSED_MAX);
    ck_assert(!attempts_is_closed(&attempts, &oldest, 3));
}
END_TEST

START_TEST(a_source_is_its_timeline_and_shard)
{
    struct sources sources;
    struct events events = {.lsn = 5};

    sources_init(&sources);
    struct source *source = sources_get(&sources, 1, 2);
    ck_assert_ptr_eq(sources_get(&sources, 1, 2), source);
    ck_assert_ptr_ne(sources_get(&sources, 2, 2), source);
    ck_assert_ptr_ne(sources_get(&sources, 1, 3), source);
    sources_add_ref(&sources, &events, 10);
    events.lsn = 9;
    sources_add_ref(&sources, &events, 10);
    sources_stored(&sources, 9);
    ck_assert_uint_eq(sources.ref_count, 1);
    sources_fini(&sources);
}
END_TEST

TCase *attempts_tcase(void)
{
    TCase *tcase = tcase_create("attempts");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_attempt_is_found_by_task_and_by_run);
    tcase_add_test(tcase, what_the_database_says_never_lowers_what_is_known);
    tcase_add_test(tcase, stored_records_are_forgotten_up_to_the_place);
    tcase_add_test(tcase, only_attempts_that_nothing_holds_are_forgotten);
    tcase_add_test(tcase, closed_attempts_are_remembered_the_newest_ones);
    tcase_add_test(tcase, a_source_is_its_timeline_and_shard);
    return tcase;
}
