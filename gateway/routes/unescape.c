/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "unescape.h"

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

enum status unescape_text(struct slice value, bool keep_reserved, struct arena *arena,
                          const char **ret, struct error *err)
{
    char *out = arena_alloc(arena, value.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];

        if (c == '%') {
            bool room = value.len - i > 2;
            int high = room ? hex_digit(value.data[i + 1]) : -1;
            int low = room ? hex_digit(value.data[i + 2]) : -1;

            if (high < 0 || low < 0)
                return error_set(err, STATUS_INVALID_ARGUMENT, "broken escape in the path");
            c = (char)(high * 16 + low);
            if (!(keep_reserved && c == '/'))
                i += 2;
            else
                c = '%';
        }
        if (!c)
            return error_set(err, STATUS_INVALID_ARGUMENT, "NUL in the path");
        out[len++] = c;
    }
    out[len] = '\0';
    if (!text_is_utf8(out, len))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the path is not valid UTF-8");
    *ret = out;
    return STATUS_OK;
}
