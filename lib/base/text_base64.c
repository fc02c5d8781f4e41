/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

static const char HEX_DIGITS[] = "0123456789abcdef";
static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL_SAFE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void text_to_hex(const void *data, size_t len, char *out)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < len; i++) {
        *out++ = HEX_DIGITS[bytes[i] >> 4];
        *out++ = HEX_DIGITS[bytes[i] & 0x0f];
    }
    *out = '\0';
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

bool text_from_hex(const char *text, size_t len, void *out)
{
    unsigned char *bytes = out;

    if (len % 2 != 0)
        return false;
    for (size_t i = 0; i < len; i += 2) {
        int high = hex_value(text[i]), low = hex_value(text[i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (unsigned char)(high << 4 | low);
    }
    return true;
}

size_t text_base64_bytes(size_t len)
{
    return (len + 2) / 3 * 4 + 1;
}

void text_to_base64(const void *data, size_t len, bool url_safe, bool padded, char *out)
{
    const char *digits = url_safe ? URL_SAFE : STANDARD;
    const unsigned char *bytes = data;

    while (len > 0) {
        size_t n = MIN_OF(len, 3u);
        unsigned group = (unsigned)bytes[0] << 16 | (n > 1 ? (unsigned)bytes[1] << 8 : 0) |
                         (n > 2 ? bytes[2] : 0u);

        for (size_t i = 0; i < 4; i++) {
            if (i <= n)
                *out++ = digits[group >> (18 - 6 * i) & 0x3f];
            else if (padded)
                *out++ = '=';
        }
        bytes += n;
        len -= n;
    }
    *out = '\0';
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

bool text_from_base64(const char *text, size_t len, void *out, size_t *ret_len)
{
    unsigned char *bytes = out;
    size_t digits = len, written = 0;
    unsigned group = 0, bits = 0;

    while (digits > 0 && text[digits - 1] == '=')
        digits--;
    if (len != digits && (len % 4 != 0 || len - digits > 2))
        return false;
    if (digits % 4 == 1)
        return false;
    for (size_t i = 0; i < digits; i++) {
        int value = base64_value(text[i]);

        if (value < 0)
            return false;
        group = (group << 6 | (unsigned)value) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[written++] = (unsigned char)(group >> bits);
        }
    }
    /* Left-over bits must be zero: one value, one text. */
    if (group & ((1u << bits) - 1))
        return false;
    *ret_len = written;
    return true;
}
