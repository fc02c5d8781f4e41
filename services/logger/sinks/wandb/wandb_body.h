/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_WANDB_BODY_H
#define SINKS_WANDB_BODY_H
/*
 * Records of a run-ID.wandb file as the bodies of requests to a server: the upsert of the run
 * (GraphQL), then its lines for file_stream. Pure.
 */
#include "json/json.h"
#include "sinks/wandb/wandb_file.h"

/* How far a run was sent. Lines have numbers from the beginning of the run. */
struct wandb_position {
    uint64_t at; /* in the file */
    uint64_t history, output;
    bool complete;
};
#define WANDB_BODY_BYTES_MAX ((size_t)128 << 20)  /* of one record alone, each byte escaped */
#define WANDB_BODY_BYTES_WANTED ((size_t)1 << 20) /* enough for one request */

/* The upsert; NULL when data, the beginning of the file, has no run. */
json_t *wandb_body_upsert(struct slice data);
/* Takes records from reader->at on and moves position; appends the body to out. False: nothing was
 * there to send. A run's end is a request of its own. */
bool wandb_body_lines(struct wandb_reader *reader, struct wandb_position *position,
                      struct buf *out);

#endif
