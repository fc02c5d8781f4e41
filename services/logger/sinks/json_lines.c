/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/json_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/text.h"
#include "ingest/bytes.h"
#include "json/json.h"

#define US_PER_SECOND 1000000

static void put_u64(struct buf *out, uint64_t value)
{
    char digits[24], *at = digits + sizeof digits;

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_put(out, at, (size_t)(digits + sizeof digits - at));
}

static void put_time(struct buf *out, struct json_clock *clock, int64_t unix_us)
{
    int64_t second = unix_us / US_PER_SECOND;
    uint32_t us = (uint32_t)(unix_us % US_PER_SECOND);
    char fraction[] = ".000000Z\"";

    if (unix_us < 0) {
        buf_puts(out, "null");
        return;
    }
    if (second != clock->second || !*clock->text) {
        text_from_unix_us(second * US_PER_SECOND, clock->text, sizeof clock->text);
        clock->text[strcspn(clock->text, "Z")] = 0;
        clock->second = second;
    }
    for (int i = 6; i >= 1; i--, us /= 10)
        fraction[i] = (char)('0' + us % 10);
    buf_putc(out, '"');
    buf_puts(out, clock->text);
    buf_puts(out, fraction);
}

static void put_id(struct buf *out, const void *bytes)
{
    struct id id;
    char text[ID_TEXT_BYTES];

    memcpy(id.bytes, bytes, ID_BYTES);
    id_format(&id, text);
    buf_putc(out, '"');
    buf_put(out, text, ID_TEXT_BYTES - 1);
    buf_putc(out, '"');
}

/* ---- lines ---- */

static void put_text(struct buf *out, const char *key, struct slice text)
{
    buf_puts(out, key);
    json_write_string(out, text);
}

size_t json_lines_put(struct buf *out, struct json_clock *clock, const struct lines *lines)
{
    static const char *const streams[] = {"stdout", "stderr", "system"};
    static const char *const levels[] = {"", "debug", "info", "warn", "error"};
    struct line_walk walk = lines_walk(lines);
    struct line line;
    size_t n = 0;

    for (; lines_next(&walk, &line); n++) {
        size_t stream = line.stream_level & 7, level = line.stream_level >> 4;
        buf_puts(out, "{\"time\":");
        put_time(out, clock, line.unix_us);
        buf_puts(out, ",\"namespace\":");
        put_u64(out, lines->namespace_id);
        buf_puts(out, ",\"task\":");
        put_id(out, lines->task.bytes);
        if (!id_is_nil(&lines->run)) {
            buf_puts(out, ",\"run\":");
            put_id(out, lines->run.bytes);
        }
        if (lines->step.len)
            put_text(out, ",\"step\":", lines->step);
        buf_puts(out, ",\"attempt\":");
        put_u64(out, lines->attempt);
        buf_puts(out, ",\"seq\":");
        put_u64(out, line.seq);
        put_text(out, ",\"stream\":", slice_of(streams[stream < ARRAY_LEN(streams) ? stream : 0]));
        if (level && level < ARRAY_LEN(levels))
            put_text(out, ",\"level\":", slice_of(levels[level]));
        if (line.stream_level & 8)
            buf_puts(out, ",\"continued\":true");
        if (lines->flags & LINES_LATE)
            buf_puts(out, ",\"late\":true");
        put_text(out, ",\"text\":", line.text);
        buf_puts(out, "}\n");
    }
    return n;
}

/* ---- events: straight from the wire, since unpacking each would cost more than all the rest ----
 */

