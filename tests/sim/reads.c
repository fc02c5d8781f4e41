/* SPDX-License-Identifier: Apache-2.0 */
/* What a host reads from the database: a whole shard, or an answer to the engine. One snapshot. */
#include "sim.h"

struct id *db_key_find(struct world *world, uint16_t shard, const char *key)
{
    for (uint32_t i = 0; i < world->db.keys_len; i++) {
        struct db_key *row = &world->db.keys[i];

        if (row->shard == shard && str_eq(row->row.key, key))
            return &row->row.id;
    }
    return NULL;
}

static bool is_live(const struct db_task *task)
{
    return !engine_task_state_is_terminal(task->row.change.state);
}

static bool is_young(const struct world *world, const struct id *id, uint16_t shard)
{
    return (int64_t)id_unix_ms(id) * MS >= world->db.shards[shard].clock - ENGINE_YOUNG_MS * MS;
}

/* What a rebuild relies on: nothing unfinished is out of its sight. */
void db_check_findable(struct world *world, uint16_t shard)
{
    for (uint32_t i = 0; i < world->db.tasks_len; i++) {
        const struct db_task *task = &world->db.tasks[i];

        if (id_shard(&task->row.id) == shard && is_live(task) && id_is_nil(&task->row.run) &&
            !task->row.parked && !is_young(world, &task->row.id, shard) &&
            !db_open_lease(world, task))
            sim_fail(world, "P16: task %s is neither young nor parked nor leased",
                     sim_id(&task->row.id));
        if (task->row.parked == ENGINE_PARKED_DUE && is_live(task) &&
            task->row.parked_due_us != task->row.change.due_us)
            sim_fail(world, "P16: the parked row of task %s has another time than the task",
                     sim_id(&task->row.id));
    }
    for (uint32_t i = 0; i < world->db.runs_len; i++) {
        const struct engine_run_row *row = &world->db.runs[i].row;

        if (id_shard(&row->id) == shard && !engine_run_state_is_terminal(row->change.state) &&
            !row->parked && !is_young(world, &row->id, shard))
            sim_fail(world, "P16: run %s is neither young nor parked", sim_id(&row->id));
    }
}

/* What stands in the queue column of its parked row. */
const char *db_parked_queue(struct world *world, const struct db_task *task)
{
    return arena_printf(&world->arena, "%s/%s%s%s", task->row.spec.queue, task->row.spec.type,
                        task->row.group[0] ? "/" : "", task->row.group);
}

static void add_queue(struct world *world, struct engine_queue_name *queues, uint32_t *len,
                      const struct db_task *task)
{
    const char *name = db_parked_queue(world, task);

    for (uint32_t i = 0; i < *len; i++) {
        if (queues[i].namespace_id == task->row.namespace_id && str_eq(queues[i].queue, name)) {
            queues[i].parked++;
            return;
        }
    }
    queues[(*len)++] = (struct engine_queue_name){task->row.namespace_id, name, 1};
}

static void begin(struct controller *controller, uint16_t shard, uint32_t epoch,
                  const struct db_shard *at, struct arena *arena)
{
    struct world *world = controller->world;
    struct engine_command command = {.kind = ENGINE_LOAD_BEGIN};
    struct engine_load_begin *load = &command.load_begin;
    struct engine_queue_name *queues = ARENA_ARRAY(arena, struct engine_queue_name, TASKS_MAX);
    struct engine_queue_name *later = ARENA_ARRAY(arena, struct engine_queue_name, TASKS_MAX);
    struct engine_queue_row *settings =
        ARENA_ARRAY(arena, struct engine_queue_row, world->db.queues_len + 1);
    uint64_t *hashes = ARENA_ARRAY(arena, uint64_t, world->db.keys_len + 1);

    *load = (struct engine_load_begin){.shard = shard,
                                       .epoch = epoch,
                                       .seq = at->seq,
                                       .event_next = at->event_next,
                                       .event_acked = at->event_acked,
                                       .journal_low = at->journal_low,
                                       .unclean = at->unclean,
                                       .suspect = at->suspect,
                                       .clock_us = at->clock,
                                       .queues = queues,
                                       .due_queues = later,
                                       .settings = settings,
                                       .due_next_us = ENGINE_FOREVER,
                                       .key_hashes = hashes,
                                       .keys_complete = world->seed % 2 == 0};
    for (uint32_t i = 0; i < world->db.tasks_len; i++) {
        const struct db_task *task = &world->db.tasks[i];

        if (id_shard(&task->row.id) != shard)
            continue;
        if (task->row.parked == ENGINE_PARKED_READY)
            add_queue(world, queues, &load->queues_len, task);
        if (task->row.parked != ENGINE_PARKED_DUE)
            continue;
        add_queue(world, later, &load->due_queues_len, task);
        load->due_next_us = MIN_OF(load->due_next_us, task->row.parked_due_us);
    }
    for (uint32_t i = 0; i < world->db.queues_len && world->bug != BUG_FORGET_PAUSE; i++) {
        if (world->db.queues[i].shard == shard)
            settings[load->settings_len++] = world->db.queues[i].row;
    }
    for (uint32_t i = 0; i < world->db.keys_len; i++) {
        const struct db_key *key = &world->db.keys[i];

        if (key->shard == shard)
            hashes[load->key_hashes_len++] = engine_key_hash(key->row.namespace_id, key->row.key);
    }
    host_apply(controller, &command);
}

