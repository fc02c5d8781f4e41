/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_FILE_SINK_H
#define SINKS_FILE_SINK_H
/*
 * JSON lines of everything that goes through the spool, in rotated files DIR/plankton-NNNNNN.jsonl.
 * The sink reads the spool at its own pace and keeps its place (and the length of its file at that
 * place) in a file of its own, so that a restart neither repeats nor leaves out a line. While it
 * fails it tries again; when the spool cannot wait any longer the sink loses what it has not read,
 * and says so in its file by {"gapBytes":N}.
 */
#include "ingest/spool.h"

struct file_sink;
struct file_sink_options {
    const char *dir;         /* of the JSON lines */
    const char *cursor_path; /* of the sink's place */
    uint64_t rotate_bytes;
    uint64_t keep;    /* files; older ones are removed */
    bool with_events; /* else log lines alone */
    bool fsync;       /* after each step; else at rotation and at the end */
};
struct file_sink *file_sink_new(struct loop *loop, const struct file_sink_options *options,
                                struct spool *spool);
void file_sink_kick(struct file_sink *sink); /* more is durable */
uint64_t file_sink_position(const struct file_sink *sink);
double file_sink_lag_s(const struct file_sink *sink);
const char *file_sink_error(const struct file_sink *sink); /* "" = healthy */
void file_sink_stop(struct file_sink *sink, void (*stopped)(void *userdata), void *userdata);
void file_sink_free(struct file_sink *sink); /* NULL allowed */

#endif
