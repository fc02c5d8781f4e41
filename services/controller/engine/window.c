/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memory does not hold. Of each type a queue keeps its first window_tasks ready tasks; behind
 * that bound they are on disk only, found again through parked rows. Tasks due late are kept alike,
 * by time. A task that goes away, or ends, stays in memory until its row is durable and no read is
 * outstanding that began before that: so none is missed and none is doubled.
 */
#include "internal.h"
#include "base/planted.h"

static bool behind_bound(const struct window *window, int16_t priority, const struct id *id)
{
    int64_t rank, bound;

    if (!window->bounded)
        return false;
    if (window->bound_start)
        return true;
    rank = engine_rank(priority, id);
    bound = engine_rank(window->bound_priority, &window->bound_id);
    return rank != bound ? rank > bound : id_cmp(id, &window->bound_id) > 0;
}

static bool behind_due_bound(const struct shard *shard, int64_t due_us, const struct id *id)
{
    if (due_us != shard->due_bound_us)
        return due_us > shard->due_bound_us;
    return id_cmp(id, &shard->due_bound_id) > 0;
}

void task_park(struct task *task, enum engine_parked_reason reason)
{
    int64_t due_us = reason == ENGINE_PARKED_DUE ? task->due_us : 0;

    if (task->parked == reason && task->parked_due_us == due_us)
        return;
    task->parked = (uint8_t)reason;
    task->parked_due_us = due_us;
    task_dirty_parked(task);
}

void task_unpark(struct task *task)
{
    task->parked = 0;
    task->parked_due_us = 0;
    if (task->stored_parked)
        task_dirty_parked(task);
}

void run_unpark(struct run *run)
{
    run->parked = false;
    if (run->stored_parked)
        run_dirty(run);
}

static void go_away(struct task *task, enum away away)
{
    struct shard *shard = task->shard;

    assert(!task->run && !task->lease && !task->ready.place);
    task->away = (uint8_t)away;
    task_park(task, away == AWAY_READY ? ENGINE_PARKED_READY : ENGINE_PARKED_DUE);
    list_remove(&task->age);
    list_push(&shard->away, &task->age);
    task->seq = shard->seq + (list_linked(&task->dirty) ? 1 : 0);
}

static void come_back(struct task *task)
{
    assert(task->away);
    list_remove(&task->age);
    task->away = AWAY_NO;
}

void task_place(struct task *task)
{
    struct window *window = task->lane->window;

    if (task_is_withheld(task) || careful_holds_place(task) || planted("ready_forgotten"))
        return;
    if (!task->run && behind_bound(window, task->priority, &task->id)) {
        go_away(task, AWAY_READY);
        return;
    }
    lane_push(task);
    lane_match(task->lane);
    if (window->ready_len > window_most(window))
        window_trim(window);
}

bool task_place_due(struct task *task)
{
    struct shard *shard = task->shard;
    int64_t horizon_us = shard->engine->now_us + shard->engine->config.park_ms * US_PER_MS;

    if (task->run || task->due_us <= horizon_us ||
        !behind_due_bound(shard, task->due_us, &task->id))
        return false;
    shard->due_next_us = MIN_OF(shard->due_next_us, task->due_us);
    heap_remove(&shard->engine->task_timers, &task->timer);
    go_away(task, AWAY_DUE);
    return true;
}

/* Puts the `keep` best of the tasks into the first places. */
static void select_best(struct task **tasks, size_t len, size_t keep)
{
    size_t low = 0, high = len;

    while (high - low > 1 && keep > low && keep < high) {
        struct task *pivot = tasks[low + (high - 1 - low) / 2]; /* never the last */
        size_t i = low, k = high - 1;

        for (;;) {
            while (ready_before(tasks[i], pivot))
                i++;
            while (ready_before(pivot, tasks[k]))
                k--;
            if (i >= k)
                break;
            struct task *swap = tasks[i];

            tasks[i++] = tasks[k];
            tasks[k--] = swap;
        }
        if (keep > k)
            low = k + 1;
        else
            high = k + 1;
    }
}

/* Evicts a quarter of the window at once, so that a flood pays the selection once in a while. */
void window_trim(struct window *window)
{
    size_t len = 0, most = window_most(window);
    size_t keep = most - most / 4;
    struct task **tasks = mem_alloc(window->ready_len * sizeof(struct task *));
    struct task *last;

    LIST_EACH(&window->lanes, node)
    {
        struct heap *ready = &LIST_ENTRY(node, struct lane, of_window)->ready;

        for (size_t i = 0; i < ready->len; i++) {
            struct task *task = CONTAINER_OF(ready->nodes[i], struct task, ready);

            if (!task->run)
                tasks[len++] = task;
        }
    }
    assert(len == window->ready_len && keep > 0 && keep < len);
    select_best(tasks, len, keep);
    last = tasks[0];
    for (size_t i = 1; i < keep; i++) {
        if (ready_before(last, tasks[i]))
            last = tasks[i];
    }
    window->bounded = true;
    window->bound_start = false;
    window->bound_priority = last->priority;
    window->bound_id = last->id;
    for (size_t i = keep; i < len; i++) {
        lane_remove(tasks[i]);
        go_away(tasks[i], AWAY_READY);
    }
    free(tasks);
}

