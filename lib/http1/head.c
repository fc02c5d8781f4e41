/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>
#include <llhttp.h>
#include "base/text.h"
#include "parser.h"

#define TARGET_BYTES_MAX (8u * 1024u)

/* What llhttp tells of one head. */
struct reader {
    llhttp_t parser; /* first: its callbacks get it */
    struct arena *arena;
    struct http1__message *message;
    struct http1_header headers[HTTP1_HEADERS_MAX];
    size_t count;
    bool in_value, too_many, complete, keep_alive;
};

static struct reader *reader_of(llhttp_t *parser)
{
    return CONTAINER_OF(parser, struct reader, parser);
}

/* A span may be told in pieces, which lie one behind the other. */
static void extend(struct slice *span, const char *at, size_t len)
{
    if (span->data && span->data + span->len == at)
        span->len += len;
    else
        *span = (struct slice){at, len};
}

static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = reader_of(parser);

    if (reader->count == 0 || reader->in_value) {
        if (reader->count == HTTP1_HEADERS_MAX) {
            reader->too_many = true;
            return -1;
        }
        reader->headers[reader->count++] = (struct http1_header){0};
        reader->in_value = false;
    }
    extend(&reader->headers[reader->count - 1].name, at, len);
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct reader *reader = reader_of(parser);

    reader->in_value = true;
    extend(&reader->headers[reader->count - 1].value, at, len);
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct reader *reader = reader_of(parser);

    reader->complete = true;
    reader->keep_alive = parser->http_major == 1 &&
                         (parser->http_minor >= 1 ? !(parser->flags & F_CONNECTION_CLOSE)
                                                  : (parser->flags & F_CONNECTION_KEEP_ALIVE) != 0);
    return 1; /* no body here: body.c takes it */
}

static struct slice trimmed(struct slice text)
{
    while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = (struct slice){text.data + 1, text.len - 1};
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

static bool is_ignoring_case(struct slice text, const char *want)
{
    return text.len == strlen(want) && strncasecmp(text.data, want, text.len) == 0;
}

/* Lower-case names and trimmed values, both within the head's copy in the arena. */
static bool tidy_headers(struct reader *reader)
{
    for (size_t i = 0; i < reader->count; i++) {
        struct http1_header *header = &reader->headers[i];

        if (!http1__is_token(header->name))
            return false;
        for (size_t j = 0; j < header->name.len; j++) {
            char *c = (char *)header->name.data + j;

            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
        }
        header->value = header->value.data ? trimmed(header->value) : slice_of("");
    }
    return true;
}

/* METHOD SP target SP HTTP/x.y: exactly two spaces, since a third would make the target a matter of
 * opinion. */
static const char *split_request_line(struct slice head, struct slice *ret_target)
{
    const char *end = memchr(head.data, '\r', head.len);
    const char *first = end ? memchr(head.data, ' ', (size_t)(end - head.data)) : NULL;
    const char *second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;

    if (!second || first == head.data || second == first + 1 ||
        memchr(second + 1, ' ', (size_t)(end - second - 1)))
        return "the request line is not METHOD target HTTP/1.1";
    if (!http1__is_token((struct slice){head.data, (size_t)(first - head.data)}))
        return "the method is no token";
    *ret_target = (struct slice){first + 1, (size_t)(second - first - 1)};
    for (size_t i = 0; i < ret_target->len; i++) {
        unsigned char c = (unsigned char)ret_target->data[i];

        if (c <= ' ' || c >= 0x7f || c == '#')
            return "the target has characters that must be escaped";
    }
    return NULL;
}

static bool is_host_text(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!plain && (c == '\0' || !strchr("-._~!$&'()*+,;=:[]%", c)))
            return false;
    }
    return true;
}

/* "/path?query", "*", or "http://host/path?query" (which a server must take, RFC 9112, 3.2.2). */
static const char *read_target(struct reader *reader, struct slice target)
{
    struct http1_request *request = &reader->message->request;
    char *text = arena_strndup(reader->arena, target.data, target.len);
    char *path = text, *question;

    request->target = text;
    if (strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0) {
        char *authority = strchr(text, ':') + 3;
        size_t len = strcspn(authority, "/?");

        request->host = (struct slice){authority, len};
        path = authority + len;
        if (len == 0 || !is_host_text(request->host))
            return "the target names no host";
        if (*path != '/')
            path = arena_printf(reader->arena, "/%s", path);
    } else if (str_eq(text, "*") && str_eq(request->method, "OPTIONS")) {
        request->path = request->target;
        request->query = "";
        return NULL;
    } else if (text[0] != '/') {
        return "the target does not begin with a slash";
    }
    question = strchr(path, '?');
    request->query = question ? question + 1 : "";
    request->path =
        arena_strndup(reader->arena, path, question ? (size_t)(question - path) : strlen(path));
    return NULL;
}

static size_t count_of(const struct reader *reader, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < reader->count; i++)
        n += slice_is(reader->headers[i].name, name);
    return n;
}

static struct slice value_of(const struct reader *reader, const char *name)
{
    return http1_header(&reader->message->request, name);
}

