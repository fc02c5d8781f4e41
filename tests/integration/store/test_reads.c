/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of committed rows for callers, and of the journal for the relay. */
#include "plankton/v1/event.pb-c.h"
#include "world.h"

#define SHARD 8
#define LISTED_MAX 8

struct listed {
    bool done;
    size_t n;
    struct id ids[LISTED_MAX];
    struct id runs[LISTED_MAX];
    bool bodies;
};

static void tasks_listed(const struct engine_task_row *rows, size_t n, const struct error *err,
                         void *userdata)
{
    struct listed *out = userdata;

    ck_assert_ptr_null(err);
    ck_assert_uint_le(n, LISTED_MAX);
    out->n = n;
    for (size_t i = 0; i < n; i++) {
        out->ids[i] = rows[i].id;
        out->bodies |= rows[i].spec.parameters.len > 0 || rows[i].change.result.len > 0;
    }
    out->done = true;
}

static void runs_listed(const struct engine_run_row *rows, size_t n, const struct error *err,
                        void *userdata)
{
    struct listed *out = userdata;

    ck_assert_ptr_null(err);
    ck_assert_uint_le(n, LISTED_MAX);
    out->n = n;
    for (size_t i = 0; i < n; i++) {
        out->ids[i] = rows[i].id;
        out->bodies |= rows[i].input.len > 0 || rows[i].change.output.len > 0;
    }
    out->done = true;
}

static struct listed list_tasks(struct node *node, struct store_task_filter filter)
{
    struct listed out = {0};

    filter.namespace_id = 1;
    if (!filter.limit)
        filter.limit = LISTED_MAX;
    store_list_tasks(node->store, &filter, tasks_listed, &out);
    world_wait_flag(&out.done, "list");
    return out;
}

static struct listed list_runs(struct node *node, struct store_run_filter filter)
{
    struct listed out = {0};

    filter.namespace_id = 1;
    filter.limit = LISTED_MAX;
    store_list_runs(node->store, &filter, runs_listed, &out);
    world_wait_flag(&out.done, "list");
    return out;
}

START_TEST(tasks_are_listed_newest_first_and_filtered)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_task_row tasks[4];
    struct engine_outcome outcome;

    for (int i = 0; i < 4; i++) {
        tasks[i] = world_task(SHARD);
        tasks[i].spec.parameters = slice_of("{\"a\":1}");
    }
    tasks[1].change.state = ENGINE_TASK_FAILED;
    tasks[1].change.finished_us = world_now_us();
    tasks[1].change.failure.code = "BOOM";
    outcome = (struct engine_outcome){.id = tasks[1].id,
                                      .namespace_id = tasks[1].namespace_id,
                                      .state = ENGINE_TASK_FAILED,
                                      .finished_us = tasks[1].change.finished_us,
                                      .type = tasks[1].spec.type};
    batch.outcomes = &outcome;
    batch.outcomes_len = 1;
    tasks[2].spec.type = "shell";
    tasks[2].spec.queue = "slow";
    tasks[3].run = world_id(SHARD);
    tasks[3].step = "s";
    batch.tasks_insert = tasks;
    batch.tasks_insert_len = 4;
    written_wait(node_write(node, &batch, 1));
    struct listed all = list_tasks(node, (struct store_task_filter){0});
    ck_assert_uint_eq(all.n, 3); /* steps are their run's */
    ck_assert(!all.bodies);
    ck_assert(id_eq(&all.ids[0], &tasks[2].id));
    ck_assert(id_eq(&all.ids[2], &tasks[0].id));
    ck_assert_uint_eq(list_tasks(node, (struct store_task_filter){.include_steps = true}).n, 4);
    ck_assert_uint_eq(list_tasks(node, (struct store_task_filter){.live_only = true}).n, 2);
    ck_assert_uint_eq(list_tasks(node, (struct store_task_filter){.state = ENGINE_TASK_FAILED}).n,
                      1);
    ck_assert_uint_eq(list_tasks(node, (struct store_task_filter){.type = "shell"}).n, 1);
    ck_assert_uint_eq(list_tasks(node, (struct store_task_filter){.queue = "slow"}).n, 1);
    ck_assert_uint_eq(list_tasks(node, (struct store_task_filter){.limit = 1}).n, 1);
    struct store_task_filter dead = {.state = ENGINE_TASK_FAILED, .failure_code = "BOOM"};
    ck_assert_uint_eq(list_tasks(node, dead).n, 1);
    dead.failure_code = "OTHER";
    ck_assert_uint_eq(list_tasks(node, dead).n, 0);
    dead.failure_code = NULL;
    dead.from = tasks[1].id;
    ck_assert_uint_eq(list_tasks(node, dead).n, 1);
    dead.from = tasks[2].id; /* it is older */
    ck_assert_uint_eq(list_tasks(node, dead).n, 0);
    ck_assert_uint_eq(list_tasks(node, (struct store_task_filter){.from = tasks[1].id}).n, 2);
    struct listed older = list_tasks(node, (struct store_task_filter){.before = tasks[1].id});
    ck_assert_uint_eq(older.n, 1);
    ck_assert(id_eq(&older.ids[0], &tasks[0].id));
    node_stop(node);
}
END_TEST

