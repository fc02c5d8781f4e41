/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/text.h"
#include "log/log.h"

#define LINE_BYTES_MAX 8192 /* a pipe takes up to 4096 in one piece, a file or terminal any */
#define VALUE_BYTES_MAX                                                                            \
    2048              /* of text before escaping; longer is cut and marked with an ellipsis */
#define TAIL_BYTES 64 /* kept free for the mark of a cut line and its end */
#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

/* Set once at start, read from any thread afterwards. */
static struct {
    const char *program;
    enum log_level level;
    bool json;
} settings = {.program = "", .level = LOG_INFO};
static atomic_uint_fast64_t dropped_lines; /* that stderr did not take; told with the next line */

struct line {
    char data[LINE_BYTES_MAX];
    size_t len;
    bool full; /* something was left out */
};

static const char *const LEVEL_NAMES[] = {"debug", "info", "warn", "error"};

void log_init(const char *program, enum log_level level, const char *format)
{
    settings.program = program;
    settings.level = level;
    settings.json = str_eq(format, "json");
}

bool log_level_from_name(const char *name, enum log_level *ret)
{
    for (unsigned i = 0; i < ARRAY_LEN(LEVEL_NAMES); i++) {
        if (str_eq(name, LEVEL_NAMES[i])) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_enabled(enum log_level level)
{
    return level >= settings.level;
}

static void put(struct line *line, const char *data, size_t len)
{
    if (line->full || len > sizeof(line->data) - TAIL_BYTES - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->data + line->len, data, len);
    line->len += len;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Bytes of the character at text, 0 when it is not well-formed UTF-8. */
static size_t character_bytes(const char *text, size_t left)
{
    for (size_t n = 1; n <= 4 && n <= left; n++) {
        if (text_is_utf8(text, n))
            return n;
    }
    return 0;
}

static void put_escaped_char(struct line *line, const char *text, size_t n)
{
    unsigned char c = (unsigned char)text[0];
    char code[8];

    if (n > 1) {
        put(line, text, n);
    } else if (c == '"' || c == '\\') {
        put(line, (char[]){'\\', (char)c}, 2);
    } else if (c == '\n') {
        put(line, "\\n", 2);
    } else if (c == '\r') {
        put(line, "\\r", 2);
    } else if (c == '\t') {
        put(line, "\\t", 2);
    } else if (c < 0x20 || c == 0x7f) {
        snprintf(code, sizeof(code), "\\u%04x", c);
        put(line, code, 6);
    } else {
        put(line, text, 1);
    }
}

static void put_quoted(struct line *line, struct slice text)
{
    size_t start = line->len, pos = 0;

    put(line, "\"", 1);
    while (pos < text.len && pos < VALUE_BYTES_MAX) {
        size_t n = character_bytes(text.data + pos, text.len - pos);

        if (n == 0)
            put(line, REPLACEMENT, sizeof(REPLACEMENT) - 1);
        else
            put_escaped_char(line, text.data + pos, n);
        pos += n ? n : 1;
    }
    if (pos < text.len)
        put(line, ELLIPSIS, sizeof(ELLIPSIS) - 1);
    put(line, "\"", 1);
    if (line->full)
        line->len = start; /* never half a string */
}

/* logfmt leaves plain words bare. */
static bool is_bare(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return text.len > 0 && text.len <= VALUE_BYTES_MAX;
}

static void put_key(struct line *line, const char *key)
{
    if (settings.json) {
        put(line, line->len > 1 ? "," : "", line->len > 1);
        put_quoted(line, slice_of(key));
        put(line, ":", 1);
    } else {
        put(line, " ", line->len > 0);
        put_text(line, key);
        put(line, "=", 1);
    }
}

/* One field in whole or, when the line is full, not at all. */
static void put_pair(struct line *line, const char *key, struct slice value, bool quoted)
{
    size_t start = line->len;

    put_key(line, key);
    if (quoted && (settings.json || !is_bare(value)))
        put_quoted(line, value);
    else
        put(line, value.data, value.len);
    if (line->full)
        line->len = start;
}

static void put_string(struct line *line, const char *key, const char *value)
{
    if (value)
        put_pair(line, key, slice_of(value), true);
    else
        put_pair(line, key, slice_of("null"), false);
}

static void put_error(struct line *line, const struct error *err)
{
    if (!err)
        return;
    put_string(line, "error", err->message);
    put_string(line, "error_status", status_name(err->status));
    if (err->reason[0])
        put_string(line, "error_reason", err->reason);
    if (err->field[0])
        put_string(line, "error_field", err->field);
}

static void put_u64(struct line *line, const char *key, uint64_t value)
{
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, value);
    put_pair(line, key, slice_of(number), false);
}

static void put_field(struct line *line, const struct log_field *field)
{
    char text[ID_TEXT_BYTES];

    switch (field->kind) {
    case LOG_KIND_STR:
        put_string(line, field->key, field->str);
        break;
    case LOG_KIND_SLICE:
        put_pair(line, field->key, field->slice, true);
        break;
    case LOG_KIND_I64:
        snprintf(text, sizeof(text), "%" PRId64, field->i64);
        put_pair(line, field->key, slice_of(text), false);
        break;
    case LOG_KIND_U64:
        put_u64(line, field->key, field->u64);
        break;
    case LOG_KIND_BOOL:
        put_pair(line, field->key, slice_of(field->u64 ? "true" : "false"), false);
        break;
    case LOG_KIND_ID:
        if (field->id)
            id_format(field->id, text);
        put_string(line, field->key, field->id ? text : NULL);
        break;
    case LOG_KIND_ERROR:
        put_error(line, field->error);
        break;
    }
}

static void put_time(struct line *line)
{
    struct timespec now;
    char text[48];

    clock_gettime(CLOCK_REALTIME, &now);
    /* Always three digits, so that lines stay aligned and sort as text. */
    text_from_unix_us((int64_t)now.tv_sec * 1000000, text, sizeof(text));
    snprintf(text + strlen(text) - 1, 8, ".%03dZ", (int)(now.tv_nsec / 1000000));
    put_string(line, "time", text);
}

/* stderr may be a pipe that nobody reads: a line is dropped rather than the program held up. */
static void emit(struct line *line, uint64_t dropped)
{
    size_t sent = 0;

    while (sent < line->len) {
        ssize_t n = write(STDERR_FILENO, line->data + sent, line->len - sent);

        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno != EINTR) {
            atomic_fetch_add(&dropped_lines, dropped + 1);
            return;
        }
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
    uint64_t dropped = atomic_exchange(&dropped_lines, 0);
    int saved_errno = errno;
    struct line line;

    line.len = 0;
    line.full = false;
    if (settings.json)
        put(&line, "{", 1);
    put_time(&line);
    put_string(&line, "level", LEVEL_NAMES[level]);
    put_string(&line, "program", settings.program);
    put_string(&line, "event", event);
    if (dropped > 0)
        put_u64(&line, "lines_dropped", dropped);
    for (size_t i = 0; i < n; i++)
        put_field(&line, &fields[i]);
    if (line.full) {
        const char *mark = settings.json ? ",\"cut\":true" : " cut=true";

        memcpy(line.data + line.len, mark, strlen(mark)); /* within TAIL_BYTES */
        line.len += strlen(mark);
    }
    if (settings.json)
        line.data[line.len++] = '}';
    line.data[line.len++] = '\n';
    emit(&line, dropped);
    errno = saved_errno;
}
