/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H
/*
 * Growable byte buffer that is made with its maximum. Appending past the maximum fails and changes
 * nothing. The owner calls buf_fini. data is not NUL-terminated unless buf_cstr is called.
 */
#include "base/error.h"
#include "base/slice.h"

struct buf {
    char *data;
    size_t len, cap, max;
};

void buf_init(struct buf *buf, size_t max_bytes);
void buf_fini(struct buf *buf);
void buf_clear(struct buf *buf); /* len = 0, keeps memory */
MUST_USE enum status buf_append(struct buf *buf, const void *data, size_t len);
/* Room for len more bytes, to be filled by the caller who then adds to buf->len; NULL past the
 * maximum. */
void *buf_reserve(struct buf *buf, size_t len);
MUST_USE enum status buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* For buffers whose maximum was sized to fit: aborts when full. */
void buf_put(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_putf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_consume(struct buf *buf, size_t len); /* drops bytes from the front */
const char *buf_cstr(struct buf *buf);         /* adds a NUL behind len (not counted) */
static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->data, buf->len};
}

#endif
