/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker says. */
#include <stdio.h>
#include <unistd.h>
#include "exec/executor.h"
#include "exec/sandbox.h"
#include "log/log.h"
#include "session/internal.h"

#define NAME_BYTES 129
#define CREDIT_STEP_SHARE                                                                          \
    4 /* credits go out when at least 1/4 of the window may be given, or none is left */

bool stream_send(struct stream *stream, Plankton__V1__WorkerMessage *message)
{
    return stream->call && rpc_call_send(stream->call->call, &message->base) == STATUS_OK;
}

/* ---- hello ---- */

struct labels {
    Plankton__V1__Hello__LabelsEntry entries[LABELS_MAX];
    Plankton__V1__Hello__LabelsEntry *pointers[LABELS_MAX];
    size_t count;
};

static void labels_add(struct labels *labels, char *key, const char *value)
{
    if (labels->count == LABELS_MAX)
        return;
    Plankton__V1__Hello__LabelsEntry *entry = &labels->entries[labels->count];
    plankton__v1__hello__labels_entry__init(entry);
    entry->key = key;
    entry->value = (char *)value;
    labels->pointers[labels->count++] = entry;
}

/* key=value,key=value: checked when the program starts. */
static void labels_parse(struct labels *labels, const char *text, struct arena *arena)
{
    char *rest = arena_strdup(arena, text);

    for (char *item; (item = strsep(&rest, ","));) {
        char *value = strchr(item, '=');
        if (!value)
            continue;
        *value = '\0';
        labels_add(labels, item, value + 1);
    }
}

