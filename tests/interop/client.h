/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INTEROP_CLIENT_H
#define INTEROP_CLIENT_H
/*
 * What the cases of grpc-interop-client are written with. An exchange is one call whose steps wait:
 * each turns the loop until what it waits for has come, so a case reads from top to bottom. At most
 * one response is held at a time; the next one is not read before the case has taken it.
 */
#include "grpc/testing/test.rpc.h"

struct client {
    struct loop *loop;
    struct rpc_channel *channel;
    struct rpc_channel_options channel_options;
    const char *address, *case_name;
    bool waiting; /* in client_wait_ms */
    /* soak cases */
    int64_t iterations, max_failures, acceptable_ms, overall_seconds, between_ms;
};

/* A response, as far as a case looks at it. */
struct reply {
    size_t bytes;  /* of its payload */
    int32_t total; /* aggregated_payload_size */
    bool all_zero; /* the payload */
    bool compressed;
};

struct exchange {
    struct client *client;
    struct rpc_call *call;
    struct reply reply;
    bool has_reply, closed;
    enum status status;
    struct error err;
};

/* Begins a call. request: the only one (sent and half-closed), or NULL when exchange_send follows.
 */
void exchange_begin(struct exchange *x, struct client *client, const struct rpc_method *method,
                    const struct rpc_call_options *options, const ProtobufCMessage *request);
MUST_USE bool exchange_send(struct exchange *x, const ProtobufCMessage *request);
/* Waits for the next response; false when the call has ended instead. */
MUST_USE bool exchange_next(struct exchange *x, struct reply *ret);
/* Waits for the end; false, and says why, unless the status is this one. Metadata can be read until
 * exchange_done. */
MUST_USE bool exchange_ends(struct exchange *x, enum status status);
void exchange_done(struct exchange *x); /* cancels what is still open */

/* Says what is wrong, unless right. Gives right back. */
MUST_USE bool expect(struct client *client, bool right, const char *fmt, ...) PRINTF_LIKE(3, 4);
MUST_USE bool expect_payload(struct client *client, const struct reply *reply, size_t bytes);
void client_wait_ms(struct client *client, uint64_t ms);
void client_connect(struct client *client); /* a new channel in place of the old one */

/* Zeros, of at most 512 KiB. */
ProtobufCBinaryData client_zeros(size_t bytes);

/* The sizes in which all languages' programs ask for and send payloads. */
#define LARGE_REQUEST_BYTES 271828
#define LARGE_RESPONSE_BYTES 314159
#define STREAM_STEPS 4
extern const size_t client_request_bytes[STREAM_STEPS];
extern const int32_t client_response_bytes[STREAM_STEPS];

struct interop_case {
    const char *name;
    bool (*run)(struct client *client);
    unsigned limit_seconds; /* 0 = LIMIT_SECONDS */
};
/* Ended by an entry without a name. */
extern const struct interop_case cases_unary[], cases_stream[], cases_compressed[], cases_wire[];

/* One UnaryCall with both payloads large. */
MUST_USE bool client_large_unary(struct client *client, const struct rpc_call_options *options,
                                 enum status status);

#endif
