/* SPDX-License-Identifier: Apache-2.0 */
/* What a call is on either side: its life, its output, and what both users may ask of it. */
#include <stdlib.h>
#include "base/text.h"
#include "internal.h"

/* Calls are reused with their arena and buffers: the steady path allocates nothing. */
static _Thread_local struct list pool;
static _Thread_local size_t pool_count;

static void call_clear(struct rpc_call *call)
{
    const size_t kept_bytes = offsetof(struct rpc_call, end);

    memset((char *)call + kept_bytes, 0, sizeof *call - kept_bytes);
    call->grpc_status = call->http_status = -1;
    list_init(&call->children);
}

struct rpc_call *rpc__call_new(struct rpc_end *end)
{
    struct rpc_call *call;

    if (pool_count > 0) {
        call = LIST_FIRST(&pool, struct rpc_call, node);
        list_remove(&call->node);
        pool_count--;
    } else {
        call = mem_zalloc(sizeof *call);
        h2_stream_init(&call->stream);
        arena_init(&call->arena, 0);
    }
    call_clear(call);
    /* What may wait unread is one message and a window of further ones. */
    call->in.max = end->message_bytes_max + (2u << 20);
    call->refs = 1;
    call->end = end;
    list_push(&end->calls, &call->node);
    end->open_calls++;
    return call;
}

static void call_recycle(struct rpc_call *call)
{
    if (!pool.next)
        list_init(&pool);
    if (pool_count >= RPC_CALLS_POOLED) {
        h2_stream_fini(&call->stream);
        arena_fini(&call->arena);
        buf_fini(&call->in);
        free(call);
        return;
    }
    h2_stream_reset_for_reuse(&call->stream);
    if (call->arena.used_bytes > RPC_ARENA_KEEP_BYTES)
        arena_fini(&call->arena);
    arena_reset(&call->arena);
    if (call->in.cap > RPC_INPUT_KEEP_BYTES)
        buf_fini(&call->in);
    buf_clear(&call->in);
    list_push_front(&pool, &call->node);
    pool_count++;
}

struct rpc_call *rpc_call_ref(struct rpc_call *call)
{
    call->refs++;
    return call;
}

void rpc_call_unref(struct rpc_call *call)
{
    if (call && --call->refs == 0)
        call_recycle(call);
}

void rpc__call_unlist(struct rpc_call *call)
{
    if (call->unlisted)
        return;
    call->unlisted = true;
    list_remove(&call->node);
    list_remove(&call->child_node);
    heap_remove(&call->end->deadlines, &call->deadline_node);
    call->end->open_calls--;
}

void rpc__cancel_children(struct rpc_call *call)
{
    while (!list_empty(&call->children)) {
        struct rpc_call *child = LIST_ENTRY(call->children.next, struct rpc_call, child_node);
        list_remove(&child->child_node);
        rpc_call_cancel(child);
    }
}

void rpc__header_add(struct rpc_call *call, struct rpc_header **list, struct slice name,
                     struct slice value)
{
    struct rpc_header *header =
        arena_alloc(&call->arena, sizeof *header + name.len + value.len + 1);
    char *text = (char *)(header + 1);

    memcpy(text, name.data, name.len);
    memcpy(text + name.len, value.data, value.len);
    text[name.len + value.len] = '\0';
    header->name = (struct slice){text, name.len};
    header->value = (struct slice){text + name.len, value.len};
    header->next = NULL;
    while (*list)
        list = &(*list)->next;
    *list = header;
}

void rpc__metadata_add(struct rpc_call *call, struct rpc_header **list, const char *name,
                       struct slice value)
{
    struct slice key = slice_of(name), text;

    if (!rpc__metadata_name_is_free(key))
        return;
    text = rpc__metadata_to_wire(&call->arena, key, value);
    if (rpc__metadata_value_is_valid(text))
        rpc__header_add(call, list, key, text);
}

size_t rpc__header_count(const struct rpc_header *list)
{
    size_t n = 0;

    for (; list; list = list->next)
        n++;
    return n;
}

static void put_prefix(uint8_t *out, bool compressed, size_t len)
{
    out[0] = compressed;
    out[1] = (uint8_t)(len >> 24);
    out[2] = (uint8_t)(len >> 16);
    out[3] = (uint8_t)(len >> 8);
    out[4] = (uint8_t)len;
}

static enum status send_compressed(struct rpc_call *call, const ProtobufCMessage *message,
                                   size_t len)
{
    enum rpc_compression compression = (enum rpc_compression)call->compression;
    size_t bound = rpc__deflate_bound(compression, len);
    uint8_t *out = h2_stream_reserve(&call->stream, RPC_PREFIX_BYTES + bound);

    if (!out)
        return STATUS_RESOURCE_EXHAUSTED;
    len = rpc__deflate(compression, message, len, out + RPC_PREFIX_BYTES, bound);
    put_prefix(out, true, len);
    h2_stream_commit(&call->stream, RPC_PREFIX_BYTES + len);
    return STATUS_OK;
}

