/* SPDX-License-Identifier: Apache-2.0 */
/* One process: started, read, stopped, ended. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "exec/internal.h"
#include "exec/spec.h"
#include "exec/supervise.h"
#include "json/json.h"
#include "log/log.h"

#define READ_BYTES 65536

static void process_finish(struct process *process);

/* ---- output ---- */

static void process_line(struct slice text, bool continued, void *userdata)
{
    struct process_pipe *pipe = userdata;
    struct process *process = pipe->process;

    attempt_log(process->attempt, pipe->source, LOG_SEVERITY_NONE, continued, text);
    if (pipe->source != LOG_SOURCE_STDERR || text.len == 0)
        return;
    size_t len = MIN_OF(text.len, sizeof process->last_error_line - 1);
    while (len < text.len && len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--; /* not in the middle of a character */
    memcpy(process->last_error_line, text.data, len);
    process->last_error_line[len] = '\0';
}

static void pipe_close(struct process_pipe *pipe)
{
    if (pipe->fd < 0)
        return;
    loop_fd_free(pipe->watch);
    pipe->watch = NULL;
    close_fd(&pipe->fd);
    line_splitter_end(&pipe->lines);
}

static bool process_is_silent(const struct process *process)
{
    return process->pipes[0].fd < 0 && process->pipes[1].fd < 0;
}

/* One read a turn: its lines are in the spool before the next. */
static void pipe_readable(int events, void *userdata)
{
    struct process_pipe *pipe = userdata;
    struct process *process = pipe->process;
    char *buffer = process->executor->read_buffer;

    ssize_t n = read(pipe->fd, buffer, READ_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        line_splitter_feed(&pipe->lines, (struct slice){buffer, (size_t)n});
        return;
    }
    pipe_close(pipe);
    if (process->exited && process_is_silent(process))
        process_finish(process);
}

/* ---- stopping ---- */

static void process_timer_cb(void *userdata)
{
    struct process *process = userdata;

    if (process->exited) { /* somebody outside the tree holds the pipe: what has come is all that is
                              taken */
        for (int i = 0; i < 2; i++)
            pipe_close(&process->pipes[i]);
        process_finish(process);
        return;
    }
    switch (process->phase) {
    case PROCESS_RUNS:
    case PROCESS_ASKED:
        process->phase = PROCESS_KILLED;
        kill(loop_process_pid(process->supervisor), SUPERVISE_KILL);
        loop_timer_start(process->timer, EXEC_KILL_MS, 0);
        break;
    case PROCESS_KILLED: /* the supervisor does not get it done (somebody stopped it): do it from
                            here */
        process->phase = PROCESS_FORCED;
        kill(loop_process_pid(process->supervisor), SIGKILL);
        break;
    case PROCESS_FORCED:
        break;
    }
}

void process_stop(struct attempt *attempt, uint32_t grace_ms)
{
    struct process *process = attempt->work;

    if (process->exited || process->phase >= PROCESS_KILLED)
        return;
    if (grace_ms == 0) {
        process_timer_cb(process);
        return;
    }
    if (process->phase == PROCESS_ASKED)
        return;
    process->phase = PROCESS_ASKED;
    kill(loop_process_pid(process->supervisor), SIGTERM);
    loop_timer_start(process->timer, grace_ms, 0);
}

/* A line of $PLANKTON_METRICS goes into the log as the SDK would print it. */
static void metric_line(struct slice line, void *userdata)
{
    static const char named[] = "{\"metric\"";
    struct process *process = userdata;
    struct buf out;

    if (line.len > EXEC_METRIC_BYTES_MAX || line.data[0] != '{' ||
        json_check(line, EXEC_METRIC_BYTES_MAX, NULL) != STATUS_OK)
        return;
    buf_init(&out, EXEC_METRIC_BYTES_MAX + 64);
    bool wrapped = line.len >= sizeof named - 1 && memcmp(line.data, named, sizeof named - 1) == 0;
    buf_puts(&out, wrapped ? "" : "{\"metric\": ");
    buf_put(&out, line.data, line.len);
    buf_puts(&out, wrapped ? "" : "}");
    attempt_log(process->attempt, LOG_SOURCE_STDOUT, LOG_SEVERITY_NONE, false, buf_slice(&out));
    buf_fini(&out);
}

static void take_metrics(struct process *process)
{
    if (process->metrics_bytes < EXEC_METRICS_TOTAL_MAX)
        attempt_dir_metrics(process->dir, &process->metrics_bytes, metric_line, process);
}

void process_poll(struct attempt *attempt)
{
    struct process *process = attempt->work;
    char message[256];
    double progress;

    take_metrics(process);
    if (!attempt_dir_progress(process->dir, &process->progress_bytes, &progress, message,
                              sizeof message))
        return;
    attempt->progress = progress;
    attempt->progress_message = arena_strdup(attempt_arena(attempt), message);
    attempt->progress_changed = true;
}

/* ---- the end ---- */

static void remove_work(void *userdata)
{
    attempt_dir_remove(userdata);
}

static void process_free(struct process *process)
{
    struct worker *worker = process->executor->worker;

    list_remove(&process->node);
    for (int i = 0; i < 2; i++) {
        loop_fd_free(process->pipes[i].watch);
        close_fd(&process->pipes[i].fd);
        line_splitter_fini(&process->pipes[i].lines);
    }
    loop_timer_free(process->timer);
    loop_process_free(process->supervisor);
    if (loop_pool(worker->loop, remove_work, free, process->dir, NULL) != STATUS_OK) {
        attempt_dir_remove(process->dir);
        free(process->dir);
    }
    free(process);
}

/* {"exitStatus":3,"stderr":"last line"} */
static const char *process_details(struct attempt *attempt, const char *key, int value,
                                   const char *line)
{
    struct buf out;

    buf_init(&out, 8 * LAST_LINE_BYTES);
    buf_putf(&out, "{\"%s\":%d", key, value);
    if (*line) {
        buf_puts(&out, ",\"stderr\":");
        json_write_string(&out, slice_of(line));
    }
    buf_putc(&out, '}');
    const char *text = arena_strndup(attempt_arena(attempt), out.data, out.len);
    buf_fini(&out);
    return text;
}

/* The output is read before the directory goes. */
static void finish_success(struct process *process)
{
    static const char none[] = "{\"exitStatus\":0}";
    struct attempt *attempt = process->attempt;
    struct slice output = {none, sizeof none - 1};
    struct error err = {0};

    int got = attempt_dir_output(process->dir, attempt_arena(attempt), &output, &err);
    process_free(process);
    if (got >= 0)
        attempt_succeed(attempt, output);
    else if (str_eq(err.reason, "PAYLOAD_TOO_LARGE"))
        attempt_fail(attempt, "PAYLOAD_TOO_LARGE", true, NULL, "%s", err.message);
    else
        attempt_fail(attempt, "BAD_OUTPUT", false, NULL, "$PLANKTON_OUTPUT: %s", err.message);
}

static void process_finish(struct process *process)
{
    struct attempt *attempt = process->attempt;
    struct arena *arena = attempt_arena(attempt);
    const char *line = arena_strdup(arena, process->last_error_line), *colon = *line ? ": " : "";
    int code = process->exit_status, signum = process->term_signal;
    const char *failure =
        code == SUPERVISE_NOT_STARTED ? attempt_dir_failure(process->dir, arena) : NULL;

    for (int64_t before = -1; before != process->metrics_bytes;) {
        before = process->metrics_bytes;
        take_metrics(process);
    }
    if (code == 0 && signum == 0) {
        finish_success(process);
        return;
    }
    process_free(process);
    if (failure)
        attempt_fail(attempt, "START_FAILED", false, NULL, "%s", failure);
    else if (signum)
        attempt_fail(attempt, "SIGNAL", false, process_details(attempt, "signal", signum, line),
                     "ended by signal %d (%s)%s%s", signum, strsignal(signum), colon, line);
    else
        attempt_fail(attempt, "EXIT_STATUS", false,
                     process_details(attempt, "exitStatus", code, line), "exit status %d%s%s", code,
                     colon, line);
}

static void process_exit_cb(int exit_status, int term_signal, void *userdata)
{
    struct process *process = userdata;

    process->exited = true;
    process->exit_status = exit_status;
    process->term_signal = term_signal;
    /* A supervisor that was killed has left its tree to us. */
    if (term_signal == SIGKILL) {
        loop_process_free(process->supervisor);
        process->supervisor = NULL;
        executor_sweep(process->executor);
    }
    if (process_is_silent(process))
        process_finish(process);
    else
        loop_timer_start(process->timer, EXEC_DRAIN_MS, 0);
}

/* ---- starting ---- */

static enum status pipe_open(struct process *process, struct process_pipe *pipe,
                             enum log_source source, int *ret_write, struct error *err)
{
    int fds[2];

    pipe->process = process;
    pipe->source = source;
    pipe->fd = -1;
    line_splitter_init(&pipe->lines, process_line, pipe);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "cannot make a pipe: %s", strerror(errno));
    *ret_write = fds[1];
    pipe->fd = fds[0];
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    pipe->watch = loop_fd_new(process->executor->worker->loop, fds[0], pipe_readable, pipe);
    loop_fd_watch(pipe->watch, LOOP_READABLE);
    return STATUS_OK;
}

