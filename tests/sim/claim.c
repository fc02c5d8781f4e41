/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns a shard: claims, renewals, the loss of what is not renewed, ticks. */
#include "sim.h"

struct claim {
    struct controller *controller;
    uint32_t life; /* of the controller that asked */
    uint16_t shard;
    bool forced;
    int64_t sent_at;
    struct db_shard row; /* as the bump returned it, with the new epoch */
    bool won;
};

/* BUG_READ_FIRST has loaded already, under the epoch it hoped for. */
static void finish_load(struct controller *controller, const struct claim *claim)
{
    struct held_shard *held = &controller->shards[claim->shard];
    struct world *world = controller->world;

    held->epoch = claim->row.epoch;
    held->valid_until = claim->sent_at + TTL_US - MARGIN_US;
    held->seq_shift = 0;
    controller->clock_offset = MAX_OF(controller->clock_offset, claim->row.clock - world->now);
    if (world->bug != BUG_READ_FIRST)
        db_load(world, controller, claim->shard, claim->row.epoch, &claim->row);
    else if (engine_epoch(controller->engine, claim->shard) != claim->row.epoch) {
        host_apply(controller,
                   &(struct engine_command){.kind = ENGINE_DROP, .shard.shard = claim->shard});
        *held = (struct held_shard){0};
        return;
    } else {
        held->seq_shift -= claim->row.seq;
    }
    host_apply(controller,
               &(struct engine_command){.kind = ENGINE_LOAD_END, .shard.shard = claim->shard});
    held->open = true;
    sim_log(world, "c%d owns shard %u, epoch %u", controller->number, claim->shard,
            claim->row.epoch);
    host_pump(controller);
}

static void loaded(struct world *world, void *data)
{
    struct claim *claim = data;
    struct controller *controller = claim->controller;

    /* Somebody may have taken it since: then the first batch says so, or P7 does. */
    if (world->now >= claim->sent_at + TTL_US - MARGIN_US) {
        controller->shards[claim->shard] = (struct held_shard){0};
        return;
    }
    if (world->db.shards[claim->shard].epoch != claim->row.epoch && world->bug != BUG_READ_FIRST &&
        world->bug != BUG_NO_FENCE_EPOCH) {
        controller->shards[claim->shard] = (struct held_shard){0};
        return; /* the snapshot would be another epoch's: its own read would have told it */
    }
    finish_load(controller, claim);
}

static void answered(struct world *world, void *data)
{
    struct claim *claim = data;

    if (claim->life != claim->controller->node.life)
        return;
    if (!claim->won) {
        claim->controller->shards[claim->shard].loading = false;
        return;
    }
    sim_at(world, net_delay(world), &claim->controller->node, loaded, claim);
}

static void bump(struct world *world, void *data)
{
    struct claim *claim = data;
    struct db_shard *shard = &world->db.shards[claim->shard];

    if (world->db.away) {
        sim_at(world, 500 * MS, NULL, bump, claim);
        return;
    }
    claim->won = claim->forced || shard->owner == claim->controller->number || shard->owner < 0 ||
                 shard->lease_until <= db_now(world);
    if (claim->won) {
        check_takeover(world);
        db_check_findable(world, claim->shard);
        shard->epoch++;
        shard->owner = claim->controller->number;
        if (world->seed % 3 == 0) /* else owners are never thought to be killed by a task */
            shard->unclean++;
        shard->lease_until = db_now(world) + TTL_US;
        claim->row = *shard;
        claim->row.clock = MAX_OF(shard->clock, db_now(world));
        world->hits[HIT_RELAY_AHEAD] += shard->logged > shard->event_acked;
        world->takeovers++;
    }
    sim_at(world, net_delay(world), &claim->controller->node, answered, claim);
}

static void claim_shard(struct controller *controller, uint16_t shard, bool forced)
{
    struct world *world = controller->world;
    struct claim *claim = ARENA_NEW(&world->arena, struct claim);

    claim->controller = controller;
    claim->life = controller->node.life;
    claim->shard = shard;
    claim->forced = forced;
    claim->sent_at = world->now;
    controller->shards[shard].loading = true;
    if (world->bug == BUG_READ_FIRST)
        db_load(world, controller, shard, world->db.shards[shard].epoch + 1,
                &(struct db_shard){.event_next = world->db.shards[shard].event_next,
                                   .clock = world->db.shards[shard].clock});
    sim_at(world, net_delay(world), NULL, bump, claim);
}

