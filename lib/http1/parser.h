/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HTTP1_PARSER_H
#define HTTP1_PARSER_H
/*
 * Bytes in, requests out; no sockets, no clock. A head is gathered up to its empty line while its
 * line ends are checked, then read by llhttp in one piece; the body is taken apart here, since
 * llhttp forgives too much there (bare LF, endless extensions). Whatever could be understood in two
 * ways is refused with a status, after which the connection must be closed.
 */
#include "base/buf.h"
#include "http1/http1.h"

struct exchange;

/* What came out of one request's head and body. Lives in its own arena. */
struct http1__message {
    struct http1_request request; /* the public view */
    struct exchange *exchange;    /* once it is handed to the server's handler */
    struct buf body;
    uint64_t content_length;
    bool chunked;
    bool keep_alive;
    bool expects_continue;
    bool is_head;   /* HEAD: answered without body */
    bool is_http10; /* no chunks out */
};

enum http1__step {
    HTTP1_MORE,     /* all input taken, more is needed */
    HTTP1_CONTINUE, /* the head is there and the peer waits for 100 before it sends the body; go on
                       afterwards */
    HTTP1_REQUEST,  /* parser->message is whole; take it, then go on */
    HTTP1_REFUSED,  /* parser->refused, parser->why */
};

enum http1__body_state {
    BODY_LENGTH,
    BODY_CHUNK_SIZE,
    BODY_CHUNK_EXTENSION,
    BODY_CHUNK_SIZE_LF,
    BODY_CHUNK_DATA,
    BODY_CHUNK_DATA_CR,
    BODY_CHUNK_DATA_LF,
    BODY_LAST_CR,
    BODY_LAST_LF,
    BODY_DONE,
};

struct http1__parser {
    size_t body_bytes_max;
    struct buf head;                /* of a head that came in pieces */
    size_t line_bytes;              /* of the current line so far, line end apart */
    size_t head_bytes;              /* seen of this head */
    unsigned lines;                 /* ended so far */
    char previous;                  /* byte */
    struct http1__message *message; /* once the head is read */
    enum http1__body_state body_state;
    uint64_t left;          /* of the body or the chunk */
    unsigned chunk_digits;  /* of the size read so far */
    size_t extension_bytes; /* of the current chunk line */
    unsigned refused;       /* HTTP status */
    const char *why;
};

void http1__parser_init(struct http1__parser *parser, size_t body_bytes_max);
void http1__parser_fini(struct http1__parser *parser);
/* Takes what it needs of `bytes`; *ret_used is at most bytes.len. */
enum http1__step http1__parse(struct http1__parser *parser, struct slice bytes, size_t *ret_used);
/* Some bytes of a head have come, but not all. */
bool http1__parser_in_head(const struct http1__parser *parser);
bool http1__parser_in_body(const struct http1__parser *parser);
/* The caller owns the message from here. */
struct http1__message *http1__parser_take(struct http1__parser *parser);
void http1__message_free(struct http1__message *message);

/* head.c: reads a whole head (up to and with the empty line). NULL with *ret_status and *ret_why
 * when refused. */
struct http1__message *http1__read_head(struct slice head, unsigned *ret_status,
                                        const char **ret_why);
/* body.c: takes body bytes until the end of the body, of the input, or a refusal. */
enum http1__step http1__read_body(struct http1__parser *parser, struct slice bytes,
                                  size_t *ret_used);
enum http1__step http1__refuse(struct http1__parser *parser, unsigned status, const char *why);

/* response.c: appends the status line and all headers up to the empty line. */
struct http1__response_head {
    unsigned status;
    const struct http1_header *headers;
    size_t header_count;
    const char *date, *server; /* NULL = none */
    bool has_length, chunked, close, keep_alive_10;
    uint64_t content_length;
};
/* INVALID_ARGUMENT for a header that cannot stand in a message, RESOURCE_EXHAUSTED past out's
 * maximum; out is then unusable. */
MUST_USE enum status http1__put_response_head(struct buf *out,
                                              const struct http1__response_head *head);
void http1__format_date(int64_t unix_s, char out[32]); /* IMF-fixdate */
bool http1__is_token(struct slice text);

#endif
