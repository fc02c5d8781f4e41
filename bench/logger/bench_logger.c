/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_logger lines|events|tail LOGGER CLUSTER-KEY-FILE CONTROLLER-ADDRESS SECONDS [RATE]: drives
 * a running plankton-logger over gRPC and prints one JSON object. It plays worker, controller
 * (relay, and the one who knows the keys) and reader. bench/logger/run starts what it needs. lines
 * 150-byte lines of 100 attempts, as many as are acknowledged events  three a task over 16 shards,
 * as many as are acknowledged tail    RATE lines a second of one attempt, and how long each took to
 * its reader
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plankton/v1/keys.rpc.h"
#include "plankton/v1/task_logger.rpc.h"
#include "token/token.h"

#define LINE_BYTES 150
#define BLOCK_LINES 500
#define ATTEMPTS 100
#define SHARDS 16
#define BATCH_TASKS 300
#define WINDOW 64 /* requests under way */
#define TAIL_TICK_MS 5
#define SAMPLES_MAX (10 * 1000 * 1000)
#define TIMELINE 7
#define LATE_S 20

struct bench {
    struct loop *loop;
    struct cluster_key key;
    struct rpc_channel *worker, *service, *reader;
    struct rpc_call *call;
    const char *mode;
    uint64_t seconds, rate;
    uint64_t begin_us, end_us, done_us;
    bool stopping;
    /* lines */
    struct lease_token tokens[ATTEMPTS];
    uint8_t token_bytes[ATTEMPTS][LEASE_TOKEN_BYTES];
    size_t token_len[ATTEMPTS];
    uint64_t seq[ATTEMPTS];
    uint64_t number, acknowledged, lines_sent, lines_per_request;
    /* events */
    uint64_t next[SHARDS], acked[SHARDS], under_way;
    /* tail */
    struct loop_timer *tick;
    uint64_t *sent_us; /* by sequence number */
    uint32_t *took_us;
    uint64_t seen;
};

static uint64_t now_us(void)
{
    return clock_monotonic_us();
}

/* ---- the one who knows the keys ---- */

static void introspect(struct rpc_call *call, const Plankton__V1__IntrospectRequest *request)
{
    Plankton__V1__Identity identity = PLANKTON__V1__IDENTITY__INIT;

    identity.role = strcmp(request->key, "worker") == 0 ? PLANKTON__V1__ROLE__ROLE_WORKER
                                                        : PLANKTON__V1__ROLE__ROLE_ADMIN;
    identity.namespace_id = 1;
    plankton_v1_keys_introspect_reply(call, &identity);
}

static void admit_all(struct rpc_call *call, void *userdata)
{
    rpc_call_admit(call, NULL);
}

/* ---- the end: what is acknowledged is stored ---- */

static void sinks_seen(const Plankton__V1__ListSinksResponse *response, const struct error *err,
                       void *userdata);

static void ask_sinks(void *userdata)
{
    struct bench *bench = userdata;
    Plankton__V1__ListSinksRequest request = PLANKTON__V1__LIST_SINKS_REQUEST__INIT;
    struct rpc_call_options options = {.timeout_ms = 5000};

    plankton_v1_task_logger_list_sinks_call(bench->reader, &options, &request, sinks_seen, bench);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void print(struct bench *bench)
{
    double took = (double)(bench->end_us - bench->begin_us) / 1e6,
           all = (double)(bench->done_us - bench->begin_us) / 1e6;
    uint64_t n = bench->acknowledged * bench->lines_per_request;

    if (bench->took_us)
        n = bench->seen;
    if (strcmp(bench->mode, "events") == 0)
        for (size_t i = n = 0; i < SHARDS; i++)
            n += bench->acked[i];
    printf("{\"mode\":\"%s\",\"n\":%" PRIu64
           ",\"seconds\":%.2f,\"acknowledged_s\":%.0f,\"stored_s\":%.0f",
           bench->mode, n, took, (double)n / took, (double)n / all);
    if (bench->took_us && bench->seen) {
        qsort(bench->took_us, bench->seen, sizeof *bench->took_us, by_size);
        printf(",\"tail_p50_ms\":%.2f,\"tail_p99_ms\":%.2f,\"tail_max_ms\":%.2f,\"tail_lines\":"
               "%" PRIu64,
               bench->took_us[bench->seen / 2] / 1e3, bench->took_us[bench->seen * 99 / 100] / 1e3,
               bench->took_us[bench->seen - 1] / 1e3, bench->seen);
    }
    printf("}\n");
}

static void sinks_seen(const Plankton__V1__ListSinksResponse *response, const struct error *err,
                       void *userdata)
{
    struct bench *bench = userdata;

    if (!response || response->n_sinks == 0) {
        fprintf(stderr, "ListSinks: %s\n", err->message);
        exit(1);
    }
    if (response->sinks[0]->lag_seconds > 0) {
        loop_timer_start(bench->tick, 10, 0);
        return;
    }
    bench->done_us = now_us();
    print(bench);
    loop_stop(bench->loop);
}

static void finish(struct bench *bench)
{
    if (bench->end_us)
        return;
    bench->end_us = now_us();
    if (bench->tick)
        loop_timer_free(bench->tick);
    bench->tick = loop_timer_new(bench->loop, ask_sinks, bench);
    ask_sinks(bench);
}

static bool is_over(const struct bench *bench)
{
    return now_us() - bench->begin_us > bench->seconds * 1000000;
}

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    fprintf(stderr, "the call ended: %s %s\n", status_name(status), err->message);
    exit(1);
}

