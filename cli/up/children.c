/* SPDX-License-Identifier: Apache-2.0 */
#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RESTART_MS_MIN 50
#define RESTART_MS_MAX 5000
#define STEADY_US 10000000 /* a child that lived so long starts again at the smallest backoff */

struct child {
    struct children *all;
    char *name, *file;
    char *argv[CHILD_ARGS_MAX + 1];
    char *env[CHILD_ARGS_MAX + 1];
    struct loop_process *process; /* NULL = not running */
    struct loop_timer *restart;
    uint64_t started_us, backoff_ms;
};

struct children {
    struct loop *loop;
    struct arena arena;
    const struct datadir *dir;
    const char *bin;
    struct children_callbacks callbacks;
    void *userdata;
    struct child list[CHILDREN_MAX];
    size_t n;
    int notify_fd;
    char notify_env[160];
    struct loop_fd *notify;
    bool stopping;
    struct loop_timer *kill_timer;
};

static void child_spawn(struct child *child);

static struct child *child_by_pid(struct children *all, int pid)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].process && loop_process_pid(all->list[i].process) == pid)
            return &all->list[i];
    return NULL;
}

/* The kernel says who sent a notification: its pid comes with it. */
static void notify_read(int events, void *userdata)
{
    struct children *all = userdata;
    char text[256], control[CMSG_SPACE(sizeof(struct ucred))];

    for (;;) {
        struct iovec iov = {text, sizeof text - 1};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
        ssize_t n = recvmsg(all->notify_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
            return;
        text[n] = 0;
        struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
        if (!header || header->cmsg_type != SCM_CREDENTIALS || !strstr(text, "READY=1"))
            continue;
        struct ucred sender;
        memcpy(&sender, CMSG_DATA(header), sizeof sender);
        struct child *child = child_by_pid(all, sender.pid);
        if (child && !all->stopping)
            all->callbacks.on_ready(child->name, all->userdata);
    }
}

static enum status notify_open(struct children *all, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int one = 1;

    /* an abstract name: no file to clean up, no length trouble with deep directories */
    int len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "plankton-up-%d",
                       (int)getpid());
    snprintf(all->notify_env, sizeof all->notify_env, "NOTIFY_SOCKET=@plankton-up-%d",
             (int)getpid());
    all->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (all->notify_fd < 0 ||
        setsockopt(all->notify_fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) < 0 ||
        bind(all->notify_fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) < 0)
        return error_set(err, status_from_errno(errno), "cannot open the notification socket: %s",
                         strerror(errno));
    all->notify = loop_fd_new(all->loop, all->notify_fd, notify_read, all);
    loop_fd_watch(all->notify, LOOP_READABLE);
    return STATUS_OK;
}

enum status children_new(struct loop *loop, const struct datadir *dir, const char *bin,
                         const struct children_callbacks *callbacks, void *userdata,
                         struct children **ret, struct error *err)
{
    struct children *all = mem_zalloc(sizeof *all);

    arena_init(&all->arena, 0);
    all->loop = loop;
    all->dir = dir;
    all->bin = bin;
    all->callbacks = *callbacks;
    all->userdata = userdata;
    all->notify_fd = -1;
    enum status st = notify_open(all, err);
    if (st != STATUS_OK) {
        children_free(all);
        return st;
    }
    *ret = all;
    return STATUS_OK;
}

/* Ends the newest group that still runs: workers before the gateway, the controller last. */
static void stop_next(struct children *all)
{
    for (size_t i = all->n; i-- > 0;) {
        if (!all->list[i].process)
            continue;
        const char *program = all->list[i].file;
        for (size_t j = 0; j <= i; j++)
            if (all->list[j].process && strcmp(all->list[j].file, program) == 0)
                kill(loop_process_pid(all->list[j].process), SIGTERM);
        return;
    }
    loop_timer_stop(all->kill_timer);
    all->callbacks.on_stopped(all->userdata);
}

static bool group_running(const struct children *all, const char *file)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].process && strcmp(all->list[i].file, file) == 0)
            return true;
    return false;
}

static void child_exited(int exit_status, int term_signal, void *userdata)
{
    struct child *child = userdata;
    struct children *all = child->all;

    loop_process_free(child->process);
    child->process = NULL;
    if (all->stopping) {
        if (!group_running(all, child->file))
            stop_next(all);
        return;
    }
    all->callbacks.on_exit(child->name, exit_status, term_signal, all->userdata);
    if (loop_now_us(all->loop) - child->started_us > STEADY_US)
        child->backoff_ms = RESTART_MS_MIN;
    loop_timer_start(child->restart, child->backoff_ms, 0);
    child->backoff_ms = MIN_OF(child->backoff_ms * 2, RESTART_MS_MAX);
}

