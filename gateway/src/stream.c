/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server-streaming call as server-sent events. The head is held back for a moment, so that a call
 * that is refused can still say so by its status; a stream with nothing to say yet is then opened
 * by a comment. While the client does not read, the call is paused, and with it the service:
 * nothing piles up here.
 */
#include "base/map.h"
#include "metrics/metrics.h"
#include "reply.h"
#include "routes/problem.h"
#include "routes/render.h"

#define STREAM_OPEN_MS 300   /* without an answer the head is sent anyhow */
#define STREAM_RETRY_MS 1000 /* what clients wait before they come back */

struct stream {
    struct list node;
    struct exchange *exchange;
    const struct route *route;
    struct rpc_call *rpc; /* NULL once it has closed */
    struct loop_timer *timer;
    uint64_t client; /* hash of the credential: the cap is per client */
    bool open;       /* the head was sent */
    bool paused;
    bool leaving; /* the gateway stops: no last event, so that the client comes back */
    bool broken;  /* an event had no JSON form: err says why */
    struct error err;
};

static struct metric streams_open = {
    .name = "gateway_streams_open", .help = "Event streams being served.", .kind = METRIC_GAUGE};

static void detach(struct stream *stream)
{
    struct gateway *gateway = stream->exchange->gateway;

    list_remove(&stream->node);
    gateway->stream_count--;
    metric_set(&streams_open, (double)gateway->stream_count);
    loop_timer_free(stream->timer);
}

static void pause_if_full(struct stream *stream)
{
    if (stream->paused || !stream->rpc || http1_stream_writable(stream->exchange->request))
        return;
    stream->paused = true;
    rpc_call_pause(stream->rpc);
}

static void drained_cb(struct http1_request *request, void *userdata)
{
    struct stream *stream = userdata;

    if (!stream->paused || !stream->rpc)
        return;
    stream->paused = false;
    rpc_call_resume(stream->rpc);
}

/* False when the client has gone: the call is cancelled and closes soon. */
static bool put(struct stream *stream, const char *data, size_t len)
{
    if (http1_stream_write(stream->exchange->request, data, len)) {
        pause_if_full(stream);
        return true;
    }
    if (stream->rpc)
        rpc_call_cancel(stream->rpc);
    return false;
}

static void open_stream(struct stream *stream)
{
    struct http1_request *request = stream->exchange->request;
    int64_t heartbeat_ms = stream->exchange->gateway->settings->heartbeat_ms;
    const char *hello = arena_printf(request->arena, "retry: %d\n\n", STREAM_RETRY_MS);
    struct reply reply;

    if (stream->open)
        return;
    stream->open = true;
    reply_init(&reply, stream->exchange, 200, "text/event-stream");
    reply_header(&reply, "X-Accel-Buffering", "no");
    reply_finish_headers(&reply);
    loop_timer_start(stream->timer, (uint64_t)heartbeat_ms, (uint64_t)heartbeat_ms);
    if (!http1_stream_begin(request, 200, reply.headers, reply.header_count)) {
        if (stream->rpc)
            rpc_call_cancel(stream->rpc);
        return;
    }
    http1_stream_on_drain(request, drained_cb, stream);
    (void)put(stream, hello, strlen(hello));
}

static void timer_cb(void *userdata)
{
    struct stream *stream = userdata;

    if (!stream->open)
        open_stream(stream);
    else if (http1_stream_writable(stream->exchange->request)) /* a full pipe needs no proof */
        (void)put(stream, ":\n\n", 3);
}

static void message_cb(struct rpc_call *rpc, const ProtobufCMessage *message, void *userdata)
{
    struct stream *stream = userdata;
    struct buf event;

    if (stream->broken)
        return;
    buf_init(&event, GATEWAY_ANSWER_BYTES_MAX);
    if (render_event(stream->exchange->gateway->registry, stream->route, message, &event,
                     &stream->err) == STATUS_OK) {
        open_stream(stream);
        (void)put(stream, event.data, event.len);
    } else {
        stream->broken = true;
        rpc_call_cancel(rpc);
    }
    buf_fini(&event);
}

