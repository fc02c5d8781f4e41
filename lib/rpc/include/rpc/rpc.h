/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RPC_RPC_H
#define RPC_RPC_H
/*
 * gRPC over HTTP/2: the words both ends share. A call is an `struct rpc_call` on either side:
 * messages in and out, a status at the end.
 *
 * Ownership: a call lives while it is open or referenced; rpc_call_arena(call) lives as long as the
 * call. A received message is valid until its callback returns, except the request of a unary or
 * server-streaming method, which lives in the call's arena. Back-pressure: the peer's stream window
 * is given back as message callbacks return (or when rpc_call_resume is called after
 * rpc_call_pause); rpc_call_writable turns false above 256 KiB of unsent output, and on_writable
 * follows. All callbacks come from the loop, never from inside the call that caused them, except
 * that freeing a server or channel ends its open calls on the spot. After on_close none follows.
 */
#include <protobuf-c/protobuf-c.h>
#include "base/arena.h"
#include "base/error.h"
#include "loop/loop.h"

struct rpc_call;
struct net_tls;

enum rpc_kind { RPC_UNARY, RPC_CLIENT_STREAM, RPC_SERVER_STREAM, RPC_BIDI };
/* One method, from the descriptors (tools/protoglue writes these tables; nobody else does). */
struct rpc_method {
    const char *path; /* "/plankton.v1.TaskController/SubmitTask" */
    const char *name; /* "SubmitTask" */
    enum rpc_kind kind;
    const ProtobufCMessageDescriptor *input, *output;
    uint16_t ops_index;   /* place of the handler in the service's ops struct, seen as an array of
                             function pointers */
    uint32_t access;      /* bits (1 << plankton.v1.Role) of who may call, from option
                             plankton.v1.access; 0 = nobody has said: refused */
    bool idempotent;      /* its http rule is GET: it may be sent twice */
    bool rejects_unknown; /* unknown fields are refused: its http rule is POST, PUT, PATCH or
                             DELETE, or access.rejects_unknown */
};
struct rpc_service_desc {
    const char *name; /* "plankton.v1.TaskController" */
    const struct rpc_method *const *methods;
    size_t method_count;
};

/* ---- both ends ---- */
/* Codings of a message: none, RFC 1952, RFC 1950. */
enum rpc_compression { RPC_IDENTITY, RPC_GZIP, RPC_DEFLATE };
struct rpc_callbacks {
    void (*on_message)(struct rpc_call *call, const ProtobufCMessage *message,
                       void *userdata); /* streaming input; NULL = none expected */
    void (*on_end)(struct rpc_call *call,
                   void *userdata); /* server: the client has half-closed; may be NULL */
    void (*on_writable)(struct rpc_call *call, void *userdata); /* may be NULL */
    /* Server: the call is over (finished, cancelled by the peer, deadline, lost). Client: the final
     * status. err is never NULL. */
    void (*on_close)(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata);
};
struct arena *rpc_call_arena(struct rpc_call *call);
const struct rpc_method *rpc_call_method(const struct rpc_call *call);
struct rpc_call *rpc_call_ref(struct rpc_call *call);
void rpc_call_unref(struct rpc_call *call);
/* Packs at once; the message may be freed after. UNAVAILABLE when the call is over,
 * RESOURCE_EXHAUSTED past 4 MiB or 16 MiB unsent. */
MUST_USE enum status rpc_call_send(struct rpc_call *call, const ProtobufCMessage *message);
bool rpc_call_writable(const struct rpc_call *call);
void rpc_call_pause(struct rpc_call *call); /* no more on_message until resume */
void rpc_call_resume(struct rpc_call *call);
const char *
rpc_call_metadata(const struct rpc_call *call,
                  const char *name); /* request metadata (server), response's (client); or NULL */
/* The n-th value of that name, from 0, in the order received; or NULL. */
const char *rpc_call_metadata_nth(const struct rpc_call *call, const char *name, size_t n);
/* The decoded value of a "-bin" name, in the call's arena; false when absent or not base64. Values
 * joined by commas count one by one. */
