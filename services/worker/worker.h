/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H
/*
 * The parts of the worker process and its settings. Nobody owns more than its own part; they meet
 * through these pointers. spool     what must outlive the process: state directory, result journal,
 * its syncs logs      lines of attempts to the logger pool      attempts: what is held, what runs,
 * what waits for its acknowledgement executor  processes of attempts session   the streams to the
 * controllers
 */
#include "service/tls.h"
#include "spool/journal.h"
#include "spool/state_dir.h"

struct logs;
struct pool;
struct session;
struct executor;

struct worker_settings {
    struct service_settings service; /* first: service_main's own */
    struct service_tls_settings tls;
    const char *controller, *logger, *key_file, *name, *labels, *state_dir, *task_user, *path;
    int64_t slots, process_slots, credit, task_files;
    int64_t grace_ms, reconnect_ms, keepalive_ms, gone_ms;
    int64_t spool_bytes;
    int64_t cpu, memory_bytes, gpu; /* for tasks that say what they need; 0: what the machine has */
};

struct worker {
    struct service *service;
    struct loop *loop;
    const struct worker_settings *settings;
    char *authorization; /* "Bearer …" or NULL */
    struct net_tls *tls; /* to dial with, the service's; NULL = plaintext */
    int process_slots;   /* settings, or 4 for each core */
    struct state_dir dir;
    struct journal *journal;
    struct logs *logs;
    struct pool *pool;
    struct executor *executor;
    struct session *session;
    struct loop_timer *settle; /* while the last log lines go out */
};

extern const struct conf_program worker_conf;
/* Checks what the table cannot; reads the key. */
MUST_USE enum status worker_settings_apply(struct worker *worker, struct error *err);

#endif
