/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/ingest_internal.h"

#include <stdlib.h>
#include "ingest/record.h"
#include "log/log.h"
#include "logger_metrics.h"

#define LOOKUPS_MAX ((size_t)10000) /* of one question */

bool ingest_is_held_back(const struct ingest *ingest)
{
    return spool_is_full(ingest->spool) || ingest->attempts.ref_count >= LINE_REFS_MAX ||
           ingest->ending;
}

/* ---- durable records ---- */

static void take_lines(struct ingest *ingest, struct slice payload, uint64_t lsn)
{
    struct lines lines;

    if (!lines_parse_record(payload, lsn, &lines)) {
        log_error("spool.record_malformed", LOG_U64("lsn", lsn));
        return;
    }
    struct attempt *attempt =
        attempts_get(&ingest->attempts, &lines.task, &lines.run, lines.attempt, lines.namespace_id);
    attempts_add_ref(&ingest->attempts, attempt, &lines, (uint32_t)payload.len);
    /* Lines were accepted in order, so the last in the spool is the last of all; unless the
     * database had no word in it. */
    if (!(lines.flags & LINES_UNVERIFIED))
        attempts_known(&ingest->attempts, attempt, lines.first_seq + lines.count - 1,
                       lines.last_us);
    else if (ingest->replaying)
        attempt_unverified(attempt, lines.first_seq + lines.count - 1, lines.last_us);
    if (!ingest->replaying) {
        attempt_unpin(&ingest->attempts, attempt); /* pinned when it was appended */
        ingest->callbacks.on_lines(&lines, ingest->userdata);
    }
}

static void note_closed(struct ingest *ingest, const struct event_ref *event)
{
    if (event->kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_ATTEMPT_CLOSED ||
        event->kind == PLANKTON__V1__EVENT_KIND__EVENT_KIND_STALE_RESULT)
        attempts_close(&ingest->attempts, &event->task, event->attempt);
}

static void take_events(struct ingest *ingest, struct slice payload, uint64_t lsn)
{
    struct events events;
    struct event_ref event;
    bool bad;

    if (!events_parse_record(payload, lsn, &events)) {
        log_error("spool.record_malformed", LOG_U64("lsn", lsn));
        return;
    }
    struct source *source = sources_get(&ingest->sources, events.timeline, events.shard);
    source->durable = MAX_OF(source->durable, events.first + events.count - 1);
    source->last = MAX_OF(source->last, source->durable);
    sources_add_ref(&ingest->sources, &events, (uint32_t)payload.len);
    bool wanted = !ingest->replaying && ingest->callbacks.wants_events(ingest->userdata);
    if (!wanted && !ingest->replaying)
        return;
    for (struct slice rest = events.batch; events_next(&rest, &event, &bad);) {
        if (ingest->replaying)
            note_closed(ingest, &event);
        if (wanted)
            ingest->callbacks.on_event(&event, ingest->userdata);
    }
}

static void on_durable(struct slice frames, uint64_t lsn, void *userdata)
{
    struct ingest *ingest = userdata;
    struct slice payload;
    uint64_t begin;

    while (frame_next_unchecked(&frames, &lsn, &begin, &payload) == FRAME_OK) {
        if (record_type_of(payload) == RECORD_LINES)
            take_lines(ingest, payload, begin);
        else if (record_type_of(payload) == RECORD_EVENTS)
            take_events(ingest, payload, begin);
    }
    if (ingest->replaying)
        return;
    ingest_wake(ingest);
    ingest->callbacks.on_durable(ingest->userdata);
}

static void on_trouble(const char *why, bool fatal, void *userdata)
{
    struct ingest *ingest = userdata;

    ingest->callbacks.on_trouble(why, fatal, ingest->userdata);
}

/* ---- what the database knows ---- */

/* The database cannot be asked. Lines are taken all the same; the store drops what it has when it
 * is back, and until then the attempts stay wanted. */
static void take_unverified(struct ingest *ingest)
{
    LIST_EACH(&ingest->attempts.wanted, node)
    attempt_unverified(LIST_ENTRY(node, struct attempt, wanted), 0, INT64_MIN);
}

static void lookup_done(bool ok, void *userdata)
{
    struct ingest *ingest = userdata;
    size_t n = ingest->lookup_count;

    for (size_t i = 0; ok && i < n; i++) {
        const struct ingest_lookup *lookup = &ingest->lookups[i];
        struct attempt *attempt = attempts_find(&ingest->attempts, &lookup->task, lookup->attempt);
        if (attempt)
            attempts_known(&ingest->attempts, attempt, lookup->last_seq,
                           lookup->last_seq ? lookup->last_us : INT64_MIN);
    }
    free(ingest->lookups);
    ingest->lookups = NULL;
    ingest->database_away = !ok;
    if (!ok)
        take_unverified(ingest);
    append_wake(ingest); /* asks again for what came meanwhile */
}