static void child_spawn(struct child *child)
{
    struct children *all = child->all;
    struct error error = {0};
    AUTO(arena_freep) struct arena *scratch = arena_new(0);
    const char *log =
        datadir_path(all->dir, scratch, arena_printf(scratch, "log/%s.log", child->name));
    AUTO(close_fd) int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct loop_process_spec spec = {.file = child->argv[0],
                                     .argv = child->argv,
                                     .env = child->env,
                                     .fds = {-1, out, out},
                                     .uid = -1,
                                     .gid = -1};

    child->started_us = loop_now_us(all->loop);
    child->process = loop_process_spawn(all->loop, &spec, child_exited, child, &error);
    if (!child->process)
        loop_timer_start(child->restart, RESTART_MS_MAX, 0);
}

static void restart_due(void *userdata)
{
    struct child *child = userdata;

    if (!child->all->stopping && !child->process)
        child_spawn(child);
}

static bool has_variable(const struct child *child, const char *entry, size_t n)
{
    size_t name_len = strcspn(entry, "=") + 1;

    for (size_t i = 0; i < n; i++) {
        if (strncmp(child->env[i], entry, name_len) == 0)
            return true;
    }
    return false;
}

/* Settings of the program that the user has given as variables; what is decided here goes before
 * them. And the proxies, for what it sends to the world. */
static void pass_variables(struct child *child, const char *name, size_t n)
{
    static const char *const proxies[] = {"http_proxy=", "https_proxy=", "no_proxy="};
    char prefix[64];
    int len = snprintf(prefix, sizeof prefix, "PLANKTON_%s_", name);

    for (int i = 0; i < len; i++)
        prefix[i] =
            (char)(prefix[i] >= 'a' && prefix[i] <= 'z' ? prefix[i] - 'a' + 'A' : prefix[i]);
    for (char **entry = environ; *entry && n < CHILD_ARGS_MAX; entry++) {
        bool wanted = strncmp(*entry, prefix, (size_t)len) == 0;
        for (size_t i = 0; i < ARRAY_LEN(proxies); i++)
            wanted = wanted || strncmp(*entry, proxies[i], strlen(proxies[i])) == 0;
        if (wanted && !has_variable(child, *entry, n))
            child->env[n++] = *entry;
    }
}

enum status children_start(struct children *all, const char *name, const char *program,
                           const char *const *argv, const char *const *env, struct error *err)
{
    struct child *child = &all->list[all->n];
    size_t n = 0;

    if (all->n == CHILDREN_MAX)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "more than %d processes", CHILDREN_MAX);
    child->all = all;
    child->name = arena_strdup(&all->arena, name);
    child->file = arena_strdup(&all->arena, program);
    child->argv[n++] = arena_printf(&all->arena, "%s/%s", all->bin, program);
    for (size_t i = 0; argv[i]; i++) {
        if (n == CHILD_ARGS_MAX)
            return error_set(err, STATUS_INTERNAL, "too many arguments for %s", name);
        child->argv[n++] = arena_strdup(&all->arena, argv[i]);
    }
    n = 0;
    child->env[n++] = all->notify_env;
    child->env[n++] = "PATH=/usr/local/bin:/usr/bin:/bin";
    child->env[n++] = "LANG=C.UTF-8";
    child->env[n++] = arena_printf(&all->arena, "HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
    for (size_t i = 0; env[i] && n < CHILD_ARGS_MAX; i++)
        child->env[n++] = arena_strdup(&all->arena, env[i]);
    pass_variables(child, program + strlen("plankton-"), n);
    child->backoff_ms = RESTART_MS_MIN;
    child->restart = loop_timer_new(all->loop, restart_due, child);
    all->n++;
    child_spawn(child);
    return STATUS_OK;
}

static void kill_due(void *userdata)
{
    struct children *all = userdata;

    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].process)
            kill(loop_process_pid(all->list[i].process), SIGKILL);
}

void children_stop(struct children *all, uint64_t timeout_ms)
{
    if (all->stopping)
        return;
    all->stopping = true;
    for (size_t i = 0; i < all->n; i++)
        loop_timer_stop(all->list[i].restart);
    all->kill_timer = loop_timer_new(all->loop, kill_due, all);
    loop_timer_start(all->kill_timer, timeout_ms, 0);
    stop_next(all);
}

int children_pid(const struct children *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].process && strcmp(all->list[i].name, name) == 0)
            return loop_process_pid(all->list[i].process);
    return 0;
}

void children_free(struct children *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->n; i++) {
        loop_timer_free(all->list[i].restart);
        if (all->list[i].process)
            loop_process_free(all->list[i].process);
    }
    if (all->kill_timer)
        loop_timer_free(all->kill_timer);
    if (all->notify)
        loop_fd_free(all->notify);
    close_fd(&all->notify_fd);
    arena_fini(&all->arena);
    free(all);
}
