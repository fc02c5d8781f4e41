/* SPDX-License-Identifier: Apache-2.0 */
/* Queues as their operators see them: pause and resume, limits, and live counts. */
#include "internal.h"

/* The queue's name ends at the first slash of a parked row's; it has none itself. */
static struct queue *queue_of_parked(struct shard *shard, const struct engine_queue_name *name)
{
    const char *slash = strchr(name->queue, '/');
    size_t len = slash ? (size_t)(slash - name->queue) : 0;
    char text[ENGINE_QUEUE_BYTES_MAX + 1];

    if (!slash || len >= sizeof(text))
        return NULL;
    memcpy(text, name->queue, len);
    text[len] = '\0';
    return queue_get(shard, name->namespace_id, text);
}

void queue_load_parked(struct shard *shard, const struct engine_queue_name *name,
                       enum engine_parked_reason reason)
{
    struct queue *queue = queue_of_parked(shard, name);

    if (!queue)
        return;
    if (reason == ENGINE_PARKED_READY)
        queue->disk_ready += name->parked;
    else
        queue->disk_due += name->parked;
}

void queue_count_disk(struct queue *queue, enum engine_parked_reason reason, int change)
{
    uint64_t *count = reason == ENGINE_PARKED_READY ? &queue->disk_ready : &queue->disk_due;

    if (change > 0)
        ++*count;
    else if (*count > 0)
        --*count;
}

static struct queue_setting *setting_get(struct queue *queue)
{
    struct queue_setting *setting = queue->setting;

    if (setting)
        return setting;
    queue->setting = setting = mem_zalloc(sizeof(*setting));
    setting->queue = queue;
    setting->actor = mem_zalloc(1);
    setting->reason = mem_zalloc(1);
    queue->shard->settings++;
    return setting;
}

void queue_setting_free(struct queue *queue)
{
    struct queue_setting *setting = queue->setting;

    if (!setting)
        return;
    list_remove(&setting->dirty);
    gate_of_queue_free(setting->rate);
    free(setting->actor);
    free(setting->reason);
    free(setting);
    queue->setting = NULL;
    queue->shard->settings--;
}

static void set_pause(struct queue_setting *setting, int64_t at_us, const char *actor,
                      const char *reason)
{
    free(setting->actor);
    free(setting->reason);
    setting->paused_us = at_us;
    setting->actor = text_cut(actor, ENGINE_REASON_BYTES_MAX);
    setting->reason = text_cut(reason, ENGINE_REASON_BYTES_MAX);
}

static void set_limits(struct queue_setting *setting, uint32_t concurrency,
                       const struct engine_rate *rate)
{
    setting->concurrency = concurrency;
    gate_of_queue_free(setting->rate);
    setting->rate = rate->limit ? gate_of_queue(setting->queue, rate) : NULL;
}

void queue_load_setting(struct shard *shard, const struct engine_queue_row *row)
{
    struct queue_setting *setting = setting_get(queue_get(shard, row->namespace_id, row->name));

    set_pause(setting, row->paused_us, row->actor, row->reason);
    set_limits(setting, row->concurrency, &row->rate);
}

void queue_row_fill(const struct queue_setting *setting, struct engine_queue_row *row,
                    struct arena *arena)
{
    *row = (struct engine_queue_row){.namespace_id = setting->queue->namespace_id,
                                     .name = arena_strdup(arena, setting->queue->name),
                                     .paused_us = setting->paused_us,
                                     .actor = arena_strdup(arena, setting->actor),
                                     .reason = arena_strdup(arena, setting->reason),
                                     .concurrency = setting->concurrency,
                                     .rate.key = ""};
    if (setting->rate) {
        row->rate.limit = setting->rate->limit;
        row->rate.per_ms = setting->rate->per_us / US_PER_MS;
        row->rate.units = 1;
    }
}

static void changed(struct queue *queue, enum engine_event_kind kind, const char *actor,
                    const char *reason)
{
    struct shard *shard = queue->shard;
    struct arena *arena = &shard->engine->gather;
    struct engine_event *event = event_new(shard, kind);

    /* Events are kept by an id that has their time; a queue has none, so this one gets its own. */
    event->task =
        id_make((uint64_t)(shard->engine->now_us / US_PER_MS), shard->number,
                hash_keyed(event->number, shard->epoch, queue->name, strlen(queue->name)));
    event->namespace_id = queue->namespace_id;
    event->type = arena_strdup(arena, queue->name);
    event->actor = arena_strdup(arena, actor);
    event->reason = arena_strdup(arena, reason);
    if (!list_linked(&queue->setting->dirty))
        list_push(&shard->dirty_queues, &queue->setting->dirty);
    queue_shown(queue);
    queue_match(queue);
}

/* A bucket that stays is not filled anew by saying the same again. */
static void limit(struct queue *queue, const struct engine_command *command)
{
    const struct engine_queue_command *ask = &command->queue;
    const struct gate *rate = queue->setting ? queue->setting->rate : NULL;
    bool same_rate =
        rate ? rate->limit == ask->rate.limit && rate->per_us == ask->rate.per_ms * US_PER_MS
             : !ask->rate.limit;
    struct queue_setting *setting;

    if (same_rate && ask->concurrency == (queue->setting ? queue->setting->concurrency : 0))
        return;
    setting = setting_get(queue);
    setting->concurrency = ask->concurrency;
    if (!same_rate)
        set_limits(setting, ask->concurrency, &ask->rate);
    changed(queue, ENGINE_EVENT_QUEUE_CHANGED, ask->actor, ask->reason);
}

