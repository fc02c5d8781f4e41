/* SPDX-License-Identifier: Apache-2.0 */
/* Clients: submit by key and repeat until answered, then cancel, read, watch or pause what they
 * have. */
#include "sim.h"

static void try_op(struct world *world, void *data);

struct call {
    struct op *op;
    int controller;
    uint64_t ticket;
};

static struct id new_id(struct controller *controller, uint16_t shard)
{
    return id_make((uint64_t)(host_engine_time(controller) / MS), shard,
                   sim_random(controller->world));
}

static void digest_of(const char *key, uint8_t digest[ENGINE_DIGEST_BYTES])
{
    memset(digest, 0, ENGINE_DIGEST_BYTES);
    memcpy(digest, key, MIN_OF(strlen(key), (size_t)ENGINE_DIGEST_BYTES));
}

/* What is random about a task follows from its key: a repeat has the same body. */
static void fill_submit(struct controller *controller, struct op *op, struct engine_submit *submit)
{
    uint64_t body = hash_keyed(1, 2, op->key, strlen(op->key));

    submit->id = new_id(controller, op->shard);
    submit->namespace_id = 1;
    submit->actor = "client";
    submit->key = op->key;
    submit->spec = (struct engine_spec){.type = body / 64 % 8 ? "noop" : "rare",
                                        .queue = body % 2 ? "q1" : "q2",
                                        .priority = (int32_t)(body / 2 % 10),
                                        .retry = ENGINE_RETRY_DEFAULT,
                                        .parameters = slice_of("{}")};
    if (body / 8 % 10 == 0)
        submit->spec.run_at_us = host_engine_time(controller) + (int64_t)(body / 128 % 90) * SECOND;
    /* Half of them have limits, of which each is in some. */
    sim_limits(body / 16 % 2 ? (uint32_t)(body / 4096 & body / 65536) : body / 32 % 2,
               &submit->spec);
    digest_of(op->key, submit->digest);
}

static void fill_run(struct controller *controller, struct op *op, struct engine_start_run *start)
{
    start->id = new_id(controller, op->shard);
    start->namespace_id = 1;
    start->actor = "client";
    start->plan = controller->world->plans[op->plan];
    start->plan_name = "p";
    start->plan_version = op->plan; /* how the model finds it again */
    start->input = slice_of("{}");
    start->key = op->key;
    digest_of(op->key, start->digest);
}

static void arrive(struct world *world, void *data)
{
    struct call *call = data;
    struct controller *controller = &world->controllers[call->controller];
    struct op *op = call->op;
    struct engine_command command = {.ticket = call->ticket};

    if (!controller->engine)
        return;
    switch (op->kind) {
    case OP_SUBMIT:
        command.kind = ENGINE_SUBMIT;
        fill_submit(controller, op, &command.submit);
        break;
    case OP_RUN:
        command.kind = ENGINE_START_RUN;
        fill_run(controller, op, &command.start_run);
        break;
    case OP_CANCEL:
        command.kind = op->plan ? ENGINE_CANCEL_RUN : ENGINE_CANCEL_TASK;
        if (op->plan)
            command.by_id = (struct engine_by_id){op->subject, "client", "enough"};
        else
            command.cancel_task = (struct engine_cancel_task){op->subject, "client", "enough", 0};
        break;
    case OP_READ:
    case OP_WATCH:
        command.kind = op->plan              ? ENGINE_WATCH_RUN
                       : op->kind == OP_READ ? ENGINE_READ_TASK
                                             : ENGINE_WATCH_TASK;
        command.by_id.id = op->subject;
        break;
    case OP_PAUSE:
    case OP_RESUME:
        command.kind = op->kind == OP_PAUSE ? ENGINE_PAUSE_QUEUE : ENGINE_RESUME_QUEUE;
        command.queue = (struct engine_queue_command){.shard = op->shard,
                                                      .namespace_id = 1,
                                                      .queue = op->key,
                                                      .actor = "client",
                                                      .reason = "rain"};
        break;
    case OP_LIMIT:
        command.kind = ENGINE_LIMIT_QUEUE;
        command.queue = (struct engine_queue_command){.shard = op->shard,
                                                      .namespace_id = 1,
                                                      .queue = op->key,
                                                      .actor = "client",
                                                      .reason = "",
                                                      .concurrency = op->plan};
        break;
    case OP_PAUSE_RUN:
    case OP_RESUME_RUN:
        command.kind = op->kind == OP_PAUSE_RUN ? ENGINE_PAUSE_RUN : ENGINE_RESUME_RUN;
        command.by_id = (struct engine_by_id){op->subject, "client", "wait"};
        break;
    }
    /* A shard whose lease may be over answers nobody. */
    if (engine_owns(controller->engine, op->shard) && !host_may_act(controller, op->shard))
        return;
    world->hits[HIT_NOT_OWNER] += !engine_owns(controller->engine, op->shard);
    sim_log(world, "op of %s kind %d at c%d, owned %d", sim_id(&op->subject), (int)op->kind,
            call->controller, engine_owns(controller->engine, op->shard));
    host_apply(controller, &command);
    host_pump(controller);
}

