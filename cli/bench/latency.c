/* SPDX-License-Identifier: Apache-2.0 */
/* One task at a time on an idle system: from before the submit until its result has been seen. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "plankton/v1/task_controller.rpc.h"

#define WARM_UP 10 /* first calls pay for connections and cold caches */

static enum status one(struct client *client, struct id *ret_id, uint64_t *ret_us,
                       struct error *err)
{
    Plankton__V1__TaskSpec spec = PLANKTON__V1__TASK_SPEC__INIT;
    Plankton__V1__SubmitTaskRequest submit = PLANKTON__V1__SUBMIT_TASK_REQUEST__INIT;
    Plankton__V1__WaitTaskRequest wait = PLANKTON__V1__WAIT_TASK_REQUEST__INIT;
    Plankton__V1__Task *task;
    uint64_t from_us = clock_monotonic_us();

    spec.type = (char *)"noop";
    submit.task = &spec;
    enum status st = CLIENT_CALL(client, task_controller_submit_task, &submit, &task, err);
    if (st != STATUS_OK)
        return st;
    wait.id = task->id;
    st = CLIENT_CALL(client, task_controller_wait_task, &wait, &task, err);
    if (st != STATUS_OK)
        return st;
    *ret_us = clock_monotonic_us() - from_us;
    if (task->state != PLANKTON__V1__TASK_STATE__TASK_STATE_SUCCEEDED ||
        !id_parse(task->id, ret_id))
        return error_set(err, STATUS_INTERNAL, "task %s ended in state %d", task->id,
                         (int)task->state);
    return STATUS_OK;
}

static enum status measure(struct bench *bench, struct id *ids, size_t n, struct error *err)
{
    struct client *client = &bench->client;

    for (size_t i = 0; i < n + WARM_UP; i++) {
        uint64_t us;
        struct id id;
        enum status st = one(client, &id, &us, err);

        if (st != STATUS_OK)
            return st;
        if (bench->expired || client->interrupted)
            return error_set(err, STATUS_DEADLINE_EXCEEDED, "%zu of %zu tasks were measured", i,
                             n + WARM_UP);
        if (i < WARM_UP)
            continue;
        samples_add(&bench->result.samples, us);
        ids[i - WARM_UP] = id;
    }
    return STATUS_OK;
}

enum status bench_latency(struct bench *bench, struct error *err)
{
    size_t n = (size_t)bench->settings->n;
    struct id *ids = mem_zalloc(n * sizeof *ids);
    enum status st = measure(bench, ids, n, err);

    bench->result.n = n;
    if (st == STATUS_OK && bench->settings->database)
        st = bench_count_tasks(bench, ids, n, err);
    free(ids);
    return st;
}
