/* SPDX-License-Identifier: Apache-2.0 */
/* Files of Weights & Biases: what is written is read again, at every edge of a block. */
#include "sinks/wandb/wandb_body.h"
#include "sinks/wandb/wandb_metric.h"
#include "sinks/wandb/wandb_run.h"
#include "suites.h"

static struct wandb_run run;
static struct arena *arena;

static void setup(void)
{
    wandb_run_init(&run);
    arena = arena_new(0);
    wandb_run_begin(&run, &(struct wandb_info){.id = "abc",
                                               .entity = "",
                                               .project = "p",
                                               .group = "g",
                                               .job_type = "run",
                                               .display_name = "n",
                                               .host = "h",
                                               .start_us = 1000000});
}

static void teardown(void)
{
    wandb_run_fini(&run);
    arena_free(arena);
}

static void put_text(size_t len)
{
    char *text = mem_alloc(len + 1);

    memset(text, 'x', len);
    wandb_run_output(&run, 2000000, false, slice_of(""), (struct slice){text, len});
    free(text);
}

/* All records, by their numbers. */
static int64_t count_records(struct slice file, enum wandb_outcome *ret_last, uint64_t *ret_at)
{
    struct wandb_reader reader = {.data = file};
    struct slice payload;
    int64_t n = 0;

    while ((*ret_last = wandb_next(&reader, arena, &payload)) == WANDB_OK) {
        WandbInternal__Record *record =
            wandb_internal__record__unpack(NULL, payload.len, (const uint8_t *)payload.data);
        ck_assert_ptr_nonnull(record);
        ck_assert_int_eq(record->num, ++n);
        wandb_internal__record__free_unpacked(record, NULL);
    }
    *ret_at = reader.at;
    return n;
}

START_TEST(every_edge_of_a_block_is_read_again)
{
    enum wandb_outcome last;
    uint64_t at;

    /* records whose ends walk over the last bytes of a block, and such as need two and three */
    for (size_t i = 0; i < 60; i++) {
        size_t left = WANDB_BLOCK_BYTES - run.writer.bytes % WANDB_BLOCK_BYTES;
        put_text(left > 200 ? left - 60 + i : 10 + i);
        put_text(i * 1200);
    }
    struct buf *out = &run.writer.out;
    int64_t n = count_records(buf_slice(out), &last, &at);
    ck_assert_int_eq(last, WANDB_CUT);
    ck_assert_int_eq(n, run.writer.num);
    ck_assert_uint_eq(at, out->len);
    ck_assert_uint_eq(run.writer.bytes, out->len);
}
END_TEST

START_TEST(a_window_in_the_middle_is_read_like_the_whole)
{
    struct wandb_reader whole, part;
    struct slice a, b;

    for (size_t i = 0; i < 20; i++)
        put_text(i * 4000);
    whole = (struct wandb_reader){.data = buf_slice(&run.writer.out)};
    while (wandb_next(&whole, arena, &a) == WANDB_OK) {
        uint64_t base = whole.at;
        part = (struct wandb_reader){
            .data = {whole.data.data + base, whole.data.len - base}, .base = base, .at = base};
        struct wandb_reader ahead = whole;
        bool more = wandb_next(&ahead, arena, &a) == WANDB_OK;
        ck_assert_int_eq(more, wandb_next(&part, arena, &b) == WANDB_OK);
        ck_assert(!more || (slice_eq(a, b) && ahead.at == part.at));
    }
}
END_TEST

START_TEST(what_is_cut_short_or_spoiled_is_seen)
{
    enum wandb_outcome last;
    uint64_t at;

    put_text(100);
    struct slice file = buf_slice(&run.writer.out);
    for (size_t len = 0; len < file.len; len++) {
        int64_t n = count_records((struct slice){file.data, len}, &last, &at);
        ck_assert_int_eq(last, WANDB_CUT);
        ck_assert_int_lt(n, run.writer.num);
    }
    for (size_t i = 0; i < file.len; i++) {
        char was = file.data[i];
        ((char *)file.data)[i] ^= 0x20;
        ck_assert_int_lt(count_records(file, &last, &at), run.writer.num);
        ((char *)file.data)[i] = was;
    }
}
END_TEST

