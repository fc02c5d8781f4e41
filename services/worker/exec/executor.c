/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/text.h"
#include "exec/internal.h"
#include "exec/supervise.h"
#include "exec/tree.h"
#include "log/log.h"

#define READ_BYTES 65536
#define SWEEP_MS 50

static enum status find_user(const char *name, struct task_user *ret, struct error *err)
{
    uint64_t uid;

    *ret = (struct task_user){-1, -1};
    if (!*name)
        return STATUS_OK;
    const struct passwd *user = text_to_u64(name, &uid) ? getpwuid((uid_t)uid) : getpwnam(name);
    if (!user)
        return error_set(err, STATUS_INVALID_ARGUMENT, "there is no user %s (--task-user)", name);
    *ret = (struct task_user){(long)user->pw_uid, (long)user->pw_gid};
    return STATUS_OK;
}

/* Waits until the supervisor that holds the directory's lock is gone: it kills its tree because its
 * worker has died. */
static void await_supervisor(const char *dir, int lock)
{
    char path[PATH_MAX + 512], text[24] = "";

    if (flock(lock, LOCK_EX | LOCK_NB) == 0)
        return;
    snprintf(path, sizeof path, "%s/pid", dir);
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        return;
    AUTO(close_fd) int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)strtol(text, NULL, 10), 0);
    if (pidfd < 0)
        return;
    /* The lock proves that the number is still the supervisor's. */
    syscall(SYS_pidfd_send_signal, pidfd, SUPERVISE_KILL, NULL, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    if (poll(&ended, 1, EXEC_LEFTOVER_MS) != 1)
        log_warn("exec.leftover", LOG_STR("dir", dir),
                 LOG_STR("effect", "a process of an earlier worker does not end, ignoring"));
}

static void clear_leftovers(const char *attempts)
{
    DIR *list = opendir(attempts);

    if (!list)
        return;
    for (struct dirent *entry; (entry = readdir(list));) {
        char path[PATH_MAX + 256];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", attempts, entry->d_name);
        AUTO(close_fd) int lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (lock >= 0)
            await_supervisor(path, lock);
        attempt_dir_remove(path);
    }
    closedir(list);
}

/* ---- orphans of killed supervisors ---- */

struct sweep {
    struct executor *executor;
    size_t found;
};

static void sweep_child(pid_t pid, void *userdata)
{
    struct sweep *sweep = userdata;

    LIST_EACH(&sweep->executor->processes, node)
    {
        const struct process *process = LIST_ENTRY(node, struct process, node);
        if (process->supervisor && loop_process_pid(process->supervisor) == pid)
            return;
    }
    sweep->found++;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, WNOHANG);
}

static void sweep_cb(void *userdata)
{
    executor_sweep(userdata);
}

void executor_sweep(struct executor *executor)
{
    struct sweep sweep = {executor, 0};

    tree_children(getpid(), sweep_child, &sweep);
    /* Their children come to us next. */
    if (sweep.found)
        loop_timer_start(executor->sweep, SWEEP_MS, 0);
}

enum status executor_new(struct worker *worker, struct executor **ret, struct error *err)
{
    struct task_user user;
    char attempts[PATH_MAX];

    enum status st = find_user(worker->settings->task_user, &user, err);
    if (st != STATUS_OK)
        return st;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return error_set(err, STATUS_INTERNAL, "cannot become a subreaper: %s", strerror(errno));
    snprintf(attempts, sizeof attempts, "%s/attempts", worker->dir.path);
    clear_leftovers(attempts);
    struct executor *executor = mem_zalloc(sizeof *executor);
    executor->worker = worker;
    executor->user = user;
    list_init(&executor->processes);
    executor->read_buffer = mem_alloc(READ_BYTES);
    executor->sweep = loop_timer_new(worker->loop, sweep_cb, executor);
    *ret = executor;
    return STATUS_OK;
}

void executor_free(struct executor *executor)
{
    if (!executor)
        return;
    loop_timer_free(executor->sweep);
    free(executor->read_buffer);
    free(executor);
}

bool executor_drops_user(const struct executor *executor)
{
    return executor->user.uid >= 0;
}
