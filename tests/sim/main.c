/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim [--seeds N] [--seed S] [--bug NAME] [--verbose] [--expect-failure]
 * Runs N worlds from seed S on. Exit 1 and the seed when one fails; with --expect-failure exit 1
 * when none does.
 */
#include "base/text.h"
#include "sim.h"

#define SEEDS_DEFAULT 100
#define SEEDS_MAX 100000000
#define QUIET_US (2000 * SECOND) /* after the faults, until all must have ended */

const char *const BUG_NAMES[BUGS] = {
    [BUG_NONE] = "none",
    [BUG_NO_FENCE_SEQ] = "no-fence-seq",
    [BUG_NO_FENCE_EPOCH] = "no-fence-epoch",
    [BUG_EARLY_EFFECTS] = "early-effects",
    [BUG_DUP_ACK] = "dup-ack",
    [BUG_NO_GRACE] = "no-grace",
    [BUG_NO_ATTEMPT_CHECK] = "no-attempt-check",
    [BUG_KEEP_MEMORY] = "keep-memory",
    [BUG_NO_SESSION] = "no-session",
    [BUG_VOLATILE_LEASE] = "volatile-lease",
    [BUG_READ_FIRST] = "read-first",
    [BUG_CANCEL_NOW] = "cancel-now",
    [BUG_OLD_HELD] = "old-held",
    [BUG_KEY_BLIND] = "key-blind",
    [BUG_KEEP_OLD] = "keep-old",
    [BUG_FORGET_RUN_PAUSE] = "forget-run-pause",
    [BUG_FORGET_PAUSE] = "forget-pause",
    [BUG_FORGET_LIMITS] = "forget-limits",
    [BUG_LOSE_CARRIED] = "lose-carried",
};

static const char *const PLANS[] = {
    "{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\"},"
    "{\"id\":\"b\",\"task\":\"noop\",\"needs\":[\"a\"]},"
    "{\"id\":\"c\",\"task\":\"noop\",\"needs\":[\"b\"]}],"
    "\"output\":{\"v\":\"${{ steps.c.output.v }}\"}}",
    "{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\"},"
    "{\"id\":\"b\",\"task\":\"noop\",\"needs\":[\"a\"],"
    "\"parameters\":{\"x\":\"${{ steps.a.output.v }}\"}},"
    "{\"id\":\"c\",\"task\":\"noop\",\"needs\":[\"a\"]},"
    "{\"id\":\"d\",\"task\":\"noop\",\"needs\":[\"b\",\"c\"]}]}",
    "{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\"},"
    "{\"id\":\"b\",\"task\":\"noop\",\"needs\":[\"a\"],\"when\":\"${{ false }}\"},"
    "{\"id\":\"c\",\"task\":\"noop\",\"needs\":[\"b\"]},"
    "{\"id\":\"d\",\"task\":\"noop\",\"needs\":[\"b\"],\"when\":\"${{ true }}\"}]}",
    "{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\","
    "\"parameters\":{\"x\":\"${{ input.missing }}\"}},{\"id\":\"b\",\"task\":\"noop\"}]}",
    "{\"name\":\"p\",\"steps\":["
    "{\"id\":\"a\",\"task\":\"noop\",\"sticky\":\"soft\",\"concurrency\":[{\"key\":\"a\",\"limit\":"
    "2}]},"
    "{\"id\":\"b\",\"task\":\"noop\",\"concurrency\":[{\"key\":\"a\",\"limit\":2}]},"
    "{\"id\":\"c\",\"task\":\"noop\",\"concurrency\":[{\"key\":\"a\",\"limit\":2}]},"
    "{\"id\":\"stuck\",\"task\":\"noop\",\"needs\":[\"a\"],\"sticky\":\"hard\"}]}",
};

static void make_plans(struct world *world)
{
    arena_init(&world->plan_arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(PLANS); i++) {
        struct error err = {0};

        if (plan_compile(slice_of(PLANS[i]), &world->plan_arena, &world->plans[i].plan, &err) !=
            STATUS_OK) {
            fprintf(stderr, "plan %zu: %s: %s\n", i, err.field, err.message);
            exit(EXIT_FAILURE);
        }
    }
    world->plans_len = ARRAY_LEN(PLANS);
}

static void world_init(struct world *world, uint64_t seed, enum bug bug)
{
    world->seed = seed;
    world->random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    world->bug = bug;
    world->now = START_US;
    arena_init(&world->arena, 0);
    heap_init(&world->events, sim_event_less);
    make_plans(world);
    db_init(world);
    world->ghosts = ARENA_ARRAY(&world->arena, struct ghost_task, TASKS_MAX);
    engine_config_default(&world->config);
    world->config.window_tasks = 4 + (uint32_t)sim_below(world, 12);
    world->config.park_ms = 2000 + sim_below(world, 58000);
    world->config.carry_ms = 2000 + sim_below(world, 58000);
    world->config.closed_max = (uint32_t)sim_below(world, 20);
    if (bug == BUG_NO_GRACE)
        world->config.grace_ms = 0;
    world->controllers_len = 1 + (int)sim_below(world, CONTROLLERS_MAX);
    for (int i = 0; i < world->controllers_len; i++) {
        world->controllers[i].world = world;
        world->controllers[i].number = i;
        host_start(world, &world->controllers[i]);
    }
    world->workers_len = 1 + (int)sim_below(world, WORKERS_MAX);
    for (int i = 0; i < world->workers_len; i++) {
        world->workers[i].world = world;
        world->workers[i].number = i;
        world->workers[i].id = id_make(1, 0, 100 + (uint64_t)i);
        world->workers[i].slots = 2 + (uint32_t)sim_below(world, 4);
        worker_start(world, &world->workers[i]);
    }
    clients_start(world);
    faults_start(world);
}

