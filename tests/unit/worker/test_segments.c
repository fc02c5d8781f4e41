/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>
#include "spool/segments.h"
#include "suites.h"

#define SEGMENT_BYTES 100

struct seen {
    size_t count;
    char text[64][32];
    struct segment_place place[64];
};

static void note(struct segment_place place, struct slice payload, void *userdata)
{
    struct seen *seen = userdata;

    ck_assert_uint_lt(seen->count, 64);
    snprintf(seen->text[seen->count], sizeof seen->text[0], "%.*s", (int)payload.len, payload.data);
    seen->place[seen->count++] = place;
}

static struct segments *reopen(struct segments *old, struct seen *seen)
{
    struct segments *segments = NULL;
    struct error err = {0};

    segments_close(old);
    *seen = (struct seen){0};
    ck_assert_msg(segments_open(test_dir(), "s", SEGMENT_BYTES, note, seen, &segments, &err) ==
                      STATUS_OK,
                  "%s", err.message);
    return segments;
}

static struct segment_place add(struct segments *segments, const char *text)
{
    struct segment_place place;

    ck_assert_int_eq(segments_append(segments, slice_of(text), &place), STATUS_OK);
    return place;
}

static void check_read(struct segments *segments, struct segment_place place, const char *text)
{
    struct buf out;

    buf_init(&out, 1000);
    ck_assert_int_eq(segments_read(segments, place, &out, NULL), STATUS_OK);
    ck_assert_str_eq(buf_cstr(&out), text);
    buf_fini(&out);
}

static void segment_path(uint64_t number, char out[128])
{
    snprintf(out, 128, "%s/s.%010lu", test_dir(), (unsigned long)number);
}

START_TEST(records_come_back_in_order_over_segments_and_restarts)
{
    struct seen seen;
    struct segments *segments = reopen(NULL, &seen);
    struct segment_place places[20];
    char text[32];

    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "record %d", i);
        places[i] = add(segments, text);
        ck_assert_int_eq(segments_write(segments, NULL), STATUS_OK);
    }
    ck_assert_uint_gt(places[19].segment, places[0].segment);
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "record %d", i);
        check_read(segments, places[i], text);
    }
    segments = reopen(segments, &seen);
    ck_assert_uint_eq(seen.count, 20);
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "record %d", i);
        ck_assert_str_eq(seen.text[i], text);
        ck_assert_uint_eq(seen.place[i].segment, places[i].segment);
        ck_assert_uint_eq(seen.place[i].offset, places[i].offset);
    }
    ck_assert_uint_gt(segments_current(segments), places[19].segment);
    segments_close(segments);
}
END_TEST

START_TEST(a_torn_or_damaged_tail_ends_its_segment_only)
{
    struct seen seen;
    struct segments *segments = reopen(NULL, &seen);
    char path[128];

    add(segments, "first");
    struct segment_place second = add(segments, "second");
    add(segments, "third");
    segments = reopen(segments, &seen);
    add(segments, "later");
    ck_assert_int_eq(segments_write(segments, NULL), STATUS_OK);
    segment_path(second.segment, path);
    int fd = open(path, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "X", 1, second.offset + SEGMENT_HEADER_BYTES), 1);
    close(fd);
    segments = reopen(segments, &seen);
    ck_assert_uint_eq(seen.count, 2);
    ck_assert_str_eq(seen.text[0], "first");
    ck_assert_str_eq(seen.text[1], "later");
    ck_assert_int_eq(truncate(path, 3), 0);
    segments = reopen(segments, &seen);
    ck_assert_uint_eq(seen.count, 1);
    struct buf out;
    buf_init(&out, 100);
    ck_assert_int_ne(segments_read(segments, second, &out, NULL), STATUS_OK);
    buf_fini(&out);
    segments_close(segments);
}
END_TEST

