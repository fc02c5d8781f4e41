/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"
#include <stdio.h>
#include <stdlib.h>

#define PARTS_MAX 10000 /* responses that one call may ask for at a time */

static uint8_t zeros[INTEROP_PAYLOAD_BYTES_MAX];

/* One response that is owed. */
struct part {
    size_t bytes;
    uint64_t delay_ms;
    bool compressed;
};

/* A call that answers with a stream. Parts are sent in order, each after its delay; of a
 * full-duplex call no further request is read meanwhile. */
struct output {
    struct rpc_call *call;
    struct interop_service *service;
    struct loop_timer *timer;
    struct part *parts;
    size_t count, next, cap;
    bool delayed;   /* the next part's delay is over */
    bool collects;  /* half-duplex: nothing is sent before the last request */
    bool all_asked; /* no request comes any more */
};

struct input {
    struct rpc_call *call;
    uint64_t bytes;
};

static void fail(struct rpc_call *call, enum status status, const char *message)
{
    struct error err = {0};

    error_set(&err, status, "%s", message);
    rpc_call_fail(call, &err);
}

static bool size_is_good(int32_t size)
{
    return size >= 0 && size <= INTEROP_PAYLOAD_BYTES_MAX;
}

/* The answer to response_status; false when none is asked for. */
static bool ended_as_asked(struct rpc_call *call, const Grpc__Testing__EchoStatus *asked)
{
    if (!asked || asked->code == STATUS_OK)
        return false;
    fail(call, (enum status)asked->code, asked->message);
    return true;
}

/* Whether the request came as its sender says, if it says; else the call was ended. */
static bool compressed_as_said(struct rpc_call *call, const Grpc__Testing__BoolValue *said)
{
    if (!said || said->value == rpc_call_message_compressed(call))
        return true;
    fail(call, STATUS_INVALID_ARGUMENT,
         said->value ? "the request is not compressed" : "the request is compressed");
    return false;
}

static void compress_as_asked(struct rpc_call *call, bool asked)
{
    rpc_call_set_compression(call, asked ? RPC_GZIP : RPC_IDENTITY);
}

static void echo_metadata(struct rpc_call *call)
{
    const char *initial = rpc_call_metadata(call, "x-grpc-test-echo-initial");
    const char *agent = rpc_call_metadata(call, "user-agent");
    struct slice trailing;

    if (initial)
        rpc_call_set_header(call, "x-grpc-test-echo-initial", initial);
    if (rpc_call_metadata(call, "x-grpc-test-echo-useragent") && agent)
        rpc_call_set_header(call, "x-grpc-test-echo-useragent", agent);
    if (rpc_call_metadata_bin(call, "x-grpc-test-echo-trailing-bin", &trailing))
        rpc_call_set_trailer_bin(call, "x-grpc-test-echo-trailing-bin", trailing);
}

static void empty_call(struct rpc_call *call, const Grpc__Testing__Empty *request)
{
    Grpc__Testing__Empty reply = GRPC__TESTING__EMPTY__INIT;

    echo_metadata(call);
    grpc_testing_test_service_empty_call_reply(call, &reply);
}

static void unary_call(struct rpc_call *call, const Grpc__Testing__SimpleRequest *request)
{
    Grpc__Testing__SimpleResponse reply = GRPC__TESTING__SIMPLE_RESPONSE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;

    echo_metadata(call);
    if (!compressed_as_said(call, request->expect_compressed) ||
        ended_as_asked(call, request->response_status))
        return;
    if (!size_is_good(request->response_size)) {
        fail(call, STATUS_INVALID_ARGUMENT, "response_size is out of range");
        return;
    }
    if (request->response_size > 0) {
        payload.body = (ProtobufCBinaryData){(size_t)request->response_size, zeros};
        reply.payload = &payload;
    }
    if (request->response_compressed)
        compress_as_asked(call, request->response_compressed->value);
    grpc_testing_test_service_unary_call_reply(call, &reply);
}

static void input_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    const Grpc__Testing__StreamingInputCallRequest *request =
        grpc_testing_test_service_streaming_input_call_request_of(message);
    struct input *self = userdata;

    if (compressed_as_said(call, request->expect_compressed) && request->payload)
        self->bytes += request->payload->body.len;
}

static void input_end(struct rpc_call *call, void *userdata)
{
    Grpc__Testing__StreamingInputCallResponse reply =
        GRPC__TESTING__STREAMING_INPUT_CALL_RESPONSE__INIT;
    struct input *self = userdata;

    reply.aggregated_payload_size = (int32_t)self->bytes;
    grpc_testing_test_service_streaming_input_call_reply(call, &reply);
}

