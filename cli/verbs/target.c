/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include "base/text.h"
#include "plankton/v1/plan_api.rpc.h"
#include "plankton/v1/task_controller.rpc.h"
#include "verbs.h"

static enum status find_step(struct client *client, const char *run_id, const char *step,
                             struct target *ret, struct error *err)
{
    Plankton__V1__ListRunTasksRequest request = PLANKTON__V1__LIST_RUN_TASKS_REQUEST__INIT;
    Plankton__V1__ListRunTasksResponse *response;

    request.id = (char *)run_id;
    enum status st =
        CLIENT_LIST(client, plan_api_list_run_tasks, &request, LIST_MAX, &response, err);
    if (st != STATUS_OK)
        return st;
    const char **names = ARENA_ARRAY(client->arena, const char *, response->n_tasks + 1);
    for (size_t i = 0; i < response->n_tasks; i++) {
        names[i] = response->tasks[i]->step;
        if (!str_eq(names[i], step))
            continue;
        *ret = (struct target){.id = response->tasks[i]->id};
        return STATUS_OK;
    }
    const char *nearest = text_nearest(step, names, response->n_tasks);
    return error_field(err, STATUS_NOT_FOUND, "NOT_FOUND", NULL, "the run has no step `%s`%s%s",
                       step, nearest ? ", did you mean " : "", nearest ? nearest : "");
}

enum status target_find(struct client *client, const char *id, const char *step, struct target *ret,
                        struct error *err)
{
    Plankton__V1__GetRunRequest run_request = PLANKTON__V1__GET_RUN_REQUEST__INIT;
    Plankton__V1__GetTaskRequest task_request = PLANKTON__V1__GET_TASK_REQUEST__INIT;
    Plankton__V1__Run *run;
    Plankton__V1__Task *task;

    run_request.id = task_request.id = (char *)id;
    enum status st = CLIENT_CALL(client, plan_api_get_run, &run_request, &run, err);
    if (st == STATUS_OK) {
        *ret = (struct target){.id = run->id, .is_run = true};
        return step ? find_step(client, run->id, step, ret, err) : STATUS_OK;
    }
    if (st != STATUS_NOT_FOUND)
        return st;
    st = CLIENT_CALL(client, task_controller_get_task, &task_request, &task, err);
    if (st == STATUS_NOT_FOUND)
        return error_field(err, st, "NOT_FOUND", NULL, "there is no run and no task with the id %s",
                           id);
    if (st != STATUS_OK)
        return st;
    if (step)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--step needs a run, and %s is a task", id);
    *ret = (struct target){.id = task->id};
    return STATUS_OK;
}
