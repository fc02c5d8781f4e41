/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What TLS costs a server: memory of an idle connection, processor time of a handshake.
 *   net_tls_bench idle|full|resumed CERTIFICATE KEY CA COUNT [mutual]
 * The client is a process of its own. CERTIFICATE names localhost. Prints one line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/text.h"
#include "net/net.h"
#include "net/tls.h"

#define IN_FLIGHT_FULL 16
#define CONNECT_TIMEOUT_MS 30000
#define STREAMS_MAX 100000

struct bench {
    struct loop *loop;
    struct net_tls *tls;
    struct net_stream **streams; /* idle: kept */
    const char *mode;
    char address[64];
    size_t count, begun, done;
    int told; /* pipe to the other process */
    uint64_t memory_kb, cpu_us, wall_us;
    struct loop_fd *watch;
};

static void die(const char *what)
{
    fprintf(stderr, "net_tls_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

static uint64_t memory_kb(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long all = 0, resident = 0;

    if (!file || fscanf(file, "%lu %lu", &all, &resident) != 2)
        die("no /proc/self/statm");
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static uint64_t cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* ---- the client ---- */

static void connect_more(struct bench *bench);

static void one_done(struct bench *bench)
{
    if (++bench->done == bench->count)
        loop_stop(bench->loop);
    else
        connect_more(bench);
}

/* The server says a byte: behind its ticket. */
static void client_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    struct bench *bench = userdata;

    if (!str_eq(bench->mode, "idle"))
        net_stream_free(stream);
    one_done(bench);
}

static void client_close(struct net_stream *stream, enum status status, const char *why,
                         void *userdata)
{
    die(why);
}

static void connected(struct net_stream *stream, enum status status, const char *why,
                      void *userdata)
{
    static const struct net_callbacks callbacks = {.on_read = client_read,
                                                   .on_close = client_close};

    if (status != STATUS_OK)
        die(why);
    net_stream_start(stream, &callbacks, userdata);
}

static void connect_more(struct bench *bench)
{
    struct net_connect_options options = {
        .timeout_ms = CONNECT_TIMEOUT_MS, .tls = bench->tls, .peer = "localhost:1"};
    struct error err;

    if (bench->begun == bench->count)
        return;
    if (!str_eq(bench->mode, "resumed") && net_tls_reload(bench->tls, &err) != STATUS_OK)
        die(err.message); /* forgets sessions */
    bench->streams[bench->begun++] =
        net_connect(bench->loop, bench->address, &options, connected, bench);
}

static int client_main(struct bench *bench, int from_server)
{
    char byte;

    if (read(from_server, &byte, 1) != 1)
        die("the server is gone");
    bench->loop = loop_new();
    bench->streams = mem_zalloc(bench->count * sizeof *bench->streams);
    for (int i = 0; i < (str_eq(bench->mode, "resumed") ? 1 : IN_FLIGHT_FULL); i++)
        connect_more(bench);
    loop_run(bench->loop);
    if (write(bench->told, "x", 1) != 1 || read(from_server, &byte, 1) < 0)
        die("the server is gone");
    _exit(EXIT_SUCCESS);
}

/* ---- the server ---- */

static void server_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
}

static void server_close(struct net_stream *stream, enum status status, const char *why,
                         void *userdata)
{
    net_stream_free(stream);
}

static void on_accept(struct net_stream *stream, void *userdata)
{
    static const struct net_callbacks callbacks = {.on_read = server_read,
                                                   .on_close = server_close};
    struct bench *bench = userdata;

    if (bench->done++ == 0) {
        bench->memory_kb = memory_kb();
        bench->cpu_us = cpu_us();
        bench->wall_us = clock_monotonic_us();
    }
    net_stream_start(stream, &callbacks, bench);
    if (net_stream_write(stream, "x", 1) != STATUS_OK)
        die("no room for a byte");
}

static void client_through(int events, void *userdata)
{
    struct bench *bench = userdata;
    double n = (double)(bench->count - 1);

    if (str_eq(bench->mode, "idle"))
        printf("idle: %zu connections, %.2f KiB each\n", bench->count,
               (double)(memory_kb() - bench->memory_kb) / n);
    else
        printf("%s: %.1f us of the server's processor a handshake (%.0f /s a core), %.0f /s seen\n",
               bench->mode, (double)(cpu_us() - bench->cpu_us) / n,
               n * 1e6 / (double)(cpu_us() - bench->cpu_us),
               n * 1e6 / (double)(clock_monotonic_us() - bench->wall_us));
    exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
    struct bench bench = {.mode = argc > 1 ? argv[1] : ""};
    struct error err = {0};
    int to_client[2], to_server[2];
    uint64_t count;

    if (argc < 6 || !text_to_u64(argv[5], &count) || count < 2 || pipe(to_client) ||
        pipe(to_server))
        die("idle|full|resumed CERTIFICATE KEY CA COUNT [mutual]");
    bench.count = count;
    struct net_tls_options server = {.server = true,
                                     .certificate_file = argv[2],
                                     .key_file = argv[3],
                                     .ca_file = argc > 6 ? argv[4] : NULL,
                                     .require_peer_certificate = true};
    struct net_tls_options client = {.ca_file = argv[4],
                                     .certificate_file = argc > 6 ? argv[2] : NULL,
                                     .key_file = argc > 6 ? argv[3] : NULL};
    struct loop *loop = loop_new();
    struct net_tls *tls = net_tls_new(&server, &err);
    struct net_listener *listener =
        tls ? net_listen(loop, "127.0.0.1:0", tls, STREAMS_MAX, on_accept, &bench, &err) : NULL;
    bench.tls = net_tls_new(&client, &err);
    if (!listener || !bench.tls)
        die(err.message);
    snprintf(bench.address, sizeof bench.address, "%s", net_listener_address(listener));
    bench.told = to_server[1];
    if (fork() == 0)
        return client_main(&bench, to_client[0]);
    bench.watch = loop_fd_new(loop, to_server[0], client_through, &bench);
    loop_fd_watch(bench.watch, LOOP_READABLE);
    if (write(to_client[1], "x", 1) != 1)
        die("the client is gone");
    loop_run(loop);
    return EXIT_SUCCESS;
}