static void streaming_input_call(struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {.on_message = input_message,
                                                   .on_end = input_end};
    struct input *self = ARENA_NEW(rpc_call_arena(call), struct input);

    self->call = call;
    echo_metadata(call);
    rpc_call_set_callbacks(call, &callbacks, self);
}

static bool output_send(struct output *self, const struct part *part)
{
    Grpc__Testing__StreamingOutputCallResponse reply =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_RESPONSE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;

    payload.body = (ProtobufCBinaryData){part->bytes, zeros};
    reply.payload = &payload;
    compress_as_asked(self->call, part->compressed);
    return rpc_call_send(self->call, &reply.base) == STATUS_OK;
}

/* Sends what is due and may be sent; ends the call, or asks for more, when nothing is left. */
static void output_go_on(struct output *self)
{
    while (self->next < self->count) {
        const struct part *part = &self->parts[self->next];

        if (!rpc_call_writable(self->call))
            return; /* output_writable follows */
        if (part->delay_ms > 0 && !self->delayed) {
            loop_timer_start(self->timer, part->delay_ms, 0);
            return;
        }
        if (!output_send(self, part))
            return; /* output_close follows */
        self->next++;
        self->delayed = false;
    }
    self->next = self->count = 0;
    if (self->all_asked)
        rpc_call_finish(self->call);
    else
        rpc_call_resume(self->call);
}

static void output_timer(void *userdata)
{
    struct output *self = userdata;

    self->delayed = true;
    output_go_on(self);
}

static void output_writable(struct rpc_call *call, void *userdata)
{
    struct output *self = userdata;

    if (!self->collects)
        output_go_on(self);
}

static void output_close(struct rpc_call *call, enum status status, const struct error *err,
                         void *userdata)
{
    struct output *self = userdata;

    loop_timer_free(self->timer);
    free(self->parts);
}

/* Queues what a request asks for. False: the call was ended instead. */
static bool output_add(struct output *self,
                       const Grpc__Testing__StreamingOutputCallRequest *request)
{
    size_t more = request->n_response_parameters;

    if (ended_as_asked(self->call, request->response_status))
        return false;
    if (more > PARTS_MAX - self->count) {
        fail(self->call, STATUS_RESOURCE_EXHAUSTED, "too many responses are asked for");
        return false;
    }
    if (self->count + more > self->cap) {
        self->cap = self->count + more;
        self->parts = mem_realloc(self->parts, self->cap * sizeof *self->parts);
    }
    for (size_t i = 0; i < more; i++) {
        const Grpc__Testing__ResponseParameters *asked = request->response_parameters[i];

        if (!size_is_good(asked->size) || asked->interval_us < 0) {
            fail(self->call, STATUS_INVALID_ARGUMENT, "a response parameter is out of range");
            return false;
        }
        self->parts[self->count++] =
            (struct part){.bytes = (size_t)asked->size,
                          .delay_ms = ((uint64_t)asked->interval_us + 999) / 1000,
                          .compressed = asked->compressed && asked->compressed->value};
        /* the call's coding must be named before its first message */
        if (self->parts[self->count - 1].compressed)
            compress_as_asked(self->call, true);
    }
    return true;
}

static void duplex_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct output *self = userdata;

    if (!output_add(self, (const Grpc__Testing__StreamingOutputCallRequest *)message) ||
        self->collects || self->count == 0)
        return;
    rpc_call_pause(call);
    output_go_on(self);
}

static void duplex_end(struct rpc_call *call, void *userdata)
{
    struct output *self = userdata;

    self->all_asked = true;
    self->collects = false;
    output_go_on(self);
}

static struct output *output_new(struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {.on_message = duplex_message,
                                                   .on_end = duplex_end,
                                                   .on_writable = output_writable,
                                                   .on_close = output_close};
    struct output *self = ARENA_NEW(rpc_call_arena(call), struct output);

    self->call = call;
    self->service = rpc_call_service(call);
    self->timer = loop_timer_new(self->service->loop, output_timer, self);
    echo_metadata(call);
    rpc_call_set_callbacks(call, &callbacks, self);
    return self;
}

static void streaming_output_call(struct rpc_call *call,
                                  const Grpc__Testing__StreamingOutputCallRequest *request)
{
    struct output *self = output_new(call);

    self->all_asked = true;
    if (output_add(self, request))
        output_go_on(self);
}

static void full_duplex_call(struct rpc_call *call)
{
    output_new(call);
}

static void half_duplex_call(struct rpc_call *call)
{
    output_new(call)->collects = true;
}

const struct grpc_testing_test_service_ops interop_service_ops = {
    .empty_call = empty_call,
    .unary_call = unary_call,
    .streaming_output_call = streaming_output_call,
    .streaming_input_call = streaming_input_call,
    .full_duplex_call = full_duplex_call,
    .half_duplex_call = half_duplex_call,
};
