/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "exec/sandbox.h"
#include "exec/spec.h"
#include "exec/supervise.h"
#include "exec/tree.h"

#define REAP_PAUSE_NS                                                                              \
    5000000L /* between two rounds of killing, when nothing has ended meanwhile                    \
              */

struct supervisor {
    char dir[PATH_MAX];
    struct exec_spec spec;
    pid_t task;
    bool task_ended, killing, childless;
    int status; /* of the task, as from waitpid */
    sigset_t signals;
};

static void write_file(const struct supervisor *s, const char *name, const char *text)
{
    char path[PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/%s", s->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0)
        errno = 0; /* the worker then says less: the exit status is all it has */
    close(fd);
}

static int not_started(const struct supervisor *s, const char *what, int code)
{
    char text[1024];

    snprintf(text, sizeof text, "%s: %s", what, strerror(code));
    write_file(s, "failure", text);
    return SUPERVISE_NOT_STARTED;
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != s->task)
            continue;
        s->task_ended = true;
        s->status = status;
    }
    s->childless = pid < 0 && errno == ECHILD;
}

/* Waits for the worker's signals and the children's ends, until no descendant is left. */
static void watch(struct supervisor *s)
{
    const struct timespec pause = {0, REAP_PAUSE_NS};

    for (;;) {
        reap(s);
        if (s->childless)
            return;
        /* The task's end ends what it has left behind. */
        s->killing |= s->task_ended;
        if (s->killing)
            tree_signal(getpid(), SIGKILL);
        int signum =
            s->killing ? sigtimedwait(&s->signals, NULL, &pause) : sigwaitinfo(&s->signals, NULL);
        if (signum == SUPERVISE_KILL)
            s->killing = true;
        else if (signum == SIGTERM || signum == SIGINT || signum == SIGHUP)
            tree_signal(getpid(), SIGTERM);
    }
}

/* In the task's process: narrows itself and becomes the task. Tells what failed through the pipe.
 */
static void become_task(struct supervisor *s, int report, pid_t parent)
{
    const char *what = sandbox_enter(&s->spec, parent);

    if (!what) {
        execvpe(s->spec.argv[0], s->spec.argv, s->spec.env);
        what = s->spec.argv[0];
    }
    char text[512];
    int len = snprintf(text, sizeof text, "%d cannot start: %s", errno, what);
    if (write(report, text, MIN_OF((size_t)len, sizeof text - 1)) < 0)
        _exit(SUPERVISE_NOT_STARTED);
    _exit(SUPERVISE_NOT_STARTED);
}

static int start_task(struct supervisor *s)
{
    int report[2];
    char text[512];
    pid_t self = getpid();

    if (pipe2(report, O_CLOEXEC) != 0)
        return not_started(s, "pipe", errno);
    s->task = fork();
    if (s->task < 0)
        return not_started(s, "fork", errno);
    if (s->task == 0)
        become_task(s, report[1], self);
    close(report[1]);
    /* Only the task and its descendants hold the pipes now: their end is the end of the output. */
    for (int fd = 1; fd <= 2; fd++)
        dup2(0, fd);
    ssize_t n = read(report[0], text, sizeof text - 1);
    close(report[0]);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    char *rest;
    int code = (int)strtol(text, &rest, 10);
    waitpid(s->task, NULL, 0);
    return not_started(s, rest + 1, code);
}

/* The worker's death must end the task: told by signal, or noticed when it happened before the
 * signal was asked for. */
static bool bind_to_worker(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SUPERVISE_KILL);
    prctl(PR_SET_DUMPABLE, 0); /* a task of the same user must not trace it */
    const char *parent = getenv("PLANKTON_SUPERVISOR_PARENT");
    return !parent || strtol(parent, NULL, 10) == getppid();
}

static int end_like(int status)
{
    const struct rlimit no_core = {0, 0};

    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    sigset_t set;
    setrlimit(RLIMIT_CORE, &no_core);
    signal(WTERMSIG(status), SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, WTERMSIG(status));
    kill(getpid(), WTERMSIG(status));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return 128 + WTERMSIG(status);
}

int supervise_main(const char *dir)
{
    static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SUPERVISE_KILL};
    struct supervisor *s = mem_zalloc(sizeof *s);
    struct error err = {0};
    struct arena arena;
    char path[PATH_MAX + 16], pid[24];

    sigemptyset(&s->signals);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaddset(&s->signals, signals[i]);
    sigprocmask(SIG_BLOCK, &s->signals, NULL);
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0)
        return SUPERVISE_NOT_STARTED;
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    write_file(s, "pid", pid);
    if (!bind_to_worker())
        return SUPERVISE_NOT_STARTED;
    arena_init(&arena, 0);
    snprintf(path, sizeof path, "%s/spec", dir);
    if (exec_spec_read(path, &arena, &s->spec, &err) != STATUS_OK) {
        write_file(s, "failure", err.message);
        return SUPERVISE_NOT_STARTED;
    }
    int rc = start_task(s);
    if (rc != 0)
        return rc;
    watch(s);
    return end_like(s->status);
}
