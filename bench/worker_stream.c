/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a worker turns leases into results: a controller that does nothing but lease no-ops for
 * the credit it gets and acknowledge results at once, on the same rpc library, and a real
 * plankton-worker process on the other side. bench-worker-stream WORKER_PROGRAM [TASKS] [TYPE]
 * [CREDIT] Prints one JSON object: tasks per second, and the worker's CPU time for each task.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/id.h"
#include "loop/loop.h"
#include "plankton/v1/task_worker.rpc.h"
#include "rpc/rpc.h"

#define LEASES_PER_MESSAGE 1000
#define TOKEN_BYTES 90
#define TIME_LIMIT_MS 120000

struct bench {
    struct loop *loop;
    struct rpc_server *server;
    const char *type;
    Plankton__V1__Json parameters;
    uint64_t wanted, leased, finished, nonce, began_us, ended_us, credit;
    Plankton__V1__Lease leases[LEASES_PER_MESSAGE];
    Plankton__V1__Lease *pointers[LEASES_PER_MESSAGE];
    uint8_t tokens[LEASES_PER_MESSAGE][TOKEN_BYTES];
    char ids[LEASES_PER_MESSAGE][ID_TEXT_BYTES];
};

static void bench_send(struct rpc_call *call, Plankton__V1__ControllerMessage *message)
{
    if (plankton_v1_task_worker_connect_send(call, message) != STATUS_OK) {
        fputs("the worker takes no more\n", stderr);
        exit(1);
    }
}

static void bench_lease(struct bench *bench, struct rpc_call *call)
{
    while (bench->credit > 0 && bench->leased < bench->wanted && bench->nonce) {
        Plankton__V1__ControllerMessage message = PLANKTON__V1__CONTROLLER_MESSAGE__INIT;
        Plankton__V1__Leases leases = PLANKTON__V1__LEASES__INIT;
        size_t n = MIN_OF(MIN_OF(bench->credit, bench->wanted - bench->leased),
                          (uint64_t)LEASES_PER_MESSAGE);

        for (size_t i = 0; i < n; i++) {
            struct id id = id_make(1700000000000u, 0, random_u64());
            uint64_t number = ++bench->leased;
            plankton__v1__lease__init(&bench->leases[i]);
            memcpy(bench->tokens[i], &number, sizeof number);
            id_format(&id, bench->ids[i]);
            bench->leases[i].nonce = bench->nonce;
            bench->leases[i].token = (ProtobufCBinaryData){TOKEN_BYTES, bench->tokens[i]};
            bench->leases[i].task_id = bench->ids[i];
            bench->leases[i].attempt = 1;
            bench->leases[i].type = (char *)bench->type;
            bench->leases[i].parameters = bench->parameters.text ? &bench->parameters : NULL;
            bench->pointers[i] = &bench->leases[i];
        }
        bench->credit -= n;
        leases.leases = bench->pointers;
        leases.n_leases = n;
        message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_LEASES;
        message.leases = &leases;
        bench_send(call, &message);
    }
}

static void bench_results(struct bench *bench, struct rpc_call *call,
                          const Plankton__V1__Results *results)
{
    static ProtobufCBinaryData recorded[LEASES_PER_MESSAGE];
    Plankton__V1__ControllerMessage message = PLANKTON__V1__CONTROLLER_MESSAGE__INIT;
    Plankton__V1__Acks acks = PLANKTON__V1__ACKS__INIT;

    for (size_t i = 0; i < results->n_results; i++)
        recorded[i] = results->results[i]->token;
    acks.recorded = recorded;
    acks.n_recorded = results->n_results;
    message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_ACKS;
    message.acks = &acks;
    bench_send(call, &message);
    bench->finished += results->n_results;
    if (bench->finished < bench->wanted)
        return;
    bench->ended_us = clock_monotonic_us();
    loop_stop(bench->loop);
}

static void bench_greet(struct rpc_call *call)
{
    Plankton__V1__ControllerMessage message = PLANKTON__V1__CONTROLLER_MESSAGE__INIT;
    Plankton__V1__Welcome welcome = PLANKTON__V1__WELCOME__INIT;
    Plankton__V1__Take take = PLANKTON__V1__TAKE__INIT;

    welcome.protocol = 1;
    welcome.worker_id = "01890000-0000-7000-8000-000000000001";
    welcome.heartbeat_ms = 2000;
    welcome.lease_ms = 8000;
    message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_WELCOME;
    message.welcome = &welcome;
    bench_send(call, &message);
    take.epoch = 1;
    message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_TAKE;
    message.take = &take;
    bench_send(call, &message);
}

