/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H
/*
 * The streams to the controllers: hello, take and held, credits, leases, results, heartbeats; again
 * after every loss. Losing a stream stops no work. One address today; each stream is a struct of
 * its own and shards know theirs, so more are a matter of more addresses.
 */
#include "worker.h"

struct session;
/* ready: called with NULL when a controller has welcomed this worker, else with the reason why none
 * has. */
struct session *session_new(struct worker *worker,
                            void (*ready)(const char *why_not, void *userdata), void *userdata);
void session_free(struct session *session);
void session_connect(struct session *session);
/* Something may be sent: results, credits. From the pool's flush. */
void session_flush(struct session *session);
/* No new leases; done once when nothing runs and everything is acknowledged, or the time is over
 * (what still runs is then abandoned: the next process reports it as gone). timeout_ms 0 = no
 * limit. */
void session_drain(struct session *session, uint64_t timeout_ms, void (*done)(void *userdata),
                   void *userdata);

#endif
