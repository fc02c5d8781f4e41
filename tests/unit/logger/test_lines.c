/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "suites.h"

static struct buf out;
static struct id task;

static void setup(void)
{
    buf_init(&out, SIZE_MAX / 2);
    task = sample_id(1);
}

static void teardown(void)
{
    buf_fini(&out);
}

/* The texts, one after another with a bar behind each. */
static const char *joined(const struct lines *lines)
{
    static char text[4096];
    struct line_walk walk = lines_walk(lines);
    struct line line;
    size_t len = 0;

    while (lines_next(&walk, &line)) {
        memcpy(text + len, line.text.data, line.text.len);
        len += line.text.len;
        text[len++] = '|';
    }
    text[len] = 0;
    return text;
}

START_TEST(a_record_comes_back_as_it_was_put)
{
    struct lines_origin origin = sample_origin(&task);
    struct lines put, got;
    struct line line;

    origin.run = sample_id(9);
    origin.flags = LINES_LATE;
    Plankton__V1__LogBlock *block = sample_block(7, 3);
    block->step = (char *)"fetch";
    block->stream_level.data[1] = 0x41;
    lines_put_record(&out, block, &origin, &put);
    ck_assert(lines_parse_record(buf_slice(&out), 99, &got));
    ck_assert_uint_eq(got.lsn, 99);
    ck_assert(id_eq(&got.task, &task) && id_eq(&got.run, &origin.run));
    ck_assert_uint_eq(got.first_seq, 7);
    ck_assert_uint_eq(got.count, 3);
    ck_assert_int_eq(got.flags, LINES_LATE);
    ck_assert_int_eq(got.received_us, SAMPLE_US + 1000);
    ck_assert_int_eq(got.first_us, SAMPLE_US + 10);
    ck_assert_int_eq(got.last_us, SAMPLE_US + 30);
    ck_assert(slice_is(got.step, "fetch"));
    ck_assert_str_eq(joined(&got), "line 7|line 8|line 9|");
    struct line_walk walk = lines_walk(&got);
    ck_assert(lines_next(&walk, &line) && lines_next(&walk, &line));
    ck_assert_uint_eq(line.seq, 8);
    ck_assert_int_eq(line.unix_us, SAMPLE_US + 20);
    ck_assert_int_eq(line.stream_level, 0x41);
    ck_assert_str_eq(joined(&put), "line 7|line 8|line 9|");
}
END_TEST

START_TEST(lines_that_are_there_are_left_out_at_the_front)
{
    struct lines_origin origin = sample_origin(&task);
    struct lines lines;

    origin.skip = 2;
    lines_put_record(&out, sample_block(1, 4), &origin, &lines);
    ck_assert_str_eq(joined(&lines), "line 3|line 4|");
    ck_assert_uint_eq(lines.first_seq, 3);
    ck_assert_int_eq(lines.first_us, SAMPLE_US + 30);
}
END_TEST

START_TEST(skipping_later_gives_the_same_as_not_taking_them)
{
    struct lines_origin origin = sample_origin(&task);
    struct lines whole, cut;
    struct arena arena;

    arena_init(&arena, 0);
    for (uint32_t n = 0; n < 6; n++) {
        struct buf other;
        buf_init(&other, SIZE_MAX / 2);
        buf_clear(&out);
        Plankton__V1__LogBlock *block = sample_block(1, 6);
        for (size_t i = 0; i < 6; i++)
            block->stream_level.data[i] = (uint8_t)(i << 4);
        origin.skip = 0;
        lines_put_record(&out, block, &origin, &whole);
        origin.skip = n;
        lines_put_record(&other, block, &origin, &cut);
        lines_skip(&arena, &whole, n);
        ck_assert_uint_eq(whole.count, cut.count);
        ck_assert_uint_eq(whole.first_seq, cut.first_seq);
        struct line_walk a = lines_walk(&whole), b = lines_walk(&cut);
        struct line x, y;
        while (lines_next(&a, &x)) {
            ck_assert(lines_next(&b, &y));
            ck_assert_uint_eq(x.seq, y.seq);
            ck_assert_int_eq(x.unix_us, y.unix_us);
            ck_assert_int_eq(x.stream_level, y.stream_level);
            ck_assert(slice_eq(x.text, y.text));
        }
        ck_assert(!lines_next(&b, &y));
        buf_fini(&other);
    }
    arena_fini(&arena);
}
END_TEST

