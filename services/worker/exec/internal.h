/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXEC_INTERNAL_H
#define EXEC_INTERNAL_H
/* What executor.c (the whole), process.c (one process), attempt_dir.c and environment.c share. */
#include "exec/executor.h"
#include "logship/lines.h"

#define EXEC_METRICS_BYTES_MAX ((size_t)64 << 10)  /* of the metrics file in one look */
#define EXEC_METRIC_BYTES_MAX ((size_t)4096)       /* of one line of it; longer ones are left out */
#define EXEC_METRICS_TOTAL_MAX (INT64_C(16) << 20) /* of an attempt's file */
#define LAST_LINE_BYTES 257 /* of stderr, in a failure's message; with its NUL */

struct executor {
    struct worker *worker;
    struct list processes;
    struct task_user user;
    struct loop_timer *sweep; /* while orphans are being killed */
    char *read_buffer;        /* one for all pipes */
};

struct process;
struct process_pipe {
    struct process *process;
    enum log_source source;
    int fd; /* -1 = ended */
    struct loop_fd *watch;
    struct line_splitter lines;
};
enum process_phase { PROCESS_RUNS, PROCESS_ASKED, PROCESS_KILLED, PROCESS_FORCED };
struct process {
    struct list node;
    struct executor *executor;
    struct attempt *attempt;
    char *dir; /* the attempt's own; the task sees dir/task */
    struct loop_process *supervisor;
    struct process_pipe pipes[2]; /* stdout, stderr */
    struct loop_timer *timer;     /* of the phase, or for the last output */
    enum process_phase phase;
    bool exited;
    int exit_status, term_signal;
    char last_error_line[LAST_LINE_BYTES];
    int64_t progress_bytes; /* of the progress file when it was read last */
    int64_t metrics_bytes;  /* of the metrics file, read so far */
};

/* Kills and reaps children of this process that are no supervisors of it. */
void executor_sweep(struct executor *executor);

/* ---- attempt_dir.c ---- */
MUST_USE enum status attempt_dir_make(const char *dir, const struct task_user *user,
                                      struct error *err);
void attempt_dir_remove(const char *dir); /* blocks: for a pool thread, or at start */
/* The result file: 1 = there, 0 = not written, -1 = cannot be used (err). */
int attempt_dir_output(const char *dir, struct arena *arena, struct slice *ret, struct error *err);
/* The end of the progress file, when it has changed since *bytes. False: nothing new. */
bool attempt_dir_progress(const char *dir, int64_t *bytes, double *ret_progress, char *message,
                          size_t message_bytes);
/* Hands over the whole lines of the metrics file from *at on, some 64 KiB at a time, and moves *at.
 */
void attempt_dir_metrics(const char *dir, int64_t *at,
                         void (*fn)(struct slice line, void *userdata), void *userdata);
char *attempt_dir_failure(const char *dir,
                          struct arena *arena); /* of the supervisor; NULL = none */

/* ---- environment.c ---- */
/* Variables of the task. NULL: the attempt has been ended as BAD_INPUT. */
char **environment_build(struct attempt *attempt, const char *dir, const char *path);

#endif
