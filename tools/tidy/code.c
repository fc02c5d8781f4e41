/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "tidy.h"

static const struct {
    const char *name, *instead;
} BANNED[] = {
    {"strcpy", "memcpy with a length, or arena_strdup"},
    {"stpcpy", "memcpy with a length"},
    {"strcat", "buf_append"},
    {"sprintf", "snprintf or buf_printf"},
    {"vsprintf", "vsnprintf"},
    {"gets", "read"},
    {"atoi", "text_to_i64"},
    {"atol", "text_to_i64"},
    {"atoll", "text_to_i64"},
    {"atof", "strtod with checks"},
    {"strtok", "slices"},
    {"strtok_r", "slices"},
    {"alloca", "an arena"},
    {"asctime", "text_from_unix_us"},
    {"ctime", "text_from_unix_us"},
    {"localtime", "text_from_unix_us"},
    {"gmtime", "gmtime_r"},
    {"mktemp", "mkstemp"},
    {"tmpnam", "mkstemp"},
    {"setjmp", "enum status"},
    {"longjmp", "enum status"},
};

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* A call, not a member of this name and not a declaration of something longer. */
static bool is_call(const char *code, const char *at, size_t len)
{
    const char *after = at + len;

    if (at > code && (is_word_char(at[-1]) || at[-1] == '.' || (at[-1] == '>' && at[-2] == '-')))
        return false;
    while (*after == ' ')
        after++;
    return *after == '(';
}

static void check_words(const struct source *source)
{
    unsigned line = 1;

    for (const char *at = source->code; *at; at++) {
        size_t len = 0;

        if (*at == '\n')
            line++;
        if (!is_word_char(*at) || (at > source->code && is_word_char(at[-1])))
            continue;
        while (is_word_char(at[len]))
            len++;
        if (len == 4 && strncmp(at, "goto", 4) == 0)
            report(source, line, "goto: use AUTO or a function");
        for (size_t i = 0; i < ARRAY_LEN(BANNED); i++) {
            if (strlen(BANNED[i].name) == len && strncmp(at, BANNED[i].name, len) == 0 &&
                is_call(source->code, at, len))
                report(source, line, "%s: use %s", BANNED[i].name, BANNED[i].instead);
        }
        at += len - 1;
    }
}

/* clang-format puts the braces of a function, and of nothing else, alone at the start of a line. */
static void check_functions(const struct source *source)
{
    struct slice line;
    unsigned number = 0, opened = 0;
    size_t pos = 0;

    while (next_line(source->code, source->len, &pos, &line)) {
        number++;
        if (slice_is(line, "{")) {
            opened = number;
        } else if (slice_is(line, "}") && opened) {
            unsigned lines = number - opened - 1;

            if (lines > FUNCTION_LINES_MAX)
                report(source, opened, "a function of %u lines, at most %d", lines,
                       FUNCTION_LINES_MAX);
            opened = 0;
        }
    }
}

/* The beginnings of statements. Upper case alone is taken for SQL: a sentence may well begin with
 * "select". */
static bool looks_like_sql(const char *text)
{
    static const char *const STARTS[] = {
        "SELECT ",       "INSERT INTO ", "UPDATE ",      "DELETE FROM ",   "CREATE TABLE ",
        "CREATE INDEX ", "CREATE TYPE ", "ALTER TABLE ", "DROP TABLE ",    "TRUNCATE ",
        "WITH ",         "COPY ",        "LOCK TABLE ",  "CREATE SCHEMA ", "MERGE INTO ",
    };
    static const char *const LOWER[][2] = {{"select ", " from "},
                                           {"insert into ", " values"},
                                           {"update ", " set "},
                                           {"delete from ", " where "}};
    size_t len = strcspn(text, "\"\n");

    for (size_t i = 0; i < ARRAY_LEN(STARTS); i++) {
        if (strncmp(text, STARTS[i], strlen(STARTS[i])) == 0)
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(LOWER); i++) {
        if (strncasecmp(text, LOWER[i][0], strlen(LOWER[i][0])) == 0 &&
            memmem(text, len, LOWER[i][1], strlen(LOWER[i][1])))
            return true;
    }
    return false;
}

/* "/plankton.v1.TaskController/GetTask": protoglue writes the tables, nobody else. */
static bool looks_like_a_method(const char *text)
{
    return strncmp(text, "/plankton.", 10) == 0 || strncmp(text, "/grpc.", 6) == 0;
}

static void check_literals(const struct source *source)
{
    unsigned line = 1;
    bool inside = false;

    for (size_t i = 0; i < source->len; i++) {
        if (source->text[i] == '\n')
            line++;
        if (source->code[i] != '"')
            continue;
        inside = !inside;
        if (inside && looks_like_sql(source->text + i + 1 + strspn(source->text + i + 1, " (")))
            report(source, line, "SQL in a literal: it belongs in a .sql file");
        if (inside && looks_like_a_method(source->text + i + 1))
            report(source, line, "the path of a method in a literal: use the generated table");
    }
}

void check_code(const struct source *source)
{
    if (source->language != LANGUAGE_C)
        return;
    check_words(source);
    check_functions(source);
    /* The tool names what it looks for. */
    if (!path_starts_with(source->path, "tests") && !path_starts_with(source->path, "bench") &&
        !path_starts_with(source->path, "tools/tidy"))
        check_literals(source);
}
