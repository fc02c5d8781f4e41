/* SPDX-License-Identifier: Apache-2.0 */
/* A gRPC server is fed arbitrary bytes over a socket pair: it must neither crash nor keep a call or
 * connection. An input whose first byte is even is put behind a good preface, so that frames are
 * reached at once. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../lib/net/internal.h"
#include "echo_service.h"
#include "internal.h"

#define INPUT_BYTES_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
static struct loop *loop;
static struct rpc_server *server;
static struct echo_service service;

static void check_over(void *userdata)
{
    if (list_empty(&server->conns))
        loop_stop(loop);
    else
        loop_defer(loop, check_over, NULL);
}

static void start(void)
{
    loop = loop_new();
    service.loop = loop;
    server = rpc_server_new(loop, NULL);
    rpc_server_add(server, &plankton_test_echo_desc, &echo_service_ops, &service);
    rpc_server_add_health(server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];

    if (!loop)
        start();
    if (size == 0 || size > INPUT_BYTES_MAX)
        return 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        abort();
    rpc__server_accept(server, net__stream_new(loop, ends[0], NULL));
    if (data[0] % 2 == 0 && write(ends[1], preface, sizeof preface - 1) < 0)
        abort();
    if (size > 1 && write(ends[1], data + 1, size - 1) < 0)
        abort();
    shutdown(ends[1], SHUT_WR);
    loop_defer(loop, check_over, NULL);
    loop_run(loop);
    close(ends[1]);
    if (rpc_server_open_calls(server) != 0)
        abort();
    return 0;
}
