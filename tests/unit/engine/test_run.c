/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"
#include "plan/plan.h"

static struct bench bench;
static struct arena arena;
static int held, released;

static void hold(void *owner)
{
    ck_assert_ptr_eq(owner, &arena);
    held++;
}

static void release(void *owner)
{
    ck_assert_ptr_eq(owner, &arena);
    released++;
}

static void setup(void)
{
    bench_init(&bench);
    bench_load(&bench, 0, 1);
    arena_init(&arena, 0);
    held = released = 0;
    bench_worker(&bench, 1, 1, "noop", 1000);
    bench_cut(&bench);
}

static void teardown(void)
{
    bench_fini(&bench);
    ck_assert_int_eq(held, released);
    arena_fini(&arena);
}

static struct engine_plan plan_of(const char *text)
{
    struct engine_plan plan = {.hold = hold, .release = release, .owner = &arena};
    struct error err = {0};
    enum status st = plan_compile(slice_of(text), &arena, &plan.plan, &err);

    ck_assert_msg(st == STATUS_OK, "%s: %s", err.field, err.message);
    return plan;
}

static struct id start(const char *text, const char *input)
{
    struct id id = bench_id(&bench, 0);

    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_START_RUN,
                                                 .ticket = bench.next_ticket++,
                                                 .start_run = {.id = id,
                                                               .namespace_id = 1,
                                                               .actor = "admin",
                                                               .plan = plan_of(text),
                                                               .plan_name = "p",
                                                               .plan_version = 1,
                                                               .input = slice_of(input),
                                                               .key = ""}});
    return id;
}

static struct id step_id(struct id run, const char *step)
{
    return id_derive(&run, step, 0);
}

static void finish(struct id run, const char *step, const char *output)
{
    struct id id = step_id(run, step);

    bench_result(&bench, 1, &id, 1, output);
}

static const struct engine_run_change *run_change(void)
{
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards_len, 1);
    ck_assert_uint_eq(bench.batch.shards[0].runs_update_len, 1);
    return &bench.batch.shards[0].runs_update[0];
}

#define CHAIN                                                                                      \
    "{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\"},"                                 \
    "{\"id\":\"b\",\"needs\":[\"a\"],\"task\":\"noop\",\"parameters\":"                            \
    "{\"x\":\"${{ steps.a.output.v }}\",\"n\":\"${{ input.n }}\"}}],"                              \
    "\"output\":{\"sum\":\"${{ steps.b.output.s }}\"}}"

START_TEST(a_step_is_made_and_leased_in_the_batch_of_the_completion_before_it)
{
    struct id run = start(CHAIN, "{\"n\":5}");
    const struct engine_shard_batch *rows = bench_rows(&bench);
    const struct engine_dispatch *dispatch;

    ck_assert_uint_eq(rows->runs_insert_len, 1);
    ck_assert_uint_eq(rows->tasks_insert_len, 1);
    ck_assert_str_eq(rows->tasks_insert[0].step, "a");
    finish(run, "a", "{\"v\":[1,2]}");
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_succeed_len, 1);
    ck_assert_uint_eq(rows->tasks_insert_len, 1);
    ck_assert_uint_eq(rows->leases_len, 1);
    dispatch = &bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch;
    ck_assert_str_eq(dispatch->step, "b");
    ck_assert(id_eq(&dispatch->run, &run));
    ck_assert(slice_is(dispatch->parameters, "{\"x\":[1,2],\"n\":5}"));
    finish(run, "b", "{\"s\":8}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_SUCCEEDED);
    ck_assert(slice_is(bench.batch.shards[0].runs_update[0].output, "{\"sum\":8}"));
    ck_assert_uint_eq(bench.batch.shards[0].runs_update[0].counts.by_state[ENGINE_TASK_SUCCEEDED],
                      2);
}
END_TEST