static enum status process_spawn(struct process *process, struct error *err)
{
    char parent[48];
    AUTO(close_fd) int out = -1;
    AUTO(close_fd) int errors = -1;
    char *argv[] = {"plankton-worker", SUPERVISE_COMMAND, process->dir, NULL};
    char *env[] = {parent, NULL};

    enum status st = pipe_open(process, &process->pipes[0], LOG_SOURCE_STDOUT, &out, err);
    if (st == STATUS_OK)
        st = pipe_open(process, &process->pipes[1], LOG_SOURCE_STDERR, &errors, err);
    if (st != STATUS_OK)
        return st;
    snprintf(parent, sizeof parent, "PLANKTON_SUPERVISOR_PARENT=%d", (int)getpid());
    struct loop_process_spec spec = {.file = "/proc/self/exe",
                                     .argv = argv,
                                     .env = env,
                                     .fds = {-1, out, errors},
                                     .uid = -1,
                                     .gid = -1};
    process->supervisor =
        loop_process_spawn(process->executor->worker->loop, &spec, process_exit_cb, process, err);
    return process->supervisor ? STATUS_OK : STATUS_UNAVAILABLE;
}

static enum status process_prepare(struct process *process, char **argv, char **env, bool narrow,
                                   struct error *err)
{
    const struct executor *executor = process->executor;
    const Plankton__V1__Environment *environment = process->attempt->lease->environment;
    const char *given = environment ? environment->working_directory : "";
    char path[PATH_MAX], cwd[PATH_MAX];

