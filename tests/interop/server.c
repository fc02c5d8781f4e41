/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc-interop-server: grpc.testing.TestService for clients in any language. Prints the address it
 * listens on (--port=0 picks a free port), serves until SIGTERM or SIGINT, then drains. With
 * --use_tls it needs --tls_cert_file and --tls_key_file (PEM).
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "flags.h"
#include "net/tls.h"
#include "service.h"

#define DRAIN_TIMEOUT_MS 2000

struct server {
    struct loop *loop;
    struct rpc_server *rpc;
    struct interop_service service;
};

static void drained(void *userdata)
{
    loop_stop(userdata);
}

static void on_signal(int signum, void *userdata)
{
    struct server *self = userdata;

    rpc_server_drain(self->rpc, DRAIN_TIMEOUT_MS, drained, self->loop);
}

static bool start(struct server *self, const char *host, int64_t port,
                  const struct net_tls_options *tls)
{
    struct rpc_server_options options = {0};
    char address[512];
    struct error err = {0};

    if (tls->server && !(options.tls = net_tls_new(tls, &err))) {
        fprintf(stderr, "%s\n", err.message);
        return false;
    }
    self->rpc = rpc_server_new(self->loop, &options);
    net_tls_unref(options.tls);
    self->service.loop = self->loop;
    rpc_server_add(self->rpc, &grpc_testing_test_service_desc, &interop_service_ops,
                   &self->service);
    rpc_server_add_health(self->rpc);
    rpc_server_set_serving(self->rpc, "grpc.testing.TestService", true);
    snprintf(address, sizeof address, "%s:%" PRId64, host, port);
    if (rpc_server_listen(self->rpc, address, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return false;
    }
    printf("%s\n", rpc_server_address(self->rpc));
    fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    const char *host = "127.0.0.1";
    int64_t port = 0;
    struct net_tls_options tls = {0};
    const struct flag flags[] = {
        {.name = "host", .text = &host},
        {.name = "port", .number = &port},
        {.name = "use_tls", .yes = &tls.server},
        {.name = "tls_cert_file", .text = &tls.certificate_file},
        {.name = "tls_key_file", .text = &tls.key_file},
    };
    struct server self = {0};
    struct loop_signal *term, *intr;
    bool started;

    if (!flags_read(flags, ARRAY_LEN(flags), argc, argv))
        return INTEROP_USAGE;
    signal(SIGPIPE, SIG_IGN);
    self.loop = loop_new();
    term = loop_signal_new(self.loop, SIGTERM, on_signal, &self);
    intr = loop_signal_new(self.loop, SIGINT, on_signal, &self);
    started = start(&self, host, port, &tls);
    if (started)
        loop_run(self.loop);
    rpc_server_free(self.rpc);
    loop_signal_free(term);
    loop_signal_free(intr);
    loop_free(self.loop);
    return started ? INTEROP_PASSED : INTEROP_FAILED;
}
