/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_bench_server [ADDRESS [CERTIFICATE KEY]]: answers echo calls, prints the address it listens
 * on; stops on SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "echo.rpc.h"
#include "net/tls.h"

static void make_reply(Plankton__Bench__EchoReply *reply,
                       const Plankton__Bench__EchoRequest *request)
{
    plankton__bench__echo_reply__init(reply);
    reply->id = request->id;
    reply->payload = request->payload;
    reply->number = 1;
}

static void unary(struct rpc_call *call, const Plankton__Bench__EchoRequest *request)
{
    Plankton__Bench__EchoReply reply;

    make_reply(&reply, request);
    plankton_bench_echo_unary_reply(call, &reply);
}

static void on_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    Plankton__Bench__EchoReply reply;
    struct error err = {.status = STATUS_RESOURCE_EXHAUSTED};

    make_reply(&reply, plankton_bench_echo_stream_request_of(message));
    if (plankton_bench_echo_stream_send(call, &reply) != STATUS_OK)
        rpc_call_fail(call, &err);
    else if (!rpc_call_writable(call))
        rpc_call_pause(call);
}

static void on_writable(struct rpc_call *call, void *userdata)
{
    rpc_call_resume(call);
}

static void on_end(struct rpc_call *call, void *userdata)
{
    rpc_call_finish(call);
}

static void stream(struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {
        .on_message = on_message, .on_end = on_end, .on_writable = on_writable};

    rpc_call_set_callbacks(call, &callbacks, NULL);
}

static void stop(int signum, void *userdata)
{
    loop_stop(userdata);
}

int main(int argc, char **argv)
{
    static const struct plankton_bench_echo_ops ops = {.unary = unary, .stream = stream};
    struct loop *loop = loop_new();
    struct loop_signal *term = loop_signal_new(loop, SIGTERM, stop, loop);
    struct rpc_server_options options = {0};
    struct rpc_server *server;
    struct error err = {0};

    signal(SIGPIPE, SIG_IGN);
    if (argc > 3) {
        struct net_tls_options tls = {
            .server = true, .certificate_file = argv[2], .key_file = argv[3]};
        options.tls = net_tls_new(&tls, &err);
        if (!options.tls) {
            fprintf(stderr, "%s\n", err.message);
            return EXIT_FAILURE;
        }
    }
    server = rpc_server_new(loop, &options);
    net_tls_unref(options.tls);
    rpc_server_add(server, &plankton_bench_echo_desc, &ops, NULL);
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
