/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include "db_internal.h"

#define POOL_CONNECTIONS_MAX 64

struct db_pool {
    struct db_conn *conns[POOL_CONNECTIONS_MAX];
    size_t n;
};

struct db_pool *db_pool_new(struct loop *loop, const struct db_options *options, size_t connections)
{
    struct db_pool *pool = mem_zalloc(sizeof(*pool));

    assert(connections > 0 && connections <= POOL_CONNECTIONS_MAX);
    pool->n = connections;
    for (size_t i = 0; i < connections; i++)
        pool->conns[i] = db_connect(loop, options, NULL, NULL);
    return pool;
}

struct db_conn *db_pool_pick(struct db_pool *pool)
{
    struct db_conn *best = pool->conns[0];

    for (size_t i = 1; i < pool->n; i++) {
        struct db_conn *conn = pool->conns[i];

        if (!db_conn_up(conn))
            continue;
        if (!db_conn_up(best) || db_conn_in_flight(conn) < db_conn_in_flight(best))
            best = conn;
    }
    return best;
}

void db_pool_free(struct db_pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->n; i++)
        db_conn_free(pool->conns[i]);
    free(pool);
}
