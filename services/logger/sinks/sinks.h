/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_SINKS_H
#define SINKS_SINKS_H
/* The sinks that the settings ask for, as one. PostgreSQL is not among them: it is the store. */
#include "settings.h"
#include "sinks/sink.h"

struct sinks;
MUST_USE enum status sinks_open(struct loop *loop, struct spool *spool,
                                const struct logger_settings *settings, struct sinks **ret,
                                struct error *err);
void sinks_kick(struct sinks *sinks);               /* more is durable */
uint64_t sinks_position(const struct sinks *sinks); /* all of them have passed it */
void sinks_collect(const struct sinks *sinks);      /* sets the gauges */
void sinks_stop(struct sinks *sinks, void (*stopped)(void *userdata), void *userdata);
void sinks_free(struct sinks *sinks); /* NULL allowed */

struct sink_view {
    const char *name, *error; /* error "" = healthy */
    double lag_s;
};
size_t sinks_count(const struct sinks *sinks);
struct sink_view sinks_view(const struct sinks *sinks, size_t i);

#endif
