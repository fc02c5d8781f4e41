/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "logship/lines.h"

static const char REPLACEMENT[] = "\xef\xbf\xbd";
#define REPLACEMENT_BYTES 3
#define CHARACTER_BYTES_MAX 4

void line_splitter_init(struct line_splitter *splitter, line_fn emit, void *userdata)
{
    *splitter = (struct line_splitter){.emit = emit, .userdata = userdata};
    buf_init(&splitter->partial, LINE_BYTES_MAX);
}

/* Bytes of the valid character at text, or 0. NUL counts as invalid. */
static size_t character_bytes(const char *text, size_t len)
{
    unsigned char lead = (unsigned char)text[0];
    size_t bytes = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

    if (lead == 0 || bytes > len || !text_is_utf8(text, bytes))
        return 0;
    return bytes;
}

static void emit_piece(struct line_splitter *splitter, struct slice piece)
{
    splitter->emit(piece, splitter->continued, splitter->userdata);
    splitter->continued = true;
}

/* The slow way, for lines with bytes that are not text: they grow, so they may have to be split
 * again. */
static void emit_repaired(struct line_splitter *splitter, struct slice raw)
{
    AUTO(free_ptr) char *out = mem_alloc(LINE_BYTES_MAX + CHARACTER_BYTES_MAX);
    size_t len = 0;

    for (size_t i = 0; i < raw.len;) {
        size_t bytes = character_bytes(raw.data + i, raw.len - i);
        size_t added = bytes ? bytes : REPLACEMENT_BYTES;
        if (len + added > LINE_BYTES_MAX) {
            emit_piece(splitter, (struct slice){out, len});
            len = 0;
        }
        memcpy(out + len, bytes ? raw.data + i : REPLACEMENT, added);
        len += added;
        i += bytes ? bytes : 1;
    }
    emit_piece(splitter, (struct slice){out, len});
}

static void emit_raw(struct line_splitter *splitter, struct slice raw)
{
    if (text_is_utf8(raw.data, raw.len) && !memchr(raw.data, 0, raw.len))
        emit_piece(splitter, raw);
    else
        emit_repaired(splitter, raw);
}

/* The most of `raw` (longer than a line may be) that ends between two characters. */
static size_t split_point(struct slice raw)
{
    size_t at = LINE_BYTES_MAX;

    for (size_t back = 1; back < CHARACTER_BYTES_MAX; back++) {
        unsigned char c = (unsigned char)raw.data[at - back];
        if ((c & 0xc0) == 0x80)
            continue; /* inside a character: look for its lead byte */
        size_t bytes = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        return bytes > back ? at - back : at;
    }
    return at;
}

/* A whole line, or as much of one as fits. */
static void take_bytes(struct line_splitter *splitter, struct slice bytes, bool ends)
{
    struct buf *partial = &splitter->partial;

    while (partial->len + bytes.len > LINE_BYTES_MAX) {
        size_t room = LINE_BYTES_MAX - partial->len;
        buf_put(partial, bytes.data, room);
        bytes = (struct slice){bytes.data + room, bytes.len - room};
        size_t cut = split_point(buf_slice(partial));
        emit_raw(splitter, (struct slice){partial->data, cut});
        buf_consume(partial, cut);
    }
    if (!ends) {
        buf_put(partial, bytes.data, bytes.len);
        return;
    }
    struct slice line = bytes;
    if (partial->len) {
        buf_put(partial, bytes.data, bytes.len);
        line = buf_slice(partial);
    }
    if (line.len && line.data[line.len - 1] == '\r')
        line.len--;
    emit_raw(splitter, line);
    buf_clear(partial);
    splitter->continued = false;
}

void line_splitter_feed(struct line_splitter *splitter, struct slice bytes)
{
    while (bytes.len) {
        const char *newline = memchr(bytes.data, '\n', bytes.len);
        size_t len = newline ? (size_t)(newline - bytes.data) : bytes.len;
        take_bytes(splitter, (struct slice){bytes.data, len}, newline != NULL);
        size_t used = len + (newline ? 1 : 0);
        bytes = (struct slice){bytes.data + used, bytes.len - used};
    }
}

void line_splitter_end(struct line_splitter *splitter)
{
    if (splitter->partial.len)
        take_bytes(splitter, (struct slice){"", 0}, true);
}

void line_splitter_fini(struct line_splitter *splitter)
{
    buf_fini(&splitter->partial);
}
