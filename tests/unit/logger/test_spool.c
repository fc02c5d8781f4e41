/* SPDX-License-Identifier: Apache-2.0 */
/* The spool on real files. fdatasync is this file's own: it notes how much of each file it has
 * seen, so that a test can tell whether what is called durable was synced, and fails when told to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "ingest/record.h"
#include "ingest/spool.h"
#include "suites.h"

#define LSN UINT64_C(0x1000)

static char dir[64];
static struct loop *loop;
static struct spool *spool;
static uint64_t durable_bytes, synced_bytes, records;
static unsigned syncs, troubles;
static bool sync_fails, fatal;
static uint64_t wanted; /* stop the loop at so many records */

int fdatasync(int fd)
{
    struct stat info;

    syncs++;
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    if (fstat(fd, &info) == 0)
        synced_bytes = (uint64_t)info.st_size;
    return (int)syscall(SYS_fdatasync, fd);
}

static void on_durable(struct slice frames, uint64_t lsn, void *userdata)
{
    struct slice payload;
    uint64_t begin;

    durable_bytes += frames.len;
    while (frame_next(&frames, &lsn, &begin, &payload) == FRAME_OK)
        records += record_type_of(payload) == RECORD_LINES;
    ck_assert_uint_eq(frames.len, 0);
    if (wanted && records >= wanted)
        loop_stop(loop);
}

static void on_trouble(const char *why, bool is_fatal, void *userdata)
{
    troubles += why != NULL;
    fatal = fatal || is_fatal;
    loop_stop(loop);
}

static void reopen(uint64_t segment_bytes)
{
    static const struct spool_callbacks callbacks = {.on_durable = on_durable,
                                                     .on_trouble = on_trouble};
    struct spool_options options = {.dir = dir,
                                    .segment_bytes = segment_bytes,
                                    .bytes_max = segment_bytes * 8,
                                    .first_lsn = LSN};

    spool_close(spool);
    durable_bytes = records = 0;
    ck_assert_int_eq(spool_open(loop, &options, &callbacks, NULL, &spool, NULL), STATUS_OK);
    ck_assert_int_eq(spool_replay(spool, NULL), STATUS_OK);
}

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/plankton-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    loop = loop_new();
    spool = NULL;
    sync_fails = fatal = false;
    syncs = troubles = 0;
    synced_bytes = 0;
    reopen(1 << 20);
}

static void teardown(void)
{
    char command[128];

    spool_close(spool);
    loop_free(loop);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static uint64_t append(size_t n)
{
    struct id task = sample_id(1);
    uint64_t end = 0;

    for (size_t i = 0; i < n; i++) {
        sample_lines(spool_begin(spool), &task, 11 + i % 50, 10); /* all of one size */
        end = spool_commit(spool);
    }
    return end;
}

static void wait_records(uint64_t n)
{
    wanted = n;
    loop_run(loop);
    wanted = 0;
    ck_assert_uint_ge(records, n);
}

static void file_of(uint64_t lsn, char out[128])
{
    snprintf(out, 128, "%s/%016llx.spool", dir, (unsigned long long)lsn);
}

START_TEST(what_is_durable_was_synced_and_a_flood_shares_the_sync)
{
    uint64_t end = append(1000);

    ck_assert_uint_eq(spool_durable(spool), LSN);
    ck_assert_uint_eq(spool_end(spool), end);
    wait_records(1000);
    ck_assert_uint_eq(spool_durable(spool), end);
    ck_assert_uint_ge(synced_bytes, durable_bytes);
    ck_assert_uint_eq(syncs, 1);
    end = append(1);
    wait_records(1001);
    ck_assert_uint_eq(syncs, 2);
    ck_assert_uint_eq(spool_durable(spool), end);
    ck_assert_uint_ge(synced_bytes, durable_bytes);
}
END_TEST

START_TEST(a_successor_finds_all_and_goes_on_behind_it)
{
    uint64_t end = append(10);

    wait_records(10);
    reopen(1 << 20);
    ck_assert_uint_eq(records, 10);
    ck_assert_uint_eq(spool_durable(spool), end);
    append(5);
    wait_records(15);
    reopen(1 << 20);
    ck_assert_uint_eq(records, 15);
    ck_assert_uint_eq(spool_first(spool), LSN);
}
END_TEST

START_TEST(a_torn_tail_is_cut_at_every_length)
{
    char path[128];
    uint64_t end = append(2);
    uint64_t one = (end - LSN) / 2;

    wait_records(2);
    file_of(LSN, path);
    for (uint64_t cut = one; cut < end - LSN; cut += 7) {
        reopen(1 << 20);
        ck_assert_uint_eq(records, 2);
        ck_assert_int_eq(truncate(path, (off_t)cut), 0);
        reopen(1 << 20);
        ck_assert_uint_eq(records, 1);
        ck_assert_uint_eq(spool_durable(spool), LSN + one);
        append(1);
        wait_records(2);
    }
}
END_TEST

START_TEST(damage_costs_its_own_record_alone)
{
    char path[128], byte;
    uint64_t end = append(5);
    uint64_t one = (end - LSN) / 5;

    wait_records(5);
    file_of(LSN, path);
    int fd = open(path, O_RDWR);
    ck_assert_int_eq(pread(fd, &byte, 1, (off_t)one + 50), 1);
    byte ^= 4;
    ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)one + 50), 1);
    close(fd);
    reopen(1 << 20);
    ck_assert_uint_eq(records, 4);
    ck_assert_uint_eq(spool_durable(spool), end);
    reopen(1 << 20);
    ck_assert_uint_eq(records, 4);
}
END_TEST

