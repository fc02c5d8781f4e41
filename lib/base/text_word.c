/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#define WORD_BYTES_MAX 64 /* longer words get no suggestion */
#define DISTANCE_MAX 2

/* Length of the well-formed UTF-8 sequence at data (RFC 3629, table in section 4), 0 when there is
 * none. */
static size_t utf8_sequence(const unsigned char *data, size_t left)
{
    unsigned char lead = data[0], low = 0x80, high = 0xBF;
    size_t len;

    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    len = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (left < len)
        return 0;
    if (lead == 0xE0)
        low = 0xA0; /* shorter forms exist */
    else if (lead == 0xED)
        high = 0x9F; /* surrogates */
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F; /* past U+10FFFF */
    if (data[1] < low || data[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((data[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

bool text_is_utf8(const char *data, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)data;
    size_t pos = 0;

    while (pos < len) {
        size_t step;
        uint64_t word;

        /* Eight ASCII bytes at a time: nearly all text is. */
        if (len - pos >= sizeof(word)) {
            memcpy(&word, bytes + pos, sizeof(word));
            if ((word & 0x8080808080808080u) == 0) {
                pos += sizeof(word);
                continue;
            }
        }
        step = utf8_sequence(bytes + pos, len - pos);
        if (step == 0)
            return false;
        pos += step;
    }
    return true;
}

bool text_is_name(const char *text, size_t max)
{
    size_t len = text ? strnlen(text, max + 1) : 0;

    if (len == 0 || len > max)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool edge = i == 0 || i == len - 1;
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!plain && (edge || (c != '.' && c != '_' && c != '-')))
            return false;
    }
    return true;
}

/* Edit distance where swapping two neighbours counts one, the commonest slip of all. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][WORD_BYTES_MAX + 1];
    size_t *before = rows[0], *previous = rows[1], *current = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        previous[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *spare = before;

        current[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = previous[j - 1] + (a[i - 1] != b[j - 1]);

            best = MIN_OF(best, previous[j] + 1);
            best = MIN_OF(best, current[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN_OF(best, before[j - 2] + 1);
            current[j] = best;
        }
        before = previous;
        previous = current;
        current = spare;
    }
    return previous[b_len];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t n)
{
    size_t word_len = word ? strnlen(word, WORD_BYTES_MAX + 1) : 0;
    size_t best = DISTANCE_MAX + 1;
    const char *nearest = NULL;

    if (word_len == 0 || word_len > WORD_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t len = candidates[i] ? strnlen(candidates[i], WORD_BYTES_MAX + 1) : 0;
        size_t d;

        if (len == 0 || len > WORD_BYTES_MAX)
            continue;
        d = distance(word, word_len, candidates[i], len);
        if (d < best && d * 2 < word_len) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}
