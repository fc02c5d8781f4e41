/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../cli.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/task_worker.rpc.h"

#define COUNT_MAX 10000000
#define WORKERS_LISTED 1000
#define TIMEOUT_MS 600000

#define COMMON_OPTIONS                                                                             \
    {"database",                                                                                   \
     0,                                                                                            \
     OPTION_TEXT,                                                                                  \
     offsetof(struct bench_settings, database),                                                    \
     "URL",                                                                                        \
     "PostgreSQL: read back what is recorded",                                                     \
     0,                                                                                            \
     0,                                                                                            \
     0},                                                                                           \
        {"ops",                                                                                    \
         0,                                                                                        \
         OPTION_TEXT,                                                                              \
         offsetof(struct bench_settings, ops),                                                     \
         "ADDRESS",                                                                                \
         "the controller's ops port, for the lag",                                                 \
         0,                                                                                        \
         0,                                                                                        \
         0},                                                                                       \
    {                                                                                              \
        "timeout", 0, OPTION_DURATION, offsetof(struct bench_settings, timeout_ms), "TIME",        \
            "give up after (10m)", 1000, INT64_MAX, TIMEOUT_MS                                     \
    }

static const struct option tasks_options[] = {
    {"tasks", 'n', OPTION_INT, offsetof(struct bench_settings, tasks), "N", "tasks in all (100000)",
     1, COUNT_MAX, 100000},
    {"batch", 0, OPTION_INT, offsetof(struct bench_settings, batch), "N",
     "tasks of one SubmitTasks (1000)", 1, 10000, 1000},
    {"window", 0, OPTION_INT, offsetof(struct bench_settings, window), "N", "calls in flight (4)",
     1, 256, 4},
    COMMON_OPTIONS,
};
static const struct option latency_options[] = {
    {"n", 'n', OPTION_INT, offsetof(struct bench_settings, n), "N",
     "tasks, one after another (500)", 1, COUNT_MAX, 500},
    COMMON_OPTIONS,
};
static const struct option chain_options[] = {
    {"workflows", 'n', OPTION_INT, offsetof(struct bench_settings, workflows), "N",
     "runs in all (500)", 1, COUNT_MAX, 500},
    {"concurrency", 'c', OPTION_INT, offsetof(struct bench_settings, concurrency), "K",
     "runs at a time (50)", 1, 512, 50},
    COMMON_OPTIONS,
};
static const struct option fanout_options[] = {
    {"width", 'w', OPTION_INT, offsetof(struct bench_settings, width), "N", "parallel steps (1000)",
     1, 9000, 1000},
    {"runs", 'n', OPTION_INT, offsetof(struct bench_settings, runs), "N",
     "runs, one after another (5)", 1, COUNT_MAX, 5},
    COMMON_OPTIONS,
};

/* ---- samples ---- */

