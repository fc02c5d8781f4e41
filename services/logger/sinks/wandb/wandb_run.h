/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_WANDB_RUN_H
#define SINKS_WANDB_RUN_H
/*
 * One run of Weights & Biases as records: what it is, its history rows, its output, its end. The
 * bytes gather in `writer`; who writes them to a file is not known here. What a later record needs
 * of earlier ones (step, last values, start) is found again by reading the file. Pure.
 */
#include "json/json.h"
#include "sinks/wandb/wandb_file.h"

#define WANDB_SUMMARY_KEYS_MAX 5000             /* of a run; later keys are in the history alone */
#define WANDB_KEY_BYTES_MAX 256                 /* of a metric's name; longer ones are cut */
#define WANDB_LINE_BYTES_MAX ((size_t)64 << 10) /* of a line of output */

struct wandb_info {
    const char *id, *entity, *project, *group, *job_type, *display_name, *host;
    const char *const *tags;
    size_t tag_count;
    json_t *config; /* object; may be NULL */
    int64_t start_us;
};

struct wandb_run {
    struct wandb_writer writer;
    json_t *summary; /* last value of each key */
    int64_t start_us, last_us, step;
    bool ended;
};
void wandb_run_init(struct wandb_run *run);
void wandb_run_fini(struct wandb_run *run);
void wandb_run_begin(struct wandb_run *run, const struct wandb_info *info);
/* A row of flat keys; times and step are added. */
void wandb_run_history(struct wandb_run *run, int64_t unix_us, const json_t *row);
void wandb_run_output(struct wandb_run *run, int64_t unix_us, bool is_stderr, struct slice label,
                      struct slice text);
/* The summary with what `last` adds, the exit code, and what stands at the end of a file. */
void wandb_run_end(struct wandb_run *run, int64_t unix_us, int exit_code, const json_t *last);
/* Goes on where file ends: behind its last whole record (run->writer.bytes says where that is). */
void wandb_run_restore(struct wandb_run *run, struct slice file);

#endif
