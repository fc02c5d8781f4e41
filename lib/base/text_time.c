/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "base/text.h"

#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)
/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z, the range of RFC 3339 and of protobuf's
 * Timestamp. */
#define UNIX_US_MIN (INT64_C(-62135596800) * US_PER_S)
#define UNIX_US_MAX (INT64_C(253402300800) * US_PER_S - 1)

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. The year starts in March
 * here, so that the leap day is its last; the libc functions would bring the time zone of the
 * machine in. */
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    int64_t era_year, era;
    unsigned year_of_era, day_of_year, day_of_era;

    era_year = month <= 2 ? year - 1 : year;
    era = era_year / 400; /* years are 0 or later here */
    year_of_era = (unsigned)(era_year - era * 400);
    day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void date_from_days(int64_t days, int *ret_year, unsigned *ret_month, unsigned *ret_day)
{
    int64_t shifted = days + 719468; /* from 0000-03-01 */
    int64_t era = shifted / 146097;
    unsigned day_of_era = (unsigned)(shifted - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month = (5 * day_of_year + 2) / 153;

    *ret_day = day_of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = (int)(era * 400 + year_of_era + (*ret_month <= 2));
}

void text_from_unix_us(int64_t unix_us, char *out, size_t out_bytes)
{
    int64_t us = MIN_OF(MAX_OF(unix_us, UNIX_US_MIN), UNIX_US_MAX);
    int64_t fraction = us % US_PER_S;
    int64_t seconds = us / US_PER_S;
    int64_t days, second_of_day;
    unsigned month, day;
    char tail[16];
    int year;

    if (fraction < 0) {
        fraction += US_PER_S;
        seconds--;
    }
    days = seconds / S_PER_DAY;
    second_of_day = seconds % S_PER_DAY;
    if (second_of_day < 0) {
        second_of_day += S_PER_DAY;
        days--;
    }
    date_from_days(days, &year, &month, &day);
    if (fraction == 0)
        snprintf(tail, sizeof(tail), "Z");
    else if (fraction % 1000 == 0)
        snprintf(tail, sizeof(tail), ".%03dZ", (int)(fraction / 1000));
    else
        snprintf(tail, sizeof(tail), ".%06dZ", (int)fraction);
    snprintf(out, out_bytes, "%04d-%02u-%02uT%02d:%02d:%02d%s", year, month, day,
             (int)(second_of_day / 3600), (int)(second_of_day / 60 % 60), (int)(second_of_day % 60),
             tail);
}

/* Exactly `digits` digits at *text, which moves on. */
static bool read_field(const char **text, int digits, unsigned *ret)
{
    unsigned value = 0;

    for (int i = 0; i < digits; i++) {
        char c = (*text)[i];

        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (unsigned)(c - '0');
    }
    *text += digits;
    *ret = value;
    return true;
}

static bool read_char(const char **text, char want, char also)
{
    if (**text != want && **text != also)
        return false;
    (*text)++;
    return true;
}

static bool read_date(const char **text, int64_t *ret_days)
{
    static const unsigned char MONTH_DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year, month, day, last;

    if (!read_field(text, 4, &year) || !read_char(text, '-', '-') || !read_field(text, 2, &month) ||
        !read_char(text, '-', '-') || !read_field(text, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    last = MONTH_DAYS[month - 1];
    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        last = 29;
    if (day > last)
        return false;
    *ret_days = days_from_date(year, month, day);
    return true;
}

/* ".123": one to nine digits, cut to microseconds. */
static bool read_fraction(const char **text, int64_t *ret_us)
{
    int64_t us = 0, unit = US_PER_S / 10;
    int digits = 0;

    *ret_us = 0;
    if (**text != '.')
        return true;
    for ((*text)++; **text >= '0' && **text <= '9'; (*text)++, digits++) {
        us += (**text - '0') * unit;
        unit /= 10;
    }
    *ret_us = us;
    return digits >= 1 && digits <= 9;
}

static bool read_offset(const char **text, int64_t *ret_seconds)
{
    bool west = **text == '-';
    unsigned hours, minutes;

    *ret_seconds = 0;
    if (read_char(text, 'Z', 'z'))
        return true;
    if (!read_char(text, '+', '-') || !read_field(text, 2, &hours) || !read_char(text, ':', ':') ||
        !read_field(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

bool text_to_unix_us(const char *text, int64_t *ret_unix_us)
{
    unsigned hour, minute, second;
    int64_t days, fraction_us, offset_s, us;

    /* Leap seconds are refused, as protobuf's JSON form does: no computer clock shows them. */
    if (!text || !read_date(&text, &days) || !read_char(&text, 'T', 't') ||
        !read_field(&text, 2, &hour) || !read_char(&text, ':', ':') ||
        !read_field(&text, 2, &minute) || !read_char(&text, ':', ':') ||
        !read_field(&text, 2, &second) || hour > 23 || minute > 59 || second > 59 ||
        !read_fraction(&text, &fraction_us) || !read_offset(&text, &offset_s) || *text != '\0')
        return false;
    us =
        (days * S_PER_DAY + hour * 3600 + minute * 60 + second - offset_s) * US_PER_S + fraction_us;
    if (us < UNIX_US_MIN || us > UNIX_US_MAX)
        return false;
    *ret_unix_us = us;
    return true;
}
