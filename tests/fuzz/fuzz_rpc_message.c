/* SPDX-License-Identifier: Apache-2.0 */
/* The message framer is fed a body in pieces: however it is cut, paused and resumed, the same
 * messages come out, and it ends in the same state. First byte: kind of method, coding, whether to
 * pause. Second byte: how it is cut. */
#include <stdlib.h>
#include "echo_service.h"
#include "internal.h"

#define MESSAGE_BYTES_MAX (64u << 10)
#define INPUT_BYTES_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    size_t messages, bytes, pending;
    bool closed, request;
};

static struct rpc_end end;
static struct loop *loop;

static void on_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct result *result = userdata;

    result->messages++;
    result->bytes += protobuf_c_message_get_packed_size(message);
}

static struct result feed(const uint8_t *data, size_t size, uint8_t options, uint8_t cut)
{
    struct result result = {0};
    struct rpc_call *call = rpc__call_new(&end);
    uint32_t random = cut;

    call->method = options & 1 ? &plankton_test_echo_unary : &plankton_test_echo_bidi;
    call->encoding_in = (uint8_t)((options >> 1) % 3);
    call->admitted = call->handed_out = true;
    call->callbacks.on_message = on_message;
    call->userdata = &result;
    for (size_t at = 0; at < size;) {
        random = random * 1103515245 + 12345;
        size_t n = cut ? MIN_OF((random >> 16) % (cut * 4u) + 1, size - at) : size;
        call->paused = cut && options & 8 && (random >> 8) % 2;
        rpc__input(call, (struct slice){(const char *)data + at, n});
        at += n;
    }
    call->paused = false;
    rpc__input_pump(call);
    result.pending = call->input_closed ? 0 : rpc__input_pending(call);
    result.closed = call->input_closed;
    result.request = call->request != NULL;
    rpc__call_unlist(call);
    rpc_call_unref(call);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_BYTES_MAX)
        return 0;
    if (!loop) {
        loop = loop_new();
        rpc__end_init(&end, loop, true, MESSAGE_BYTES_MAX);
    }
    struct result whole = feed(data + 2, size - 2, data[0], 0);
    struct result pieces = feed(data + 2, size - 2, data[0], data[1]);
    if (whole.messages != pieces.messages || whole.bytes != pieces.bytes ||
        whole.closed != pieces.closed || whole.pending != pieces.pending ||
        whole.request != pieces.request)
        abort();
    return 0;
}
