/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_FILE_SINK_H
#define SINKS_FILE_SINK_H
/*
 * JSON lines of everything that goes through the spool, in rotated files DIR/plankton-NNNNNN.jsonl.
 * The place in the spool stands, with the length of the file at that place, in a file of its own.
 * What was lost is said by {"gapBytes":N}.
 */
#include "sinks/sink.h"

struct file_sink;
struct file_sink_options {
    const char *dir;         /* of the JSON lines */
    const char *cursor_path; /* of the sink's place */
    uint64_t rotate_bytes;
    uint64_t keep;    /* files; older ones are removed */
    bool with_events; /* else log lines alone */
    bool fsync;       /* after each step; else at rotation and at the end */
};
extern const struct sink_writer file_sink_writer; /* of a struct file_sink */
struct file_sink *file_sink_new(const struct file_sink_options *options);
void file_sink_free(struct file_sink *sink); /* NULL allowed */

#endif
