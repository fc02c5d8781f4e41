/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOGSHIP_LINES_H
#define LOGSHIP_LINES_H
/*
 * Bytes of a pipe into lines: split at newlines, a trailing carriage return dropped, at most 64 KiB
 * a line (the rest follows as lines marked `continued`), always valid UTF-8 without NUL: each byte
 * that is not becomes U+FFFD.
 */
#include "base/buf.h"

#define LINE_BYTES_MAX 65536

typedef void (*line_fn)(struct slice text, bool continued, void *userdata);
struct line_splitter {
    struct buf partial; /* raw bytes since the last newline */
    bool continued;     /* the line that gathers has had a part emitted */
    line_fn emit;
    void *userdata;
};

void line_splitter_init(struct line_splitter *splitter, line_fn emit, void *userdata);
void line_splitter_feed(struct line_splitter *splitter, struct slice bytes);
void line_splitter_end(struct line_splitter *splitter); /* emits what has no newline */
void line_splitter_fini(struct line_splitter *splitter);

#endif