static void load_runs(struct controller *controller, uint16_t shard)
{
    struct world *world = controller->world;

    for (uint32_t i = 0; i < world->db.runs_len; i++) {
        const struct db_run *run = &world->db.runs[i];
        struct engine_run_load load = {run->row, world->plans[run->plan]};

        if (world->bug == BUG_FORGET_RUN_PAUSE)
            load.row.change.pause.at_us = 0;
        if (id_shard(&run->row.id) == shard &&
            !engine_run_state_is_terminal(run->row.change.state) &&
            (run->row.parked || is_young(world, &run->row.id, shard)))
            host_apply(controller,
                       &(struct engine_command){
                           .kind = ENGINE_LOAD_ROWS,
                           .load_rows = {.shard = shard, .runs = &load, .runs_len = 1}});
    }
}

static void load_tasks(struct controller *controller, uint16_t shard)
{
    struct world *world = controller->world;

    for (uint32_t i = 0; i < world->db.tasks_len; i++) {
        const struct db_task *task = &world->db.tasks[i];
        const struct db_run *run = db_run(world, &task->row.run);
        bool wanted = run ? !engine_run_state_is_terminal(run->row.change.state)
                          : is_live(task) && (is_young(world, &task->row.id, shard) ||
                                              db_open_lease(world, task));

        struct engine_task_row row = task->row;

        if (world->bug == BUG_FORGET_LIMITS) {
            row.spec.limits = NULL;
            row.spec.demands = NULL;
        }
        if (id_shard(&task->row.id) == shard && wanted)
            host_apply(controller,
                       &(struct engine_command){
                           .kind = ENGINE_LOAD_ROWS,
                           .load_rows = {.shard = shard, .tasks = &row, .tasks_len = 1}});
    }
}

static void load_journals(struct controller *controller, uint16_t shard)
{
    struct world *world = controller->world;

    for (uint32_t i = 0; i < world->db.leases_len; i++) {
        const struct db_lease *lease = &world->db.leases[i];
        struct engine_journal_load journal = {
            .seq = lease->row_seq, .leases = &lease->lease, .leases_len = 1};

        if (id_shard(&lease->lease.task) == shard)
            host_apply(controller,
                       &(struct engine_command){
                           .kind = ENGINE_LOAD_ROWS,
                           .load_rows = {.shard = shard, .journals = &journal, .journals_len = 1}});
    }
}

/* All at one moment: one snapshot. The answers arrive at once, which only the host can notice. */
void db_load(struct world *world, struct controller *controller, uint16_t shard, uint32_t epoch,
             const struct db_shard *at)
{
    struct arena arena;

    arena_init(&arena, 0);
    begin(controller, shard, epoch, at, &arena);
    load_runs(controller, shard);
    load_tasks(controller, shard);
    load_journals(controller, shard);
    arena_fini(&arena);
    (void)world;
}

/* ---- answers ---- */

struct answer {
    struct controller *controller;
    struct engine_effect effect; /* texts in the world's arena */
    struct engine_command command;
};

static bool before(const struct engine_task_row *a, const struct engine_task_row *b,
                   enum engine_parked_reason reason)
{
    if (reason == ENGINE_PARKED_DUE && a->parked_due_us != b->parked_due_us)
        return a->parked_due_us < b->parked_due_us;
    if (reason == ENGINE_PARKED_READY &&
        engine_rank(a->spec.priority, &a->id) != engine_rank(b->spec.priority, &b->id))
        return engine_rank(a->spec.priority, &a->id) < engine_rank(b->spec.priority, &b->id);
    return id_cmp(&a->id, &b->id) < 0;
}

static bool is_behind(const struct engine_task_row *row, const struct engine_refill *refill)
{
    struct engine_task_row place = {
        .id = refill->id, .spec.priority = refill->priority, .parked_due_us = refill->after_us};

    return refill->from_start || before(&place, row, refill->reason);
}

