/* SPDX-License-Identifier: Apache-2.0 */
/* The text forms of the gRPC wire take anything, and what they write they read back. */
#include <stdlib.h>
#include "internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text as a value of metadata, and as a list of codings. */
static void as_metadata(struct slice text)
{
    struct rpc_call call = {0};
    struct slice binary;

    arena_init(&call.arena, 0);
    if (memchr(text.data, 0, text.len)) /* HTTP/2 lets no NUL through */
        return;
    rpc__header_add(&call, &call.metadata_in, slice_of("x-bin"), text);
    rpc__header_add(&call, &call.metadata_in, slice_of("x-bin"), slice_of("q80"));
    size_t n = 0;
    while (n <= text.len + 1 && rpc_call_metadata_bin_nth(&call, "x-bin", n, &binary))
        n++;
    if (n > text.len + 2)
        abort();
    rpc__metadata_add(&call, &call.headers_out, "x-bin", text);
    if (!call.headers_out || !rpc__metadata_value_is_valid(call.headers_out->value))
        abort(); /* any bytes may be sent so */
    rpc__metadata_add(&call, &call.trailers_out, "x", text);
    if ((call.trailers_out != NULL) != rpc__metadata_value_is_valid(text))
        abort();
    if (rpc__compression_list_parse(text) & ~7u)
        abort();
    (void)rpc__metadata_name_is_free(text);
    arena_fini(&call.arena);
}

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
    as_metadata(text);
    rpc__details_decode(&arena, arena_strndup(&arena, text.data, text.len), &err);
    if (err.status != STATUS_INVALID_ARGUMENT)
        abort();
    return 0;
}
