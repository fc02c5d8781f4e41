/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include "parser.h"

const char *http1_reason(unsigned http_status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } REASONS[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < ARRAY_LEN(REASONS); i++) {
        if (REASONS[i].status == http_status)
            return REASONS[i].reason;
    }
    return "Unknown";
}

void http1__format_date(int64_t unix_s, char out[32])
{
    static const char *const DAYS[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)unix_s;
    struct tm tm;

    gmtime_r(&seconds, &tm);
    snprintf(out, 32, "%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[tm.tm_wday], tm.tm_mday,
             MONTHS[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Nothing that a header's value could end the header with. */
static bool is_value(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* These are this library's own business: a second one of a handler would contradict it. */
static bool is_framing(struct slice name)
{
    static const char *const NAMES[] = {"content-length", "transfer-encoding", "connection"};

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        if (name.len == strlen(NAMES[i]) && strncasecmp(name.data, NAMES[i], name.len) == 0)
            return true;
    }
    return false;
}

static enum status put_headers(struct buf *out, const struct http1__response_head *head)
{
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http1_header *header = &head->headers[i];
        enum status status;

        if (!http1__is_token(header->name) || is_framing(header->name) || !is_value(header->value))
            return STATUS_INVALID_ARGUMENT;
        status = buf_append(out, header->name.data, header->name.len);
        if (status == STATUS_OK)
            status = buf_append(out, ": ", 2);
        if (status == STATUS_OK)
            status = buf_append(out, header->value.data, header->value.len);
        if (status == STATUS_OK)
            status = buf_append(out, "\r\n", 2);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status http1__put_response_head(struct buf *out, const struct http1__response_head *head)
{
    enum status status =
        buf_printf(out, "HTTP/1.1 %u %s\r\n", head->status, http1_reason(head->status));

    if (status == STATUS_OK)
        status = put_headers(out, head);
    if (status == STATUS_OK && head->date)
        status = buf_printf(out, "Date: %s\r\n", head->date);
    if (status == STATUS_OK && head->server)
        status = buf_printf(out, "Server: %s\r\n", head->server);
    if (status == STATUS_OK && head->has_length)
        status = buf_printf(out, "Content-Length: %" PRIu64 "\r\n", head->content_length);
    if (status == STATUS_OK && head->chunked)
        status = buf_printf(out, "Transfer-Encoding: chunked\r\n");
    if (status == STATUS_OK && head->close)
        status = buf_printf(out, "Connection: close\r\n");
    else if (status == STATUS_OK && head->keep_alive_10)
        status = buf_printf(out, "Connection: keep-alive\r\n");
    if (status == STATUS_OK)
        status = buf_append(out, "\r\n", 2);
    return status;
}