void host_take(struct controller *controller, uint16_t shard)
{
    if (controller->node.up && !controller->shards[shard].epoch &&
        !controller->shards[shard].loading)
        claim_shard(controller, shard, true);
}

struct renewal {
    struct controller *controller;
    int64_t sent_at;
    uint32_t epochs[SHARDS], life;
    bool ok[SHARDS];
};

static void renewed(struct world *world, void *data)
{
    struct renewal *renewal = data;
    struct controller *controller = renewal->controller;

    if (renewal->life != controller->node.life)
        return;
    for (uint16_t i = 0; i < SHARDS; i++) {
        struct held_shard *held = &controller->shards[i];

        if (!renewal->epochs[i] || held->epoch != renewal->epochs[i])
            continue;
        if (renewal->ok[i])
            held->valid_until = MAX_OF(held->valid_until, renewal->sent_at + TTL_US - MARGIN_US);
        else if (world->bug != BUG_NO_FENCE_EPOCH)
            host_drop(controller, i);
    }
    host_pump(controller);
}

static void renew(struct world *world, void *data)
{
    struct renewal *renewal = data;

    if (world->db.away)
        return; /* no answer: P7 ends it */
    for (int i = 0; i < SHARDS; i++) {
        struct db_shard *shard = &world->db.shards[i];

        renewal->ok[i] = shard->epoch == renewal->epochs[i];
        if (renewal->ok[i])
            shard->lease_until = db_now(world) + TTL_US;
    }
    sim_at(world, net_delay(world), &renewal->controller->node, renewed, renewal);
}

static void send_renewal(struct controller *controller)
{
    struct world *world = controller->world;
    struct renewal *renewal = ARENA_NEW(&world->arena, struct renewal);

    renewal->controller = controller;
    renewal->life = controller->node.life;
    renewal->sent_at = world->now;
    for (int i = 0; i < SHARDS; i++)
        renewal->epochs[i] = controller->shards[i].epoch;
    sim_at(world, net_delay(world), NULL, renew, renewal);
}

/* The logger: takes what is committed, and says so. */
static void logger(struct controller *controller)
{
    struct world *world = controller->world;

    for (uint16_t i = 0; i < SHARDS; i++) {
        struct db_shard *shard = &world->db.shards[i];
        uint64_t upto;

        if (!controller->shards[i].open || !sim_chance(world, 30))
            continue;
        upto = (uint64_t)sim_below(world, (int64_t)shard->event_next);
        shard->logged = MAX_OF(shard->logged, upto);
        host_apply(controller, &(struct engine_command){.kind = ENGINE_EVENTS_ACKED,
                                                        .events_acked = {i, shard->logged}});
    }
}

void host_claims(struct controller *controller)
{
    struct world *world = controller->world;

    for (uint16_t i = 0; i < SHARDS; i++) {
        struct held_shard *held = &controller->shards[i];

        if (held->epoch && world->now >= held->valid_until && world->bug != BUG_NO_FENCE_EPOCH) {
            world->hits[HIT_SILENCED]++;
            host_drop(controller, i);
        }
        if (!held->epoch && !held->loading && world->now >= controller->next_claim)
            claim_shard(controller, i, false);
    }
    if (world->now >= controller->next_claim)
        controller->next_claim = world->now + SECOND + sim_below(world, SECOND);
    if (world->now >= controller->next_renew) {
        controller->next_renew = world->now + RENEW_US;
        send_renewal(controller);
    }
}

static void tick(struct world *world, void *data)
{
    struct controller *controller = data;

    host_claims(controller);
    logger(controller);
    if (engine_next_due_us(controller->engine) <= host_engine_time(controller))
        host_apply(controller, &(struct engine_command){.kind = ENGINE_TICK});
    host_pump(controller);
    sim_at(world, 200 * MS, &controller->node, tick, controller);
}

void host_start(struct world *world, void *data)
{
    struct controller *controller = data;

    sim_log(world, "c%d starts", controller->number);
    controller->node.up = true;
    controller->engine = engine_new(&world->config);
    controller->clock_offset = 0;
    controller->next_claim = world->now + sim_below(world, SECOND);
    controller->next_renew = world->now;
    memset(controller->shards, 0, sizeof(controller->shards));
    list_init(&controller->flights);
    sim_at(world, 0, &controller->node, tick, controller);
}