static void put_problem(struct stream *stream, const struct error *err)
{
    struct buf event;

    buf_init(&event, PROBLEM_BYTES_MAX + 64);
    buf_puts(&event, "event: error\ndata: ");
    problem_write(&event, err, problem_http_status(err), stream->exchange->request_id, NULL);
    buf_puts(&event, "\n\n");
    (void)put(stream, event.data, event.len);
    buf_fini(&event);
}

static void closed_cb(struct rpc_call *rpc, enum status status, const struct error *err,
                      void *userdata)
{
    static const char end[] = "event: end\ndata: {}\n\n";
    struct stream *stream = userdata;

    stream->rpc = NULL;
    if (stream->broken)
        err = &stream->err;
    if (status == STATUS_OK)
        open_stream(stream);
    detach(stream);
    if (!stream->open) { /* the answer ends the exchange, and the stream with it */
        reply_problem(stream->exchange, err);
        return;
    }
    if (status == STATUS_OK)
        (void)put(stream, end, sizeof end - 1);
    else if (!stream->leaving)
        put_problem(stream, err);
    reply_account(stream->exchange, 200);
    http1_stream_end(stream->exchange->request);
}

static void client_gone_cb(struct http1_request *request, void *userdata)
{
    struct stream *stream = userdata;

    if (stream->rpc)
        rpc_call_cancel(stream->rpc);
}

static size_t streams_of(const struct gateway *gateway, uint64_t client)
{
    size_t n = 0;

    LIST_EACH((struct list *)&gateway->streams, node)
    {
        n += LIST_ENTRY(node, struct stream, node)->client == client;
    }
    return n;
}

static uint64_t client_of(const struct exchange *exchange)
{
    return hash_text(exchange->authorization ? exchange->authorization : exchange->request->peer);
}

static void call(struct stream *stream, const ProtobufCMessage *message)
{
    static const struct rpc_callbacks callbacks = {.on_message = message_cb, .on_close = closed_cb};
    struct exchange *exchange = stream->exchange;
    const struct route *route = stream->route;
    struct rpc_call_options options = {
        .authorization = exchange->authorization,
        .metadata = call_metadata(exchange),
    };
    struct rpc_channel *channel = exchange->gateway->channels[services_backend_of(route->service)];

    stream->rpc =
        rpc_channel_call_with(channel, route->method, &options, message, &callbacks, stream);
}

void stream_start(struct exchange *exchange, const struct route *route,
                  const ProtobufCMessage *message)
{
    struct gateway *gateway = exchange->gateway;
    uint64_t client = client_of(exchange);
    struct stream *stream;

    if (gateway->stream_count >= GATEWAY_STREAMS_MAX ||
        streams_of(gateway, client) >= (size_t)gateway->settings->streams_per_client) {
        reply_error(exchange, STATUS_RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS",
                    "too many event streams are open");
        return;
    }
    stream = ARENA_NEW(exchange->request->arena, struct stream);
    stream->exchange = exchange;
    stream->route = route;
    stream->client = client;
    list_push(&gateway->streams, &stream->node);
    gateway->stream_count++;
    metric_set(&streams_open, (double)gateway->stream_count);
    stream->timer = loop_timer_new(gateway->loop, timer_cb, stream);
    loop_timer_start(stream->timer, STREAM_OPEN_MS, 0);
    http1_request_on_close(exchange->request, client_gone_cb, stream);
    call(stream, message);
}

/* Clients that see the end without `event: end` come back, to a gateway that lives. */
void stream_end_all(struct gateway *gateway)
{
    LIST_EACH(&gateway->streams, node)
    {
        struct stream *stream = LIST_ENTRY(node, struct stream, node);

        stream->leaving = true;
        if (stream->rpc)
            rpc_call_cancel(stream->rpc);
    }
}