void samples_add(struct samples *samples, uint64_t us)
{
    if (samples->len == samples->cap) {
        samples->cap = samples->cap ? samples->cap * 2 : 1024;
        samples->us = mem_realloc(samples->us, samples->cap * sizeof *samples->us);
    }
    samples->us[samples->len++] = us;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

double samples_percentile_ms(struct samples *samples, double part)
{
    if (!samples->len)
        return 0;
    qsort(samples->us, samples->len, sizeof *samples->us, compare);
    size_t at = (size_t)(part * (double)samples->len);
    return (double)samples->us[MIN_OF(at, samples->len - 1)] / 1000;
}

/* ---- the result ---- */

struct report {
    double p50_ms, p95_ms, p99_ms, relay_lag, sink_lag_s;
    bool has_relay_lag, has_sink_lag;
};

static void add_rate(json_t *json, const char *name, double value)
{
    if (value > 0)
        json_object_set_new(json, name, json_real(value));
}

static void print_json(const struct bench_result *result, const struct report *report)
{
    json_t *json = json_object();

    json_object_set_new(json, "bench", json_string(result->name));
    json_object_set_new(json, "n", json_integer((json_int_t)result->n));
    if (result->steps)
        json_object_set_new(json, "steps", json_integer((json_int_t)result->steps));
    add_rate(json, "enqueue_s", result->enqueue_s);
    add_rate(json, "e2e_s", result->e2e_s);
    add_rate(json, "steps_s", result->steps_s);
    add_rate(json, "p50_ms", report->p50_ms);
    add_rate(json, "p95_ms", report->p95_ms);
    add_rate(json, "p99_ms", report->p99_ms);
    if (result->finished >= 0)
        json_object_set_new(json, "finished", json_integer(result->finished));
    if (result->finished >= 0 && result->steps)
        json_object_set_new(json, "finished_steps", json_integer(result->finished_steps));
    if (report->has_relay_lag)
        json_object_set_new(json, "relay_lag_events", json_integer((json_int_t)report->relay_lag));
    if (report->has_sink_lag)
        json_object_set_new(json, "sink_lag_s", json_real(report->sink_lag_s));
    char *text = json_dumps(json, JSON_REAL_PRECISION(6));
    printf("%s\n", text);
    free(text);
    json_decref(json);
}

static void print_rate(const char *name, double value, const char *unit)
{
    if (value > 0)
        printf("%-12s %12.*f %s\n", name, value < 100 ? 2 : 0, value, unit);
}

static void print_table(const struct bench_result *result, const struct report *report)
{
    printf("%-12s %12s\n%-12s %12" PRIu64 "\n", "bench", result->name, "n", result->n);
    print_rate("enqueue", result->enqueue_s, "/s");
    print_rate("e2e", result->e2e_s, "/s");
    print_rate("steps", result->steps_s, "/s");
    print_rate("p50", report->p50_ms, "ms");
    print_rate("p95", report->p95_ms, "ms");
    print_rate("p99", report->p99_ms, "ms");
    if (result->finished >= 0)
        printf("%-12s %12" PRId64 " in PostgreSQL\n", "finished", result->finished);
    if (result->finished >= 0 && result->steps)
        printf("%-12s %12" PRId64 " of %" PRIu64 "\n", "steps done", result->finished_steps,
               result->steps);
    if (report->has_relay_lag)
        printf("%-12s %12.0f events behind\n", "logger", report->relay_lag);
    if (report->has_sink_lag)
        printf("%-12s %12.3f s behind\n", "slowest sink", report->sink_lag_s);
}

static int print_result(struct bench *bench)
{
    struct bench_result *result = &bench->result;
    struct report report = {
        .p50_ms = samples_percentile_ms(&result->samples, 0.50),
        .p95_ms = samples_percentile_ms(&result->samples, 0.95),
        .p99_ms = samples_percentile_ms(&result->samples, 0.99),
    };
    const char *ops = bench->settings->ops ? bench->settings->ops : bench->client.controller_ops;

    report.has_relay_lag = ops && bench_relay_lag(ops, &report.relay_lag);
    report.has_sink_lag = bench_sink_lag(&bench->client, &report.sink_lag_s);
    if (bench->in->json)
        print_json(result, &report);
    else
        print_table(result, &report);
    if (result->finished < 0 || ((uint64_t)result->finished == result->n &&
                                 (uint64_t)result->finished_steps == result->steps))
        return 0;
    fprintf(stderr, "plankton: PostgreSQL has %" PRId64 " finished of %" PRIu64 "\n",
            result->finished, result->n);
    return 1;
}

/* ---- running one ---- */

/* Without a worker for noop a measurement would wait for ever. */
static enum status check_workers(struct client *client, struct error *err)
{
    Plankton__V1__ListWorkersRequest request = PLANKTON__V1__LIST_WORKERS_REQUEST__INIT;
    Plankton__V1__ListWorkersResponse *response;
    enum status st =
        CLIENT_LIST(client, task_worker_list_workers, &request, WORKERS_LISTED, &response, err);

    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < response->n_workers; i++) {
        const Plankton__V1__Worker *worker = response->workers[i];
        for (size_t k = 0; k < worker->n_task_types; k++)
            if (worker->state == PLANKTON__V1__WORKER_STATE__WORKER_STATE_CONNECTED &&
                str_eq(worker->task_types[k], "noop"))
                return STATUS_OK;
    }
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "no connected worker offers the task type noop");
}

static void on_deadline(void *userdata)
{
    struct bench *bench = userdata;

    bench->expired = true;
    loop_stop(bench->client.loop);
}

static int bench_run(struct invocation *in, enum status (*measure)(struct bench *, struct error *))
{
    struct bench bench = {.in = in, .settings = in->settings};
    struct error error = {0};
    int exit_status = 1;

    bench.result.name = in->command->name;
    bench.result.finished = bench.settings->database ? 0 : -1;
    enum status st = client_open(in, &bench.client, &error);
    if (st == STATUS_OK) {
        client_catch_interrupt(&bench.client);
        bench.deadline = loop_timer_new(bench.client.loop, on_deadline, &bench);
        loop_timer_start(bench.deadline, (uint64_t)bench.settings->timeout_ms, 0);
        st = check_workers(&bench.client, &error);
    }
    if (st == STATUS_OK)
        st = measure(&bench, &error);
    exit_status = st == STATUS_OK ? print_result(&bench) : cli_fail(&error);
    if (bench.deadline)
        loop_timer_free(bench.deadline);
    client_close(&bench.client);
    free(bench.result.samples.us);
    return exit_status;
}

static int run_tasks(struct invocation *in)
{
    return bench_run(in, bench_tasks);
}

static int run_latency(struct invocation *in)
{
    return bench_run(in, bench_latency);
}

static int run_chain(struct invocation *in)
{
    return bench_run(in, bench_chain);
}

static int run_fanout(struct invocation *in)
{
    return bench_run(in, bench_fanout);
}

int verb_bench(int argc, char **argv)
{
    static const struct command commands[] = {
        {.name = "tasks",
         .summary = "submit many noop tasks and wait for all",
         .options = tasks_options,
         .option_count = ARRAY_LEN(tasks_options),
         .settings_bytes = sizeof(struct bench_settings),
         .run = run_tasks},
        {.name = "latency",
         .summary = "submit one noop task at a time and wait for its result",
         .options = latency_options,
         .option_count = ARRAY_LEN(latency_options),
         .settings_bytes = sizeof(struct bench_settings),
         .run = run_latency},
        {.name = "chain",
         .summary = "run plans of 10 sequential noop steps",
         .options = chain_options,
         .option_count = ARRAY_LEN(chain_options),
         .settings_bytes = sizeof(struct bench_settings),
         .run = run_chain},
        {.name = "fanout",
         .summary = "run a plan of many parallel noop steps and a join",
         .options = fanout_options,
         .option_count = ARRAY_LEN(fanout_options),
         .settings_bytes = sizeof(struct bench_settings),
         .run = run_fanout},
    };
    static const struct noun noun = {
        .name = "bench", .commands = commands, .command_count = ARRAY_LEN(commands)};

    return noun_run(&noun, argc, argv);
}
