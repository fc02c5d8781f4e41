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
    bool sources_known, replaying;
    int64_t relay_lag_us;
    /* the lookup under way */
    struct ingest_lookup *lookups;
    size_t lookup_count;
};

bool ingest_is_held_back(const struct ingest *ingest);
/* Asks for what is wanted, unless a question is under way. */
void ingest_ask(struct ingest *ingest);
/* Something changed: acknowledge what is durable, go on with what waits. */
void append_wake(struct ingest *ingest);
void relay_wake(struct ingest *ingest);

#endif
