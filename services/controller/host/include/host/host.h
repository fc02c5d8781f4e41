/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_HOST_H
#define HOST_HOST_H
/*
 * Turns the engine's crank: gives it time, writes its batches through the store, releases their
 * effects after commit, carries its own reads to the store and back, drops and reloads shards. The
 * only caller of engine_apply.
 *
 * Who applies a command with a ticket gets exactly one reply, never from inside host_apply. Views
 * in a reply live until the callback returns. When a shard is lost, or the host may not act for it
 * at this moment, the reply is UNAVAILABLE: the caller repeats by key.
 */
#include "engine/engine.h"
#include "store/store.h"

struct host;

struct host_callbacks {
    /* Effects for workers: DISPATCH, RESULT_ACK, STALE, CANCEL_WORK, TAKE, DRAIN. */
    void (*on_worker_effect)(const struct engine_effect *effect, void *userdata);
    /* A group of worker effects has been handed over: send what was gathered. */
    void (*on_worker_flush)(void *userdata);
    /* Committed events of one shard, in order. */
    void (*on_events)(const struct store_events *events, void *userdata);
    /* A shard was loaded (its events up to event_acked are stored by the logger), or lost (epoch
     * 0). */
    void (*on_shard)(uint16_t shard, uint32_t epoch, uint64_t event_acked, void *userdata);
    void (*on_cluster)(const struct store_cluster *cluster, void *userdata);
    void (*on_health)(const char *why, void *userdata); /* NULL = healthy */
};

struct host *host_new(struct loop *loop, const struct engine_config *config,
                      const struct store_options *store, const struct host_callbacks *callbacks,
                      void *userdata);
void host_stop(struct host *host, void (*stopped)(void *userdata), void *userdata);
void host_free(struct host *host);
struct store *host_store(struct host *host);
const struct engine *host_engine(const struct host *host);

int64_t host_now_us(struct host *host); /* engine time: never goes back */
bool host_has_cluster(const struct host *host);
uint32_t host_timeline(const struct host *host);
bool host_has_shard(const struct host *host, uint16_t shard); /* the cluster has it at all */
uint16_t host_home_shard(const struct host *host, uint32_t namespace_id);
struct id host_new_id(struct host *host, uint16_t shard);

/* now_us is set here. */
void host_apply(struct host *host, struct engine_command *command);
typedef void (*host_reply_fn)(const struct engine_reply *reply, void *userdata);
/* WATCH_UPDATE and WATCH_END of a WATCH_RUN; after WATCH_END the ticket is gone. */
typedef void (*host_update_fn)(const struct engine_effect *effect, void *userdata);
/* Applies a command that has a reply; returns the ticket. on_update only for WATCH_RUN. */
uint64_t host_ask(struct host *host, struct engine_command *command, host_reply_fn on_reply,
                  host_update_fn on_update, void *userdata);
/* Ends a watch: no callback follows. */
void host_unwatch(struct host *host, uint64_t ticket);

/* The compiled form of a plan version, from the cache or compiled now; the caller releases it once.
 */
MUST_USE enum status host_plan(struct host *host, const struct id *plan_id, uint32_t version,
                               struct slice document, struct engine_plan *ret, struct error *err);

#endif
