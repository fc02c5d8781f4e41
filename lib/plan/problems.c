/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include "base/text.h"
#include "internal.h"

#define PATH_BYTES_MAX ((size_t)1024)
#define COMPARED_MAX ((size_t)50000)

static void put(struct buf *out, const char *text)
{
    size_t len = strlen(text);

    buf_put(out, text, MIN_OF(len, out->max - out->len)); /* a path that is too long is cut */
}

static void put_at(struct buf *out, const struct at *at)
{
    char index[32];

    if (!at)
        return;
    put_at(out, at->parent);
    if (!at->key) {
        snprintf(index, sizeof(index), "[%zu]", at->index);
        put(out, index);
        return;
    }
    if (out->len)
        put(out, ".");
    put(out, at->key);
}

static void add(struct problems *problems, const struct at *at, const char *below, const char *hint,
                const char *text)
{
    AUTO(buf_fini) struct buf place = {0};
    uint32_t line = 0, column = 0;
    const char *path;

    if (problems->count++ >= PLAN_PROBLEMS_MAX)
        return;
    buf_init(&place, PATH_BYTES_MAX);
    put(&place, problems->prefix);
    put_at(&place, at);
    if (*below) {
        if (place.len && *below != '[')
            put(&place, ".");
        put(&place, below);
    }
    path = buf_cstr(&place);
    json_position(problems->positions, path, &line, &column);
    path += strlen(problems->prefix);
    if (*path == '.')
        path++;
    error_add_violation(problems->err, problems->arena, path, line, column, hint, "%s", text);
}

void plan__problem(struct problems *problems, const struct at *at, const char *hint,
                   const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    add(problems, at, "", hint, text);
}

void plan__problem_below(struct problems *problems, const struct at *at, const char *below,
                         const char *hint, const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    add(problems, at, below, hint, text);
}

const char *plan__nearest(struct problems *problems, const char *word, const char *const *words,
                          size_t n)
{
    const char *nearest;

    if (problems->count >= PLAN_PROBLEMS_MAX || n > COMPARED_MAX - problems->compared)
        return NULL;
    problems->compared += n;
    nearest = text_nearest(word, words, n);
    return nearest ? arena_printf(problems->arena, "did you mean '%s'?", nearest) : NULL;
}
