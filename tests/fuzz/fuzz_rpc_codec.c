/* SPDX-License-Identifier: Apache-2.0 */
/* The text forms of the gRPC wire take anything, and what they write they read back. */
#include <stdlib.h>
#include "internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena AUTO(arena_fini);
    struct slice text = {(const char *)data, size};
    struct error err = {.status = STATUS_INVALID_ARGUMENT};
    uint64_t us;
    int32_t status;
    char formatted[12];

    arena_init(&arena, 0);
    const char *plain = rpc__percent_decode(&arena, text);
    if (!memchr(data, 0, size) &&
        !str_eq(rpc__percent_decode(&arena, rpc__percent_encode(&arena, plain)), plain))
        abort();
    if (rpc__timeout_parse(text, &us)) {
        uint64_t again = 0;
        rpc__timeout_format(us, formatted);
        if (!rpc__timeout_parse(slice_of(formatted), &again) || again < us)
            abort();
    }
    if (rpc__status_parse(text, &status) && (status < 0 || status > STATUS_UNAUTHENTICATED))
        abort();
    (void)rpc__content_type_is_grpc(text);
    (void)rpc__metadata_value_is_valid(text);
    rpc__details_decode(&arena, arena_strndup(&arena, text.data, text.len), &err);
    if (err.status != STATUS_INVALID_ARGUMENT)
        abort();
    return 0;
}
