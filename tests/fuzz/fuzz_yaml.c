/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever YAML is accepted has a JSON form that is read back as the same document, also by the
 * YAML reader. */
#include <stdlib.h>
#include "json/json.h"

#define BYTES_MAX ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    AUTO(json_drop) json_t *json = NULL;
    AUTO(json_drop) json_t *again = NULL;
    struct json_positions *positions;
    struct error err = {0};
    struct arena arena;
    uint32_t line, column;
    char *written;

    arena_init(&arena, 0);
    if (yaml_parse(text, BYTES_MAX, &arena, &json, &positions, &err) == STATUS_OK) {
        written = json_text(json, &arena);
        if (json_parse(slice_of(written), SIZE_MAX, &again, &err) != STATUS_OK ||
            !json_equal(json, again))
            abort();
        json_position(positions, "a[0].b", &line, &column);
        if (!line)
            abort();
    } else if (!err.message[0]) {
        abort();
    }
    arena_fini(&arena);
    return 0;
}
