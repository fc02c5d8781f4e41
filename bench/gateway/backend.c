/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service that answers every GetTask with the same task at once, so that what is measured before
 * it is the gateway alone. gateway-bench-backend ADDRESS; stops on SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "plankton/v1/task_controller.rpc.h"

static void get_task(struct rpc_call *call, const Plankton__V1__GetTaskRequest *request)
{
    static Google__Protobuf__Timestamp created = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    static Plankton__V1__Json parameters = PLANKTON__V1__JSON__INIT;
    Plankton__V1__Task task = PLANKTON__V1__TASK__INIT;

    created.seconds = 1760000000;
    created.nanos = 123456000;
    parameters.text = "{\"name\":\"World\",\"count\":3}";
    task.id = request->id;
    task.type = "hello";
    task.queue = "default";
    task.priority = 5;
    task.state = PLANKTON__V1__TASK_STATE__TASK_STATE_SUCCEEDED;
    task.attempt = 1;
    task.parameters = &parameters;
    task.result = &parameters;
    task.created_at = &created;
    task.started_at = &created;
    task.finished_at = &created;
    task.worker_id = "0199c0de-0000-7000-8000-000000000001";
    plankton_v1_task_controller_get_task_reply(call, &task);
}

static void admit(struct rpc_call *call, void *userdata)
{
    rpc_call_admit(call, userdata);
}

static void stop(int signum, void *userdata)
{
    loop_stop(userdata);
}

int main(int argc, char **argv)
{
    static const struct plankton_v1_task_controller_ops ops = {.get_task = get_task};
    struct loop *loop = loop_new();
    struct rpc_server *server = rpc_server_new(loop, NULL);
    struct loop_signal *signal = loop_signal_new(loop, SIGTERM, stop, loop);
    struct error err = {0};

    rpc_server_set_authorizer(server, admit, server);
    rpc_server_add(server, &plankton_v1_task_controller_desc, &ops, NULL);
    rpc_server_add_health(server);
    if (argc != 2 || rpc_server_listen(server, argv[1], &err) != STATUS_OK) {
        fprintf(stderr, "gateway-bench-backend: %s\n", argc == 2 ? err.message : "give an address");
        return EXIT_FAILURE;
    }
    printf("%s\n", rpc_server_address(server));
    fflush(stdout);
    loop_run(loop);
    rpc_server_free(server);
    loop_signal_free(signal);
    loop_free(loop);
    return EXIT_SUCCESS;
}