/* ---- lines ---- */

static void send_lines(struct bench *bench, size_t attempt, size_t n)
{
    static char text[BLOCK_LINES * LINE_BYTES];
    static uint32_t length[BLOCK_LINES], dt_us[BLOCK_LINES];
    static uint8_t levels[BLOCK_LINES];
    Plankton__V1__AppendRequest request = PLANKTON__V1__APPEND_REQUEST__INIT;
    Plankton__V1__LogBlock block = PLANKTON__V1__LOG_BLOCK__INIT, *blocks[] = {&block};

    for (size_t i = 0; i < n; i++) {
        int head = snprintf(text + i * LINE_BYTES, LINE_BYTES,
                            "2026-11-24 10:11:12 INFO worker.pool request %016" PRIx64
                            " took %u us status=200 path=/api/v1/items/%u ",
                            random_u64(), (unsigned)(random_u64() % 100000),
                            (unsigned)(random_u64() % 1000));
        memset(text + i * LINE_BYTES + head, '.', (size_t)(LINE_BYTES - head));
        length[i] = LINE_BYTES;
        dt_us[i] = 1;
    }
    block.token = (ProtobufCBinaryData){bench->token_len[attempt], bench->token_bytes[attempt]};
    block.first_seq = bench->seq[attempt] + 1;
    block.base_unix_us = clock_unix_us();
    block.text = (ProtobufCBinaryData){n * LINE_BYTES, (uint8_t *)text};
    block.n_length = block.n_dt_us = n;
    block.length = length;
    block.dt_us = dt_us;
    block.stream_level = (ProtobufCBinaryData){n, levels};
    request.number = ++bench->number;
    request.blocks = blocks;
    request.n_blocks = 1;
    bench->seq[attempt] += n;
    if (plankton_v1_task_logger_append_write(bench->call, &request) != STATUS_OK)
        exit(1);
}

static void pump_lines(struct bench *bench)
{
    while (!is_over(bench) && bench->number - bench->acknowledged < WINDOW &&
           rpc_call_writable(bench->call))
        send_lines(bench, bench->number % ATTEMPTS, BLOCK_LINES);
    if (is_over(bench) && bench->acknowledged == bench->number)
        finish(bench);
}

static void lines_acked(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct bench *bench = userdata;

    bench->acknowledged = plankton_v1_task_logger_append_response_of(message)->acknowledged;
    if (!bench->took_us)
        pump_lines(bench);
}

static void lines_writable(struct rpc_call *call, void *userdata)
{
    struct bench *bench = userdata;

    if (!bench->took_us)
        pump_lines(bench);
}

static void start_lines(struct bench *bench)
{
    static const struct rpc_callbacks callbacks = {
        .on_message = lines_acked, .on_writable = lines_writable, .on_close = on_close};
    struct rpc_call_options options = {.wait_for_ready = true};

    for (size_t i = 0; i < ATTEMPTS; i++) {
        bench->tokens[i] = (struct lease_token){
            .timeline = TIMELINE,
            .namespace_id = 1,
            .task = id_make((uint64_t)clock_unix_us() / 1000, (uint16_t)(i % SHARDS), random_u64()),
            .attempt = 1};
        lease_token_sign(&bench->key, &bench->tokens[i], bench->token_bytes[i],
                         &bench->token_len[i]);
    }
    bench->call = plankton_v1_task_logger_append_call(bench->worker, &options, &callbacks, bench);
}

