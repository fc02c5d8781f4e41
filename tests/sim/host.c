/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A controller around the engine, as small as it can be: batches to the database, at most two in
 * flight; effects out in order when they are durable; the shard dropped when anything is in doubt.
 */
#include "sim.h"

int64_t host_engine_time(const struct controller *controller)
{
    return controller->world->now + controller->clock_offset;
}

/* P7: by its own clock, counted from before the last renewal that succeeded was sent. */
bool host_may_act(const struct controller *controller, uint16_t shard)
{
    const struct held_shard *held = &controller->shards[shard];

    return held->epoch && controller->world->now < held->valid_until;
}

void host_apply(struct controller *controller, struct engine_command *command)
{
    struct world *world = controller->world;
    struct engine_stats stats;

    /* Bugs that stand between the messages and the engine. */
    if (world->bug == BUG_CANCEL_NOW && command->kind == ENGINE_CANCEL_TASK) {
        struct engine_cancel_task cancel = command->cancel_task;

        command->kind = ENGINE_FORCE_FINISH;
        command->force_finish = (struct engine_force_finish){
            .id = cancel.id, .state = ENGINE_TASK_CANCELLED, .actor = "x", .reason = "x"};
    }
    command->now_us = host_engine_time(controller);
    engine_apply(controller->engine, command);
    engine_stats(controller->engine, &stats);
    if (stats.stuck)
        sim_fail(world, "promise 3: c%d has %llu stuck tasks and runs", controller->number,
                 (unsigned long long)stats.stuck);
}

/* ---- effects ---- */

static struct stream *stream_by_number(struct controller *controller, uint64_t number)
{
    struct world *world = controller->world;

    for (int i = 0; i < world->workers_len; i++) {
        struct stream *stream = world->workers[i].streams[controller->number];

        if (stream && stream->number == number && stream->open_at_controller)
            return stream;
    }
    return NULL;
}

static void send_down(struct controller *controller, uint64_t number, struct down down)
{
    down.stream = stream_by_number(controller, number);
    if (down.stream)
        stream_down(down.stream, &down);
}

static void send_reply(struct world *world, const struct engine_reply *reply)
{
    client_reply(world, reply);
}

static void release(struct controller *controller, const struct engine_effect *e)
{
    struct world *world = controller->world;

    switch (e->kind) {
    case ENGINE_REPLY:
        send_reply(world, &e->reply);
        break;
    case ENGINE_DISPATCH:
        send_down(controller, e->dispatch.stream,
                  (struct down){.kind = DOWN_LEASE,
                                .shard = e->dispatch.shard,
                                .nonce = e->dispatch.nonce,
                                .task = e->dispatch.lease.task,
                                .attempt = e->dispatch.lease.attempt});
        break;
    case ENGINE_RESULT_ACK:
    case ENGINE_STALE:
        world->hits[HIT_STALE] += e->kind == ENGINE_STALE;
        send_down(controller, e->answer.stream,
                  (struct down){.kind = e->kind == ENGINE_STALE ? DOWN_STALE : DOWN_ACK,
                                .task = e->answer.task,
                                .attempt = e->answer.attempt});
        break;
    case ENGINE_CANCEL_WORK:
        send_down(controller, e->cancel.stream,
                  (struct down){.kind = DOWN_CANCEL,
                                .task = e->cancel.lease.task,
                                .attempt = e->cancel.lease.attempt});
        break;
    case ENGINE_WATCH_UPDATE:
        if (e->watch.task)
            check_view(world, e->watch.task);
        break;
    default:
        break;
    }
}

static void refuse(struct controller *controller, const struct engine_effect *e)
{
    struct engine_reply reply = e->reply;

    if (e->kind != ENGINE_REPLY)
        return;
    reply.status = STATUS_UNAVAILABLE;
    send_reply(controller->world, &reply);
}

static void release_flight(struct controller *controller, struct flight *flight)
{
    struct world *world = controller->world;

    for (struct engine_effect *e = flight->batch.effects; e; e = e->next) {
        if (e->shard != ENGINE_NO_SHARD &&
            (controller->shards[e->shard].epoch != flight->epochs[e->shard] ||
             (!host_may_act(controller, e->shard) && world->bug != BUG_EARLY_EFFECTS)))
            refuse(controller, e);
        else if (!(world->bug == BUG_VOLATILE_LEASE && e->kind == ENGINE_DISPATCH))
            release(controller, e);
    }
    flight->batch.effects = NULL;
}

/* ---- batches ---- */

/* Its texts are needed until the database has run it and the host is done with it. */
static void flight_release(struct flight *flight)
{
    if (flight->host_done && flight->db_done)
        arena_fini(&flight->arena);
}

