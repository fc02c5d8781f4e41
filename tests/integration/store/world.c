/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"
#include <stdio.h>
#include <stdlib.h>
#include "descriptors/descriptors.h"
#include "migrations.h"
#include "plan/plan.h"
#include "sql/live_store.h"

#define WAIT_MS 20000
#define POLL_MS 1

struct loop *world_loop;
struct db_conn *world_conn;
unsigned world_answers;
static struct pbjson_registry *registry;
static int64_t base_us;
static uint64_t ids;

static const char *url(void)
{
    const char *text = getenv("PLANKTON_TEST_DATABASE_URL");

    ck_assert_msg(text != NULL, "run under tests/integration/with-postgres");
    return text;
}

/* ---- waiting ---- */

struct waiting {
    bool (*holds)(void *subject);
    void *subject;
    const char *what;
};

static void timed_out(void *userdata)
{
    ck_abort_msg("%s: not within %d ms", ((struct waiting *)userdata)->what, WAIT_MS);
}

static void look(void *userdata)
{
    struct waiting *waiting = userdata;

    if (waiting->holds(waiting->subject))
        loop_stop(world_loop);
}

void world_wait(bool (*holds)(void *subject), void *subject, const char *what)
{
    struct waiting waiting = {holds, subject, what};
    struct loop_timer *guard = loop_timer_new(world_loop, timed_out, &waiting);
    struct loop_timer *poll = loop_timer_new(world_loop, look, &waiting);

    loop_timer_start(guard, WAIT_MS, 0);
    loop_timer_start(poll, POLL_MS, POLL_MS);
    if (!holds(subject))
        loop_run(world_loop);
    loop_timer_free(poll);
    loop_timer_free(guard);
}

static bool flag_holds(void *subject)
{
    return *(volatile bool *)subject;
}

void world_wait_flag(bool *flag, const char *what)
{
    world_wait(flag_holds, flag, what);
}

static bool conn_is_up(void *subject)
{
    return db_conn_up(subject);
}

struct db_conn *world_connect(const char *application_name)
{
    struct db_options options = {.url = url(), .application_name = application_name};
    struct db_conn *conn = db_connect(world_loop, &options, NULL, NULL);

    world_wait(conn_is_up, conn, "a connection");
    return conn;
}

struct answer {
    bool done;
    int64_t value;
};

static void answered(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata)
{
    struct answer *answer = userdata;

    ck_assert_msg(outcome == DB_COMMITTED, "%s", err ? err->message : "");
    if (db_rows(results[0]) > 0)
        answer->value = db_i64(results[0], 0, 0);
    answer->done = true;
}

int64_t world_query(const struct db_sql *sql, const struct db_param *params, int n)
{
    struct answer answer = {0};

    db_query(world_conn, sql, params, n, answered, &answer);
    world_wait_flag(&answer.done, sql->name);
    return answer.value;
}

void world_query_until(const struct db_sql *sql, const struct db_param *params, int n)
{
    uint64_t end_us = clock_monotonic_us() + WAIT_MS * UINT64_C(1000);

    while (world_query(sql, params, n) == 0)
        ck_assert_msg(clock_monotonic_us() < end_us, "%s: not within %d ms", sql->name, WAIT_MS);
}

int64_t world_count(const struct db_sql *sql)
{
    return world_query(sql, NULL, 0);
}

int64_t world_of_shard(const struct db_sql *sql, uint16_t shard)
{
    struct db_param params[] = {DB_I16_PARAM(shard)};

    return world_query(sql, params, 1);
}

void world_run(const char *command)
{
    ck_assert_msg(system(command) == 0, "%s failed", command);
}

int64_t world_now_us(void)
{
    return base_us;
}

