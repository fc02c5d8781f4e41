/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "ingest/record.h"
#include "plankton/v1/event.pb-c.h"
#include "suites.h"

#define SAMPLE_LINES_MAX 5000

struct id sample_id(uint64_t random)
{
    return id_make(SAMPLE_US / 1000, 5, random);
}

Plankton__V1__LogBlock *sample_block(uint64_t first_seq, size_t n)
{
    static Plankton__V1__LogBlock block;
    static char text[SAMPLE_LINES_MAX * 16];
    static uint32_t length[SAMPLE_LINES_MAX], dt_us[SAMPLE_LINES_MAX];
    static uint8_t levels[SAMPLE_LINES_MAX];

    ck_assert_uint_le(n, SAMPLE_LINES_MAX);
    plankton__v1__log_block__init(&block);
    block.first_seq = first_seq;
    block.base_unix_us = SAMPLE_US;
    block.text.data = (uint8_t *)text;
    for (size_t i = 0; i < n; i++) {
        length[i] = (uint32_t)snprintf(text + block.text.len, 16, "line %llu",
                                       (unsigned long long)(first_seq + i));
        block.text.len += length[i];
        dt_us[i] = 10;
        levels[i] = 0;
    }
    block.n_length = block.n_dt_us = block.stream_level.len = n;
    block.length = length;
    block.dt_us = dt_us;
    block.stream_level.data = levels;
    return &block;
}

struct lines_origin sample_origin(const struct id *task)
{
    return (struct lines_origin){.task = *task,
                                 .namespace_id = 1,
                                 .attempt = 1,
                                 .not_before_us = INT64_MIN,
                                 .received_us = SAMPLE_US + 1000};
}

struct lines sample_lines(struct buf *out, const struct id *task, uint64_t first_seq, size_t n)
{
    struct lines_origin origin = sample_origin(task);
    struct lines lines;

    lines_put_record(out, sample_block(first_seq, n), &origin, &lines);
    return lines;
}

void sample_events(struct buf *out, uint64_t first, size_t n, const struct id *task,
                   const struct id *run, uint32_t kind)
{
    Plankton__V1__EventBatch batch = PLANKTON__V1__EVENT_BATCH__INIT;

    for (size_t i = 0; i < n; i++) {
        Plankton__V1__Event event = PLANKTON__V1__EVENT__INIT, *events[] = {&event};
        event.number = first + i;
        event.unix_us = SAMPLE_US + (int64_t)i;
        event.kind = (Plankton__V1__EventKind)kind;
        event.namespace_id = 1;
        if (task)
            event.task_id = (ProtobufCBinaryData){ID_BYTES, (uint8_t *)task->bytes};
        if (run)
            event.run_id = (ProtobufCBinaryData){ID_BYTES, (uint8_t *)run->bytes};
        event.attempt = 1;
        event.state = 3;
        event.type = (char *)"noop";
        batch.events = events;
        batch.n_events = 1;
        size_t len = plankton__v1__event_batch__get_packed_size(&batch);
        plankton__v1__event_batch__pack(&batch, buf_reserve(out, len));
        out->len += len;
    }
}

void sample_frame(struct buf *out, uint64_t lsn, const struct id *task, uint64_t first_seq,
                  size_t n)
{
    size_t head = frame_begin(out);

    sample_lines(out, task, first_seq, n);
    frame_end(out, head);
    frames_seal(out->data + head, out->len - head, lsn + head);
}
