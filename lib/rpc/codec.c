/* SPDX-License-Identifier: Apache-2.0 */
/* The small text forms of the gRPC wire: percent-coded messages, timeouts, status numbers, metadata
 * rules. */
#include <stdio.h>
#include "base/text.h"
#include "internal.h"

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c <= 0x7e && c != '%';
}

struct slice rpc__percent_encode(struct arena *arena, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = strlen(text), n = 0;
    char *out = arena_alloc(arena, len * 3 + 1);

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (is_plain(c)) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 15];
    }
    out[n] = '\0';
    return (struct slice){out, n};
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

const char *rpc__percent_decode(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = -1, low = -1;
        if (text.data[i] == '%' && i + 2 < text.len) {
            high = hex_value(text.data[i + 1]);
            low = hex_value(text.data[i + 2]);
        }
        /* A coded NUL would cut the text short for its readers, so it stays coded. */
        if (high < 0 || low < 0 || (high | low) == 0) {
            out[n++] = text.data[i];
            continue;
        }
        out[n++] = (char)(high << 4 | low);
        i += 2;
    }
    out[n] = '\0';
    return out;
}

bool rpc__timeout_parse(struct slice text, uint64_t *ret_us)
{
    uint64_t value = 0;

    if (text.len < 2 || text.len > RPC_TIMEOUT_DIGITS_MAX + 1)
        return false;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    switch (text.data[text.len - 1]) {
    case 'H':
        *ret_us = value * 3600u * 1000000u;
        return true;
    case 'M':
        *ret_us = value * 60u * 1000000u;
        return true;
    case 'S':
        *ret_us = value * 1000000u;
        return true;
    case 'm':
        *ret_us = value * 1000u;
        return true;
    case 'u':
        *ret_us = value;
        return true;
    case 'n':
        *ret_us = (value + 999) / 1000; /* rounding down would turn 1 ns into no time at all */
        return true;
    default:
        return false;
    }
}

void rpc__timeout_format(uint64_t us, char out[12])
{
    static const struct {
        uint64_t us;
        char unit;
    } units[] = {{1, 'u'}, {1000, 'm'}, {1000000, 'S'}, {60000000, 'M'}, {3600000000, 'H'}};
    const uint64_t digits_max = 99999999;

    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        uint64_t value = (us + units[i].us - 1) / units[i].us;
        if (value <= digits_max || i + 1 == ARRAY_LEN(units)) {
            snprintf(out, 12, "%u%c", (unsigned)MIN_OF(value, digits_max), units[i].unit);
            return;
        }
    }
}

bool rpc__status_parse(struct slice text, int32_t *ret)
{
    int32_t value = 0;

    if (text.len == 0 || text.len > 2)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (text.data[i] - '0');
    }
    if (value > STATUS_UNAUTHENTICATED)
        return false;
    *ret = value;
    return true;
}

bool rpc__content_type_is_grpc(struct slice text)
{
    static const char want[] = "application/grpc";
    size_t len = sizeof want - 1;

    if (text.len < len || memcmp(text.data, want, len) != 0)
        return false;
    return text.len == len || text.data[len] == '+' || text.data[len] == ';';
}

struct slice rpc__metadata_to_wire(struct arena *arena, struct slice name, struct slice value)
{
    char *out;

    if (!rpc__metadata_is_binary(name))
        return value;
    out = arena_alloc(arena, text_base64_bytes(value.len));
    text_to_base64(value.data, value.len, false, false, out);
    return slice_of(out);
}

bool rpc__metadata_name_is_free(struct slice name)
{
    /* Of the call itself, and those of HTTP/1.1 that make a message malformed (RFC 9113, 8.2.2). */
    static const char *const taken[] = {
        "te",      "content-type",     "user-agent",        "host",      "connection",
        "upgrade", "proxy-connection", "transfer-encoding", "keep-alive"};

    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        if (slice_is(name, taken[i]))
            return false;
    }
    return name.len > 0 && (name.len < 5 || memcmp(name.data, "grpc-", 5) != 0);
}

bool rpc__metadata_is_binary(struct slice name)
{
    return name.len > 4 && memcmp(name.data + name.len - 4, "-bin", 4) == 0;
}

bool rpc__metadata_value_is_valid(struct slice value)
{
    const uint64_t ones = 0x0101010101010101u, high = ones << 7;
    uint64_t word;
    size_t at = 0;

    /* Eight at a time, for keys and names of agents are long. A byte below 0x20 borrows, one above
     * 0x7e carries into its highest bit. */
    for (; value.len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, value.data + at, sizeof word);
        if (((word - ones * 0x20) | (word + ones) | word) & high)
            return false;
    }
    for (size_t i = at; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] > 0x7e)
            return false;
    }
    return true;
}

enum status rpc__status_from_http(int32_t http_status)
{
    switch (http_status) {
    case 400:
    case 431:
        return STATUS_INTERNAL;
    case 401:
        return STATUS_UNAUTHENTICATED;
    case 403:
        return STATUS_PERMISSION_DENIED;
    case 404:
        return STATUS_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return STATUS_UNAVAILABLE;
    default:
        return STATUS_UNKNOWN;
    }
}

enum status rpc__status_from_h2(uint32_t error_code)
{
    switch (error_code) {
    case H2_CONNECTION_LOST:
    case H2_REFUSED_STREAM:
        return STATUS_UNAVAILABLE;
    case H2_CANCEL:
        return STATUS_CANCELLED;
    case H2_ENHANCE_YOUR_CALM:
        return STATUS_RESOURCE_EXHAUSTED;
    case 12: /* INADEQUATE_SECURITY */
        return STATUS_PERMISSION_DENIED;
    default:
        return STATUS_INTERNAL;
    }
}
