/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_WANDB_SINK_H
#define SINKS_WANDB_SINK_H
/*
 * Weights & Biases from the spool: events become history rows, metric lines (`{"metric": {…}}`)
 * too, other lines become output. One W&B run stands for a plan run (its steps label the output and
 * prefix the metrics), or for a day of a plan, or for a task; lone tasks share a run a day. Above a
 * rate of new runs, which W&B throttles, plan runs go into the run of their plan and day. What is
 * written are directories that `wandb sync` takes as they are; sending them live is somebody else's
 * work (wandb_stream.h), who reads these files.
 */
#include "sinks/sink.h"

enum wandb_per { WANDB_PER_RUN, WANDB_PER_PLAN_DAY, WANDB_PER_TASK };

struct wandb_sink_options {
    const char *dir, *entity, *project;
    const char *const *tags;
    size_t tag_count;
    enum wandb_per per;
    uint64_t runs_per_minute; /* new ones; more are folded */
    int64_t linger_ms;        /* an ended run waits so long for the rest of its output */
    bool online;
};
/* What a commit has made durable of one W&B run. */
struct wandb_progress {
    const char *id, *dir;
    uint64_t bytes;
    bool ended;
};
typedef void (*wandb_progress_fn)(const struct wandb_progress *progress, void *userdata);
struct wandb_listener {
    wandb_progress_fn progress;    /* of each run that is open at the start, then of what grows */
    void (*begin)(void *userdata); /* what is open at the start was said */
    void *userdata;
};

struct wandb_sink;
extern const struct sink_writer wandb_sink_writer; /* of a struct wandb_sink */
/* The listener is called on the loop, after commits; NULL = none. */
struct wandb_sink *wandb_sink_new(const struct wandb_sink_options *options,
                                  const struct wandb_listener *listener);
void wandb_sink_free(struct wandb_sink *sink); /* NULL allowed */

#endif