static void pause_or_resume(struct queue *queue, const struct engine_command *command)
{
    const struct engine_queue_command *ask = &command->queue;
    bool pause = command->kind == ENGINE_PAUSE_QUEUE;
    struct queue_setting *setting;

    if (!pause && !(queue->setting && queue->setting->paused_us))
        return;
    setting = setting_get(queue);
    if (pause && setting->paused_us && str_eq(setting->reason, ask->reason))
        return;
    set_pause(setting, pause ? queue->shard->engine->now_us : 0, pause ? ask->actor : "",
              pause ? ask->reason : "");
    changed(queue, pause ? ENGINE_EVENT_QUEUE_PAUSED : ENGINE_EVENT_QUEUE_RESUMED, ask->actor,
            ask->reason);
}

/* Of the tasks that are next in turn: within the steps of priority it is the oldest of all. */
static int64_t oldest_us(const struct queue *queue)
{
    int64_t oldest = 0;

    LIST_EACH(&queue->lanes, node)
    {
        const struct lane *lane = LIST_ENTRY(node, struct lane, of_queue);
        const struct task *top = lane_top(lane);

        oldest = oldest ? MIN_OF(oldest, top->created_us) : top->created_us;
    }
    return oldest;
}

static void view_fill(const struct queue *queue, struct engine_queue_view *view,
                      struct arena *arena)
{
    view->row = (struct engine_queue_row){.namespace_id = queue->namespace_id,
                                          .name = arena_strdup(arena, queue->name),
                                          .actor = "",
                                          .reason = "",
                                          .rate.key = ""};
    if (queue->setting)
        queue_row_fill(queue->setting, &view->row, arena);
    view->ready = queue->by_state[ENGINE_TASK_READY] + queue->disk_ready;
    view->running = queue->by_state[ENGINE_TASK_RUNNING];
    view->delayed = (uint64_t)queue->by_state[ENGINE_TASK_PENDING] +
                    queue->by_state[ENGINE_TASK_RETRYING] + queue->disk_due;
    view->oldest_us = oldest_us(queue);
}

static int by_name(const void *a, const void *b)
{
    const struct engine_queue_view *x = a, *y = b;

    return strcmp(x->row.name, y->row.name);
}

static void list_queues(struct shard *shard, uint32_t namespace_id, struct engine_reply *reply)
{
    struct arena *arena = &shard->engine->gather;
    struct engine_queue_view *views =
        ARENA_ARRAY(arena, struct engine_queue_view, shard->queues.used + 1);
    struct map_cursor cursor = {0};
    struct map_node *node;

    while ((node = map_walk(&shard->queues, &cursor))) {
        const struct queue *queue = CONTAINER_OF(node, struct queue, by_name);

        if (queue->namespace_id == namespace_id)
            view_fill(queue, &views[reply->queues_len++], arena);
    }
    qsort(views, reply->queues_len, sizeof(*views), by_name);
    reply->queues = views;
}

static struct queue *queue_or_refuse(struct shard *shard, const struct engine_command *command)
{
    const struct engine_queue_command *ask = &command->queue;
    struct queue *queue = queue_find(shard, ask->namespace_id, ask->queue);

    if (command->kind == ENGINE_READ_QUEUES) {
        if (!queue)
            reply_error(shard->engine, shard->number, command->ticket, STATUS_NOT_FOUND,
                        "QUEUE_UNKNOWN", "nothing waits in this queue and nothing was set for it");
        return queue;
    }
    if (queue && queue->setting)
        return queue;
    if (shard->settings >= ENGINE_QUEUES_MAX) {
        reply_error(shard->engine, shard->number, command->ticket, STATUS_RESOURCE_EXHAUSTED,
                    "QUEUES_MAX", "too many queues have settings of their own");
        return NULL;
    }
    return queue_get(shard, ask->namespace_id, ask->queue);
}

void queue_apply(struct engine *engine, const struct engine_command *command)
{
    const struct engine_queue_command *ask = &command->queue;
    struct shard *shard = ask->shard < SHARDS_MAX ? engine->shards[ask->shard] : NULL;
    struct engine_reply *reply;
    struct engine_queue_view *view;
    struct queue *queue;

    if (!shard || !shard->open) {
        reply_now(engine, command->ticket, STATUS_UNAVAILABLE, "NOT_OWNER",
                  "this controller does not own the shard");
        return;
    }
    if (command->kind == ENGINE_READ_QUEUES && !ask->queue[0]) {
        list_queues(shard, ask->namespace_id,
                    reply_new(engine, shard->number, command->ticket, NULL));
        return;
    }
    queue = queue_or_refuse(shard, command);
    if (!queue)
        return;
    if (command->kind == ENGINE_LIMIT_QUEUE)
        limit(queue, command);
    else if (command->kind != ENGINE_READ_QUEUES)
        pause_or_resume(queue, command);
    reply = reply_new(engine, shard->number, command->ticket, NULL);
    view = ARENA_NEW(&engine->gather, struct engine_queue_view);
    view_fill(queue, view, &engine->gather);
    reply->queues = view;
    reply->queues_len = 1;
    queue_release_unused(queue);
}
