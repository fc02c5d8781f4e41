/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H
#include "store/chunk.h"
#include "store/store.h"

#define STORE_READ_BYTES                                                                           \
    ((size_t)8 << 20) /* of the spool for one batch; more than the largest record */
#define STORE_MUCH_BYTES ((uint64_t)1 << 20) /* of the spool; not waited for */
#define STORE_DAYS_KNOWN_MAX 1024            /* partitions remembered as there */

enum store_phase {
    STORE_AWAY, /* not connected, or the schema and the place are not known yet */
    STORE_IDLE,
    STORE_BUILDING,   /* in the pool */
    STORE_COMMITTING, /* partitions, then the batch */
    STORE_RETRYING,   /* after a pause */
};
struct store_batch {
    struct arena arena;
    struct spool_range range;
    char *data; /* of the range */
    struct chunks chunks;
    bool is_settled; /* doubts about lines were looked up */
    uint64_t begin;  /* where the instance stood */
    enum status status;
    struct error err;
};
struct store {
    struct loop *loop;
    struct store_options options;
    struct store_callbacks callbacks;
    void *userdata;
    struct db_conn *writer, *looker;
    struct db_pool *readers;
    struct loop_timer *retry, *pace, *hourly;
    uint64_t begun_us; /* the last batch */
    enum store_phase phase;
    bool hello_running;        /* schema, place and sources are being asked for */
    struct store_batch *batch; /* NULL while idle or away */
    uint64_t position;
    int64_t seen_us; /* when the last record stored came in */
    int64_t days[STORE_DAYS_KNOWN_MAX];
    size_t day_count;
    uint64_t commit_begin_us;
    char why[sizeof(((struct error *)0)->message)]; /* "" = well */
    bool failed_before;
    bool ended; /* stopped was called: nothing new begins */
    void (*stopped)(void *userdata);
    void *stopped_userdata;
};

/* store_write.c */
void store_commit(struct store *store);
/* store.c */
void store_committed(struct store *store);
void store_failed(struct store *store, enum db_outcome outcome, const struct error *err);
void store_set_why(struct store *store, const char *why);

#endif
