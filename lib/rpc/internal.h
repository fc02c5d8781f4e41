/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_INTERNAL_H
#define RPC_INTERNAL_H
/*
 * Private words of lib/rpc. A call is an HTTP/2 stream with a gRPC state around it. Server and
 * channel both embed an `rpc_end`: the calls of one side on one loop, their deadlines, and the list
 * of calls that have something to do later in the turn.
 */
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "h2/h2.h"
#include "net/tls.h"
#include "rpc/rpc.h"

#define RPC_MESSAGE_BYTES_MAX (4u << 20)
#define RPC_CONNECTIONS_MAX 10000
#define RPC_ANSWER_TIMEOUT_MS 60000
#define RPC_PREFIX_BYTES 5
#define RPC_CALLS_POOLED 1024     /* per thread */
#define RPC_ARENA_KEEP_BYTES 8192 /* a pooled call whose arena grew larger gives it back */
#define RPC_INPUT_KEEP_BYTES 4096
#define RPC_PUMP_ORDER 5 /* before what handlers make is gathered */
#define RPC_DEPTH_MAX 32
#define RPC_ELEMENTS_MAX 1000000           /* strings, bytes and messages within one message */
#define RPC_AMPLIFY 64                     /* arena bytes per wire byte at most, */
#define RPC_AMPLIFY_BASE_BYTES (64u << 10) /* and this many for small ones */
/* Packed rich error: 6,000 in base64, which fits beside the longest message, percent-coded, into
 * the 8 KiB of headers that other implementations take. */
#define RPC_DETAILS_BYTES_MAX 4500
#define RPC_TIMEOUT_DIGITS_MAX 8
/* Shorter messages are not worth it, unless the user has asked for this very call. */
#define RPC_COMPRESS_BYTES_MIN 1024
#define RPC_ACCEPT_ENCODING "identity,deflate,gzip"
#define RPC_KEEPALIVE_MS 7200000u /* server */
#define RPC_KEEPALIVE_TIMEOUT_MS 20000u
#define RPC_GOODBYE_MS 1000u /* for the last answers of a connection that must go to be taken */
#define RPC_ERROR_DOMAIN "plankton"

/* A header to send or one that was received: text in the call's arena. */
struct rpc_header {
    struct rpc_header *next;
    struct slice name, value; /* NUL follows the value */
};

struct rpc_end {
    struct loop *loop;
    struct heap deadlines;
    struct loop_timer *timer;
    uint64_t timer_at_us; /* 0 = not armed */
    struct list pump;
    struct loop_flush *pump_flush;
    struct list calls; /* those whose on_close is still owed */
    size_t open_calls;
    size_t message_bytes_max;
    struct arena scratch; /* a streamed message, until its callback returns */
    bool server;
};

struct rpc_call {
    struct h2_stream stream; /* first: the stream object is the call object */
    struct arena arena;
    struct buf in; /* received bytes from in_at on that wait for more or for leave */
    /* Up to here memory that a reused call keeps; from here on all is zero in a new one. */
    struct rpc_end *end; /* NULL once the side it belonged to is done with it */
    struct rpc_server *server;
    struct rpc_channel *channel;
    struct rpc_conn *conn;
    const struct rpc_method *method;
    struct list node, pump_node, wait_node;
    struct list children,
        child_node; /* calls that inherit our end, and our place among our parent's */
    struct heap_node deadline_node;
    uint64_t deadline_us; /* 0 = none */
    uint32_t refs;
    size_t in_at, uncredited;
    uint32_t messages_in;
    ProtobufCMessage *request; /* server, one message in */
    struct rpc_callbacks callbacks;
    void *userdata, *service, *principal;
    void (*handler)(void);
    struct rpc_header *metadata_in, *headers_out, *trailers_out;
    struct error *failure;             /* client: an end that was decided here */
    struct rpc_attempts *attempts;     /* client: NULL without a retry policy */
    struct h2_header *request_headers; /* client: reused by each try */
    const char *grpc_message, *grpc_details;
    int32_t grpc_status, http_status; /* client: -1 = not seen */
    enum status final_status;
    /* request line and headers, server */
    bool is_post, is_head, content_type_ok, encoding_unknown, timeout_bad, headers_done;
    bool admitted, authorizing, handed_out; /* handed_out: the handler was called */
    bool paused, remote_ended, end_told, input_closed;
    bool headers_sent, finished, half_closed, closing, closed;
    bool wait_for_ready, unlisted;
    /* enum rpc_compression: what messages from the peer and to it may be coded with (the two
     * grpc-encoding), and what the next one to send is. */
    uint8_t encoding_in, encoding_out, compression;
    uint8_t peer_accepts; /* server: bits (1 << enum rpc_compression) */
    bool compress_small;  /* the user has asked for it, not an option */
    bool encoding_named;  /* the peer has sent grpc-encoding */
    bool in_compressed;   /* of the last message received */
    /* client: response headers came, so there is no other try; one was made because the peer had
     * refused the stream; a try begins in the pump; the answer is no gRPC */
    bool answered, refused, again, foreign;
    size_t swept_bytes; /* server: unsent output at the last sweep after the end, plus one */
};

