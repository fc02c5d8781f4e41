/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include "tidy.h"

#define LICENCE "SPDX-License-Identifier: Apache-2.0"
#define LICENCE_LINES 3 /* a shebang or an opening of a comment may stand before it */
#define GENERATED_LINES 5

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Finds text within a line; as a whole word when asked. */
static bool has(struct slice line, const char *text, bool whole_word)
{
    size_t len = strlen(text);

    for (size_t i = 0; i + len <= line.len; i++) {
        if (memcmp(line.data + i, text, len) != 0)
            continue;
        if (!whole_word || ((i == 0 || !is_word_char(line.data[i - 1])) &&
                            (i + len == line.len || !is_word_char(line.data[i + len]))))
            return true;
    }
    return false;
}

static bool first_lines_have(const struct source *source, unsigned lines, const char *text)
{
    struct slice line;
    size_t pos = 0;

    for (unsigned n = 0; n < lines && next_line(source->text, source->len, &pos, &line); n++) {
        if (has(line, text, false))
            return true;
    }
    return false;
}

/* Written by a tool from something that is checked itself, and kept in the tree to be compared
 * with. */
static bool is_generated(const struct source *source)
{
    static const char *const MARKS[] = {"enerated by", "enerated from", "PostgreSQL database dump"};

    for (size_t i = 0; i < ARRAY_LEN(MARKS); i++) {
        if (first_lines_have(source, GENERATED_LINES, MARKS[i]))
            return true;
    }
    return false;
}

static void check_name(const struct source *source)
{
    static const char *const FORBIDDEN[] = {"util",   "utils",   "common", "commons",
                                            "helper", "helpers", "misc"};
    const char *part = source->path;

    /* Folders too: a dump is a dump whatever its kind. */
    while (part) {
        const char *slash = strchr(part, '/');
        size_t len = slash ? (size_t)(slash - part) : strcspn(part, ".");

        for (size_t i = 0; i < ARRAY_LEN(FORBIDDEN); i++) {
            if (len == strlen(FORBIDDEN[i]) && strncmp(part, FORBIDDEN[i], len) == 0)
                report(source, 1, "\"%s\" names no subject", FORBIDDEN[i]);
        }
        part = slash ? slash + 1 : NULL;
    }
}

static void check_unfinished(const struct source *source, struct slice line, unsigned number)
{
    static const char *const UNFINISHED[] = {"TO"
                                             "DO",
                                             "FIX"
                                             "ME",
                                             "XX"
                                             "X"};

    for (size_t i = 0; i < ARRAY_LEN(UNFINISHED); i++) {
        if (has(line, UNFINISHED[i], true))
            report(source, number, "%s: finish it, or file an issue", UNFINISHED[i]);
    }
}

static void check_line(const struct source *source, struct slice line, unsigned number)
{
    struct slice trimmed = line;

    check_unfinished(source, line, number);
    if (source->language == LANGUAGE_OTHER)
        return;
    if (memchr(line.data, '\t', line.len))
        report(source, number, "a tab");
    if (line.len > 0 && (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\r'))
        report(source, number, "a space at the end of the line");
    while (trimmed.len > 0 && trimmed.data[0] == ' ')
        trimmed = (struct slice){trimmed.data + 1, trimmed.len - 1};
    if (source->language == LANGUAGE_PROTO && starts_with(trimmed, "optional "))
        report(source, number,
               "proto3 optional: write `oneof _x { T x = n; }`, protoc-c refuses it");
}

void check_text(const struct source *source)
{
    struct slice line;
    unsigned lines = 0;
    size_t pos = 0;

    check_name(source);
    if (source->language == LANGUAGE_BINARY)
        return;
    if (is_generated(source) && source->language != LANGUAGE_C)
        return;
    while (next_line(source->text, source->len, &pos, &line))
        check_line(source, line, ++lines);
    if (source->language == LANGUAGE_OTHER)
        return;
    if (lines > FILE_LINES_MAX && !is_generated(source))
        report(source, lines, "%u lines, at most %d", lines, FILE_LINES_MAX);
    if (!first_lines_have(source, LICENCE_LINES, LICENCE))
        report(source, 1, "no line \"%s\"", LICENCE);
}