void world_setup(void)
{
    struct slice set = {plankton_descriptor_set, plankton_descriptor_set_bytes};
    struct error error = {0};
    size_t applied;

    ck_assert_msg(db_migrate(url(), plankton_migrations, PLANKTON_MIGRATIONS_COUNT, NULL, NULL,
                             &applied, &error) == STATUS_OK,
                  "%s", error.message);
    ck_assert_int_eq(pbjson_registry_new(set, &registry, &error), STATUS_OK);
    world_loop = loop_new();
    world_conn = world_connect("test");
    base_us = clock_unix_us() / 1000 * 1000;
    world_count(&SQL_test_forget_rows);
    world_count(&SQL_test_reset_shards);
}

void world_teardown(void)
{
    db_conn_free(world_conn);
    loop_free(world_loop);
    pbjson_registry_free(registry);
}

/* ---- what a store tells ---- */

static void on_cluster(const struct store_cluster *cluster, void *userdata)
{
    struct node *node = userdata;

    node->cluster = *cluster;
    node->clusters++;
}

static void note_row(struct node *node, char *row)
{
    ck_assert_uint_lt(node->rows_len, ARRAY_LEN(node->rows));
    node->rows[node->rows_len++] = row;
}

static void note_rows(struct node *node, const struct engine_load_rows *rows)
{
    for (uint32_t i = 0; i < rows->tasks_len; i++) {
        ck_assert_uint_eq(id_shard(&rows->tasks[i].id), rows->shard);
        note_row(node, describe_task(&node->arena, &rows->tasks[i]));
    }
    for (uint32_t i = 0; i < rows->runs_len; i++) {
        ck_assert_ptr_nonnull(rows->runs[i].plan.plan);
        ck_assert_uint_eq(id_shard(&rows->runs[i].row.id), rows->shard);
        note_row(node, describe_run(&node->arena, &rows->runs[i].row));
    }
    for (uint32_t i = 0; i < rows->journals_len; i++)
        for (uint32_t k = 0; k < rows->journals[i].leases_len; k++)
            note_row(node, describe_lease(&node->arena, &rows->journals[i].leases[k]));
}

static void on_load(const struct engine_command *command, void *userdata)
{
    struct node *node = userdata;

    switch (command->kind) {
    case ENGINE_LOAD_BEGIN: {
        struct world_shard *shard = &node->shards[command->load_begin.shard];
        ck_assert_uint_eq(shard->epoch, 0);
        shard->begin = command->load_begin;
        shard->begin.queues = arena_memdup(&node->arena, shard->begin.queues,
                                           shard->begin.queues_len * sizeof *shard->begin.queues);
        for (uint32_t i = 0; i < shard->begin.queues_len; i++) {
            struct engine_queue_name *name = (struct engine_queue_name *)&shard->begin.queues[i];
            name->queue = arena_strdup(&node->arena, name->queue);
        }
        shard->begin.due_queues =
            arena_memdup(&node->arena, shard->begin.due_queues,
                         shard->begin.due_queues_len * sizeof *shard->begin.due_queues);
        shard->begin.settings =
            arena_memdup(&node->arena, shard->begin.settings,
                         shard->begin.settings_len * sizeof *shard->begin.settings);
        for (uint32_t i = 0; i < shard->begin.settings_len; i++) {
            struct engine_queue_row *row = (struct engine_queue_row *)&shard->begin.settings[i];
            row->name = arena_strdup(&node->arena, row->name);
            row->actor = arena_strdup(&node->arena, row->actor);
            row->reason = arena_strdup(&node->arena, row->reason);
        }
        shard->begin.key_hashes =
            arena_memdup(&node->arena, shard->begin.key_hashes,
                         shard->begin.key_hashes_len * sizeof *shard->begin.key_hashes);
        break;
    }
    case ENGINE_LOAD_ROWS:
        note_rows(node, &command->load_rows);
        break;
    default: {
        ck_assert_int_eq(command->kind, ENGINE_LOAD_END);
        struct world_shard *shard = &node->shards[command->shard.shard];
        shard->epoch = shard->begin.epoch;
        shard->seq = shard->begin.seq;
        shard->loads++;
    }
    }
}

