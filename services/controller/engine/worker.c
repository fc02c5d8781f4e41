/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers. A worker has a session in each shard: asked (TAKE), then live once it has said
 * completely what it holds (HELD). Only a live session is leased to, under the nonce it chose. A
 * broken stream closes no lease: they wait for the worker as long as a lease lasts.
 */
#include "internal.h"

static int64_t lease_us(const struct engine *engine)
{
    return engine->config.lease_ms * US_PER_MS;
}

/* The timer is lazy: a heartbeat does not touch it, it looks again when it comes. */
static void arm(struct engine *engine, struct worker *worker, int64_t at_us)
{
    worker->timer_us = at_us;
    if (worker->timer.place)
        heap_update(&engine->worker_timers, &worker->timer);
    else
        heap_push(&engine->worker_timers, &worker->timer);
}

struct worker *worker_find(const struct engine *engine, const struct id *id)
{
    for (struct map_node *n = map_first(&engine->workers, id_hash(id)); n; n = map_next(n)) {
        struct worker *worker = CONTAINER_OF(n, struct worker, by_id);

        if (id_eq(&worker->id, id))
            return worker;
    }
    return NULL;
}

struct worker *worker_get(struct engine *engine, const struct id *id)
{
    struct worker *worker = worker_find(engine, id);

    if (worker)
        return worker;
    worker = mem_zalloc(sizeof(*worker));
    worker->id = *id;
    worker->name = worker->version = worker->address = "";
    worker->heartbeat_us = engine->now_us;
    map_insert(&engine->workers, &worker->by_id, id_hash(id));
    arm(engine, worker, worker->heartbeat_us + lease_us(engine));
    return worker;
}

static struct worker *worker_by_stream(const struct engine *engine, uint64_t stream)
{
    struct map_node *node = map_first(&engine->streams, stream);

    return node ? CONTAINER_OF(node, struct worker, by_stream) : NULL;
}

struct worker *worker_beat(struct engine *engine, uint64_t stream)
{
    struct worker *worker = worker_by_stream(engine, stream);

    if (worker)
        worker->heartbeat_us = engine->now_us;
    return worker;
}

struct session *session_get(struct worker *worker, struct shard *shard)
{
    struct session *session;

    if (shard->number >= worker->sessions_cap) {
        uint32_t cap = MAX_OF(16u, shard->number + 1u);

        worker->sessions = mem_realloc(worker->sessions, cap * sizeof(struct session *));
        memset(worker->sessions + worker->sessions_cap, 0,
               (cap - worker->sessions_cap) * sizeof(struct session *));
        worker->sessions_cap = cap;
    }
    session = worker->sessions[shard->number];
    if (session)
        return session;
    session = mem_zalloc(sizeof(*session));
    session->worker = worker;
    session->shard = shard;
    list_init(&session->leases);
    list_push(&shard->sessions, &session->of_shard);
    worker->sessions[shard->number] = session;
    return session;
}

void session_free(struct session *session)
{
    while (!list_empty(&session->leases))
        lease_close(LIST_FIRST(&session->leases, struct lease, of_session)->task, false);
    session->worker->sessions[session->shard->number] = NULL;
    list_remove(&session->of_shard);
    free(session);
}

static void session_take(struct session *session)
{
    struct shard *shard = session->shard;

    session->state = SESSION_TAKING;
    session->stream = session->worker->stream;
    session->asked_us = shard->engine->now_us;
    session->nonce = 0;
    session->collecting = false;
    if (session->stream)
        effect_now(shard->engine, ENGINE_TAKE, shard->number)->take = (struct engine_take){
            .stream = session->stream, .shard = shard->number, .epoch = shard->epoch};
}

void shard_take_all(struct shard *shard)
{
    struct engine *engine = shard->engine;
    struct map_cursor cursor = {0};
    struct map_node *node;

    while ((node = map_walk(&engine->streams, &cursor)))
        session_take(session_get(CONTAINER_OF(node, struct worker, by_stream), shard));
}

static void offers_drop(struct engine *engine, struct worker *worker)
{
    for (uint32_t i = 0; i < worker->offers_len; i++) {
        list_remove(&worker->offers[i].idle);
        list_remove(&worker->offers[i].of_type);
        worker->offers[i].type->offers--;
        type_release(engine, worker->offers[i].type);
    }
    free(worker->offers);
    worker->offers = NULL;
    worker->offers_len = 0;
}

static void detach(struct engine *engine, struct worker *worker)
{
    if (!worker->stream)
        return;
    map_remove(&engine->streams, &worker->by_stream);
    worker->stream = 0;
    worker->credit = 0;
    worker_set_idle(worker);
    offers_drop(engine, worker);
    for (uint32_t i = 0; i < worker->sessions_cap; i++) {
        if (worker->sessions[i]) {
            worker->sessions[i]->state = SESSION_TAKING;
            worker->sessions[i]->stream = 0;
            worker->sessions[i]->collecting = false;
        }
    }
    arm(engine, worker, worker->heartbeat_us + lease_us(engine));
}

