/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tidy.h"

#define SOURCE_BYTES_MAX (16u << 20)
#define SNIFF_BYTES 8192

bool starts_with(struct slice text, const char *start)
{
    size_t len = strlen(start);

    return text.len >= len && memcmp(text.data, start, len) == 0;
}

bool path_starts_with(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

bool next_line(const char *text, size_t len, size_t *pos, struct slice *ret)
{
    const char *start = text + *pos, *end;

    if (*pos >= len)
        return false;
    end = memchr(start, '\n', len - *pos);
    ret->data = start;
    ret->len = end ? (size_t)(end - start) : len - *pos;
    *pos += ret->len + 1;
    return true;
}

static enum language language_of(const char *path, const char *text, size_t len)
{
    static const struct {
        const char *suffix;
        enum language language;
    } SUFFIXES[] = {
        {".c", LANGUAGE_C},        {".h", LANGUAGE_C},           {".proto", LANGUAGE_PROTO},
        {".sql", LANGUAGE_SQL},    {".sh", LANGUAGE_SHELL},      {".cmake", LANGUAGE_CMAKE},
        {".ts", LANGUAGE_SCRIPT},  {".svelte", LANGUAGE_SCRIPT}, {".js", LANGUAGE_SCRIPT},
        {".mjs", LANGUAGE_SCRIPT}, {".py", LANGUAGE_SCRIPT},     {".css", LANGUAGE_SCRIPT},
    };
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *suffix = strrchr(name, '.');

    if (memchr(text, '\0', MIN_OF(len, (size_t)SNIFF_BYTES)))
        return LANGUAGE_BINARY;
    if (str_eq(name, "CMakeLists.txt"))
        return LANGUAGE_CMAKE;
    for (size_t i = 0; suffix && i < ARRAY_LEN(SUFFIXES); i++) {
        if (str_eq(suffix, SUFFIXES[i].suffix))
            return SUFFIXES[i].language;
    }
    if (starts_with((struct slice){text, len}, "#!") && memchr(text, 's', MIN_OF(len, (size_t)32)))
        return LANGUAGE_SHELL;
    return LANGUAGE_OTHER;
}

enum lexer { IN_CODE, IN_LINE_COMMENT, IN_BLOCK_COMMENT, IN_STRING, IN_CHARACTER };

static enum lexer lexer_next(enum lexer state, const char *at)
{
    switch (state) {
    case IN_CODE:
        if (at[0] == '/' && at[1] == '/')
            return IN_LINE_COMMENT;
        if (at[0] == '/' && at[1] == '*')
            return IN_BLOCK_COMMENT;
        if (at[0] == '"')
            return IN_STRING;
        return at[0] == '\'' ? IN_CHARACTER : IN_CODE;
    case IN_LINE_COMMENT:
        return at[0] == '\n' ? IN_CODE : state;
    case IN_BLOCK_COMMENT:
        return at[0] == '*' && at[1] == '/' ? IN_CODE : state;
    case IN_STRING:
        return at[0] == '"' ? IN_CODE : state;
    case IN_CHARACTER:
        return at[0] == '\'' ? IN_CODE : state;
    }
    return state;
}

/* Quotes stay, so that a literal can still be found by its place; what is in it goes. */
static char *blank_literals(const char *text, size_t len)
{
    char *code = mem_alloc(len + 1);
    enum lexer state = IN_CODE;

    memcpy(code, text, len + 1);
    for (size_t i = 0; i < len; i++) {
        enum lexer next = lexer_next(state, text + i);
        bool literal = state == IN_STRING || state == IN_CHARACTER;

        if (literal && text[i] == '\\' && i + 1 < len) {
            code[i] = code[i + 1] = ' ';
            i++;
            continue;
        }
        if (text[i] != '\n' && next == state && state != IN_CODE)
            code[i] = ' ';
        if (state == IN_CODE && (next == IN_BLOCK_COMMENT || next == IN_LINE_COMMENT)) {
            code[i] = code[i + 1] = ' ';
            i++; /* so that the star of an opening does not begin a closing */
        } else if (state == IN_BLOCK_COMMENT && next == IN_CODE) {
            code[i] = code[i + 1] = ' ';
            i++;
        }
        state = next;
    }
    return code;
}

bool source_load(struct source *source, const char *root, const char *path)
{
    char full[4096];
    FILE *file;
    long size;

    snprintf(full, sizeof(full), "%s/%s", root, path);
    file = fopen(full, "rb");
    if (!file)
        return false;
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    if (size < 0 || (unsigned long)size > SOURCE_BYTES_MAX) {
        fclose(file);
        return false;
    }
    *source = (struct source){.path = path, .text = mem_alloc((size_t)size + 2)};
    source->len = fread(source->text, 1, (size_t)size, file);
    fclose(file);
    source->text[source->len] = source->text[source->len + 1] = '\0';
    source->language = language_of(path, source->text, source->len);
    if (source->language == LANGUAGE_C)
        source->code = blank_literals(source->text, source->len);
    return true;
}

void source_free(struct source *source)
{
    free(source->text);
    free(source->code);
}
