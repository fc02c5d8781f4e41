/* SPDX-License-Identifier: Apache-2.0 */
/* Shards: loaded from rows after a takeover, forgotten at a drop. There is no other recovery. */
#include "internal.h"

struct shard *shard_of(const struct engine *engine, const struct id *id)
{
    struct shard *shard = engine->shards[id_shard(id)];

    return shard && shard->open ? shard : NULL;
}

void shard_dirty(struct shard *shard)
{
    if (shard->is_dirty)
        return;
    shard->is_dirty = true;
    list_push(&shard->engine->dirty_shards, &shard->dirty_link);
}

static void lists_init(struct shard *shard)
{
    struct list *lists[] = {
        &shard->all_runs,   &shard->dirty_tasks, &shard->dirty_runs,   &shard->young_tasks,
        &shard->young_runs, &shard->away,        &shard->closed,       &shard->known_keys,
        &shard->fresh_keys, &shard->sessions,    &shard->journals,     &shard->fresh,
        &shard->reads,      &shard->careful,     &shard->dirty_queues, &shard->away_watched};

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        list_init(lists[i]);
}

void shard_load_begin(struct engine *engine, const struct engine_load_begin *load)
{
    struct shard *shard;

    if (load->shard >= SHARDS_MAX)
        return;
    shard_drop(engine, load->shard);
    shard = mem_zalloc(sizeof(*shard));
    shard->engine = engine;
    shard->number = load->shard;
    shard->epoch = load->epoch;
    shard->seq = shard->durable_seq = load->seq;
    shard->event_next = MAX_OF(load->event_next, UINT64_C(1));
    shard->event_acked = load->event_acked;
    shard->journal_low = load->journal_low;
    shard->unclean = load->unclean;
    shard->loaded_suspect = load->suspect;
    shard->fence_only = !id_is_nil(&load->suspect); /* ended, then named no more */
    shard->due_next_us = load->due_next_us;
    shard->keys_complete = load->keys_complete;
    shard->young_unsorted = true;
    lists_init(shard);
    engine->now_us = MAX_OF(engine->now_us, load->clock_us);
    engine->shards[load->shard] = shard;
    engine->loaded[engine->loaded_len++] = load->shard;
    for (uint32_t i = 0; i < load->settings_len; i++)
        queue_load_setting(shard, &load->settings[i]);
    for (uint32_t i = 0; i < load->queues_len; i++) {
        window_load(shard, &load->queues[i]);
        queue_load_parked(shard, &load->queues[i], ENGINE_PARKED_READY);
    }
    for (uint32_t i = 0; i < load->due_queues_len; i++)
        queue_load_parked(shard, &load->due_queues[i], ENGINE_PARKED_DUE);
    for (uint32_t i = 0; i < load->key_hashes_len; i++)
        key_set_add(shard, load->key_hashes[i]);
}

struct task *task_from_row(struct shard *shard, const struct engine_task_row *row)
{
    const struct engine_task_change *change = &row->change;
    struct task *task = task_new(shard, &row->id, row->namespace_id, &row->spec, row->created_us);

    task->due_us = change->due_us;
    task->attempt = change->attempt;
    task->failures = (uint16_t)change->failures;
    task->lost = (uint16_t)change->lost;
    task->worker = change->worker;
    task->closed_by_report = change->closed_by_report;
    task->started_us = change->started_us;
    task->finished_us = change->finished_us;
    task->stored = true;
    task->parked = task->stored_parked = (uint8_t)row->parked;
    task->parked_due_us = task->stored_due_us = row->parked_due_us;
    if (row->parked)
        queue_count_disk(task->lane->queue, row->parked, -1);
    if (!id_is_nil(&row->retry_of))
        task_more(task)->retry_of = row->retry_of;
    if (change->failure.code && change->failure.code[0])
        task_set_failure(task, &change->failure);
    if (change->cancel.at_us) {
        task_set_cancel(task, change->cancel.at_us, change->cancel.actor, change->cancel.reason);
        task->cancel_requested = true;
        task->more->cancel_deadline_us =
            shard->engine->now_us + shard->engine->config.cancel_ms * US_PER_MS;
    }
    return task;
}

