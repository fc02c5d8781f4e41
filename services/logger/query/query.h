/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H
/*
 * The way out: pages of lines, history, tails. What is asked for lies partly in the database and
 * partly, for a moment, only in the spool; a reader takes what memory knows first and asks the
 * database then, so that a record which moves between the two meanwhile is seen twice (and shown
 * once), never missed. Nothing is shown before it is durable.
 */
#include "ingest/ingest.h"
#include "store/store.h"

#define QUERY_PAGE_DEFAULT 1000
#define QUERY_PAGE_MAX 10000

struct query;
struct query_options {
    const struct cluster_key *cluster_key;
    /* How long a tail waits for lines that a result says to exist, once its task is over. */
    int64_t tail_wait_ms;
    /* How long a task or run that was made a moment ago may be unknown here: its events are on
     * their way. */
    int64_t unknown_wait_ms;
};
/* ingest and store are set before the first call. */
struct query *query_new(struct loop *loop, const struct query_options *options);
void query_attach(struct query *query, struct ingest *ingest, struct store *store);
void query_end(struct query *query); /* the program ends: so do tails */
size_t query_tail_count(const struct query *query);
void query_free(struct query *query); /* NULL allowed; no call may be open */

/* From ingest, after the fsync. */
void query_on_lines(struct query *query, const struct lines *lines);
void query_on_event(struct query *query, const struct event_ref *event);
bool query_wants_events(const struct query *query);

void query_task_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                     const Plankton__V1__QueryTaskLogsRequest *request);
void query_run_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                    const Plankton__V1__QueryRunLogsRequest *request);
void query_search_task_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                            const Plankton__V1__SearchTaskLogsRequest *request);
void query_search_run_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                           const Plankton__V1__SearchRunLogsRequest *request);
void query_tail_task_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                          const Plankton__V1__TailTaskLogsRequest *request);
void query_tail_run_logs(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                         const Plankton__V1__TailRunLogsRequest *request);
void query_task_history(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                        const Plankton__V1__QueryTaskHistoryRequest *request);
void query_run_history(struct query *query, struct rpc_call *call, uint32_t namespace_id,
                       const Plankton__V1__QueryRunHistoryRequest *request);

#endif