/* ---- events ---- */

static void send_events(struct bench *bench, uint32_t shard)
{
    static Plankton__V1__Event events[BATCH_TASKS * 3];
    static Plankton__V1__Event *pointers[BATCH_TASKS * 3];
    static struct id tasks[BATCH_TASKS], worker;
    static uint8_t packed[1 << 20];
    Plankton__V1__EventBatch batch = PLANKTON__V1__EVENT_BATCH__INIT;
    Plankton__V1__RelayRequest request = PLANKTON__V1__RELAY_REQUEST__INIT;

    for (size_t i = 0; i < BATCH_TASKS; i++)
        tasks[i] = id_make((uint64_t)clock_unix_us() / 1000, (uint16_t)shard, random_u64());
    for (size_t i = 0; i < BATCH_TASKS * 3; i++) {
        Plankton__V1__Event *event = pointers[i] = &events[i];
        plankton__v1__event__init(event);
        event->number = bench->next[shard] + i + 1;
        event->unix_us = clock_unix_us();
        event->kind = (Plankton__V1__EventKind)(1 + i % 3);
        event->namespace_id = 1;
        event->task_id = (ProtobufCBinaryData){ID_BYTES, tasks[i / 3].bytes};
        event->state = (uint32_t)(2 + i % 3);
        event->attempt = i % 3 > 0;
        event->type = (char *)"noop";
        if (i % 3)
            event->worker_id = (ProtobufCBinaryData){ID_BYTES, worker.bytes};
    }
    batch.events = pointers;
    batch.n_events = BATCH_TASKS * 3;
    request.timeline = TIMELINE;
    request.shard = shard;
    request.first = bench->next[shard] + 1;
    request.events = (ProtobufCBinaryData){plankton__v1__event_batch__pack(&batch, packed), packed};
    bench->next[shard] += batch.n_events;
    if (plankton_v1_task_logger_relay_events_write(bench->call, &request) != STATUS_OK)
        exit(1);
}

static void pump_events(struct bench *bench)
{
    uint64_t sent = 0, acked = 0;

    for (uint32_t i = 0; i < SHARDS; i++) {
        bool go =
            !is_over(bench) && bench->next[i] - bench->acked[i] < BATCH_TASKS * 3 * WINDOW / SHARDS;
        if (go && rpc_call_writable(bench->call))
            send_events(bench, i);
        sent += bench->next[i];
        acked += bench->acked[i];
    }
    if (is_over(bench) && sent == acked)
        finish(bench);
}

static void events_acked(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct bench *bench = userdata;
    const Plankton__V1__RelayReply *reply =
        plankton_v1_task_logger_relay_events_response_of(message);

    bench->acked[reply->shard] = reply->acknowledged;
    pump_events(bench);
}

static void events_writable(struct rpc_call *call, void *userdata)
{
    pump_events(userdata);
}

static void start_events(struct bench *bench)
{
    static const struct rpc_callbacks callbacks = {
        .on_message = events_acked, .on_writable = events_writable, .on_close = on_close};
    struct rpc_call_options options = {.wait_for_ready = true};

    bench->call =
        plankton_v1_task_logger_relay_events_call(bench->service, &options, &callbacks, bench);
    pump_events(bench);
}

/* ---- tail ---- */

static void tail_lines(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct bench *bench = userdata;
    const Plankton__V1__LogLines *lines =
        plankton_v1_task_logger_tail_task_logs_response_of(message);
    uint64_t now = now_us();

    for (size_t i = 0; i < lines->n_lines; i++) {
        if (lines->lines[i]->seq != (int64_t)bench->seen + 1) {
            fprintf(stderr, "line %" PRId64 " came where %" PRIu64 " was expected\n",
                    lines->lines[i]->seq, bench->seen + 1);
            exit(1);
        }
        bench->took_us[bench->seen++] = (uint32_t)(now - bench->sent_us[lines->lines[i]->seq]);
    }
}