static void load_run(struct shard *shard, const struct engine_run_load *load)
{
    const struct engine_run_change *change = &load->row.change;
    struct run *run;

    if (run_find(shard, &load->row.id) || engine_run_state_is_terminal(load->row.change.state))
        return;
    run = run_new(shard, &load->row, &load->plan);
    run->state = (uint8_t)change->state;
    run->started_us = change->started_us;
    run->stored = true;
    run->parked = run->stored_parked = load->row.parked;
    if (change->cancel.at_us)
        cancel_copy(&run->cancel, &run->cancel_text, change->cancel.at_us, change->cancel.actor,
                    change->cancel.reason);
    if (change->pause.at_us)
        cancel_copy(&run->pause, &run->pause_text, change->pause.at_us, change->pause.actor,
                    change->pause.reason);
    run_enter(run);
    if (run->parked)
        list_remove(&run->age);
}

static void load_step(struct run *run, const struct engine_task_row *row)
{
    int32_t step = plan_step_index(run->plan.plan, row->step);
    struct task *task;

    if (step < 0 || run->steps[step].task)
        return;
    task = task_from_row(run->shard, row);
    task->run = run;
    task->step = (uint32_t)step;
    task_set_result(task, row->change.result);
    run_attach(run, task);
    run_stick(task, &task->worker, task->started_us);
    task_enter(task);
    if (engine_task_state_is_terminal(row->change.state))
        task_restore(task, row->change.state);
}

static void load_task(struct shard *shard, const struct engine_task_row *row)
{
    struct run *run;

    if (task_find(shard, &row->id))
        return;
    if (!id_is_nil(&row->run)) {
        run = run_find(shard, &row->run);
        if (run) /* else the run has ended, and all its tasks with it */
            load_step(run, row);
        return;
    }
    if (!engine_task_state_is_terminal(row->change.state))
        task_enter(task_from_row(shard, row));
}

static void load_journal(struct shard *shard, const struct engine_journal_load *load)
{
    struct journal *journal = mem_zalloc(sizeof(*journal));

    journal->seq = load->seq;
    journal->last_event = load->events_len ? load->first_event + load->events_len - 1 : 0;
    journal->at_us = shard->engine->now_us;
    list_init(&journal->leases);
    list_push(&shard->journals, &journal->link);
    for (uint32_t i = 0; i < load->leases_len; i++) {
        if (shard->loading_len == shard->loading_cap) {
            shard->loading_cap = MAX_OF(shard->loading_cap * 2, (size_t)256);
            shard->loading =
                mem_realloc(shard->loading, shard->loading_cap * sizeof(*shard->loading));
        }
        shard->loading[shard->loading_len++] =
            (struct loaded_lease){.lease = load->leases[i], .journal = journal};
    }
}

void shard_load_rows(struct engine *engine, const struct engine_load_rows *rows)
{
    struct shard *shard = rows->shard < SHARDS_MAX ? engine->shards[rows->shard] : NULL;

    if (!shard || shard->open)
        return;
    for (uint32_t i = 0; i < rows->runs_len; i++)
        load_run(shard, &rows->runs[i]);
    for (uint32_t i = 0; i < rows->tasks_len; i++)
        load_task(shard, &rows->tasks[i]);
    for (uint32_t i = 0; i < rows->journals_len; i++)
        load_journal(shard, &rows->journals[i]);
}

/* The entry with the highest attempt above the closed one is the open lease; carried forward it
 * stands in several rows, and the latest is the one that counts. */
static void open_lease(struct shard *shard, const struct loaded_lease *loaded)
{
    struct task *task = task_find(shard, &loaded->lease.task);
    struct session *session;
    struct worker *worker;

    if (!task || engine_task_state_is_terminal((enum engine_task_state)task->state) ||
        loaded->lease.attempt <= task->attempt)
        return;
    if (task->lease && task->lease->entry.attempt == loaded->lease.attempt) {
        list_remove(&task->lease->of_journal);
        list_push(&loaded->journal->leases, &task->lease->of_journal);
        return;
    }
    if (task->lease) {
        if (task->lease->entry.attempt > loaded->lease.attempt)
            return;
        lease_close(task, false);
    }
    worker = worker_get(shard->engine, &loaded->lease.worker);
    session = session_get(worker, shard);
    lease_new(task, session, &loaded->lease);
    list_push(&loaded->journal->leases, &task->lease->of_journal);
    task->lease->orphan = true;
    shard->orphans++;
    task->started_us = loaded->lease.started_us;
    if (task->run)
        run_stick(task, &loaded->lease.worker, loaded->lease.started_us);
}

static int by_seq(const void *a, const void *b)
{
    const struct loaded_lease *x = a, *y = b;

    return x->journal->seq < y->journal->seq ? -1 : x->journal->seq > y->journal->seq;
}

