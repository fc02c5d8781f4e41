/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_echo_server ADDRESS [option=number …] [tls=CERTIFICATE_AND_KEY.pem]: prints the address it
 * listens on, serves until SIGTERM, then drains. The options are fields of rpc_server_options.
 * SIGUSR1: prints what the handlers saw. For foreign clients and load tools. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "descriptors/descriptors.h"
#include "echo_service.h"
#include "net/tls.h"

#define DRAIN_TIMEOUT_MS 2000

static struct rpc_server *server;
static struct echo_service service;

/* The field that a word of the command line sets; NULL when there is none of that name. */
static uint64_t *option_field(struct rpc_server_options *options, const char *name, size_t len)
{
#define FIELD(field)                                                                               \
    {                                                                                              \
#field, (uint64_t *)&options->field                                                        \
    }
    const struct {
        const char *name;
        uint64_t *field;
    } fields[] = {
        FIELD(connections_max),
        FIELD(streams_per_connection_max),
        FIELD(connection_bytes_max),
        FIELD(message_bytes_max),
        FIELD(header_bytes_max),
        FIELD(preface_timeout_ms),
        FIELD(answer_timeout_ms),
        FIELD(max_connection_age_ms),
        FIELD(max_connection_age_grace_ms),
        FIELD(max_connection_idle_ms),
        FIELD(keepalive_ms),
        FIELD(keepalive_timeout_ms),
        FIELD(ping_interval_min_ms),
    };
#undef FIELD

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (strlen(fields[i].name) == len && memcmp(fields[i].name, name, len) == 0)
            return fields[i].field;
    }
    return NULL;
}

static bool read_tls(struct rpc_server_options *options, const char *file)
{
    struct error err = {0};

    options->tls = net_tls_new(
        &(struct net_tls_options){.server = true, .certificate_file = file, .key_file = file},
        &err);
    if (!options->tls)
        fprintf(stderr, "%s\n", err.message);
    return options->tls != NULL;
}

static bool read_options(struct rpc_server_options *options, int n, char **words)
{
    for (int i = 0; i < n; i++) {
        if (strncmp(words[i], "tls=", 4) == 0) {
            if (!read_tls(options, words[i] + 4))
                return false;
            continue;
        }
        const char *equals = strchr(words[i], '=');
        uint64_t *field =
            equals ? option_field(options, words[i], (size_t)(equals - words[i])) : NULL;
        if (!field) {
            fprintf(stderr, "what is %s?\n", words[i]);
            return false;
        }
        *field = strtoull(equals + 1, NULL, 10);
    }
    return true;
}

static void on_report(int signum, void *userdata)
{
    printf("calls %zu closed %zu cancelled %zu open %zu\n", service.calls, service.closed,
           service.cancelled, rpc_server_open_calls(server));
    fflush(stdout);
}

static void drained(void *userdata)
{
    loop_stop(userdata);
}

static void on_signal(int signum, void *userdata)
{
    rpc_server_drain(server, DRAIN_TIMEOUT_MS, drained, userdata);
}

int main(int argc, char **argv)
{
    struct loop *loop = loop_new();
    struct loop_signal *term = loop_signal_new(loop, SIGTERM, on_signal, loop);
    struct loop_signal *report = loop_signal_new(loop, SIGUSR1, on_report, NULL);
    struct rpc_server_options options = {0};
    struct error err = {0};

    if (!read_options(&options, argc - 2, argv + 2))
        return EXIT_FAILURE;
    signal(SIGPIPE, SIG_IGN);
    service.loop = loop;
    server = rpc_server_new(loop, &options);
    rpc_server_add(server, &plankton_test_echo_desc, &echo_service_ops, &service);
    rpc_server_add_health(server);
    rpc_server_set_serving(server, "plankton.test.Echo", true);
    rpc_server_add_reflection(
        server, (struct slice){plankton_descriptor_set, plankton_descriptor_set_bytes});
    if (rpc_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:0", &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    printf("%s\n", rpc_server_address(server));
    fflush(stdout);
    loop_run(loop);
    rpc_server_free(server);
    net_tls_unref(options.tls);
    loop_signal_free(term);
    loop_signal_free(report);
    loop_free(loop);
    return EXIT_SUCCESS;
}
