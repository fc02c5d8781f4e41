/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SESSION_INTERNAL_H
#define SESSION_INTERNAL_H
/* What session.c (streams come and go), receive.c and send.c share. */
#include "plankton/v1/task_worker.pb-c.h"
#include "pool/pool.h"
#include "rpc/rpc.h"
#include "session/session.h"

#define PROTOCOL_VERSION 1
#define RESULTS_PER_MESSAGE 1000
#define RESULT_BYTES_PER_MESSAGE (1u << 20) /* of outputs; one result may be larger alone */
#define TOKENS_PER_MESSAGE 10000
#define HELD_PER_MESSAGE 10000
#define WELCOME_TIMEOUT_MS 5000
#define RETRY_MIN_MS 20
#define REFUSED_TOLD_MS 3000 /* a refusal that lasts is an error */
#define LABELS_MAX 32

enum stream_state { STREAM_DOWN, STREAM_HELLO, STREAM_OPEN };
/* What a call's callbacks hold: the stream may be gone before the last of them comes. */
struct stream_call {
    struct stream *stream; /* NULL = abandoned */
    struct rpc_call *call;
};
struct stream {
    struct uplink uplink;
    struct session *session;
    const char *address;
    struct rpc_channel *channel;
    struct stream_call *call;
    enum stream_state state;
    size_t credit; /* leases that the controller may still send */
    struct loop_timer *retry, *heartbeat, *welcome;
    uint64_t backoff_ms;
    uint64_t beat_us; /* of the last heartbeat */
    uint32_t lease_ms;
    enum status last_status; /* of the last failure, so that each kind is told once */
    uint64_t
        refused_since_us; /* 0 = not refused; a controller that starts may not know its keys yet */
};
/* Room for one Results message, used again and again. */
struct result_parts {
    Plankton__V1__Result result;
    Plankton__V1__Json output, details;
    Plankton__V1__Failure failure;
};
struct session {
    struct worker *worker;
    struct stream stream; /* one address today */
    struct result_parts *parts;
    Plankton__V1__Result **results;
    struct attempt **attempts;
    struct arena scratch;
    bool draining, abandoned, ending;
    struct loop_timer *drain_timer;
    void (*drained)(void *userdata);
    void *drained_userdata;
    void (*ready)(const char *why_not, void *userdata);
    void *ready_userdata;
};

void stream_received(struct stream *stream,
                     const Plankton__V1__ControllerMessage *message); /* receive.c */

/* send.c: false when the stream takes no more */
bool stream_send(struct stream *stream, Plankton__V1__WorkerMessage *message);
bool stream_send_hello(struct stream *stream);
bool stream_send_held(struct stream *stream, struct shard *shard, uint32_t epoch);
bool stream_send_refusal(struct stream *stream, const struct shard *shard, uint32_t epoch);
bool stream_send_declined(struct stream *stream, ProtobufCBinaryData *tokens, size_t n,
                          const char *reason);
void stream_send_results(struct stream *stream);
void stream_send_credit(struct stream *stream);
void stream_send_heartbeat(struct stream *stream);
void stream_send_queued_back(struct stream *stream);

#endif