static void tail_tick(void *userdata)
{
    struct bench *bench = userdata;
    uint64_t due = (now_us() - bench->begin_us) * bench->rate / 1000000;

    if (is_over(bench)) {
        if (bench->seen == bench->seq[0])
            finish(bench);
        if (now_us() - bench->begin_us > (bench->seconds + LATE_S) * 1000000) {
            fprintf(stderr,
                    "%" PRIu64 " of %" PRIu64 " lines were seen, %" PRIu64 " of %" PRIu64
                    " requests acknowledged\n",
                    bench->seen, bench->seq[0], bench->acknowledged, bench->number);
            exit(1);
        }
        return;
    }
    while (bench->seq[0] < due) {
        size_t n = (size_t)MIN_OF(due - bench->seq[0], BLOCK_LINES);
        for (size_t i = 0; i < n; i++)
            bench->sent_us[bench->seq[0] + 1 + i] = now_us();
        send_lines(bench, 0, n);
    }
}

static void start_tail(struct bench *bench)
{
    static const struct rpc_callbacks callbacks = {.on_message = tail_lines, .on_close = on_close};
    Plankton__V1__TailTaskLogsRequest request = PLANKTON__V1__TAIL_TASK_LOGS_REQUEST__INIT;
    struct rpc_call_options options = {.wait_for_ready = true};
    char id[ID_TEXT_BYTES];

    if (bench->seconds * bench->rate > SAMPLES_MAX)
        exit(2);
    bench->sent_us = mem_zalloc((SAMPLES_MAX + BLOCK_LINES) * sizeof *bench->sent_us);
    bench->took_us = mem_zalloc((SAMPLES_MAX + BLOCK_LINES) * sizeof *bench->took_us);
    start_lines(bench);
    id_format(&bench->tokens[0].task, id);
    request.task_id = id;
    plankton_v1_task_logger_tail_task_logs_call(bench->reader, &options, &request, &callbacks,
                                                bench);
    bench->tick = loop_timer_new(bench->loop, tail_tick, bench);
    loop_timer_start(bench->tick, TAIL_TICK_MS, TAIL_TICK_MS);
}

static void start(void *userdata)
{
    struct bench *bench = userdata;

    bench->begin_us = now_us();
    bench->lines_per_request = BLOCK_LINES;
    if (strcmp(bench->mode, "lines") == 0) {
        start_lines(bench);
        pump_lines(bench);
    } else if (strcmp(bench->mode, "events") == 0) {
        start_events(bench);
    } else {
        start_tail(bench);
    }
}

int main(int argc, char **argv)
{
    static const struct plankton_v1_keys_ops keys = {.introspect = introspect};
    static struct bench bench;
    struct error err;
    char credential[API_KEY_TEXT_BYTES], service[API_KEY_TEXT_BYTES + 8];

    if (argc < 6) {
        fprintf(stderr, "usage: bench_logger lines|events|tail LOGGER CLUSTER-KEY-FILE "
                        "CONTROLLER-ADDRESS SECONDS [RATE]\n");
        return 2;
    }
    bench.mode = argv[1];
    bench.seconds = strtoull(argv[5], NULL, 10);
    bench.rate = argc > 6 ? strtoull(argv[6], NULL, 10) : 50000;
    bench.loop = loop_new();
    struct rpc_server *server = rpc_server_new(bench.loop, &(struct rpc_server_options){0});
    rpc_server_set_authorizer(server, admit_all, NULL);
    rpc_server_add(server, &plankton_v1_keys_desc, &keys, NULL);
    if (cluster_key_load(argv[3], &bench.key, &err) != STATUS_OK ||
        rpc_server_listen(server, argv[4], &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    service_credential_make(&bench.key, credential);
    snprintf(service, sizeof service, "Bearer %s", credential);
    bench.worker = rpc_channel_new(bench.loop, argv[2],
                                   &(struct rpc_channel_options){.authorization = "Bearer worker"});
    bench.reader = rpc_channel_new(bench.loop, argv[2],
                                   &(struct rpc_channel_options){.authorization = "Bearer admin"});
    bench.service = rpc_channel_new(bench.loop, argv[2],
                                    &(struct rpc_channel_options){.authorization = service});
    loop_defer(bench.loop, start, &bench);
    loop_run(bench.loop);
    return 0;
}