static void host_done(struct flight *flight)
{
    list_remove(&flight->link);
    flight->host_done = true;
    flight_release(flight);
}

static void db_done(struct flight *flight)
{
    flight->db_done = true;
    flight_release(flight);
}

struct sending {
    struct controller *controller;
    struct flight *flight;
    uint64_t shift[SHARDS];
};

static void drop_flights_shards(struct controller *controller, const struct flight *flight)
{
    for (uint32_t i = 0; i < flight->batch.shards_len; i++) {
        uint16_t shard = flight->batch.shards[i].shard;

        if (controller->shards[shard].epoch != flight->epochs[shard])
            continue;
        if (controller->world->bug == BUG_KEEP_MEMORY) {
            controller->shards[shard].seq_shift++; /* goes on as if nothing had happened */
            continue;
        }
        host_drop(controller, shard);
    }
}

static void durable(struct controller *controller, const struct flight *flight)
{
    for (uint32_t i = 0; i < flight->batch.shards_len; i++) {
        const struct engine_shard_batch *shard = &flight->batch.shards[i];

        host_apply(controller,
                   &(struct engine_command){.kind = ENGINE_DURABLE,
                                            .durable = {shard->shard, shard->epoch, shard->seq}});
    }
}

/* P7: an owner that may not act is none any more, though its batch was durable. */
static void drop_silenced(struct controller *controller, const struct flight *flight)
{
    for (uint32_t i = 0; i < flight->batch.shards_len; i++) {
        uint16_t shard = flight->batch.shards[i].shard;

        if (controller->shards[shard].epoch == flight->epochs[shard] &&
            !host_may_act(controller, shard) && controller->world->bug != BUG_NO_FENCE_EPOCH) {
            controller->world->hits[HIT_SILENCED]++;
            host_drop(controller, shard);
        }
    }
}

/* From the head of the queue as far as the answers have come. */
static void settle(struct controller *controller)
{
    while (!list_empty(&controller->flights)) {
        struct flight *flight = LIST_FIRST(&controller->flights, struct flight, link);

        if (flight->sent && !flight->done)
            return;
        list_remove(&flight->link);
        if (flight->sent && !flight->ok)
            drop_flights_shards(controller, flight);
        if (flight->sent && !flight->ok) {
            for (struct engine_effect *e = flight->batch.effects; e; e = e->next)
                refuse(controller, e);
        } else {
            drop_silenced(controller, flight);
            durable(controller, flight);
            release_flight(controller, flight);
        }
        host_done(flight);
    }
}

static void replied(struct world *world, void *data)
{
    struct sending *sending = data;
    struct controller *controller = sending->controller;

    if (sending->flight->connection != controller->connection)
        return; /* P6 */
    sending->flight->done = true;
    settle(controller);
    host_pump(controller);
    (void)world;
}

static void executed(struct world *world, void *data)
{
    struct sending *sending = data;
    struct flight *flight = sending->flight;
    struct controller *controller = sending->controller;
    bool listens = flight->connection == controller->connection;

    if (world->db.away) { /* nobody answers: the connection is lost sooner or later */
        sim_at(world, 300 * MS, NULL, executed, sending);
        return;
    }
    if (!listens && !sim_chance(world, world->profile.late_commit)) {
        db_done(flight); /* the server saw that nobody listens */
        return;
    }
    if (listens && world->profile.batch_fail_us && !world->healing && sim_chance(world, 2))
        flight->ok = false; /* it fails by itself */
    else
        flight->ok = db_commit(world, &flight->batch, sending->shift);
    sim_log(world, "db: batch of c%d %s (%u rows)", controller->number,
            flight->ok ? "committed" : "refused", flight->batch.rows);
    world->hits[HIT_LATE_COMMIT] += flight->ok && !listens;
    db_done(flight);
    sim_at(world, net_delay(world), &controller->node, replied, sending);
}

static void send_batch(struct controller *controller, struct flight *flight)
{
    struct world *world = controller->world;
    struct sending *sending = ARENA_NEW(&world->arena, struct sending);
    int64_t delay = net_delay(world);

    sending->controller = controller;
    sending->flight = flight;
    for (int i = 0; i < SHARDS; i++)
        sending->shift[i] = controller->shards[i].seq_shift;
    flight->sent = true;
    flight->db_done = false;
    controller->connection_at = MAX_OF(controller->connection_at + 1, world->now + delay);
    sim_at(world, controller->connection_at - world->now, NULL, executed, sending);
}