static void sort_journals(struct shard *shard)
{
    struct list sorted;

    list_init(&sorted);
    LIST_EACH(&shard->journals, node)
    {
        struct journal *journal = LIST_ENTRY(node, struct journal, link);
        struct list *at = sorted.prev;

        list_remove(&journal->link);
        while (at != &sorted && LIST_ENTRY(at, struct journal, link)->seq > journal->seq)
            at = at->prev;
        list_insert(at, &journal->link);
    }
    LIST_EACH(&sorted, node)
    {
        list_remove(node);
        list_push(&shard->journals, node);
    }
}

/* Gives a loaded task its state: the row tells only what has ended. */
static void wake(struct task *task)
{
    struct shard *shard = task->shard;
    bool retrying = task->failures > 0 || task->lost > 0;

    if (task->state != ENGINE_TASK_NONE)
        return;
    if (id_eq(&task->id, &shard->loaded_suspect)) {
        if (task->lease)
            lease_close(task, false); /* its worker is told when it shows the lease */
        task_restore(task, ENGINE_TASK_READY);
        task_set_failure(task, &(struct engine_failure){
                                   .code = "CONTROLLER_LOST",
                                   .message = "the controller was lost each time it came to this "
                                              "task",
                                   .non_retryable = true,
                                   .step = ""});
        task_finish(task, ENGINE_TASK_FAILED, 0, "CONTROLLER_LOST", "controller");
    } else if (task->lease) {
        task_restore(task, ENGINE_TASK_RUNNING);
        task_arm(task);
    } else if (task->cancel_requested) { /* its lease was closed by a batch that we have read */
        task_restore(task, ENGINE_TASK_READY);
        task_finish(task, ENGINE_TASK_CANCELLED, 0, task->more->cancel.reason,
                    task->more->cancel.actor);
    } else if (task->due_us > shard->engine->now_us) {
        task_restore(task, retrying ? ENGINE_TASK_RETRYING : ENGINE_TASK_PENDING);
        if (!task_place_due(task))
            task_arm(task);
    } else {
        task_restore(task, ENGINE_TASK_READY);
        task_arm(task);
        task_place(task);
    }
}

static void wake_all(struct shard *shard)
{
    /* A run's steps first all get their states: what follows from them is found afterwards. */
    LIST_EACH(&shard->all_runs, node)
    {
        struct run *run = LIST_ENTRY(node, struct run, all);

        run->advancing = true;
        for (uint32_t i = 0; i < run->plan.plan->steps_len; i++) {
            struct task *task = run->steps[i].task;

            if (task && task->state == ENGINE_TASK_NONE && !task->cancel_requested &&
                !id_eq(&task->id, &shard->loaded_suspect))
                wake(task);
        }
        run->advancing = false;
    }
    LIST_EACH(&shard->young_tasks, node)
    wake(LIST_ENTRY(node, struct task, age));
    LIST_EACH(&shard->all_runs, node)
    {
        struct run *run = LIST_ENTRY(node, struct run, all);

        run_resume(run);
        for (uint32_t i = 0; i < run->plan.plan->steps_len; i++) {
            if (run->steps[i].task)
                wake(run->steps[i].task);
        }
    }
}

void shard_load_end(struct engine *engine, uint16_t number)
{
    struct shard *shard = number < SHARDS_MAX ? engine->shards[number] : NULL;
    struct map_cursor cursor = {0};
    struct map_node *node;

    if (!shard || shard->open)
        return;
    shard->open = true;
    shard->opened_us = engine->now_us;
    shard->grace_us = engine->now_us + engine->config.grace_ms * US_PER_MS;
    sort_journals(shard);
    if (shard->loading_len)
        qsort(shard->loading, shard->loading_len, sizeof(*shard->loading), by_seq);
    for (size_t i = 0; i < shard->loading_len; i++)
        open_lease(shard, &shard->loading[i]);
    free(shard->loading);
    shard->loading = NULL;
    careful_begin(shard);
    wake_all(shard);
    shard_park_old(shard);
    if (shard->fence_only)
        shard_dirty(shard);
    shard_take_all(shard);
    while ((node = map_walk(&shard->windows, &cursor)))
        window_refill(CONTAINER_OF(node, struct window, by_key));
    shard_refill_due(shard);
}

