/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TIDY_H
#define TIDY_H
/*
 * A lint of the whole tree. Each check looks at one file and reports lines; none stops the others.
 * The tool's own sources are checked too, so words it looks for are written in two pieces.
 */
#include "base/macros.h"
#include "base/slice.h"

#define FILE_LINES_MAX 800
#define FUNCTION_LINES_MAX 70

enum language {
    LANGUAGE_OTHER, /* text of no kind that has rules of its own */
    LANGUAGE_C,
    LANGUAGE_PROTO,
    LANGUAGE_SQL,
    LANGUAGE_SHELL,
    LANGUAGE_CMAKE,
    LANGUAGE_SCRIPT, /* ts, js, svelte, css, py */
    LANGUAGE_BINARY,
};

struct source {
    const char *path; /* from the root of the tree */
    char *text;
    size_t len;
    enum language language;
    char *code; /* of C: the text with comments and the insides of literals blanked, as long as text
                 */
};

void report(const struct source *source, unsigned line, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Reads and classes a file; false when it cannot be read. */
bool source_load(struct source *source, const char *root, const char *path);
void source_free(struct source *source);
/* Walks lines: `struct slice line; size_t pos = 0; while (next_line(text, len, &pos, &line))`. Line
 * ends are not part. */
bool next_line(const char *text, size_t len, size_t *pos, struct slice *ret);
bool starts_with(struct slice text, const char *start);
bool path_starts_with(const char *path, const char *folder);

void check_text(const struct source *source);   /* size, licence line, tabs, names, words */
void check_code(const struct source *source);   /* C: functions, banned calls, SQL in literals */
void check_layers(const struct source *source); /* C: includes */
/* Notes which service a private header belongs to. To be called for all files before check_layers.
 */
void layers_note_header(const char *path);

#endif
