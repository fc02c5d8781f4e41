/* SPDX-License-Identifier: Apache-2.0 */
/* Times and foreign text in the form that people read. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

int64_t timestamp_us(const Google__Protobuf__Timestamp *time)
{
    return time ? time->seconds * SECOND_US + time->nanos / 1000 : 0;
}

const char *time_relative(const Google__Protobuf__Timestamp *time, int64_t now_us,
                          struct arena *arena)
{
    int64_t us = now_us - timestamp_us(time);
    bool ahead = us < -SECOND_US;
    const char *unit = "d";
    int64_t n;

    if (!time)
        return "";
    if (us < 0)
        us = ahead ? -us : 0; /* clocks of two machines differ a little */
    if (us < MINUTE_US) {
        n = us / SECOND_US;
        unit = "s";
    } else if (us < HOUR_US) {
        n = us / MINUTE_US;
        unit = "min";
    } else if (us < 2 * DAY_US) {
        n = us / HOUR_US;
        unit = "h";
    } else {
        n = us / DAY_US;
    }
    return ahead ? arena_printf(arena, "in %" PRId64 " %s", n, unit)
                 : arena_printf(arena, "%" PRId64 " %s ago", n, unit);
}

const char *span_text(int64_t us, struct arena *arena)
{
    if (us < 0)
        us = 0;
    if (us < 10000)
        return arena_printf(arena, "%.1f ms", (double)us / 1000);
    if (us < SECOND_US)
        return arena_printf(arena, "%" PRId64 " ms", us / 1000);
    if (us < MINUTE_US)
        return arena_printf(arena, "%.1f s", (double)us / SECOND_US);
    if (us < HOUR_US)
        return arena_printf(arena, "%" PRId64 " min %" PRId64 " s", us / MINUTE_US,
                            us % MINUTE_US / SECOND_US);
    return arena_printf(arena, "%" PRId64 " h %" PRId64 " min", us / HOUR_US,
                        us % HOUR_US / MINUTE_US);
}

/* Length of a colour sequence (ESC [ digits and semicolons m) at the start of text, else 0. */
static size_t colour_sequence(const char *text)
{
    size_t len = 2;

    if (text[0] != '\033' || text[1] != '[')
        return 0;
    len += strspn(text + 2, "0123456789;");
    return text[len] == 'm' ? len + 1 : 0;
}

const char *printable(FILE *out, const char *text, struct arena *arena)
{
    size_t n = 0, skip;
    char *safe;

    if (!isatty(fileno(out)))
        return text;
    safe = arena_alloc(arena, strlen(text) * 2 + sizeof "\033[0m");
    bool colours = output_coloured(out), coloured = false;
    for (const char *c = text; *c; c++) {
        if ((skip = colour_sequence(c)) > 0) {
            coloured |= colours;
            if (colours) {
                memcpy(safe + n, c, skip);
                n += skip;
            }
            c += skip - 1;
        } else if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f) {
            safe[n++] = '^';
            safe[n++] = *c == 0x7f ? '?' : (char)(*c + '@');
        } else {
            safe[n++] = *c;
        }
    }
    memcpy(safe + n, coloured ? "\033[0m" : "", coloured ? sizeof "\033[0m" : 1);
    return safe;
}
