/* SPDX-License-Identifier: Apache-2.0 */
/* Packed columns: what is written is read back, and events are what protobuf makes of them. */
#include <check.h>
#include <stdlib.h>
#include "plankton/v1/event.pb-c.h"
#include "store_internal.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

static struct id id_of(uint8_t byte)
{
    struct id id;

    memset(id.bytes, byte, sizeof id.bytes);
    return id;
}

static struct engine_event full_event(void)
{
    return (struct engine_event){.number = UINT64_MAX,
                                 .at_us = INT64_C(1700000000000000),
                                 .kind = ENGINE_EVENT_TASK_FINISHED,
                                 .namespace_id = 300,
                                 .task = id_of(1),
                                 .run = id_of(2),
                                 .worker = id_of(3),
                                 .step = "score",
                                 .attempt = 128,
                                 .actor = "ann",
                                 .reason = "because \xc3\xa4",
                                 .state = 5,
                                 .failure_code = "BAD",
                                 .failure_message = "no",
                                 .due_us = -1,
                                 .type = "shell",
                                 .last_log_seq = 1 << 20,
                                 .result = slice_of("{\"a\":1}")};
}

static struct engine_event empty_event(void)
{
    return (struct engine_event){.number = 1,
                                 .step = "",
                                 .actor = "",
                                 .reason = "",
                                 .failure_code = "",
                                 .failure_message = "",
                                 .type = ""};
}

static void assert_id(const ProtobufCBinaryData *data, const struct id *id)
{
    ck_assert_uint_eq(data->len, id_is_nil(id) ? 0 : ID_BYTES);
    if (data->len > 0)
        ck_assert_mem_eq(data->data, id->bytes, data->len);
}

static void assert_event(const Plankton__V1__Event *got, const struct engine_event *event)
{
    ck_assert_uint_eq(got->number, event->number);
    ck_assert_int_eq(got->unix_us, event->at_us);
    ck_assert_uint_eq(got->kind, event->kind);
    ck_assert_uint_eq(got->namespace_id, event->namespace_id);
    assert_id(&got->task_id, &event->task);
    assert_id(&got->run_id, &event->run);
    assert_id(&got->worker_id, &event->worker);
    ck_assert_str_eq(got->step, event->step);
    ck_assert_uint_eq(got->attempt, event->attempt);
    ck_assert_str_eq(got->actor, event->actor);
    ck_assert_str_eq(got->reason, event->reason);
    ck_assert_uint_eq(got->state, event->state);
    ck_assert_str_eq(got->failure_code, event->failure_code);
    ck_assert_str_eq(got->failure_message, event->failure_message);
    ck_assert_int_eq(got->due_unix_us, event->due_us);
    ck_assert_str_eq(got->type, event->type);
    ck_assert_uint_eq(got->last_log_seq, event->last_log_seq);
    ck_assert_uint_eq(strlen(got->result), event->result.len);
    if (event->result.len > 0)
        ck_assert_mem_eq(got->result, event->result.data, event->result.len);
}

START_TEST(events_are_read_by_protobuf_as_they_are)
{
    struct engine_event events[] = {full_event(), empty_event(), full_event()};
    struct slice packed;
    Plankton__V1__EventBatch *batch;

    events[2].result = (struct slice){arena_zalloc(&arena, 100000), 100000};
    memset((char *)events[2].result.data, 'x', events[2].result.len);
    packed = encode_events(&arena, events, 3);
    batch = plankton__v1__event_batch__unpack(NULL, packed.len, (const uint8_t *)packed.data);
    ck_assert_ptr_nonnull(batch);
    ck_assert_uint_eq(batch->n_events, 3);
    for (int i = 0; i < 3; i++)
        assert_event(batch->events[i], &events[i]);
    /* not a byte more than protobuf would write */
    ck_assert_uint_eq(plankton__v1__event_batch__get_packed_size(batch), packed.len);
    plankton__v1__event_batch__free_unpacked(batch, NULL);
}
END_TEST

START_TEST(no_events_are_an_empty_batch)
{
    ck_assert_uint_eq(encode_events(&arena, NULL, 0).len, 0);
}
END_TEST

START_TEST(leases_come_back_as_they_were)
{
    struct engine_lease leases[] = {
        {id_of(1), 1, id_of(2), INT64_C(1700000000000001), 7, UINT64_MAX},
        {id_of(3), UINT32_MAX, id_of(4), 0, UINT32_MAX, 9}};
    struct slice packed = encode_leases(&arena, leases, 2);
    struct engine_lease *out;

    ck_assert_uint_eq(packed.len, 2 * LEASE_BYTES);
    ck_assert_uint_eq(decode_leases(&arena, packed, &out), 2);
    for (int i = 0; i < 2; i++) {
        ck_assert(id_eq(&out[i].task, &leases[i].task));
        ck_assert(id_eq(&out[i].worker, &leases[i].worker));
        ck_assert_uint_eq(out[i].attempt, leases[i].attempt);
        ck_assert_int_eq(out[i].started_us, leases[i].started_us);
        ck_assert_uint_eq(out[i].epoch, leases[i].epoch);
        ck_assert_uint_eq(out[i].seq, leases[i].seq);
    }
    ck_assert_uint_eq(decode_leases(&arena, (struct slice){0}, &out), 0);
}
END_TEST

START_TEST(counts_come_back_and_nothing_is_nothing)
{
    struct engine_counts counts = {.total = 70000}, out;

    for (uint32_t i = 0; i < ENGINE_TASK_STATES; i++)
        counts.by_state[i] = i * 1000;
    decode_counts(encode_counts(&arena, &counts), &out);
    ck_assert_mem_eq(&out, &counts, sizeof out);
    decode_counts((struct slice){0}, &out);
    ck_assert_uint_eq(out.total, 0);
}
END_TEST

START_TEST(bounds_hold_all_ids_of_a_run)
{
    struct id run = id_make(1700000000000, 5, 77), step = id_derive(&run, "s", 3), low, high;

    id_bounds(&run, &low, &high);
    ck_assert_int_lt(id_cmp(&low, &step), 0);
    ck_assert_int_gt(id_cmp(&high, &step), 0);
    struct id other = id_make(1700000000000, 6, 0);
    ck_assert_int_lt(id_cmp(&high, &other), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("encode");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, events_are_read_by_protobuf_as_they_are);
    tcase_add_test(tcase, no_events_are_an_empty_batch);
    tcase_add_test(tcase, leases_come_back_as_they_were);
    tcase_add_test(tcase, counts_come_back_and_nothing_is_nothing);
    tcase_add_test(tcase, bounds_hold_all_ids_of_a_run);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
