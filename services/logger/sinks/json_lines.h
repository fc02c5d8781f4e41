/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_JSON_LINES_H
#define SINKS_JSON_LINES_H
/* One JSON object a line of each log line and each event. Pure. */
#include "ingest/events.h"
#include "ingest/lines.h"

#define JSON_LINES_BYTES_MAX ((size_t)1 << 30) /* of a buffer; a record of 6 MiB gives far less */

/* Text of the second last written: consecutive times mostly share it. */
struct json_clock {
    int64_t second;
    char text[24];
};
/* {"time":…,"task":…,"attempt":1,"seq":1,"stream":"stdout","text":…} and what else is there;
 * returns the number of lines. */
size_t json_lines_put(struct buf *out, struct json_clock *clock, const struct lines *lines);
/* {"time":…,"event":"task_finished","shard":3,"number":7,…}; returns the number of events. */
size_t json_events_put(struct buf *out, struct json_clock *clock, const struct events *events);

#endif
