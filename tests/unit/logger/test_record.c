/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/record.h"
#include "suites.h"

#define LSN UINT64_C(1000)

static struct buf out;
static size_t frame_bytes; /* of the first of three */

static void setup(void)
{
    struct id task = sample_id(1);

    buf_init(&out, SIZE_MAX / 2);
    sample_frame(&out, LSN, &task, 1, 2);
    frame_bytes = out.len;
    sample_frame(&out, LSN, &task, 3, 2);
    sample_frame(&out, LSN, &task, 5, 2);
}

static void teardown(void)
{
    buf_fini(&out);
}

static size_t count_good(struct slice data, enum frame_outcome *ret_last)
{
    uint64_t lsn = LSN, begin;
    struct slice payload;
    size_t n = 0;

    while ((*ret_last = frame_next(&data, &lsn, &begin, &payload)) == FRAME_OK)
        n++;
    return n;
}

START_TEST(frames_come_back_with_their_places)
{
    struct slice data = buf_slice(&out), payload;
    uint64_t lsn = LSN, begin;

    ck_assert_int_eq(frame_next(&data, &lsn, &begin, &payload), FRAME_OK);
    ck_assert_uint_eq(begin, LSN);
    ck_assert_uint_eq(lsn, LSN + frame_bytes);
    ck_assert_int_eq(record_type_of(payload), RECORD_LINES);
    ck_assert_int_eq(frame_next(&data, &lsn, &begin, &payload), FRAME_OK);
    ck_assert_uint_eq(begin, LSN + frame_bytes);
    ck_assert_int_eq(frame_next(&data, &lsn, &begin, &payload), FRAME_OK);
    ck_assert_int_eq(frame_next(&data, &lsn, &begin, &payload), FRAME_CUT);
}
END_TEST

START_TEST(a_torn_tail_is_seen_at_every_length)
{
    enum frame_outcome last;

    for (size_t len = 0; len < out.len; len++)
        ck_assert_uint_eq(count_good((struct slice){out.data, len}, &last), len / frame_bytes);
}
END_TEST

START_TEST(every_flipped_bit_is_seen)
{
    enum frame_outcome last;

    for (size_t bit = 0; bit < frame_bytes * 8; bit++) {
        out.data[bit / 8] ^= (char)(1 << bit % 8);
        ck_assert_uint_eq(count_good(buf_slice(&out), &last), 0);
        out.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    ck_assert_uint_eq(count_good(buf_slice(&out), &last), 3);
}
END_TEST

START_TEST(a_frame_in_another_place_is_none)
{
    struct slice data = buf_slice(&out), payload;
    uint64_t lsn = LSN + 1, begin;

    ck_assert_int_eq(frame_next(&data, &lsn, &begin, &payload), FRAME_BAD);
    ck_assert_uint_eq(lsn, LSN + 1);
    ck_assert_ptr_eq(data.data, out.data);
}
END_TEST

START_TEST(the_next_good_frame_is_found_behind_damage)
{
    out.data[20] ^= 1;
    ck_assert_uint_eq(frame_find(buf_slice(&out), LSN), frame_bytes);
    ck_assert_uint_eq(frame_find((struct slice){out.data, frame_bytes + 5}, LSN), frame_bytes + 5);
}
END_TEST

START_TEST(damage_is_voided_whatever_its_length)
{
    static const size_t lengths[] = {FRAME_BYTES_MIN,
                                     100,
                                     RECORD_BYTES_MAX,
                                     RECORD_BYTES_MAX + 1,
                                     RECORD_BYTES_MAX + FRAME_BYTES_MIN,
                                     2 * RECORD_BYTES_MAX + 3};
    enum frame_outcome last;

    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        char *data = mem_alloc(lengths[i]);
        frames_void(data, lengths[i], LSN);
        struct slice rest = {data, lengths[i]}, payload;
        uint64_t lsn = LSN, begin;
        while ((last = frame_next(&rest, &lsn, &begin, &payload)) == FRAME_OK)
            ck_assert_int_eq(record_type_of(payload), RECORD_VOID);
        ck_assert_int_eq(last, FRAME_CUT);
        ck_assert_uint_eq(rest.len, 0);
        free_ptr(&data);
    }
}
END_TEST

TCase *record_tcase(void)
{
    TCase *tcase = tcase_create("record");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, frames_come_back_with_their_places);
    tcase_add_test(tcase, a_torn_tail_is_seen_at_every_length);
    tcase_add_test(tcase, every_flipped_bit_is_seen);
    tcase_add_test(tcase, a_frame_in_another_place_is_none);
    tcase_add_test(tcase, the_next_good_frame_is_found_behind_damage);
    tcase_add_test(tcase, damage_is_voided_whatever_its_length);
    return tcase;
}
