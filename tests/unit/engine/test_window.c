/* SPDX-License-Identifier: Apache-2.0 */
/* Windows: what is on disk only comes back once, in order, and is missed by nobody. */
#include <time.h>
#include "harness.h"

#define DISK_MAX 256
#define FEW 100
#define MANY 20000
#define ANSWERS 500

static struct bench bench;

/* A database of one shard that has parked rows and the texts of their tasks. */
static struct {
    struct engine_task_row rows[DISK_MAX];
    uint32_t len;
    uint64_t seq;
} disk;

static void open_shard(void)
{
    bench_load(&bench, 0, 1);
}

static void setup(void)
{
    bench_init(&bench);
    engine_free(bench.engine);
    bench.config.window_tasks = 8;
    bench.engine = engine_new(&bench.config);
    memset(&disk, 0, sizeof(disk));
    open_shard();
}

static void teardown(void)
{
    bench_fini(&bench);
}

static struct engine_task_row *find(const struct id *id)
{
    for (uint32_t i = 0; i < disk.len; i++) {
        if (id_eq(&disk.rows[i].id, id))
            return &disk.rows[i];
    }
    return NULL;
}

static void store_parked(const struct engine_shard_batch *batch)
{
    for (uint32_t i = 0; i < batch->parked_remove_len; i++) {
        struct engine_task_row *row = find(&batch->parked_remove[i].id);

        ck_assert_ptr_nonnull(row);
        ck_assert_int_eq(row->parked, batch->parked_remove[i].reason);
        ck_assert_int_eq(row->parked_due_us, batch->parked_remove[i].due_us);
        row->parked = 0;
    }
    for (uint32_t i = 0; i < batch->parked_add_len; i++) {
        struct engine_task_row *row = find(&batch->parked_add[i].id);

        ck_assert_ptr_nonnull(row);
        ck_assert_int_eq(row->parked, 0);
        row->parked = batch->parked_add[i].reason;
        row->parked_due_us = batch->parked_add[i].due_us;
    }
}

/* Cuts and stores; the batch is durable afterwards. */
static void commit(void)
{
    const struct engine_batch *batch = bench_cut(&bench);

    for (uint32_t k = 0; k < batch->shards_len; k++) {
        const struct engine_shard_batch *shard = &batch->shards[k];

        for (uint32_t i = 0; i < shard->tasks_insert_len; i++) {
            disk.rows[disk.len] = shard->tasks_insert[i];
            disk.rows[disk.len++].parked = 0;
        }
        for (uint32_t i = 0; i < shard->tasks_update_len; i++)
            find(&shard->tasks_update[i].id)->change = shard->tasks_update[i];
        for (uint32_t i = 0; i < shard->tasks_succeed_len; i++)
            find(&shard->tasks_succeed[i].id)->change.state = ENGINE_TASK_SUCCEEDED;
        store_parked(shard);
        disk.seq = shard->seq;
    }
}

static bool before(const struct engine_task_row *a, const struct engine_task_row *b)
{
    if (a->parked == ENGINE_PARKED_DUE && a->parked_due_us != b->parked_due_us)
        return a->parked_due_us < b->parked_due_us;
    if (a->parked == ENGINE_PARKED_READY &&
        engine_rank(a->spec.priority, &a->id) != engine_rank(b->spec.priority, &b->id))
        return engine_rank(a->spec.priority, &a->id) < engine_rank(b->spec.priority, &b->id);
    return id_cmp(&a->id, &b->id) < 0;
}

static bool wanted(const struct engine_task_row *row, const struct engine_refill *refill)
{
    struct engine_task_row place = {.id = refill->id,
                                    .spec.priority = refill->priority,
                                    .parked = refill->reason,
                                    .parked_due_us = refill->after_us};

    if (row->parked != refill->reason)
        return false;
    if (refill->reason == ENGINE_PARKED_READY &&
        strcmp(strrchr(refill->queue, '/') + 1, row->spec.type) != 0)
        return false;
    if (refill->reason == ENGINE_PARKED_DUE && row->parked_due_us > refill->until_us)
        return false;
    return refill->from_start || before(&place, row);
}

