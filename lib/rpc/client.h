/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_CLIENT_H
#define RPC_CLIENT_H
/*
 * Private words of the client's side: where a channel may connect to (addresses.c), its connections
 * (channel.c), the tries of a call (retry.c) and the call itself (client_call.c).
 *
 * A call is either on a connection, in channel->waiting, or waits for its next try. Only
 * rpc__client_start moves it to one of the first two, and never before the channel said so: calls
 * beyond the peer's limit of streams stay in channel->waiting, where they are bound to no
 * connection and can go to another one.
 */
#include "internal.h"

#define RPC_CHANNEL_TARGETS_MAX 16
#define RPC_CHANNEL_CALLS_MAX 1000000
#define RPC_ADDRESS_BYTES 128 /* an IPv6 address or a unix path, with prefix */
#define RPC_ADDRESSES_PER_NAME_MAX 16
#define RPC_RETRY_BYTES_MAX (256u << 10) /* of a call's output kept for another try */
#define RPC_RETRY_ATTEMPTS_MAX 5
#define RPC_METADATA_MAX 64 /* names of one call: with ours they must fit a block of lib/h2 */
#define RPC_AUTHORITY_BYTES 256

/* ---- addresses.c ---- */
/* The targets as given, and a walk over all addresses behind them. */
struct rpc_resolve;
struct rpc_addresses {
    struct loop *loop;
    char *text;
    const char *targets[RPC_CHANNEL_TARGETS_MAX];
    size_t target_count, next_target;
    char found[RPC_ADDRESSES_PER_NAME_MAX][RPC_ADDRESS_BYTES];
    size_t found_count, next_found;
    struct rpc_resolve *resolve; /* in the thread pool */
    bool waiting;                /* for what it finds */
    void (*on_resolved)(void *userdata);
    void *userdata;
    struct error err; /* why the last name gave nothing */
};
enum rpc_next { RPC_NEXT_FOUND, RPC_NEXT_LATER, RPC_NEXT_NONE };
void rpc__addresses_init(struct rpc_addresses *addresses, struct loop *loop, const char *targets,
                         void (*on_resolved)(void *userdata), void *userdata);
void rpc__addresses_fini(struct rpc_addresses *addresses);
void rpc__addresses_restart(struct rpc_addresses *addresses);
/* The next address. LATER: a name is being resolved; ask again when on_resolved was called. */
enum rpc_next rpc__addresses_next(struct rpc_addresses *addresses, const char **ret);
/* The target that the last address belongs to. */
const char *rpc__addresses_target(const struct rpc_addresses *addresses);
/* Blocking. Tests put another one here. */
typedef size_t (*rpc_resolver_fn)(const char *host, const char *port, char out[][RPC_ADDRESS_BYTES],
                                  size_t max, struct error *err);
extern rpc_resolver_fn rpc__resolver;

/* ---- channel.c ---- */
struct rpc_channel {
    struct rpc_end end;
    struct rpc_channel_options options;
    char *authorization;
    struct rpc_addresses addresses;
    enum rpc_channel_state state;
    struct net_stream *connecting;
    struct rpc_conn *handshaking; /* connected, no SETTINGS yet */
    struct rpc_conn *current;
    struct list conns; /* all, draining ones too */
    struct list waiting;
    struct loop_flush *feed;  /* waiting calls go to where there is room */
    struct loop_timer *timer; /* until the next round, or the limit of resolving a name */
    struct loop_timer *idle_timer;
    bool resolving, freed;
    uint64_t backoff_ms;      /* of the next failed round; 0 = the initial one */
    uint64_t restart_ms;      /* the same after a connection that did not last */
    uint64_t keepalive_ms;    /* grows when the peer finds it too often */
    uint64_t calls_made;      /* since ever: whether there were calls */
    uint64_t calls_seen;      /* calls_made at the last look */
    uint32_t first_stream_id; /* 0 = 1; tests begin near the last one */
    char failure[256];
    void (*on_state)(enum rpc_channel_state state, void *userdata);
    void *on_state_userdata;
};
extern const struct h2_handlers rpc__client_handlers;
void rpc__channel_want(struct rpc_channel *channel); /* connects when idle */
/* A connected stream becomes the connection of this channel. */
void rpc__channel_adopt(struct rpc_channel *channel, struct net_stream *stream);
void rpc__channel_retire(struct rpc_conn *conn); /* takes no more calls, lets the open ones end */
void rpc__channel_conn_ready(struct rpc_conn *conn);
void rpc__channel_conn_goaway(struct rpc_conn *conn);
void rpc__channel_conn_lost(struct rpc_conn *conn, const char *why);
void rpc__channel_pong(struct rpc_conn *conn);

/* ---- retry.c ---- */
/* Of a call with a retry policy; in its arena. */
struct rpc_attempts {
    struct rpc_retry policy;
    uint32_t made;     /* tries that count */
    uint32_t backoffs; /* since the first, or the peer's last wish */
    struct loop_timer *timer;
};
void rpc__retry_init(struct rpc_call *call, const struct rpc_retry *policy);
void rpc__retry_fini(struct rpc_call *call);
/* After on_closed: true when the call is tried again, at once or later. err: how this try ended. */
bool rpc__retry_at_once(struct rpc_call *call, uint32_t error_code);
bool rpc__retry_later(struct rpc_call *call, const struct error *err);

/* ---- client_call.c ---- */
MUST_USE enum status rpc__client_send(struct rpc_call *call, const ProtobufCMessage *message);
void rpc__client_start(struct rpc_call *call);
void rpc__client_feed(struct rpc_channel *channel); /* while there is room */
/* The channel cannot connect: ends a call that does not wait for that, or has another try. */
void rpc__client_unreachable(struct rpc_call *call);
/* Makes the call as it was before its request was sent; false when its output is not all there. */
bool rpc__client_rewind(struct rpc_call *call);
/* Ends a call from here: resets its stream, tells the user later in the turn. */
void rpc__client_abort(struct rpc_call *call, enum status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void rpc__client_close(struct rpc_call *call);

#endif
