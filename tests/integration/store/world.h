/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORLD_H
#define WORLD_H
/*
 * Stores on a real server, and what they have told: each node is a controller's store whose
 * callbacks are written down. Everything is waited for, nothing slept for. Rows are compared as
 * text, so that a difference shows itself.
 */
#include <check.h>
#include "store/store.h"

#define WORLD_SHARDS 16
#define WORLD_US INT64_C(1700000000000000)

struct world_shard {
    uint32_t epoch; /* 0 = not loaded */
    uint64_t seq;
    unsigned loads, losses;
    char why[120]; /* it was lost */
    struct engine_load_begin begin;
};

/* One controller's store. */
struct node {
    struct store *store;
    struct arena arena;
    struct world_shard shards[WORLD_SHARDS];
    struct store_cluster cluster;
    unsigned clusters;
    char health[300]; /* "" = well */
    char *rows[4096]; /* of all loads since node_forget, described */
    size_t rows_len;
    size_t plans_asked, plans_done;
    bool stopped;
};

extern struct loop *world_loop;
extern struct db_conn *world_conn; /* the tests' own way into the database */

void world_setup(void);
void world_teardown(void);
void world_wait(bool (*holds)(void *subject), void *subject, const char *what);
void world_wait_flag(bool *flag, const char *what);
/* First column of the first row, an int8; 0 when there is none. */
int64_t world_query(const struct db_sql *sql, const struct db_param *params, int n);
/* Asks again and again until the answer is not 0. */
void world_query_until(const struct db_sql *sql, const struct db_param *params, int n);
int64_t world_count(const struct db_sql *sql);                    /* no parameter */
int64_t world_of_shard(const struct db_sql *sql, uint16_t shard); /* $1 */
void world_run(const char *command);                              /* must succeed */
struct db_conn *world_connect(const char *application_name);
int64_t world_now_us(void); /* of the database; ids and times of tests are made from it */

/* ---- nodes ---- */
/* short lease times; store_new, nothing is waited for */
struct node *node_new(const char *instance);
struct node *node_new_with(const char *instance, void (*adjust)(struct store_options *options));
struct node *node_owning(const char *instance); /* all shards are loaded */
void node_wait_owned(struct node *node);
void node_wait_epoch(struct node *node, uint16_t shard, uint32_t above);
void node_wait_lost(struct node *node, uint16_t shard, unsigned more_than);
void node_stop(struct node *node); /* releases, waits for it, frees */
void node_kill(struct node *node); /* its connections end, nothing is released; frees */
bool node_has_row(const struct node *node, const char *row);
void node_forget(struct node *node); /* the rows that were told */

/* ---- batches ---- */
struct written {
    bool done, durable;
    unsigned order; /* of the answers, from 1 */
    size_t events_len;
    struct store_events events[4];
    struct engine_batch batch;
};
extern unsigned world_answers;
/* A batch of these shards; the seq of each must be the one that follows. */
struct written *node_write(struct node *node, struct engine_shard_batch *shards, uint32_t n);
void written_wait(struct written *written);
/* The frame of the next batch of the shard. */
struct engine_shard_batch node_batch(struct node *node, uint16_t shard);

/* ---- rows ---- */
struct id world_id(uint16_t shard);
struct engine_task_row world_task(uint16_t shard);
struct engine_run_row world_run_row(uint16_t shard, const struct id *plan);
char *describe_task(struct arena *arena, const struct engine_task_row *row);
char *describe_run(struct arena *arena, const struct engine_run_row *row);
char *describe_lease(struct arena *arena, const struct engine_lease *lease);

TCase *schema_tcase(void);
TCase *batch_tcase(void);
TCase *fence_tcase(void);
TCase *takeover_tcase(void);
TCase *refill_tcase(void);
TCase *plans_tcase(void);
TCase *keys_tcase(void);
TCase *reads_tcase(void);
TCase *retention_tcase(void);

#endif
