/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "duties.h"
#include "exec/executor.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "pool/pool.h"
#include "session/session.h"

#define LOGS_SETTLE_MS                                                                             \
    2000 /* for the logger to acknowledge the last lines; the spool keeps what it does not */
#define STOP_MARGIN_MS 1000 /* of the drain's time, for killing what still runs */
#define DRAIN_SHARE_MIN 2   /* short drains keep at least half of their time for work */

static struct metric worker_metrics[] = {
    {.name = "worker_attempts_running", .help = "Attempts that run now.", .kind = METRIC_GAUGE},
    {.name = "worker_attempts_unfinished",
     .help = "Attempts that run or wait for a slot.",
     .kind = METRIC_GAUGE},
    {.name = "worker_results_unacknowledged",
     .help = "Results kept until a controller has recorded them.",
     .kind = METRIC_GAUGE},
    {.name = "worker_log_lines_total", .help = "Lines taken from tasks.", .kind = METRIC_COUNTER},
    {.name = "worker_log_spool_bytes",
     .help = "Log lines that the logger has not acknowledged.",
     .kind = METRIC_GAUGE},
};

static void collect(void *userdata)
{
    const struct worker *worker = userdata;

    if (!worker->pool || !worker->logs)
        return;
    metric_set(&worker_metrics[0], (double)pool_running(worker->pool));
    metric_set(&worker_metrics[1], (double)pool_unfinished(worker->pool));
    metric_set(&worker_metrics[2], (double)pool_unacked(worker->pool));
    metric_set(&worker_metrics[3], (double)logs_lines_total(worker->logs));
    metric_set(&worker_metrics[4], (double)logs_unacknowledged_bytes(worker->logs));
}

/* ---- spool ---- */

static void before_release(void *userdata)
{
    struct worker *worker = userdata;

    if (worker->pool)
        pool_note_sequences(worker->pool);
}

static enum status spool_start(struct service *service, void *state, struct error *err)
{
    struct worker *worker = state;

    worker->service = service;
    worker->loop = service_loop(service);
    worker->settings = service_settings(service);
    enum status st = worker_settings_apply(worker, err);
    if (st == STATUS_OK)
        st = state_dir_open(&worker->dir, worker->settings->state_dir,
                            *worker->settings->task_user != '\0', err);
    if (st == STATUS_OK)
        st = journal_open(worker->dir.path, &worker->journal, err);
    if (st != STATUS_OK)
        return st;
    struct logs_options options = {
        .dir = worker->dir.path,
        .spool_bytes = (uint64_t)worker->settings->spool_bytes,
        .reconnect_ms = (uint64_t)worker->settings->reconnect_ms,
        .authorization = worker->authorization,
        .tls = worker->tls,
        .before_release = before_release,
        .userdata = worker,
    };
    st = logs_open(worker->loop, &options, worker->journal, &worker->logs, err);
    if (st != STATUS_OK)
        return st;
    if (worker->settings->logger)
        logs_set_address(worker->logs, worker->settings->logger);
    metrics_register(worker_metrics, ARRAY_LEN(worker_metrics));
    metrics_on_collect(collect, worker);
    return STATUS_OK;
}

static void spool_stop(struct service *service, void *state)
{
    struct worker *worker = state;

    logs_close(worker->logs);
    journal_close(worker->journal);
    state_dir_close(&worker->dir);
    free(worker->authorization);
    worker->logs = NULL;
    worker->journal = NULL;
    worker->authorization = NULL;
    service_duty_stopped(service, "spool");
}

/* ---- pool ---- */

static void pool_changed_cb(void *userdata)
{
    struct worker *worker = userdata;

    if (worker->session)
        session_flush(worker->session);
}

static enum status pool_duty_start(struct service *service, void *state, struct error *err)
{
    struct worker *worker = state;

    enum status st = executor_new(worker, &worker->executor, err);
    if (st != STATUS_OK)
        return st;
    worker->pool = pool_new(worker, pool_changed_cb, worker);
    pool_recover(worker->pool);
    return STATUS_OK;
}

static void logs_settled(void *userdata)
{
    struct worker *worker = userdata;

    loop_timer_free(worker->settle);
    worker->settle = NULL;
    service_duty_stopped(worker->service, "pool");
}

static void settle_cb(void *userdata)
{
    struct worker *worker = userdata;

    logs_on_settled(worker->logs, NULL, NULL);
    logs_settled(worker);
}

static void pool_duty_stop(struct service *service, void *state)
{
    struct worker *worker = state;

    if (!worker->pool) {
        service_duty_stopped(service, "pool");
        return;
    }
    pool_free(worker->pool);
    executor_free(worker->executor);
    worker->pool = NULL;
    worker->executor = NULL;
    worker->settle = loop_timer_new(worker->loop, settle_cb, worker);
    loop_timer_start(worker->settle, LOGS_SETTLE_MS, 0);
    logs_on_settled(worker->logs, logs_settled, worker);
}

/* ---- session ---- */

static void session_ready(const char *why_not, void *userdata)
{
    struct worker *worker = userdata;

    service_not_ready(worker->service, "session", why_not);
}

static enum status session_start(struct service *service, void *state, struct error *err)
{
    struct worker *worker = state;

    worker->session = session_new(worker, session_ready, worker);
    session_connect(worker->session);
    return STATUS_OK;
}

static void session_drained(void *userdata)
{
    struct worker *worker = userdata;

    session_free(worker->session);
    worker->session = NULL;
    service_duty_stopped(worker->service, "session");
}

static void session_stop(struct service *service, void *state)
{
    struct worker *worker = state;
    int64_t total = worker->session ? worker->settings->service.drain_timeout_ms : 0;
    int64_t margin = MIN_OF(STOP_MARGIN_MS + LOGS_SETTLE_MS, total / DRAIN_SHARE_MIN);

    if (!worker->session) {
        service_duty_stopped(service, "session");
        return;
    }
    session_drain(worker->session, (uint64_t)MAX_OF(total - margin, 1), session_drained, worker);
}

const struct service_duty worker_duties[WORKER_DUTIES] = {
    {.name = "spool", .start = spool_start, .stop = spool_stop},
    {.name = "pool", .start = pool_duty_start, .stop = pool_duty_stop},
    {.name = "session", .start = session_start, .stop = session_stop},
};
