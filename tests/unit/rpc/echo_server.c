/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_echo_server ADDRESS: prints the address it listens on, serves until SIGTERM, then drains. For
 * foreign clients and load tools. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "descriptors/descriptors.h"
#include "echo_service.h"

#define DRAIN_TIMEOUT_MS 2000

static struct rpc_server *server;
static struct echo_service service;

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
    struct error err = {0};

    signal(SIGPIPE, SIG_IGN);
    service.loop = loop;
    server = rpc_server_new(loop, NULL);
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
    loop_signal_free(term);
    loop_free(loop);
    return EXIT_SUCCESS;
}