START_TEST(a_diamond_joins_once)
{
    struct id run = start("{\"name\":\"p\",\"steps\":["
                          "{\"id\":\"a\",\"task\":\"noop\"},"
                          "{\"id\":\"b\",\"needs\":[\"a\"],\"task\":\"noop\"},"
                          "{\"id\":\"c\",\"needs\":[\"a\"],\"task\":\"noop\"},"
                          "{\"id\":\"d\",\"needs\":[\"b\",\"c\"],\"task\":\"noop\"}]}",
                          "{}");

    bench_cut(&bench);
    finish(run, "a", "{}");
    ck_assert_uint_eq(bench_rows(&bench)->tasks_insert_len, 2);
    finish(run, "c", "{}");
    ck_assert_uint_eq(bench_rows(&bench)->tasks_insert_len, 0);
    finish(run, "b", "{}");
    ck_assert_uint_eq(bench_rows(&bench)->tasks_insert_len, 1);
    finish(run, "d", "{}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_SUCCEEDED);
}
END_TEST

START_TEST(a_failed_step_fails_the_run_after_the_rest_is_cancelled)
{
    struct id run = start("{\"name\":\"p\",\"steps\":["
                          "{\"id\":\"a\",\"task\":\"noop\",\"retry\":{\"maxAttempts\":1}},"
                          "{\"id\":\"b\",\"task\":\"noop\"},"
                          "{\"id\":\"c\",\"needs\":[\"a\",\"b\"],\"task\":\"noop\"}]}",
                          "{}");
    struct id a = step_id(run, "a"), b = step_id(run, "b");

    bench_cut(&bench);
    bench_fail(&bench, 1, &a, 1, "BOOM");
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards[0].runs_update_len, 0);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_CANCEL_WORK), 1);
    bench_apply(
        &bench,
        &(struct engine_command){
            .kind = ENGINE_RESULT,
            .result = {.stream = 1, .task = b, .attempt = 1, .kind = ENGINE_RESULT_CANCELLED}});
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_FAILED);
    ck_assert_str_eq(bench.batch.shards[0].runs_update[0].failure.code, "BOOM");
    ck_assert_str_eq(bench.batch.shards[0].runs_update[0].failure.step, "a");
    ck_assert_uint_eq(bench.batch.shards[0].runs_update[0].counts.by_state[ENGINE_TASK_SKIPPED], 1);
    ck_assert_uint_eq(bench.batch.shards[0].outcomes_len, 2);
    ck_assert_uint_eq(bench.batch.shards[0].tasks_insert_len, 0);
}
END_TEST

