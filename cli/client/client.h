/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H
/*
 * A command's connection to a running system: gRPC to the controller and the logger, in blocking
 * style: the loop runs until the call is over. Addresses and key, the first that is there: flag,
 * --data-dir given as a flag, variable (PLANKTON_CONTROLLER, PLANKTON_LOGGER, PLANKTON_KEY), the
 * data directory .plankton (endpoints.json, admin.key), whose system speaks no TLS. Responses live
 * in the client's arena. Calls that the server asks to repeat (retry_after) are repeated for
 * CLIENT_RETRY_MS; all requests made here carry a request id or may be repeated anyway.
 */
#include "command.h"
#include "loop/loop.h"
#include "net/tls.h"
#include "rpc/rpc.h"

#define CLIENT_CALL_TIMEOUT_MS 30000
#define CLIENT_RETRY_MS 10000
#define CLIENT_PAUSE_MS 200 /* before a broken watch is opened again */

struct client {
    struct arena *arena;
    struct loop *loop;
    const char *controller, *logger; /* addresses; logger may be NULL */
    const char *controller_ops;      /* from endpoints.json; may be NULL */
    const char *authorization;       /* "Bearer …" */
    struct net_tls_options tls_options;
    bool uses_tls;
    struct net_tls *tls; /* NULL: plaintext */
    struct rpc_channel *controller_channel, *logger_channel;
    struct loop_signal *sigint;
    bool interrupted;
    struct rpc_call *stream; /* open stream of client_stream */
};

/* Finds out where the system is, without connecting. */
MUST_USE enum status client_discover(const struct connection_settings *settings,
                                     struct arena *arena, struct client *ret, struct error *err);
MUST_USE enum status client_open(const struct invocation *in, struct client *ret,
                                 struct error *err);
void client_close(struct client *client);

/* From now on Ctrl-C sets client->interrupted and ends the call or pause under way (CANCELLED). */
void client_catch_interrupt(struct client *client);
/* The channel of the method's service; FAILED_PRECONDITION when its address is not known. */
MUST_USE enum status client_channel(struct client *client, const struct rpc_method *method,
                                    struct rpc_channel **ret, struct error *err);
MUST_USE enum status client_call(struct client *client, const struct rpc_method *method,
                                 const ProtobufCMessage *request, ProtobufCMessage **ret,
                                 struct error *err);
#define CLIENT_CALL(client, method, request, ret, err)                                             \
    client_call((client), &plankton_v1_##method, &(request)->base, (ProtobufCMessage **)(ret),     \
                (err))
/* Every message of a server stream goes to fn until it returns false. OK also when fn ended it. */
typedef bool (*client_message_fn)(const ProtobufCMessage *message, void *userdata);
MUST_USE enum status client_stream(struct client *client, const struct rpc_method *method,
                                   const ProtobufCMessage *request, client_message_fn fn,
                                   void *userdata, struct error *err);
/* A list method (page_size, page_token; one repeated field, next_page_token) until `limit` items
 * are there: the pages as one response. */
MUST_USE enum status client_list(struct client *client, const struct rpc_method *method,
                                 ProtobufCMessage *request, int64_t limit, ProtobufCMessage **ret,
                                 struct error *err);
#define CLIENT_LIST(client, method, request, limit, ret, err)                                      \
    client_list((client), &plankton_v1_##method, &(request)->base, (limit),                        \
                (ProtobufCMessage **)(ret), (err))
void client_pause(struct client *client, uint64_t ms);

/* A copy that lives in the arena, violations and all. */
void error_keep(struct error *err, const struct error *from, struct arena *arena);
/* A copy of a message in the arena. */
ProtobufCMessage *message_keep(const ProtobufCMessage *message, struct arena *arena);
/* UUID text, for request ids. */
char *client_request_id(struct arena *arena);

#endif
