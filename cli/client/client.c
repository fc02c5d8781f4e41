/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <signal.h>
#include <stdio.h>

#include "base/id.h"
#include "base/slice.h"
#include "plankton/v1/task_logger.rpc.h"

enum status client_open(const struct invocation *in, struct client *ret, struct error *err)
{
    *ret = (struct client){.arena = in->arena};
    enum status st = client_discover(&in->connection, in->arena, ret, err);

    if (st != STATUS_OK)
        return st;
    if (ret->uses_tls) {
        ret->tls = net_tls_new(&ret->tls_options, err);
        if (!ret->tls)
            return err->status;
    }
    const struct rpc_channel_options options = rpc_channel_defaults(ret->authorization, ret->tls);
    ret->loop = loop_new();
    ret->controller_channel = rpc_channel_new(ret->loop, ret->controller, &options);
    if (ret->logger)
        ret->logger_channel = rpc_channel_new(ret->loop, ret->logger, &options);
    return STATUS_OK;
}

void client_close(struct client *client)
{
    if (!client->loop)
        return;
    rpc_channel_free(client->controller_channel);
    if (client->logger_channel)
        rpc_channel_free(client->logger_channel);
    if (client->sigint)
        loop_signal_free(client->sigint);
    loop_free(client->loop);
    net_tls_unref(client->tls);
    *client = (struct client){0};
}

static void on_interrupt(int signum, void *userdata)
{
    struct client *client = userdata;

    client->interrupted = true;
    if (client->stream)
        rpc_call_cancel(client->stream);
    loop_stop(client->loop);
}

void client_catch_interrupt(struct client *client)
{
    if (!client->sigint)
        client->sigint = loop_signal_new(client->loop, SIGINT, on_interrupt, client);
}

static bool is_logger(const struct rpc_method *method)
{
    const struct rpc_service_desc *logger = &plankton_v1_task_logger_desc;

    for (size_t i = 0; i < logger->method_count; i++) {
        if (logger->methods[i] == method)
            return true;
    }
    return false;
}

enum status client_channel(struct client *client, const struct rpc_method *method,
                           struct rpc_channel **ret, struct error *err)
{
    *ret = is_logger(method) ? client->logger_channel : client->controller_channel;
    if (!*ret)
        return error_field(err, STATUS_FAILED_PRECONDITION, "NO_ADDRESS", NULL,
                           "no logger is known: give --logger or set PLANKTON_LOGGER");
    return STATUS_OK;
}

/* ---- what outlives its call ---- */

void error_keep(struct error *err, const struct error *from, struct arena *arena)
{
    struct error_violation **tail;

    if (!err)
        return;
    *err = *from;
    tail = &err->violations;
    for (const struct error_violation *v = from->violations; v; v = v->next) {
        struct error_violation *copy = ARENA_NEW(arena, struct error_violation);
        *copy = *v;
        copy->next = NULL;
        copy->field = arena_strdup(arena, v->field);
        copy->description = arena_strdup(arena, v->description);
        copy->hint = arena_strdup(arena, v->hint);
        *tail = copy;
        tail = &copy->next;
    }
    *tail = NULL;
}

ProtobufCMessage *message_keep(const ProtobufCMessage *message, struct arena *arena)
{
    ProtobufCAllocator allocator = rpc_arena_allocator(arena);
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = arena_alloc(arena, len + 1);

    protobuf_c_message_pack(message, packed);
    return protobuf_c_message_unpack(message->descriptor, &allocator, len, packed);
}

char *client_request_id(struct arena *arena)
{
    struct id id = id_make((uint64_t)clock_unix_us() / 1000, 0, random_u64());
    char text[ID_TEXT_BYTES];

    id_format(&id, text);
    return arena_strdup(arena, text);
}

/* ---- unary ---- */

struct waiting {
    struct client *client;
    ProtobufCMessage *response;
    struct error error;
    bool done;
};

static void unary_done(const ProtobufCMessage *response, const struct error *err, void *userdata)
{
    struct waiting *waiting = userdata;

    waiting->done = true;
    if (response)
        waiting->response = message_keep(response, waiting->client->arena);
    else
        error_keep(&waiting->error, err, waiting->client->arena);
    loop_stop(waiting->client->loop);
}

