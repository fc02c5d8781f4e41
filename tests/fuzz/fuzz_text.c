/* SPDX-License-Identifier: Apache-2.0 */
/* The text parsers of lib/base: whatever is accepted must be written back to a form that reads the
 * same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/id.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void check_scalars(const char *text)
{
    char out[64];
    int64_t value, again;
    uint64_t whole;
    struct id id, same;

    if (text_to_duration_ms(text, &value)) {
        REQUIRE(value >= 0);
        text_from_duration_ms(value, out, sizeof(out));
        REQUIRE(text_to_duration_ms(out, &again) && again == value);
    }
    if (text_to_unix_us(text, &value)) {
        text_from_unix_us(value, out, sizeof(out));
        REQUIRE(text_to_unix_us(out, &again) && again == value);
    }
    if (text_to_bytes(text, &value))
        REQUIRE(value >= 0);
    if (text_to_u64(text, &whole) && whole <= INT64_MAX)
        REQUIRE(text_to_i64(text, &value) && (uint64_t)value == whole);
    if (id_parse(text, &id)) {
        id_format(&id, out);
        REQUIRE(id_parse(out, &same) && id_eq(&id, &same));
    }
}

static void check_binary(const char *data, size_t size)
{
    char *decoded = malloc(size + 1);
    char *coded = malloc(text_base64_bytes(size) + 2 * size + 1);
    size_t len, again;

    REQUIRE(decoded && coded);
    if (text_from_base64(data, size, decoded, &len)) {
        REQUIRE(len <= size);
        text_to_base64(decoded, len, true, false, coded);
        REQUIRE(text_from_base64(coded, strlen(coded), decoded, &again) && again == len);
    }
    if (text_from_hex(data, size, decoded)) {
        text_to_hex(decoded, size / 2, coded);
        REQUIRE(strlen(coded) == size);
    }
    text_is_utf8(data, size);
    free(decoded);
    free(coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const WORDS[] = {"parameters", "needs", "timeout", "retry", "environment"};
    char *text = malloc(size + 1);

    REQUIRE(text);
    memcpy(text, data, size);
    text[size] = '\0';
    check_scalars(text);
    check_binary(text, size);
    text_is_name(text, 64);
    text_nearest(text, WORDS, ARRAY_LEN(WORDS));
    free(text);
    return 0;
}
