/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "echo_service.h"

struct echo_call {
    struct echo_service *service;
    struct rpc_call *call;
    struct loop_timer *timer;
    const Plankton__Test__EchoRequest *request;
    uint32_t sent;
    uint64_t total_bytes;
};

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    struct echo_call *self = userdata;

    self->service->closed++;
    self->service->cancelled += status == STATUS_CANCELLED;
    self->service->expired += status == STATUS_DEADLINE_EXCEEDED;
    if (self->service->paused == call)
        self->service->paused = NULL;
    loop_timer_free(self->timer);
    self->timer = NULL;
}

static void fail(struct rpc_call *call, const Plankton__Test__EchoRequest *request)
{
    struct error err = {0};

    error_field(&err, (enum status)request->fail_with, "TEST_REASON", "text", "%s", request->text);
    err.retry_after_ms = 1500;
    rpc_call_fail(call, &err);
}

static void fill(struct arena *arena, const Plankton__Test__EchoRequest *request,
                 Plankton__Test__EchoReply *reply)
{
    plankton__test__echo_reply__init(reply);
    reply->text = request->text;
    reply->payload = request->payload;
    if (request->reply_bytes) {
        reply->payload.len = request->reply_bytes;
        reply->payload.data = arena_zalloc(arena, request->reply_bytes);
    }
}

static void reply_unary(struct rpc_call *call, const Plankton__Test__EchoRequest *request)
{
    Plankton__Test__EchoReply reply;

    fill(rpc_call_arena(call), request, &reply);
    reply.number = 1;
    plankton_test_echo_unary_reply(call, &reply);
}

static void delay_over(void *userdata)
{
    struct echo_call *self = userdata;

    reply_unary(self->call, self->request);
}

static struct echo_call *echo_call_new(struct rpc_call *call)
{
    struct echo_call *self = ARENA_NEW(rpc_call_arena(call), struct echo_call);

    self->service = rpc_call_service(call);
    self->call = call;
    return self;
}

/* Every value of x-echo comes back as a header, every one of x-echo-bin as a trailer; a header and
 * a trailer get the name that x-set says. */
static void echo_metadata(struct rpc_call *call)
{
    const char *compression = rpc_call_metadata(call, "x-compress"), *text;
    const char *name = rpc_call_metadata(call, "x-set");
    struct slice binary;

    if (compression)
        rpc_call_set_compression(call, str_eq(compression, "gzip") ? RPC_GZIP : RPC_DEFLATE);
    if (name) {
        rpc_call_set_header(call, name, "header");
        rpc_call_set_trailer(call, name, "trailer");
    }
    for (size_t i = 0; (text = rpc_call_metadata_nth(call, "x-echo", i)); i++)
        rpc_call_set_header(call, "x-echo", text);
    for (size_t i = 0; rpc_call_metadata_bin_nth(call, "x-echo-bin", i, &binary); i++)
        rpc_call_set_trailer_bin(call, "x-echo-bin", binary);
}

static void unary(struct rpc_call *call, const Plankton__Test__EchoRequest *request)
{
    static const struct rpc_callbacks callbacks = {.on_close = on_close};
    struct echo_service *service = rpc_call_service(call);

    service->calls++;
    if (rpc_call_peer_identity(call)[0])
        snprintf(service->identity, sizeof service->identity, "%s", rpc_call_peer_identity(call));
    service->compressed_in += rpc_call_message_compressed(call);
    echo_metadata(call);
    if (request->fail_with) {
        fail(call, request);
    } else if (request->delay_ms) {
        struct echo_call *self = echo_call_new(call);
        rpc_call_set_callbacks(call, &callbacks, self);
        self->request = request;
        self->timer = loop_timer_new(service->loop, delay_over, self);
        loop_timer_start(self->timer, request->delay_ms, 0);
    } else {
        reply_unary(call, request);
    }
}

static void send_more(struct rpc_call *call, void *userdata)
{
    struct echo_call *self = userdata;
    Plankton__Test__EchoReply reply;

    fill(rpc_call_arena(call), self->request, &reply);
    while (self->sent < self->request->count && rpc_call_writable(call)) {
        reply.number = ++self->sent;
        if (plankton_test_echo_server_stream_send(call, &reply) != STATUS_OK)
            return;
    }
    if (self->sent == self->request->count && self->request->fail_with)
        fail(call, self->request);
    else if (self->sent == self->request->count)
        rpc_call_finish(call);
}

static void server_stream(struct rpc_call *call, const Plankton__Test__EchoRequest *request)
{
    static const struct rpc_callbacks callbacks = {.on_writable = send_more, .on_close = on_close};
    struct echo_call *self = echo_call_new(call);

    self->service->calls++;
    self->request = request;
    rpc_call_set_callbacks(call, &callbacks, self);
    send_more(call, self);
}

static void client_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    const Plankton__Test__EchoRequest *request =
        plankton_test_echo_client_stream_request_of(message);
    struct echo_call *self = userdata;

    self->total_bytes += strlen(request->text) + request->payload.len;
    self->service->bytes_in += request->payload.len;
}

static void client_end(struct rpc_call *call, void *userdata)
{
    struct echo_call *self = userdata;
    Plankton__Test__EchoReply reply = PLANKTON__TEST__ECHO_REPLY__INIT;

    reply.total_bytes = self->total_bytes;
    plankton_test_echo_client_stream_reply(call, &reply);
}

static void client_stream(struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {
        .on_message = client_message, .on_end = client_end, .on_close = on_close};
    struct echo_call *self = echo_call_new(call);

    self->service->calls++;
    rpc_call_set_callbacks(call, &callbacks, self);
    if (self->service->pause_input) {
        self->service->paused = call;
        rpc_call_pause(call);
    }
}

static void bidi_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    const Plankton__Test__EchoRequest *request = plankton_test_echo_bidi_request_of(message);
    struct echo_call *self = userdata;
    Plankton__Test__EchoReply reply;
    struct arena arena AUTO(arena_fini);

    arena_init(&arena, 0);
    self->service->compressed_in += rpc_call_message_compressed(call);
    if (request->fail_with) {
        fail(call, request);
        return;
    }
    fill(&arena, request, &reply);
    for (uint32_t i = 0; i < MAX_OF(request->count, 1u); i++) {
        if (str_eq(request->text, "plain"))
            rpc_call_set_compression(call, RPC_IDENTITY);
        else if (str_eq(request->text, "gzip"))
            rpc_call_set_compression(call, RPC_GZIP);
        reply.number = ++self->sent;
        if (plankton_test_echo_bidi_send(call, &reply) != STATUS_OK)
            return;
    }
}

static void bidi_end(struct rpc_call *call, void *userdata)
{
    rpc_call_finish(call);
}

static void bidi(struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {
        .on_message = bidi_message, .on_end = bidi_end, .on_close = on_close};
    struct echo_call *self = echo_call_new(call);

    self->service->calls++;
    rpc_call_set_callbacks(call, &callbacks, self);
}

void echo_service_resume(struct echo_service *service)
{
    if (service->paused)
        rpc_call_resume(service->paused);
}

const struct plankton_test_echo_ops echo_service_ops = {
    .unary = unary,
    .server_stream = server_stream,
    .client_stream = client_stream,
    .bidi = bidi,
};
