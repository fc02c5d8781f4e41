/* SPDX-License-Identifier: Apache-2.0 */
/* Effects and events: gathered in order, in the arena that leaves with the next cut. */
#include "internal.h"

static void effect_append(struct engine_effect ***end, struct engine_effect *effect)
{
    **end = effect;
    *end = &effect->next;
}

struct engine_effect *effect_new(struct engine *engine, enum engine_effect_kind kind,
                                 uint16_t shard)
{
    struct engine_effect *effect = ARENA_NEW(&engine->gather, struct engine_effect);

    effect->kind = kind;
    effect->shard = shard;
    effect_append(&engine->effects_end, effect);
    engine->effects_len++;
    return effect;
}

struct engine_effect *effect_now(struct engine *engine, enum engine_effect_kind kind,
                                 uint16_t shard)
{
    struct engine_effect *effect = ARENA_NEW(&engine->urgent, struct engine_effect);

    effect->kind = kind;
    effect->shard = shard;
    effect_append(&engine->immediate_end, effect);
    return effect;
}

static void reply_fill(struct engine_reply *reply, uint64_t ticket, enum status status,
                       const char *reason, const char *message)
{
    reply->ticket = ticket;
    reply->status = status;
    reply->reason = reason;
    reply->message = message;
}

struct engine_reply *reply_new(struct engine *engine, uint16_t shard, uint64_t ticket,
                               const struct id *id)
{
    struct engine_reply *reply;

    if (ticket)
        reply = &effect_new(engine, ENGINE_REPLY, shard)->reply;
    else
        reply = ARENA_NEW(&engine->gather, struct engine_reply);
    reply_fill(reply, ticket, STATUS_OK, "", "");
    if (id)
        reply->id = *id;
    return reply;
}

void reply_error(struct engine *engine, uint16_t shard, uint64_t ticket, enum status status,
                 const char *reason, const char *message)
{
    reply_fill(reply_new(engine, shard, ticket, NULL), ticket, status, reason, message);
}

void reply_now(struct engine *engine, uint64_t ticket, enum status status, const char *reason,
               const char *message)
{
    if (ticket)
        reply_fill(&effect_now(engine, ENGINE_REPLY, ENGINE_NO_SHARD)->reply, ticket, status,
                   reason, message);
}

/* What was not yet cut of a shard that is lost: replies become refusals, the rest is forgotten. */
void effects_drop_shard(struct engine *engine, uint16_t shard)
{
    struct engine_effect *effect = engine->effects;

    engine->effects = NULL;
    engine->effects_end = &engine->effects;
    engine->effects_len = 0;
    while (effect) {
        struct engine_effect *next = effect->next;

        effect->next = NULL;
        if (effect->shard != shard) {
            effect_append(&engine->effects_end, effect);
            engine->effects_len++;
        } else if (effect->kind == ENGINE_REPLY) {
            reply_now(engine, effect->reply.ticket, STATUS_UNAVAILABLE, "SHARD_DROPPED",
                      "the shard changed hands before the outcome was known");
        } else if (effect->kind == ENGINE_WATCH_END) {
            struct engine_effect *end = effect_now(engine, ENGINE_WATCH_END, ENGINE_NO_SHARD);

            end->watch.ticket = effect->watch.ticket;
            end->watch.status = STATUS_UNAVAILABLE;
        }
        effect = next;
    }
}

struct engine_event *event_new(struct shard *shard, enum engine_event_kind kind)
{
    struct event_node *node = ARENA_NEW(&shard->engine->gather, struct event_node);
    struct engine_event *event = &node->event;

    event->number = shard->event_next++;
    event->at_us = shard->engine->now_us;
    event->kind = kind;
    event->step = event->actor = event->reason = event->type = "";
    event->failure_code = event->failure_message = "";
    if (shard->events_last)
        shard->events_last->next = node;
    else
        shard->events = node;
    shard->events_last = node;
    shard->events_len++;
    shard_dirty(shard);
    return event;
}

/* The names of a lane, copied once for each batch. */
static void lane_copy_names(struct lane *lane, struct engine *engine)
{
    if (lane->cut == engine->cut_number)
        return;
    lane->cut = engine->cut_number;
    lane->cut_type = arena_strdup(&engine->gather, lane->type->name);
    lane->cut_queue = arena_strdup(&engine->gather, lane->queue->name);
    lane->cut_window = NULL;
}

const char *lane_type_name(struct lane *lane, struct engine *engine)
{
    lane_copy_names(lane, engine);
    return lane->cut_type;
}

const char *lane_queue_name(struct lane *lane, struct engine *engine)
{
    lane_copy_names(lane, engine);
    return lane->cut_queue;
}

const char *window_group(const struct window *window, struct arena *arena)
{
    return window->group ? arena_printf(arena, "%016llx", (unsigned long long)window->group) : "";
}

const char *window_name(const struct window *window, struct arena *arena)
{
    if (!window->group)
        return arena_printf(arena, "%s/%s", window->queue->name, window->type->name);
    return arena_printf(arena, "%s/%s/%s", window->queue->name, window->type->name,
                        window_group(window, arena));
}

const char *lane_window_name(struct lane *lane, struct engine *engine)
{
    lane_copy_names(lane, engine);
    if (!lane->cut_window)
        lane->cut_window = window_name(lane->window, &engine->gather);
    return lane->cut_window;
}

struct engine_event *event_of_task(struct task *task, enum engine_event_kind kind)
{
    struct engine *engine = task->shard->engine;
    struct engine_event *event = event_new(task->shard, kind);

    event->namespace_id = task->lane->queue->namespace_id;
    event->task = task->id;
    event->type = lane_type_name(task->lane, engine);
    event->state = task->state;
    event->due_us = task->state == ENGINE_TASK_RETRYING ? task->due_us : 0;
    if (task->run) {
        event->run = task->run->id;
        event->step = arena_strdup(&engine->gather, task->run->plan.plan->steps[task->step].id);
    }
    if (task->lease) {
        event->attempt = task->lease->entry.attempt;
        event->worker = task->lease->entry.worker;
    }
    if (task->more && task->more->failure_text && kind != ENGINE_EVENT_TASK_STARTED) {
        event->failure_code = arena_strdup(&engine->gather, task->more->failure.code);
        event->failure_message = arena_strdup(&engine->gather, task->more->failure.message);
    }
    return event;
}

struct engine_event *event_of_run(struct run *run, enum engine_event_kind kind)
{
    struct engine *engine = run->shard->engine;
    struct engine_event *event = event_new(run->shard, kind);

    event->namespace_id = run->namespace_id;
    event->run = run->id;
    event->type = arena_strdup(&engine->gather, run_plan_name(run));
    event->state = run->state;
    if (run->failure_text) {
        event->step = arena_strdup(&engine->gather, run->failure.step);
        event->failure_code = arena_strdup(&engine->gather, run->failure.code);
        event->failure_message = arena_strdup(&engine->gather, run->failure.message);
    }
    return event;
}

struct slice slice_copy(struct arena *arena, struct slice text)
{
    if (!text.len)
        return (struct slice){NULL, 0};
    return (struct slice){arena_memdup(arena, text.data, text.len), text.len};
}