enum event_form { FORM_NONE, FORM_NUMBER, FORM_TIME, FORM_KIND, FORM_ID, FORM_TEXT, FORM_STATE };
static const struct {
    const char *key;
    enum event_form form;
} event_fields[] = {
    [1] = {",\"number\":", FORM_NUMBER},
    [2] = {",\"time\":", FORM_TIME},
    [3] = {",\"event\":", FORM_KIND},
    [4] = {",\"namespace\":", FORM_NUMBER},
    [5] = {",\"task\":", FORM_ID},
    [6] = {",\"run\":", FORM_ID},
    [7] = {",\"step\":", FORM_TEXT},
    [8] = {",\"attempt\":", FORM_NUMBER},
    [9] = {",\"worker\":", FORM_ID},
    [10] = {",\"actor\":", FORM_TEXT},
    [11] = {",\"reason\":", FORM_TEXT},
    [12] = {",\"state\":", FORM_STATE},
    [13] = {",\"failureCode\":", FORM_TEXT},
    [14] = {",\"failureMessage\":", FORM_TEXT},
    [15] = {",\"due\":", FORM_TIME},
    [16] = {",\"type\":", FORM_TEXT},
    [17] = {",\"lastLogSeq\":", FORM_NUMBER},
    [18] = {",\"result\":", FORM_TEXT},
};
static const char *const kind_names[] = {
    "\"unspecified\"",   "\"task_submitted\"", "\"task_started\"",          "\"task_finished\"",
    "\"task_retrying\"", "\"attempt_closed\"", "\"task_cancel_requested\"", "\"stale_result\"",
    "\"run_started\"",   "\"run_finished\"",   "\"run_cancel_requested\"",
};
#define FIRST_RUN_KIND 8
static const char *const task_states[] = {
    "\"\"",       "\"pending\"",   "\"ready\"",   "\"running\"",  "\"succeeded\"",
    "\"failed\"", "\"cancelled\"", "\"skipped\"", "\"retrying\"", "\"waiting\""};
static const char *const run_states[] = {"\"\"",          "\"queued\"", "\"running\"",
                                         "\"succeeded\"", "\"failed\"", "\"cancelled\"",
                                         "\"paused\"",    "\"waiting\""};

static void put_number_field(struct buf *out, struct json_clock *clock, uint64_t field,
                             uint64_t value, uint64_t *kind)
{
    switch (event_fields[field].form) {
    case FORM_TIME:
        put_time(out, clock, (int64_t)value);
        break;
    case FORM_KIND:
        *kind = value;
        buf_puts(out, value < ARRAY_LEN(kind_names) ? kind_names[value] : kind_names[0]);
        break;
    case FORM_STATE:
        if (*kind >= FIRST_RUN_KIND)
            buf_puts(out, value < ARRAY_LEN(run_states) ? run_states[value] : run_states[0]);
        else
            buf_puts(out, value < ARRAY_LEN(task_states) ? task_states[value] : task_states[0]);
        break;
    default:
        put_u64(out, value);
    }
}

static void put_event(struct buf *out, struct json_clock *clock, uint16_t shard, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    uint64_t kind = 0;

    buf_puts(out, "{\"shard\":");
    put_u64(out, shard);
    while (reader_left(&reader) && !reader.bad) {
        uint64_t tag = read_varint(&reader), field = tag >> 3, type = tag & 7;
        enum event_form form =
            field < ARRAY_LEN(event_fields) ? event_fields[field].form : FORM_NONE;
        if (type == 0) {
            uint64_t value = read_varint(&reader);
            if (form == FORM_NONE || form == FORM_ID || form == FORM_TEXT)
                continue;
            buf_puts(out, event_fields[field].key);
            put_number_field(out, clock, field, value, &kind);
        } else if (type == 2) {
            struct slice value = read_slice(&reader, (size_t)read_varint(&reader));
            if (!value.len || (form != FORM_TEXT && (form != FORM_ID || value.len != ID_BYTES)))
                continue;
            buf_puts(out, event_fields[field].key);
            if (form == FORM_ID)
                put_id(out, value.data);
            else
                json_write_string(out, value);
        } else {
            read_slice(&reader, type == 1 ? 8 : type == 5 ? 4 : SIZE_MAX);
        }
    }
    buf_puts(out, "}\n");
}

size_t json_events_put(struct buf *out, struct json_clock *clock, const struct events *events)
{
    struct event_ref event;
    bool bad;
    size_t n = 0;

    for (struct slice rest = events->batch; events_next(&rest, &event, &bad); n++)
        put_event(out, clock, events->shard, event.bytes);
    return n;
}
