/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_ATTEMPTS_H
#define INGEST_ATTEMPTS_H
/*
 * What is known in memory of attempts: the last line taken (what duplicates are dropped by), and
 * where those of its lines stand in the spool that the database does not have yet. An attempt that
 * is not here is looked up in the database before its lines are taken. Attempts without lines in
 * the spool are forgotten, the longest unused first, above ATTEMPTS_KEPT_MAX.
 */
#include "base/list.h"
#include "base/map.h"
#include "ingest/lines.h"

#define ATTEMPTS_KEPT_MAX ((size_t)65536)
#define ATTEMPTS_CLOSED_MAX ((size_t)65536) /* attempts remembered as given up */
#define LINE_REFS_MAX ((size_t)1000000) /* blocks in the spool that the database does not have */

struct run_group;
struct attempt {
    struct map_node by_task;
    struct list of_run;
    struct run_group *group; /* the attempts of its run; NULL for a lone task */
    struct list recent;      /* while nothing holds it */
    struct list wanted;      /* while it waits for the answer of the database */
    struct list refs;        /* its lines in the spool, oldest first */
    struct id task, run;
    uint32_t attempt, namespace_id;
    bool known;        /* its lines may be taken */
    bool unverified;   /* … though the database could not be asked: it may have some of them */
    uint32_t pins;     /* requests that hold it */
    uint64_t last_seq; /* appended to the spool, or stored */
    int64_t last_us;
};
/* One record of durable lines that the database does not have yet. */
struct line_ref {
    struct list of_attempt, all;
    struct attempt *attempt;
    uint64_t lsn, first_seq;
    int64_t first_us, last_us;
    uint32_t payload_bytes, count;
};
struct attempts {
    struct map by_task, runs;
    struct list recent, wanted, refs;
    size_t count, ref_count, wanted_count;
    struct map closed;
    struct list closed_order;
    size_t closed_count;
};

void attempts_init(struct attempts *attempts);
void attempts_fini(struct attempts *attempts);
struct attempt *attempts_find(struct attempts *attempts, const struct id *task, uint32_t attempt);
/* Made, unknown and wanted, when it is not there. */
struct attempt *attempts_get(struct attempts *attempts, const struct id *task, const struct id *run,
                             uint32_t attempt, uint32_t namespace_id);
/* The database has answered. */
void attempts_known(struct attempts *attempts, struct attempt *attempt, uint64_t last_seq,
                    int64_t last_us);
/* The database cannot answer now. The attempt stays wanted. */
void attempt_unverified(struct attempt *attempt, uint64_t last_seq, int64_t last_us);
void attempt_pin(struct attempts *attempts, struct attempt *attempt);
void attempt_unpin(struct attempts *attempts, struct attempt *attempt);
/* These lines are durable, and not in the database. */
void attempts_add_ref(struct attempts *attempts, struct attempt *attempt, const struct lines *lines,
                      uint32_t payload_bytes);
/* The database has everything before lsn. */
void attempts_stored(struct attempts *attempts, uint64_t lsn);

/* for (a = attempts_of_task(…); a; a = attempt_next_of_task(a)) */
struct attempt *attempts_of_task(const struct attempts *attempts, const struct id *task);
struct attempt *attempt_next_of_task(const struct attempt *attempt);
struct attempt *attempts_of_run(const struct attempts *attempts, const struct id *run);
struct attempt *attempt_next_of_run(const struct attempt *attempt);

/* The controller has given this attempt up. */
void attempts_close(struct attempts *attempts, const struct id *task, uint32_t attempt);
bool attempts_is_closed(const struct attempts *attempts, const struct id *task, uint32_t attempt);

#endif
