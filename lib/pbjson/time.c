/* SPDX-License-Identifier: Apache-2.0 */
/* Timestamps and durations with nanoseconds. The calendar is computed here: timegm would take
 * month 13. */
#include <stdio.h>
#include "internal.h"

#define TIMESTAMP_MIN (-62135596800LL) /* 0001-01-01T00:00:00Z */
#define TIMESTAMP_MAX 253402300799LL   /* 9999-12-31T23:59:59Z */
#define DURATION_MAX 315576000000LL    /* ± ten thousand years */
#define NANOS_MAX 999999999

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly n digits. */
static bool number(const char **at, int n, int *ret)
{
    int value = 0;

    for (int i = 0; i < n; i++, (*at)++) {
        if (!is_digit(**at))
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret = value;
    return true;
}

static bool literal(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* Behind a point: 1 to 9 digits. */
static bool fraction(const char **at, int32_t *ret_nanos)
{
    int32_t value = 0;
    int n = 0;

    for (; is_digit(**at); (*at)++, n++) {
        if (n == 9)
            return false;
        value = value * 10 + (**at - '0');
    }
    if (!n)
        return false;
    for (; n < 9; n++)
        value *= 10;
    *ret_nanos = value;
    return true;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar: years begin in March, eras have 400
 * years. */
static int64_t days_from_date(int64_t year, int month, int day)
{
    int64_t era, of_era, of_year;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    of_era = year - era * 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
    int64_t era, of_era, year_of_era, of_year, month;

    days += 719468;
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;
    year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * of_year + 2) / 153;
    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

static int days_of_month(int year, int month)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return DAYS[month - 1] + (month == 2 && leap);
}

/* Z or ±hh:mm at the end. */
static bool parse_offset(const char *at, int *ret_seconds)
{
    bool negative = *at == '-';
    int hours, minutes;

    if (strcmp(at, "Z") == 0) {
        *ret_seconds = 0;
        return true;
    }
    if (*at != '+' && *at != '-')
        return false;
    at++;
    if (!number(&at, 2, &hours) || !literal(&at, ':') || !number(&at, 2, &minutes) || *at ||
        hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (hours * 3600 + minutes * 60) * (negative ? -1 : 1);
    return true;
}

bool pbjson__parse_timestamp(const char *text, int64_t *ret_seconds, int32_t *ret_nanos)
{
    int year, month, day, hour, minute, second, offset;
    int32_t nanos = 0;
    int64_t seconds;

    if (!number(&text, 4, &year) || !literal(&text, '-') || !number(&text, 2, &month) ||
        !literal(&text, '-') || !number(&text, 2, &day) || !literal(&text, 'T') ||
        !number(&text, 2, &hour) || !literal(&text, ':') || !number(&text, 2, &minute) ||
        !literal(&text, ':') || !number(&text, 2, &second))
        return false;
    if (*text == '.') {
        text++;
        if (!fraction(&text, &nanos))
            return false;
    }
    if (!parse_offset(text, &offset) || year < 1 || month < 1 || month > 12 || day < 1 ||
        day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 59)
        return false;
    seconds =
        days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX)
        return false;
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return true;
}

/* "", ".5", ".123456789": 0, 3, 6 or 9 digits. */
static void format_nanos(int32_t nanos, char out[16])
{
    if (nanos == 0)
        out[0] = '\0';
    else if (nanos % 1000000 == 0)
        snprintf(out, 16, ".%03d", nanos / 1000000);
    else if (nanos % 1000 == 0)
        snprintf(out, 16, ".%06d", nanos / 1000);
    else
        snprintf(out, 16, ".%09d", nanos);
}

bool pbjson__format_timestamp(int64_t seconds, int32_t nanos, char out[64])
{
    int year, month, day, rest;
    int64_t days;
    char part[16];

    if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX || nanos < 0 || nanos > NANOS_MAX)
        return false;
    days = seconds / 86400 - (seconds % 86400 < 0);
    rest = (int)(seconds - days * 86400);
    date_from_days(days, &year, &month, &day);
    format_nanos(nanos, part);
    snprintf(out, 64, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", year, month, day, rest / 3600,
             rest / 60 % 60, rest % 60, part);
    return true;
}

bool pbjson__parse_duration(const char *text, int64_t *ret_seconds, int32_t *ret_nanos)
{
    bool negative = literal(&text, '-');
    int64_t seconds = 0;
    int32_t nanos = 0;

    if (!is_digit(*text))
        return false;
    for (; is_digit(*text); text++) {
        seconds = seconds * 10 + (*text - '0');
        if (seconds > DURATION_MAX)
            return false;
    }
    if (*text == '.') {
        text++;
        if (!fraction(&text, &nanos))
            return false;
    }
    if (strcmp(text, "s") != 0 || (seconds == DURATION_MAX && nanos))
        return false;
    *ret_seconds = negative ? -seconds : seconds;
    *ret_nanos = negative ? -nanos : nanos;
    return true;
}

bool pbjson__format_duration(int64_t seconds, int32_t nanos, char out[64])
{
    bool negative = seconds < 0 || nanos < 0;
    char part[16];

    if (seconds < -DURATION_MAX || seconds > DURATION_MAX || nanos < -NANOS_MAX ||
        nanos > NANOS_MAX || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0))
        return false;
    format_nanos(nanos < 0 ? -nanos : nanos, part);
    snprintf(out, 64, "%s%lld%ss", negative ? "-" : "",
             (long long)(seconds < 0 ? -seconds : seconds), part);
    return true;
}
