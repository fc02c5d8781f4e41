/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H
/* Text forms shared by every boundary: numbers, durations, sizes, time stamps, hex, base64, UTF-8,
 * "did you mean". All strict. */
#include "base/slice.h"
#include "base/error.h"

bool text_to_i64(const char *text, int64_t *ret); /* whole text, decimal, range checked */
bool text_to_u64(const char *text, uint64_t *ret);
/* "250ms" "5s" "1.5s" "10m" "2h" "7d"; 0 needs no unit. Never negative. */
bool text_to_duration_ms(const char *text, int64_t *ret_ms);
void text_from_duration_ms(int64_t ms, char *out,
                           size_t out_bytes); /* shortest exact form, e.g. 90000 -> "90s" */
/* "512Mi" "1Gi" "64Ki" "100" (bytes) and decimal k M G. */
bool text_to_bytes(const char *text, int64_t *ret_bytes);
/* RFC 3339, UTC "Z" out with as many digits as needed (0, 3 or 6); offsets accepted in. */
void text_from_unix_us(int64_t unix_us, char *out, size_t out_bytes);
bool text_to_unix_us(const char *text, int64_t *ret_unix_us);
void text_to_hex(const void *data, size_t len, char *out /* 2*len+1 */);
bool text_from_hex(const char *text, size_t len, void *out /* len/2 */);
size_t text_base64_bytes(size_t len); /* space for the text and its NUL */
void text_to_base64(const void *data, size_t len, bool url_safe, bool padded, char *out);
/* Standard or url-safe, padded or not; *ret_len ≤ 3*len/4. */
bool text_from_base64(const char *text, size_t len, void *out, size_t *ret_len);
bool text_is_utf8(const char *data,
                  size_t len); /* rejects overlong forms and surrogates; NUL is allowed */
/* A name: [a-z0-9]([a-z0-9._-]*[a-z0-9])? of at most max bytes (case kept when upper is allowed by
 * the caller's own check). */
bool text_is_name(const char *text, size_t max);
/* The candidate nearest to `word` (edit distance ≤ 2 and less than half its length), or NULL. */
const char *text_nearest(const char *word, const char *const *candidates, size_t n);

#endif