START_TEST(segments_are_closed_at_their_size_and_go_when_released)
{
    struct spool_range range;
    char path[128], data[64];

    reopen(1 << 12);
    for (uint64_t i = 1; i <= 30; i++) {
        append(1);
        wait_records(i);
    }
    file_of(LSN, path);
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert(spool_range(spool, LSN, sizeof data, &range));
    spool_release(spool, spool_durable(spool));
    ck_assert_int_eq(spool_range_read(&range, data, NULL), STATUS_OK);
    spool_range_done(spool, &range);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_uint_gt(spool_first(spool), LSN);
    ck_assert(spool_range(spool, LSN, sizeof data, &range));
    ck_assert_uint_eq(range.lsn, spool_first(spool));
    spool_range_done(spool, &range);
    ck_assert(!spool_range(spool, spool_durable(spool), sizeof data, &range));
    ck_assert(!spool_is_full(spool));
}
END_TEST

START_TEST(a_payload_is_read_by_its_place)
{
    struct lines lines;
    char data[4096];
    uint64_t end = append(3);
    size_t one = (size_t)((end - LSN) / 3);

    wait_records(3);
    ck_assert_int_eq(spool_read_payload(spool, LSN + 2 * one, one - FRAME_HEAD_BYTES, data, NULL),
                     STATUS_OK);
    ck_assert(lines_parse_record((struct slice){data, one - FRAME_HEAD_BYTES}, 0, &lines));
    ck_assert_uint_eq(lines.first_seq, 13);
    ck_assert_int_eq(spool_read_payload(spool, end, 10, data, NULL), STATUS_DATA_LOSS);
}
END_TEST

START_TEST(too_much_unreleased_is_full)
{
    reopen(1 << 10);
    for (uint64_t i = 1; !spool_is_full(spool); i++) {
        ck_assert_uint_lt(i, 1000);
        append(1);
        wait_records(i);
    }
    spool_release(spool, spool_durable(spool));
    ck_assert(!spool_is_full(spool));
}
END_TEST

START_TEST(after_a_failed_sync_nothing_is_called_durable)
{
    append(1);
    wait_records(1);
    uint64_t durable = spool_durable(spool);
    sync_fails = true;
    append(1);
    loop_run(loop);
    ck_assert(fatal);
    ck_assert_uint_eq(spool_durable(spool), durable);
    ck_assert(spool_is_full(spool));
}
END_TEST

START_TEST(a_failed_write_is_tried_again)
{
    char path[128];

    file_of(LSN, path);
    ck_assert_int_eq(mkdir(path, 0700), 0); /* in the way of the file */
    append(1);
    loop_run(loop);
    ck_assert_uint_eq(troubles, 1);
    ck_assert(!fatal);
    ck_assert_uint_eq(records, 0);
    ck_assert_int_eq(rmdir(path), 0);
    wait_records(1);
}
END_TEST

TCase *spool_tcase(void)
{
    TCase *tcase = tcase_create("spool");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 20);
    tcase_add_test(tcase, what_is_durable_was_synced_and_a_flood_shares_the_sync);
    tcase_add_test(tcase, a_successor_finds_all_and_goes_on_behind_it);
    tcase_add_test(tcase, a_torn_tail_is_cut_at_every_length);
    tcase_add_test(tcase, damage_costs_its_own_record_alone);
    tcase_add_test(tcase, segments_are_closed_at_their_size_and_go_when_released);
    tcase_add_test(tcase, a_payload_is_read_by_its_place);
    tcase_add_test(tcase, too_much_unreleased_is_full);
    tcase_add_test(tcase, after_a_failed_sync_nothing_is_called_durable);
    tcase_add_test(tcase, a_failed_write_is_tried_again);
    return tcase;
}
