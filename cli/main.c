/* SPDX-License-Identifier: Apache-2.0 */
/* plankton: one command for everything. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

struct verb {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
    {"up", "run everything on this machine", verb_up},
    {"stop", "stop what `up --detach` has started", verb_stop},
    {"status", "say whether it runs, and where", verb_status},
    {"migrate", "bring a database to the newest schema", verb_migrate},
    {"admin", "mend a cluster at rest: a new timeline after a restore", verb_admin},
    {"task", "run tasks, look at them, cancel and retry them", verb_task},
    {"plan", "save plans and run them", verb_plan},
    {"run", "follow runs of plans, cancel and repeat them", verb_run},
    {"bulk", "cancel or retry many tasks at once", verb_bulk},
    {"doctor", "say what is stuck, and what to do about it", verb_doctor},
    {"logs", "print the log lines of a run or a task", verb_logs},
    {"history", "print everything that happened to a run or a task", verb_history},
    {"workers", "list workers, drain one", verb_workers},
    {"keys", "make, list and revoke API keys", verb_keys},
    {"whoami", "say who the key belongs to", verb_whoami},
    {"bench", "measure a running system", verb_bench},
};

static void usage(FILE *out)
{
    fprintf(out, "usage: plankton VERB [OPTIONS]; plankton VERB --help\n\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        fprintf(out, "  %-12s %s\n", verbs[i].name, verbs[i].summary);
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("plankton " PLANKTON_VERSION "\n");
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    fprintf(stderr, "plankton: there is no verb `%s`\n", argv[1]);
    usage(stderr);
    return 2;
}
