/* SPDX-License-Identifier: Apache-2.0 */
/* Workers: floors, nonces, what they hold, results until they are acknowledged; and the streams. */
#include "sim.h"

struct delivery {
    struct stream *stream;
    struct up up;
    struct down down;
    bool is_up, is_break;
};

/* Not the macro, which evaluates twice: one of the two is chance. */
static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool alive(const struct stream *stream)
{
    return !stream->broken && stream->worker->node.life == stream->worker_life &&
           stream->controller->node.life == stream->controller_life;
}

static bool is_cut(const struct stream *stream)
{
    return stream->worker->cut[stream->controller->number];
}

/* A stream that has lost something does not go on behind the gap. */
static bool lost_in_cut(struct stream *stream)
{
    if (is_cut(stream))
        stream_break(stream);
    return stream->broken;
}

static void arrive_up(struct world *world, void *data)
{
    struct delivery *delivery = data;
    struct stream *stream = delivery->stream;
    struct engine_command *command = &delivery->up.command;

    /* What was on its way arrives although the stream is broken by now, until that is seen. */
    if (!stream->open_at_controller || !stream->controller->engine)
        return;
    if (command->kind != ENGINE_HEARTBEAT && command->kind != ENGINE_CREDIT)
        sim_log(world, "w%d to c%d over %u: command %d, task %s", stream->worker->number,
                stream->controller->number, (unsigned)stream->number, (int)command->kind,
                command->kind == ENGINE_RESULT ? sim_id(&command->result.task) : "");
    if (world->bug == BUG_OLD_HELD && command->kind == ENGINE_HELD) {
        struct stream *latest = stream->worker->streams[stream->controller->number];

        if (latest && latest->open_at_controller)
            command->held.stream = latest->number;
    }
    host_apply(stream->controller, command);
    host_pump(stream->controller);
}

/* The result of another attempt passes for that of the open one, whoever holds that. */
static void bug_on_result(struct world *world, struct stream *stream,
                          struct engine_command *command)
{
    struct db_task *task = db_task(world, &command->result.task);
    struct db_lease *open = task ? db_open_lease(world, task) : NULL;

    for (int i = 0; open && i < world->workers_len; i++) {
        struct stream *other = world->workers[i].streams[stream->controller->number];

        if (id_eq(&world->workers[i].id, &open->lease.worker) && other) {
            command->result.attempt = open->lease.attempt;
            command->result.stream = other->number;
        }
    }
}

static void send_up(struct stream *stream, const struct engine_command *command)
{
    struct world *world = stream->worker->world;
    struct delivery *delivery = ARENA_NEW(&world->arena, struct delivery);

    if (lost_in_cut(stream) || !stream->open_at_worker)
        return;
    delivery->stream = stream;
    delivery->up.command = *command;
    if (world->bug == BUG_NO_ATTEMPT_CHECK && command->kind == ENGINE_RESULT)
        bug_on_result(world, stream, &delivery->up.command);
    stream->up_at = later(stream->up_at + 1, world->now + net_delay(world));
    sim_at(world, stream->up_at - world->now, &stream->controller->node, arrive_up, delivery);
}

/* ---- what is held ---- */

static struct hold *find_hold(struct worker_node *worker, const struct id *task, uint32_t attempt)
{
    for (int i = 0; i < HOLD_MAX; i++) {
        struct hold *hold = &worker->holds[i];

        if (hold->state != HOLD_FREE && id_eq(&hold->task, task) && hold->attempt == attempt)
            return hold;
    }
    return NULL;
}

bool worker_is_idle(const struct worker_node *worker)
{
    for (int i = 0; i < HOLD_MAX; i++) {
        if (worker->holds[i].state != HOLD_FREE)
            return false;
    }
    return true;
}

static void credit(struct stream *stream)
{
    send_up(stream, &(struct engine_command){.kind = ENGINE_CREDIT, .credit = {stream->number, 1}});
}

/* To the stream that the lease came by; one that is new began with all slots anyway. */
static void give_credit(const struct hold *hold)
{
    if (hold->stream && hold->stream->open_at_worker)
        credit(hold->stream);
}

static void drop_hold(struct hold *hold)
{
    give_credit(hold);
    hold->state = HOLD_FREE;
}

