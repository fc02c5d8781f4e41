/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_SINK_H
#define SINKS_SINK_H
/*
 * A reader of the spool at its own pace. It takes what is durable from its place on and hands the
 * records to its writer, in a thread of the pool, one step at a time. While the writer fails it is
 * opened anew after 1 s, doubled up to 30 s, and nobody else notices; when the spool cannot wait
 * any longer, what was not read is lost and told to the writer as a gap. The writer keeps the place
 * together with what it wrote, so that a restart neither repeats nor leaves out a record.
 */
#include "ingest/events.h"
#include "ingest/lines.h"
#include "ingest/spool.h"

struct sink;
/* All but the last two run in the pool's threads, one at a time. */
struct sink_writer {
    const char *name;
    uint64_t pace_ms; /* between two small steps: nobody waits for them */
    /* At the start and after each failure: forget what is not committed and say the place; *lsn is
     * what it shall be where there is none. */
    enum status (*open)(void *self, uint64_t *lsn, struct error *err);
    void (*lines)(void *self, const struct lines *lines);
    void (*events)(void *self, const struct events *events);
    void (*gap)(void *self, uint64_t bytes);
    enum status (*commit)(void *self, uint64_t lsn, struct error *err);
    void (*committed)(void *self); /* on the loop; may be NULL */
    /* On the loop, after a step: when to commit again though nothing came, 0 = never; may be NULL.
     */
    uint64_t (*wake_ms)(void *self);
};
/* self is the writer's; it must outlive the sink. */
struct sink *sink_new(struct loop *loop, struct spool *spool, const struct sink_writer *writer,
                      void *self);
void sink_kick(struct sink *sink); /* more is durable */
const char *sink_name(const struct sink *sink);
uint64_t sink_position(const struct sink *sink);
double sink_lag_s(const struct sink *sink);
const char *sink_error(const struct sink *sink); /* "" = healthy */
void sink_stop(struct sink *sink, void (*stopped)(void *userdata), void *userdata);
void sink_free(struct sink *sink); /* NULL allowed */

#endif