bool rpc_call_metadata_bin(struct rpc_call *call, const char *name, struct slice *ret);
bool rpc_call_metadata_bin_nth(struct rpc_call *call, const char *name, size_t n,
                               struct slice *ret);
/* How messages are sent from the next one on, however short. A call has one coding: on the server
 * the last one named before the first message, on the client that of its options. It and
 * RPC_IDENTITY may alternate; any other, and on the server one that the client does not accept,
 * means RPC_IDENTITY. */
void rpc_call_set_compression(struct rpc_call *call, enum rpc_compression compression);
bool rpc_call_message_compressed(const struct rpc_call *call); /* the last one received */
const char *rpc_call_peer(const struct rpc_call *call);
bool rpc_call_peer_is_local(const struct rpc_call *call); /* loopback or unix socket */
/* Who the peer's verified TLS certificate says it is (net_stream_peer_identity); "" without. */
const char *rpc_call_peer_identity(const struct rpc_call *call);
int64_t rpc_call_remaining_ms(const struct rpc_call *call); /* to its deadline; INT64_MAX = none */
bool rpc_call_is_open(const struct rpc_call *call);

/* ---- server ---- */
struct rpc_server;
/* In every field below 0 = the default; RPC_OFF = no limit, or never. */
#define RPC_OFF UINT64_MAX
struct rpc_server_options {
    size_t connections_max;            /* 0 = 10,000 */
    size_t streams_per_connection_max; /* 0 = 1,024 */
    /* Memory that one connection may hold: output that its client does not take, input that the
     * handlers have not taken, metadata and requests of open calls, and 2 KiB per open call. 0 =
     * 64 MiB. Above it the connection ends with ENHANCE_YOUR_CALM. */
    size_t connection_bytes_max;
    size_t message_bytes_max;    /* 0 = 4 MiB */
    size_t header_bytes_max;     /* 0 = 16 KiB per block, counted name + value + 32 */
    uint64_t preface_timeout_ms; /* 0 = 10 s, from accept to SETTINGS and their acknowledgement */
    uint64_t answer_timeout_ms;  /* 0 = 60 s: an answer that the client does not take for so long is
                                    dropped */
    /* A connection that is so old (±10 %), or has had no call for so long, is shut down as in
     * rpc_server_drain; its calls get the grace. 0 = never, for all three. */
    uint64_t max_connection_age_ms, max_connection_age_grace_ms;
    uint64_t max_connection_idle_ms;
    /* A client from which nothing came for keepalive_ms (0 = 2 h) is pinged, and cut off when
     * nothing comes for keepalive_timeout_ms (0 = 20 s) more. */
    uint64_t keepalive_ms, keepalive_timeout_ms;
    /* PINGs of a client that follow each other sooner, with nothing sent to it between them, are
     * strikes: the third ends the connection with ENHANCE_YOUR_CALM "too_many_pings". 0 = 5 min.
     * While it has no call 2 h, unless pings_without_calls. */
    uint64_t ping_interval_min_ms;
    bool pings_without_calls;
    struct net_tls *tls; /* a server's context (net/tls.h), referenced; NULL = plaintext */
    enum rpc_compression compression; /* of messages from 1 KiB on, to clients that accept it;
                                         default RPC_IDENTITY */
};
/* Decides who calls, before the handler: must end in rpc_call_admit (principal kept with the call)
 * or rpc_call_fail, now or later. */
typedef void (*rpc_authorize_fn)(struct rpc_call *call, void *userdata);
struct rpc_server *rpc_server_new(struct loop *loop, const struct rpc_server_options *options);
void rpc_server_set_authorizer(struct rpc_server *server, rpc_authorize_fn fn, void *userdata);
/* ops: the generated struct of typed handlers; a NULL handler answers UNIMPLEMENTED. userdata:
 * rpc_call_service(call). */
void rpc_server_add(struct rpc_server *server, const struct rpc_service_desc *service,
                    const void *ops, void *userdata);
MUST_USE enum status rpc_server_listen(struct rpc_server *server, const char *address,
                                       struct error *err);
const char *rpc_server_address(const struct rpc_server *server);
void rpc_server_add_health(struct rpc_server *server); /* grpc.health.v1 */
void rpc_server_set_serving(struct rpc_server *server, const char *service,
                            bool serving); /* "" = the whole server */