static void on_lost(uint16_t number, const char *why, void *userdata)
{
    struct node *node = userdata;
    struct world_shard *shard = &node->shards[number];

    ck_assert_uint_ne(shard->epoch, 0); /* once for each load */
    ck_assert(!store_shard_valid(node->store, number));
    shard->epoch = 0;
    shard->losses++;
    snprintf(shard->why, sizeof shard->why, "%s", why);
}

static void on_health(const char *why, void *userdata)
{
    struct node *node = userdata;

    snprintf(node->health, sizeof node->health, "%s", why ? why : "");
}

struct test_plan {
    struct arena arena;
    const struct plan *plan;
    struct node *node;
};

static enum status plan_of(const struct id *plan_id, uint32_t version, struct slice document,
                           struct engine_plan *ret, void *userdata, struct error *err)
{
    struct node *node = userdata;
    struct test_plan *plan = arena_zalloc(&node->arena, sizeof *plan);

    node->plans_asked++;
    arena_init(&plan->arena, 0);
    plan->node = node;
    ck_assert_msg(plan_compile(document, &plan->arena, &plan->plan, err) == STATUS_OK, "%s",
                  err->message);
    *ret = (struct engine_plan){.plan = plan->plan, .owner = plan};
    return STATUS_OK;
}

static void plan_done(struct engine_plan *plan, void *userdata)
{
    struct test_plan *owner = plan->owner;

    owner->node->plans_done++;
    arena_fini(&owner->arena);
}

/* ---- nodes ---- */

struct node *node_new_with(const char *instance, void (*adjust)(struct store_options *options))
{
    static const struct store_callbacks callbacks = {
        .on_cluster = on_cluster,
        .on_load = on_load,
        .on_lost = on_lost,
        .on_health = on_health,
        .plan_of = plan_of,
        .plan_done = plan_done,
    };
    struct node *node = mem_zalloc(sizeof *node);
    struct store_options options = {.database = url(),
                                    .registry = registry,
                                    .instance = instance,
                                    .address = "127.0.0.1:1",
                                    .read_connections = 2,
                                    .shard_lease_ms = 60000,
                                    .renew_ms = 200,
                                    .lease_margin_ms = 1000,
                                    .statement_timeout_ms = 10000,
                                    .lock_timeout_ms = 300};

    if (adjust)
        adjust(&options);
    arena_init(&node->arena, 0);
    node->store = store_new(world_loop, &options, &callbacks, node);
    return node;
}

struct node *node_new(const char *instance)
{
    return node_new_with(instance, NULL);
}

static bool owns_all(void *subject)
{
    struct node *node = subject;

    for (uint16_t i = 0; i < WORLD_SHARDS; i++)
        if (!node->shards[i].epoch || !store_shard_valid(node->store, i))
            return false;
    return true;
}

void node_wait_owned(struct node *node)
{
    world_wait(owns_all, node, "all shards are owned");
}

struct node *node_owning(const char *instance)
{
    struct node *node = node_new(instance);

    node_wait_owned(node);
    return node;
}

struct shard_wait {
    struct node *node;
    uint16_t shard;
    uint32_t above;
};

static bool epoch_above(void *subject)
{
    struct shard_wait *wait = subject;

    return wait->node->shards[wait->shard].epoch > wait->above;
}

void node_wait_epoch(struct node *node, uint16_t shard, uint32_t above)
{
    struct shard_wait wait = {node, shard, above};

    world_wait(epoch_above, &wait, "the shard is loaded under a new epoch");
}

static bool losses_above(void *subject)
{
    struct shard_wait *wait = subject;

    return wait->node->shards[wait->shard].losses > wait->above;
}

void node_wait_lost(struct node *node, uint16_t shard, unsigned more_than)
{
    struct shard_wait wait = {node, shard, more_than};

    world_wait(losses_above, &wait, "the shard is lost");
}

