/* SPDX-License-Identifier: Apache-2.0 */
#include "parser.h"

bool http1__is_token(struct slice text)
{
    static const char OTHERS[] = "!#$%&'*+-.^_`|~"; /* RFC 9110, 5.6.2 */

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!plain && (c == '\0' || !strchr(OTHERS, c)))
            return false;
    }
    return text.len > 0;
}

struct slice http1_header(const struct http1_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (slice_is(request->headers[i].name, name))
            return request->headers[i].value;
    }
    return (struct slice){NULL, 0};
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

static bool unescape(struct arena *arena, struct slice text, bool plus_is_space, struct slice *ret)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.data[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[len++] = c;
    }
    out[len] = '\0'; /* for callers that check for NUL and then use it as text */
    *ret = (struct slice){out, len};
    return true;
}

bool http1_unescape(struct arena *arena, struct slice text, struct slice *ret)
{
    return unescape(arena, text, false, ret);
}

bool http1_query_next(const struct http1_request *request, size_t *pos, struct slice *ret_name,
                      struct slice *ret_value)
{
    size_t len = strlen(request->query);

    while (*pos < len) {
        const char *pair = request->query + *pos;
        size_t pair_len = strcspn(pair, "&");
        const char *equals = memchr(pair, '=', pair_len);
        size_t name_len = equals ? (size_t)(equals - pair) : pair_len;
        struct slice value = {equals ? equals + 1 : "", equals ? pair_len - name_len - 1 : 0};

        *pos += pair_len + 1;
        if (pair_len == 0)
            continue;
        if (!unescape(request->arena, (struct slice){pair, name_len}, true, ret_name) ||
            !unescape(request->arena, value, true, ret_value)) {
            *pos = SIZE_MAX;
            return false;
        }
        return true;
    }
    return false;
}