START_TEST(a_false_condition_skips_the_step_and_what_needs_it)
{
    struct id run = start("{\"name\":\"p\",\"steps\":["
                          "{\"id\":\"a\",\"task\":\"noop\",\"when\":\"${{ input.go }}\"},"
                          "{\"id\":\"b\",\"needs\":[\"a\"],\"task\":\"noop\"},"
                          "{\"id\":\"c\",\"needs\":[\"a\"],\"task\":\"noop\","
                          "\"when\":\"${{ steps.a.state == 'skipped' }}\"}]}",
                          "{\"go\":false}");
    const struct engine_shard_batch *rows = bench_rows(&bench);

    ck_assert_uint_eq(rows->tasks_insert_len, 3);
    ck_assert_int_eq(rows->tasks_insert[0].change.state, ENGINE_TASK_SKIPPED);
    ck_assert_int_eq(rows->tasks_insert[1].change.state, ENGINE_TASK_SKIPPED);
    ck_assert_int_eq(rows->tasks_insert[2].change.state, ENGINE_TASK_RUNNING);
    ck_assert_uint_eq(rows->outcomes_len, 0);
    finish(run, "c", "{}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_SUCCEEDED);
}
END_TEST

START_TEST(parameters_that_cannot_be_made_fail_the_step)
{
    struct id run = start(CHAIN, "{\"n\":5}");

    bench_cut(&bench);
    finish(run, "a", "{}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_FAILED);
    ck_assert_str_eq(bench.batch.shards[0].runs_update[0].failure.code, "TEMPLATE_ERROR");
    ck_assert_str_eq(bench.batch.shards[0].runs_update[0].failure.step, "b");
    ck_assert_int_eq(bench.batch.shards[0].tasks_insert[0].change.state, ENGINE_TASK_FAILED);
}
END_TEST

START_TEST(an_output_that_cannot_be_made_fails_the_run)
{
    struct id run = start(CHAIN, "{\"n\":5}");

    bench_cut(&bench);
    finish(run, "a", "{\"v\":1}");
    finish(run, "b", "{}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_FAILED);
    ck_assert_str_eq(bench.batch.shards[0].runs_update[0].failure.code, "TEMPLATE_ERROR");
}
END_TEST

START_TEST(a_cancelled_run_ends_when_its_last_task_has)
{
    struct id run = start(CHAIN, "{\"n\":5}");
    struct id a = step_id(run, "a");

    bench_cut(&bench);
    bench_apply(&bench, &(struct engine_command){
                            .kind = ENGINE_CANCEL_RUN,
                            .ticket = 90,
                            .by_id = {.id = run, .actor = "admin", .reason = "no more"}});
    bench_cut(&bench);
    ck_assert(bench_reply(&bench, 90)->cancel_requested);
    ck_assert_int_eq(bench.batch.shards[0].runs_update[0].state, ENGINE_RUN_RUNNING);
    bench_result(&bench, 1, &a, 1, "{}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_CANCELLED);
    ck_assert_str_eq(bench.batch.shards[0].runs_update[0].cancel.reason, "no more");
}
END_TEST

static const struct engine_reply *ask_run(enum engine_command_kind kind, const struct id *run,
                                          const char *reason)
{
    uint64_t ticket = bench.next_ticket++;

    bench_apply(&bench,
                &(struct engine_command){.kind = kind,
                                         .ticket = ticket,
                                         .by_id = {.id = *run, .actor = "ann", .reason = reason}});
    bench_cut(&bench);
    return bench_reply(&bench, ticket);
}

#define PAIR                                                                                       \
    "{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\"},"                                 \
    "{\"id\":\"b\",\"task\":\"noop\"},{\"id\":\"c\",\"needs\":[\"a\"],\"task\":\"noop\"}]}"

START_TEST(a_paused_run_starts_nothing_and_records_what_runs)
{
    const struct engine_reply *reply;
    struct id run, b;

    run = start(PAIR, "{}");
    b = step_id(run, "b");
    bench_cut(&bench);
    reply = ask_run(ENGINE_PAUSE_RUN, &run, "rain");
    ck_assert_int_eq(reply->run->row.change.state, ENGINE_RUN_PAUSED);
    ck_assert_str_eq(reply->run->waiting_for, "paused by ann: rain");
    ck_assert_int_eq(bench.batch.shards[0].runs_update[0].state, ENGINE_RUN_PAUSED);
    ck_assert_str_eq(bench.batch.shards[0].runs_update[0].pause.actor, "ann");
    ck_assert_str_eq(bench_event(&bench, ENGINE_EVENT_RUN_PAUSED)->reason, "rain");
    finish(run, "a", "{}");
    bench_fail(&bench, 1, &b, 1, "BOOM");
    ck_assert_uint_eq(bench_rows(&bench)->tasks_succeed_len, 1);  /* recorded */
    ck_assert_uint_eq(bench.batch.shards[0].tasks_insert_len, 0); /* c is not made */
    bench_pass(&bench, 4000);
    bench_beat(&bench, 1);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    ck_assert_int_eq(bench_state(&bench, &b), ENGINE_TASK_READY); /* its backoff is over */
    reply = ask_run(ENGINE_READ_RUN_TASKS, &run, "");
    ck_assert_str_eq(reply->tasks[1].waiting_for, "its run is paused by ann: rain");
    ck_assert_str_eq(reply->tasks[2].waiting_for, "its run is paused by ann: rain");
    reply = ask_run(ENGINE_RESUME_RUN, &run, "sun");
    ck_assert_int_eq(reply->run->row.change.state, ENGINE_RUN_RUNNING);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 2);
    ck_assert_str_eq(bench_event(&bench, ENGINE_EVENT_RUN_RESUMED)->reason, "sun");
    finish(run, "c", "{}");
    bench_result(&bench, 1, &b, 2, "{}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_SUCCEEDED);
    ck_assert_int_eq(bench.batch.shards[0].runs_update[0].pause.at_us, 0);
}
END_TEST

/* Steps that stand in a lane leave it, whether or not a worker comes afterwards. */
START_TEST(ready_steps_of_a_paused_run_are_not_given_to_a_worker_that_comes)
{
    struct id run = start("{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"rare\"}]}", "{}");

    bench_cut(&bench);
    ask_run(ENGINE_PAUSE_RUN, &run, "rain");
    bench_worker(&bench, 2, 2, "rare", 10);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    ask_run(ENGINE_RESUME_RUN, &run, "");
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
}
END_TEST

START_TEST(pausing_and_resuming_what_is_so_changes_nothing)
{
    struct id run = start(CHAIN, "{\"n\":1}");

    bench_cut(&bench);
    ck_assert_int_eq(ask_run(ENGINE_RESUME_RUN, &run, "")->status, STATUS_OK);
    ck_assert_uint_eq(bench.batch.shards_len, 0);
    ask_run(ENGINE_PAUSE_RUN, &run, "rain");
    ask_run(ENGINE_PAUSE_RUN, &run, "rain");
    ck_assert_uint_eq(bench.batch.shards_len, 0);
    ask_run(ENGINE_PAUSE_RUN, &run, "snow");
    ck_assert_str_eq(bench.batch.shards[0].runs_update[0].pause.reason, "snow");
    finish(run, "a", "{\"v\":1}");
    ask_run(ENGINE_RESUME_RUN, &run, "");
    finish(run, "b", "{\"s\":1}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_SUCCEEDED);
    ck_assert_int_eq(ask_run(ENGINE_PAUSE_RUN, &run, "late")->status, STATUS_FAILED_PRECONDITION);
    ck_assert_int_eq(ask_run(ENGINE_RESUME_RUN, &run, "late")->status, STATUS_FAILED_PRECONDITION);
}
END_TEST

START_TEST(a_paused_run_can_be_cancelled_fail_and_end)
{
    struct id cancelled = start(CHAIN, "{\"n\":1}"), failed, ended;
    struct id a = step_id(cancelled, "a");

    bench_cut(&bench);
    ask_run(ENGINE_PAUSE_RUN, &cancelled, "rain");
    ck_assert(ask_run(ENGINE_CANCEL_RUN, &cancelled, "enough")->cancel_requested);
    ck_assert_int_eq(ask_run(ENGINE_PAUSE_RUN, &cancelled, "snow")->status,
                     STATUS_FAILED_PRECONDITION); /* it is about to end */
    bench_result(&bench, 1, &a, 1, "{}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_CANCELLED);
    failed = start("{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\","
                   "\"retry\":{\"maxAttempts\":1}},{\"id\":\"b\",\"task\":\"rare\"}]}",
                   "{}");
    a = step_id(failed, "a");
    bench_cut(&bench);
    ask_run(ENGINE_PAUSE_RUN, &failed, "rain");
    bench_fail(&bench, 1, &a, 1, "BOOM");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_FAILED);
    ended = start("{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\"}]}", "{}");
    bench_cut(&bench);
    ask_run(ENGINE_PAUSE_RUN, &ended, "rain");
    finish(ended, "a", "{}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_SUCCEEDED); /* nothing was left to start */
}
END_TEST

START_TEST(a_pause_survives_a_takeover)
{
    struct id run = start(PAIR, "{}");
    const struct engine_shard_batch *rows = bench_rows(&bench);
    struct engine_run_load load = {.row = rows->runs_insert[0], .plan = plan_of(PAIR)};
    struct engine_task_row row[2] = {rows->tasks_insert[0], rows->tasks_insert[1]};

    ask_run(ENGINE_PAUSE_RUN, &run, "rain");
    load.row.change = bench.batch.shards[0].runs_update[0];
    row[0].change.state = ENGINE_TASK_SUCCEEDED;
    row[0].change.attempt = 1;
    row[0].spec.retry = row[1].spec.retry = ENGINE_RETRY_DEFAULT;
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_DROP});
    bench_immediate(&bench);
    bench_begin(&bench, &(struct engine_load_begin){.epoch = 2, .seq = 2, .event_next = 9});
    bench_apply(&bench,
                &(struct engine_command){
                    .kind = ENGINE_LOAD_ROWS,
                    .load_rows = {.runs = &load, .runs_len = 1, .tasks = row, .tasks_len = 2}});
    bench_end(&bench, 0);
    bench_immediate(&bench);
    bench_held(&bench, 1, 0, 2, 3, NULL, 0);
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    ck_assert_str_eq(ask_run(ENGINE_READ_RUN, &run, "")->run->waiting_for, "paused by ann: rain");
    ask_run(ENGINE_RESUME_RUN, &run, "");
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 2); /* b, and c whose need was met */
}
END_TEST

START_TEST(a_watch_of_a_run_gets_a_snapshot_then_updates_then_the_end)
{
    struct id run = start(CHAIN, "{\"n\":5}");
    const struct engine_reply *reply;
    uint64_t last = 0;

    bench_cut(&bench);
    bench_apply(&bench,
                &(struct engine_command){.kind = ENGINE_WATCH_RUN, .ticket = 91, .by_id.id = run});
    bench_cut(&bench);
    reply = bench_reply(&bench, 91);
    ck_assert_uint_eq(reply->tasks_len, 2);
    ck_assert_int_eq(reply->tasks[0].state, ENGINE_TASK_RUNNING);
    ck_assert(reply->tasks[1].is_step_only);
    ck_assert_str_eq(reply->tasks[1].row.step, "b");
    last = reply->event_number;
    finish(run, "a", "{\"v\":1}");
    bench_cut(&bench);
    ck_assert_uint_ge(bench_effects(&bench, ENGINE_WATCH_UPDATE), 2);
    ck_assert_uint_gt(bench_effect(&bench, ENGINE_WATCH_UPDATE, 0)->watch.event_number, last);
    finish(run, "b", "{\"s\":1}");
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_WATCH_END), 1);
    ck_assert_int_eq(bench_effect(&bench, ENGINE_WATCH_END, 0)->watch.status, STATUS_OK);
}
END_TEST

START_TEST(a_watch_of_a_run_that_is_over_ends_at_once)
{
    struct id run = bench_id(&bench, 0);

    bench_apply(&bench,
                &(struct engine_command){.kind = ENGINE_WATCH_RUN, .ticket = 92, .by_id.id = run});
    bench_cut(&bench);
    ck_assert(bench_reply(&bench, 92)->not_in_memory);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_WATCH_END), 1);
}
END_TEST

