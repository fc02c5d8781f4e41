/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "parser.h"

#define LEADING_EMPTY_LINES_MAX 2 /* old clients send one behind a body (RFC 9112, 2.2) */

void http1__parser_init(struct http1__parser *parser, size_t body_bytes_max)
{
    *parser = (struct http1__parser){.body_bytes_max = body_bytes_max};
    buf_init(&parser->head, HTTP1_HEAD_BYTES_MAX);
}

void http1__parser_fini(struct http1__parser *parser)
{
    buf_fini(&parser->head);
    http1__message_free(parser->message);
    parser->message = NULL;
}

void http1__message_free(struct http1__message *message)
{
    if (!message)
        return;
    buf_fini(&message->body);
    arena_free(message->request.arena); /* the message lies in it */
}

enum http1__step http1__refuse(struct http1__parser *parser, unsigned status, const char *why)
{
    parser->refused = status;
    parser->why = why;
    return HTTP1_REFUSED;
}

bool http1__parser_in_head(const struct http1__parser *parser)
{
    return !parser->message && parser->head_bytes > 0;
}

bool http1__parser_in_body(const struct http1__parser *parser)
{
    return parser->message != NULL;
}

struct http1__message *http1__parser_take(struct http1__parser *parser)
{
    struct http1__message *message = parser->message;

    message->request.body = buf_slice(&message->body);
    parser->message = NULL;
    parser->head_bytes = parser->line_bytes = 0;
    parser->lines = 0;
    parser->previous = '\0';
    buf_clear(&parser->head);
    return message;
}

/* One byte of the head against the rules of lines. NULL, or why it is refused. */
static const char *check_byte(struct http1__parser *parser, char byte)
{
    unsigned char c = (unsigned char)byte;

    if (parser->previous == '\r' && c != '\n')
        return "a CR stands alone";
    if (c == '\n' && parser->previous != '\r')
        return "a LF stands alone";
    if ((c < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 0x7f)
        return "a control character in the head";
    if (parser->line_bytes == 0 && (c == ' ' || c == '\t'))
        return parser->lines ? "a folded header line" : "the request line begins with a space";
    return NULL;
}

/* Goes through the head up to its empty line. *ret_done tells that it ends at *ret_used. */
static enum http1__step scan_head(struct http1__parser *parser, struct slice bytes,
                                  size_t *ret_used, bool *ret_done)
{
    *ret_done = false;
    for (size_t i = 0; i < bytes.len; i++) {
        char byte = bytes.data[i];
        const char *why = check_byte(parser, byte);

        *ret_used = i + 1;
        if (why)
            return http1__refuse(parser, 400, why);
        if (++parser->head_bytes > HTTP1_HEAD_BYTES_MAX)
            return parser->lines ? http1__refuse(parser, 431, "the headers are too large")
                                 : http1__refuse(parser, 414, "the target is too long");
        parser->previous = byte;
        if (byte == '\n' && parser->line_bytes == 0) {
            *ret_done = true;
            return HTTP1_MORE;
        }
        if (byte == '\n') {
            parser->lines++;
            parser->line_bytes = 0;
        } else if (byte != '\r') {
            parser->line_bytes++;
        }
    }
    return HTTP1_MORE;
}

static enum http1__step begin_body(struct http1__parser *parser)
{
    struct http1__message *message = parser->message;

    buf_init(&message->body, parser->body_bytes_max);
    if (!message->chunked && message->content_length == 0)
        return HTTP1_REQUEST;
    if (!message->chunked && message->content_length > parser->body_bytes_max)
        return http1__refuse(parser, 413, "the body is too large");
    parser->body_state = message->chunked ? BODY_CHUNK_SIZE : BODY_LENGTH;
    parser->left = message->chunked ? 0 : message->content_length;
    parser->chunk_digits = 0;
    return message->expects_continue ? HTTP1_CONTINUE : HTTP1_MORE;
}

static enum http1__step read_head(struct http1__parser *parser, struct slice bytes,
                                  size_t *ret_used)
{
    struct slice head;
    bool done;
    enum http1__step step;

    step = scan_head(parser, bytes, ret_used, &done);
    if (step == HTTP1_REFUSED)
        return step;
    /* An empty line before any other is no head yet; it counts against the limit all the same. */
    if (done && parser->lines == 0) {
        buf_clear(&parser->head);
        if (parser->head_bytes > 2 * LEADING_EMPTY_LINES_MAX)
            return http1__refuse(parser, 400, "empty lines instead of a request");
        return HTTP1_MORE;
    }
    head = (struct slice){bytes.data, *ret_used};
    if (!done || parser->head.len > 0) {
        if (buf_append(&parser->head, bytes.data, *ret_used) != STATUS_OK)
            return http1__refuse(parser, 431, "the headers are too large");
        head = buf_slice(&parser->head);
    }
    if (!done)
        return HTTP1_MORE;
    parser->message = http1__read_head(head, &parser->refused, &parser->why);
    if (!parser->message)
        return HTTP1_REFUSED;
    return begin_body(parser);
}

enum http1__step http1__parse(struct http1__parser *parser, struct slice bytes, size_t *ret_used)
{
    size_t used = 0, n = 0;
    enum http1__step step = HTTP1_MORE;

    if (parser->refused)
        step = HTTP1_REFUSED;
    while (step == HTTP1_MORE && used < bytes.len) {
        struct slice rest = {bytes.data + used, bytes.len - used};

        n = 0;
        step = parser->message ? http1__read_body(parser, rest, &n) : read_head(parser, rest, &n);
        used += n;
    }
    *ret_used = used;
    return step;
}