static void early(struct controller *controller, struct flight *flight)
{
    enum bug bug = controller->world->bug;

    if (bug == BUG_EARLY_EFFECTS || (bug == BUG_DUP_ACK && flight->batch.shards_len == 0)) {
        release_flight(controller, flight);
    } else if (bug == BUG_VOLATILE_LEASE) {
        for (struct engine_effect *e = flight->batch.effects; e; e = e->next) {
            if (e->kind == ENGINE_DISPATCH)
                release(controller, e);
        }
    }
}

static void cut(struct controller *controller)
{
    struct flight *flight = ARENA_NEW(&controller->world->arena, struct flight);

    arena_init(&flight->arena, 0);
    flight->db_done = true;
    flight->connection = controller->connection;
    for (int i = 0; i < SHARDS; i++)
        flight->epochs[i] = controller->shards[i].epoch;
    engine_cut(controller->engine, &flight->arena, &flight->batch);
    list_push(&controller->flights, &flight->link);
    if (flight->batch.shards_len)
        send_batch(controller, flight);
    early(controller, flight);
}

static uint32_t in_flight(const struct controller *controller)
{
    uint32_t n = 0;

    LIST_EACH(&controller->flights, node)
    n += LIST_ENTRY(node, struct flight, link)->sent;
    return n;
}

static bool immediate(struct controller *controller)
{
    struct engine_effect *effects;
    struct arena arena;
    bool some;

    arena_init(&arena, 0);
    engine_take_immediate(controller->engine, &arena, &effects);
    some = effects != NULL;
    for (; effects; effects = effects->next) {
        switch (effects->kind) {
        case ENGINE_REPLY:
            send_reply(controller->world, &effects->reply);
            break;
        case ENGINE_TAKE:
            if (host_may_act(controller, effects->take.shard))
                send_down(controller, effects->take.stream,
                          (struct down){.kind = DOWN_TAKE,
                                        .shard = effects->take.shard,
                                        .epoch = effects->take.epoch});
            break;
        case ENGINE_KEY_LOOKUP:
        case ENGINE_TASK_LOOKUP:
        case ENGINE_REFILL:
            db_answer(controller, effects);
            break;
        case ENGINE_CLOSE_STREAM: {
            struct stream *stream = stream_by_number(controller, effects->take.stream);

            if (stream)
                stream_break(stream);
            break;
        }
        case ENGINE_SHARD_LOST:
            host_drop(controller, effects->take.shard);
            break;
        default:
            break;
        }
    }
    arena_fini(&arena);
    return some;
}

void host_pump(struct controller *controller)
{
    if (!controller->engine)
        return;
    while (immediate(controller))
        ;
    while (in_flight(controller) < 2 && engine_has_batch(controller->engine)) {
        cut(controller);
        settle(controller);
        while (immediate(controller))
            ;
    }
}

void host_drop(struct controller *controller, uint16_t shard)
{
    struct held_shard *held = &controller->shards[shard];

    if (!held->epoch)
        return;
    sim_log(controller->world, "c%d drops shard %u, epoch %u", controller->number, shard,
            held->epoch);
    *held = (struct held_shard){0};
    host_apply(controller, &(struct engine_command){.kind = ENGINE_DROP, .shard.shard = shard});
}

/* The connection is lost: whatever is in flight has an unknown outcome. */
void host_break_connection(struct controller *controller)
{
    if (!controller->engine)
        return;
    controller->connection++;
    controller->connection_at = controller->world->now;
    LIST_EACH(&controller->flights, node)
    {
        struct flight *flight = LIST_ENTRY(node, struct flight, link);

        for (struct engine_effect *e = flight->batch.effects; e; e = e->next)
            refuse(controller, e);
        host_done(flight);
    }
    for (uint16_t i = 0; i < SHARDS; i++) {
        if (controller->world->bug == BUG_KEEP_MEMORY && controller->shards[i].open)
            continue;
        host_drop(controller, i);
    }
    host_pump(controller);
}

void host_crash(struct controller *controller, int64_t down_us)
{
    struct world *world = controller->world;

    if (!controller->node.up)
        return;
    sim_log(world, "c%d crashes", controller->number);
    controller->node.life++;
    controller->node.up = false;
    controller->node.paused_until = 0;
    controller->connection++;
    LIST_EACH(&controller->flights, node)
    host_done(LIST_ENTRY(node, struct flight, link));
    engine_free(controller->engine);
    controller->engine = NULL;
    memset(controller->shards, 0, sizeof(controller->shards));
    for (int i = 0; i < world->workers_len; i++) {
        if (world->workers[i].streams[controller->number])
            stream_break(world->workers[i].streams[controller->number]);
    }
    sim_at(world, down_us, NULL, host_start, controller);
}