START_TEST(times_never_go_back_and_the_future_is_not_believed)
{
    struct lines_origin origin = sample_origin(&task);
    struct lines lines;

    origin.not_before_us = SAMPLE_US + 15;
    lines_put_record(&out, sample_block(1, 3), &origin, &lines);
    ck_assert_int_eq(lines.first_us, SAMPLE_US + 15);
    ck_assert_int_eq(lines.last_us, SAMPLE_US + 30);
    Plankton__V1__LogBlock *block = sample_block(4, 2);
    block->base_unix_us = INT64_MAX;
    lines_put_record(&out, block, &origin, &lines);
    ck_assert_int_eq(lines.first_us, origin.received_us);
    block->base_unix_us = INT64_MIN;
    lines_put_record(&out, block, &origin, &lines);
    ck_assert_int_eq(lines.last_us, origin.received_us);
}
END_TEST

START_TEST(invalid_bytes_are_replaced_in_their_own_line)
{
    static char text[] = "a\xff"
                         "b\0c\xe2\x82"
                         "\xac"
                         "ok";
    static uint32_t length[] = {3, 2, 2, 1, 2};
    struct lines_origin origin = sample_origin(&task);
    struct lines lines;

    Plankton__V1__LogBlock *block = sample_block(1, 5);
    block->text = (ProtobufCBinaryData){sizeof text - 1, (uint8_t *)text};
    block->length = length;
    ck_assert_int_eq(lines_check(block, NULL), STATUS_OK);
    lines_put_record(&out, block, &origin, &lines);
    ck_assert_str_eq(joined(&lines), "a\xef\xbf\xbd"
                                     "b|\xef\xbf\xbd"
                                     "c|\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd|ok|");
    origin.skip = 3;
    lines_put_record(&out, block, &origin, &lines);
    ck_assert_str_eq(joined(&lines), "\xef\xbf\xbd|ok|");
}
END_TEST

START_TEST(the_largest_block_fits)
{
    struct lines_origin origin = sample_origin(&task);
    Plankton__V1__LogBlock block = PLANKTON__V1__LOG_BLOCK__INIT;
    struct lines lines, got;

    block.first_seq = 1;
    block.n_length = block.n_dt_us = LOG_BLOCK_LINES_MAX;
    block.length = calloc(LOG_BLOCK_LINES_MAX, sizeof(uint32_t));
    block.dt_us = malloc(LOG_BLOCK_LINES_MAX * sizeof(uint32_t));
    memset(block.dt_us, 0xff, LOG_BLOCK_LINES_MAX * sizeof(uint32_t));
    block.stream_level = (ProtobufCBinaryData){LOG_BLOCK_LINES_MAX, calloc(LOG_BLOCK_LINES_MAX, 1)};
    block.text = (ProtobufCBinaryData){LOG_TEXT_BYTES_MAX, malloc(LOG_TEXT_BYTES_MAX)};
    memset(block.text.data, 0xff, LOG_TEXT_BYTES_MAX);
    for (size_t i = 0; i < LOG_TEXT_BYTES_MAX / LOG_LINE_BYTES_MAX; i++)
        block.length[i] = (uint32_t)LOG_LINE_BYTES_MAX;
    ck_assert_int_eq(lines_check(&block, NULL), STATUS_OK);
    lines_put_record(&out, &block, &origin, &lines);
    ck_assert_uint_le(out.len, LINES_BYTES_MAX);
    ck_assert(lines_parse_record(buf_slice(&out), 0, &got));
    ck_assert_uint_eq(got.text.len, 3 * LOG_TEXT_BYTES_MAX);
    free(block.length);
    free(block.dt_us);
    free(block.stream_level.data);
    free(block.text.data);
}
END_TEST

