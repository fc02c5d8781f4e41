/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a request malformed (RFC 9113 section 8), instead of nghttp2's own checks, which are
 * 14 % of the instructions of a unary call: nearly all fields of a connection are the same from
 * request to request, and HPACK hands out the same buffer for them, so a verdict is kept with a
 * reference to its buffers and found again by their address. As there, bytes that have no place in
 * the value of an ordinary field do not fail the request: such a field is left out.
 */
#include <strings.h>
#include "internal.h"

/* What a field says about its request; kept in h2_stream.seen. */
enum {
    SEEN_METHOD = 1,
    SEEN_PATH = 2,
    SEEN_SCHEME = 4,
    SEEN_AUTHORITY = 8,
    SEEN_HOST = 16,
    SEEN_LENGTH = 32,
    SEEN_ONCE = SEEN_METHOD | SEEN_PATH | SEEN_SCHEME | SEEN_AUTHORITY | SEEN_HOST | SEEN_LENGTH,
    SEEN_PSEUDO = 64,
    SEEN_REGULAR = 128,
    SEEN_CONNECT = 256,
    SEEN_OPTIONS = 512,
    SEEN_PATH_ROOTED = 1024,
    SEEN_PATH_STAR = 2048,
    SEEN_SCHEME_HTTP = 4096,
    /* verdicts, not kept */
    FIELD_LEFT_OUT = 8192,
    FIELD_MALFORMED = 16384,
};

#define IS(slice, text)                                                                            \
    ((slice).len == sizeof(text) - 1 && memcmp((slice).data, text, sizeof(text) - 1) == 0)
#define IS_CASELESS(slice, text)                                                                   \
    ((slice).len == sizeof(text) - 1 && strncasecmp((slice).data, text, sizeof(text) - 1) == 0)

static const uint8_t *bytes_of(struct slice text)
{
    return (const uint8_t *)text.data;
}

static bool scheme_is_valid(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i], lower = (char)(c | 0x20);
        bool letter = lower >= 'a' && lower <= 'z';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return value.len > 0;
}

static uint32_t judge_pseudo(struct slice name, struct slice value)
{
    if (value.len == 0)
        return FIELD_MALFORMED;
    if (IS(name, ":method") && nghttp2_check_method(bytes_of(value), value.len))
        return SEEN_PSEUDO | SEEN_METHOD | (IS(value, "CONNECT") ? SEEN_CONNECT : 0) |
               (IS(value, "OPTIONS") ? SEEN_OPTIONS : 0);
    if (IS(name, ":path") && nghttp2_check_path(bytes_of(value), value.len))
        return SEEN_PSEUDO | SEEN_PATH | (value.data[0] == '/' ? SEEN_PATH_ROOTED : 0) |
               (IS(value, "*") ? SEEN_PATH_STAR : 0);
    if (IS(name, ":scheme") && scheme_is_valid(value))
        return SEEN_PSEUDO | SEEN_SCHEME |
               (IS_CASELESS(value, "http") || IS_CASELESS(value, "https") ? SEEN_SCHEME_HTTP : 0);
    if (IS(name, ":authority") && nghttp2_check_authority(bytes_of(value), value.len))
        return SEEN_PSEUDO | SEEN_AUTHORITY;
    return FIELD_MALFORMED;
}

/* False for more than a length can be. */
static bool length_parse(struct slice value, uint64_t *ret)
{
    uint64_t length = 0;

    if (value.len == 0 || value.len > 18)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(value.data[i] - '0');
    }
    *ret = length;
    return true;
}

static bool is_of_the_connection(struct slice name)
{
    return IS(name, "connection") || IS(name, "keep-alive") || IS(name, "proxy-connection") ||
           IS(name, "transfer-encoding") || IS(name, "upgrade");
}

static uint32_t judge(struct slice name, struct slice value)
{
    uint64_t length;

    if (name.len > 0 && name.data[0] == ':')
        return judge_pseudo(name, value);
    if (!nghttp2_check_header_name(bytes_of(name), name.len) || is_of_the_connection(name) ||
        (IS(name, "te") && !IS_CASELESS(value, "trailers")) ||
        (IS(name, "content-length") && !length_parse(value, &length)))
        return FIELD_MALFORMED;
    if (IS(name, "host"))
        return value.len > 0 && nghttp2_check_authority(bytes_of(value), value.len)
                   ? SEEN_REGULAR | SEEN_HOST
                   : FIELD_MALFORMED;
    if (!nghttp2_check_header_value_rfc9113(bytes_of(value), value.len)) {
        /* What could split a field is not merely out of place. */
        bool splits = memchr(value.data, 0, value.len) || memchr(value.data, '\r', value.len) ||
                      memchr(value.data, '\n', value.len);
        return splits ? FIELD_MALFORMED : SEEN_REGULAR | FIELD_LEFT_OUT;
    }
    return SEEN_REGULAR | (IS(name, "content-length") ? SEEN_LENGTH : 0);
}