/* ---- end.c ---- */
void rpc__end_init(struct rpc_end *end, struct loop *loop, bool server, size_t message_bytes_max);
void rpc__end_fini(struct rpc_end *end);
void rpc__end_pump_later(struct rpc_call *call);
void rpc__call_set_deadline(struct rpc_call *call, uint64_t deadline_us);
/* What each side does when a deadline passes, or when a call has something to do. */
void rpc__server_expired(struct rpc_call *call);
void rpc__server_pump(struct rpc_call *call);

/* ---- call.c ---- */
struct rpc_call *rpc__call_new(struct rpc_end *end);
void rpc__call_unlist(struct rpc_call *call); /* no longer open */
void rpc__header_add(struct rpc_call *call, struct rpc_header **list, struct slice name,
                     struct slice value);
size_t rpc__header_count(const struct rpc_header *list);
/* Metadata of the user; what may not be sent is left out. */
void rpc__metadata_add(struct rpc_call *call, struct rpc_header **list, const char *name,
                       struct slice value);
void rpc__cancel_children(struct rpc_call *call);
MUST_USE enum status rpc__send(struct rpc_call *call, const ProtobufCMessage *message);

/* ---- input.c ---- */
void rpc__input(struct rpc_call *call, struct slice bytes);
void rpc__input_pump(struct rpc_call *call); /* delivers what may be delivered */
size_t rpc__input_pending(const struct rpc_call *call);
void rpc__input_account(struct rpc_call *call); /* tells the connection what the call keeps */
void rpc__input_close(struct rpc_call *call);   /* nothing more is wanted */
/* The side's reaction to a broken input. */
void rpc__server_input_failed(struct rpc_call *call, const struct error *err);

/* ---- codec.c ---- */
/* grpc-message: all but printable ASCII without % is percent-coded. Decoding leaves broken escapes
 * as they are. */
struct slice rpc__percent_encode(struct arena *arena, const char *text);
const char *rpc__percent_decode(struct arena *arena, struct slice text);
bool rpc__timeout_parse(struct slice text, uint64_t *ret_us);
void rpc__timeout_format(uint64_t us, char out[12]);
bool rpc__status_parse(struct slice text, int32_t *ret);
bool rpc__content_type_is_grpc(struct slice text);
/* A value as it goes on the wire: that of a -bin name is base64, unpadded. */
struct slice rpc__metadata_to_wire(struct arena *arena, struct slice name, struct slice value);
/* A name of [0-9a-z_.-] that is not ours (grpc-…, te, content-type). */
bool rpc__metadata_name_is_free(struct slice name);
bool rpc__metadata_is_binary(struct slice name);
bool rpc__metadata_value_is_valid(struct slice value);
enum status rpc__status_from_http(int32_t http_status);
enum status rpc__status_from_h2(uint32_t error_code);

/* ---- compress.c ---- */
const char *rpc__compression_name(enum rpc_compression compression);
bool rpc__compression_parse(struct slice name, enum rpc_compression *ret);
/* A list of names, as bits; names not known are none. */
uint32_t rpc__compression_list_parse(struct slice list);
/* *ret is valid until rpc__inflate_done or the next call on this thread. Memory for at most
 * bytes_max is taken. RESOURCE_EXHAUSTED above it, INTERNAL for what is not one whole message. */
MUST_USE enum status rpc__inflate(enum rpc_compression compression, struct slice bytes,
                                  size_t bytes_max, struct slice *ret, struct error *err);