static const char *refused(Plankton__V1__LogBlock *block)
{
    static struct error err;

    ck_assert_int_eq(lines_check(block, &err), STATUS_INVALID_ARGUMENT);
    return err.reason;
}

START_TEST(blocks_that_do_not_add_up_are_refused)
{
    Plankton__V1__LogBlock *block = sample_block(1, 3);

    ck_assert_int_eq(lines_check(block, NULL), STATUS_OK);
    block->length[1]++;
    ck_assert_str_eq(refused(block), "BLOCK_MALFORMED");
    block->length[1]--;
    block->n_dt_us = 2;
    ck_assert_str_eq(refused(block), "BLOCK_MALFORMED");
    block->n_dt_us = 3;
    block->stream_level.len = 4;
    ck_assert_str_eq(refused(block), "BLOCK_MALFORMED");
    block = sample_block(0, 1);
    ck_assert_str_eq(refused(block), "BLOCK_MALFORMED");
    block = sample_block(INT64_MAX, 1);
    ck_assert_str_eq(refused(block), "BLOCK_MALFORMED");
    block = sample_block(1, 1);
    block->length[0] = (uint32_t)LOG_LINE_BYTES_MAX + 1;
    ck_assert_str_eq(refused(block), "LINE_TOO_LONG");
    block->text.len = LOG_TEXT_BYTES_MAX + 1;
    ck_assert_str_eq(refused(block), "BLOCK_TOO_LARGE");
}
END_TEST

START_TEST(a_chunk_gives_back_its_blocks)
{
    struct lines first = sample_lines(&out, &task, 1, 2), got = {.attempt = 1};
    uint8_t *chunk = malloc(2 * lines_chunk_bytes(&first)), *end;

    first.lsn = 5;
    end = lines_put_chunk(chunk, &first);
    first.lsn = 6;
    end = lines_put_chunk(end, &first);
    ck_assert_uint_eq((size_t)(end - chunk), 2 * lines_chunk_bytes(&first));
    struct slice rest = {(char *)chunk, (size_t)(end - chunk)};
    ck_assert(lines_next_chunk(&rest, &got));
    ck_assert_uint_eq(got.lsn, 5);
    ck_assert(lines_next_chunk(&rest, &got));
    ck_assert_uint_eq(got.lsn, 6);
    ck_assert_str_eq(joined(&got), "line 1|line 2|");
    ck_assert(!lines_next_chunk(&rest, &got));
    free(chunk);
}
END_TEST

START_TEST(a_record_cut_short_anywhere_is_none)
{
    struct lines got;

    sample_lines(&out, &task, 1, 3);
    for (size_t len = 0; len < out.len; len++)
        ck_assert(!lines_parse_record((struct slice){out.data, len}, 0, &got));
}
END_TEST

TCase *lines_tcase(void)
{
    TCase *tcase = tcase_create("lines");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_record_comes_back_as_it_was_put);
    tcase_add_test(tcase, lines_that_are_there_are_left_out_at_the_front);
    tcase_add_test(tcase, skipping_later_gives_the_same_as_not_taking_them);
    tcase_add_test(tcase, times_never_go_back_and_the_future_is_not_believed);
    tcase_add_test(tcase, invalid_bytes_are_replaced_in_their_own_line);
    tcase_add_test(tcase, the_largest_block_fits);
    tcase_add_test(tcase, blocks_that_do_not_add_up_are_refused);
    tcase_add_test(tcase, a_chunk_gives_back_its_blocks);
    tcase_add_test(tcase, a_record_cut_short_anywhere_is_none);
    return tcase;
}