void journal_advance(struct shard *shard)
{
    LIST_EACH(&shard->journals, node)
    {
        struct journal *journal = LIST_ENTRY(node, struct journal, link);

        if (!list_empty(&journal->leases) || journal->last_event > shard->event_acked)
            break;
        list_remove(&journal->link);
        free(journal);
    }
}

static void drop_tasks(struct shard *shard)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    while ((node = map_walk(&shard->tasks, &cursor))) {
        struct task *task = CONTAINER_OF(node, struct task, by_id);

        if (task->more) {
            LIST_EACH(&task->more->watches, w)
            reply_now(shard->engine, LIST_ENTRY(w, struct watch, link)->ticket, STATUS_UNAVAILABLE,
                      "SHARD_DROPPED", "the shard changed hands");
        }
        task_free(task);
    }
    LIST_EACH(&shard->all_runs, n)
    {
        struct run *run = LIST_ENTRY(n, struct run, all);

        LIST_EACH(&run->watches, w)
        {
            struct engine_effect *end =
                effect_now(shard->engine, ENGINE_WATCH_END, ENGINE_NO_SHARD);

            end->watch.ticket = LIST_ENTRY(w, struct watch, link)->ticket;
            end->watch.status = STATUS_UNAVAILABLE;
        }
        run_free(run);
    }
}

static void drop_reads(struct shard *shard)
{
    LIST_EACH(&shard->reads, node)
    {
        struct read *read = LIST_ENTRY(node, struct read, link);

        if (read->lookup) {
            reply_now(shard->engine, read->lookup->ticket, STATUS_UNAVAILABLE, "SHARD_DROPPED",
                      "the shard changed hands before the outcome was known");
            lookup_free(read->lookup);
        }
        read_free(read);
    }
}

static void drop_rest(struct shard *shard)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    LIST_EACH(&shard->sessions, n)
    session_free(LIST_ENTRY(n, struct session, of_shard));
    LIST_EACH(&shard->journals, n)
    free(LIST_ENTRY(n, struct journal, link));
    while ((node = map_walk(&shard->windows, &cursor))) {
        struct window *window = CONTAINER_OF(node, struct window, by_key);

        window->bounded = false;
        window->refill_read = 0;
        window_release_unused(window);
    }
    cursor = (struct map_cursor){0};
    while ((node = map_walk(&shard->queues, &cursor))) {
        map_remove(&shard->queues, node);
        list_remove(&CONTAINER_OF(node, struct queue, by_name)->dirty);
        queue_setting_free(CONTAINER_OF(node, struct queue, by_name));
        free(CONTAINER_OF(node, struct queue, by_name));
    }
    free(shard->loading);
    map_fini(&shard->tasks);
    map_fini(&shard->runs);
    map_fini(&shard->queues);
    map_fini(&shard->windows);
    map_fini(&shard->keys);
    gates_free(shard);
}

/* Credit that was spent on leases whose dispatch never left: it would be lost to its stream. */
static void refund(struct session *session)
{
    const struct shard *shard = session->shard;
    struct worker *worker = session->worker;

    if (worker->stream && session->stream == worker->stream &&
        session->unsent_seq > shard->durable_seq)
        worker->credit += session->unsent;
    LIST_EACH(&session->leases, node)
    {
        const struct engine_lease *entry = &LIST_ENTRY(node, struct lease, of_session)->entry;

        if (worker->stream && session->stream == worker->stream && entry->epoch == shard->epoch &&
            entry->seq > shard->durable_seq)
            worker->credit++;
    }
    worker_set_idle(worker);
}

/* The credit that came back may be what tasks of other shards wait for. */
static void match_refunded(struct engine *engine)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    while ((node = map_walk(&engine->streams, &cursor)))
        worker_match(CONTAINER_OF(node, struct worker, by_stream));
}

void shard_drop(struct engine *engine, uint16_t number)
{
    struct shard *shard = number < SHARDS_MAX ? engine->shards[number] : NULL;

    if (!shard)
        return;
    shard->open = false;
    effects_drop_shard(engine, number);
    LIST_EACH(&shard->sessions, node)
    refund(LIST_ENTRY(node, struct session, of_shard));
    keys_free(shard);
    drop_reads(shard);
    drop_tasks(shard);
    drop_rest(shard);
    list_remove(&shard->dirty_link);
    for (uint32_t i = 0; i < engine->loaded_len; i++) {
        if (engine->loaded[i] == number) {
            engine->loaded[i] = engine->loaded[--engine->loaded_len];
            break;
        }
    }
    engine->shards[number] = NULL;
    free(shard);
    match_refunded(engine);
}
