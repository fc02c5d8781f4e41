/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on tasks that are not in memory: their row is asked for, then they are done. */
#include "internal.h"

struct lookup *lookup_new(struct shard *shard, enum lookup_kind kind, const struct id *id)
{
    struct engine *engine = shard->engine;
    struct engine_task_lookup *effect;
    struct lookup *lookup;
    struct read *read;

    if (engine->lookups >= LOOKUPS_MAX)
        return NULL;
    engine->lookups++;
    read = read_new(shard, READ_TASK_ROW);
    read->lookup = lookup = mem_zalloc(sizeof(*lookup));
    lookup->shard = shard;
    lookup->kind = kind;
    lookup->id = *id;
    effect = &effect_now(engine, ENGINE_TASK_LOOKUP, shard->number)->task_lookup;
    effect->read = read->number;
    effect->id = *id;
    return lookup;
}

void lookup_free(struct lookup *lookup)
{
    lookup->shard->engine->lookups--;
    free(lookup->actor);
    free(lookup->reason);
    free(lookup);
}

/* A repeat of a result, or a held lease, of a task that ended long ago or never was. */
static void answer_worker(const struct lookup *lookup, bool own_report)
{
    struct engine *engine = lookup->shard->engine;
    struct engine_effect *effect;

    if (own_report && lookup->kind == LOOKUP_HELD)
        return; /* answered when it sends the result */
    engine->stats.stale += own_report ? 0 : 1;
    engine->stats.duplicates += own_report ? 1 : 0;
    effect =
        effect_new(engine, own_report ? ENGINE_RESULT_ACK : ENGINE_STALE, id_shard(&lookup->id));
    effect->answer.stream = lookup->stream;
    effect->answer.task = lookup->id;
    effect->answer.attempt = lookup->attempt;
    effect->answer.token =
        slice_copy(&engine->gather, (struct slice){lookup->token, lookup->token_len});
}

static void answer_client(struct lookup *lookup, struct task *task)
{
    switch (lookup->kind) {
    case LOOKUP_CANCEL:
        client_cancel(task, lookup->ticket, lookup->actor, lookup->reason, lookup->deadline_us);
        break;
    case LOOKUP_FORCE:
        client_force(task, lookup->ticket, lookup->state, lookup->actor, lookup->reason);
        break;
    case LOOKUP_WATCH:
        client_watch_task(task, lookup->ticket);
        break;
    case LOOKUP_RESULT:
    case LOOKUP_HELD:
        answer_worker(lookup, task->closed_by_report && task->attempt == lookup->attempt &&
                                  id_eq(&task->worker, &lookup->worker));
        break;
    }
}

/* The row is terminal: it answers, and memory keeps nothing of it. */
static void answer_from_row(const struct lookup *lookup, const struct engine_task_row *row)
{
    struct engine *engine = lookup->shard->engine;
    struct engine_reply *reply;

    if (lookup->kind == LOOKUP_RESULT || lookup->kind == LOOKUP_HELD) {
        answer_worker(lookup, row->change.closed_by_report &&
                                  row->change.attempt == lookup->attempt &&
                                  id_eq(&row->change.worker, &lookup->worker));
        return;
    }
    if (lookup->kind != LOOKUP_WATCH) {
        reply_error(engine, id_shard(&lookup->id), lookup->ticket, STATUS_FAILED_PRECONDITION,
                    "WRONG_STATE", "the task is already finished");
        return;
    }
    reply = reply_new(engine, id_shard(&lookup->id), lookup->ticket, &lookup->id);
    reply->not_in_memory = true;
}

void lookup_answer(struct engine *engine, const struct engine_task_answer *answer)
{
    struct read *read = read_find(engine, answer->read);
    const struct engine_task_row *row = answer->row;
    struct lookup *lookup;
    struct shard *shard;
    struct task *task;

    if (!read || read->kind != READ_TASK_ROW)
        return;
    lookup = read->lookup;
    shard = read->shard;
    read_free(read);
    task = task_find(shard, &lookup->id);
    if (!task && row && !engine_task_state_is_terminal(row->change.state)) {
        /* It is away: its operation is done in memory, where it stays until that is durable. */
        task = task_from_row(shard, row);
        task_enter(task);
        list_remove(&task->age);
        task_restore(task, task->due_us <= engine->now_us         ? ENGINE_TASK_READY
                           : task->failures > 0 || task->lost > 0 ? ENGINE_TASK_RETRYING
                                                                  : ENGINE_TASK_PENDING);
        task->away = task->state == ENGINE_TASK_READY ? AWAY_READY : AWAY_DUE;
        task->seq = shard->seq;
        list_push(&shard->away, &task->age);
    }
    if (task)
        answer_client(lookup, task);
    else if (row)
        answer_from_row(lookup, row);
    else if (lookup->kind == LOOKUP_RESULT || lookup->kind == LOOKUP_HELD)
        answer_worker(lookup, false);
    else
        reply_error(engine, shard->number, lookup->ticket, STATUS_NOT_FOUND, "TASK_UNKNOWN",
                    "there is no such task");
    lookup_free(lookup);
    shard_evict(shard);
}
