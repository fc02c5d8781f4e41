/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>
#include "exec/supervise.h"
#include "base/slice.h"
#include "duties.h"

int main(int argc, char **argv)
{
    static const struct service_program program = {
        .settings_bytes = sizeof(struct worker_settings),
        .state_bytes = sizeof(struct worker),
        .duties = worker_duties,
        .duty_count = WORKER_DUTIES,
    };
    struct service_program started = program;

    /* The supervisor of one attempt: nothing of the service is wanted there, nor what runs at exit.
     */
    if (argc == 3 && str_eq(argv[1], SUPERVISE_COMMAND))
        _exit(supervise_main(argv[2]));
    started.conf = worker_conf;
    return service_main(&started, argc, argv);
}
