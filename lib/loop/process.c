/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <unistd.h>
#include "internal.h"

struct loop_process {
    struct loop_owned owned;
    uv_process_t uv;
    bool exited, orphan; /* orphan: freed by its owner, kept so that libuv still reaps the child */
    void (*on_exit)(int exit_status, int term_signal, void *userdata);
    void *userdata;
};

static void loop_process_close(struct loop_owned *owned)
{
    struct loop_process *process = CONTAINER_OF(owned, struct loop_process, owned);

    uv_close((uv_handle_t *)&process->uv, loop__free_owner);
}

static void loop_process_exit_cb(uv_process_t *uv, int64_t exit_status, int term_signal)
{
    struct loop_process *process = CONTAINER_OF(uv, struct loop_process, uv);

    process->exited = true;
    if (process->orphan)
        loop_process_close(&process->owned);
    else
        process->on_exit((int)exit_status, term_signal, process->userdata);
}

struct loop_process *loop_process_spawn(struct loop *loop, const struct loop_process_spec *spec,
                                        void (*on_exit)(int exit_status, int term_signal,
                                                        void *userdata),
                                        void *userdata, struct error *err)
{
    struct loop_process *process = mem_zalloc(sizeof *process);
    uv_stdio_container_t stdio[3];
    uv_process_options_t options = {
        .exit_cb = loop_process_exit_cb,
        .file = spec->file,
        .args = (char **)spec->argv,
        .env = (char **)spec->env,
        .cwd = spec->cwd,
        .flags = UV_PROCESS_DETACHED, /* setsid: own session and process group */
        .stdio_count = 3,
        .stdio = stdio,
    };

    for (int i = 0; i < 3; i++) {
        stdio[i].flags = spec->fds[i] < 0 ? UV_IGNORE : UV_INHERIT_FD;
        stdio[i].data.fd = spec->fds[i];
    }
    if (spec->uid >= 0) {
        options.flags |= UV_PROCESS_SETUID;
        options.uid = (uv_uid_t)spec->uid;
    }
    if (spec->gid >= 0) {
        options.flags |= UV_PROCESS_SETGID;
        options.gid = (uv_gid_t)spec->gid;
    }
    /* A library may have opened a descriptor without O_CLOEXEC; the child must not get it. */
    (void)close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
    process->owned.close = loop_process_close;
    process->on_exit = on_exit;
    process->userdata = userdata;
    int rc = uv_spawn(&loop->uv, &process->uv, &options);
    process->uv.data = process;
    if (rc != 0) {
        error_set(err, status_from_errno(-rc), "cannot start %s: %s", spec->file, uv_strerror(rc));
        uv_close((uv_handle_t *)&process->uv, loop__free_owner);
        return NULL;
    }
    return process;
}

int loop_process_pid(const struct loop_process *process)
{
    return process->uv.pid;
}

void loop_process_free(struct loop_process *process)
{
    if (!process)
        return;
    if (process->exited)
        loop_process_close(&process->owned);
    else
        process->orphan = true;
}
