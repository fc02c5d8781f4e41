/* SPDX-License-Identifier: Apache-2.0 */
/* Inflating takes anything and stops at its limit; what was deflated comes back. First byte: the
 * coding. */
#include <stdlib.h>
#include "internal.h"
#include "plankton/test/echo.pb-c.h"

#define INFLATED_BYTES_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(enum rpc_compression compression, const uint8_t *data, size_t size)
{
    Plankton__Test__EchoRequest request = PLANKTON__TEST__ECHO_REQUEST__INIT;
    struct slice plain;

    request.payload = (ProtobufCBinaryData){size, (uint8_t *)data};
    size_t len = protobuf_c_message_get_packed_size(&request.base);
    size_t bound = rpc__deflate_bound(compression, len);
    uint8_t *coded = mem_alloc(bound);
    size_t n = rpc__deflate(compression, &request.base, len, coded, bound);
    if (rpc__inflate(compression, (struct slice){(char *)coded, n}, len, &plain, NULL) !=
            STATUS_OK ||
        plain.len != len || (size && memcmp(plain.data + len - size, data, size) != 0))
        abort();
    free(coded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum rpc_compression compression;
    struct slice plain;

    if (size == 0)
        return 0;
    compression = data[0] % 2 ? RPC_GZIP : RPC_DEFLATE;
    if (rpc__inflate(compression, (struct slice){(const char *)data + 1, size - 1},
                     INFLATED_BYTES_MAX, &plain, NULL) == STATUS_OK &&
        plain.len > INFLATED_BYTES_MAX)
        abort();
    round_trip(compression, data + 1, size - 1);
    return 0;
}
