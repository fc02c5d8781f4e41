/* SPDX-License-Identifier: Apache-2.0 */
/* Many seeds in several processes, and how often what they are to reach was reached. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sim.h"

const char *const HIT_NAMES[HITS] = {
    [HIT_SHARDS_IN_BATCH] = "batches of several shards",
    [HIT_STEP_IN_BATCH] = "steps inserted by the batch that finished another",
    [HIT_JOURNAL_TRIMMED] = "journal rows cleaned up (P1)",
    [HIT_CARRIED] = "leases carried forward (P1)",
    [HIT_CARRIED_OVER_TAKEOVER] = "leases of a former owner carried forward (P1)",
    [HIT_RETRY] = "failures that are tried again",
    [HIT_FAILURES_SPENT] = "tasks whose failures are spent",
    [HIT_LOST] = "attempts given up as lost",
    [HIT_LOST_LIMIT] = "tasks that lost too many workers",
    [HIT_GRACE_OVER] = "leases of a former owner given up",
    [HIT_ATTEMPT_TIMEOUT] = "attempts over their time",
    [HIT_BURNT] = "numbers burnt by leases that never arrived",
    [HIT_SUSPECT] = "batches that name a suspect (P8)",
    [HIT_CONTROLLER_LOST] = "tasks ended because their owners died (P8)",
    [HIT_EVENTS_ACKED] = "acknowledgements of events recorded (P2)",
    [HIT_RELAY_AHEAD] = "takeovers at which the logger had more than the shard knew (P2)",
    [HIT_PARKED_READY] = "tasks put out of the window (P16)",
    [HIT_PARKED_DUE] = "tasks and runs parked for a time (P16)",
    [HIT_UNPARKED] = "parked rows removed (P16)",
    [HIT_REFILL] = "refills with rows (P16)",
    [HIT_REFILL_OVERTAKEN] = "refills overtaken by a batch (P16)",
    [HIT_SILENCED] = "owners whose time was over (P7)",
    [HIT_CLOCK_FORWARD] = "jumps forward of the database's clock",
    [HIT_CLOCK_BACK] = "jumps back of the database's clock",
    [HIT_KEY_READ] = "keys found in the database alone (P15)",
    [HIT_NOT_OWNER] = "calls at a controller that is not the owner (P14)",
    [HIT_LATE_COMMIT] = "batches committed with nobody listening (P5)",
    [HIT_STALE] = "stale results refused (P9)",
};

/* Shared by all processes: each has its totals, and the first that fails stops the others. */
struct shared {
    volatile bool failed;
    struct totals totals[];
};

static void run_share(struct shared *shared, uint64_t seed, uint64_t seeds, uint64_t jobs,
                      uint64_t job, enum bug bug)
{
    for (uint64_t i = job; i < seeds && !shared->failed; i += jobs) {
        if (!sim_seed(seed + i, bug, false, &shared->totals[job]))
            shared->failed = true;
    }
}

static void add(struct totals *sum, const struct totals *part)
{
    sum->seeds += part->seeds;
    sum->commits += part->commits;
    sum->takeovers += part->takeovers;
    sum->starts += part->starts;
    sum->results += part->results;
    sum->failures += part->failures;
    for (int i = 0; i < HITS; i++)
        sum->hits[i] += part->hits[i];
}

bool many_run(uint64_t seed, uint64_t seeds, uint64_t jobs, enum bug bug, struct totals *totals)
{
    size_t bytes = sizeof(struct shared) + jobs * sizeof(struct totals);
    struct shared *shared =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool ok = shared != MAP_FAILED;
    uint64_t started = 0;

    fflush(stdout);
    for (; ok && started < jobs; started++) {
        pid_t pid = fork();

        if (pid == 0) {
            run_share(shared, seed, seeds, jobs, started, bug);
            _exit(EXIT_SUCCESS);
        }
        ok = pid > 0;
    }
    /* One that crashes, say by an assertion, has failed too. */
    for (int status; wait(&status) > 0;)
        ok = ok && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
    if (shared == MAP_FAILED)
        return false;
    for (uint64_t i = 0; i < jobs; i++)
        add(totals, &shared->totals[i]);
    ok = ok && !shared->failed;
    munmap(shared, bytes);
    return ok;
}
