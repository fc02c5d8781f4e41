/* SPDX-License-Identifier: Apache-2.0 */
#include "query/scan.h"

#include <stdlib.h>

void scan_room_fini(struct scan_room *room)
{
    free(room->data);
    *room = (struct scan_room){NULL, 0};
}

void scan_lower(char *out, const char *text, size_t len)
{
    /* Without branches, so that the compiler makes vectors of it. */
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char is_upper = (unsigned char)(c - 'A') < 26;
        out[i] = (char)(c | (unsigned char)(is_upper << 5));
    }
}

/* The block's text as it is compared. */
static const char *comparable(const struct scan *scan, const struct lines *lines,
                              struct scan_room *room)
{
    size_t len = lines->text.len;

    if (!scan->ignores_case)
        return lines->text.data;
    if (len > room->bytes) {
        room->data = mem_realloc(room->data, len);
        room->bytes = len;
    }
    scan_lower(room->data, lines->text.data, len);
    return room->data;
}

static bool block_may_fit(const struct scan *scan, const struct lines *lines)
{
    if (scan->attempt && scan->attempt != lines->attempt)
        return false;
    if (scan->step.len && !slice_eq(scan->step, lines->step))
        return false;
    return lines->last_us >= scan->since_us && lines->first_us < scan->until_us;
}

static bool line_fits(const struct scan *scan, const struct page_key *key, uint8_t stream_level)
{
    uint32_t level = stream_level >> 4, stream = stream_level & 7;

    if (!(scan->levels & LINES_LEVEL_BIT(level <= 4 ? level : 0)) ||
        !(scan->streams & LINES_STREAM_BIT(stream <= 2 ? stream : 0)) ||
        key->unix_us < scan->since_us || key->unix_us >= scan->until_us)
        return false;
    if (!scan->has_cursor)
        return true;
    int order = page_key_cmp(scan->order, key, &scan->cursor);
    return order > 0 || (order == 0 && scan->from_cursor);
}

static void hit_add(struct scan_hits *hits, const struct lines *lines, const struct line *line,
                    const struct page_key *key, const struct lines **copy)
{
    if (!*copy) {
        struct lines *kept = arena_memdup(hits->arena, lines, sizeof *lines);
        kept->step.data = arena_strndup(hits->arena, lines->step.data, lines->step.len);
        kept->meta = kept->text = (struct slice){NULL, 0};
        *copy = kept;
    }
    if (hits->count == hits->cap) {
        hits->cap = hits->cap ? hits->cap * 2 : 16;
        struct page_line *grown = ARENA_ARRAY(hits->arena, struct page_line, hits->cap);
        if (hits->count)
            memcpy(grown, hits->lines, hits->count * sizeof *grown);
        hits->lines = grown;
    }
    hits->lines[hits->count++] = (struct page_line){
        .key = *key,
        .received_us = lines->received_us,
        .lines = *copy,
        .stream_level = line->stream_level,
        .text = {arena_strndup(hits->arena, line->text.data, line->text.len), line->text.len}};
}

/* Where the text stands at `from` or behind it; len when it does not. */
static size_t find(const struct scan *scan, const char *text, size_t len, size_t from)
{
    if (!scan->text.len || from >= len)
        return from < len ? from : len;
    const char *found = memmem(text + from, len - from, scan->text.data, scan->text.len);

    return found ? (size_t)(found - text) : len;
}

bool scan_lines(const struct scan *scan, const struct lines *lines, struct scan_room *room,
                size_t chunk_begin, struct scan_hits *hits)
{
    const struct lines *copy = NULL;
    struct line line;

    if (!block_may_fit(scan, lines))
        return true;
    size_t len = lines->text.len;
    const char *text = comparable(scan, lines, room);
    size_t at = find(scan, text, len, 0);
    if (scan->text.len && at == len)
        return true;
    for (struct line_walk walk = lines_walk(lines); lines_next(&walk, &line);) {
        size_t end = (size_t)(line.text.data - lines->text.data) + line.text.len;
        if (scan->text.len) {
            /* Lines stand without anything between them: what goes over the end of one is none. */
            if (at >= end)
                continue;
            bool is_within = at + scan->text.len <= end;
            at = find(scan, text, len, end);
            if (!is_within) {
                if (at == len)
                    break;
                continue;
            }
        }
        struct page_key key = page_key_of(lines, &line);
        if (line_fits(scan, &key, line.stream_level))
            hit_add(hits, lines, &line, &key, &copy);
        if (hits->count - chunk_begin >= scan->limit)
            return false;
        if (scan->text.len && at == len)
            break;
    }
    return true;
}