START_TEST(the_specification_of_a_step_is_stored_as_the_contract_writes_it)
{
    const struct engine_shard_batch *rows;

    start("{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\",\"labels\":{\"k\":\"v\"},"
          "\"environment\":{\"requires\":{\"gpu\":\"true\"}},"
          "\"retry\":{\"maxAttempts\":5,\"initialBackoff\":\"250ms\",\"budget\":\"1h\"},"
          "\"timeout\":{\"attempt\":\"5m\"}}]}",
          "{}");
    rows = bench_rows(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0); /* no worker has a gpu */
    ck_assert_msg(slice_is(rows->tasks_insert[0].spec.spec_text,
                           "{\"environment\":{\"requires\":{\"gpu\":\"true\"}},"
                           "\"retry\":{\"maxAttempts\":5,\"initialBackoff\":\"0.250s\","
                           "\"budget\":\"3600s\"},"
                           "\"timeout\":{\"attempt\":\"300s\"},\"labels\":{\"k\":\"v\"}}"),
                  "%.*s", (int)rows->tasks_insert[0].spec.spec_text.len,
                  rows->tasks_insert[0].spec.spec_text.data);
}
END_TEST

START_TEST(the_limits_of_a_step_are_made_from_its_run_and_stored)
{
    static const char LIMITED[] = "{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\","
                                  "\"concurrency\":[{\"key\":\"host-${{ input.h }}\",\"limit\":1}],"
                                  "\"rateLimits\":[{\"key\":\"r\",\"limit\":5,\"per\":\"1500ms\"}],"
                                  "\"fairness\":{\"key\":\"${{ input.h }}\",\"weight\":3}}]}";
    const struct engine_shard_batch *rows;

    bench_pass(&bench, 4000);
    bench_beat(&bench, 1);
    start(LIMITED, "{\"h\":\"x\"}");
    rows = bench_rows(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
    ck_assert_msg(
        slice_is(rows->tasks_insert[0].spec.spec_text,
                 "{\"concurrency\":[{\"key\":\"host-x\",\"limit\":1,"
                 "\"strategy\":\"CONCURRENCY_STRATEGY_QUEUE\"}],"
                 "\"rateLimits\":[{\"key\":\"r\",\"per\":\"1.500s\",\"limit\":5,\"units\":1}],"
                 "\"fairness\":{\"key\":\"x\",\"weight\":3}}"),
        "%.*s", (int)rows->tasks_insert[0].spec.spec_text.len,
        rows->tasks_insert[0].spec.spec_text.data);
    start(LIMITED, "{\"h\":\"x\"}");
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 0);
    start(LIMITED, "{\"h\":\"y\"}");
    bench_cut(&bench);
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
}
END_TEST

