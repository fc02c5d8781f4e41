/* SPDX-License-Identifier: Apache-2.0 */
/* noop and hello: no side effects, done within the turn that brings the lease. */
#include "types/parameters.h"

/* Gives its parameters back: null when there are none, so that the commonest case copies nothing.
 */
static void noop_start(struct attempt *attempt)
{
    const Plankton__V1__Json *parameters = attempt->lease->parameters;
    const char *text = parameters ? parameters->text : "";

    if (!parameters_refuse_environment(attempt))
        return;
    if (!*text || strcmp(text, "{}") == 0) {
        attempt_succeed(attempt, (struct slice){"null", 4});
        return;
    }
    size_t len = strlen(text);
    attempt_succeed(attempt, (struct slice){arena_strndup(attempt_arena(attempt), text, len), len});
}

static void hello_start(struct attempt *attempt)
{
    static const char *const known[] = {"name"};
    AUTO(json_drop) json_t *parameters = NULL;
    const char *name = "World";
    struct buf out;

    if (!parameters_refuse_environment(attempt) ||
        !parameters_parse(attempt, known, ARRAY_LEN(known), &parameters))
        return;
    json_t *value = json_object_get(parameters, "name");
    if (value && !json_is_string(value)) {
        attempt_bad_input(attempt, "parameters.name", "must be a string");
        return;
    }
    if (value)
        name = json_string_value(value);
    char *line = arena_printf(attempt_arena(attempt), "Hello, %s!", name);
    struct slice greeting = slice_of(line);
    /* One line, whatever the name holds. */
    for (char *c = line; *c; c++)
        *c = *c == '\n' || *c == '\r' ? ' ' : *c;
    greeting.len = MIN_OF(greeting.len, (size_t)4096);
    while (greeting.len && ((unsigned char)line[greeting.len] & 0xc0) == 0x80)
        greeting.len--;
    attempt_log(attempt, LOG_SOURCE_STDOUT, LOG_SEVERITY_INFO, false, greeting);
    buf_init(&out, 8 * PARAMETERS_BYTES_MAX);
    buf_puts(&out, "{\"greeting\":");
    json_write_string(&out, slice_of(arena_printf(attempt->arena, "Hello, %s!", name)));
    buf_putc(&out, '}');
    attempt->output = (struct slice){arena_strndup(attempt->arena, out.data, out.len), out.len};
    buf_fini(&out);
    attempt_succeed(attempt, attempt->output);
}

const struct task_type task_type_noop = {.name = "noop", .kind = TASK_INSTANT, .start = noop_start};
const struct task_type task_type_hello = {
    .name = "hello", .kind = TASK_INSTANT, .start = hello_start};
