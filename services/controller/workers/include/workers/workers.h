/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_WORKERS_H
#define WORKERS_WORKERS_H
/*
 * The TaskWorker service: streams of workers turned into engine commands, engine effects into
 * messages. A stream is known to the engine by a number that is never used twice. What is meant for
 * one worker in one turn leaves in as few messages as possible.
 */
#include "host/host.h"
#include "pbjson/pbjson.h"
#include "rpc/rpc.h"
#include "token/token.h"

struct workers;
struct workers_options {
    const struct cluster_key *cluster_key;
    struct pbjson_registry *registry;
    uint32_t heartbeat_ms, lease_ms, cancel_grace_ms;
    const char *logger_address; /* "" = none */
};
/* The controller's own bookkeeping of who called is in rpc_call_principal (struct api_principal's
 * first two members: role, namespace). */
struct workers *workers_new(struct loop *loop, const struct workers_options *options);
void workers_set_host(struct workers *workers, struct host *host);
void workers_register(struct workers *workers, struct rpc_server *server);
/* From the host. */
void workers_effect(struct workers *workers, const struct engine_effect *effect);
void workers_flush(struct workers *workers);
/* Tells all that no leases will come. */
void workers_drain(struct workers *workers);
void workers_free(struct workers *workers);

#endif