START_TEST(a_hard_sticky_step_waits_for_the_worker_of_the_one_before)
{
    struct engine_spec plain = bench_spec("noop");
    const struct engine_shard_batch *rows;
    const struct engine_effect *last;
    uint64_t first;
    struct id run;

    bench_worker(&bench, 2, 2, "noop", 4);
    run = start("{\"name\":\"p\",\"steps\":["
                "{\"id\":\"a\",\"task\":\"noop\",\"sticky\":\"soft\"},"
                "{\"id\":\"b\",\"task\":\"noop\",\"needs\":[\"a\"],\"sticky\":\"hard\"}]}",
                "{}");
    bench_cut(&bench);
    first = bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.stream;
    for (int i = 0; i < 1100; i++) /* more than the credit of both */
        bench_submit(&bench, 0, &plain);
    bench_cut(&bench);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_RESULT,
                                                 .result = {.stream = first,
                                                            .task = step_id(run, "a"),
                                                            .attempt = 1,
                                                            .token = slice_of("token"),
                                                            .kind = ENGINE_RESULT_SUCCESS,
                                                            .output = slice_of("{}")}});
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_insert_len, 1);
    ck_assert_uint_gt(rows->tasks_insert[0].spec.spec_text.len, 0);
    bench_credit(&bench, 3 - first, 60);
    bench_cut(&bench);
    for (uint32_t i = 0; i < bench_effects(&bench, ENGINE_DISPATCH); i++)
        ck_assert_str_ne(bench_effect(&bench, ENGINE_DISPATCH, i)->dispatch.step, "b");
    bench_credit(&bench, first, 1);
    bench_cut(&bench);
    last = bench_effect(&bench, ENGINE_DISPATCH, 0);
    ck_assert_str_eq(last->dispatch.step, "b");
    ck_assert_uint_eq(last->dispatch.stream, first);
}
END_TEST