static void run_read(const struct engine_run_row *row, const struct error *err, void *userdata)
{
    struct node *node = userdata;

    ck_assert_ptr_null(err);
    if (row)
        node->rows[node->rows_len++] = describe_run(&node->arena, row);
    node->stopped = true; /* answered */
}

START_TEST(runs_and_their_tasks_are_read)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct id plans[] = {world_id(SHARD), world_id(SHARD)};
    struct engine_run_row runs[] = {world_run_row(SHARD, &plans[0]),
                                    world_run_row(SHARD, &plans[0]),
                                    world_run_row(SHARD, &plans[1])};
    struct engine_task_row steps[] = {world_task(SHARD), world_task(SHARD)};
    struct listed out = {0};

    runs[0].change.state = ENGINE_RUN_SUCCEEDED;
    runs[0].change.finished_us = world_now_us();
    runs[0].change.output = slice_of("{\"o\":1}");
    runs[0].rerun_of = runs[2].id;
    for (int i = 0; i < 2; i++) {
        steps[i].id = id_derive(&runs[i].id, "s", 0);
        steps[i].run = runs[i].id;
        steps[i].step = "s";
    }
    batch.runs_insert = runs;
    batch.runs_insert_len = 3;
    batch.tasks_insert = steps;
    batch.tasks_insert_len = 2;
    written_wait(node_write(node, &batch, 1));
    store_read_run(node->store, &runs[0].id, run_read, node);
    world_wait_flag(&node->stopped, "the run");
    ck_assert(node_has_row(node, describe_run(&node->arena, &runs[0])));
    store_read_run_tasks(node->store, &runs[1].id, tasks_listed, &out);
    world_wait_flag(&out.done, "its tasks");
    ck_assert_uint_eq(out.n, 1);
    ck_assert(id_eq(&out.ids[0], &steps[1].id));
    ck_assert_uint_eq(list_runs(node, (struct store_run_filter){0}).n, 3);
    ck_assert(!list_runs(node, (struct store_run_filter){0}).bodies);
    ck_assert_uint_eq(list_runs(node, (struct store_run_filter){.live_only = true}).n, 2);
    ck_assert_uint_eq(list_runs(node, (struct store_run_filter){.plan_id = plans[1]}).n, 1);
    ck_assert_uint_eq(list_runs(node, (struct store_run_filter){.state = ENGINE_RUN_SUCCEEDED}).n,
                      1);
    out = (struct listed){0};
    store_recent_runs(node->store, plans, 2, 1, runs_listed, &out);
    world_wait_flag(&out.done, "recent");
    ck_assert_uint_eq(out.n, 2); /* the newest of each */
    ck_assert(id_eq(&out.ids[0], &runs[1].id));
    node->stopped = false;
    node_stop(node);
}
END_TEST

struct events_read {
    bool done;
    uint64_t first, next;
    size_t rows, bytes, events;
};

