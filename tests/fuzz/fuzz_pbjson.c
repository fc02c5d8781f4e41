/* SPDX-License-Identifier: Apache-2.0 */
/* Both ways: text that is read is written as text that is read as the same message; a message from
 * the wire is written as text that is read back, or is refused. The first byte chooses. */
#include <stdlib.h>
#include "json/json.h"
#include "kinds.h"

#define OUT_BYTES_MAX ((size_t)1 << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ProtobufCMessage *read_text(struct slice text, struct arena *arena)
{
    ProtobufCMessage *message = NULL;
    struct error err = {0};

    if (pbjson_from_text(kinds_registry(), &kinds__all__descriptor, text, arena, NULL, &message,
                         &err) == STATUS_OK)
        return message;
    if (!err.message[0] || !err.reason[0])
        abort();
    return NULL;
}

static void round_trip(struct slice text, struct arena *arena)
{
    ProtobufCMessage *message = read_text(text, arena), *again;
    AUTO(buf_fini) struct buf first = {0}, second = {0};
    struct error err = {0};

    if (!message)
        return;
    buf_init(&first, OUT_BYTES_MAX);
    buf_init(&second, OUT_BYTES_MAX);
    if (pbjson_to_text(kinds_registry(), message, NULL, &first, &err) != STATUS_OK)
        abort();
    again = read_text(buf_slice(&first), arena);
    if (!again || pbjson_to_text(kinds_registry(), again, NULL, &second, &err) != STATUS_OK ||
        !slice_eq(buf_slice(&first), buf_slice(&second)))
        abort();
}

static void from_wire(const uint8_t *data, size_t size)
{
    static const struct pbjson_options OPTIONS = {.defaults = true};
    Kinds__All *message = kinds__all__unpack(NULL, size, data);
    AUTO(buf_fini) struct buf out = {0};
    struct error err = {0};

    if (!message)
        return;
    buf_init(&out, OUT_BYTES_MAX);
    if (pbjson_to_text(kinds_registry(), &message->base, &OPTIONS, &out, &err) == STATUS_OK) {
        if (json_check(buf_slice(&out), OUT_BYTES_MAX, &err) != STATUS_OK &&
            !strstr(err.message, "nested deeper") && !strstr(err.message, "duplicate key"))
            abort();
    } else if (!err.message[0]) {
        abort();
    }
    kinds__all__free_unpacked(message, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    char *path;
    struct error err = {0};
    Kinds__All all = KINDS__ALL__INIT;

    if (!size)
        return 0;
    arena_init(&arena, 0);
    if (data[0] == 'w') {
        from_wire(data + 1, size - 1);
    } else if (data[0] == 'p') {
        path = arena_strndup(&arena, (const char *)data + 1, size - 1);
        (void)!pbjson_set_field(kinds_registry(), &all.base, path,
                                path + strcspn(path, "=") + (strchr(path, '=') != NULL), &arena,
                                &err);
    } else {
        round_trip((struct slice){(const char *)data, size}, &arena);
    }
    arena_fini(&arena);
    return 0;
}