/* grpc.reflection v1 and v1alpha from an embedded FileDescriptorSet. */
void rpc_server_add_reflection(struct rpc_server *server, struct slice descriptor_set);
/* NOT_SERVING; GOAWAY to all connections; open calls get timeout_ms, and those that are left then
 * end with UNAVAILABLE. done (once) follows when all connections have closed, at the latest 1 s
 * after the timeout. */
void rpc_server_drain(struct rpc_server *server, uint64_t timeout_ms, void (*done)(void *userdata),
                      void *userdata);
void rpc_server_free(struct rpc_server *server);
size_t rpc_server_open_calls(const struct rpc_server *server);

void rpc_call_admit(struct rpc_call *call,
                    void *principal); /* principal: typically in the call's arena */
void *rpc_call_principal(const struct rpc_call *call);
void *rpc_call_service(const struct rpc_call *call);
/* Streaming input or interest in the end: set from inside the handler. */
void rpc_call_set_callbacks(struct rpc_call *call, const struct rpc_callbacks *callbacks,
                            void *userdata);
void *rpc_call_userdata(const struct rpc_call *call);
/* Ends the call: exactly one of these, from the handler or later. Silent when the peer has gone. */
void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *message); /* send + finish OK */
void rpc_call_finish(struct rpc_call *call); /* OK, nothing more to send */
/* status ≠ OK with message; reason, field and violations become google.rpc.ErrorInfo (domain
 * "plankton"), BadRequest, RetryInfo. */
void rpc_call_fail(struct rpc_call *call, const struct error *err);
/* Metadata of the answer. Names of [0-9a-z_.-], not grpc-…; values of printable ASCII, or of any
 * bytes when the name ends in -bin: these are given as they are and coded here. Whatever else is
 * left out. Headers: before the first message only. */
void rpc_call_set_header(struct rpc_call *call, const char *name, const char *value);
void rpc_call_set_header_bin(struct rpc_call *call, const char *name, struct slice value);
void rpc_call_set_trailer(struct rpc_call *call, const char *name, const char *value);
void rpc_call_set_trailer_bin(struct rpc_call *call, const char *name, struct slice value);

/* ---- client ---- */
struct rpc_channel;
/* Another try for a call that failed before response headers came. The n-th pause is random, from 0
 * to backoff_initial_ms × backoff_multiplier^(n-1) but at most backoff_max_ms; no shorter than
 * google.rpc.RetryInfo asks for, and exactly as long as grpc-retry-pushback-ms says (negative or
 * not a number: no other try). The deadline spans all tries: a pause that would end behind it is
 * not begun. A call that has sent more than 256 KiB has no other try. */
struct rpc_retry {
    uint32_t attempts_max;                       /* 0 or 1 = none, at most 5 */
    uint32_t statuses;                           /* bits (1u << STATUS_…) */
    uint64_t backoff_initial_ms, backoff_max_ms; /* 0 = 50 ms, 1 s */
    double backoff_multiplier;                   /* 0 = 2 */
};
struct rpc_channel_options {
    const char *authorization;   /* metadata `authorization` of every call unless the call gives its
                                    own; copied; may be NULL */
    uint64_t connect_timeout_ms; /* 0 = 5 s */
    uint64_t backoff_initial_ms, backoff_max_ms; /* of failed rounds; 0 = 20 ms, 2 s */
    double backoff_multiplier, backoff_jitter;   /* 0 = 1.6, 0.2 (± share of the pause) */
    /* A ping after so long without a byte from the peer (up to twice that), the connection is lost
     * when nothing comes for the timeout. 0 = off; timeout 0 = 5 s. A peer that says
     * too_many_pings doubles the interval. */
    uint64_t keepalive_ms, keepalive_timeout_ms;
    bool keepalive_without_calls;
    uint64_t idle_ms; /* after so long without a call (up to twice that) the connection is closed
                         until the next one; 0 = never */
    uint32_t header_bytes_max; /* of the answer, counted name + value + 32; more is
                                  RESOURCE_EXHAUSTED. 0 = 16 KiB */
    struct rpc_retry retry;    /* of methods that change nothing (their http rule is GET) */
    struct net_tls *tls;       /* a client\'s context (net/tls.h), referenced; NULL = plaintext */
};
/* What Plankton's own programs use: pings after 20 s of silence while there are calls, and up to
 * four tries for what ends UNAVAILABLE. Either may be NULL. */