struct read *read_new(struct shard *shard, enum read_kind kind)
{
    struct read *read = mem_zalloc(sizeof(*read));

    read->number = ++shard->engine->read_next;
    read->kind = kind;
    read->shard = shard;
    read->durable_seq = shard->durable_seq;
    map_insert(&shard->engine->reads, &read->by_number, read->number);
    list_push(&shard->reads, &read->link);
    return read;
}

struct read *read_find(struct engine *engine, uint64_t number)
{
    struct map_node *node = map_first(&engine->reads, number);

    return node ? CONTAINER_OF(node, struct read, by_number) : NULL;
}

void read_free(struct read *read)
{
    map_remove(&read->shard->engine->reads, &read->by_number);
    list_remove(&read->link);
    free(read);
}

void window_refill(struct window *window)
{
    struct shard *shard = window->queue->shard;
    struct engine *engine = shard->engine;
    uint32_t most = window_most(window);
    struct engine_refill *refill;
    struct read *read;

    if (!window->bounded || window->refill_read || !shard->open || window->ready_len > most / 2)
        return;
    read = read_new(shard, READ_REFILL_READY);
    read->window = window;
    window->refill_read = read->number;
    refill = &effect_now(engine, ENGINE_REFILL, shard->number)->refill;
    refill->read = read->number;
    refill->shard = shard->number;
    refill->reason = ENGINE_PARKED_READY;
    refill->namespace_id = window->queue->namespace_id;
    refill->queue = window_name(window, &engine->urgent);
    refill->from_start = window->bound_start;
    refill->priority = window->bound_priority;
    refill->id = window->bound_id;
    refill->limit = MAX_OF(most / 2, 1u);
}

/* Cuts the part of a name up to the next slash; false when there is none or it is too long. */
static bool cut_part(const char **at, char *out, size_t out_bytes)
{
    const char *slash = strchr(*at, '/');
    size_t len = slash ? (size_t)(slash - *at) : 0;

    if (!slash || len >= out_bytes)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at = slash + 1;
    return true;
}

/* Sixteen lower-case hexadecimal digits, as window_name writes them; 0 when it is anything else. */
static uint64_t group_of(const char *text)
{
    static const char DIGITS[] = "0123456789abcdef";
    uint64_t group = 0;

    for (; *text; text++) {
        const char *digit = strchr(DIGITS, *text);

        if (!digit)
            return 0;
        group = group << 4 | (uint64_t)(digit - DIGITS);
    }
    return group;
}

/* The name is queue/type or queue/type/group, without a slash in the parts. One that has none is of
 * no task. */
void window_load(struct shard *shard, const struct engine_queue_name *name)
{
    char queue[ENGINE_QUEUE_BYTES_MAX + 1], type_text[ENGINE_TYPE_BYTES_MAX + 1];
    const char *at = name->queue, *rest;
    struct task_type *type;
    struct window *window;
    uint64_t group = 0;

    if (!cut_part(&at, queue, sizeof(queue)))
        return;
    rest = at;
    if (cut_part(&rest, type_text, sizeof(type_text))) {
        group = group_of(rest);
        at = type_text;
    }
    type = type_get(shard->engine, at);
    window = window_get(queue_get(shard, name->namespace_id, queue), type, group);
    type_release(shard->engine, type);
    window->bounded = window->bound_start = true;
}

void shard_refill_due(struct shard *shard)
{
    struct engine *engine = shard->engine;
    int64_t park_us = engine->config.park_ms * US_PER_MS;
    struct engine_refill *refill;
    struct read *read;

    if (!shard->open || shard->due_read || shard->due_next_us > engine->now_us + park_us)
        return;
    read = read_new(shard, READ_REFILL_DUE);
    read->until_us = engine->now_us + 2 * park_us;
    shard->due_read = read->number;
    refill = &effect_now(engine, ENGINE_REFILL, shard->number)->refill;
    refill->read = read->number;
    refill->shard = shard->number;
    refill->reason = ENGINE_PARKED_DUE;
    refill->queue = "";
    refill->after_us = shard->due_bound_us;
    refill->id = shard->due_bound_id;
    refill->until_us = read->until_us;
    refill->limit = REFILL_DUE_LIMIT;
}

