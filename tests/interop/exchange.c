/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "client.h"

#define ZEROS_BYTES (512 << 10)

const size_t client_request_bytes[STREAM_STEPS] = {27182, 8, 1828, 45904};
const int32_t client_response_bytes[STREAM_STEPS] = {31415, 9, 2653, 58979};

static uint8_t zeros[ZEROS_BYTES];

ProtobufCBinaryData client_zeros(size_t bytes)
{
    return (ProtobufCBinaryData){MIN_OF(bytes, sizeof zeros), zeros};
}

bool expect(struct client *client, bool right, const char *fmt, ...)
{
    va_list args;

    if (right)
        return true;
    fprintf(stderr, "%s: ", client->case_name);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

bool expect_payload(struct client *client, const struct reply *reply, size_t bytes)
{
    return expect(client, reply->bytes == bytes, "a payload of %zu bytes instead of %zu",
                  reply->bytes, bytes) &&
           expect(client, reply->all_zero, "the payload has bytes that are not 0");
}

static void read_payload(struct reply *reply, const Grpc__Testing__Payload *payload)
{
    reply->all_zero = true;
    if (!payload)
        return;
    reply->bytes = payload->body.len;
    for (size_t i = 0; i < payload->body.len; i++)
        reply->all_zero &= payload->body.data[i] == 0;
}

static void on_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct exchange *x = userdata;

    x->reply = (struct reply){.all_zero = true, .compressed = rpc_call_message_compressed(call)};
    if (message->descriptor == &grpc__testing__simple_response__descriptor)
        read_payload(&x->reply, ((const Grpc__Testing__SimpleResponse *)message)->payload);
    else if (message->descriptor == &grpc__testing__streaming_output_call_response__descriptor)
        read_payload(&x->reply,
                     ((const Grpc__Testing__StreamingOutputCallResponse *)message)->payload);
    else if (message->descriptor == &grpc__testing__streaming_input_call_response__descriptor)
        x->reply.total =
            ((const Grpc__Testing__StreamingInputCallResponse *)message)->aggregated_payload_size;
    x->has_reply = true;
    rpc_call_pause(call);
    loop_stop(x->client->loop);
}

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    struct exchange *x = userdata;

    x->closed = true;
    x->status = status;
    x->err = *err;
    loop_stop(x->client->loop);
}

void exchange_begin(struct exchange *x, struct client *client, const struct rpc_method *method,
                    const struct rpc_call_options *options, const ProtobufCMessage *request)
{
    static const struct rpc_callbacks callbacks = {.on_message = on_message, .on_close = on_close};

    memset(x, 0, sizeof *x);
    x->client = client;
    if (request)
        x->call = rpc_channel_call_with(client->channel, method, options, request, &callbacks, x);
    else
        x->call = rpc_channel_call(client->channel, method, options, &callbacks, x);
    rpc_call_ref(x->call);
}

bool exchange_send(struct exchange *x, const ProtobufCMessage *request)
{
    return expect(x->client, rpc_call_send(x->call, request) == STATUS_OK,
                  "the call has ended before all was sent");
}

static void wait_for_word(struct exchange *x)
{
    while (!x->has_reply && !x->closed)
        loop_run(x->client->loop);
}

bool exchange_next(struct exchange *x, struct reply *ret)
{
    wait_for_word(x);
    if (!x->has_reply)
        return false;
    *ret = x->reply;
    x->has_reply = false;
    rpc_call_resume(x->call);
    return true;
}

bool exchange_ends(struct exchange *x, enum status status)
{
    struct reply more;

    if (exchange_next(x, &more))
        return expect(x->client, false, "a response that nobody asked for");
    return expect(x->client, x->status == status, "status %s (%s) instead of %s",
                  status_name(x->status), x->err.message, status_name(status));
}

void exchange_done(struct exchange *x)
{
    struct reply more;

    rpc_call_cancel(x->call);
    while (exchange_next(x, &more))
        ; /* came before the cancel */
    rpc_call_unref(x->call);
}

static void waited(void *userdata)
{
    struct client *client = userdata;

    client->waiting = false;
    loop_stop(client->loop);
}

void client_wait_ms(struct client *client, uint64_t ms)
{
    struct loop_timer *timer = loop_timer_new(client->loop, waited, client);

    client->waiting = true;
    loop_timer_start(timer, ms, 0);
    while (client->waiting)
        loop_run(client->loop);
    loop_timer_free(timer);
}

void client_connect(struct client *client)
{
    rpc_channel_free(client->channel);
    client->channel = rpc_channel_new(client->loop, client->address, &client->channel_options);
}