static void send_call(struct world *world, struct op *op, int controller)
{
    struct call *call = ARENA_NEW(&world->arena, struct call);

    call->op = op;
    call->controller = controller;
    call->ticket = ++world->next_ticket;
    if (call->ticket >= world->tickets_cap) {
        world->tickets_cap = MAX_OF(world->tickets_cap * 2, (size_t)4096);
        world->tickets = mem_realloc(world->tickets, world->tickets_cap * sizeof(struct op *));
    }
    world->tickets[call->ticket] = op;
    sim_at(world, net_delay(world), &world->controllers[controller].node, arrive, call);
}

static void try_op(struct world *world, void *data)
{
    struct op *op = data;
    int controller = (int)sim_below(world, world->controllers_len);

    if (op->answered)
        return;
    op->tries++;
    if (world->controllers[controller].node.up) {
        send_call(world, op, controller);
        if (sim_chance(world, 5)) /* the network sends it twice */
            send_call(world, op, controller);
    }
    sim_at(world, 2 * SECOND + sim_below(world, 3 * SECOND), NULL, try_op, op);
}

static void run_op(struct world *world, enum op_kind kind, const struct id *run, int64_t delay_us)
{
    struct op *op;

    assert(world->ops_len < OPS_MAX);
    op = &world->ops[world->ops_len++];
    *op = (struct op){
        .kind = kind, .world = world, .shard = id_shard(run), .subject = *run, .plan = 1};
    sim_at(world, delay_us, NULL, try_op, op);
}

static void follow(struct world *world, const struct op *first)
{
    struct op *op;
    int64_t dice = sim_below(world, 100);

    if (world->ops_len >= OPS_MAX - LATER_OPS)
        return;
    if (first->kind == OP_RUN && sim_chance(world, 40))
        run_op(world, OP_PAUSE_RUN, &first->id, sim_below(world, 3 * SECOND));
    if (dice >= 60)
        return;
    op = &world->ops[world->ops_len++];
    *op = (struct op){.kind = dice < 20   ? OP_CANCEL
                              : dice < 40 ? OP_READ
                                          : OP_WATCH,
                      .world = world,
                      .shard = first->shard,
                      .subject = first->id,
                      .plan = first->kind == OP_RUN ? 1 : 0};
    sim_at(world, sim_below(world, 3 * SECOND), NULL, try_op, op);
}

static void on_submitted(struct world *world, struct op *op, const struct engine_reply *reply)
{
    struct id *stored = db_key_find(world, op->shard, op->key);

    if (!stored || !id_eq(stored, &reply->id))
        sim_fail(world, "I1: %s is acknowledged as %s and is not in the database", op->key,
                 sim_id(&reply->id));
    if (op->answered && !id_eq(&op->id, &reply->id))
        sim_fail(world, "I1: %s has two tasks, %s and %s", op->key, sim_id(&op->id),
                 sim_id(&reply->id));
    if (op->answered)
        return;
    op->answered = true;
    op->id = reply->id;
    follow(world, op);
}

static void on_cancelled(struct world *world, struct op *op, const struct engine_reply *reply)
{
    struct db_task *task = db_task(world, &op->subject);
    struct ghost_task *g = ghost(world, &op->subject);

    op->answered = true;
    if (op->plan)
        return;
    if (!task) {
        sim_fail(world, "I1: task %s was acknowledged and is unknown", sim_id(&op->subject));
    } else if (reply->status == STATUS_FAILED_PRECONDITION) {
        if (!engine_task_state_is_terminal(task->row.change.state))
            sim_fail(world, "P3: task %s is said to be finished and is not", sim_id(&op->subject));
    } else if (reply->cancel_requested) {
        g->cancel_acked = true;
        if (!task->row.change.cancel.at_us)
            sim_fail(world, "I5: a cancel of task %s is acknowledged and not recorded",
                     sim_id(&op->subject));
    } else {
        g->cancelled_acked = true;
        if (task->row.change.state != ENGINE_TASK_CANCELLED)
            sim_fail(world, "I2: task %s is said to be cancelled and is not", sim_id(&op->subject));
    }
}

static void on_read(struct world *world, struct op *op, const struct engine_reply *reply)
{
    op->answered = true;
    if (op->plan)
        return;
    if (reply->status == STATUS_NOT_FOUND || !db_task(world, &op->subject))
        sim_fail(world, "I1: task %s was acknowledged and is unknown", sim_id(&op->subject));
    else if (reply->task)
        check_view(world, reply->task);
    if (op->kind == OP_WATCH && db_task(world, &op->subject) &&
        !engine_task_state_is_terminal(db_task(world, &op->subject)->row.change.state))
        sim_fail(world, "P3: the watch of task %s is answered before its end",
                 sim_id(&op->subject));
}