    if (*given == '/')
        snprintf(cwd, sizeof cwd, "%s", given);
    else
        snprintf(cwd, sizeof cwd, "%s/task/work/%s", process->dir, given);
    struct exec_spec spec = {
        .cwd = cwd,
        .uid = executor->user.uid,
        .gid = executor->user.gid,
        .narrow = narrow,
        .files_max = (unsigned long)executor->worker->settings->task_files,
        .argv = argv,
        .env = env,
    };
    enum status st = attempt_dir_make(process->dir, &executor->user, err);
    if (st != STATUS_OK)
        return st;
    snprintf(path, sizeof path, "%s/spec", process->dir);
    return exec_spec_write(path, &spec, err);
}

/* "" and "standard" narrow, "none" does not; nothing else can be given here. */
static bool process_sandbox(struct attempt *attempt, bool *ret_narrow)
{
    const Plankton__V1__Environment *environment = attempt->lease->environment;
    const char *level = environment ? environment->sandbox : "";

    *ret_narrow = strcmp(level, "none") != 0;
    if (!*level || strcmp(level, "standard") == 0 || strcmp(level, "none") == 0)
        return true;
    if (strcmp(level, "strict") == 0)
        attempt_fail(attempt, "SANDBOX_UNAVAILABLE", true, NULL,
                     "sandbox level strict needs parts that this worker does not have (see its "
                     "label sandbox.missing)");
    else
        attempt_bad_input(attempt, "environment.sandbox", "must be strict, standard or none");
    return false;
}

void process_start(struct executor *executor, struct attempt *attempt, char **argv)
{
    char id[ID_TEXT_BYTES], dir[PATH_MAX];
    struct error err = {0};
    bool narrow;

    if (!process_sandbox(attempt, &narrow))
        return;
    id_format(&attempt->task, id);
    snprintf(dir, sizeof dir, "%s/attempts/%s-%u", executor->worker->dir.path, id, attempt->number);
    char **env = environment_build(attempt, dir, executor->worker->settings->path);
    if (!env)
        return;
    struct process *process = mem_zalloc(sizeof *process);
    process->executor = executor;
    process->attempt = attempt;
    process->dir = mem_strdup(dir);
    process->pipes[0].fd = process->pipes[1].fd = -1;
    process->timer = loop_timer_new(executor->worker->loop, process_timer_cb, process);
    list_push(&executor->processes, &process->node);
    attempt->work = process;
    enum status st = process_prepare(process, argv, env, narrow, &err);
    if (st == STATUS_OK)
        st = process_spawn(process, &err);
    if (st == STATUS_OK)
        return;
    process_free(process);
    attempt_fail(attempt, "START_FAILED", false, NULL, "%s", err.message);
}
