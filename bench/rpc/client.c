/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The load client on lib/rpc. rpc_bench_client ADDRESS [--mode=unary|stream|idle]
 * [--connections=N] [--outstanding=N] [--bytes=N] [--seconds=S] [--pid=SERVER] [--ca=FILE]: keeps
 * so many calls (or messages of one stream per connection) in flight, and prints one line of
 * key=value. With
 * --pid it reads the CPU time of the server's threads before and after. idle: opens the
 * connections, says so, and keeps them until its input ends.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "echo.rpc.h"
#include "net/tls.h"

#define WARM_UP_MS 300
#define LATENCIES_MAX 4000000
#define CONNECTIONS_MAX 10000
#define OPENING_MAX 100 /* connections under way at a time */

enum mode { UNARY, STREAM, IDLE };
struct bench;
struct slot { /* one call after another, or one stream with its messages in flight */
    struct bench *bench;
    struct rpc_channel *channel;
    struct rpc_call *stream;
    uint64_t *began_us; /* of the messages in flight, a ring */
    uint64_t sent, received;
};
struct bench {
    struct loop *loop;
    struct loop_timer *timer;
    enum mode mode;
    const char *address, *ca;
    struct rpc_channel_options options;
    unsigned connections, outstanding, seconds, bytes, pid, opened, opening;
    struct rpc_channel **channels;
    struct slot *slots;
    size_t slot_count;
    Plankton__Bench__EchoRequest request;
    uint32_t *latencies_us;
    size_t done, failed;
    bool measuring, over;
    uint64_t began_us, server_cpu_ns, own_cpu_ns;
};

static uint64_t file_number(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[128] = "";

    if (!file)
        return 0;
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    fclose(file);
    return strtoull(line, NULL, 10);
}

/* Time on a processor of all threads of a process that live now. */
static uint64_t cpu_ns(unsigned pid)
{
    char path[320];
    uint64_t sum = 0;
    struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%u/task/%s/schedstat", pid, entry->d_name);
        sum += file_number(path);
    }
    closedir(dir);
    return sum;
}

static void count(struct bench *bench, uint64_t began_us, bool ok)
{
    if (!bench->measuring)
        return;
    if (!ok)
        bench->failed++;
    else if (bench->done < LATENCIES_MAX)
        bench->latencies_us[bench->done++] = (uint32_t)(clock_monotonic_us() - began_us);
}

static void slot_call(struct slot *slot);

static void unary_done(const ProtobufCMessage *response, const struct error *err, void *userdata)
{
    struct slot *slot = userdata;

    if (!response && !slot->bench->over)
        fprintf(stderr, "call failed: %s\n", err->message);
    count(slot->bench, slot->began_us[0], response != NULL);
    if (response)
        slot_call(slot);
}

static void slot_call(struct slot *slot)
{
    slot->began_us[0] = clock_monotonic_us();
    rpc_channel_unary(slot->channel, &plankton_bench_echo_unary, NULL, &slot->bench->request.base,
                      unary_done, slot);
}

static void slot_send(struct slot *slot)
{
    slot->began_us[slot->sent++ % slot->bench->outstanding] = clock_monotonic_us();
    if (rpc_call_send(slot->stream, &slot->bench->request.base) != STATUS_OK)
        fputs("the stream takes no more\n", stderr);
}

static void stream_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct slot *slot = userdata;

    count(slot->bench, slot->began_us[slot->received++ % slot->bench->outstanding], true);
    slot_send(slot);
}

static void stream_close(struct rpc_call *call, enum status status, const struct error *err,
                         void *userdata)
{
    struct slot *slot = userdata;

    if (!slot->bench->over)
        fprintf(stderr, "stream ended: %s\n", err->message);
}