static void world_fini(struct world *world)
{
    for (int i = 0; i < world->controllers_len; i++) {
        LIST_EACH(&world->controllers[i].flights, node)
        arena_fini(&LIST_ENTRY(node, struct flight, link)->arena);
        engine_free(world->controllers[i].engine);
    }
    heap_fini(&world->events);
    free(world->tickets);
    arena_fini(&world->plan_arena);
    arena_fini(&world->arena);
}

static void heal(struct world *world)
{
    sim_log(world, "all faults stop");
    world->healing = true;
    world->db.away = false;
    for (int i = 0; i < world->controllers_len; i++)
        world->controllers[i].node.paused_until =
            MIN_OF(world->controllers[i].node.paused_until, world->now);
    for (int i = 0; i < world->workers_len; i++) {
        struct worker_node *worker = &world->workers[i];

        worker->node.paused_until = MIN_OF(worker->node.paused_until, world->now);
        for (int k = 0; k < world->controllers_len; k++) {
            if (worker->cut[k])
                worker->node.fault_us = world->now;
            worker->cut[k] = false;
        }
    }
    clients_heal(world);
}

/* True when nothing was wrong. */
static bool world_run(struct world *world)
{
    int64_t heal_at = START_US + 100 * SECOND + sim_below(world, 120 * SECOND);
    int64_t look_at = heal_at;

    while (!world->failure[0] && world->now < heal_at + QUIET_US && world_step(world)) {
        if (!world->healing && world->now >= heal_at)
            heal(world);
        if (world->healing && world->now >= look_at) {
            if (world_is_quiet(world))
                break;
            look_at = world->now + SECOND;
        }
    }
    if (!world->failure[0])
        check_end(world);
    return !world->failure[0];
}

struct options {
    uint64_t seed, seeds;
    enum bug bug;
    bool verbose, expect_failure;
};

static bool parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;

        if (strcmp(argv[i], "--verbose") == 0) {
            options->verbose = true;
        } else if (strcmp(argv[i], "--expect-failure") == 0) {
            options->expect_failure = true;
        } else if (strcmp(argv[i], "--seed") == 0 && more) {
            if (!text_to_u64(argv[++i], &options->seed))
                return false;
        } else if (strcmp(argv[i], "--seeds") == 0 && more) {
            if (!text_to_u64(argv[++i], &options->seeds) || options->seeds > SEEDS_MAX)
                return false;
        } else if (strcmp(argv[i], "--bug") == 0 && more) {
            const char *name = argv[++i];
            unsigned bug = 0;

            while (bug < BUGS && strcmp(BUG_NAMES[bug], name) != 0)
                bug++;
            if (bug == BUGS)
                return false;
            options->bug = (enum bug)bug;
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .seeds = SEEDS_DEFAULT};
    uint64_t commits = 0, takeovers = 0, starts = 0, results = 0;

    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: sim [--seeds N] [--seed S] [--bug NAME] [--verbose] "
                        "[--expect-failure]\n");
        return 2;
    }
    for (uint64_t i = 0; i < options.seeds; i++) {
        struct world *world = mem_zalloc(sizeof(*world));
        bool ok;

        world->verbose = options.verbose;
        world_init(world, options.seed + i, options.bug);
        ok = world_run(world);
        commits += world->commits;
        takeovers += world->takeovers;
        starts += world->starts;
        results += world->results;
        if (!ok) {
            printf("seed %llu, bug %s, at %.6f s: %s\n", (unsigned long long)world->seed,
                   BUG_NAMES[options.bug], (double)(world->now - START_US) / (double)SECOND,
                   world->failure);
            printf("replay: sim --seed %llu --seeds 1 --verbose%s%s\n",
                   (unsigned long long)world->seed, options.bug ? " --bug " : "",
                   options.bug ? BUG_NAMES[options.bug] : "");
        }
        world_fini(world);
        free(world);
        if (!ok)
            return options.expect_failure ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    printf("%llu seeds from %llu: %llu commits, %llu takeovers, %llu starts, %llu results\n",
           (unsigned long long)options.seeds, (unsigned long long)options.seed,
           (unsigned long long)commits, (unsigned long long)takeovers, (unsigned long long)starts,
           (unsigned long long)results);
    return options.expect_failure ? EXIT_FAILURE : EXIT_SUCCESS;
}
