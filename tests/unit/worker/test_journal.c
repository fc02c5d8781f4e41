/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "spool/journal.h"
#include "suites.h"

static struct journal *reopen(struct journal *old)
{
    struct journal *journal = NULL;
    struct error err = {0};

    journal_close(old);
    ck_assert_msg(journal_open(test_dir(), &journal, &err) == STATUS_OK, "%s", err.message);
    return journal;
}

static struct journal_entry *begin(struct journal *journal, const char *token, uint32_t attempt)
{
    struct id task = id_make(1700000000000u, 5, attempt);
    struct journal_entry *entry = NULL;

    ck_assert_int_eq(journal_begin(journal, (const uint8_t *)token, strlen(token), 5, &task,
                                   attempt, "step", &entry, NULL),
                     STATUS_OK);
    return entry;
}

static struct journal_entry *find(struct journal *journal, const char *token)
{
    return journal_find(journal, (const uint8_t *)token, strlen(token));
}

static void check_result(struct journal *journal, const char *token, const char *text)
{
    struct journal_entry *entry = find(journal, token);
    struct buf out;

    ck_assert_ptr_nonnull(entry);
    ck_assert(entry->has_result);
    buf_init(&out, JOURNAL_SEGMENT_BYTES);
    ck_assert_int_eq(journal_read_result(journal, entry, &out, NULL), STATUS_OK);
    ck_assert_str_eq(buf_cstr(&out), text);
    buf_fini(&out);
}

START_TEST(a_successor_finds_what_was_finished_and_what_was_begun)
{
    struct journal *journal = reopen(NULL);

    ck_assert_int_eq(journal_result(journal, begin(journal, "finished", 1), slice_of("its result")),
                     STATUS_OK);
    begin(journal, "begun", 7);
    journal_done(journal, begin(journal, "acknowledged", 3));
    journal = reopen(journal);
    ck_assert_uint_eq(journal_open_entries(journal), 2);
    check_result(journal, "finished", "its result");
    const struct journal_entry *begun = find(journal, "begun");
    ck_assert(!begun->has_result);
    ck_assert_uint_eq(begun->attempt, 7);
    ck_assert_uint_eq(begun->shard, 5);
    ck_assert_str_eq(begun->step, "step");
    ck_assert_ptr_null(find(journal, "acknowledged"));
    journal_done(journal, find(journal, "begun"));
    journal_done(journal, find(journal, "finished"));
    journal = reopen(journal);
    ck_assert_uint_eq(journal_open_entries(journal), 0);
    journal_close(journal);
}
END_TEST

START_TEST(a_journal_in_which_all_is_done_is_read_and_removed)
{
    struct journal *journal = reopen(NULL);

    journal_done(journal, begin(journal, "only", 1));
    uint64_t old = segments_current(journal_segments(journal));
    journal = reopen(journal);
    ck_assert_uint_eq(journal_open_entries(journal), 0);
    ck_assert_uint_gt(segments_oldest(journal_segments(journal)), old);
    journal_close(journal);
}
END_TEST

START_TEST(a_begin_is_in_the_file_at_once)
{
    struct journal *journal = reopen(NULL), *other = NULL;

    begin(journal, "token", 1);
    /* Another reader sees it while the first process has neither closed nor synced. */
    ck_assert_int_eq(journal_open(test_dir(), &other, NULL), STATUS_OK);
    ck_assert_ptr_nonnull(find(other, "token"));
    journal_close(other);
    journal_close(journal);
}
END_TEST

START_TEST(noted_log_numbers_survive)
{
    struct journal *journal = reopen(NULL);
    struct journal_entry *entry = begin(journal, "token", 1);

    journal_seq(journal, entry, 41);
    journal_seq(journal, entry, 42);
    journal = reopen(journal);
    ck_assert_uint_eq(find(journal, "token")->last_log_seq, 42);
    journal_close(journal);
}
END_TEST

START_TEST(segments_go_when_nothing_in_them_is_open)
{
    struct journal *journal = reopen(NULL);
    static char big[1 << 20];
    char token[32];

    memset(big, 'r', sizeof big - 1);
    struct journal_entry *long_lived = begin(journal, "long", 1);
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(token, sizeof token, "token %u", i);
        struct journal_entry *entry = begin(journal, token, i + 2);
        ck_assert_int_eq(journal_result(journal, entry, slice_of(big)), STATUS_OK);
        ck_assert_int_eq(segments_write(journal_segments(journal), NULL), STATUS_OK);
        journal_done(journal, entry);
    }
    /* 40 MiB went through; what stays is the first segment (the long one is in it) and the current
     * one. */
    ck_assert_uint_le(segments_bytes(journal_segments(journal)),
                      2 * JOURNAL_SEGMENT_BYTES + 2 * sizeof big);
    ck_assert_uint_eq(segments_oldest(journal_segments(journal)), long_lived->lease_segment);
    journal_done(journal, long_lived);
    ck_assert_uint_eq(segments_oldest(journal_segments(journal)),
                      segments_current(journal_segments(journal)));
    journal_close(journal);
}
END_TEST

TCase *journal_case(void)
{
    TCase *tc = tcase_create("journal");

    tcase_add_checked_fixture(tc, test_dir_make, test_dir_remove);
    tcase_add_test(tc, a_successor_finds_what_was_finished_and_what_was_begun);
    tcase_add_test(tc, a_journal_in_which_all_is_done_is_read_and_removed);
    tcase_add_test(tc, a_begin_is_in_the_file_at_once);
    tcase_add_test(tc, noted_log_numbers_survive);
    tcase_add_test(tc, segments_go_when_nothing_in_them_is_open);
    return tc;
}
