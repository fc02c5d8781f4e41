/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKERS_INTERNAL_H
#define WORKERS_INTERNAL_H
/* What stream.c (in) and outbox.c (out) share. */
#include "base/list.h"
#include "base/map.h"
#include "plankton/v1/task_worker.rpc.h"
#include "workers/workers.h"

#define WORKER_PROTOCOL 1
#define WORKER_NAME_BYTES_MAX 128
#define WORKER_MESSAGE_ITEMS_MAX 1000

struct outbox {
    struct arena arena; /* of what is gathered this turn */
    Plankton__V1__Lease **leases;
    size_t leases_len, leases_cap;
    struct slice *recorded, *stale;
    size_t recorded_len, recorded_cap, stale_len, stale_cap;
};

struct stream {
    struct map_node node; /* by number */
    struct list dirty;    /* has something in its outbox */
    struct workers *workers;
    struct rpc_call *call;
    uint64_t number;
    struct id worker;
    bool open; /* hello was accepted and the engine knows it */
    struct outbox outbox;
};

struct workers {
    struct loop *loop;
    struct host *host;
    struct workers_options options;
    struct map streams;
    struct list dirty;
    uint64_t last_stream;
};

void outbox_init(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);
void outbox_effect(struct stream *stream, const struct engine_effect *effect);
/* Sends what was gathered. */
void outbox_send(struct stream *stream);
void stream_send(struct stream *stream, const Plankton__V1__ControllerMessage *message);
struct stream *stream_find(const struct workers *workers, uint64_t number);
/* Handlers of lists (list.c). */
void workers_list(struct rpc_call *call, const Plankton__V1__ListWorkersRequest *request);
void workers_get(struct rpc_call *call, const Plankton__V1__GetWorkerRequest *request);
void workers_drain_one(struct rpc_call *call, const Plankton__V1__DrainWorkerRequest *request);

#endif