struct attempt *ingest_attempt(struct ingest *ingest, const struct lease_token *token)
{
    struct attempt *attempt = attempts_get(&ingest->attempts, &token->task, &token->run,
                                           token->attempt, token->namespace_id);

    if (!attempt->known && ingest->database_away)
        attempt_unverified(attempt, 0, INT64_MIN);
    return attempt;
}

void ingest_ask(struct ingest *ingest)
{
    struct attempts *attempts = &ingest->attempts;

    if (ingest->lookups || !attempts->wanted_count || ingest->database_away)
        return;
    ingest->lookups =
        mem_zalloc(MIN_OF(attempts->wanted_count, LOOKUPS_MAX) * sizeof *ingest->lookups);
    ingest->lookup_count = 0;
    LIST_EACH(&attempts->wanted, node)
    {
        struct attempt *attempt = LIST_ENTRY(node, struct attempt, wanted);
        if (ingest->lookup_count == LOOKUPS_MAX)
            break;
        ingest->lookups[ingest->lookup_count++] =
            (struct ingest_lookup){.task = attempt->task, .attempt = attempt->attempt};
    }
    ingest->callbacks.lookup(ingest->lookups, ingest->lookup_count, lookup_done, ingest,
                             ingest->userdata);
}

void ingest_source_stored(struct ingest *ingest, uint32_t timeline, uint16_t shard, uint64_t last)
{
    struct source *source = sources_get(&ingest->sources, timeline, shard);

    source->last = MAX_OF(source->last, last);
    source->durable = MAX_OF(source->durable, last);
}

void ingest_sources_known(struct ingest *ingest)
{
    ingest->sources_known = true;
    ingest->database_away = false;
    ingest_wake(ingest);
}

void ingest_stored(struct ingest *ingest, uint64_t lsn)
{
    attempts_stored(&ingest->attempts, lsn);
    sources_stored(&ingest->sources, lsn);
    ingest_wake(ingest);
}

static void ended(void *userdata)
{
    struct ingest *ingest = userdata;
    struct error err;

    error_set(&err, STATUS_UNAVAILABLE, "the logger is shutting down");
    append_end(ingest, &err);
    relay_end(ingest, &err);
    ingest->end_done(ingest->end_userdata);
}

void ingest_end(struct ingest *ingest, void (*done)(void *userdata), void *userdata)
{
    ingest->ending = true;
    ingest->end_done = done;
    ingest->end_userdata = userdata;
    ingest_wake(ingest); /* holds all callers back */
    spool_flush(ingest->spool, ended, ingest);
}

void ingest_wake(struct ingest *ingest)
{
    append_wake(ingest);
    relay_wake(ingest);
}

/* ---- life ---- */

enum status ingest_open(struct loop *loop, const struct ingest_options *options,
                        const struct ingest_callbacks *callbacks, void *userdata,
                        struct ingest **ret, struct error *err)
{
    static const struct spool_callbacks spool_callbacks = {.on_durable = on_durable,
                                                           .on_trouble = on_trouble};
    struct ingest *ingest = mem_zalloc(sizeof *ingest);

    ingest->loop = loop;
    ingest->options = *options;
    ingest->callbacks = *callbacks;
    ingest->userdata = userdata;
    attempts_init(&ingest->attempts);
    sources_init(&ingest->sources);
    list_init(&ingest->appends);
    list_init(&ingest->relays);
    enum status st =
        spool_open(loop, &options->spool, &spool_callbacks, ingest, &ingest->spool, err);
    ingest->replaying = true;
    if (st == STATUS_OK)
        st = spool_replay(ingest->spool, err);
    ingest->replaying = false;
    if (st == STATUS_OK)
        *ret = ingest;
    else
        ingest_close(ingest);
    return st;
}

void ingest_close(struct ingest *ingest)
{
    if (!ingest)
        return;
    spool_close(ingest->spool);
    attempts_fini(&ingest->attempts);
    sources_fini(&ingest->sources);
    free(ingest->lookups);
    free(ingest);
}

struct spool *ingest_spool(struct ingest *ingest)
{
    return ingest->spool;
}

struct attempts *ingest_attempts(struct ingest *ingest)
{
    return &ingest->attempts;
}

struct sources *ingest_sources(struct ingest *ingest)
{
    return &ingest->sources;
}

size_t ingest_stream_count(const struct ingest *ingest)
{
    return ingest->append_count;
}

double ingest_relay_lag_s(const struct ingest *ingest)
{
    return (double)ingest->relay_lag_us / 1e6;
}
