/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_INGEST_INTERNAL_H
#define INGEST_INGEST_INTERNAL_H
#include "ingest/ingest.h"

struct ingest {
    struct loop *loop;
    struct ingest_options options;
    struct ingest_callbacks callbacks;
    void *userdata;
    struct spool *spool;
    struct attempts attempts;
    struct sources sources;
    struct list appends, relays; /* open calls */
    size_t append_count;
    size_t waiting_bytes; /* of requests that wait for the database's word */
    bool sources_known, replaying, ending;
    bool database_away; /* it could not be asked: lines are taken as they come, and checked later */
    int64_t relay_lag_us;
    /* the lookup under way */
    struct ingest_lookup *lookups;
    size_t lookup_count;
    void (*end_done)(void *userdata);
    void *end_userdata;
};

bool ingest_is_held_back(const struct ingest *ingest);
/* The attempt of a token; made, and wanted, when it is not known. */
struct attempt *ingest_attempt(struct ingest *ingest, const struct lease_token *token);
/* Asks for what is wanted, unless a question is under way. */
void ingest_ask(struct ingest *ingest);
/* Something changed: acknowledge what is durable, go on with what waits. */
void append_wake(struct ingest *ingest);
void relay_wake(struct ingest *ingest);
void append_end(struct ingest *ingest, const struct error *err);
void relay_end(struct ingest *ingest, const struct error *err);

#endif
