/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FIXTURE_H
#define FIXTURE_H
/* A server with the Echo service and a channel to it, in one loop. */
#include <check.h>
#include "echo_service.h"

struct outcome {
    bool done;
    enum status status;
    struct error err;
    char text[64], field[64];
    size_t messages, bytes;
    uint32_t last_number;
    uint64_t total_bytes;
    char metadata[64];
};
struct fixture {
    struct loop *loop;
    struct loop_timer *guard;
    struct rpc_server *server;
    struct rpc_server_options server_options;
    struct rpc_channel *channel;
    struct rpc_channel_options channel_options;
    struct echo_service service;
    size_t pending; /* outcomes the loop still waits for */
    char address[128];
};

void fixture_loop(struct fixture *f); /* only the loop */
void fixture_server(struct fixture *f, const char *address);
void fixture_begin(struct fixture *f); /* server on a free port and channel to it */
void fixture_end(struct fixture *f);
/* Runs the loop until all expected outcomes are there. */
void fixture_wait(struct fixture *f);
void fixture_run_ms(struct fixture *f, uint64_t ms);
/* Runs the loop until something is so. */
#define FIXTURE_UNTIL(f, condition)                                                                \
    while (!(condition))                                                                           \
    fixture_run_ms(f, 1)

void unary(struct fixture *f, const struct rpc_call_options *options,
           const Plankton__Test__EchoRequest *request, struct outcome *out);
void outcome_done(const Plankton__Test__EchoReply *response, const struct error *err,
                  void *userdata);
extern const struct rpc_callbacks outcome_callbacks; /* for streams; userdata: struct outcome */
void expect_outcome(struct fixture *f, struct outcome *out);

#endif
