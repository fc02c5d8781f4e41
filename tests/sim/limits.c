/* SPDX-License-Identifier: Apache-2.0 */
/* Limits by key, rates and limits of queues: what tasks have of them, and that they are kept. */
#include "sim.h"

#define LIMITS 3

void sim_limits(uint32_t bits, struct engine_spec *spec)
{
    static struct engine_concurrency table[SIM_BITS][LIMITS];
    static struct engine_rate rate = {"mail", SIM_RATE_LIMIT, SIM_RATE_MS, 1};
    static struct engine_limits all[SIM_BITS][2]; /* by whether the priority is odd */
    static struct engine_demands demands[SIM_BITS];
    static char texts[SIM_BITS][16];
    uint32_t len = 0, odd = (uint32_t)spec->priority % 2;
    struct engine_limits *limits = &all[bits % SIM_BITS][odd];

    bits %= SIM_BITS;
    if (bits & SIM_ATTEMPT)
        spec->timeouts.attempt_ms = ATTEMPT_MS;
    if (bits & SIM_KEY_A)
        table[bits][len++] = (struct engine_concurrency){"a", SIM_A_LIMIT, ENGINE_STRATEGY_QUEUE};
    if (bits & SIM_KEY_B)
        table[bits][len++] = (struct engine_concurrency){"b", 1, ENGINE_STRATEGY_QUEUE};
    if (bits & SIM_KEY_C)
        table[bits][len++] = (struct engine_concurrency){"c", 1, ENGINE_STRATEGY_CANCEL_RUNNING};
    *limits = (struct engine_limits){.concurrency = table[bits],
                                     .concurrency_len = len,
                                     .rates = &rate,
                                     .rates_len = (bits & SIM_RATE) != 0};
    if (bits & SIM_FAIR) {
        limits->fairness_key = odd ? "odd" : "even";
        limits->fairness_weight = odd ? 1 : 3;
    }
    spec->limits = bits & (SIM_KEY_A | SIM_KEY_B | SIM_KEY_C | SIM_RATE | SIM_FAIR) ? limits : NULL;
    demands[bits] =
        (struct engine_demands){.cost = bits & SIM_COST ? 2 : 1,
                                .resources.cpu_milli = bits & SIM_CPU ? SIM_WORKER_CPU / 2 : 0};
    spec->demands = bits & (SIM_CPU | SIM_COST) ? &demands[bits] : NULL;
    snprintf(texts[bits], sizeof(texts[bits]), "{\"sim\":%u}", bits);
    if (!spec->spec_text.len && bits)
        spec->spec_text = slice_of(texts[bits]);
}

/* The worker that a step is bound to, from its stored text; NULL: none. */
const struct engine_demands *sim_demands(struct world *world, const struct engine_spec *spec)
{
    const char *text = arena_strndup(&world->arena, spec->spec_text.len ? spec->spec_text.data : "",
                                     spec->spec_text.len);
    const char *at = strstr(text, "\"worker\":{\"id\":\"");
    struct engine_demands *demands = ARENA_NEW(&world->arena, struct engine_demands);

    if (!at ||
        !id_parse(arena_strndup(&world->arena, at + 16, ID_TEXT_BYTES - 1), &demands->worker))
        return spec->demands;
    demands->cost = 1;
    demands->only_that_worker = strstr(at, "\"only\":true") != NULL;
    return demands;
}

uint32_t sim_bits(const struct engine_spec *spec)
{
    static const char HEAD[] = "{\"sim\":";
    uint32_t bits = 0;

    if (spec->spec_text.len < sizeof(HEAD) ||
        strncmp(spec->spec_text.data, HEAD, sizeof(HEAD) - 1) != 0) /* of a step: its key alone */
        return spec->spec_text.len > 14 && memcmp(spec->spec_text.data, "{\"concurrency\"", 14) == 0
                   ? SIM_KEY_A
                   : 0;
    for (size_t i = 0; i < spec->spec_text.len; i++) {
        char c = spec->spec_text.data[i];

        if (c >= '0' && c <= '9')
            bits = bits * 10 + (uint32_t)(c - '0');
    }
    return bits;
}

struct counted {
    uint32_t a, b, c;
};

static void count_keys(struct counted *n, uint32_t bits)
{
    n->a += (bits & SIM_KEY_A) != 0;
    n->b += (bits & SIM_KEY_B) != 0;
    n->c += (bits & SIM_KEY_C) != 0;
}

static const struct db_task *open_task(struct world *world, const struct db_lease *lease)
{
    struct db_task *task = db_task(world, &lease->lease.task);

    return task && !engine_task_state_is_terminal(task->row.change.state) &&
                   db_open_lease(world, task) == lease
               ? task
               : NULL;
}

