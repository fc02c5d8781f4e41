/* SPDX-License-Identifier: Apache-2.0 */
#include "parser.h"

#define CHUNK_DIGITS_MAX 8 /* a size past 4 GiB is past every limit */
#define EXTENSION_BYTES_MAX 256

static enum http1__step take_data(struct http1__parser *parser, struct slice bytes,
                                  size_t *ret_used)
{
    size_t n = parser->left < bytes.len ? (size_t)parser->left : bytes.len;

    if (buf_append(&parser->message->body, bytes.data, n) != STATUS_OK)
        return http1__refuse(parser, 413, "the body is too large");
    parser->left -= n;
    *ret_used = n;
    if (parser->left > 0)
        return HTTP1_MORE;
    parser->body_state = parser->message->chunked ? BODY_CHUNK_DATA_CR : BODY_DONE;
    return parser->body_state == BODY_DONE ? HTTP1_REQUEST : HTTP1_MORE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static enum http1__step chunk_size(struct http1__parser *parser, char c)
{
    int digit = hex_digit(c);

    if (digit >= 0) {
        if (++parser->chunk_digits > CHUNK_DIGITS_MAX)
            return http1__refuse(parser, 413, "a chunk is too large");
        parser->left = parser->left << 4 | (unsigned)digit;
        return HTTP1_MORE;
    }
    if (parser->chunk_digits == 0)
        return http1__refuse(parser, 400, "a chunk without a size");
    if (c == '\r') {
        parser->body_state = BODY_CHUNK_SIZE_LF;
        return HTTP1_MORE;
    }
    if (c != ';')
        return http1__refuse(parser, 400, "a broken chunk size");
    parser->extension_bytes = 0;
    parser->body_state = BODY_CHUNK_EXTENSION;
    return HTTP1_MORE;
}

/* Extensions mean nothing to anybody: they are checked for their form and dropped. */
static enum http1__step chunk_extension(struct http1__parser *parser, char c)
{
    unsigned char byte = (unsigned char)c;

    if (c == '\r') {
        parser->body_state = BODY_CHUNK_SIZE_LF;
        return HTTP1_MORE;
    }
    if (byte < ' ' || byte >= 0x7f || ++parser->extension_bytes > EXTENSION_BYTES_MAX)
        return http1__refuse(parser, 400, "a broken chunk extension");
    return HTTP1_MORE;
}

static enum http1__step chunk_begin(struct http1__parser *parser)
{
    const struct buf *body = &parser->message->body;

    if (parser->left > body->max - body->len)
        return http1__refuse(parser, 413, "the body is too large");
    parser->body_state = parser->left > 0 ? BODY_CHUNK_DATA : BODY_LAST_CR;
    parser->chunk_digits = 0;
    return HTTP1_MORE;
}

static enum http1__step expect(struct http1__parser *parser, char c, char want,
                               enum http1__body_state next)
{
    if (c != want)
        return http1__refuse(parser, 400, "a chunk does not end where its size says");
    parser->body_state = next;
    return HTTP1_MORE;
}

static enum http1__step take_byte(struct http1__parser *parser, char c)
{
    switch (parser->body_state) {
    case BODY_CHUNK_SIZE:
        return chunk_size(parser, c);
    case BODY_CHUNK_EXTENSION:
        return chunk_extension(parser, c);
    case BODY_CHUNK_SIZE_LF:
        if (c != '\n')
            return http1__refuse(parser, 400, "a CR stands alone");
        return chunk_begin(parser);
    case BODY_CHUNK_DATA_CR:
        return expect(parser, c, '\r', BODY_CHUNK_DATA_LF);
    case BODY_CHUNK_DATA_LF:
        return expect(parser, c, '\n', BODY_CHUNK_SIZE);
    case BODY_LAST_CR:
        /* Trailers would be headers that came after all checks of headers. */
        if (c != '\r')
            return http1__refuse(parser, 400, "trailers are not taken");
        parser->body_state = BODY_LAST_LF;
        return HTTP1_MORE;
    case BODY_LAST_LF:
        if (c != '\n')
            return http1__refuse(parser, 400, "a CR stands alone");
        parser->body_state = BODY_DONE;
        return HTTP1_REQUEST;
    case BODY_LENGTH:
    case BODY_CHUNK_DATA:
    case BODY_DONE:
        break;
    }
    return http1__refuse(parser, 500, "no state takes a single byte");
}

enum http1__step http1__read_body(struct http1__parser *parser, struct slice bytes,
                                  size_t *ret_used)
{
    size_t used = 0;
    enum http1__step step = HTTP1_MORE;

    while (step == HTTP1_MORE && used < bytes.len) {
        size_t n = 1;

        if (parser->body_state == BODY_LENGTH || parser->body_state == BODY_CHUNK_DATA)
            step = take_data(parser, (struct slice){bytes.data + used, bytes.len - used}, &n);
        else
            step = take_byte(parser, bytes.data[used]);
        used += n;
    }
    *ret_used = used;
    return step;
}