static void send_result(struct worker_node *worker, struct hold *hold)
{
    struct world *world = worker->world;
    struct stream *stream = worker->session[id_shard(&hold->task)];
    struct engine_command command = {
        .kind = ENGINE_RESULT,
        .result = {.task = hold->task,
                   .attempt = hold->attempt,
                   .token = slice_of("token"),
                   .kind = hold->result,
                   .output = slice_of(hold->attempt % 2 ? "{\"v\":1}" : "{\"v\":2}"),
                   .failure = {.code = "FAILED", .message = "chance", .step = ""}}};

    if (!stream)
        return;
    command.result.stream = stream->number;
    hold->sent = true;
    send_up(stream, &command);
    if (sim_chance(world, world->profile.double_result))
        send_up(stream, &command);
}

struct work {
    struct worker_node *worker;
    struct hold *hold;
    uint32_t serial;
};

static void work_done(struct world *world, void *data)
{
    struct work *work = data;
    struct hold *hold = work->hold;

    if (hold->serial != work->serial || hold->state != HOLD_RUNNING)
        return;
    hold->state = HOLD_FINISHED; /* on disk from now on */
    hold->result = sim_chance(world, 15) ? ENGINE_RESULT_FAILURE : ENGINE_RESULT_SUCCESS;
    if (hold->result == ENGINE_RESULT_SUCCESS && hold->attempt < 32)
        ghost(world, &hold->task)->succeeded |= 1u << hold->attempt;
    sim_log(world, "w%d finished %s attempt %u", work->worker->number, sim_id(&hold->task),
            hold->attempt);
    send_result(work->worker, hold);
}

static void stopped(struct world *world, void *data)
{
    struct work *work = data;
    struct hold *hold = work->hold;

    if (hold->serial != work->serial || hold->state != HOLD_RUNNING)
        return;
    hold->state = HOLD_FINISHED;
    hold->result = ENGINE_RESULT_CANCELLED;
    send_result(work->worker, hold);
    (void)world;
}

static struct work *work_of(struct worker_node *worker, struct hold *hold)
{
    struct work *work = ARENA_NEW(&worker->world->arena, struct work);

    *work = (struct work){worker, hold, hold->serial};
    return work;
}

static struct hold *free_hold(struct worker_node *worker)
{
    for (int i = 0; i < HOLD_MAX; i++) {
        if (worker->holds[i].state == HOLD_FREE)
            return &worker->holds[i];
    }
    return NULL;
}

static void credit_later(struct world *world, void *data)
{
    credit(data);
    (void)world;
}

/* Mostly short, some long, a few longer than any patience. */
static int64_t work_us(struct world *world)
{
    int64_t dice = sim_below(world, 100);

    return sim_below(world, dice < 80 ? 300 * MS : dice < 96 ? 15 * SECOND : 60 * SECOND);
}

static void begin(struct worker_node *worker, const struct down *message)
{
    struct world *world = worker->world;
    uint32_t busy = 0;
    struct hold *hold;

    for (int i = 0; i < HOLD_MAX; i++) {
        hold = &worker->holds[i];
        busy += hold->state == HOLD_RUNNING;
        if (hold->state == HOLD_FREE || !id_eq(&hold->task, &message->task))
            continue;
        if (hold->attempt >= message->attempt) {
            credit(message->stream);
            return;
        }
        if (world->bug != BUG_KEEP_OLD)
            drop_hold(hold); /* P12 */
    }
    hold = free_hold(worker);
    if (busy >= worker->slots || !hold) {
        struct engine_held_entry *entry = ARENA_NEW(&world->arena, struct engine_held_entry);

        *entry = (struct engine_held_entry){.task = message->task, .attempt = message->attempt};
        send_up(message->stream,
                &(struct engine_command){.kind = ENGINE_DECLINED,
                                         .declined = {.stream = message->stream->number,
                                                      .entries = entry,
                                                      .entries_len = 1,
                                                      .reason = "no slot"}});
        sim_at(world, SECOND, &worker->node, credit_later, message->stream);
        return;
    }
    *hold = (struct hold){.state = HOLD_RUNNING,
                          .task = message->task,
                          .attempt = message->attempt,
                          .stream = message->stream,
                          .serial = ++worker->serial};
    sim_log(world, "w%d begins %s attempt %u", worker->number, sim_id(&hold->task), hold->attempt);
    check_begin(world, worker, &hold->task, hold->attempt);
    sim_at(world, work_us(world), &worker->node, work_done, work_of(worker, hold));
}

/* ---- sessions ---- */