/* Answers every refill that waits from the disk as it is now; returns how many there were. */
static uint32_t answer_refills(void)
{
    uint32_t answered = 0;

    for (struct engine_effect *e = bench_immediate(&bench); e; e = e->next) {
        static struct engine_task_row rows[DISK_MAX];
        uint32_t len = 0, total = 0;

        if (e->kind != ENGINE_REFILL)
            continue;
        for (uint32_t i = 0; i < disk.len; i++) {
            uint32_t at = 0;

            if (!wanted(&disk.rows[i], &e->refill))
                continue;
            total++;
            while (at < len && before(&rows[at], &disk.rows[i]))
                at++;
            memmove(&rows[at + 1], &rows[at], (len - at) * sizeof(rows[0]));
            rows[at] = disk.rows[i];
            len++;
        }
        len = MIN_OF(len, e->refill.limit);
        for (uint32_t i = 0; i < len; i++)
            rows[i].spec.retry = ENGINE_RETRY_DEFAULT;
        bench_apply(&bench,
                    &(struct engine_command){.kind = ENGINE_REFILL_ROWS,
                                             .refill_rows = {.read = e->refill.read,
                                                             .seq = disk.seq,
                                                             .tasks = rows,
                                                             .tasks_len = len,
                                                             .at_end = len == total,
                                                             .due_next_us = ENGINE_FOREVER}});
        answered++;
    }
    return answered;
}

static struct engine_stats stats(void)
{
    struct engine_stats s;

    engine_stats(bench.engine, &s);
    return s;
}

START_TEST(a_flood_beyond_the_window_is_parked_and_leaves_memory)
{
    struct engine_spec spec = bench_spec("noop");

    for (int i = 0; i < 40; i++)
        bench_submit(&bench, 0, &spec);
    commit();
    bench_durable(&bench, 0, 1, disk.seq);
    ck_assert_uint_eq(disk.len, 40);
    ck_assert_uint_le(stats().tasks_in_memory, 8);
    ck_assert_uint_ge(stats().tasks_in_memory, 6);
}
END_TEST

START_TEST(all_come_back_once_and_in_order)
{
    struct engine_spec spec = bench_spec("noop");
    struct id last = {{0}};
    uint32_t done = 0;

    for (int i = 0; i < 40; i++)
        bench_submit(&bench, 0, &spec);
    commit();
    bench_worker(&bench, 1, 1, "noop", 0);
    for (int round = 0; round < 100 && done < 40; round++) {
        answer_refills();
        bench_credit(&bench, 1, 1);
        commit();
        for (uint32_t i = 0; bench_effect(&bench, ENGINE_DISPATCH, i); i++) {
            struct id id = bench_effect(&bench, ENGINE_DISPATCH, i)->dispatch.lease.task;

            ck_assert_int_lt(id_cmp(&last, &id), 0);
            last = id;
            bench_result(&bench, 1, &id, 1, "{}");
            done++;
        }
    }
    commit();
    ck_assert_uint_eq(done, 40);
    for (uint32_t i = 0; i < disk.len; i++) {
        ck_assert_int_eq(disk.rows[i].change.state, ENGINE_TASK_SUCCEEDED);
        ck_assert_int_eq(disk.rows[i].parked, 0);
    }
}
END_TEST

START_TEST(an_urgent_task_passes_those_on_disk)
{
    struct engine_spec spec = bench_spec("noop");
    struct id urgent;

    for (int i = 0; i < 40; i++)
        bench_submit(&bench, 0, &spec);
    spec.priority = 9;
    urgent = bench_submit(&bench, 0, &spec);
    commit();
    bench_worker(&bench, 1, 1, "noop", 1);
    commit();
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &urgent));
}
END_TEST

