/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc-interop-client: runs one case of the public interoperability tests of gRPC against a server
 * in any language. Exit status 0: passed; 1: failed, stderr says how; 2: no such case or flag.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "client.h"
#include "flags.h"

#define LIMIT_SECONDS 30 /* what a case may take */

static const struct interop_case *const TABLES[] = {cases_unary, cases_stream, cases_compressed,
                                                    cases_wire};

static const struct interop_case *find_case(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(TABLES); i++) {
        for (const struct interop_case *c = TABLES[i]; c->name; c++) {
            if (str_eq(c->name, name))
                return c;
        }
    }
    return NULL;
}

static void list_cases(const char *unknown)
{
    fprintf(stderr, "%s is no case; the cases are", unknown);
    for (size_t i = 0; i < ARRAY_LEN(TABLES); i++) {
        for (const struct interop_case *c = TABLES[i]; c->name; c++)
            fprintf(stderr, " %s", c->name);
    }
    fputc('\n', stderr);
}

static void out_of_time(void *userdata)
{
    struct client *client = userdata;

    fprintf(stderr, "%s: takes too long\n", client->case_name);
    exit(INTEROP_FAILED);
}

static bool run(struct client *client, const struct interop_case *c)
{
    unsigned seconds = c->limit_seconds ? c->limit_seconds : LIMIT_SECONDS;
    struct loop_timer *limit;
    bool passed;

    client->loop = loop_new();
    client_connect(client);
    limit = loop_timer_new(client->loop, out_of_time, client);
    loop_timer_start(limit, seconds * 1000ull, 0);
    passed = c->run(client);
    printf("%s: %s\n", c->name, passed ? "passed" : "FAILED");
    loop_timer_free(limit);
    rpc_channel_free(client->channel);
    loop_free(client->loop);
    return passed;
}

int main(int argc, char **argv)
{
    const char *host = "127.0.0.1", *test_case = "large_unary";
    char address[512];
    int64_t port = 0;
    struct client client = {.iterations = 1000};
    const struct flag flags[] = {
        {.name = "server_host", .text = &host},
        {.name = "server_port", .number = &port},
        {.name = "test_case", .text = &test_case},
        {.name = "soak_iterations", .number = &client.iterations},
        {.name = "soak_max_failures", .number = &client.max_failures},
        {.name = "soak_per_iteration_max_acceptable_latency_ms", .number = &client.acceptable_ms},
        {.name = "soak_overall_timeout_seconds", .number = &client.overall_seconds},
        {.name = "soak_min_time_ms_between_rpcs", .number = &client.between_ms},
    };

    if (!flags_read(flags, ARRAY_LEN(flags), argc, argv))
        return INTEROP_USAGE;
    if (port == 0) {
        fprintf(stderr, "%s: --server_port=N is needed\n", argv[0]);
        return INTEROP_USAGE;
    }
    const struct interop_case *c = find_case(test_case);
    if (!c) {
        list_cases(test_case);
        return INTEROP_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    snprintf(address, sizeof address, "%s:%" PRId64, host, port);
    client.address = address;
    client.case_name = c->name;
    return run(&client, c) ? INTEROP_PASSED : INTEROP_FAILED;
}
