/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc-interop-client: runs one case of the public interoperability tests of gRPC against a server
 * in any language. Exit status 0: passed; 1: failed, stderr says how; 2: no such case or flag.
 * With --use_tls the server must have a certificate of an authority in --ca_file (PEM; without it
 * one that this machine trusts) for --server_host_override, or else for the host.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "client.h"
#include "flags.h"
#include "net/tls.h"

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
    bool use_tls = false, use_test_ca = false;
    struct net_tls_options tls = {0};
    struct error err = {0};
    struct client client = {.iterations = 1000};
    const struct flag flags[] = {
        {.name = "server_host", .text = &host},
        {.name = "server_port", .number = &port},
        {.name = "test_case", .text = &test_case},
        {.name = "use_tls", .yes = &use_tls},
        {.name = "use_test_ca", .yes = &use_test_ca},
        {.name = "ca_file", .text = &tls.ca_file},
        {.name = "server_host_override", .text = &tls.server_name},
        {.name = "soak_iterations", .number = &client.iterations},
        {.name = "soak_max_failures", .number = &client.max_failures},
        {.name = "soak_per_iteration_max_acceptable_latency_ms", .number = &client.acceptable_ms},
        {.name = "soak_overall_timeout_seconds", .number = &client.overall_seconds},
        {.name = "soak_min_time_ms_between_rpcs", .number = &client.between_ms},
    };

    if (!flags_read(flags, ARRAY_LEN(flags), argc, argv))
        return INTEROP_USAGE;
    /* the authority of the public tests is not known here: it must be in the file */
    if (port == 0 || (use_test_ca && !tls.ca_file)) {
        fprintf(stderr, "%s: --%s is needed\n", argv[0],
                port == 0 ? "server_port=N" : "ca_file=FILE");
        return INTEROP_USAGE;
    }
    const struct interop_case *c = find_case(test_case);
    if (!c) {
        list_cases(test_case);
        return INTEROP_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    if (tls.server_name && !*tls.server_name)
        tls.server_name = NULL; /* as scripts say "no override" */
    if (use_tls && !(client.channel_options.tls = net_tls_new(&tls, &err))) {
        fprintf(stderr, "%s: %s\n", argv[0], err.message);
        return INTEROP_FAILED;
    }
    snprintf(address, sizeof address, "%s:%" PRId64, host, port);
    client.address = address;
    client.case_name = c->name;
    bool passed = run(&client, c);
    net_tls_unref(client.channel_options.tls);
    return passed ? INTEROP_PASSED : INTEROP_FAILED;
}