START_TEST(an_insert_that_the_read_could_not_see_is_not_missed)
{
    struct engine_spec spec = bench_spec("noop");
    struct engine_effect *refill;
    uint32_t done = 0;

    for (int i = 0; i < 12; i++)
        bench_submit(&bench, 0, &spec);
    commit();
    bench_worker(&bench, 1, 1, "noop", 8);
    commit();
    done += bench_effects(&bench, ENGINE_DISPATCH);
    refill = bench_immediate(&bench);
    while (refill && refill->kind != ENGINE_REFILL)
        refill = refill->next;
    ck_assert_ptr_nonnull(refill);
    /* The read began here and sees nothing; what is parked now comes after it. */
    bench_submit(&bench, 0, &spec);
    commit();
    bench_durable(&bench, 0, 1, disk.seq);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_REFILL_ROWS,
                                                 .refill_rows = {.read = refill->refill.read,
                                                                 .seq = disk.seq - 1,
                                                                 .at_end = true,
                                                                 .due_next_us = ENGINE_FOREVER}});
    bench_credit(&bench, 1, 20);
    commit();
    done += bench_effects(&bench, ENGINE_DISPATCH);
    ck_assert_uint_ge(done, 7);
    ck_assert_uint_eq(stats().tasks_by_state[ENGINE_TASK_READY], 0);
}
END_TEST

START_TEST(a_task_far_in_the_future_is_parked_and_comes_back_in_time)
{
    struct engine_spec spec = bench_spec("noop");

    spec.run_at_us = bench.now_us + INT64_C(600) * 1000000;
    bench_submit(&bench, 0, &spec);
    commit();
    ck_assert_int_eq(disk.rows[0].parked, ENGINE_PARKED_DUE);
    ck_assert_uint_eq(stats().tasks_in_memory, 0);
    bench_worker(&bench, 1, 1, "noop", 1);
    for (int s = 0; s < 600; s++) {
        bench_pass(&bench, 1000);
        bench_beat(&bench, 1);
        answer_refills();
        if (s < 598)
            ck_assert(!engine_has_batch(bench.engine));
    }
    commit();
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
}
END_TEST

START_TEST(a_waiting_task_is_parked_when_it_is_a_minute_old)
{
    struct engine_spec spec = bench_spec("noop");

    bench_submit(&bench, 0, &spec);
    commit();
    ck_assert_int_eq(disk.rows[0].parked, 0);
    for (int i = 0; i < 13; i++)
        bench_pass(&bench, 5000);
    commit();
    ck_assert_int_eq(disk.rows[0].parked, ENGINE_PARKED_READY);
    bench_worker(&bench, 1, 1, "noop", 1);
    commit();
    bench_result(&bench, 1, &disk.rows[0].id, 1, "{}");
    commit();
    ck_assert_int_eq(disk.rows[0].parked, 0);
}
END_TEST

START_TEST(a_task_on_disk_can_be_cancelled_and_watched)
{
    struct engine_spec spec = bench_spec("noop");
    struct engine_task_row row;
    struct id far;

    for (int i = 0; i < 20; i++)
        far = bench_submit(&bench, 0, &spec);
    commit();
    bench_immediate(&bench);
    bench_apply(&bench,
                &(struct engine_command){.kind = ENGINE_WATCH_TASK, .ticket = 70, .by_id.id = far});
    bench_cancel(&bench, &far);
    row = *find(&far);
    row.spec.retry = ENGINE_RETRY_DEFAULT;
    for (struct engine_effect *e = bench_immediate(&bench); e; e = e->next) {
        if (e->kind == ENGINE_TASK_LOOKUP)
            bench_apply(&bench, &(struct engine_command){.kind = ENGINE_TASK_ROW,
                                                         .task_row = {e->task_lookup.read, &row}});
    }
    commit();
    ck_assert_int_eq(find(&far)->change.state, ENGINE_TASK_CANCELLED);
    ck_assert_int_eq(find(&far)->parked, 0);
    ck_assert_int_eq(bench_reply(&bench, 70)->task->state, ENGINE_TASK_CANCELLED);
}
END_TEST