bool stream_send_hello(struct stream *stream)
{
    struct session *session = stream->session;
    const struct worker *worker = session->worker;
    bool drops_user = executor_drops_user(worker->executor);
    Plankton__V1__WorkerMessage message = PLANKTON__V1__WORKER_MESSAGE__INIT;
    Plankton__V1__Hello hello = PLANKTON__V1__HELLO__INIT;
    struct labels labels = {.count = 0};
    char name[NAME_BYTES] = "", *types[16], memory[24];
    Plankton__V1__Resources resources = PLANKTON__V1__RESOURCES__INIT;

    if (worker->settings->name)
        snprintf(name, sizeof name, "%s", worker->settings->name);
    else
        (void)gethostname(name, sizeof name - 1);
    for (unsigned i = 0; i < task_types_count; i++)
        types[i] = (char *)task_types[i]->name;
    labels_add(&labels, "sandbox", "standard");
    labels_add(&labels, "sandbox.have", sandbox_have(drops_user));
    labels_add(&labels, "sandbox.missing", sandbox_missing(drops_user));
    labels_parse(&labels, worker->settings->labels, &session->scratch);
    hello.protocol = PROTOCOL_VERSION;
    hello.worker_id = (char *)worker->dir.worker_id;
    hello.name = name;
    hello.version = PLANKTON_VERSION;
    hello.n_task_types = task_types_count;
    hello.task_types = types;
    hello.n_labels = labels.count;
    hello.labels = labels.pointers;
    hello.slots = (uint32_t)worker->settings->slots;
    resources.cpu =
        (double)(worker->settings->cpu ? worker->settings->cpu : sysconf(_SC_NPROCESSORS_ONLN));
    resources.gpu = (double)worker->settings->gpu;
    snprintf(memory, sizeof memory, "%lld",
             (long long)(worker->settings->memory_bytes
                             ? worker->settings->memory_bytes
                             : (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
    resources.memory = memory;
    hello.resources = &resources;
    message.body_case = PLANKTON__V1__WORKER_MESSAGE__BODY_HELLO;
    message.hello = &hello;
    bool sent = stream_send(stream, &message);
    arena_reset(&session->scratch);
    return sent;
}

/* ---- held ---- */

bool stream_send_refusal(struct stream *stream, const struct shard *shard, uint32_t epoch)
{
    Plankton__V1__WorkerMessage message = PLANKTON__V1__WORKER_MESSAGE__INIT;
    Plankton__V1__Held held = PLANKTON__V1__HELD__INIT;

    held.shard = shard->number;
    held.epoch = epoch;
    held.floor = shard->floor;
    held.end = true;
    message.body_case = PLANKTON__V1__WORKER_MESSAGE__BODY_HELD;
    message.held = &held;
    return stream_send(stream, &message);
}

/* The attempts that died with an earlier process go first, so that none of them is taken for one
 * that never arrived. */
static bool send_gone(struct stream *stream, struct shard *shard,
                      Plankton__V1__WorkerMessage *message, ProtobufCBinaryData *tokens)
{
    Plankton__V1__Held *held = message->held;
    size_t n = 0;

    LIST_EACH(&shard->gone, node)
    {
        struct gone *gone = LIST_ENTRY(node, struct gone, node);
        gone->reported_nonce = shard->nonce;
        tokens[n++] = (ProtobufCBinaryData){gone->entry->token_len, gone->entry->token};
        if (n < HELD_PER_MESSAGE && node_next != &shard->gone)
            continue;
        held->gone = tokens;
        held->n_gone = n;
        held->end = node_next == &shard->gone && shard->held_count == 0;
        if (!stream_send(stream, message))
            return false;
        n = 0;
    }
    held->n_gone = 0;
    return true;
}

bool stream_send_held(struct stream *stream, struct shard *shard, uint32_t epoch)
{
    Plankton__V1__WorkerMessage message = PLANKTON__V1__WORKER_MESSAGE__INIT;
    Plankton__V1__Held held = PLANKTON__V1__HELD__INIT;
    struct arena *arena = &stream->session->scratch;
    ProtobufCBinaryData *tokens = ARENA_ARRAY(arena, ProtobufCBinaryData, HELD_PER_MESSAGE);
    size_t n = 0;

    held.shard = shard->number;
    held.epoch = epoch;
    held.nonce = shard->nonce;
    message.body_case = PLANKTON__V1__WORKER_MESSAGE__BODY_HELD;
    message.held = &held;
    bool sent = send_gone(stream, shard, &message, tokens);
    held.tokens = tokens;
    LIST_EACH(&shard->held, node)
    {
        struct attempt *attempt = LIST_ENTRY(node, struct attempt, held_node);
        tokens[n++] = (ProtobufCBinaryData){attempt->token_len, attempt->token};
        if (n < HELD_PER_MESSAGE)
            continue;
        held.n_tokens = n;
        held.end = node_next == &shard->held;
        sent = sent && stream_send(stream, &message);
        n = 0;
    }
    if (sent && !held.end) {
        held.n_tokens = n;
        held.end = true;
        sent = stream_send(stream, &message);
    }
    arena_reset(arena);
    return sent;
}

bool stream_send_declined(struct stream *stream, ProtobufCBinaryData *tokens, size_t n,
                          const char *reason)
{
    Plankton__V1__WorkerMessage message = PLANKTON__V1__WORKER_MESSAGE__INIT;
    Plankton__V1__Declined declined = PLANKTON__V1__DECLINED__INIT;

    declined.tokens = tokens;
    declined.n_tokens = n;
    declined.reason = (char *)reason;
    message.body_case = PLANKTON__V1__WORKER_MESSAGE__BODY_DECLINED;
    message.declined = &declined;
    return stream_send(stream, &message);
}

/* Draining: what has not begun goes to other workers. */
void stream_send_queued_back(struct stream *stream)
{
    struct pool *pool = stream->session->worker->pool;
    ProtobufCBinaryData token;
    struct attempt *attempt;

    while ((attempt = pool_take_queued(pool))) {
        token = (ProtobufCBinaryData){attempt->token_len, attempt->token};
        if (attempt->shard->uplink == &stream->uplink)
            (void)stream_send_declined(stream, &token, 1, "this worker is draining");
        pool_decline(pool, attempt);
    }
}

/* ---- results ---- */

/* From the disk: a result of an earlier process, or one that was too large to stay in memory. */
static bool result_read(struct session *session, const struct attempt *attempt,
                        Plankton__V1__Result **ret)
{
    struct error err = {0};
    ProtobufCMessage *message = NULL;
    struct buf packed;

    buf_init(&packed, SEGMENT_RECORD_BYTES_MAX);
    enum status st = journal_read_result(session->worker->journal, attempt->entry, &packed, &err);
    if (st == STATUS_OK)
        st = rpc_unpack(&plankton__v1__result__descriptor, buf_slice(&packed), false,
                        &session->scratch, &message, &err);
    if (st == STATUS_OK)
        *ret = (Plankton__V1__Result *)message;
    else
        log_error("journal.unreadable", LOG_ID("task", &attempt->task), LOG_ERR(&err));
    buf_fini(&packed);
    return st == STATUS_OK;
}

static void result_build(struct session *session, const struct attempt *attempt, size_t place)
{
    struct result_parts *parts = &session->parts[place];

    plankton__v1__result__init(&parts->result);
    plankton__v1__json__init(&parts->output);
    plankton__v1__json__init(&parts->details);
    plankton__v1__failure__init(&parts->failure);
    session->results[place] = &parts->result;
    if (!attempt->in_journal_only) {
        attempt_result(attempt, &parts->result, &parts->output, &parts->failure, &parts->details);
        return;
    }
    if (result_read(session, attempt, &session->results[place]))
        return;
    /* The outcome is lost with the disk; the attempt must end all the same. */
    parts->result.token = (ProtobufCBinaryData){attempt->token_len, (uint8_t *)attempt->token};
    parts->failure.code = "WORKER_DISK";
    parts->failure.message = "the worker's disk has lost the result";
    parts->result.outcome_case = PLANKTON__V1__RESULT__OUTCOME_FAILURE;
    parts->result.failure = &parts->failure;
}

/* One message; how many results it took from the outbox. */
static size_t send_some_results(struct stream *stream)
{
    struct session *session = stream->session;
    Plankton__V1__WorkerMessage message = PLANKTON__V1__WORKER_MESSAGE__INIT;
    Plankton__V1__Results results = PLANKTON__V1__RESULTS__INIT;
    size_t n = 0, bytes = 0;

    LIST_EACH(&stream->uplink.outbox, node)
    {
        struct attempt *attempt = LIST_ENTRY(node, struct attempt, state_node);
        size_t size = attempt->in_journal_only ? attempt->entry->result.len : attempt->output.len;
        if (n == RESULTS_PER_MESSAGE || (n && bytes + size > RESULT_BYTES_PER_MESSAGE))
            break;
        result_build(session, attempt, n);
        session->attempts[n++] = attempt;
        bytes += size;
    }
    if (n == 0)
        return 0;
    results.results = session->results;
    results.n_results = n;
    message.body_case = PLANKTON__V1__WORKER_MESSAGE__BODY_RESULTS;
    message.results = &results;
    bool sent = stream_send(stream, &message);
    if (session->scratch.used_bytes)
        arena_reset(&session->scratch);
    for (size_t i = 0; sent && i < n; i++)
        pool_sent(session->worker->pool, session->attempts[i]);
    return sent ? n : 0;
}

void stream_send_results(struct stream *stream)
{
    while (stream->call && rpc_call_writable(stream->call->call)) {
        if (send_some_results(stream) == 0)
            return;
    }
}

/* ---- credits and heartbeats ---- */

void stream_send_credit(struct stream *stream)
{
    struct pool *pool = stream->session->worker->pool;
    size_t window = pool_window(pool), taken = pool_unfinished(pool) + stream->credit;
    Plankton__V1__WorkerMessage message = PLANKTON__V1__WORKER_MESSAGE__INIT;
    Plankton__V1__Credit credit = PLANKTON__V1__CREDIT__INIT;

    if (window <= taken ||
        (stream->credit > 0 && window - taken < MAX_OF(window / CREDIT_STEP_SHARE, 1)))
        return;
    credit.add = (uint32_t)(window - taken);
    message.body_case = PLANKTON__V1__WORKER_MESSAGE__BODY_CREDIT;
    message.credit = &credit;
    if (stream_send(stream, &message))
        stream->credit += credit.add;
}

struct progress_list {
    struct arena *arena;
    Plankton__V1__Progress **entries;
    size_t count, cap;
};

static void progress_add(struct attempt *attempt, void *userdata)
{
    struct progress_list *list = userdata;

    if (list->count == list->cap)
        return; /* the next heartbeat tells the rest */
    Plankton__V1__Progress *progress = ARENA_NEW(list->arena, Plankton__V1__Progress);
    plankton__v1__progress__init(progress);
    progress->token = (ProtobufCBinaryData){attempt->token_len, attempt->token};
    progress->progress = attempt->progress;
    progress->message = (char *)(attempt->progress_message ? attempt->progress_message : "");
    list->entries[list->count++] = progress;
}

/* What died with an earlier process was told in a session that has lasted: the owner has recorded
 * it. */
static void forget_told_gone(struct session *session)
{
    struct pool *pool = session->worker->pool;
    uint64_t now = clock_monotonic_us(),
             kept_us = (uint64_t)session->worker->settings->gone_ms * 1000;
    struct map_cursor cursor = {0};

    for (struct map_node *node; (node = map_walk(&pool_shards(pool)->map, &cursor));) {
        struct shard *shard = CONTAINER_OF(node, struct shard, node);
        if (shard->gone_count == 0 || shard->nonce == 0 || now - shard->opened_us < kept_us)
            continue;
        LIST_EACH(&shard->gone, entry)
        {
            struct gone *gone = LIST_ENTRY(entry, struct gone, node);
            if (gone->reported_nonce == shard->nonce)
                pool_forget_gone(pool, shard, gone);
        }
    }
}

void stream_send_heartbeat(struct stream *stream)
{
    struct session *session = stream->session;
    Plankton__V1__WorkerMessage message = PLANKTON__V1__WORKER_MESSAGE__INIT;
    Plankton__V1__Heartbeat heartbeat = PLANKTON__V1__HEARTBEAT__INIT;
    struct progress_list list = {.arena = &session->scratch,
                                 .cap = (size_t)session->worker->settings->slots};

    list.entries = ARENA_ARRAY(list.arena, Plankton__V1__Progress *, list.cap);
    pool_progress(session->worker->pool, progress_add, &list);
    heartbeat.progress = list.entries;
    heartbeat.n_progress = list.count;
    heartbeat.running = (uint32_t)pool_running(session->worker->pool);
    message.body_case = PLANKTON__V1__WORKER_MESSAGE__BODY_HEARTBEAT;
    message.heartbeat = &heartbeat;
    if (!stream_send(stream, &message) && stream->call)
        rpc_call_cancel(stream->call->call);
    arena_reset(&session->scratch);
    forget_told_gone(session);
}
