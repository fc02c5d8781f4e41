/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include "base/map.h"
#include "base/text.h"
#include "exec/internal.h"

#define BASE_VARIABLES 16
#define NAME_BYTES_MAX 128
static const char RESERVED[] = "PLANKTON_";

static bool name_is_valid(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (const char *c = name; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '_')
            return false;
    }
    return strlen(name) <= NAME_BYTES_MAX;
}

static bool env_has(char **env, size_t n, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < n; i++) {
        if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
            return true;
    }
    return false;
}

/* W3C trace context: one trace for a run (or a lone task), one span for each attempt. Derived, so
 * that every part agrees on it. */
static const char *trace_parent(const struct attempt *attempt)
{
    struct id trace = attempt->task;
    uint8_t span_input[ID_BYTES + sizeof attempt->number];
    char trace_hex[2 * ID_BYTES + 1], span_hex[17];

    (void)id_parse(attempt->lease->run_id, &trace); /* empty for a lone task: its own id stays */
    memcpy(span_input, attempt->task.bytes, ID_BYTES);
    memcpy(span_input + ID_BYTES, &attempt->number, sizeof attempt->number);
    uint64_t span = hash_keyed(0, 0, span_input, sizeof span_input);
    text_to_hex(trace.bytes, ID_BYTES, trace_hex);
    text_to_hex(&span, sizeof span, span_hex);
    return arena_printf(attempt->arena, "00-%s-%s-01", trace_hex, span_hex);
}

struct variable {
    const char *name, *value; /* value NULL = leave it out */
};

static size_t add_base(struct attempt *attempt, char **env, size_t n, const char *dir,
                       const char *path)
{
    const Plankton__V1__Lease *lease = attempt->lease;
    struct arena *arena = attempt->arena;
    const struct variable base[] = {
        {"PATH", path},
        {"HOME", arena_printf(arena, "%s/task/work", dir)},
        {"LANG", "C.UTF-8"},
        {"TRACEPARENT", trace_parent(attempt)},
        {"PLANKTON_TASK_ID", lease->task_id},
        {"PLANKTON_RUN_ID", *lease->run_id ? lease->run_id : NULL},
        {"PLANKTON_STEP", *lease->step ? lease->step : NULL},
        {"PLANKTON_ATTEMPT", arena_printf(arena, "%u", attempt->number)},
        {"PLANKTON_OUTPUT", arena_printf(arena, "%s/task/output.json", dir)},
        {"PLANKTON_PROGRESS", arena_printf(arena, "%s/task/progress", dir)},
        {"PLANKTON_METRICS", arena_printf(arena, "%s/task/metrics", dir)},
        {"PLANKTON_ARTIFACTS", arena_printf(arena, "%s/task/artifacts", dir)},
    };

    for (size_t i = 0; i < ARRAY_LEN(base); i++) {
        if (base[i].value && !env_has(env, n, base[i].name))
            env[n++] = arena_printf(arena, "%s=%s", base[i].name, base[i].value);
    }
    return n;
}

char **environment_build(struct attempt *attempt, const char *dir, const char *path)
{
    const Plankton__V1__Environment *environment = attempt->lease->environment;
    size_t given = environment ? environment->n_variables : 0, n = 0;
    char **env = ARENA_ARRAY(attempt_arena(attempt), char *, given + BASE_VARIABLES);

    for (size_t i = 0; i < given; i++) {
        const Plankton__V1__Environment__VariablesEntry *variable = environment->variables[i];
        if (!name_is_valid(variable->key) ||
            strncmp(variable->key, RESERVED, sizeof RESERVED - 1) == 0) {
            attempt_bad_input(
                attempt, "environment.variables",
                "names are letters, digits and _, at most %d, and do not begin with %s",
                NAME_BYTES_MAX, RESERVED);
            return NULL;
        }
        env[n++] = arena_printf(attempt->arena, "%s=%s", variable->key, variable->value);
    }
    n = add_base(attempt, env, n, dir, path);
    env[n] = NULL;
    return env;
}