static void send_held(struct worker_node *worker, struct stream *stream, const struct down *take)
{
    struct world *world = worker->world;
    struct engine_held_entry *entries =
        ARENA_ARRAY(&world->arena, struct engine_held_entry, HOLD_MAX);
    uint32_t len = 0;

    for (int i = 0; i < HOLD_MAX; i++) {
        struct hold *hold = &worker->holds[i];

        if (hold->state == HOLD_FREE || id_shard(&hold->task) != take->shard)
            continue;
        entries[len++] = (struct engine_held_entry){.task = hold->task,
                                                    .attempt = hold->attempt,
                                                    .gone = hold->state == HOLD_GONE,
                                                    .token = slice_of("token")};
        if (hold->state == HOLD_GONE)
            hold->state = HOLD_FREE; /* said once in each session until the process lives */
    }
    send_up(stream, &(struct engine_command){.kind = ENGINE_HELD,
                                             .held = {.stream = stream->number,
                                                      .shard = take->shard,
                                                      .epoch = take->epoch,
                                                      .nonce = worker->nonce[take->shard],
                                                      .entries = entries,
                                                      .entries_len = len,
                                                      .end = true}});
    for (int i = 0; i < HOLD_MAX; i++) {
        struct hold *hold = &worker->holds[i];

        if (hold->state == HOLD_FINISHED && id_shard(&hold->task) == take->shard)
            send_result(worker, hold);
    }
}

static void on_take(struct worker_node *worker, const struct down *take)
{
    struct world *world = worker->world;
    struct stream *stream = take->stream;

    if (take->epoch < worker->floor[take->shard] && world->bug != BUG_NO_SESSION) {
        send_up(stream, &(struct engine_command){.kind = ENGINE_HELD,
                                                 .held = {.stream = stream->number,
                                                          .shard = take->shard,
                                                          .epoch = take->epoch,
                                                          .end = true,
                                                          .floor = worker->floor[take->shard]}});
        return;
    }
    worker->floor[take->shard] = take->epoch;
    worker->nonce[take->shard] = sim_random(world);
    worker->session[take->shard] = stream;
    send_held(worker, stream, take);
    if (!world->healing && sim_chance(world, world->profile.break_at_take))
        stream_break(stream);
}

static void arrive_down(struct world *world, void *data)
{
    struct delivery *delivery = data;
    struct stream *stream = delivery->stream;
    struct worker_node *worker = stream->worker;
    const struct down *down = &delivery->down;
    struct hold *hold = find_hold(worker, &down->task, down->attempt);

    if (!stream->open_at_worker)
        return;
    switch (down->kind) {
    case DOWN_TAKE:
        on_take(worker, down);
        break;
    case DOWN_LEASE:
        if (world->bug != BUG_NO_SESSION && down->nonce != worker->nonce[down->shard])
            credit(stream); /* thrown away without a word; its credit is free again */
        else
            begin(worker, down);
        break;
    case DOWN_ACK:
        if (hold && hold->state == HOLD_FINISHED) {
            check_ack(world, &hold->task, hold->attempt, hold->result);
            drop_hold(hold);
        }
        break;
    case DOWN_STALE:
        if (hold)
            drop_hold(hold);
        break;
    case DOWN_CANCEL:
        if (hold && hold->state == HOLD_RUNNING && sim_chance(world, 80)) /* some do not listen */
            sim_at(world, sim_below(world, SECOND), &worker->node, stopped, work_of(worker, hold));
        break;
    }
}

void stream_down(struct stream *stream, const struct down *message)
{
    struct world *world = stream->worker->world;
    struct delivery *delivery = ARENA_NEW(&world->arena, struct delivery);

    if (lost_in_cut(stream))
        return;
    delivery->stream = stream;
    delivery->down = *message;
    stream->down_at = later(stream->down_at + 1, world->now + net_delay(world));
    sim_at(world, stream->down_at - world->now, &stream->worker->node, arrive_down, delivery);
}

/* ---- streams ---- */

static void dial(struct worker_node *worker, int number);

struct redial {
    struct worker_node *worker;
    int number;
};

static void dial_again(struct world *world, void *data)
{
    struct redial *redial = data;

    dial(redial->worker, redial->number);
    (void)world;
}

static void seen_by_worker(struct world *world, void *data)
{
    struct stream *stream = data;
    struct worker_node *worker = stream->worker;
    struct redial *redial = ARENA_NEW(&world->arena, struct redial);

    stream->open_at_worker = false;
    for (int i = 0; i < SHARDS; i++) {
        if (worker->session[i] == stream)
            worker->session[i] = NULL;
    }
    if (worker->streams[stream->controller->number] != stream)
        return;
    worker->streams[stream->controller->number] = NULL;
    redial->worker = worker;
    redial->number = stream->controller->number;
    sim_at(world, 20 * MS + sim_below(world, 100 * MS), &worker->node, dial_again, redial);
}

