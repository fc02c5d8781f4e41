/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "internal.h"

struct loop_job {
    uv_work_t uv;
    struct loop *loop;
    void (*work)(void *userdata);
    void (*done)(void *userdata);
    void *userdata;
};

static void loop_job_work_cb(uv_work_t *uv)
{
    struct loop_job *job = CONTAINER_OF(uv, struct loop_job, uv);

    job->work(job->userdata);
}

static void loop_job_done_cb(uv_work_t *uv, int status)
{
    struct loop_job *job = CONTAINER_OF(uv, struct loop_job, uv);
    void (*done)(void *userdata) = job->done;
    void *userdata = job->userdata;

    (void)status;
    job->loop->pool_queued--;
    free(job);
    done(userdata);
}

enum status loop_pool(struct loop *loop, void (*work)(void *userdata), void (*done)(void *userdata),
                      void *userdata, struct error *err)
{
    if (loop->pool_queued >= LOOP_POOL_QUEUED_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "%d jobs wait for a thread already",
                         LOOP_POOL_QUEUED_MAX);
    struct loop_job *job = mem_zalloc(sizeof *job);
    *job = (struct loop_job){.loop = loop, .work = work, .done = done, .userdata = userdata};
    loop__must(uv_queue_work(&loop->uv, &job->uv, loop_job_work_cb, loop_job_done_cb),
               "uv_queue_work");
    loop->pool_queued++;
    return STATUS_OK;
}
