/* SPDX-License-Identifier: Apache-2.0 */
/* Checked bytes unpack within their bound, and what is packed again is accepted again. */
#include <stdint.h>
#include <stdlib.h>
#include "plankton/v1/plan_api.pb-c.h"
#include "plankton/v1/task_worker.pb-c.h"
#include "rpc/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(const ProtobufCMessageDescriptor *desc, struct slice bytes)
{
    struct arena arena AUTO(arena_fini);
    ProtobufCMessage *message;
    uint8_t *packed;
    size_t len;

    arena_init(&arena, 0);
    if (rpc_unpack(desc, bytes, false, &arena, &message, NULL) != STATUS_OK)
        return;
    if (arena.used_bytes > bytes.len * 64 + 65536)
        abort();
    len = protobuf_c_message_get_packed_size(message);
    packed = malloc(len + 1);
    if (protobuf_c_message_pack(message, packed) != len)
        abort();
    if (rpc_wire_check(desc, (struct slice){(char *)packed, len}, false, NULL) != STATUS_OK)
        abort();
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = {(const char *)data, size};

    one(&plankton__v1__worker_message__descriptor, bytes);
    one(&plankton__v1__create_plan_request__descriptor, bytes);
    one(&plankton__v1__run_graph__descriptor, bytes);
    return 0;
}
