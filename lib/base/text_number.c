/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include "base/text.h"

#define FRACTION_DIGITS_MAX 9

struct unit {
    const char *name;
    int64_t factor;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits; *ret_end is where they stop. False without a digit or past 64 bits. */
static bool read_digits(const char *text, uint64_t *ret, const char **ret_end)
{
    uint64_t value = 0;

    if (!is_digit(*text))
        return false;
    for (; is_digit(*text); text++) {
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    }
    *ret = value;
    *ret_end = text;
    return true;
}

bool text_to_u64(const char *text, uint64_t *ret)
{
    const char *end;
    uint64_t value;

    if (!text || !read_digits(text, &value, &end) || *end != '\0')
        return false;
    *ret = value;
    return true;
}

bool text_to_i64(const char *text, int64_t *ret)
{
    bool negative = text && *text == '-';
    const uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value;

    if (!text || !text_to_u64(text + negative, &value) || value > limit)
        return false;
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

/* "1.5s": a decimal number and one of the units, whose product must be whole. A bare number is
 * taken when a unit has no name; a bare 0 always. */
static bool read_quantity(const char *text, const struct unit *units, size_t n, int64_t *ret)
{
    uint64_t whole, fraction = 0, scale = 1;
    const char *end;

    if (!text || !read_digits(text, &whole, &end) || whole > INT64_MAX)
        return false;
    if (*end == '.') {
        const char *digits = end + 1;

        if (!read_digits(digits, &fraction, &end) || end - digits > FRACTION_DIGITS_MAX)
            return false;
        for (; digits < end; digits++)
            scale *= 10;
    } else if (*end == '\0' && whole == 0) {
        *ret = 0;
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        int64_t value;
        uint64_t part;

        if (!str_eq(end, units[i].name))
            continue;
        if (__builtin_mul_overflow((int64_t)whole, units[i].factor, &value) ||
            __builtin_mul_overflow(fraction, (uint64_t)units[i].factor, &part) ||
            part % scale != 0 || __builtin_add_overflow(value, (int64_t)(part / scale), &value))
            return false;
        *ret = value;
        return true;
    }
    return false;
}

static const struct unit DURATION_UNITS[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

bool text_to_duration_ms(const char *text, int64_t *ret_ms)
{
    return read_quantity(text, DURATION_UNITS, ARRAY_LEN(DURATION_UNITS), ret_ms);
}

void text_from_duration_ms(int64_t ms, char *out, size_t out_bytes)
{
    if (ms <= 0) {
        snprintf(out, out_bytes, "0s");
        return;
    }
    if (ms > 1000 && ms % 1000 != 0) {
        int64_t fraction = ms % 1000;
        int digits = 3;

        for (; fraction % 10 == 0; fraction /= 10)
            digits--;
        snprintf(out, out_bytes, "%" PRId64 ".%0*" PRId64 "s", ms / 1000, digits, fraction);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(DURATION_UNITS); i++) {
        if (ms % DURATION_UNITS[i].factor == 0) {
            snprintf(out, out_bytes, "%" PRId64 "%s", ms / DURATION_UNITS[i].factor,
                     DURATION_UNITS[i].name);
            return;
        }
    }
}

bool text_to_bytes(const char *text, int64_t *ret_bytes)
{
    static const struct unit UNITS[] = {
        {"", 1},           {"k", 1000},          {"M", 1000000},
        {"G", 1000000000}, {"T", 1000000000000}, {"Ki", 1 << 10},
        {"Mi", 1 << 20},   {"Gi", 1 << 30},      {"Ti", INT64_C(1) << 40},
    };

    return read_quantity(text, UNITS, ARRAY_LEN(UNITS), ret_bytes);
}
