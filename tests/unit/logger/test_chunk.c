/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/record.h"
#include "store/chunk.h"
#include "suites.h"

#define LSN UINT64_C(5000)

static struct buf out;
static struct arena arena;
static struct chunks chunks;

static void setup(void)
{
    buf_init(&out, SIZE_MAX / 2);
    arena_init(&arena, 0);
}

static void teardown(void)
{
    buf_fini(&out);
    arena_fini(&arena);
}

static void put_events(uint64_t first, size_t n, const struct id *task)
{
    struct buf batch;

    buf_init(&batch, SIZE_MAX / 2);
    sample_events(&batch, first, n, task, NULL, 1);
    struct events events = {.timeline = 9,
                            .shard = 5,
                            .first = first,
                            .count = (uint32_t)n,
                            .min = *task,
                            .max = *task,
                            .batch = buf_slice(&batch)};
    size_t head = frame_begin(&out);
    events_put_record(&out, &events);
    frame_end(&out, head);
    frames_seal(out.data + head, out.len - head, LSN + head);
    buf_fini(&batch);
}

static void build(void)
{
    ck_assert_int_eq(chunks_build(&arena, buf_slice(&out), LSN, &chunks, NULL), STATUS_OK);
}

START_TEST(lines_of_an_attempt_come_together_in_order)
{
    struct id a = sample_id(1), b = sample_id(2);
    struct lines lines = {.count = 0};
    struct slice raw;

    sample_frame(&out, LSN, &a, 1, 2);
    sample_frame(&out, LSN, &b, 1, 1);
    sample_frame(&out, LSN, &a, 3, 2);
    build();
    ck_assert_uint_eq(chunks.end, LSN + out.len);
    ck_assert_uint_eq(chunks.line_chunks, 2);
    ck_assert_uint_eq(chunks.line_count, 5);
    const struct line_chunk *chunk = chunks.lines;
    ck_assert(id_eq(&chunk->task, &a));
    ck_assert_uint_eq(chunk->first_seq, 1);
    ck_assert_uint_eq(chunk->last_seq, 4);
    ck_assert_uint_eq(chunk->lines, 4);
    ck_assert_uint_eq(chunk->first_lsn, LSN);
    ck_assert_int_eq(chunk_open(&arena, chunk->data, chunk->raw_bytes, &raw, NULL), STATUS_OK);
    ck_assert(lines_next_chunk(&raw, &lines));
    ck_assert_uint_eq(lines.first_seq, 1);
    ck_assert(lines_next_chunk(&raw, &lines));
    ck_assert_uint_eq(lines.first_seq, 3);
    ck_assert_uint_eq(lines.lsn, chunk->last_lsn);
    ck_assert(!lines_next_chunk(&raw, &lines));
}
END_TEST

START_TEST(chunks_are_cut_at_their_size)
{
    struct id task = sample_id(1);
    uint64_t next = 1;
    size_t lines = 0;

    for (int i = 0; i < 20; i++)
        sample_frame(&out, LSN, &task, 1 + 1000 * (uint64_t)i, 1000);
    build();
    ck_assert_uint_gt(chunks.line_chunks, 3);
    for (const struct line_chunk *chunk = chunks.lines; chunk; chunk = chunk->next) {
        ck_assert_uint_le(chunk->raw_bytes, CHUNK_RAW_BYTES);
        ck_assert_uint_eq(chunk->first_seq, next);
        next = chunk->last_seq + 1;
        lines += chunk->lines;
    }
    ck_assert_uint_eq(lines, 20000);
}
END_TEST

START_TEST(a_cut_record_is_left_and_damage_passed_over)
{
    struct id task = sample_id(1);

    sample_frame(&out, LSN, &task, 1, 2);
    size_t one = out.len;
    sample_frame(&out, LSN, &task, 3, 2);
    sample_frame(&out, LSN, &task, 5, 2);
    out.data[one + 30] ^= 1;
    out.len -= 3;
    build();
    ck_assert_uint_eq(chunks.line_count, 2);
    out.len += 3;
    build();
    ck_assert_uint_eq(chunks.line_count, 4);
    ck_assert_uint_eq(chunks.damaged_bytes, one);
    ck_assert_uint_eq(chunks.end, LSN + out.len);
}
END_TEST

