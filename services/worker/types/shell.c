/* SPDX-License-Identifier: Apache-2.0 */
/* shell: {"script": "…"} through /bin/sh -c, or {"command": ["program", "argument", …]}. */
#include "exec/executor.h"
#include "types/parameters.h"

#define ARGUMENT_BYTES_MAX                                                                         \
    (128u << 10) /* Linux takes no single argument longer than this, with its NUL */
#define ARGUMENTS_MAX 4096

static bool argument_fits(struct attempt *attempt, const json_t *value, const char *field)
{
    if (json_string_length(value) < ARGUMENT_BYTES_MAX)
        return true;
    attempt_bad_input(attempt, field, "is longer than %u bytes", ARGUMENT_BYTES_MAX - 1);
    return false;
}

static char **script_argv(struct attempt *attempt, const json_t *script)
{
    struct arena *arena = attempt_arena(attempt);

    if (!json_is_string(script) || json_string_length(script) == 0) {
        attempt_bad_input(attempt, "parameters.script", "must be a string that is not empty");
        return NULL;
    }
    if (!argument_fits(attempt, script, "parameters.script"))
        return NULL;
    char **argv = ARENA_ARRAY(arena, char *, 4);
    argv[0] = arena_strdup(arena, "/bin/sh");
    argv[1] = arena_strdup(arena, "-c");
    argv[2] = arena_strdup(arena, json_string_value(script));
    return argv;
}

static char **command_argv(struct attempt *attempt, const json_t *command)
{
    size_t n = json_array_size(command);
    char field[48];

    if (!json_is_array(command) || n == 0 || n > ARGUMENTS_MAX) {
        attempt_bad_input(attempt, "parameters.command", "must be an array of 1 to %d strings",
                          ARGUMENTS_MAX);
        return NULL;
    }
    char **argv = ARENA_ARRAY(attempt_arena(attempt), char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(command, i);
        snprintf(field, sizeof field, "parameters.command[%zu]", i);
        if (!json_is_string(value) || (i == 0 && json_string_length(value) == 0)) {
            attempt_bad_input(attempt, field,
                              i ? "must be a string" : "must be the name of a program");
            return NULL;
        }
        if (!argument_fits(attempt, value, field))
            return NULL;
        argv[i] = arena_strdup(attempt->arena, json_string_value(value));
    }
    return argv;
}

static void shell_start(struct attempt *attempt)
{
    static const char *const known[] = {"script", "command"};
    AUTO(json_drop) json_t *parameters = NULL;

    if (!parameters_refuse_environment(attempt) ||
        !parameters_parse(attempt, known, ARRAY_LEN(known), &parameters))
        return;
    const json_t *script = json_object_get(parameters, "script"),
                 *command = json_object_get(parameters, "command");
    if (!script == !command) {
        attempt_bad_input(attempt, "parameters", "needs either script or command");
        return;
    }
    char **argv = script ? script_argv(attempt, script) : command_argv(attempt, command);
    if (argv)
        process_start(attempt_worker(attempt)->executor, attempt, argv);
}

const struct task_type task_type_shell = {.name = "shell",
                                          .kind = TASK_PROCESS,
                                          .start = shell_start,
                                          .stop = process_stop,
                                          .poll = process_poll};