void rpc__inflate_done(void);
/* Packs and compresses a message of len bytes into out, which has rpc__deflate_bound bytes. Returns
 * how many are used. */
size_t rpc__deflate_bound(enum rpc_compression compression, size_t len);
size_t rpc__deflate(enum rpc_compression compression, const ProtobufCMessage *message, size_t len,
                    uint8_t *out, size_t out_bytes);

/* ---- details.c ---- */
/* Text of grpc-status-details-bin, or an empty slice when err has nothing but a message. status:
 * the one in grpc-status. */
struct slice rpc__details_encode(struct arena *arena, enum status status, const struct error *err);
void rpc__details_decode(struct arena *arena, const char *text, struct error *err);

/* ---- server.c, server_conn.c, server_call.c ---- */
enum rpc_leave { RPC_STAY, RPC_LEAVE_DRAIN, RPC_LEAVE_AGE, RPC_LEAVE_IDLE, RPC_LEAVE_KEEPALIVE };
/* Where a connection of the server is on its way from accept to close. Times by loop_turn_ms. */
struct rpc_life {
    struct heap_node due_node;
    uint64_t due_ms;        /* when to look at it again; never later than something is due */
    uint64_t age_at_ms;     /* when it is too old */
    uint64_t idle_since_ms; /* when its last call ended */
    uint64_t pinged_ms;     /* 0 = no keepalive ping is under way */
    uint64_t end_at_ms;     /* once it leaves: the end of its calls' grace */
    enum rpc_leave leaving;
    bool calls_ended; /* the grace is over */
};
struct rpc_conn {
    struct h2_conn *h2;
    struct list node;
    struct rpc_server *server;
    struct rpc_channel *channel;
    struct loop_timer *keepalive;
    bool pinged;
    /* client */
    const char *target;     /* as the user gave it */
    struct slice authority; /* of its requests */
    uint64_t ready_us;
    uint64_t reads;       /* of h2 at the last look */
    struct rpc_life life; /* server */
};
struct rpc_route {
    struct map_node node;
    struct slice path;
    const struct rpc_method *method;
    void (*handler)(void);
    void *service;
    bool open; /* not shown to the authorizer */
};
struct rpc_health;
struct rpc_server {
    struct rpc_end end;
    struct rpc_server_options options;
    struct map routes;
    const struct rpc_route *last_route; /* found last */
    const struct rpc_service_desc **services;
    size_t service_count;
    rpc_authorize_fn authorize;
    void *authorize_userdata;
    struct net_listener *listener;
    struct list conns;
    struct heap lives; /* of conns, by due_ms */
    struct loop_timer *life_timer;
    struct rpc_health *health;
    struct rpc_reflection *reflection;
    struct loop_timer *drain_timer, *sweep_timer;
    void (*drained)(void *userdata);
    void *drained_userdata;
    bool draining, drain_told;
};
extern const struct h2_handlers rpc__server_handlers;
MUST_USE enum status rpc__server_send(struct rpc_call *call, const ProtobufCMessage *message);
const struct rpc_route *rpc__server_find(struct rpc_server *server, struct slice path);
void rpc__server_add(struct rpc_server *server, const struct rpc_service_desc *service,
                     const void *ops, void *userdata, bool open);
void rpc__server_check_drained(struct rpc_server *server);
void rpc__server_accept(struct rpc_server *server, struct net_stream *stream);
void rpc__server_conn_lost(struct rpc_conn *conn);
void rpc__server_conn_free(struct rpc_conn *conn);
void rpc__server_conn_leave(struct rpc_conn *conn, enum rpc_leave why, uint64_t grace_ms);
void rpc__server_lives_init(struct rpc_server *server);
void rpc__server_lives_fini(struct rpc_server *server);
void rpc__server_close(struct rpc_call *call, enum status status, const char *why);

/* ---- health.c, reflection.c ---- */
void rpc__health_drain(struct rpc_health *health);
void rpc__health_free(struct rpc_health *health);
struct rpc_reflection;
void rpc__reflection_free(struct rpc_reflection *reflection);

/* ---- the client's side, in client.h ---- */
void rpc__client_expired(struct rpc_call *call);
void rpc__client_pump(struct rpc_call *call);
void rpc__client_input_failed(struct rpc_call *call, const struct error *err);
MUST_USE enum status rpc__client_send(struct rpc_call *call, const ProtobufCMessage *message);

#endif