void worker_free(struct engine *engine, struct worker *worker)
{
    detach(engine, worker);
    for (uint32_t i = 0; i < worker->sessions_cap; i++) {
        if (worker->sessions[i])
            session_free(worker->sessions[i]);
    }
    list_remove(&worker->freed);
    heap_remove(&engine->worker_timers, &worker->timer);
    map_remove(&engine->workers, &worker->by_id);
    offers_drop(engine, worker);
    free(worker->sessions);
    free(worker->labels);
    free(worker->text);
    free(worker);
}

static size_t text_bytes(const char *text)
{
    return strnlen(text, ENGINE_LABEL_BYTES_MAX) + 1;
}

static const char *put(char **at, const char *text)
{
    size_t len = strnlen(text, ENGINE_LABEL_BYTES_MAX);
    char *start = *at;

    memcpy(start, text, len);
    start[len] = '\0';
    *at = start + len + 1;
    return start;
}

static void describe(struct engine *engine, struct worker *worker,
                     const struct engine_stream_open *open)
{
    size_t bytes = text_bytes(open->name) + text_bytes(open->version) + text_bytes(open->address);
    uint32_t types = MIN_OF(open->types_len, (uint32_t)ENGINE_WORKER_TYPES_MAX);
    uint32_t labels = MIN_OF(open->labels_len, (uint32_t)ENGINE_LABELS_MAX);
    char *at;

    for (uint32_t i = 0; i < labels; i++)
        bytes += text_bytes(open->labels[i].key) + text_bytes(open->labels[i].value);
    free(worker->text);
    free(worker->labels);
    worker->text = at = mem_alloc(bytes);
    worker->name = put(&at, open->name);
    worker->version = put(&at, open->version);
    worker->address = put(&at, open->address);
    worker->labels = mem_zalloc((labels + 1) * sizeof(*worker->labels));
    worker->labels_len = labels;
    for (uint32_t i = 0; i < labels; i++) {
        worker->labels[i].key = put(&at, open->labels[i].key);
        worker->labels[i].value = put(&at, open->labels[i].value);
    }
    worker->offers = mem_zalloc((types + 1) * sizeof(*worker->offers));
    worker->offers_len = types;
    for (uint32_t i = 0; i < types; i++) {
        worker->offers[i].worker = worker;
        worker->offers[i].type = type_get(engine, open->types[i]);
        worker->offers[i].type->offers++;
        list_push(&worker->offers[i].type->offered, &worker->offers[i].of_type);
    }
    worker->resources = open->resources;
    worker->slots = MIN_OF(open->slots, (uint32_t)ENGINE_SLOTS_MAX);
}

void worker_open(struct engine *engine, const struct engine_stream_open *open)
{
    struct worker *worker = worker_get(engine, &open->worker);

    if (worker->stream)
        effect_now(engine, ENGINE_CLOSE_STREAM, ENGINE_NO_SHARD)->take.stream = worker->stream;
    detach(engine, worker);
    describe(engine, worker, open);
    worker->stream = open->stream;
    worker->credit = 0;
    worker->draining = false;
    worker->connected_us = worker->heartbeat_us = engine->now_us;
    map_insert(&engine->streams, &worker->by_stream, open->stream);
    arm(engine, worker, worker->heartbeat_us + lease_us(engine));
    for (uint32_t i = 0; i < engine->loaded_len; i++) {
        struct shard *shard = engine->shards[engine->loaded[i]];

        if (shard->open)
            session_take(session_get(worker, shard));
    }
}

void worker_closed(struct engine *engine, uint64_t stream)
{
    struct worker *worker = worker_by_stream(engine, stream);

    if (worker)
        detach(engine, worker);
}

static void lose_leases(struct worker *worker, const char *reason)
{
    for (uint32_t i = 0; i < worker->sessions_cap; i++) {
        struct session *session = worker->sessions[i];

        if (!session)
            continue;
        LIST_EACH(&session->leases, node)
        {
            struct lease *lease = LIST_ENTRY(node, struct lease, of_session);

            if (!lease->orphan) /* those wait for the end of the grace */
                attempt_lost(lease->task, reason);
        }
    }
}

