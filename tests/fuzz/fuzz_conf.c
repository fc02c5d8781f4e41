/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file's reader: any bytes give settings or an error, never a crash. */
#include <stdint.h>
#include <stdlib.h>
#include "conf_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
    const char *text;
    bool flag;
    int64_t number, wait_ms, bytes;
};

static const struct conf_option OPTIONS[] = {
    CONF_OPTION("text", CONF_TEXT, NULL, 0, 0, struct settings, text, "a text"),
    CONF_OPTION("flag", CONF_BOOL, NULL, 0, 0, struct settings, flag, "a switch"),
    CONF_OPTION("number", CONF_INT, NULL, 1, 9, struct settings, number, "a number"),
    CONF_OPTION("wait", CONF_DURATION, NULL, 0, 0, struct settings, wait_ms, "a time"),
    CONF_OPTION("bytes", CONF_BYTES, NULL, 0, 0, struct settings, bytes, "a size"),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct conf_program PROGRAM = {"fuzz", "none", OPTIONS, ARRAY_LEN(OPTIONS)};
    struct settings settings = {0};
    struct error err = {0};
    struct arena arena;
    struct conf__load *load;
    enum status status;

    arena_init(&arena, 0);
    load = ARENA_NEW(&arena, struct conf__load);
    load->program = &PROGRAM;
    load->arena = &arena;
    status = conf__read_yaml(load, "x", (struct slice){(const char *)data, size}, &err);
    for (size_t i = 0; i < ARRAY_LEN(OPTIONS) && status == STATUS_OK; i++)
        status = conf__store(&OPTIONS[i], &load->values[i], &settings, &err);
    /* A refusal names its cause. */
    if (status != STATUS_OK && err.message[0] == '\0')
        abort();
    arena_fini(&arena);
    return 0;
}