static void slot_stream(struct slot *slot)
{
    static const struct rpc_callbacks callbacks = {.on_message = stream_message,
                                                   .on_close = stream_close};

    slot->stream =
        rpc_channel_call(slot->channel, &plankton_bench_echo_stream, NULL, &callbacks, slot);
    for (unsigned i = 0; i < slot->bench->outstanding; i++)
        slot_send(slot);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void report(struct bench *bench)
{
    double seconds = (double)(clock_monotonic_us() - bench->began_us) / 1e6;
    double n = bench->done ? (double)bench->done : 1;
    double server_us = (double)(cpu_ns(bench->pid) - bench->server_cpu_ns) / 1e3 / n;
    double own_us = (double)(cpu_ns((unsigned)getpid()) - bench->own_cpu_ns) / 1e3 / n;

    qsort(bench->latencies_us, bench->done, sizeof *bench->latencies_us, compare);
    printf("rate=%.0f p50=%u p99=%u server_us=%.3f client_us=%.3f mb_s=%.1f failed=%zu\n",
           (double)bench->done / seconds, bench->latencies_us[bench->done / 2],
           bench->latencies_us[bench->done * 99 / 100], server_us, own_us,
           (double)bench->done * bench->bytes / seconds / 1e6, bench->failed);
    fflush(stdout);
}

static void tick(void *userdata)
{
    struct bench *bench = userdata;

    if (bench->measuring) {
        bench->over = true;
        report(bench);
        loop_stop(bench->loop);
        return;
    }
    bench->measuring = true;
    bench->server_cpu_ns = cpu_ns(bench->pid);
    bench->own_cpu_ns = cpu_ns((unsigned)getpid());
    bench->began_us = clock_monotonic_us();
    loop_timer_start(bench->timer, bench->seconds * 1000ull, 0);
}

static void start_load(struct bench *bench)
{
    unsigned per_connection = bench->mode == UNARY ? bench->outstanding : 1;

    bench->slot_count = (size_t)bench->connections * per_connection;
    bench->slots = mem_zalloc(bench->slot_count * sizeof *bench->slots);
    for (size_t i = 0; i < bench->slot_count; i++) {
        struct slot *slot = &bench->slots[i];
        slot->bench = bench;
        slot->channel = bench->channels[i / per_connection];
        slot->began_us =
            mem_zalloc((bench->mode == UNARY ? 1 : bench->outstanding) * sizeof *slot->began_us);
        if (bench->mode == UNARY)
            slot_call(slot);
        else
            slot_stream(slot);
    }
    loop_timer_start(bench->timer, WARM_UP_MS, 0);
}

static void open_more(struct bench *bench);

static void opened(const ProtobufCMessage *response, const struct error *err, void *userdata)
{
    struct bench *bench = userdata;

    if (!response) {
        fprintf(stderr, "%s\n", err->message);
        exit(EXIT_FAILURE);
    }
    bench->opening--;
    if (++bench->opened < bench->connections) {
        open_more(bench);
    } else if (bench->mode == IDLE) {
        printf("opened=%u\n", bench->opened);
        fflush(stdout);
    } else {
        start_load(bench);
    }
}

/* Each connection makes one call before it counts as open. */
static void open_more(struct bench *bench)
{
    while (bench->opening < OPENING_MAX && bench->opened + bench->opening < bench->connections) {
        struct rpc_channel *channel = rpc_channel_new(bench->loop, bench->address, &bench->options);
        bench->channels[bench->opened + bench->opening++] = channel;
        rpc_channel_unary(channel, &plankton_bench_echo_unary, NULL, &bench->request.base, opened,
                          bench);
    }
}

static void input_ended(int events, void *userdata)
{
    loop_stop(userdata);
}

static void parse(struct bench *bench, int argc, char **argv)
{
    const struct {
        const char *name;
        unsigned *value;
    } numbers[] = {
        {"--connections=", &bench->connections},
        {"--outstanding=", &bench->outstanding},
        {"--seconds=", &bench->seconds},
        {"--bytes=", &bench->bytes},
        {"--pid=", &bench->pid},
    };

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0)
            bench->address = argv[i];
        if (strcmp(argv[i], "--mode=stream") == 0)
            bench->mode = STREAM;
        if (strcmp(argv[i], "--mode=idle") == 0)
            bench->mode = IDLE;
        if (strncmp(argv[i], "--ca=", 5) == 0)
            bench->ca = argv[i] + 5;
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            size_t len = strlen(numbers[k].name);
            if (strncmp(argv[i], numbers[k].name, len) == 0)
                *numbers[k].value = (unsigned)strtoul(argv[i] + len, NULL, 10);
        }
    }
    bench->connections = MIN_OF(MAX_OF(bench->connections, 1u), (unsigned)CONNECTIONS_MAX);
}

int main(int argc, char **argv)
{
    struct bench bench = {.outstanding = 1, .seconds = 2, .bytes = 62};

    signal(SIGPIPE, SIG_IGN);
    parse(&bench, argc, argv);
    if (!bench.address) {
        fputs("usage: rpc_bench_client ADDRESS [options]\n", stderr);
        return 2;
    }
    if (bench.ca) {
        struct net_tls_options tls = {.ca_file = bench.ca, .server_name = "localhost"};
        struct error err = {0};
        bench.options.tls = net_tls_new(&tls, &err);
        if (!bench.options.tls) {
            fprintf(stderr, "%s\n", err.message);
            return EXIT_FAILURE;
        }
    }
    plankton__bench__echo_request__init(&bench.request);
    bench.request.id = "0199c0de-0000-7000-8000-000000000002";
    bench.request.payload = (ProtobufCBinaryData){bench.bytes, mem_zalloc(bench.bytes + 1u)};
    bench.latencies_us = mem_zalloc(LATENCIES_MAX * sizeof *bench.latencies_us);
    bench.channels = mem_zalloc(bench.connections * sizeof *bench.channels);
    bench.loop = loop_new();
    bench.timer = loop_timer_new(bench.loop, tick, &bench);
    open_more(&bench);
    if (bench.mode == IDLE)
        loop_fd_watch(loop_fd_new(bench.loop, STDIN_FILENO, input_ended, bench.loop),
                      LOOP_READABLE);
    loop_run(bench.loop);
    return bench.failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS; /* the kernel closes what is open */
}