static bool is_asked(struct world *world, const struct db_task *task,
                     const struct engine_refill *refill)
{
    const struct engine_task_row *row = &task->row;

    if (id_shard(&row->id) != refill->shard || row->parked != refill->reason)
        return false;
    if (refill->reason == ENGINE_PARKED_READY)
        return row->namespace_id == refill->namespace_id &&
               str_eq(db_parked_queue(world, task), refill->queue) && is_behind(row, refill);
    return row->parked_due_us <= refill->until_us && is_behind(row, refill);
}

static void read_refill(struct world *world, struct answer *answer)
{
    const struct engine_refill *refill = &answer->effect.refill;
    struct engine_task_row *rows =
        ARENA_ARRAY(&world->arena, struct engine_task_row, world->db.tasks_len + 1);
    int64_t due_next = ENGINE_FOREVER;
    uint32_t len = 0;

    for (uint32_t i = 0; i < world->db.tasks_len; i++) {
        const struct db_task *task = &world->db.tasks[i];
        uint32_t at = 0;

        if (id_shard(&task->row.id) == refill->shard && task->row.parked == ENGINE_PARKED_DUE &&
            task->row.parked_due_us > refill->until_us)
            due_next = MIN_OF(due_next, task->row.parked_due_us);
        if (!is_asked(world, task, refill))
            continue;
        while (at < len && before(&rows[at], &task->row, refill->reason))
            at++;
        memmove(&rows[at + 1], &rows[at], (len - at) * sizeof(*rows));
        rows[at] = task->row;
        len++;
    }
    answer->command =
        (struct engine_command){.kind = ENGINE_REFILL_ROWS,
                                .refill_rows = {.read = refill->read,
                                                .seq = world->db.shards[refill->shard].seq,
                                                .tasks = rows,
                                                .tasks_len = MIN_OF(len, refill->limit),
                                                .at_end = len <= refill->limit,
                                                .due_next_us = due_next}};
}

static void read_key(struct world *world, struct answer *answer)
{
    const struct engine_key_lookup *lookup = &answer->effect.key_lookup;
    struct id *id = db_key_find(world, lookup->shard, lookup->key);

    answer->command =
        (struct engine_command){.kind = ENGINE_KEY_ROW, .key_row = {.read = lookup->read}};
    for (uint32_t i = 0; id && i < world->db.keys_len; i++) {
        const struct engine_key_row *row = &world->db.keys[i].row;

        if (id == &row->id && world->bug != BUG_KEY_BLIND) {
            world->hits[HIT_KEY_READ]++;
            answer->command.key_row.found = true;
            answer->command.key_row.id = row->id;
            answer->command.key_row.is_run = row->is_run;
            memcpy(answer->command.key_row.digest, row->digest, ENGINE_DIGEST_BYTES);
        }
    }
}

static void read_task(struct world *world, struct answer *answer)
{
    const struct engine_task_lookup *lookup = &answer->effect.task_lookup;
    struct db_task *task = db_task(world, &lookup->id);

    answer->command = (struct engine_command){
        .kind = ENGINE_TASK_ROW,
        .task_row = {lookup->read,
                     task ? arena_memdup(&world->arena, &task->row, sizeof(task->row)) : NULL}};
}

static void deliver(struct world *world, void *data)
{
    struct answer *answer = data;

    if (answer->effect.kind == ENGINE_REFILL && answer->command.refill_rows.tasks_len) {
        world->hits[HIT_REFILL]++;
        world->hits[HIT_REFILL_OVERTAKEN] +=
            world->db.shards[answer->effect.refill.shard].seq > answer->command.refill_rows.seq;
    }
    host_apply(answer->controller, &answer->command);
}

static void arrive(struct world *world, void *data)
{
    struct answer *answer = data;

    if (world->db.away) { /* asked again until it answers */
        sim_at(world, 500 * MS, &answer->controller->node, arrive, answer);
        return;
    }
    if (answer->effect.kind == ENGINE_REFILL)
        read_refill(world, answer);
    else if (answer->effect.kind == ENGINE_KEY_LOOKUP)
        read_key(world, answer);
    else
        read_task(world, answer);
    sim_at(world, net_delay(world), &answer->controller->node, deliver, answer);
}

void db_answer(struct controller *controller, const struct engine_effect *effect)
{
    struct world *world = controller->world;
    struct answer *answer = ARENA_NEW(&world->arena, struct answer);

    answer->controller = controller;
    answer->effect = *effect;
    if (effect->kind == ENGINE_REFILL)
        answer->effect.refill.queue = arena_strdup(&world->arena, effect->refill.queue);
    if (effect->kind == ENGINE_KEY_LOOKUP)
        answer->effect.key_lookup.key = arena_strdup(&world->arena, effect->key_lookup.key);
    sim_at(world, net_delay(world), &controller->node, arrive, answer);
}