struct rpc_channel_options rpc_channel_defaults(const char *authorization, struct net_tls *tls);
/* Connects on first use and again by itself. target: "host:port", "dns:///host:port",
 * "[v6]:port", "unix:/path", or several separated by commas: the first that works, a name giving as
 * many as it has records. It is kept until it is lost; then the walk begins anew, with names
 * resolved again. Calls beyond the peer's limit of streams wait. */
struct rpc_channel *rpc_channel_new(struct loop *loop, const char *target,
                                    const struct rpc_channel_options *options);
void rpc_channel_free(struct rpc_channel *channel); /* open calls end with CANCELLED */
enum rpc_channel_state { RPC_IDLE, RPC_CONNECTING, RPC_READY, RPC_FAILING };
enum rpc_channel_state rpc_channel_state(const struct rpc_channel *channel);
void rpc_channel_on_state(struct rpc_channel *channel,
                          void (*fn)(enum rpc_channel_state state, void *userdata), void *userdata);

struct rpc_call_options {
    uint64_t timeout_ms;       /* 0 = none */
    bool wait_for_ready;       /* queue while the channel is failing, else UNAVAILABLE at once */
    const char *authorization; /* overrides the channel's */
    /* name, value, …, NULL: names of a-z 0-9 _ - . but none that gRPC itself uses, values of
     * printable ASCII or of any bytes but NUL for "-bin" names; else the call fails with
     * INTERNAL */
    const char *const *metadata;
    const struct rpc_call *parent;    /* deadline and cancellation are inherited */
    const struct rpc_retry *retry;    /* overrides the channel's, for any method */
    enum rpc_compression compression; /* of messages from 1 KiB on; default RPC_IDENTITY */
};
/* Streaming or unary call; the first message is sent with rpc_call_send, the input closed with
 * rpc_call_half_close. The returned pointer is valid until on_close returns (take a reference to
 * keep it longer). */
struct rpc_call *rpc_channel_call(struct rpc_channel *channel, const struct rpc_method *method,
                                  const struct rpc_call_options *options,
                                  const struct rpc_callbacks *callbacks, void *userdata);
/* The same with its one request: sent and half-closed (server streaming). */
struct rpc_call *rpc_channel_call_with(struct rpc_channel *channel, const struct rpc_method *method,
                                       const struct rpc_call_options *options,
                                       const ProtobufCMessage *request,
                                       const struct rpc_callbacks *callbacks, void *userdata);
void rpc_call_half_close(struct rpc_call *call);
void rpc_call_cancel(struct rpc_call *call); /* on_close(CANCELLED) follows */
/* Unary in one line: done gets the response (NULL unless OK; valid until done returns). */
typedef void (*rpc_unary_done_fn)(const ProtobufCMessage *response, const struct error *err,
                                  void *userdata);
void rpc_channel_unary(struct rpc_channel *channel, const struct rpc_method *method,
                       const struct rpc_call_options *options, const ProtobufCMessage *request,
                       rpc_unary_done_fn done, void *userdata);

/* ---- bytes ---- */
/* Checks wire bytes against a descriptor before unpacking: depth ≤ 32, UTF-8, no NUL in strings
 * (INTERNAL), element counts (RESOURCE_EXHAUSTED). reject_unknown: an unknown field is
 * INVALID_ARGUMENT with its number (for requests that create or change things). */
MUST_USE enum status rpc_wire_check(const ProtobufCMessageDescriptor *desc, struct slice bytes,
                                    bool reject_unknown, struct error *err);
/* Checked unpack into an arena (amplification bounded by 64 × len + 64 KiB). */
MUST_USE enum status rpc_unpack(const ProtobufCMessageDescriptor *desc, struct slice bytes,
                                bool reject_unknown, struct arena *arena, ProtobufCMessage **ret,
                                struct error *err);
ProtobufCAllocator rpc_arena_allocator(struct arena *arena);

#endif