START_TEST(a_run_goes_on_where_its_file_ends)
{
    AUTO(json_drop) json_t *row = json_pack("{s:f, s:i}", "loss", 0.5, "n", 3);
    struct wandb_run again;

    wandb_run_history(&run, 3000000, row);
    wandb_run_history(&run, 4000000, row);
    size_t whole = run.writer.out.len;
    put_text(50000);
    wandb_run_init(&again);
    wandb_run_restore(&again, (struct slice){run.writer.out.data, whole + 20000});
    ck_assert_uint_eq(again.writer.bytes, whole);
    ck_assert_int_eq(again.step, 1);
    ck_assert_int_eq(again.start_us, 1000000);
    ck_assert_int_eq(again.writer.num, run.writer.num - 1);
    ck_assert(json_equal(json_object_get(again.summary, "loss"), json_object_get(row, "loss")));
    wandb_run_fini(&again);
}
END_TEST

START_TEST(lines_go_to_their_offsets_and_the_end_goes_alone)
{
    AUTO(json_drop) json_t *row = json_pack("{s:i}", "n", 3);
    struct wandb_position position = {0};
    struct buf body;

    buf_init(&body, WANDB_BODY_BYTES_MAX);
    wandb_run_history(&run, 3000000, row);
    put_text(3);
    wandb_run_end(&run, 5000000, 7, NULL);
    struct wandb_reader reader = {.data = buf_slice(&run.writer.out)};
    ck_assert(wandb_body_lines(&reader, &position, &body));
    ck_assert_ptr_nonnull(strstr(buf_cstr(&body), "\"wandb-history.jsonl\":{\"offset\":0"));
    ck_assert_ptr_nonnull(strstr(buf_cstr(&body), "1970-01-01T00:00:02.000000 xxx"));
    ck_assert_ptr_null(strstr(buf_cstr(&body), "complete"));
    ck_assert_uint_eq(position.history, 1);
    ck_assert_uint_eq(position.output, 1);
    buf_clear(&body);
    ck_assert(wandb_body_lines(&reader, &position, &body));
    ck_assert_str_eq(buf_cstr(&body), "{\"complete\":true,\"exitcode\":7}");
    ck_assert(position.complete);
    buf_fini(&body);
}
END_TEST

START_TEST(lines_that_are_metrics)
{
    static const struct {
        const char *text, *row; /* NULL: it is none */
    } cases[] = {
        {"{\"metric\": {\"a\": 1, \"b\": {\"c\": 2.5}}}", "{\"s/a\":1,\"s/b/c\":2.5}"},
        {"{\"metric\": {\"a\": true, \"b\": \"text\", \"_c\": 1}}", "{\"s/a\":true}"},
        {"{\"metric\": {}}", NULL},
        {"{\"metric\": 3}", NULL},
        {"{\"metric\": {\"a\": 1}", NULL},
        {"{\"message\": \"metric\"}", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(json_drop)
        json_t *row = wandb_metric_line(slice_of(cases[i].text), slice_of("s"));
        if (cases[i].row)
            ck_assert_str_eq(json_text(row, arena), cases[i].row);
        else
            ck_assert_ptr_null(row);
    }
}
END_TEST

TCase *wandb_tcase(void)
{
    TCase *tcase = tcase_create("wandb");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_edge_of_a_block_is_read_again);
    tcase_add_test(tcase, a_window_in_the_middle_is_read_like_the_whole);
    tcase_add_test(tcase, what_is_cut_short_or_spoiled_is_seen);
    tcase_add_test(tcase, a_run_goes_on_where_its_file_ends);
    tcase_add_test(tcase, lines_go_to_their_offsets_and_the_end_goes_alone);
    tcase_add_test(tcase, lines_that_are_metrics);
    return tcase;
}
