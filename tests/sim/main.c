/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim [--seeds N] [--seed S] [--jobs N] [--bug NAME] [--verbose] [--expect-failure] [--expect-all]
 * Runs N worlds from seed S on, in so many processes. Exit 1 and the seed when one fails; with
 * --expect-failure exit 1 when none does. --expect-all tells how often what is hard to reach has
 * happened, and exits with 1 when some of it never did. --nightly runs until one fails, from a
 * random seed on or from the one that is given.
 */
#include "base/text.h"
#include "sim.h"

#define SEEDS_DEFAULT 100
#define SEEDS_MAX 100000000
#define JOBS_MAX 64
#define NIGHTLY_SEEDS 10000      /* between two lines of progress */
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

bool sim_seed(uint64_t seed, enum bug bug, bool verbose, struct totals *totals)
{
    struct world *world = mem_zalloc(sizeof(*world));
    bool ok;

    world->verbose = verbose;
    world_init(world, seed, bug);
    ok = world_run(world);
    totals->seeds++;
    totals->commits += world->commits;
    totals->takeovers += world->takeovers;
    totals->starts += world->starts;
    totals->results += world->results;
    totals->failures += !ok;
    for (int i = 0; i < HITS; i++)
        totals->hits[i] += world->hits[i];
    if (!ok) {
        printf("seed %llu, bug %s, at %.6f s: %s\n", (unsigned long long)seed, BUG_NAMES[bug],
               (double)(world->now - START_US) / (double)SECOND, world->failure);
        printf("replay: sim --seed %llu --seeds 1 --verbose%s%s\n", (unsigned long long)seed,
               bug ? " --bug " : "", bug ? BUG_NAMES[bug] : "");
        fflush(stdout);
    }
    world_fini(world);
    free(world);
    return ok;
}

struct options {
    uint64_t seed, seeds, jobs;
    enum bug bug;
    bool verbose, expect_failure, expect_all, nightly;
};

static bool parse_bug(const char *name, enum bug *ret)
{
    unsigned bug = 0;

    while (bug < BUGS && strcmp(BUG_NAMES[bug], name) != 0)
        bug++;
    *ret = (enum bug)bug;
    return bug < BUGS;
}

static bool parse_flag(const char *name, struct options *options)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--verbose", &options->verbose},
                 {"--expect-failure", &options->expect_failure},
                 {"--expect-all", &options->expect_all},
                 {"--nightly", &options->nightly}};

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (strcmp(flags[i].name, name) == 0)
            return *flags[i].flag = true;
    }
    return false;
}

static bool parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        bool ok;

        if (parse_flag(argv[i], options))
            continue;
        if (i + 1 == argc)
            return false;
        if (strcmp(argv[i], "--seed") == 0)
            ok = text_to_u64(argv[++i], &options->seed);
        else if (strcmp(argv[i], "--seeds") == 0)
            ok = text_to_u64(argv[++i], &options->seeds) && options->seeds <= SEEDS_MAX;
        else if (strcmp(argv[i], "--jobs") == 0)
            ok = text_to_u64(argv[++i], &options->jobs) && options->jobs >= 1 &&
                 options->jobs <= JOBS_MAX;
        else if (strcmp(argv[i], "--bug") == 0)
            ok = parse_bug(argv[++i], &options->bug);
        else
            ok = false;
        if (!ok)
            return false;
    }
    return !(options->verbose && options->jobs > 1);
}

static void tell_totals(const struct totals *totals, uint64_t seed)
{
    printf("%llu seeds from %llu: %llu commits, %llu takeovers, %llu starts, %llu results\n",
           (unsigned long long)totals->seeds, (unsigned long long)seed,
           (unsigned long long)totals->commits, (unsigned long long)totals->takeovers,
           (unsigned long long)totals->starts, (unsigned long long)totals->results);
}

/* True when each has happened. */
static bool tell_hits(const struct totals *totals)
{
    bool all = true;

    for (int i = 0; i < HITS; i++) {
        printf("%12llu  %s\n", (unsigned long long)totals->hits[i], HIT_NAMES[i]);
        all = all && totals->hits[i];
    }
    if (!all)
        printf("what never happened was not tested\n");
    return all;
}

/* Until one fails or somebody stops it. Where it began is in its lines, each seed replays alone. */
static int nightly(const struct options *options)
{
    uint64_t seed = options->seed;
    struct totals totals = {0};

    if (!seed) {
        FILE *file = fopen("/dev/urandom", "rb");
        uint32_t start = 1;

        if (!file || fread(&start, sizeof(start), 1, file) != 1)
            fprintf(stderr, "no random start\n");
        if (file)
            fclose(file);
        seed = (uint64_t)start << 24 | 1;
    }
    for (;; seed += NIGHTLY_SEEDS) {
        if (!many_run(seed, NIGHTLY_SEEDS, options->jobs, options->bug, &totals))
            return EXIT_FAILURE;
        tell_totals(&totals, seed);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = SEEDS_DEFAULT, .jobs = 1};
    struct totals totals = {0};
    bool ok = true;

    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: sim [--seeds N] [--seed S] [--jobs N] [--bug NAME] [--verbose] "
                        "[--expect-failure] [--expect-all] [--nightly]\n");
        return 2;
    }
    if (options.nightly)
        return nightly(&options);
    options.seed = options.seed ? options.seed : 1;
    if (options.jobs > 1) {
        ok = many_run(options.seed, options.seeds, options.jobs, options.bug, &totals);
    } else {
        for (uint64_t i = 0; ok && i < options.seeds; i++)
            ok = sim_seed(options.seed + i, options.bug, options.verbose, &totals);
    }
    tell_totals(&totals, options.seed);
    if (ok && options.expect_all && !tell_hits(&totals))
        return EXIT_FAILURE;
    return ok != options.expect_failure ? EXIT_SUCCESS : EXIT_FAILURE;
}
