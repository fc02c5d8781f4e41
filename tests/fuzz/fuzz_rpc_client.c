/* SPDX-License-Identifier: Apache-2.0 */
/* Arbitrary bytes come from a "server" into a channel with open calls: each must end exactly once,
 * whatever comes. The first byte says whether good SETTINGS are put before the rest, so that the
 * calls are on their way at once, and whether they may be tried again. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../lib/net/internal.h"
#include "client.h"
#include "echo_service.h"

#define INPUT_BYTES_MAX (64u << 10)
#define CALLS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char settings[] = "\0\0\0\4\0\0\0\0\0";
static struct loop *loop;
static struct rpc_channel *channel;
static size_t ended;

static void check_over(void *userdata)
{
    if (list_empty(&channel->conns))
        loop_stop(loop);
    else
        loop_defer(loop, check_over, NULL);
}

static void on_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    if (message->descriptor != rpc_call_method(call)->output)
        abort();
}

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    if (err->status != status)
        abort();
    ended++;
}

static void open_calls(bool retried)
{
    static const struct rpc_callbacks callbacks = {.on_message = on_message, .on_close = on_close};
    static const struct rpc_retry policy = {
        .attempts_max = 3, .statuses = ~1u, .backoff_initial_ms = 1, .backoff_max_ms = 1};
    static const struct rpc_method *const methods[CALLS] = {
        &plankton_test_echo_unary, &plankton_test_echo_server_stream,
        &plankton_test_echo_client_stream, &plankton_test_echo_bidi};
    struct rpc_call_options options = {.retry = retried ? &policy : NULL, .timeout_ms = 60000};
    Plankton__Test__EchoRequest request = PLANKTON__TEST__ECHO_REQUEST__INIT;

    for (size_t i = 0; i < CALLS; i++) {
        struct rpc_call *call = rpc_channel_call(channel, methods[i], &options, &callbacks, NULL);
        if (rpc_call_send(call, &request.base) != STATUS_OK)
            abort();
        if (methods[i]->kind == RPC_UNARY || methods[i]->kind == RPC_SERVER_STREAM)
            rpc_call_half_close(call);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct rpc_channel_options options = {.header_bytes_max = 4096};
    int ends[2];

    if (!loop)
        loop = loop_new();
    if (size == 0 || size > INPUT_BYTES_MAX)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        abort();
    channel = rpc_channel_new(loop, "unix:/nonexistent", &options);
    rpc__channel_adopt(channel, net__stream_new(loop, ends[0], NULL));
    ended = 0;
    open_calls(data[0] & 2);
    if (!(data[0] & 1) && write(ends[1], settings, sizeof settings - 1) < 0)
        abort();
    if (size > 1 && write(ends[1], data + 1, size - 1) < 0)
        abort();
    shutdown(ends[1], SHUT_WR);
    loop_defer(loop, check_over, NULL);
    loop_run(loop);
    rpc_channel_free(channel);
    close(ends[1]);
    if (ended != CALLS)
        abort();
    return 0;
}
