/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From body bytes to messages. A message that lies whole in the bytes at hand is unpacked where it
 * is; only what is cut by a frame, or may not be delivered yet, is copied. The peer's window is
 * given back for bytes that were delivered, and for those of an incomplete message at the head,
 * which could else never be completed; never for messages that the user has paused.
 */
#include "internal.h"

/* Streaming input goes to on_message as it comes; a single message is kept in the call's arena. */
static bool input_streams(const struct rpc_call *call)
{
    enum rpc_kind kind = call->method->kind;

    if (call->end->server)
        return kind == RPC_CLIENT_STREAM || kind == RPC_BIDI;
    return kind == RPC_SERVER_STREAM || kind == RPC_BIDI;
}

static bool may_deliver(const struct rpc_call *call)
{
    if (call->paused || call->input_closed || call->closed)
        return false;
    if (!call->end->server)
        return true;
    if (!call->admitted)
        return false;
    return !input_streams(call) || (call->handed_out && call->callbacks.on_message);
}

static void input_failed(struct rpc_call *call, const struct error *err)
{
    rpc__input_close(call);
    if (call->end->server)
        rpc__server_input_failed(call, err);
    else
        rpc__client_input_failed(call, err);
}

static enum status unpack(struct rpc_call *call, bool streams, struct slice bytes,
                          ProtobufCMessage **ret, struct error *err)
{
    struct rpc_end *end = call->end;
    const ProtobufCMessageDescriptor *desc =
        end->server ? call->method->input : call->method->output;
    enum status st;

    if (call->in_compressed) {
        st = rpc__inflate((enum rpc_compression)call->encoding_in, bytes, end->message_bytes_max,
                          &bytes, err);
        if (st != STATUS_OK)
            return st;
    }
    st = rpc_unpack(desc, bytes, end->server && call->method->rejects_unknown && !streams,
                    streams ? &end->scratch : &call->arena, ret, err);
    if (call->in_compressed)
        rpc__inflate_done();
    if (st != STATUS_OK && !end->server)
        err->status = STATUS_INTERNAL; /* the peer's answer is at fault, not our request */
    return st;
}

static void deliver(struct rpc_call *call, struct slice bytes)
{
    struct rpc_end *end = call->end;
    bool streams = input_streams(call);
    ProtobufCMessage *message = NULL;
    struct error err; /* not cleared: it is large, and whoever fails fills it */

    if (++call->messages_in > 1 && !streams) {
        error_set(&err, end->server ? STATUS_UNIMPLEMENTED : STATUS_INTERNAL,
                  "more than one message where one was expected");
        input_failed(call, &err);
        return;
    }
    if (unpack(call, streams, bytes, &message, &err) != STATUS_OK) {
        input_failed(call, &err);
        return;
    }
    if (end->server && !streams) {
        call->request = message;
        return;
    }
    if (call->callbacks.on_message)
        call->callbacks.on_message(call, message, call->userdata);
    if (streams && call->end)
        arena_reset(&call->end->scratch);
}

/* Checks a prefix. False: the call has failed. */
static bool prefix_read(struct rpc_call *call, const char *data, size_t *ret_len)
{
    const uint8_t *p = (const uint8_t *)data;
    size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    struct error err;

    *ret_len = len;
    if (p[0] <= (call->encoding_in != RPC_IDENTITY) && len <= call->end->message_bytes_max)
        return true;
    if (p[0] > 1)
        error_set(&err, STATUS_INTERNAL, "bad message prefix");
    else if (p[0] > (call->encoding_in != RPC_IDENTITY))
        error_set(&err, STATUS_INTERNAL, "a compressed message without grpc-encoding");
    else
        error_field(&err, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", NULL,
                    "a message of %zu bytes is larger than %zu", len, call->end->message_bytes_max);
    input_failed(call, &err);
    return false;
}

/* Delivers the whole messages at the head of bytes. Returns how many bytes they had. */
static size_t parse(struct rpc_call *call, struct slice bytes)
{
    size_t at = 0, len;

    while (bytes.len - at >= RPC_PREFIX_BYTES && may_deliver(call)) {
        if (!prefix_read(call, bytes.data + at, &len))
            return bytes.len;
        if (bytes.len - at - RPC_PREFIX_BYTES < len)
            break;
        const char *body = bytes.data + at + RPC_PREFIX_BYTES;
        call->in_compressed = bytes.data[at] != 0;
        at += RPC_PREFIX_BYTES + len;
        deliver(call, (struct slice){body, len});
    }
    return at;
}

size_t rpc__input_pending(const struct rpc_call *call)
{
    return call->in.len - call->in_at;
}

void rpc__input_account(struct rpc_call *call)
{
    h2_stream_hold(&call->stream, call->in.cap + call->arena.used_bytes);
}

static void give_credit(struct rpc_call *call)
{
    size_t held = MIN_OF(rpc__input_pending(call), call->uncredited);

    if (held > 0 && may_deliver(call))
        held = 0;

    if (call->uncredited > held)
        h2_consume(&call->stream, call->uncredited - held);
    call->uncredited = held;
}

static bool keep(struct rpc_call *call, struct slice bytes)
{
    struct error err;

    if (call->in_at > 0 && call->in_at >= rpc__input_pending(call)) {
        buf_consume(&call->in, call->in_at);
        call->in_at = 0;
    }
    if (buf_append(&call->in, bytes.data, bytes.len) == STATUS_OK)
        return true;
    error_set(&err, STATUS_RESOURCE_EXHAUSTED, "too many bytes wait to be read");
    input_failed(call, &err);
    return false;
}

static void pump_kept(struct rpc_call *call)
{
    /* The buffer stays where it is: nothing is appended while messages in it are delivered. */
    struct slice bytes = {call->in.data + call->in_at, rpc__input_pending(call)};
    size_t n = parse(call, bytes);

    if (call->input_closed)
        return;
    call->in_at += n;
    if (call->in_at < call->in.len)
        return;
    /* After the only message nothing is gathered any more: what it was gathered in, up to twice its
     * size, would be held until the call ends. */
    if (!input_streams(call) && call->in.cap > RPC_INPUT_KEEP_BYTES)
        buf_fini(&call->in);
    buf_clear(&call->in);
    call->in_at = 0;
}

void rpc__input(struct rpc_call *call, struct slice bytes)
{
    if (call->input_closed || call->closed) {
        h2_consume(&call->stream, bytes.len);
        return;
    }
    rpc_call_ref(call);
    call->uncredited += bytes.len;
    if (rpc__input_pending(call) > 0) {
        if (keep(call, bytes))
            pump_kept(call);
    } else {
        size_t n = parse(call, bytes);
        if (n < bytes.len && !call->input_closed)
            keep(call, (struct slice){bytes.data + n, bytes.len - n});
    }
    rpc__input_account(call);
    give_credit(call);
    rpc_call_unref(call);
}

void rpc__input_pump(struct rpc_call *call)
{
    if (rpc__input_pending(call) == 0 && call->uncredited == 0)
        return;
    if (call->input_closed || call->closed || !may_deliver(call))
        return;
    rpc_call_ref(call);
    if (rpc__input_pending(call) > 0)
        pump_kept(call);
    rpc__input_account(call);
    give_credit(call);
    rpc_call_unref(call);
}

void rpc__input_close(struct rpc_call *call)
{
    call->input_closed = true;
}