START_TEST(events_are_sorted_by_id_and_cut_by_time)
{
    struct id early = id_make(SAMPLE_US / 1000, 5, 7),
              late = id_make(SAMPLE_US / 1000 + 10000, 5, 3);
    struct stored_event stored;
    struct event_ref event;
    struct slice raw;

    put_events(1, 1, &late);
    put_events(2, 2, &early);
    put_events(4, 1, &late);
    build();
    ck_assert_uint_eq(chunks.event_count, 4);
    ck_assert_uint_eq(chunks.event_chunks, 2);
    const struct event_chunk *chunk = chunks.events;
    ck_assert(id_eq(&chunk->min, &early) && id_eq(&chunk->max, &early));
    ck_assert(id_eq(&chunk->next->min, &late));
    ck_assert_uint_ne(chunk->part, chunk->next->part);
    ck_assert_int_eq(chunk_open(&arena, chunk->next->data, chunk->next->raw_bytes, &raw, NULL),
                     STATUS_OK);
    ck_assert(stored_event_next(&raw, &stored) && event_scan(stored.bytes, &event));
    ck_assert_uint_eq(event.number, 1);
    ck_assert(stored_event_next(&raw, &stored) && event_scan(stored.bytes, &event));
    ck_assert_uint_eq(event.number, 4);
    ck_assert_uint_eq(stored.timeline, 9);
    ck_assert_ptr_nonnull(chunks.sources);
    ck_assert_uint_eq(chunks.sources->last, 4);
    ck_assert_ptr_null(chunks.sources->next);
    struct id floor = chunk_span_floor(&early);
    ck_assert_int_le(id_cmp(&floor, &chunk->min), 0);
    ck_assert_int_gt(id_cmp(&chunk->next->min, &floor), 0);
}
END_TEST

/* A record of lines that the database could not be asked about. */
static void put_doubtful(const struct id *task, uint64_t first_seq, size_t n)
{
    struct lines_origin origin = sample_origin(task);
    struct lines lines;

    origin.flags = LINES_UNVERIFIED;
    size_t head = frame_begin(&out);
    lines_put_record(&out, sample_block(first_seq, n), &origin, &lines);
    frame_end(&out, head);
    frames_seal(out.data + head, out.len - head, LSN + head);
}

START_TEST(lines_in_doubt_are_left_out_when_they_are_stored)
{
    struct id a = sample_id(1), b = sample_id(2);

    put_doubtful(&a, 1, 3);
    put_doubtful(&a, 4, 3);
    put_doubtful(&b, 1, 2);
    build();
    ck_assert_uint_eq(chunks.doubt_count, 2);
    ck_assert_ptr_null(chunks.lines);
    for (struct chunk_doubt *doubt = chunks.doubts; doubt; doubt = doubt->next)
        doubt->last_seq = id_eq(&doubt->task, &a) ? 5 : 2;
    ck_assert_int_eq(chunks_rebuild(&arena, buf_slice(&out), LSN, &chunks, NULL), STATUS_OK);
    ck_assert_uint_eq(chunks.line_count, 1);
    ck_assert_uint_eq(chunks.lines->first_seq, 6);
    ck_assert_uint_eq(chunks.lines->last_seq, 6);
    ck_assert_ptr_null(chunks.lines->next);
    ck_assert_uint_eq(chunks.end, LSN + out.len);
}
END_TEST

START_TEST(what_is_no_chunk_is_data_loss)
{
    struct slice raw;

    ck_assert_int_eq(chunk_open(&arena, slice_of("garbage"), 100, &raw, NULL), STATUS_DATA_LOSS);
    ck_assert_int_eq(chunk_open(&arena, slice_of(""), 0, &raw, NULL), STATUS_DATA_LOSS);
    ck_assert_int_eq(chunk_open(&arena, slice_of(""), CHUNK_RAW_BYTES_MAX + 1, &raw, NULL),
                     STATUS_DATA_LOSS);
}
END_TEST

START_TEST(tasks_of_a_run_lie_in_its_range)
{
    struct id run = sample_id(1), low, high;

    chunk_run_range(&run, &low, &high);
    for (uint64_t i = 0; i < 100; i++) {
        struct id step = id_derive(&run, "step", i);
        ck_assert(id_cmp(&low, &step) <= 0 && id_cmp(&step, &high) <= 0);
        struct id floor = chunk_span_floor(&low);
        ck_assert(id_cmp(&floor, &step) <= 0);
    }
    struct id other = id_make(SAMPLE_US / 1000, 6, 1);
    ck_assert(id_cmp(&other, &high) > 0);
}
END_TEST

TCase *chunk_tcase(void)
{
    TCase *tcase = tcase_create("chunk");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, lines_of_an_attempt_come_together_in_order);
    tcase_add_test(tcase, chunks_are_cut_at_their_size);
    tcase_add_test(tcase, a_cut_record_is_left_and_damage_passed_over);
    tcase_add_test(tcase, events_are_sorted_by_id_and_cut_by_time);
    tcase_add_test(tcase, lines_in_doubt_are_left_out_when_they_are_stored);
    tcase_add_test(tcase, what_is_no_chunk_is_data_loss);
    tcase_add_test(tcase, tasks_of_a_run_lie_in_its_range);
    return tcase;
}
