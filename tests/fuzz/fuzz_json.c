/* SPDX-License-Identifier: Apache-2.0 */
/* json_check and jansson agree on what is JSON; text that is written is read back as the same. */
#include <stdlib.h>
#include <string.h>
#include "json/json.h"

#define BYTES_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    AUTO(json_drop) json_t *json = NULL;
    AUTO(json_drop) json_t *again = NULL;
    struct json_positions *positions;
    struct error err = {0};
    json_error_t detail;
    struct arena arena;
    uint32_t line, column;
    char *written;

    arena_init(&arena, 0);
    json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &detail);
    if (json_check(text, BYTES_MAX, &err) != STATUS_OK) {
        /* Stricter than jansson only in depth, and in NUL bytes, which jansson takes for the end.
         */
        if (json && !strstr(err.message, "nested deeper") && !memchr(data, 0, size))
            abort();
        arena_fini(&arena);
        return 0;
    }
    if (!json)
        abort();
    written = json_text(json, &arena);
    if (json_parse_with_positions(slice_of(written), SIZE_MAX, &arena, &again, &positions, &err) !=
        STATUS_OK)
        abort();
    if (!json_equal(json, again))
        abort();
    json_position(positions, "a[0].b", &line, &column);
    if (line != 1 || column < 1)
        abort();
    arena_fini(&arena);
    return 0;
}