/* A task read from disk that memory knows nothing of enters it; one that memory knows is newer. */
static void take_row(struct shard *shard, const struct engine_task_row *row)
{
    struct task *task = task_find(shard, &row->id);

    if (!task && !engine_task_state_is_terminal(row->change.state)) {
        task = task_from_row(shard, row);
        task_enter(task);
        task->away = AWAY_READY; /* undone below: one way for both */
    }
    if (!task || !task->away)
        return;
    come_back(task);
    if (task->state != ENGINE_TASK_NONE) {
        if (task->state == ENGINE_TASK_READY) {
            lane_push(task);
            lane_match(task->lane);
        } else {
            task_arm(task);
        }
        return;
    }
    if (task->due_us > shard->engine->now_us) {
        task_restore(task,
                     task->failures || task->lost ? ENGINE_TASK_RETRYING : ENGINE_TASK_PENDING);
        task_arm(task);
    } else {
        task_restore(task, ENGINE_TASK_READY);
        task_arm(task);
        lane_push(task);
        lane_match(task->lane);
    }
}

static void refill_ready(struct shard *shard, struct window *window,
                         const struct engine_refill_answer *answer)
{
    bool at_end = answer->at_end || answer->tasks_len == 0;

    window->refill_read = 0;
    for (uint32_t i = 0; i < answer->tasks_len; i++)
        take_row(shard, &answer->tasks[i]);
    if (at_end) {
        window->bounded = false;
    } else {
        const struct engine_task_row *last = &answer->tasks[answer->tasks_len - 1];

        window->bound_start = false;
        window->bound_priority = (int16_t)last->spec.priority;
        window->bound_id = last->id;
    }
    window->users++; /* not released while its lanes come and go below */
    LIST_EACH(&shard->away, node)
    {
        struct task *task = LIST_ENTRY(node, struct task, age);

        if (task->away == AWAY_READY && task->lane->window == window &&
            !behind_bound(window, task->priority, &task->id)) {
            come_back(task);
            lane_push(task);
            lane_match(task->lane);
        }
    }
    if (window->ready_len > window_most(window))
        window_trim(window);
    window_refill(window);
    window->users--;
    window_release_unused(window);
}

static void refill_due(struct shard *shard, int64_t until_us,
                       const struct engine_refill_answer *answer)
{
    bool at_end = answer->at_end || answer->tasks_len == 0;

    shard->due_read = 0;
    for (uint32_t i = 0; i < answer->tasks_len; i++)
        take_row(shard, &answer->tasks[i]);
    if (at_end) {
        shard->due_bound_us = until_us;
        memset(shard->due_bound_id.bytes, 0xff, ID_BYTES);
        shard->due_next_us = answer->due_next_us;
    } else {
        const struct engine_task_row *last = &answer->tasks[answer->tasks_len - 1];

        shard->due_bound_us = last->change.due_us;
        shard->due_bound_id = last->id;
        shard->due_next_us = last->change.due_us;
    }
    LIST_EACH(&shard->away, node)
    {
        struct task *task = LIST_ENTRY(node, struct task, age);

        if (task->away != AWAY_DUE)
            continue;
        if (behind_due_bound(shard, task->due_us, &task->id)) {
            shard->due_next_us = MIN_OF(shard->due_next_us, task->due_us);
        } else {
            come_back(task);
            task_arm(task);
        }
    }
    shard_refill_due(shard);
}

void refill_answer(struct engine *engine, const struct engine_refill_answer *answer)
{
    struct read *read = read_find(engine, answer->read);
    struct shard *shard;
    struct window *window;

    if (!read || read->kind == READ_TASK_ROW || read->kind == READ_KEY_ROW)
        return;
    shard = read->shard;
    if (read->kind == READ_REFILL_DUE) {
        int64_t until_us = read->until_us;

        read_free(read);
        refill_due(shard, until_us, answer);
    } else {
        window = read->window;
        read_free(read);
        refill_ready(shard, window, answer);
    }
    shard_evict(shard);
}

/* What a read that is still outstanding is sure to see: it began when this was durable. Of what
 * came later memory must know, or the answer would bring an ended task back to life. */
static uint64_t seen_by_all_reads(const struct shard *shard)
{
    const struct read *oldest = LIST_FIRST(&shard->reads, struct read, link);

    return oldest ? oldest->durable_seq : shard->durable_seq;
}

static void evict_closed(struct shard *shard, uint64_t seen_seq)
{
    struct engine *engine = shard->engine;

    LIST_EACH(&shard->closed, node)
    {
        struct task *task = LIST_ENTRY(node, struct task, age);

        if (task->seq > seen_seq || (engine->closed_len <= engine->config.closed_max &&
                                     engine->closed_bytes <= CLOSED_BYTES_MAX))
            return;
        task_free(task);
    }
}