void worker_timer(struct engine *engine, struct worker *worker)
{
    int64_t silent_since = worker->heartbeat_us + lease_us(engine);

    heap_remove(&engine->worker_timers, &worker->timer);
    if (silent_since > engine->now_us) {
        arm(engine, worker, silent_since);
        return;
    }
    if (worker->stream) {
        effect_now(engine, ENGINE_CLOSE_STREAM, ENGINE_NO_SHARD)->take.stream = worker->stream;
        detach(engine, worker);
        heap_remove(&engine->worker_timers, &worker->timer);
    }
    lose_leases(worker, "no heartbeat");
    if (worker->leases == 0 &&
        worker->heartbeat_us + WORKER_FORGET_MS * US_PER_MS <= engine->now_us)
        worker_free(engine, worker);
    else
        arm(engine, worker,
            MAX_OF(worker->heartbeat_us + WORKER_FORGET_MS * US_PER_MS,
                   engine->now_us + lease_us(engine)));
}

void shard_grace_over(struct shard *shard)
{
    LIST_EACH(&shard->sessions, node)
    {
        struct session *session = LIST_ENTRY(node, struct session, of_shard);

        LIST_EACH(&session->leases, inner)
        {
            struct lease *lease = LIST_ENTRY(inner, struct lease, of_session);

            if (lease->orphan)
                attempt_lost(lease->task, "worker did not come back");
        }
    }
}

static void stale(struct engine *engine, const struct engine_held *held,
                  const struct engine_held_entry *entry)
{
    struct engine_effect *effect = effect_new(engine, ENGINE_STALE, held->shard);

    effect->answer.stream = held->stream;
    effect->answer.task = entry->task;
    effect->answer.attempt = entry->attempt;
    effect->answer.token = slice_copy(&engine->gather, entry->token);
    engine->stats.stale++;
}

static void held_unknown(struct shard *shard, const struct engine_held *held,
                         const struct engine_held_entry *entry, const struct worker *worker)
{
    struct lookup *lookup;

    if (entry->token.len > ENGINE_TOKEN_BYTES_MAX)
        return;
    lookup = lookup_new(shard, LOOKUP_HELD, &entry->task);
    if (!lookup)
        return;
    lookup->stream = held->stream;
    lookup->worker = worker->id;
    lookup->attempt = entry->attempt;
    lookup->token_len = entry->token.len;
    memcpy(lookup->token, entry->token.data, entry->token.len);
}

static void held_entry(struct session *session, const struct engine_held *held,
                       const struct engine_held_entry *entry)
{
    struct shard *shard = session->shard;
    struct worker *worker = session->worker;
    struct task *task = task_find(shard, &entry->task);
    struct lease *lease = task ? task->lease : NULL;

    if (!task) {
        held_unknown(shard, held, entry, worker);
        return;
    }
    if (!lease || lease->entry.attempt != entry->attempt || lease->session != session) {
        /* What it has finished and we have recorded is answered when it sends the result. */
        if (!(task->closed_by_report && task->attempt == entry->attempt &&
              id_eq(&task->worker, &worker->id)))
            stale(shard->engine, held, entry);
        return;
    }
    if (entry->gone) {
        attempt_lost(task, "worker lost its work");
        return;
    }
    lease->held_mark = session->held_mark;
    if (lease->orphan) {
        lease->orphan = false;
        shard->orphans--;
    }
    if (task->cancel_requested)
        attempt_stop(task, task->more->cancel.reason);
    else if (task->timed_out)
        attempt_stop(task, "attempt timeout");
}

void worker_held(struct engine *engine, const struct engine_held *held)
{
    struct worker *worker = worker_beat(engine, held->stream);
    struct shard *shard = held->shard < SHARDS_MAX ? engine->shards[held->shard] : NULL;
    struct session *session;

    if (!worker || !shard || !shard->open || held->epoch != shard->epoch)
        return;
    if (held->floor > shard->epoch) {
        effect_now(engine, ENGINE_SHARD_LOST, shard->number)->take =
            (struct engine_take){.shard = shard->number, .epoch = held->floor};
        return;
    }
    session = session_get(worker, shard);
    /* The list of a stream that is dead says nothing of the process that lives now. */
    if (session->stream != held->stream || held->floor)
        return;
    if (!session->collecting || session->nonce != held->nonce) {
        session->state = SESSION_TAKING;
        session->collecting = true;
        session->nonce = held->nonce;
        session->held_mark = ++engine->mark_next;
    }
    for (uint32_t i = 0; i < held->entries_len; i++)
        held_entry(session, held, &held->entries[i]);
    if (!held->end)
        return;
    session->collecting = false;
    LIST_EACH(&session->leases, node)
    {
        struct lease *lease = LIST_ENTRY(node, struct lease, of_session);

        if (lease->held_mark != session->held_mark)
            attempt_void(lease->task, "never reached its worker");
    }
    session->state = SESSION_LIVE;
    worker_match(worker);
}