static void events_answered(const struct store_events *events, size_t n, const struct error *err,
                            void *userdata)
{
    struct events_read *out = userdata;

    ck_assert_ptr_null(err);
    out->rows = n;
    out->bytes = 0;
    for (size_t i = 0; i < n; i++) {
        Plankton__V1__EventBatch *batch = plankton__v1__event_batch__unpack(
            NULL, events[i].packed.len, (const uint8_t *)events[i].packed.data);
        ck_assert_ptr_nonnull(batch);
        ck_assert_uint_eq(batch->n_events, events[i].count);
        ck_assert_uint_eq(batch->events[0]->number, events[i].first);
        plankton__v1__event_batch__free_unpacked(batch, NULL);
        out->bytes += events[i].packed.len;
        out->events += events[i].count;
        out->next = events[i].first + events[i].count;
    }
    out->first = n ? events[0].first : 0;
    out->done = true;
}

static struct events_read read_events(struct node *node, uint64_t from)
{
    struct events_read out = {.next = from};

    store_read_events(node->store, SHARD, from, events_answered, &out);
    world_wait_flag(&out.done, "events");
    return out;
}

static void write_events(struct node *node, uint64_t first, uint32_t n, const char *reason)
{
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_event events[16];

    for (uint32_t i = 0; i < n; i++)
        events[i] = (struct engine_event){.number = first + i,
                                          .kind = ENGINE_EVENT_TASK_FINISHED,
                                          .at_us = world_now_us(),
                                          .task = world_id(SHARD),
                                          .namespace_id = 1,
                                          .step = "",
                                          .actor = "",
                                          .reason = reason,
                                          .type = "noop",
                                          .failure_code = "",
                                          .failure_message = "",
                                          .result = slice_of("{}")};
    batch.events = events;
    batch.events_len = n;
    batch.event_next = first + n;
    struct written *written = node_write(node, &batch, 1);
    written_wait(written);
    ck_assert(written->durable);
}

START_TEST(events_are_read_on_from_any_number)
{
    struct node *node = node_owning("first");
    struct engine_shard_batch silent;

    write_events(node, 1, 4, "");
    silent = node_batch(node, SHARD); /* a batch without events is no gap */
    silent.event_next = 5;
    written_wait(node_write(node, &silent, 1));
    write_events(node, 5, 3, "");
    struct events_read got = read_events(node, 1);
    ck_assert_uint_eq(got.rows, 2);
    ck_assert_uint_eq(got.events, 7);
    got = read_events(node, 6); /* in the middle of a row: the row that has it */
    ck_assert_uint_eq(got.rows, 1);
    ck_assert_uint_eq(got.first, 5);
    ck_assert_uint_eq(read_events(node, 8).rows, 0);
    write_events(node, 8, 1, "");
    ck_assert_uint_eq(read_events(node, 8).rows, 1);
    ck_assert_uint_eq(read_events(node, 1).rows, 3);
    node_stop(node);
}
END_TEST

START_TEST(a_long_journal_is_read_in_bounded_pieces)
{
    struct node *node = node_owning("first");
    char *reason = arena_alloc(&node->arena, 400001);
    uint64_t next = 1;
    unsigned reads = 0;

    memset(reason, 'x', 400000);
    reason[400000] = 0;
    for (uint64_t i = 0; i < 20; i++)
        write_events(node, 1 + i, 1, reason); /* 8 MB in all */
    for (struct events_read got; (got = read_events(node, next)).rows > 0; reads++) {
        ck_assert_uint_eq(got.first, next);
        ck_assert_uint_le(got.bytes, 5 * 1024 * 1024);
        next = got.next;
    }
    ck_assert_uint_eq(next, 21);
    ck_assert_uint_eq(reads, 2);
    node_stop(node);
}
END_TEST

TCase *reads_tcase(void)
{
    TCase *tcase = tcase_create("reads");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, tasks_are_listed_newest_first_and_filtered);
    tcase_add_test(tcase, runs_and_their_tasks_are_read);
    tcase_add_test(tcase, events_are_read_on_from_any_number);
    tcase_add_test(tcase, a_long_journal_is_read_in_bounded_pieces);
    return tcase;
}
