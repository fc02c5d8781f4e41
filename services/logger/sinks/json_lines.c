/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/json_lines.h"

#include <assert.h>
#include "base/text.h"
#include "ingest/bytes.h"

#define US_PER_SECOND 1000000
#define LINE_BYTES_MAX 512      /* of a line's object without step and text */
#define ESCAPED_BYTES_MAX 6     /* of one byte: \u0000 */
#define EVENT_BYTES_PER_BYTE 40 /* an event of two bytes a field, each with its key */

/* Hundreds of thousands of lines a second are written here, so each function writes at a place
 * where there is room, and returns the place behind. */

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}
#define PUT(at, literal) put((at), (literal), sizeof(literal) - 1)

static char *put_word(char *at, const char *word)
{
    return put(at, word, strlen(word));
}

static char *put_u64(char *at, uint64_t value)
{
    char digits[24], *first = digits + sizeof digits;

    do {
        *--first = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return put(at, first, (size_t)(digits + sizeof digits - first));
}

static char *put_time(char *at, struct json_clock *clock, int64_t unix_us)
{
    int64_t second = unix_us / US_PER_SECOND;
    uint32_t us = (uint32_t)(unix_us % US_PER_SECOND);
    char fraction[] = ".000000Z\"";

    if (unix_us < 0)
        return PUT(at, "null");
    if (second != clock->second || !*clock->text) {
        text_from_unix_us(second * US_PER_SECOND, clock->text, sizeof clock->text);
        clock->text[strcspn(clock->text, "Z")] = 0;
        clock->second = second;
    }
    for (int i = 6; i >= 1; i--, us /= 10)
        fraction[i] = (char)('0' + us % 10);
    *at++ = '"';
    at = put_word(at, clock->text);
    return put(at, fraction, sizeof fraction - 1);
}

static char *put_id(char *at, const uint8_t *bytes)
{
    static const char hex[] = "0123456789abcdef";

    *at++ = '"';
    for (size_t i = 0; i < ID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[bytes[i] >> 4];
        *at++ = hex[bytes[i] & 15];
    }
    *at++ = '"';
    return at;
}

static char *put_escaped(char *at, uint8_t byte)
{
    static const char hex[] = "0123456789abcdef";

    switch (byte) {
    case '"':
    case '\\':
        *at++ = '\\';
        *at++ = (char)byte;
        return at;
    case '\n':
        return PUT(at, "\\n");
    case '\t':
        return PUT(at, "\\t");
    case '\r':
        return PUT(at, "\\r");
    default:
        at = PUT(at, "\\u00");
        *at++ = hex[byte >> 4];
        *at++ = hex[byte & 15];
        return at;
    }
}

/* Does one of the eight bytes need an escape? (Exact for control characters of bytes below 0x80,
 * which is all that counts: the others are part of a character.) */
static bool is_plain(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
    uint64_t control = (word - ones * 0x20) & ~word, quote = word ^ ones * '"',
             slash = word ^ ones * '\\';

    return !((control | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & highs);
}

/* text: valid UTF-8. */
static char *put_text(char *at, struct slice text)
{
    size_t i = 0;

    *at++ = '"';
    while (i < text.len) {
        uint64_t word;
        if (text.len - i >= sizeof word) {
            memcpy(&word, text.data + i, sizeof word);
            if (is_plain(word)) {
                memcpy(at, &word, sizeof word);
                at += sizeof word;
                i += sizeof word;
                continue;
            }
        }
        uint8_t byte = (uint8_t)text.data[i++];
        if (byte < 0x20 || byte == '"' || byte == '\\')
            at = put_escaped(at, byte);
        else
            *at++ = (char)byte;
    }
    *at++ = '"';
    return at;
}

/* ---- lines ---- */

/* What is the same in every line of the block. */
static size_t common_part(const struct lines *lines, char *out)
{
    char *at = PUT(out, ",\"namespace\":");

    at = put_u64(at, lines->namespace_id);
    at = PUT(at, ",\"task\":");
    at = put_id(at, lines->task.bytes);
    if (!id_is_nil(&lines->run)) {
        at = PUT(at, ",\"run\":");
        at = put_id(at, lines->run.bytes);
    }
    if (lines->step.len) {
        at = PUT(at, ",\"step\":");
        at = put_text(at, lines->step);
    }
    at = PUT(at, ",\"attempt\":");
    at = put_u64(at, lines->attempt);
    return (size_t)(at - out);
}

static char *put_line(char *at, struct json_clock *clock, const struct line *line, uint8_t flags,
                      const char *common, size_t common_len)
{
    static const char *const streams[] = {"stdout", "stderr", "system"};
    static const char *const levels[] = {"", "debug", "info", "warn", "error"};
    size_t stream = line->stream_level & 7, level = line->stream_level >> 4;

    at = PUT(at, "{\"time\":");
    at = put_time(at, clock, line->unix_us);
    at = put(at, common, common_len);
    at = PUT(at, ",\"seq\":");
    at = put_u64(at, line->seq);
    at = PUT(at, ",\"stream\":\"");
    at = put_word(at, streams[stream < ARRAY_LEN(streams) ? stream : 0]);
    *at++ = '"';
    if (level && level < ARRAY_LEN(levels)) {
        at = PUT(at, ",\"level\":\"");
        at = put_word(at, levels[level]);
        *at++ = '"';
    }
    if (line->stream_level & 8)
        at = PUT(at, ",\"continued\":true");
    if (flags & LINES_LATE)
        at = PUT(at, ",\"late\":true");
    at = PUT(at, ",\"text\":");
    at = put_text(at, line->text);
    return PUT(at, "}\n");
}

size_t json_lines_put(struct buf *out, struct json_clock *clock, const struct lines *lines)
{
    char common[LINE_BYTES_MAX + ESCAPED_BYTES_MAX * LOG_STEP_BYTES_MAX];
    size_t common_len, n = 0;
    struct line_walk walk = lines_walk(lines);
    struct line line;

    if (lines->step.len > LOG_STEP_BYTES_MAX)
        return 0;
    for (common_len = common_part(lines, common); lines_next(&walk, &line); n++) {
        char *at =
            buf_reserve(out, LINE_BYTES_MAX + common_len + ESCAPED_BYTES_MAX * line.text.len);
        assert(at);
        out->len += (size_t)(put_line(at, clock, &line, lines->flags, common, common_len) - at);
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

static char *put_state(char *at, uint64_t kind, uint64_t state)
{
    if (kind >= FIRST_RUN_KIND)
        return put_word(at, run_states[state < ARRAY_LEN(run_states) ? state : 0]);
    return put_word(at, task_states[state < ARRAY_LEN(task_states) ? state : 0]);
}

static char *put_number(char *at, struct json_clock *clock, enum event_form form, uint64_t value,
                        uint64_t *kind)
{
    switch (form) {
    case FORM_TIME:
        return put_time(at, clock, (int64_t)value);
    case FORM_KIND:
        *kind = value;
        return put_word(at, kind_names[value < ARRAY_LEN(kind_names) ? value : 0]);
    case FORM_STATE:
        return put_state(at, *kind, value);
    default:
        return put_u64(at, value);
    }
}

static char *put_event(char *at, struct json_clock *clock, uint16_t shard, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    uint64_t kind = 0;

    at = PUT(at, "{\"shard\":");
    at = put_u64(at, shard);
    while (reader_left(&reader) && !reader.bad) {
        uint64_t tag = read_varint(&reader), field = tag >> 3, type = tag & 7;
        enum event_form form =
            field < ARRAY_LEN(event_fields) ? event_fields[field].form : FORM_NONE;
        if (type == 0) {
            uint64_t value = read_varint(&reader);
            if (form == FORM_NONE || form == FORM_ID || form == FORM_TEXT)
                continue;
            at = put_word(at, event_fields[field].key);
            at = put_number(at, clock, form, value, &kind);
        } else if (type == 2) {
            struct slice value = read_slice(&reader, (size_t)read_varint(&reader));
            bool good = form == FORM_ID ? value.len == ID_BYTES
                                        : form == FORM_TEXT && text_is_utf8(value.data, value.len);
            if (!value.len || !good)
                continue;
            at = put_word(at, event_fields[field].key);
            at = form == FORM_ID ? put_id(at, (const uint8_t *)value.data) : put_text(at, value);
        } else {
            read_slice(&reader, type == 1 ? 8 : type == 5 ? 4 : SIZE_MAX);
        }
    }
    return PUT(at, "}\n");
}

size_t json_events_put(struct buf *out, struct json_clock *clock, const struct events *events)
{
    struct slice rest = events->batch, bytes;
    size_t n = 0;

    for (; events_next_bytes(&rest, &bytes); n++) {
        char *at = buf_reserve(out, LINE_BYTES_MAX + EVENT_BYTES_PER_BYTE * bytes.len);
        assert(at);
        out->len += (size_t)(put_event(at, clock, events->shard, bytes) - at);
    }
    return n;
}