static struct slice slice_of_rcbuf(nghttp2_rcbuf *rcbuf)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(rcbuf);

    return (struct slice){(const char *)vec.base, vec.len};
}

static void field_release(struct h2_field *field)
{
    if (!field->name)
        return;
    nghttp2_rcbuf_decref(field->name);
    nghttp2_rcbuf_decref(field->value);
    field->name = NULL;
}

void h2__fields_free(struct h2_conn *conn)
{
    for (size_t i = 0; i < H2_FIELDS_KEPT; i++)
        field_release(&conn->fields[i]);
}

static bool value_is(const struct h2_field *kept, nghttp2_rcbuf *value)
{
    nghttp2_vec vec;

    if (kept->value == value)
        return true;
    /* The same text again that the peer does not index, as some do with :path. */
    vec = nghttp2_rcbuf_get_buf(value);
    return vec.len == kept->value_text.len && memcmp(vec.base, kept->value_text.data, vec.len) == 0;
}

/* The place of the field with this name, or the one that is given up for it. Fields come in the
 * same order in each request, so the first look nearly always finds it. */
static struct h2_field *field_place(struct h2_conn *conn, const nghttp2_rcbuf *name)
{
    for (unsigned i = 0; i < H2_FIELDS_KEPT; i++) {
        unsigned at = (conn->field_next + i) % H2_FIELDS_KEPT;
        if (conn->fields[at].name == name) {
            conn->field_next = at + 1;
            return &conn->fields[at];
        }
    }
    return &conn->fields[conn->field_given_up++ % H2_FIELDS_KEPT];
}

const struct h2_field *h2__field(struct h2_conn *conn, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                                 struct h2_field *scratch)
{
    struct h2_field *kept = field_place(conn, name);

    if (kept->name == name && value_is(kept, value))
        return kept;
    *scratch = (struct h2_field){name, value, slice_of_rcbuf(name), slice_of_rcbuf(value), 0};
    scratch->verdict = conn->server ? judge(scratch->name_text, scratch->value_text) : 0;
    if (scratch->name_text.len + scratch->value_text.len > H2_FIELD_KEPT_BYTES_MAX)
        return scratch;
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    field_release(kept);
    *kept = *scratch;
    return kept;
}

enum h2_fate h2__request_field(struct h2_stream *stream, const struct h2_field *field,
                               bool trailers)
{
    uint32_t verdict = field->verdict;

    if (verdict & FIELD_MALFORMED || stream->seen & verdict & SEEN_ONCE ||
        (verdict & SEEN_PSEUDO && (trailers || stream->seen & SEEN_REGULAR)))
        return H2_FIELD_BREAKS;
    stream->seen |= verdict & ~(uint32_t)FIELD_LEFT_OUT;
    if (verdict & SEEN_LENGTH && !length_parse(field->value_text, &stream->content_length))
        return H2_FIELD_BREAKS;
    return verdict & FIELD_LEFT_OUT ? H2_FIELD_LEFT_OUT : H2_FIELD_TAKEN;
}

bool h2__request_is_whole(const struct h2_stream *stream)
{
    uint32_t seen = stream->seen, line = SEEN_METHOD | SEEN_SCHEME | SEEN_PATH;

    if (seen & SEEN_CONNECT)
        return !(seen & (SEEN_SCHEME | SEEN_PATH)) && seen & SEEN_AUTHORITY;
    if ((seen & line) != line || !(seen & (SEEN_AUTHORITY | SEEN_HOST)))
        return false;
    return !(seen & SEEN_SCHEME_HTTP) || seen & SEEN_PATH_ROOTED ||
           (seen & SEEN_OPTIONS && seen & SEEN_PATH_STAR);
}

bool h2__body_fits(struct h2_stream *stream, size_t len, bool last)
{
    stream->body_bytes += len;
    if (!(stream->seen & SEEN_LENGTH))
        return true;
    return last ? stream->body_bytes == stream->content_length
                : stream->body_bytes <= stream->content_length;
}