static void queue_op(struct world *world, enum op_kind kind, uint16_t shard, const char *queue,
                     int64_t delay_us)
{
    struct op *op;

    assert(world->ops_len < OPS_MAX);
    op = &world->ops[world->ops_len++];
    *op = (struct op){.kind = kind, .world = world, .shard = shard};
    if (kind == OP_LIMIT)
        op->plan = (uint32_t)sim_below(world, 5);
    snprintf(op->key, sizeof(op->key), "%s", queue);
    sim_at(world, delay_us, NULL, try_op, op);
}

/* An acknowledged pause is on disk, unless somebody has resumed the queue meanwhile. */
static void on_queue(struct world *world, struct op *op, const struct engine_reply *reply)
{
    const struct db_queue *queue = db_queue(world, op->shard, op->key);

    op->answered = true;
    if (reply->status == STATUS_OK && op->kind == OP_PAUSE && !queue)
        sim_fail(world, "a pause of queue %s is acknowledged and not recorded", op->key);
    if (op->kind == OP_PAUSE)
        queue_op(world, OP_RESUME, op->shard, op->key, sim_below(world, 20 * SECOND));
}

/* Likewise; that nothing is leased while it is paused, the database sees. */
static void on_run(struct world *world, struct op *op, const struct engine_reply *reply)
{
    const struct db_run *run = db_run(world, &op->subject);

    op->answered = true;
    if (op->kind != OP_PAUSE_RUN || reply->status != STATUS_OK)
        return;
    if (!run || !run->pauses)
        sim_fail(world, "a pause of run %s is acknowledged and not recorded", sim_id(&op->subject));
    run_op(world, OP_RESUME_RUN, &op->subject, sim_below(world, 40 * SECOND));
}

/* Late twins of a pause may still be on their way: resumed twice. */
void clients_heal(struct world *world)
{
    uint32_t len = world->ops_len;

    for (uint32_t i = 0; i < len; i++) {
        if (world->ops[i].kind != OP_PAUSE_RUN)
            continue;
        run_op(world, OP_RESUME_RUN, &world->ops[i].subject, 0);
        run_op(world, OP_RESUME_RUN, &world->ops[i].subject, 40 * SECOND);
    }
    for (uint16_t shard = 0; shard < SHARDS; shard++) {
        for (int i = 0; i < 4; i++)
            queue_op(world, OP_RESUME, shard, i % 2 ? "q1" : "q2", i / 2 * 40 * SECOND);
    }
}

void client_reply(struct world *world, const struct engine_reply *reply)
{
    struct op *op = world->tickets[reply->ticket];

    sim_log(world, "reply to op of %s kind %d: %d %s", sim_id(&op->subject), (int)op->kind,
            (int)reply->status, reply->reason);
    if (sim_chance(world, 3))
        return; /* lost on its way */
    if (reply->status != STATUS_OK && reply->status != STATUS_FAILED_PRECONDITION &&
        reply->status != STATUS_NOT_FOUND) {
        if (reply->status != STATUS_UNAVAILABLE && reply->status != STATUS_RESOURCE_EXHAUSTED)
            sim_fail(world, "a call is refused: %s %s", reply->reason, reply->message);
        return;
    }
    switch (op->kind) {
    case OP_SUBMIT:
    case OP_RUN:
        on_submitted(world, op, reply);
        break;
    case OP_CANCEL:
        if (!op->answered)
            on_cancelled(world, op, reply);
        break;
    case OP_READ:
    case OP_WATCH:
        if (!op->answered)
            on_read(world, op, reply);
        break;
    case OP_PAUSE:
    case OP_RESUME:
    case OP_LIMIT:
        if (!op->answered)
            on_queue(world, op, reply);
        break;
    case OP_PAUSE_RUN:
    case OP_RESUME_RUN:
        if (!op->answered)
            on_run(world, op, reply);
        break;
    }
}

void clients_start(struct world *world)
{
    uint32_t submits = 40 + (uint32_t)sim_below(world, 80);
    int64_t span = 60 * SECOND + sim_below(world, 90 * SECOND);

    world->ops = ARENA_ARRAY(&world->arena, struct op, OPS_MAX);
    for (uint32_t i = 0; i < submits; i++) {
        struct op *op = &world->ops[world->ops_len++];

        op->kind = sim_chance(world, 15) ? OP_RUN : OP_SUBMIT;
        op->world = world;
        op->shard = (uint16_t)sim_below(world, SHARDS);
        op->plan = op->kind == OP_RUN ? (uint32_t)sim_below(world, world->plans_len) : 0;
        snprintf(op->key, sizeof(op->key), "key-%u", i);
        /* Half of them come at once, so that queues are longer than their windows. */
        sim_at(world, i % 2 ? sim_below(world, span) : span / 3 + sim_below(world, SECOND), NULL,
               try_op, op);
    }
    for (int64_t n = sim_below(world, 9); n > 0; n--)
        queue_op(world, sim_chance(world, 50) ? OP_PAUSE : OP_LIMIT,
                 (uint16_t)sim_below(world, SHARDS), sim_chance(world, 50) ? "q1" : "q2",
                 sim_below(world, span));
}