/* How long the body is, in one way only. */
static const char *read_framing(struct reader *reader)
{
    struct http1__message *message = reader->message;
    size_t lengths = count_of(reader, "content-length");
    size_t codings = count_of(reader, "transfer-encoding");
    char number[24];
    struct slice value;

    if (lengths + codings > 1)
        return "the length of the body is given more than once";
    if (codings == 1) {
        if (message->is_http10 ||
            !is_ignoring_case(value_of(reader, "transfer-encoding"), "chunked"))
            return "the transfer coding is not chunked";
        message->chunked = true;
    } else if (lengths == 1) {
        value = value_of(reader, "content-length");
        if (value.len >= sizeof(number) || memchr(value.data, '\0', value.len))
            return "the content length is no number";
        memcpy(number, value.data, value.len);
        number[value.len] = '\0';
        if (!text_to_u64(number, &message->content_length))
            return "the content length is no number";
    }
    return NULL;
}

static const char *read_host(struct reader *reader)
{
    struct http1__message *message = reader->message;
    size_t hosts = count_of(reader, "host");
    struct slice host = value_of(reader, "host");

    if (hosts > 1 || (hosts == 0 && !message->is_http10))
        return "there is not exactly one Host";
    if (!is_host_text(host))
        return "the Host is malformed";
    if (message->request.host.len == 0)
        message->request.host = hosts ? host : slice_of("");
    return NULL;
}

static const char *check_semantics(struct reader *reader)
{
    static const char *const SINGLE[] = {"authorization", "content-type", "expect"};
    const char *why = read_host(reader);

    if (!why)
        why = read_framing(reader);
    for (size_t i = 0; i < ARRAY_LEN(SINGLE) && !why; i++) {
        if (count_of(reader, SINGLE[i]) > 1)
            why = "a header that may stand once stands twice";
    }
    return why;
}

static unsigned read_expectation(struct reader *reader)
{
    struct slice expect = value_of(reader, "expect");

    if (!expect.data || reader->message->is_http10)
        return 0;
    if (!is_ignoring_case(expect, "100-continue"))
        return 417;
    reader->message->expects_continue = true;
    return 0;
}

static unsigned fill_message(struct reader *reader, struct slice target, const char **ret_why)
{
    struct http1__message *message = reader->message;

    if (!tidy_headers(reader)) {
        *ret_why = "a header name is no token";
        return 400;
    }
    message->request.headers =
        arena_memdup(reader->arena, reader->headers, reader->count * sizeof(reader->headers[0]));
    message->request.header_count = reader->count;
    message->request.method =
        arena_strdup(reader->arena, llhttp_method_name((llhttp_method_t)reader->parser.method));
    message->is_http10 = reader->parser.http_minor == 0;
    message->is_head = str_eq(message->request.method, "HEAD");
    message->keep_alive = reader->keep_alive;
    *ret_why = "tunnels are not offered";
    if (str_eq(message->request.method, "CONNECT"))
        return 501;
    *ret_why = read_target(reader, target);
    if (!*ret_why)
        *ret_why = check_semantics(reader);
    if (*ret_why)
        return 400;
    *ret_why = "the expectation is not known";
    return read_expectation(reader);
}

static unsigned run_llhttp(struct reader *reader, struct slice head, const char **ret_why)
{
    static const llhttp_settings_t SETTINGS = {.on_header_field = on_header_field,
                                               .on_header_value = on_header_value,
                                               .on_headers_complete = on_headers_complete};
    llhttp_errno_t error;

    llhttp_init(&reader->parser, HTTP_REQUEST, (llhttp_settings_t *)&SETTINGS);
    error = llhttp_execute(&reader->parser, head.data, head.len);
    *ret_why = llhttp_get_error_reason(&reader->parser);
    if (!*ret_why || !**ret_why)
        *ret_why = "the head is malformed";
    if (reader->too_many) {
        *ret_why = "there are too many headers";
        return 431;
    }
    if (error == HPE_INVALID_METHOD) {
        *ret_why = "the method is not known";
        return 501;
    }
    if (error == HPE_INVALID_VERSION ||
        (reader->complete && (reader->parser.http_major != 1 || reader->parser.http_minor > 1))) {
        *ret_why = "the version is not HTTP/1.1";
        return 505;
    }
    /* An upgrade that is asked for is not granted, which is done by not answering 101. */
    if ((error != HPE_OK && error != HPE_PAUSED_UPGRADE) || !reader->complete)
        return 400;
    return 0;
}

struct http1__message *http1__read_head(struct slice head, unsigned *ret_status,
                                        const char **ret_why)
{
    struct reader reader = {.arena = arena_new(0)};
    struct slice copy = {arena_memdup(reader.arena, head.data, head.len), head.len};
    struct slice target = {0};
    unsigned status = 0;

    reader.message = ARENA_NEW(reader.arena, struct http1__message);
    reader.message->request.arena = reader.arena;
    *ret_why = split_request_line(copy, &target);
    if (*ret_why) {
        status = 400;
    } else if (target.len > TARGET_BYTES_MAX) {
        *ret_why = "the target is too long";
        status = 414;
    }
    if (status == 0)
        status = run_llhttp(&reader, copy, ret_why);
    if (status == 0)
        status = fill_message(&reader, target, ret_why);
    if (status == 0)
        return reader.message;
    *ret_status = status;
    arena_free(reader.arena);
    return NULL;
}
