/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"

#define BUF_CAP_MIN 64u

void buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){.max = max_bytes};
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.max = buf->max};
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

/* Grows to hold `need` bytes and one more for buf_cstr. The caller has checked need <= max. */
static void grow(struct buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : BUF_CAP_MIN;

    if (buf->data && need < buf->cap)
        return;
    while (cap <= need)
        cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
    if (cap > buf->max && buf->max < SIZE_MAX)
        cap = MAX_OF(buf->max + 1, need + 1);
    buf->data = mem_realloc(buf->data, cap);
    buf->cap = cap;
}

void *buf_reserve(struct buf *buf, size_t len)
{
    if (len > buf->max || buf->len > buf->max - len)
        return NULL;
    grow(buf, buf->len + len);
    return buf->data + buf->len;
}

enum status buf_append(struct buf *buf, const void *data, size_t len)
{
    char *room = buf_reserve(buf, len);

    if (!room)
        return STATUS_RESOURCE_EXHAUSTED;
    if (len)
        memcpy(room, data, len);
    buf->len += len;
    return STATUS_OK;
}

PRINTF_LIKE(2, 0)
static enum status append_format(struct buf *buf, const char *fmt, va_list args)
{
    va_list again;
    int len;

    va_copy(again, args);
    /* With data NULL this only measures. */
    len = vsnprintf(buf->data ? buf->data + buf->len : NULL, buf->cap - buf->len, fmt, args);
    assert(len >= 0);
    if ((size_t)len >= buf->cap - buf->len || (size_t)len > buf->max - buf->len) {
        char *room = buf_reserve(buf, (size_t)len);

        if (!room) {
            va_end(again);
            return STATUS_RESOURCE_EXHAUSTED;
        }
        vsnprintf(room, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    buf->len += (size_t)len;
    return STATUS_OK;
}

enum status buf_printf(struct buf *buf, const char *fmt, ...)
{
    enum status status;
    va_list args;

    va_start(args, fmt);
    status = append_format(buf, fmt, args);
    va_end(args);
    return status;
}

void buf_put(struct buf *buf, const void *data, size_t len)
{
    if (buf_append(buf, data, len) != STATUS_OK)
        abort(); /* the caller promised that it fits */
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
    buf_put(buf, &c, 1);
}

void buf_putf(struct buf *buf, const char *fmt, ...)
{
    enum status status;
    va_list args;

    va_start(args, fmt);
    status = append_format(buf, fmt, args);
    va_end(args);
    if (status != STATUS_OK)
        abort();
}

void buf_consume(struct buf *buf, size_t len)
{
    assert(len <= buf->len);
    buf->len -= len;
    if (buf->len && len)
        memmove(buf->data, buf->data + len, buf->len);
}

const char *buf_cstr(struct buf *buf)
{
    grow(buf, buf->len);
    buf->data[buf->len] = '\0';
    return buf->data;
}