/* Each task is looked at once for each reason that it has to stay: what is watched waits in a list
 * of its own, so that an answer costs the same whatever number of tasks is waited for. Those need
 * no walk when a refill comes: every read that is outstanding sees them. */
void shard_evict(struct shard *shard)
{
    uint64_t seen_seq = seen_by_all_reads(shard);

    evict_closed(shard, seen_seq);
    keys_evict(shard);
    LIST_EACH(&shard->away, node)
    {
        struct task *task = LIST_ENTRY(node, struct task, age);

        if (task->seq > seen_seq)
            return;
        if (list_linked(&task->dirty)) {
            task->seq = shard->seq + 1;
            list_remove(node);
            list_push(&shard->away, node);
        } else if (task->more && !list_empty(&task->more->watches)) {
            list_remove(node);
            list_push(&shard->away_watched, node);
        } else {
            queue_count_disk(task->lane->queue, (enum engine_parked_reason)task->parked, 1);
            task_free(task);
        }
    }
}

/* Its last watch has gone: nothing keeps it any more. */
void task_unwatched(struct task *task)
{
    if (!task->away || !list_empty(&task->more->watches))
        return;
    list_remove(&task->age);
    list_push(&task->shard->away, &task->age);
}

/* A batch's clock says up to when all that is older than ENGINE_YOUNG_MS has been parked: so this
 * is done before the first batch of a new owner too, not only by the sweep. */
void shard_park_old(struct shard *shard)
{
    int64_t before_us = shard->engine->now_us - shard->engine->config.park_ms * US_PER_MS;

    LIST_EACH(&shard->young_tasks, node)
    {
        struct task *task = LIST_ENTRY(node, struct task, age);

        if (task->created_us > before_us) {
            if (!shard->young_unsorted)
                break;
            continue;
        }
        list_remove(&task->age);
        if (!task->parked)
            task_park(task, task->due_us > shard->engine->now_us && !task->lease
                                ? ENGINE_PARKED_DUE
                                : ENGINE_PARKED_READY);
    }
    LIST_EACH(&shard->young_runs, node)
    {
        struct run *run = LIST_ENTRY(node, struct run, age);

        if (run->created_us > before_us) {
            if (!shard->young_unsorted)
                break;
            continue;
        }
        list_remove(&run->age);
        run->parked = true;
        if (!run->stored_parked)
            run_dirty(run);
    }
}

/* P17: whatever is not terminal has an owner, a deadline or a queue that it waits in. */
static void check_shard(struct shard *shard)
{
    struct engine *engine = shard->engine;
    int64_t silent_us = (engine->config.lease_ms + engine->config.grace_ms) * US_PER_MS;

    LIST_EACH(&shard->sessions, node)
    {
        struct session *session = LIST_ENTRY(node, struct session, of_shard);

        if (session->worker->stream && session->state == SESSION_TAKING &&
            session->asked_us + silent_us <= engine->now_us) {
            /* It beats but does not say what it holds: for this shard it is out of contact. */
            while (!list_empty(&session->leases))
                attempt_lost(LIST_FIRST(&session->leases, struct lease, of_session)->task,
                             "worker did not say what it holds");
            session->asked_us = engine->now_us;
            session->collecting = false;
            effect_now(engine, ENGINE_TAKE, shard->number)->take = (struct engine_take){
                .stream = session->worker->stream, .shard = shard->number, .epoch = shard->epoch};
        }
    }
    LIST_EACH(&shard->all_runs, node)
    run_advance(LIST_ENTRY(node, struct run, all));
}

void engine_sweep(struct engine *engine)
{
    engine->sweep_us = engine->now_us + engine->config.sweep_ms * US_PER_MS;
    for (uint32_t i = 0; i < engine->loaded_len; i++) {
        struct shard *shard = engine->shards[engine->loaded[i]];
        struct map_cursor cursor = {0};
        struct map_node *node;

        if (!shard->open)
            continue;
        shard_park_old(shard);
        if (shard->opened_us < engine->now_us - 2 * engine->config.park_ms * US_PER_MS)
            shard->young_unsorted = false;
        check_shard(shard);
        shard_refill_due(shard);
        while ((node = map_walk(&shard->windows, &cursor)))
            window_refill(CONTAINER_OF(node, struct window, by_key));
        if (shard->unclean && shard->opened_us + UNCLEAN_CLEAR_MS * US_PER_MS <= engine->now_us) {
            shard->unclean = 0;
            shard->fence_only = true;
        }
        if (shard->fence_only)
            shard_dirty(shard);
    }
    doctor_sweep(engine);
}
