/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_WANDB_STREAM_H
#define SINKS_WANDB_STREAM_H
/*
 * Sends the directories of online runs to a server of Weights & Biases while they grow: the files
 * are the truth, this is their replay. Each run keeps its place in its own logs/stream.json; lines
 * go to offsets, so that what was sent twice stands there once. What the server refuses for good
 * stays on the disk, and the log says how to send it by `wandb sync`. A key that is refused stops
 * everything until the next start. A run that is through gets the marker that `wandb sync` leaves.
 */
#include "fetch/fetch.h"
#include "sinks/wandb/wandb_sink.h"

struct wandb_stream_options {
    const char *dir;      /* of the runs */
    const char *base_url; /* without a slash at its end */
    const char *api_key;
    uint64_t interval_ms;  /* between two sends of a run */
    uint64_t heartbeat_ms; /* of a run that has nothing to say */
    uint64_t backoff_ms;   /* the first wait after a failure, doubled up to a minute */
};
struct wandb_stream;
struct wandb_stream *wandb_stream_new(struct loop *loop,
                                      const struct wandb_stream_options *options);
void wandb_stream_progress(const struct wandb_progress *progress,
                           void *stream); /* wandb_progress_fn */
/* The sink has said what it has open: the other runs there, which are over and not through, are
 * taken up again. */
void wandb_stream_begin(void *stream);
/* What it last failed at; "" = healthy. */
const char *wandb_stream_error(const struct wandb_stream *stream);
double wandb_stream_lag_s(const struct wandb_stream *stream); /* of the oldest that is not sent */
void wandb_stream_free(struct wandb_stream *stream);          /* NULL allowed */

#endif
