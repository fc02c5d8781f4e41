/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong, at which rate. Each seed has its own mixture. */
#include "sim.h"

struct fault {
    struct world *world;
    int64_t mean_us;
    void (*fn)(struct world *world);
};

static struct controller *some_controller(struct world *world)
{
    return &world->controllers[sim_below(world, world->controllers_len)];
}

static struct worker_node *some_worker(struct world *world)
{
    return &world->workers[sim_below(world, world->workers_len)];
}

static void crash(struct world *world)
{
    host_crash(some_controller(world), 500 * MS + sim_below(world, 10 * SECOND));
}

static void pause_controller(struct world *world)
{
    struct controller *controller = some_controller(world);

    sim_log(world, "c%d pauses", controller->number);
    controller->node.paused_until = world->now + sim_below(world, 12 * SECOND);
}

static void takeover(struct world *world)
{
    host_take(some_controller(world), (uint16_t)sim_below(world, SHARDS));
}

static void db_break(struct world *world)
{
    struct controller *controller = some_controller(world);

    sim_log(world, "c%d loses its connection to the database", controller->number);
    host_break_connection(controller);
}

static void db_back(struct world *world, void *data)
{
    world->db.away = false;
    (void)data;
}

static void db_away(struct world *world)
{
    sim_log(world, "the database is away");
    world->db.away = true;
    for (int i = 0; i < world->controllers_len; i++) {
        if (sim_chance(world, 50))
            host_break_connection(&world->controllers[i]);
    }
    sim_at(world, sim_below(world, 8 * SECOND), NULL, db_back, NULL);
}

/* The time of the database is another, as after a failover to a machine whose clock is wrong. */
static void jump_clock(struct world *world)
{
    int64_t by = sim_below(world, 25 * SECOND) - 8 * SECOND;

    sim_log(world, "the clock of the database jumps by %lld us", (long long)by);
    world->hits[by > 0 ? HIT_CLOCK_FORWARD : HIT_CLOCK_BACK]++;
    world->db.clock_skew += by;
}

static void break_stream(struct world *world)
{
    struct worker_node *worker = some_worker(world);
    struct stream *stream = worker->streams[sim_below(world, world->controllers_len)];

    if (stream)
        stream_break(stream);
}

static void crash_worker(struct world *world)
{
    worker_crash(some_worker(world), 200 * MS + sim_below(world, 12 * SECOND));
}

static void pause_worker(struct world *world)
{
    struct worker_node *worker = some_worker(world);
    int64_t span = sim_below(world, 25 * SECOND);

    sim_log(world, "w%d pauses", worker->number);
    worker->node.paused_until = world->now + span;
    worker->node.fault_us = worker->node.paused_until;
}

struct cutting {
    struct worker_node *worker;
    int controller;
};

static void uncut(struct world *world, void *data)
{
    struct cutting *cutting = data;

    cutting->worker->cut[cutting->controller] = false;
    cutting->worker->node.fault_us = world->now;
}

static void cut(struct world *world)
{
    struct worker_node *worker = some_worker(world);
    struct cutting *cutting = ARENA_NEW(&world->arena, struct cutting);

    cutting->worker = worker;
    cutting->controller = (int)sim_below(world, world->controllers_len);
    sim_log(world, "w%d is cut off from c%d", worker->number, cutting->controller);
    worker->cut[cutting->controller] = true;
    sim_at(world, sim_below(world, 25 * SECOND), NULL, uncut, cutting);
}

static void strike(struct world *world, void *data)
{
    struct fault *fault = data;

    if (world->healing)
        return;
    fault->fn(world);
    sim_at(world, fault->mean_us / 4 + sim_below(world, fault->mean_us * 3 / 2), NULL, strike,
           fault);
}

static void add(struct world *world, int64_t mean_us, void (*fn)(struct world *world))
{
    struct fault *fault = ARENA_NEW(&world->arena, struct fault);

    if (!mean_us)
        return;
    *fault = (struct fault){world, mean_us, fn};
    sim_at(world, 3 * SECOND + sim_below(world, mean_us), NULL, strike, fault);
}

static int64_t rate(struct world *world, int64_t percent)
{
    return sim_chance(world, percent) ? 4 * SECOND + sim_below(world, 26 * SECOND) : 0;
}

void faults_start(struct world *world)
{
    struct profile *p = &world->profile;
    bool workers = sim_chance(world, 60); /* else only controllers and database */

    p->crash_us = rate(world, 50);
    p->pause_us = rate(world, 40);
    p->takeover_us = rate(world, 60);
    p->batch_fail_us = rate(world, 30);
    p->db_break_us = rate(world, 50);
    p->db_away_us = sim_chance(world, 25) ? 20 * SECOND + sim_below(world, 30 * SECOND) : 0;
    p->clock_us = rate(world, 30);
    p->stream_us = rate(world, 60);
    p->worker_crash_us = workers ? rate(world, 50) : 0;
    p->worker_pause_us = workers ? rate(world, 40) : 0;
    p->cut_us = workers ? rate(world, 40) : 0;
    p->double_result = sim_chance(world, 50) ? 20 : 0;
    p->late_commit = sim_chance(world, 50) ? 60 : 0;
    p->slow = sim_chance(world, 70) ? 5 : 25;
    p->break_at_take = sim_chance(world, 30) ? 20 : 0;
    add(world, p->crash_us, crash);
    add(world, p->pause_us, pause_controller);
    add(world, p->takeover_us, takeover);
    add(world, p->db_break_us, db_break);
    add(world, p->db_away_us, db_away);
    add(world, p->clock_us, jump_clock);
    add(world, p->stream_us, break_stream);
    add(world, p->worker_crash_us, crash_worker);
    add(world, p->worker_pause_us, pause_worker);
    add(world, p->cut_us, cut);
}
