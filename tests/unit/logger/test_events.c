/* SPDX-License-Identifier: Apache-2.0 */
#include "suites.h"

static struct buf out;

static void setup(void)
{
    buf_init(&out, SIZE_MAX / 2);
}

static void teardown(void)
{
    buf_fini(&out);
}

START_TEST(a_packed_batch_is_walked_event_by_event)
{
    struct id task = sample_id(1), run = sample_id(2);
    struct event_ref event;
    bool bad;

    sample_events(&out, 41, 2, &task, &run, 3);
    sample_events(&out, 43, 1, NULL, &run, 9);
    struct slice rest = buf_slice(&out);
    for (uint64_t number = 41; number <= 42; number++) {
        ck_assert(events_next(&rest, &event, &bad));
        ck_assert_uint_eq(event.number, number);
        ck_assert_uint_eq(event.kind, 3);
        ck_assert_uint_eq(event.attempt, 1);
        ck_assert_int_eq(event.unix_us, SAMPLE_US + (int64_t)number - 41);
        ck_assert(id_eq(event_key(&event), &task));
        ck_assert(id_eq(&event.run, &run));
    }
    ck_assert(events_next(&rest, &event, &bad));
    ck_assert(id_eq(event_key(&event), &run));
    ck_assert(!events_next(&rest, &event, &bad));
    ck_assert(!bad);
}
END_TEST

START_TEST(what_is_no_batch_is_told)
{
    struct id task = sample_id(1);
    struct event_ref event;
    bool bad;

    sample_events(&out, 1, 1, &task, NULL, 1);
    for (size_t len = 1; len < out.len; len++) {
        struct slice cut = {out.data, len};
        ck_assert(!events_next(&cut, &event, &bad));
        ck_assert(bad);
    }
    buf_clear(&out);
    sample_events(&out, 1, 1, NULL, NULL, 1);
    struct slice nobody = buf_slice(&out);
    ck_assert(!events_next(&nobody, &event, &bad));
    ck_assert_msg(bad, "an event of nothing");
    buf_clear(&out);
    sample_events(&out, 0, 1, &task, NULL, 1);
    struct slice unnumbered = buf_slice(&out);
    ck_assert(!events_next(&unnumbered, &event, &bad));
    ck_assert_msg(bad, "an event without a number");
}
END_TEST

START_TEST(records_and_stored_events_come_back)
{
    struct id task = sample_id(1);
    struct buf record;
    struct events got;

    sample_events(&out, 7, 3, &task, NULL, 1);
    struct events events = {.timeline = 9,
                            .shard = 5,
                            .first = 7,
                            .count = 3,
                            .received_us = SAMPLE_US,
                            .min = task,
                            .max = task,
                            .batch = buf_slice(&out)};
    buf_init(&record, SIZE_MAX / 2);
    events_put_record(&record, &events);
    ck_assert(events_parse_record(buf_slice(&record), 77, &got));
    ck_assert_uint_eq(got.lsn, 77);
    ck_assert_uint_eq(got.timeline, 9);
    ck_assert_uint_eq(got.shard, 5);
    ck_assert_uint_eq(got.first, 7);
    ck_assert_uint_eq(got.count, 3);
    ck_assert(slice_eq(got.batch, events.batch));
    for (size_t len = 0; len < record.len - out.len; len++)
        ck_assert(!events_parse_record((struct slice){record.data, len}, 0, &got));

    struct stored_event stored = {9, 5, SAMPLE_US, buf_slice(&out)}, back;
    uint8_t *room = mem_alloc(stored_event_bytes(&stored));
    struct slice rest = {(char *)room, (size_t)(stored_event_put(room, &stored) - room)};
    ck_assert(stored_event_next(&rest, &back));
    ck_assert_uint_eq(back.shard, 5);
    ck_assert_int_eq(back.received_us, SAMPLE_US);
    ck_assert(slice_eq(back.bytes, stored.bytes));
    ck_assert(!stored_event_next(&rest, &back));
    free_ptr(&room);
    buf_fini(&record);
}
END_TEST

TCase *events_tcase(void)
{
    TCase *tcase = tcase_create("events");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_packed_batch_is_walked_event_by_event);
    tcase_add_test(tcase, what_is_no_batch_is_told);
    tcase_add_test(tcase, records_and_stored_events_come_back);
    return tcase;
}