void worker_credit(struct engine *engine, const struct engine_credit *credit)
{
    struct worker *worker = worker_beat(engine, credit->stream);

    if (!worker)
        return;
    worker->credit =
        (uint32_t)MIN_OF((uint64_t)worker->credit + credit->add, (uint64_t)ENGINE_CREDIT_MAX);
    worker_set_idle(worker);
    worker_match(worker);
}

void worker_declined(struct engine *engine, const struct engine_declined *declined)
{
    struct worker *worker = worker_beat(engine, declined->stream);

    for (uint32_t i = 0; worker && i < declined->entries_len; i++) {
        const struct engine_held_entry *entry = &declined->entries[i];
        struct shard *shard = shard_of(engine, &entry->task);
        struct task *task = shard ? task_find(shard, &entry->task) : NULL;

        if (task && task->lease && task->lease->entry.attempt == entry->attempt &&
            task->lease->session->worker == worker)
            attempt_void(task,
                         declined->reason && declined->reason[0] ? declined->reason : "declined");
    }
}

void worker_progress(struct engine *engine, const struct engine_progress *progress)
{
    struct worker *worker = worker_beat(engine, progress->stream);
    struct shard *shard = shard_of(engine, &progress->task);
    struct task *task = worker && shard ? task_find(shard, &progress->task) : NULL;
    struct task_more *more;

    if (!task || !task->lease || task->lease->entry.attempt != progress->attempt ||
        task->lease->session->worker != worker)
        return;
    /* The timer is lazy: only the first beat sets it, later ones it finds when it comes. */
    if (!task->lease->beat_us) {
        task->lease->beat_us = engine->now_us;
        task_arm(task);
    }
    task->lease->beat_us = engine->now_us;
    more = task_more(task);
    more->progress = progress->progress >= 0 && progress->progress <= 1 ? progress->progress : 0;
    free(more->progress_message);
    more->progress_message = text_cut(progress->message, ENGINE_REASON_BYTES_MAX);
    task_notify(task);
}

static void view_fill(const struct worker *worker, struct engine_worker_view *view,
                      struct arena *arena)
{
    const char **types = ARENA_ARRAY(arena, const char *, worker->offers_len + 1);
    struct engine_label *labels = ARENA_ARRAY(arena, struct engine_label, worker->labels_len + 1);

    for (uint32_t i = 0; i < worker->offers_len; i++)
        types[i] = arena_strdup(arena, worker->offers[i].type->name);
    for (uint32_t i = 0; i < worker->labels_len; i++) {
        labels[i].key = arena_strdup(arena, worker->labels[i].key);
        labels[i].value = arena_strdup(arena, worker->labels[i].value);
    }
    *view = (struct engine_worker_view){
        .id = worker->id,
        .name = arena_strdup(arena, worker->name),
        .version = arena_strdup(arena, worker->version),
        .address = arena_strdup(arena, worker->address),
        .state = !worker->stream    ? ENGINE_WORKER_DISCONNECTED
                 : worker->draining ? ENGINE_WORKER_DRAINING
                                    : ENGINE_WORKER_CONNECTED,
        .types = types,
        .types_len = worker->offers_len,
        .labels = labels,
        .labels_len = worker->labels_len,
        .slots = worker->slots,
        .running = worker->leases,
        .resources = worker->resources,
        .used = worker->used,
        .connected_us = worker->connected_us,
        .heartbeat_us = worker->heartbeat_us,
    };
}

struct engine_worker_view *worker_views(struct engine *engine, const struct id *id,
                                        uint32_t *ret_len)
{
    struct engine_worker_view *views =
        ARENA_ARRAY(&engine->gather, struct engine_worker_view, engine->workers.used + 1);
    struct map_cursor cursor = {0};
    struct map_node *node;
    uint32_t len = 0;

    while ((node = map_walk(&engine->workers, &cursor))) {
        struct worker *worker = CONTAINER_OF(node, struct worker, by_id);

        if ((id_is_nil(id) || id_eq(id, &worker->id)) && worker->connected_us)
            view_fill(worker, &views[len++], &engine->gather);
    }
    *ret_len = len;
    return views;
}

void worker_drain(struct engine *engine, const struct engine_command *command)
{
    struct worker *worker = worker_find(engine, &command->worker.worker);
    struct engine_reply *reply;

    if (!worker || !worker->connected_us) {
        reply_error(engine, ENGINE_NO_SHARD, command->ticket, STATUS_NOT_FOUND, "WORKER_UNKNOWN",
                    "there is no such worker here");
        return;
    }
    if (worker->stream && !worker->draining) {
        worker->draining = true;
        worker_set_idle(worker);
        effect_now(engine, ENGINE_DRAIN, ENGINE_NO_SHARD)->take.stream = worker->stream;
    }
    reply = reply_new(engine, ENGINE_NO_SHARD, command->ticket, &worker->id);
    reply->workers = worker_views(engine, &worker->id, &reply->workers_len);
}