/* A run is stopped in the middle and loaded from its rows: what follows is found again. */
START_TEST(a_loaded_run_goes_on_where_its_rows_stand)
{
    struct id run = start(CHAIN, "{\"n\":5}");
    struct engine_run_load load = {.plan = plan_of(CHAIN)};
    struct engine_task_row row;
    const struct engine_shard_batch *rows = bench_rows(&bench);

    load.row = rows->runs_insert[0];
    row = rows->tasks_insert[0];
    row.change.state = ENGINE_TASK_SUCCEEDED;
    row.change.attempt = 1;
    row.change.result = slice_of("{\"v\":3}");
    row.spec.retry = ENGINE_RETRY_DEFAULT;
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_DROP});
    bench_immediate(&bench);
    bench_begin(&bench, &(struct engine_load_begin){.epoch = 2, .seq = 1, .event_next = 4});
    bench_apply(&bench,
                &(struct engine_command){
                    .kind = ENGINE_LOAD_ROWS,
                    .load_rows = {.runs = &load, .runs_len = 1, .tasks = &row, .tasks_len = 1}});
    bench_end(&bench, 0);
    rows = bench_rows(&bench);
    ck_assert_uint_eq(rows->tasks_insert_len, 1);
    ck_assert_str_eq(rows->tasks_insert[0].step, "b");
    ck_assert(slice_is(rows->tasks_insert[0].spec.parameters, "{\"x\":3,\"n\":5}"));
    ck_assert_uint_eq(rows->runs_insert_len, 0);
    bench_immediate(&bench);
    bench_held(&bench, 1, 0, 2, 3, NULL, 0);
    bench_cut(&bench);
    finish(run, "b", "{\"s\":1}");
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_SUCCEEDED);
}
END_TEST

