/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "store_internal.h"

static void writer_state(struct db_conn *conn, bool up, const struct error *err, void *userdata)
{
    keeper_connection(userdata, up, err);
}

struct db_conn *store_reader(struct store *store)
{
    struct db_conn *conn = db_pool_pick(store->readers);

    return db_conn_up(conn) ? conn : store->writer;
}

struct store *store_new(struct loop *loop, const struct store_options *options,
                        const struct store_callbacks *callbacks, void *userdata)
{
    struct store *store = mem_zalloc(sizeof *store);

    store->loop = loop;
    store->options = *options;
    store->callbacks = *callbacks;
    store->userdata = userdata;
    store->ops_tail = &store->ops;
    size_t bytes = strlen(options->instance) + 32;
    store->application_name = mem_alloc(bytes);
    snprintf(store->application_name, bytes, "plankton-controller %s", options->instance);
    keeper_start(store);
    gather_start(store);
    struct db_options writer = {.url = options->database,
                                .application_name = store->application_name,
                                .statement_timeout_ms = options->statement_timeout_ms,
                                .lock_timeout_ms = options->lock_timeout_ms,
                                .settings =
                                    options->pooler_transaction ? NULL : STORE_SESSION_SETTINGS,
                                .pooler_transaction = options->pooler_transaction};
    store->writer = db_connect(loop, &writer, writer_state, store);
    struct db_options reader = writer;
    reader.application_name = "plankton-controller-read";
    store->readers =
        db_pool_new(loop, &reader, options->read_connections ? options->read_connections : 2);
    return store;
}

/* When the store is to stop and nothing is on its way any more: give the shards up. */
void write_idle_check(struct store *store)
{
    if (!store->stopping || !store->stopped || store->ops || store->acquiring)
        return;
    loop_timer_stop(store->renew_timer);
    loop_timer_stop(store->acquire_timer);
    loop_timer_stop(store->partition_timer);
    if (store->up && store->checked)
        keeper_release(store);
    else
        loop_defer(store->loop, store->stopped, store->stopped_userdata);
    store->stopping = false; /* once */
    store->checked = false;  /* and never again */
}

void store_stop(struct store *store, void (*stopped)(void *userdata), void *userdata)
{
    store->stopping = true;
    store->stopped = stopped;
    store->stopped_userdata = userdata;
    write_idle_check(store);
}

void store_free(struct store *store)
{
    if (!store)
        return;
    store->freeing = true;
    retention_free(store);
    db_conn_free(store->writer);
    db_pool_free(store->readers);
    gather_free(store);
    loop_timer_free(store->acquire_timer);
    loop_timer_free(store->renew_timer);
    loop_timer_free(store->partition_timer);
    free(store->application_name);
    free(store);
}
