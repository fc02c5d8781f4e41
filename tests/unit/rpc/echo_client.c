/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_echo_client ADDRESS: all four kinds of call against a foreign server; exit status 0 when
 * every answer is right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "echo_service.h"

#define TIMEOUT_MS 5000
#define BIDI_ROUNDS 10
#define STREAM_COUNT 50

static struct loop *loop;
static struct rpc_channel *channel;
static int step, failures;
static uint32_t replies;
static const struct rpc_call_options options = {.timeout_ms = TIMEOUT_MS};

static void next_step(void *userdata);

static void expect(bool right, const char *what)
{
    printf("%s %s\n", right ? "ok" : "FAILED", what);
    failures += !right;
}

static void unary_done(const Plankton__Test__EchoReply *response, const struct error *err,
                       void *userdata)
{
    if (!response)
        printf("status %s: %s\n", status_name(err->status), err->message);
    expect(response && str_eq(response->text, "grüße"), "unary");
    next_step(NULL);
}

static void failing_done(const Plankton__Test__EchoReply *response, const struct error *err,
                         void *userdata)
{
    expect(!response && err->status == STATUS_NOT_FOUND && str_eq(err->message, "nö 100%"),
           "status and message");
    next_step(NULL);
}

static void missing_done(const Plankton__Test__EchoReply *response, const struct error *err,
                         void *userdata)
{
    expect(!response && err->status == STATUS_UNIMPLEMENTED, "unimplemented");
    next_step(NULL);
}

static void late_done(const Plankton__Test__EchoReply *response, const struct error *err,
                      void *userdata)
{
    expect(!response && err->status == STATUS_DEADLINE_EXCEEDED, "deadline");
    next_step(NULL);
}

static void stream_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    replies++;
}

static void stream_close(struct rpc_call *call, enum status status, const struct error *err,
                         void *userdata)
{
    expect(status == STATUS_OK && replies == STREAM_COUNT, "server stream");
    next_step(NULL);
}

static void sum_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    expect(plankton_test_echo_client_stream_response_of(message)->total_bytes == 3 * 100000,
           "client stream total");
}

static void sum_close(struct rpc_call *call, enum status status, const struct error *err,
                      void *userdata)
{
    expect(status == STATUS_OK, "client stream");
    next_step(NULL);
}

static void bidi_send(struct rpc_call *call)
{
    Plankton__Test__EchoRequest request = PLANKTON__TEST__ECHO_REQUEST__INIT;

    request.text = (char *)"ping";
    if (plankton_test_echo_bidi_write(call, &request) != STATUS_OK)
        expect(false, "bidi write");
}

static void bidi_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    if (++replies < BIDI_ROUNDS)
        bidi_send(call);
    else
        rpc_call_half_close(call);
}

static void bidi_close(struct rpc_call *call, enum status status, const struct error *err,
                       void *userdata)
{
    expect(status == STATUS_OK && replies == BIDI_ROUNDS, "bidi ping-pong");
    next_step(NULL);
}

static void start_streams(Plankton__Test__EchoRequest *request)
{
    static const struct rpc_callbacks stream = {.on_message = stream_message,
                                                .on_close = stream_close};
    static const struct rpc_callbacks sum = {.on_message = sum_message, .on_close = sum_close};
    static const struct rpc_callbacks bidi = {.on_message = bidi_message, .on_close = bidi_close};
    static uint8_t payload[100000];
    struct rpc_call *call;

    replies = 0;
    switch (step) {
    case 5:
        request->count = STREAM_COUNT;
        plankton_test_echo_server_stream_call(channel, &options, request, &stream, NULL);
        return;
    case 6:
        call = plankton_test_echo_client_stream_call(channel, &options, &sum, NULL);
        request->payload = (ProtobufCBinaryData){sizeof payload, payload};
        for (int i = 0; i < 3; i++)
            expect(plankton_test_echo_client_stream_write(call, request) == STATUS_OK, "write");
        rpc_call_half_close(call);
        return;
    default:
        bidi_send(plankton_test_echo_bidi_call(channel, &options, &bidi, NULL));
    }
}

static void next_step(void *userdata)
{
    Plankton__Test__EchoRequest request = PLANKTON__TEST__ECHO_REQUEST__INIT;
    struct rpc_call_options hurry = {.timeout_ms = 100};

    switch (++step) {
    case 1:
        request.text = (char *)"grüße";
        plankton_test_echo_unary_call(channel, &options, &request, unary_done, NULL);
        return;
    case 2:
        request.fail_with = STATUS_NOT_FOUND;
        request.text = (char *)"nö 100%";
        plankton_test_echo_unary_call(channel, &options, &request, failing_done, NULL);
        return;
    case 3:
        plankton_test_echo_missing_call(channel, &options, &request, missing_done, NULL);
        return;
    case 4:
        request.delay_ms = 2000;
        plankton_test_echo_unary_call(channel, &hurry, &request, late_done, NULL);
        return;
    case 5:
    case 6:
    case 7:
        start_streams(&request);
        return;
    default:
        loop_stop(loop);
    }
}

int main(int argc, char **argv)
{
    loop = loop_new();
    channel = rpc_channel_new(loop, argc > 1 ? argv[1] : "", NULL);
    loop_defer(loop, next_step, NULL);
    loop_run(loop);
    rpc_channel_free(channel);
    loop_free(loop);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