static void stopped(void *userdata)
{
    *(bool *)userdata = true;
}

void node_kill(struct node *node)
{
    store_free(node->store);
    ck_assert_uint_eq(node->plans_asked, node->plans_done);
    arena_fini(&node->arena);
    free(node);
}

void node_stop(struct node *node)
{
    store_stop(node->store, stopped, &node->stopped);
    world_wait_flag(&node->stopped, "the store has stopped");
    node_kill(node);
}

bool node_has_row(const struct node *node, const char *row)
{
    for (size_t i = 0; i < node->rows_len; i++)
        if (str_eq(node->rows[i], row))
            return true;
    for (size_t i = 0; i < node->rows_len; i++)
        fprintf(stderr, "loaded: %s\n", node->rows[i]);
    fprintf(stderr, "sought: %s\n", row);
    return false;
}

void node_forget(struct node *node)
{
    node->rows_len = 0;
}

/* ---- batches ---- */

static void batch_written(bool durable, const struct store_events *events, size_t n, void *userdata)
{
    struct written *written = userdata;

    ck_assert(!written->done);
    written->done = true;
    written->durable = durable;
    written->order = ++world_answers;
    written->events_len = n;
    ck_assert_uint_le(n, ARRAY_LEN(written->events));
    for (size_t i = 0; i < n; i++)
        written->events[i] = events[i];
}

struct engine_shard_batch node_batch(struct node *node, uint16_t number)
{
    struct world_shard *shard = &node->shards[number];

    ck_assert_uint_ne(shard->epoch, 0);
    return (struct engine_shard_batch){.shard = number,
                                       .epoch = shard->epoch,
                                       .seq = ++shard->seq,
                                       .clock_us = base_us,
                                       .event_next = shard->begin.event_next,
                                       .event_acked = shard->begin.event_acked,
                                       .journal_low = shard->begin.journal_low};
}

struct written *node_write(struct node *node, struct engine_shard_batch *shards, uint32_t n)
{
    struct written *written = arena_zalloc(&node->arena, sizeof *written);

    if (n > 0)
        written->batch.shards = arena_memdup(&node->arena, shards, n * sizeof *shards);
    written->batch.shards_len = n;
    store_write(node->store, &written->batch, batch_written, written);
    ck_assert(!written->done); /* never from inside */
    return written;
}

void written_wait(struct written *written)
{
    world_wait_flag(&written->done, "the batch is answered");
}

/* ---- rows ---- */

struct id world_id(uint16_t shard)
{
    ids++;
    return id_make((uint64_t)base_us / 1000, shard, ids << 40 | ids);
}

struct engine_task_row world_task(uint16_t shard)
{
    struct engine_task_row row = {.id = world_id(shard),
                                  .namespace_id = 1,
                                  .spec = {.type = "noop", .queue = "default", .priority = 5},
                                  .created_us = base_us,
                                  .step = "",
                                  .change = {.state = ENGINE_TASK_READY}};

    row.change.id = row.id;
    row.change.cancel.actor = row.change.cancel.reason = "";
    row.change.failure.code = row.change.failure.message = row.change.failure.step = "";
    return row;
}

struct engine_run_row world_run_row(uint16_t shard, const struct id *plan)
{
    struct engine_run_row row = {.id = world_id(shard),
                                 .namespace_id = 1,
                                 .plan_id = *plan,
                                 .plan_name = "p",
                                 .plan_version = 1,
                                 .input = slice_of("{\"a\":1}"),
                                 .labels = slice_of("{\"team\":\"x\"}"),
                                 .created_us = base_us,
                                 .change = {.state = ENGINE_RUN_RUNNING}};

    row.change.id = row.id;
    row.change.counts.total = 3;
    row.change.counts.by_state[ENGINE_TASK_READY] = 2;
    row.change.cancel.actor = row.change.cancel.reason = "";
    row.change.failure.code = row.change.failure.message = row.change.failure.step = "";
    return row;
}