/* A queue's limit may be set below what runs; then nothing is started until less runs. */
static void check_queue(struct world *world, const struct engine_shard_batch *batch,
                        const char *name)
{
    const struct db_queue *queue = db_queue(world, batch->shard, name);
    uint32_t open = 0;

    if (!queue || !queue->row.concurrency || db_sets_queue(batch, name))
        return;
    for (uint32_t i = 0; i < world->db.leases_len; i++) {
        const struct db_lease *lease = &world->db.leases[i];
        const struct db_task *task =
            id_shard(&lease->lease.task) == batch->shard ? open_task(world, lease) : NULL;

        open += task && str_eq(task->row.spec.queue, name);
    }
    if (open > queue->row.concurrency)
        sim_fail(world, "queue %s has %u leases, at most %u are allowed", name, open,
                 queue->row.concurrency);
}

/* One bucket and the rate's share of the time, whoever owned the shard meanwhile. */
static void check_rate(struct world *world, uint16_t shard, int64_t at_us)
{
    struct db_shard *db = &world->db.shards[shard];

    assert(db->starts_len < STARTS_MAX);
    db->starts[db->starts_len++] = at_us;
    for (uint32_t i = db->starts_len; i-- > 0;) {
        int64_t allowed =
            SIM_RATE_LIMIT + (at_us - db->starts[i]) * SIM_RATE_LIMIT / (SIM_RATE_MS * MS);

        if (db->starts_len - i > allowed)
            sim_fail(world, "%u starts within %lld us under a rate of %u in %u ms",
                     db->starts_len - i, (long long)(at_us - db->starts[i]), SIM_RATE_LIMIT,
                     SIM_RATE_MS);
    }
}

/* What a worker holds of a shard: more of its controller cannot know of. */
static void check_worker(struct world *world, uint16_t shard, const struct worker_node *worker)
{
    uint32_t cpu = 0, cost = 0, costly = 0;

    for (uint32_t i = 0; i < world->db.leases_len; i++) {
        const struct db_lease *lease = &world->db.leases[i];
        const struct db_task *task =
            id_shard(&lease->lease.task) == shard && id_eq(&lease->lease.worker, &worker->id)
                ? open_task(world, lease)
                : NULL;
        uint32_t bits = task ? sim_bits(&task->row.spec) : 0;

        cpu += bits & SIM_CPU ? SIM_WORKER_CPU / 2 : 0;
        cost += task ? 1 + ((bits & SIM_COST) != 0) : 0;
        costly += (bits & SIM_COST) != 0;
    }
    if (cpu > SIM_WORKER_CPU)
        sim_fail(world, "worker %d has leases that need %u of its cpu", worker->number, cpu);
    if (costly && cost > worker->slots)
        sim_fail(world, "worker %d has leases that cost %u, and %u slots", worker->number, cost,
                 worker->slots);
}

/* A step that sticks hard runs where the one before it ended, over takeovers too. */
static void check_sticky(struct world *world, const struct db_task *task,
                         const struct engine_lease *lease)
{
    struct id before = id_derive(&task->row.run, "a", 0);
    const struct db_task *first = db_task(world, &before);

    if (!str_eq(task->row.step, "stuck"))
        return;
    if (!first || !id_eq(&first->row.change.worker, &lease->worker))
        sim_fail(world, "sticky step %s runs on another worker than the step before it",
                 sim_id(&lease->task));
}

void limits_check(struct world *world, const struct engine_shard_batch *batch)
{
    struct counted n = {0};

    if (!batch->leases_len)
        return;
    for (uint32_t i = 0; i < world->db.leases_len; i++) {
        const struct db_lease *lease = &world->db.leases[i];
        const struct db_task *task =
            id_shard(&lease->lease.task) == batch->shard ? open_task(world, lease) : NULL;

        if (task)
            count_keys(&n, sim_bits(&task->row.spec));
    }
    if (n.a > SIM_A_LIMIT || n.b > 1 || n.c > 1)
        sim_fail(world, "keys have %u, %u and %u leases, at most %u, 1 and 1 are allowed", n.a, n.b,
                 n.c, SIM_A_LIMIT);
    for (int i = 0; i < world->workers_len; i++)
        check_worker(world, batch->shard, &world->workers[i]);
    for (uint32_t i = 0; i < batch->leases_len; i++) {
        const struct engine_lease *lease = &batch->leases[i];
        const struct db_task *task = db_task(world, &lease->task);

        if (!task || lease->epoch != batch->epoch || lease->seq != batch->seq)
            continue;
        check_queue(world, batch, task->row.spec.queue);
        check_sticky(world, task, lease);
        if (sim_bits(&task->row.spec) & SIM_RATE)
            check_rate(world, batch->shard, lease->started_us);
    }
}