enum status rpc__send(struct rpc_call *call, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *out;

    if (len > RPC_MESSAGE_BYTES_MAX)
        return STATUS_RESOURCE_EXHAUSTED;
    if (call->compression != RPC_IDENTITY &&
        (call->compress_small || len >= RPC_COMPRESS_BYTES_MIN))
        return send_compressed(call, message, len);
    out = h2_stream_reserve(&call->stream, RPC_PREFIX_BYTES + len);
    if (!out)
        return STATUS_RESOURCE_EXHAUSTED;
    put_prefix(out, false, len);
    protobuf_c_message_pack(message, out + RPC_PREFIX_BYTES);
    h2_stream_commit(&call->stream, RPC_PREFIX_BYTES + len);
    return STATUS_OK;
}

void rpc_call_set_compression(struct rpc_call *call, enum rpc_compression compression)
{
    bool named = compression != RPC_IDENTITY;

    if (named && call->server && !call->headers_sent && call->peer_accepts & 1u << compression)
        call->encoding_out = (uint8_t)compression;
    call->compress_small = named;
    call->compression = named && call->encoding_out == compression ? call->encoding_out : 0;
}

bool rpc_call_message_compressed(const struct rpc_call *call)
{
    return call->in_compressed;
}

enum status rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message)
{
    return call->server ? rpc__server_send(call, message) : rpc__client_send(call, message);
}

struct arena *rpc_call_arena(struct rpc_call *call)
{
    return &call->arena;
}

const struct rpc_method *rpc_call_method(const struct rpc_call *call)
{
    return call->method;
}

bool rpc_call_writable(const struct rpc_call *call)
{
    return !call->finished && !call->closed && h2_stream_writable(&call->stream);
}

void rpc_call_pause(struct rpc_call *call)
{
    call->paused = true;
}

void rpc_call_resume(struct rpc_call *call)
{
    if (!call->paused)
        return;
    call->paused = false;
    rpc__end_pump_later(call);
}

/* The header after `from` (NULL: the first) that has this name. */
static const struct rpc_header *find_metadata(const struct rpc_call *call,
                                              const struct rpc_header *from, const char *name)
{
    const struct rpc_header *header = from ? from->next : call->metadata_in;
    struct slice wanted = slice_of(name);

    while (header && !slice_eq(header->name, wanted))
        header = header->next;
    return header;
}

const char *rpc_call_metadata_nth(const struct rpc_call *call, const char *name, size_t n)
{
    const struct rpc_header *header = find_metadata(call, NULL, name);

    while (header && n-- > 0)
        header = find_metadata(call, header, name);
    return header ? header->value.data : NULL;
}

const char *rpc_call_metadata(const struct rpc_call *call, const char *name)
{
    return rpc_call_metadata_nth(call, name, 0);
}

bool rpc_call_metadata_bin_nth(struct rpc_call *call, const char *name, size_t n, struct slice *ret)
{
    const struct rpc_header *header = find_metadata(call, NULL, name);
    const char *at = header ? header->value.data : NULL;
    size_t len;
    char *out;

    /* Duplicates may have been joined by commas, which base64 does not have. */
    for (; at && n > 0; n--) {
        at = strchr(at, ',');
        if (at) {
            at += 1 + strspn(at + 1, " ");
            continue;
        }
        header = find_metadata(call, header, name);
        at = header ? header->value.data : NULL;
    }
    if (!at)
        return false;
    len = strcspn(at, ", ");
    out = arena_alloc(&call->arena, len + 4);
    if (!text_from_base64(at, len, out, &len))
        return false;
    *ret = (struct slice){out, len};
    return true;
}

bool rpc_call_metadata_bin(struct rpc_call *call, const char *name, struct slice *ret)
{
    return rpc_call_metadata_bin_nth(call, name, 0, ret);
}

int64_t rpc_call_remaining_ms(const struct rpc_call *call)
{
    uint64_t now_us;

    if (call->deadline_us == 0)
        return INT64_MAX;
    now_us = clock_monotonic_us();
    return call->deadline_us > now_us ? (int64_t)((call->deadline_us - now_us + 999) / 1000) : 0;
}

bool rpc_call_is_open(const struct rpc_call *call)
{
    return !call->finished && !call->closed && !call->closing;
}

void *rpc_call_userdata(const struct rpc_call *call)
{
    return call->userdata;
}

const char *rpc_call_peer(const struct rpc_call *call)
{
    return call->conn ? net_stream_peer(h2_net(call->conn->h2)) : "";
}

bool rpc_call_peer_is_local(const struct rpc_call *call)
{
    return call->conn && net_stream_is_local(h2_net(call->conn->h2));
}

const char *rpc_call_peer_identity(const struct rpc_call *call)
{
    return call->conn ? net_stream_peer_identity(h2_net(call->conn->h2)) : "";
}