static char *id_text(struct arena *arena, const struct id *id)
{
    char *text = arena_alloc(arena, ID_TEXT_BYTES);

    if (id_is_nil(id))
        return "-";
    id_format(id, text);
    return text;
}

static char *describe_end(struct arena *arena, const struct engine_cancel *cancel,
                          const struct engine_failure *failure)
{
    return arena_printf(arena, "cancel %lld %s %s failure %s %s %.*s %d", (long long)cancel->at_us,
                        cancel->actor, cancel->reason, failure->code, failure->message,
                        (int)failure->details.len, failure->details.data, failure->non_retryable);
}

char *describe_task(struct arena *arena, const struct engine_task_row *row)
{
    const struct engine_task_change *change = &row->change;
    const struct engine_spec *spec = &row->spec;

    return arena_printf(
        arena,
        "task %s ns %u %s/%s/%d params %.*s spec %.*s created %lld run %s step %s retry %s state "
        "%d "
        "attempt %u failures %u lost %u by %u worker %s report %d due %lld started %lld finished "
        "%lld %s result %.*s parked %d %lld",
        id_text(arena, &row->id), row->namespace_id, spec->type, spec->queue, (int)spec->priority,
        (int)spec->parameters.len, spec->parameters.data, (int)spec->spec_text.len,
        spec->spec_text.data, (long long)row->created_us, id_text(arena, &row->run), row->step,
        id_text(arena, &row->retry_of), change->state, change->attempt, change->failures,
        change->lost, change->recorded_by, id_text(arena, &change->worker),
        change->closed_by_report, (long long)change->due_us, (long long)change->started_us,
        (long long)change->finished_us, describe_end(arena, &change->cancel, &change->failure),
        (int)change->result.len, change->result.data, row->parked, (long long)row->parked_due_us);
}

char *describe_run(struct arena *arena, const struct engine_run_row *row)
{
    const struct engine_run_change *change = &row->change;

    return arena_printf(
        arena,
        "run %s ns %u plan %s %s %u input %.*s labels %.*s created %lld rerun %s state %d started "
        "%lld finished %lld %s pause %lld %s %s step %s output %.*s counts %u %u %u parked %d",
        id_text(arena, &row->id), row->namespace_id, id_text(arena, &row->plan_id), row->plan_name,
        row->plan_version, (int)row->input.len, row->input.data, (int)row->labels.len,
        row->labels.data, (long long)row->created_us, id_text(arena, &row->rerun_of), change->state,
        (long long)change->started_us, (long long)change->finished_us,
        describe_end(arena, &change->cancel, &change->failure), (long long)change->pause.at_us,
        change->pause.actor ? change->pause.actor : "",
        change->pause.reason ? change->pause.reason : "", change->failure.step,
        (int)change->output.len, change->output.data, change->counts.total,
        change->counts.by_state[ENGINE_TASK_READY], change->counts.by_state[ENGINE_TASK_SUCCEEDED],
        row->parked);
}

char *describe_lease(struct arena *arena, const struct engine_lease *lease)
{
    return arena_printf(arena, "lease %s attempt %u worker %s started %lld epoch %u seq %llu",
                        id_text(arena, &lease->task), lease->attempt,
                        id_text(arena, &lease->worker), (long long)lease->started_us, lease->epoch,
                        (unsigned long long)lease->seq);
}

int main(void)
{
    Suite *suite = suite_create("store");
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, schema_tcase());
    suite_add_tcase(suite, batch_tcase());
    suite_add_tcase(suite, fence_tcase());
    suite_add_tcase(suite, takeover_tcase());
    suite_add_tcase(suite, refill_tcase());
    suite_add_tcase(suite, plans_tcase());
    suite_add_tcase(suite, keys_tcase());
    suite_add_tcase(suite, reads_tcase());
    suite_add_tcase(suite, retention_tcase());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