static void watch(const struct id *id, uint64_t ticket)
{
    bench_apply(&bench, &(struct engine_command){
                            .kind = ENGINE_WATCH_TASK, .ticket = ticket, .by_id.id = *id});
}

START_TEST(watched_tasks_on_disk_stay_until_their_end_or_their_watchers_leave)
{
    struct engine_spec spec = bench_spec("noop");
    uint32_t told = 0;

    for (uint64_t i = 0; i < 40; i++) {
        struct id id = bench_submit(&bench, 0, &spec);

        watch(&id, 1000 + i);
    }
    commit();
    bench_durable(&bench, 0, 1, disk.seq);
    ck_assert_uint_eq(stats().tasks_in_memory, 40);
    for (uint64_t i = 30; i < 40; i++)
        bench_apply(&bench, &(struct engine_command){.kind = ENGINE_UNWATCH, .ticket = 1000 + i});
    bench_durable(&bench, 0, 1, disk.seq);
    ck_assert_uint_eq(stats().tasks_in_memory, 30);
    bench_worker(&bench, 1, 1, "noop", 0);
    for (int round = 0; round < 100; round++) {
        answer_refills();
        bench_credit(&bench, 1, 1);
        commit();
        for (uint64_t i = 0; i < 40; i++) {
            const struct engine_reply *reply = bench_reply(&bench, 1000 + i);

            ck_assert(!reply || i < 30);
            told += reply && reply->task->state == ENGINE_TASK_SUCCEEDED;
        }
        for (uint32_t i = 0; bench_effect(&bench, ENGINE_DISPATCH, i); i++)
            bench_result(&bench, 1, &bench_effect(&bench, ENGINE_DISPATCH, i)->dispatch.lease.task,
                         1, "{}");
    }
    ck_assert_uint_eq(told, 30);
    for (uint32_t i = 0; i < disk.len; i++)
        ck_assert_int_eq(disk.rows[i].change.state, ENGINE_TASK_SUCCEEDED);
}
END_TEST

/* CPU time of ANSWERS answers of the database, in µs, while so many tasks on disk are watched. */
static clock_t cost_of_answers(uint64_t watched)
{
    const struct engine_batch *batch;
    struct engine_spec spec = bench_spec("noop");
    clock_t least = 0;

    teardown();
    setup();
    for (uint64_t i = 0; i < watched; i++) {
        struct id id = bench_submit(&bench, 0, &spec);

        watch(&id, 1000000 + i);
    }
    batch = bench_cut(&bench);
    ck_assert_uint_eq(stats().tasks_in_memory, watched);
    for (int round = 0; round < 5; round++) {
        clock_t begun = clock(), took;

        for (int i = 0; i < ANSWERS; i++)
            bench_durable(&bench, 0, 1, batch->shards[0].seq);
        took = clock() - begun;
        least = round == 0 ? took : MIN_OF(least, took);
    }
    return least * 1000000 / CLOCKS_PER_SEC;
}

START_TEST(an_answer_costs_the_same_however_many_tasks_on_disk_are_watched)
{
    clock_t few = cost_of_answers(FEW), many = cost_of_answers(MANY);

    ck_assert_msg(many < 10 * few + 2000, "%d answers: %ld us with %d watched, %ld us with %d",
                  ANSWERS, (long)few, FEW, (long)many, MANY);
}
END_TEST

START_TEST(tasks_that_nobody_can_do_take_no_place_from_the_others_of_their_queue)
{
    struct engine_spec spec = bench_spec("rare");
    struct id id;

    for (int i = 0; i < 40; i++)
        bench_submit(&bench, 0, &spec);
    commit();
    spec = bench_spec("noop");
    id = bench_submit(&bench, 0, &spec);
    bench_worker(&bench, 1, 1, "noop", 1);
    commit();
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
    ck_assert(id_eq(&bench_effect(&bench, ENGINE_DISPATCH, 0)->dispatch.lease.task, &id));
}
END_TEST