/* "connection refused" alone does not say to whom. */
static void name_peer(struct client *client, const struct rpc_method *method, struct error *err)
{
    bool logger = is_logger(method);

    if (err->status == STATUS_UNAVAILABLE && !err->reason[0])
        error_wrap(err, STATUS_UNAVAILABLE, "cannot reach the %s at %s",
                   logger ? "logger" : "controller", logger ? client->logger : client->controller);
    if (!err->reason[0])
        snprintf(err->reason, sizeof err->reason, "%s", status_name(err->status));
}

static bool asks_to_retry(const struct error *err)
{
    return err->retry_after_ms > 0 &&
           (err->status == STATUS_UNAVAILABLE || err->status == STATUS_RESOURCE_EXHAUSTED);
}

enum status client_call(struct client *client, const struct rpc_method *method,
                        const ProtobufCMessage *request, ProtobufCMessage **ret, struct error *err)
{
    const struct rpc_call_options options = {.timeout_ms = CLIENT_CALL_TIMEOUT_MS};
    uint64_t until_us = clock_monotonic_us() + (uint64_t)CLIENT_RETRY_MS * 1000;
    struct waiting waiting = {.client = client};
    struct rpc_channel *channel;
    enum status st = client_channel(client, method, &channel, err);

    while (st == STATUS_OK) {
        waiting.done = false;
        rpc_channel_unary(channel, method, &options, request, unary_done, &waiting);
        while (!waiting.done)
            loop_run(client->loop);
        if (waiting.response) {
            *ret = waiting.response;
            return STATUS_OK;
        }
        if (!asks_to_retry(&waiting.error) || clock_monotonic_us() > until_us ||
            client->interrupted)
            break;
        client_pause(client, waiting.error.retry_after_ms);
    }
    if (st != STATUS_OK)
        return st;
    name_peer(client, method, &waiting.error);
    if (err)
        *err = waiting.error;
    return waiting.error.status;
}

/* ---- streams ---- */

struct streaming {
    struct client *client;
    client_message_fn fn;
    void *userdata;
    struct error error;
    bool enough, done;
};

static void stream_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct streaming *streaming = userdata;

    if (streaming->enough || streaming->fn(message, streaming->userdata))
        return;
    streaming->enough = true;
    rpc_call_cancel(call);
}

static void stream_closed(struct rpc_call *call, enum status status, const struct error *err,
                          void *userdata)
{
    struct streaming *streaming = userdata;

    error_keep(&streaming->error, err, streaming->client->arena);
    streaming->error.status = status;
    streaming->done = true;
    streaming->client->stream = NULL;
    loop_stop(streaming->client->loop);
}

enum status client_stream(struct client *client, const struct rpc_method *method,
                          const ProtobufCMessage *request, client_message_fn fn, void *userdata,
                          struct error *err)
{
    static const struct rpc_callbacks callbacks = {.on_message = stream_message,
                                                   .on_close = stream_closed};
    struct streaming streaming = {.client = client, .fn = fn, .userdata = userdata};
    struct rpc_channel *channel;
    enum status st = client_channel(client, method, &channel, err);

    if (st != STATUS_OK)
        return st;
    client->stream = rpc_channel_call_with(channel, method, NULL, request, &callbacks, &streaming);
    while (!streaming.done)
        loop_run(client->loop);
    if (streaming.enough)
        return STATUS_OK;
    name_peer(client, method, &streaming.error);
    if (err)
        *err = streaming.error;
    return streaming.error.status;
}

static void pause_over(void *userdata)
{
    struct waiting *waiting = userdata;

    waiting->done = true;
    loop_stop(waiting->client->loop);
}

void client_pause(struct client *client, uint64_t ms)
{
    struct waiting waiting = {.client = client};
    struct loop_timer *timer = loop_timer_new(client->loop, pause_over, &waiting);

    loop_timer_start(timer, ms, 0);
    while (!waiting.done && !client->interrupted)
        loop_run(client->loop);
    loop_timer_free(timer);
}