static void bench_message(struct rpc_call *call, const ProtobufCMessage *bytes, void *userdata)
{
    const Plankton__V1__WorkerMessage *message = plankton_v1_task_worker_connect_request_of(bytes);
    struct bench *bench = userdata;

    switch (message->body_case) {
    case PLANKTON__V1__WORKER_MESSAGE__BODY_HELLO:
        bench_greet(call);
        break;
    case PLANKTON__V1__WORKER_MESSAGE__BODY_HELD:
        bench->nonce = message->held->nonce;
        bench->began_us = clock_monotonic_us();
        break;
    case PLANKTON__V1__WORKER_MESSAGE__BODY_CREDIT:
        bench->credit += message->credit->add;
        break;
    case PLANKTON__V1__WORKER_MESSAGE__BODY_RESULTS:
        bench_results(bench, call, message->results);
        break;
    default:
        break;
    }
    bench_lease(bench, call);
}

static void bench_connect(struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {.on_message = bench_message};

    rpc_call_set_callbacks(call, &callbacks, rpc_call_service(call));
}

static void bench_admit(struct rpc_call *call, void *userdata)
{
    rpc_call_admit(call, NULL);
}

static void bench_too_long(void *userdata)
{
    const struct bench *bench = userdata;

    fprintf(stderr, "after %d ms %lu of %lu tasks are done\n", TIME_LIMIT_MS,
            (unsigned long)bench->finished, (unsigned long)bench->wanted);
    exit(1);
}

static pid_t start_worker(const char *program, const char *address, const char *dir,
                          const char *credit)
{
    char controller[256], state[256], window[64];
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    snprintf(controller, sizeof controller, "--controller=%s", address);
    snprintf(state, sizeof state, "--state-dir=%s", dir);
    snprintf(window, sizeof window, "--credit=%s", credit);
    execl(program, program, controller, state, window, "--ops-listen=", "--log-level=error",
          (char *)NULL);
    perror(program);
    _exit(1);
}

int main(int argc, char **argv)
{
    static const struct plankton_v1_task_worker_ops ops = {.connect = bench_connect};
    struct bench *bench = mem_zalloc(sizeof *bench);
    struct error err = {0};
    char dir[] = "/tmp/bench-worker-XXXXXX", command[128];
    struct rusage usage;

    if (argc < 2 || !mkdtemp(dir)) {
        fputs("usage: bench-worker-stream WORKER_PROGRAM [TASKS] [TYPE] [CREDIT] [PARAMETERS]\n",
              stderr);
        return 2;
    }
    bench->wanted = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    bench->type = argc > 3 ? argv[3] : "noop";
    plankton__v1__json__init(&bench->parameters);
    bench->parameters.text = argc > 5 ? argv[5] : NULL;
    bench->loop = loop_new();
    bench->server = rpc_server_new(bench->loop, &(struct rpc_server_options){0});
    rpc_server_set_authorizer(bench->server, bench_admit, NULL);
    rpc_server_add(bench->server, &plankton_v1_task_worker_desc, &ops, bench);
    if (rpc_server_listen(bench->server, "127.0.0.1:0", &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    pid_t worker =
        start_worker(argv[1], rpc_server_address(bench->server), dir, argc > 4 ? argv[4] : "2000");
    loop_timer_start(loop_timer_new(bench->loop, bench_too_long, bench), TIME_LIMIT_MS, 0);
    loop_run(bench->loop);
    kill(worker, SIGKILL);
    wait4(worker, NULL, 0, &usage);
    double seconds = (double)(bench->ended_us - bench->began_us) / 1e6;
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf(
        "{\"type\":\"%s\",\"n\":%lu,\"e2e_s\":%.0f,\"worker_cpu_us\":%.3f,\"worker_rss_kb\":%ld}\n",
        bench->type, (unsigned long)bench->finished, (double)bench->finished / seconds,
        cpu * 1e6 / (double)bench->finished, usage.ru_maxrss);
    fflush(stdout);
    snprintf(command, sizeof command, "%s/", dir);
    return execlp("rm", "rm", "-rf", command, (char *)NULL);
}