static void seen_by_controller(struct world *world, void *data)
{
    struct stream *stream = data;

    if (!stream->open_at_controller)
        return;
    stream->open_at_controller = false;
    if (stream->controller->engine) {
        host_apply(stream->controller, &(struct engine_command){.kind = ENGINE_STREAM_CLOSED,
                                                                .stream = {stream->number}});
        host_pump(stream->controller);
    }
    (void)world;
}

/* Each end sees it when it does. Another stream may be open by then. */
void stream_break(struct stream *stream)
{
    struct world *world = stream->worker->world;
    struct worker_node *worker = stream->worker;

    if (stream->broken)
        return;
    stream->broken = true;
    memmove(&worker->breaks[1], &worker->breaks[0], sizeof(worker->breaks[0]) * 2);
    worker->breaks[0] = world->now;
    sim_at(world, sim_below(world, SECOND), &worker->node, seen_by_worker, stream);
    sim_at(world, sim_below(world, SECOND), &stream->controller->node, seen_by_controller, stream);
}

static void opened(struct world *world, void *data)
{
    static const char *const TYPES[] = {"noop", "rare"}; /* the second only the first worker does */
    struct stream *stream = data;
    struct worker_node *worker = stream->worker;
    struct controller *controller = stream->controller;

    if (!alive(stream) || !controller->engine || is_cut(stream)) {
        stream_break(stream);
        return;
    }
    stream->open_at_controller = true;
    host_apply(controller, &(struct engine_command){
                               .kind = ENGINE_STREAM_OPEN,
                               .stream_open = {.stream = stream->number,
                                               .worker = worker->id,
                                               .name = "w",
                                               .version = "1",
                                               .address = "sim",
                                               .types = TYPES,
                                               .types_len = worker->number == 0 ? 2 : 1,
                                               .slots = worker->slots,
                                               .resources = {.cpu_milli = SIM_WORKER_CPU}}});
    host_apply(controller, &(struct engine_command){.kind = ENGINE_CREDIT,
                                                    .credit = {stream->number, worker->slots}});
    host_pump(controller);
    (void)world;
}

static void dial(struct worker_node *worker, int number)
{
    struct world *world = worker->world;
    struct controller *controller = &world->controllers[number];
    struct stream *stream;

    if (worker->streams[number] || worker->cut[number] || !controller->node.up)
        return;
    stream = ARENA_NEW(&world->arena, struct stream);
    stream->number = ++world->next_stream;
    stream->worker = worker;
    stream->controller = controller;
    stream->worker_life = worker->node.life;
    stream->controller_life = controller->node.life;
    stream->open_at_worker = true;
    stream->up_at = world->now + net_delay(world);
    worker->streams[number] = stream;
    sim_at(world, stream->up_at - world->now, &controller->node, opened, stream);
}

static void beat(struct world *world, void *data)
{
    struct worker_node *worker = data;

    for (int i = 0; i < world->controllers_len; i++) {
        struct stream *stream = worker->streams[i];

        if (stream && !alive(stream))
            seen_by_worker(world, stream);
        else if (stream && is_cut(stream))
            stream_break(stream);
        else if (stream)
            send_up(stream,
                    &(struct engine_command){.kind = ENGINE_HEARTBEAT, .stream = {stream->number}});
        dial(worker, i);
    }
    sim_at(world, 1500 * MS + sim_below(world, SECOND), &worker->node, beat, worker);
}

void worker_start(struct world *world, void *data)
{
    struct worker_node *worker = data;

    worker->node.up = true;
    sim_log(world, "w%d starts", worker->number);
    beat(world, worker);
}

void worker_crash(struct worker_node *worker, int64_t down_us)
{
    struct world *world = worker->world;

    if (!worker->node.up)
        return;
    sim_log(world, "w%d crashes", worker->number);
    worker->node.life++;
    worker->node.up = false;
    worker->node.paused_until = 0;
    worker->node.fault_us = world->now + down_us;
    for (int i = 0; i < HOLD_MAX; i++) {
        if (worker->holds[i].state == HOLD_RUNNING)
            worker->holds[i].state = HOLD_GONE;
        worker->holds[i].serial = ++worker->serial;
    }
    for (int i = 0; i < SHARDS; i++) {
        worker->session[i] = NULL;
        worker->nonce[i] = sim_random(world);
    }
    for (int i = 0; i < world->controllers_len; i++) {
        struct stream *stream = worker->streams[i];

        if (stream) {
            stream->open_at_worker = false;
            stream->broken = true;
            sim_at(world, sim_below(world, SECOND), &stream->controller->node, seen_by_controller,
                   stream);
        }
        worker->streams[i] = NULL;
    }
    sim_at(world, down_us, NULL, worker_start, worker);
}