START_TEST(a_loaded_run_whose_step_failed_ends)
{
    struct id run = start("{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\"},"
                          "{\"id\":\"b\",\"task\":\"noop\"}]}",
                          "{}");
    const struct engine_shard_batch *rows = bench_rows(&bench);
    struct engine_run_load load = {.row = rows->runs_insert[0]};
    struct engine_task_row row[2] = {rows->tasks_insert[0], rows->tasks_insert[1]};

    load.plan = plan_of("{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\"},"
                        "{\"id\":\"b\",\"task\":\"noop\"}]}");
    row[0].change.state = ENGINE_TASK_FAILED;
    row[0].change.failure = (struct engine_failure){.code = "X", .message = "", .step = ""};
    row[0].spec.retry = row[1].spec.retry = ENGINE_RETRY_DEFAULT;
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_DROP});
    bench_begin(&bench, &(struct engine_load_begin){.epoch = 2, .seq = 1});
    bench_apply(&bench,
                &(struct engine_command){
                    .kind = ENGINE_LOAD_ROWS,
                    .load_rows = {.runs = &load, .runs_len = 1, .tasks = row, .tasks_len = 2}});
    bench_end(&bench, 0);
    ck_assert_int_eq(run_change()->state, ENGINE_RUN_FAILED);
    ck_assert_str_eq(bench.batch.shards[0].runs_update[0].failure.step, "a");
    ck_assert(id_eq(&bench.batch.shards[0].runs_update[0].id, &run));
    ck_assert_int_eq(bench.batch.shards[0].tasks_update[0].state, ENGINE_TASK_CANCELLED);
}
END_TEST

START_TEST(the_same_key_starts_one_run)
{
    struct engine_command command = {.kind = ENGINE_START_RUN,
                                     .start_run = {.namespace_id = 1,
                                                   .actor = "admin",
                                                   .plan = plan_of(CHAIN),
                                                   .plan_name = "p",
                                                   .input = slice_of("{\"n\":1}"),
                                                   .key = "once"}};

    for (uint64_t i = 0; i < 2; i++) {
        command.ticket = 100 + i;
        command.start_run.id = bench_id(&bench, 0);
        bench_apply(&bench, &command);
    }
    bench_cut(&bench);
    ck_assert_uint_eq(bench.batch.shards[0].runs_insert_len, 1);
    ck_assert(bench.batch.shards[0].keys_insert[0].is_run);
    ck_assert(bench_reply(&bench, 101)->duplicate);
    ck_assert(id_eq(&bench_reply(&bench, 101)->id, &bench_reply(&bench, 100)->id));
}
END_TEST

Suite *run_suite(void)
{
    Suite *suite = suite_create("run");
    TCase *tcase = tcase_create("run");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_step_is_made_and_leased_in_the_batch_of_the_completion_before_it);
    tcase_add_test(tcase, a_diamond_joins_once);
    tcase_add_test(tcase, a_failed_step_fails_the_run_after_the_rest_is_cancelled);
    tcase_add_test(tcase, a_false_condition_skips_the_step_and_what_needs_it);
    tcase_add_test(tcase, parameters_that_cannot_be_made_fail_the_step);
    tcase_add_test(tcase, an_output_that_cannot_be_made_fails_the_run);
    tcase_add_test(tcase, a_cancelled_run_ends_when_its_last_task_has);
    tcase_add_test(tcase, a_paused_run_starts_nothing_and_records_what_runs);
    tcase_add_test(tcase, ready_steps_of_a_paused_run_are_not_given_to_a_worker_that_comes);
    tcase_add_test(tcase, pausing_and_resuming_what_is_so_changes_nothing);
    tcase_add_test(tcase, a_paused_run_can_be_cancelled_fail_and_end);
    tcase_add_test(tcase, a_pause_survives_a_takeover);
    tcase_add_test(tcase, a_watch_of_a_run_gets_a_snapshot_then_updates_then_the_end);
    tcase_add_test(tcase, a_watch_of_a_run_that_is_over_ends_at_once);
    tcase_add_test(tcase, the_specification_of_a_step_is_stored_as_the_contract_writes_it);
    tcase_add_test(tcase, the_limits_of_a_step_are_made_from_its_run_and_stored);
    tcase_add_test(tcase, a_hard_sticky_step_waits_for_the_worker_of_the_one_before);
    tcase_add_test(tcase, a_loaded_run_goes_on_where_its_rows_stand);
    tcase_add_test(tcase, a_loaded_run_whose_step_failed_ends);
    tcase_add_test(tcase, the_same_key_starts_one_run);
    suite_add_tcase(suite, tcase);
    return suite;
}