START_TEST(a_whole_segment_goes_or_is_replaced)
{
    struct seen seen;
    struct segments *segments = reopen(NULL, &seen);
    const struct slice summary = slice_of("summary");
    char path[128];

    add(segments, "old");
    uint64_t old = segments_current(segments);
    ck_assert_int_eq(segments_rotate(segments, NULL), STATUS_OK);
    add(segments, "newer");
    uint64_t newer = segments_current(segments);
    ck_assert_int_eq(segments_rotate(segments, NULL), STATUS_OK);
    ck_assert_uint_eq(segments_next(segments, old), newer);
    ck_assert_int_eq(segments_replace(segments, old, &summary, 1, NULL), STATUS_OK);
    ck_assert_int_ne(segments_replace(segments, segments_current(segments), &summary, 1, NULL),
                     STATUS_OK);
    segments_remove(segments, newer);
    segments_remove(segments, segments_current(segments));
    segment_path(newer, path);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_uint_eq(segments_bytes(segments), SEGMENT_HEADER_BYTES + summary.len);
    segments = reopen(segments, &seen);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_str_eq(seen.text[0], "summary");
    segments_close(segments);
}
END_TEST

START_TEST(unsynced_descriptors_are_handed_out_once)
{
    struct seen seen;
    struct segments *segments = reopen(NULL, &seen);
    int fds[SEGMENTS_UNSYNCED_MAX + 1];

    ck_assert_uint_eq(segments_take_unsynced(segments, fds), 0);
    add(segments, "in the first");
    ck_assert_int_eq(segments_rotate(segments, NULL), STATUS_OK);
    add(segments, "in the second");
    ck_assert_int_eq(segments_write(segments, NULL), STATUS_OK);
    ck_assert(segments_is_dirty(segments));
    ck_assert_uint_eq(segments_take_unsynced(segments, fds), 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(fdatasync(fds[i]), 0);
        close(fds[i]);
    }
    ck_assert(!segments_is_dirty(segments));
    ck_assert_uint_eq(segments_take_unsynced(segments, fds), 0);
    segments_close(segments);
}
END_TEST

START_TEST(a_failing_disk_keeps_the_records_until_it_works_again)
{
    struct seen seen;
    struct segments *segments = reopen(NULL, &seen);
    struct rlimit limit, small;
    struct error err = {0};

    add(segments, "before");
    ck_assert_int_eq(segments_write(segments, NULL), STATUS_OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 20; /* room for half of the next record */
    setrlimit(RLIMIT_FSIZE, &small);
    struct segment_place place = add(segments, "a longer record");
    ck_assert_int_ne(segments_write(segments, &err), STATUS_OK);
    ck_assert_str_ne(err.message, "");
    setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_eq(segments_write(segments, NULL), STATUS_OK);
    check_read(segments, place, "a longer record");
    segments = reopen(segments, &seen);
    ck_assert_uint_eq(seen.count, 2);
    segments_close(segments);
}
END_TEST

START_TEST(what_gathers_is_bounded)
{
    struct seen seen;
    struct segments *segments = reopen(NULL, &seen);
    static char record[SEGMENT_RECORD_BYTES_MAX + 1];
    struct segment_place place;
    struct rlimit limit, none;

    memset(record, 'x', sizeof record);
    ck_assert_int_ne(segments_append(segments, (struct slice){record, 0}, &place), STATUS_OK);
    ck_assert_int_ne(segments_append(segments, (struct slice){record, sizeof record}, &place),
                     STATUS_OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_FSIZE, &none);
    int taken = 0;
    while (taken < 100 && segments_append(segments, (struct slice){record, sizeof record - 1},
                                          &place) == STATUS_OK)
        taken++;
    ck_assert_int_eq(taken, SEGMENTS_PENDING_BYTES_MAX / SEGMENT_RECORD_BYTES_MAX - 1);
    setrlimit(RLIMIT_FSIZE, &limit);
    segments_close(segments);
}
END_TEST

TCase *segments_case(void)
{
    TCase *tc = tcase_create("segments");

    tcase_add_checked_fixture(tc, test_dir_make, test_dir_remove);
    tcase_add_test(tc, records_come_back_in_order_over_segments_and_restarts);
    tcase_add_test(tc, a_torn_or_damaged_tail_ends_its_segment_only);
    tcase_add_test(tc, a_whole_segment_goes_or_is_replaced);
    tcase_add_test(tc, unsynced_descriptors_are_handed_out_once);
    tcase_add_test(tc, a_failing_disk_keeps_the_records_until_it_works_again);
    tcase_add_test(tc, what_gathers_is_bounded);
    return tc;
}