/* Its parked row is found by the time that stands in its own row. */
START_TEST(a_parked_row_follows_the_time_of_its_task)
{
    struct engine_spec spec = bench_spec("noop");
    struct id id;

    spec.run_at_us = bench.now_us + INT64_C(600) * 1000000;
    id = bench_submit(&bench, 0, &spec);
    commit();
    bench_worker(&bench, 1, 1, "noop", 1);
    for (int s = 0; s < 601; s++) {
        bench_pass(&bench, 1000);
        bench_beat(&bench, 1);
        answer_refills();
    }
    commit();
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 1);
    bench_fail(&bench, 1, &id, 1, "X");
    commit();
    ck_assert_int_eq(disk.rows[0].parked, ENGINE_PARKED_DUE);
    ck_assert_int_eq(disk.rows[0].parked_due_us, disk.rows[0].change.due_us);
}
END_TEST

START_TEST(a_rebuild_starts_from_an_empty_window)
{
    struct engine_queue_name queue = {1, "default/noop", 1};
    struct engine_spec spec = bench_spec("noop");

    for (int i = 0; i < 20; i++)
        bench_submit(&bench, 0, &spec);
    commit();
    bench_immediate(&bench);
    bench_apply(&bench, &(struct engine_command){.kind = ENGINE_DROP});
    bench_immediate(&bench);
    for (uint32_t i = 0; i < disk.len; i++) {
        if (disk.rows[i].parked == 0) { /* they were young; by now they are parked too */
            disk.rows[i].parked = ENGINE_PARKED_READY;
            disk.rows[i].parked_due_us = 0;
        }
    }
    bench_open(&bench, 1, 1, "noop");
    bench_begin(&bench, &(struct engine_load_begin){
                            .epoch = 2, .seq = disk.seq, .queues = &queue, .queues_len = 1});
    bench_end(&bench, 0);
    bench_held(&bench, 1, 0, 2, 3, NULL, 0);
    ck_assert_uint_eq(stats().tasks_in_memory, 0);
    for (int round = 0; round < 30; round++) {
        engine_apply(bench.engine, &(struct engine_command){.kind = ENGINE_TICK});
        answer_refills();
        bench_credit(&bench, 1, 1);
    }
    commit();
    ck_assert_uint_eq(bench_effects(&bench, ENGINE_DISPATCH), 20);
}
END_TEST

Suite *window_suite(void)
{
    Suite *suite = suite_create("window");
    TCase *tcase = tcase_create("window");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_flood_beyond_the_window_is_parked_and_leaves_memory);
    tcase_add_test(tcase, all_come_back_once_and_in_order);
    tcase_add_test(tcase, an_urgent_task_passes_those_on_disk);
    tcase_add_test(tcase, an_insert_that_the_read_could_not_see_is_not_missed);
    tcase_add_test(tcase, a_task_far_in_the_future_is_parked_and_comes_back_in_time);
    tcase_add_test(tcase, a_waiting_task_is_parked_when_it_is_a_minute_old);
    tcase_add_test(tcase, a_task_on_disk_can_be_cancelled_and_watched);
    tcase_add_test(tcase, watched_tasks_on_disk_stay_until_their_end_or_their_watchers_leave);
    tcase_add_test(tcase, an_answer_costs_the_same_however_many_tasks_on_disk_are_watched);
    tcase_add_test(tcase, tasks_that_nobody_can_do_take_no_place_from_the_others_of_their_queue);
    tcase_add_test(tcase, a_parked_row_follows_the_time_of_its_task);
    tcase_add_test(tcase, a_rebuild_starts_from_an_empty_window);
    suite_add_tcase(suite, tcase);
    return suite;
}
