/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "plan/plan.h"
#include "suites.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

static const char FULL[] =
    "name: nightly-eval\n"
    "description: fetch and score\n"
    "labels: {team: ml}\n"
    "input: {type: object, required: [url], properties: {url: {type: string}, limit: {type: "
    "integer, default: 10}}}\n"
    "defaults: {retry: {maxAttempts: 4, nonRetryable: [BAD]}, timeout: {attempt: 5m}, priority: "
    "7,\n"
    "  environment: {variables: {A: x, B: y}}}\n"
    "steps:\n"
    "  - {id: fetch, task: http, parameters: {url: \"${{ input.url }}\"}}\n"
    "  - id: score\n"
    "    name: Score it\n"
    "    needs: [fetch]\n"
    "    task: shell\n"
    "    queue: heavy\n"
    "    priority: 0\n"
    "    labels: {kind: score}\n"
    "    parameters: {command: [./score, \"${{ steps.fetch.output.name }}\"]}\n"
    "    environment: {variables: {B: z}, secrets: [API_KEY], requires: {gpu: \"true\"}, "
    "resources: {memory: 512Mi, cpu: 0.5}}\n"
    "    retry: {maxAttempts: 5, initialBackoff: 250ms, multiplier: 3, maxBackoff: 2h, jitter: 0, "
    "nonRetryable: [BAD_INPUT, B]}\n"
    "    timeout: {queue: 1h, total: 7d, heartbeat: 30s}\n"
    "  - {id: publish, needs: [score], when: \"${{ steps.score.output.ok }}\", task: hello}\n"
    "output: {count: \"${{ steps.score.output.count }}\"}\n";

START_TEST(full_plan_is_compiled)
{
    const struct plan *plan = NULL;
    const struct plan_step *step;
    struct error err = {0};

    ck_assert_msg(plan_compile(slice_of(FULL), &arena, &plan, &err) == STATUS_OK, "%s",
                  err.message);
    ck_assert_str_eq(plan->name, "nightly-eval");
    ck_assert_str_eq(plan->description, "fetch and score");
    ck_assert_str_eq(plan->labels, "{\"team\":\"ml\"}");
    ck_assert_uint_eq(plan->steps_len, 3);
    ck_assert_ptr_nonnull(plan->input_schema);
    ck_assert_ptr_nonnull(plan->output);
    step = &plan->steps[0];
    ck_assert_str_eq(step->id, "fetch");
    ck_assert_str_eq(step->name, "fetch");
    ck_assert_str_eq(step->queue, "default");
    ck_assert_int_eq(step->priority, 7);
    ck_assert_uint_eq(step->retry.max_attempts, 4);
    ck_assert_int_eq(step->retry.initial_backoff_ms, 1000);
    ck_assert_uint_eq(step->retry.non_retryable_len, 1);
    ck_assert_int_eq(step->timeout.attempt_ms, 300000);
    ck_assert_int_eq(step->timeout.queue_ms, 0);
    ck_assert_uint_eq(step->dependents_len, 1);
    ck_assert_uint_eq(step->dependents[0], 1);
    step = &plan->steps[1];
    ck_assert_str_eq(step->name, "Score it");
    ck_assert_str_eq(step->queue, "heavy");
    ck_assert_int_eq(step->priority, 0);
    ck_assert_str_eq(step->labels, "{\"kind\":\"score\"}");
    ck_assert_uint_eq(step->retry.max_attempts, 5);
    ck_assert_int_eq(step->retry.initial_backoff_ms, 250);
    ck_assert_int_eq(step->retry.max_backoff_ms, 7200000);
    ck_assert(step->retry.multiplier == 3 && step->retry.jitter == 0);
    ck_assert_str_eq(step->retry.non_retryable[1], "B");
    ck_assert_int_eq(step->timeout.queue_ms, 3600000);
    ck_assert_int_eq(step->timeout.attempt_ms, 300000);
    ck_assert_int_eq(step->timeout.total_ms, 604800000);
    ck_assert_int_eq(step->timeout.heartbeat_ms, 30000);
    ck_assert_uint_eq(step->needs_len, 1);
    ck_assert_uint_eq(step->needs[0], 0);
    ck_assert_ptr_null(step->when);
    ck_assert_ptr_nonnull(plan->steps[2].when);
    ck_assert_int_eq(plan_step_index(plan, "publish"), 2);
    ck_assert_int_eq(plan_step_index(plan, "nope"), -1);
}
END_TEST

START_TEST(limits_are_compiled_and_their_keys_are_made_from_what_is_known)
{
    static const char TEXT[] =
        "name: x\n"
        "steps:\n"
        "- id: a\n"
        "  task: hello\n"
        "  concurrency:\n"
        "  - {key: \"host-${{ input.host }}\", limit: 2, strategy: rejectNew}\n"
        "  - {key: all, limit: 50}\n"
        "  rateLimits: [{key: \"${{ input.n }}\", limit: 10, per: 1m, units: 3}]\n"
        "  fairness: {key: \"${{ input.host }}\", weight: 4}\n";
    struct plan_context context = {.input = slice_of("{\"host\":\"db1\",\"n\":7}")};
    const struct plan *plan = NULL;
    const struct plan_step *step;
    struct error err = {0};
    const char *key;

    ck_assert_msg(plan_compile(slice_of(TEXT), &arena, &plan, &err) == STATUS_OK, "%s",
                  err.message);
    step = &plan->steps[0];
    ck_assert_uint_eq(step->concurrency_len, 2);
    ck_assert_uint_eq(step->concurrency[0].limit, 2);
    ck_assert_int_eq(step->concurrency[0].strategy, PLAN_STRATEGY_REJECT_NEW);
    ck_assert_int_eq(step->concurrency[1].strategy, PLAN_STRATEGY_QUEUE);
    ck_assert_int_eq(step->rates[0].per_ms, 60000);
    ck_assert_uint_eq(step->rates[0].units, 3);
    ck_assert_uint_eq(step->fairness_weight, 4);
    ck_assert(plan_step_key(plan, step->concurrency[0].key, "concurrency", &context, &arena, &key,
                            &err) == STATUS_OK);
    ck_assert_str_eq(key, "host-db1");
    ck_assert(plan_step_key(plan, step->rates[0].key, "rateLimits", &context, &arena, &key, &err) ==
              STATUS_OK);
    ck_assert_str_eq(key, "7");
    context.input = slice_of("{\"host\":\"\"}");
    ck_assert(plan_step_key(plan, step->fairness_key, "fairness", &context, &arena, &key, &err) ==
              STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(canonical_text_does_not_depend_on_form_or_order)
{
    const struct plan *yaml = NULL, *json = NULL;
    struct error err = {0};

    ck_assert_int_eq(plan_compile(slice_of("steps:\n- task: hello # comment\n  id: a\nname: x\n"),
                                  &arena, &yaml, &err),
                     STATUS_OK);
    ck_assert_int_eq(
        plan_compile(slice_of("{\"name\":\"x\",\"steps\":[{\"id\":\"a\",\"task\":\"hello\"}]}"),
                     &arena, &json, &err),
        STATUS_OK);
    ck_assert_str_eq(yaml->canonical, json->canonical);
    ck_assert_str_eq(yaml->document,
                     "{\"steps\":[{\"task\":\"hello\",\"id\":\"a\"}],\"name\":\"x\"}");
}
END_TEST

struct fault {
    const char *text;
    const char *field;
    const char *description; /* part of it */
    const char *hint;        /* NULL: none asked for */
    uint32_t line;           /* 0: not asked for */
};

#define ONE "name: x\nsteps:\n- id: a\n  task: hello\n"

static const struct fault FAULTS[] = {
    {"", "", "the text is empty", NULL, 1},
    {"{\"name\": }", "", "expected a value", NULL, 1},
    {"name: [\n", "", "", NULL, 2},
    {"a", "", "must be an object, not a string", NULL, 0},
    {"[]", "", "must be an object, not a list", NULL, 0},
    {"name: x\n", "steps", "'steps' is missing", NULL, 1},
    {"name: x\nsteps: []\n", "steps", "must not be empty", NULL, 2},
    {"name: x\nsteps: {}\n", "steps", "must be a list, not an object", NULL, 2},
    {"steps:\n- {id: a, task: hello}\n", "name", "'name' is missing", NULL, 1},
    {"name: Nightly Eval\nsteps:\n- {id: a, task: hello}\n", "name", "must be a name", NULL, 1},
    {ONE "  parameter: {}\n", "steps[0].parameter", "unknown field 'parameter'",
     "did you mean 'parameters'?", 5},
    {ONE "discription: x\n", "discription", "unknown field", "did you mean 'description'?", 5},
    {ONE "  priority: high\n", "steps[0].priority", "must be a whole number, not a string", NULL,
     5},
    {ONE "  priority: 10\n", "steps[0].priority", "must be from 0 to 9", NULL, 5},
    {ONE "  needs: b\n", "steps[0].needs", "must be a list of strings",
     "put it in brackets: [a, b]", 5},
    {ONE "  needs: [b]\n", "steps[0].needs[0]", "there is no step 'b'", NULL, 5},
    {ONE "  needs: [a]\n", "steps[0].needs[0]", "a step cannot need itself", NULL, 5},
    {ONE "- {id: b, task: hello, needs: [a, a]}\n", "steps[1].needs[1]", "'a' is named twice", NULL,
     5},
    {ONE "- id: a\n  task: hello\n", "steps[1].id", "the id 'a' is already that of steps[0]", NULL,
     5},
    {ONE "- task: hello\n", "steps[1].id", "'id' is missing", NULL, 5},
    {ONE "- id: -b\n  task: hello\n", "steps[1].id", "must be an id", NULL, 5},
    {"name: x\nsteps:\n- {id: a}\n", "steps[0]", "'task' is missing", NULL, 3},
    {"name: x\nsteps:\n- {id: a, task: Shell}\n", "steps[0].task", "must be a name", NULL, 3},
    {"name: x\nsteps:\n- {id: a, task: \"a/b\"}\n", "steps[0].task", "must be a name", NULL, 3},
    {"name: x\nsteps:\n- {id: a, task: _a}\n", "steps[0].task", "must be a name", NULL, 3},
    {ONE "  timeout: {attempt: -5s}\n", "steps[0].timeout.attempt", "must not be negative", NULL,
     5},
    {ONE "  timeout: {attempt: -5}\n", "steps[0].timeout.attempt", "must not be negative", NULL, 5},
    {ONE "  timeout: {attempt: 0}\n", "steps[0].timeout.attempt", "needs a unit", NULL, 5},
    {ONE "  timeout: {attempt: 0s}\n", "steps[0].timeout.attempt", "must be longer than 0", NULL,
     5},
    {ONE "  timeout: {attempt: 5}\n", "steps[0].timeout.attempt", "needs a unit",
     "write 250ms, 5s, 10m, 2h or 7d", 5},
    {ONE "  timeout: {attempt: 5 minutes}\n", "steps[0].timeout.attempt", "is not a duration", NULL,
     5},
    {ONE "  timeout: {attempt: 9999d}\n", "steps[0].timeout.attempt", "is longer than 366d", NULL,
     5},
    {ONE "  retry: {maxAttempts: 0}\n", "steps[0].retry.maxAttempts", "must be from 1 to 1000",
     NULL, 5},
    {ONE "  retry: {jitter: 2}\n", "steps[0].retry.jitter", "must be from 0 to 1", NULL, 5},
    {ONE "  retry: {max_attempts: 3}\n", "steps[0].retry.max_attempts", "unknown field", NULL, 5},
    {ONE "  retry: 3\n", "steps[0].retry", "must be an object, not a number", NULL, 5},
    {ONE "  environment: {variables: {PORT: 8080}}\n", "steps[0].environment.variables.PORT",
     "must be a string", "put it in quotes", 5},
    {ONE "  environment: {variables: {PLANKTON_X: a}}\n",
     "steps[0].environment.variables.PLANKTON_X", "reserved", NULL, 5},
    {ONE "  environment: {variables: {\"a-b\": a}}\n", "steps[0].environment.variables.a-b",
     "a variable's name", NULL, 5},
    {ONE "  environment: {sandbox: strickt}\n", "steps[0].environment.sandbox",
     "must be one of strict, standard, none", "did you mean 'strict'?", 5},
    {ONE "  environment: {resources: {memory: lots}}\n", "steps[0].environment.resources.memory",
     "is not a size", NULL, 5},
    {ONE "  parameters: [1]\n", "steps[0].parameters", "must be an object, not a list", NULL, 5},
    {ONE "  parameters: {a: [\"${{ 1 + }}\"]}\n", "steps[0].parameters.a[0]",
     "expression: column 9: expected a value", NULL, 5},
    {ONE "  when: input.x\n", "steps[0].when", "must be true, false or one expression",
     "write ${{ … }}", 5},
    {ONE "  when: \"${{ a }} ${{ b }}\"\n", "steps[0].when", "one expression", NULL, 5},
    {ONE "  parameters: {a: \"${{ nothing.x }}\"}\n", "steps[0].parameters.a",
     "'nothing' is not known", NULL, 5},
    {ONE "  parameters: {a: \"${{ item.x }}\"}\n", "steps[0].parameters.a",
     "only known in a step with foreach", NULL, 5},
    {ONE "  parameters: {a: \"${{ inputs.x }}\"}\n", "steps[0].parameters.a",
     "'inputs' is not known", "did you mean 'input'?", 5},
    {ONE "  parameters: {a: \"${{ run.ip }}\"}\n", "steps[0].parameters.a",
     "the run has no field 'ip'", NULL, 5},
    {ONE "  parameters: {a: \"${{ steps.b.output }}\"}\n", "steps[0].parameters.a",
     "there is no step 'b'", NULL, 5},
    {ONE "  parameters: {a: \"${{ size(steps) }}\"}\n", "steps[0].parameters.a",
     "a step must be named by its id", NULL, 5},
    {ONE "- {id: b, task: hello, parameters: {a: \"${{ steps.a.output }}\"}}\n",
     "steps[1].parameters.a", "step 'a' is not among the needs",
     "add 'a' to the needs of this step", 5},
    {ONE "- {id: b, task: hello, needs: [a], parameters: {a: \"${{ steps.a.outputs }}\"}}\n",
     "steps[1].parameters.a", "a step has no field 'outputs'", "did you mean 'output'?", 5},
    {ONE "  parameters: {a: \"${{ steps.a.output }}\"}\n", "steps[0].parameters.a",
     "a step cannot read its own result", NULL, 5},
    {"name: x\nsteps:\n- {id: get-it, task: hello}\n- {id: b, task: hello, needs: [get-it], "
     "parameters: {a: \"${{ "
     "steps.get-it.output }}\"}}\n",
     "steps[1].parameters.a", "there is no step 'get'", "write steps[\"get-it\"]", 4},
    {ONE "input: {properties: {url: {type: string}}}\noutput: {a: \"${{ input.urll }}\"}\n",
     "output.a", "the input has no field 'urll'", "did you mean 'url'?", 6},
    {ONE "defaults: {environment: {variables: {A: \"${{ steps.a.output }}\"}}}\n",
     "defaults.environment.variables.A", "defaults cannot read the results of steps", NULL, 5},
    {ONE "  foreach: \"${{ input.items }}\"\n", "steps[0].foreach",
     "foreach is not supported by this version yet", NULL, 5},
    {ONE "- {id: b, approval: {prompt: ok?}}\n", "steps[1].approval", "approval is not supported",
     NULL, 5},
    {ONE "- {id: b, sleep: 5s}\n", "steps[1].sleep", "sleep is not supported",
     "use the task type sleep", 5},
    {ONE "- {id: b, signal: {name: go}}\n", "steps[1].signal", "signal is not supported", NULL, 5},
    {ONE "- {id: b, plan: {name: other}}\n", "steps[1].plan", "plan is not supported", NULL, 5},
    {ONE "onFailure: [{id: z, task: hello}]\n", "onFailure", "onFailure is not supported", NULL, 5},
    {ONE "- {id: b, task: hello, sleep: 5s}\n", "steps[1].sleep",
     "a step is either 'task' or 'sleep'", NULL, 5},
    {ONE "  concurrency: {key: a, limit: 1}\n", "steps[0].concurrency",
     "must be a list, not an object", NULL, 5},
    {ONE "  concurrency: [{key: a}]\n", "steps[0].concurrency[0].limit", "'limit' is missing", NULL,
     5},
    {ONE "  concurrency: [{key: \"\", limit: 1}]\n", "steps[0].concurrency[0].key",
     "must not be empty", NULL, 5},
    {ONE "  concurrency: [{key: a, limit: 1, strategy: cancel}]\n",
     "steps[0].concurrency[0].strategy", "must be one of queue, cancelRunning, rejectNew", NULL, 5},
    {ONE "  concurrency: [{key: \"${{ steps.b.output }}\", limit: 1}]\n", "steps[0].concurrency",
     "there is no step 'b'", NULL, 5},
    {ONE "  rateLimits: [{key: a, limit: 5, per: 1s, units: 6}]\n", "steps[0].rateLimits[0].units",
     "must be at most the limit", NULL, 5},
    {ONE "  rateLimits: [{key: a, limit: 5, per: 32d}]\n", "steps[0].rateLimits[0].per",
     "must be at most 31d", NULL, 5},
    {ONE "  environment: {where: zone}\n", "steps[0].environment.where",
     "must be a list of strings, not a string", NULL, 5},
    {ONE "  environment: {where: [ssd, \"a ~ b\"]}\n", "steps[0].environment.where[1]",
     "is nothing that can be asked of a label", "write zone = eu, zone != eu, memory > 16 or ssd",
     5},
    {ONE "  sticky: always\n", "steps[0].sticky", "must be one of soft, hard", NULL, 5},
    {ONE "  cost: 0\n", "steps[0].cost", "must be from 1 to 10000", NULL, 5},
    {ONE "  fairness: {weight: 2}\n", "steps[0].fairness.key", "'key' is missing", NULL, 5},
    {ONE "input: {type: string}\n", "input.type", "a plan's input is an object", NULL, 5},
    {ONE "input: {properties: {a: {type: strin}}}\n", "input.properties.a.type", "must be one of",
     "did you mean 'string'?", 5},
    {ONE "input: {properties: {a: {type: string, pattern: x}}}\n", "input.properties.a.pattern",
     "not supported", NULL, 5},
    {ONE "input: {required: [b], properties: {a: {type: string}}}\n", "input.required[0]",
     "not among the properties", NULL, 5},
    {ONE "input: {properties: {a: {type: integer, default: x}}}\n", "input.properties.a.default",
     "must be of type integer", NULL, 5},
};

START_TEST(fault_is_reported_with_its_place)
{
    const struct fault *fault = &FAULTS[_i];
    const struct plan *plan = NULL;
    struct error err = {0};
    const struct error_violation *found = NULL;

    ck_assert_msg(plan_compile(slice_of(fault->text), &arena, &plan, &err) ==
                      STATUS_INVALID_ARGUMENT,
                  "%s", fault->text);
    ck_assert_str_eq(err.reason, "PLAN_INVALID");
    for (struct error_violation *at = err.violations; at; at = at->next) {
        if (strcmp(at->field, fault->field) == 0 && strstr(at->description, fault->description) &&
            !found)
            found = at;
    }
    ck_assert_msg(found != NULL, "%s\ngives %s", fault->text, err.message);
    ck_assert_msg(!fault->hint || (found->hint && strcmp(found->hint, fault->hint) == 0),
                  "%s: hint %s", fault->text, found->hint ? found->hint : "none");
    ck_assert_msg(!fault->line || fault->line == found->line, "%s: line %u", fault->text,
                  found->line);
}
END_TEST

START_TEST(all_problems_are_collected)
{
    const struct plan *plan = NULL;
    struct error err = {0};
    uint32_t n = 0;

    ck_assert_int_eq(
        plan_compile(
            slice_of("name: X\nsteps:\n- {id: a, task: T, needs: [z], prio: 1}\n- {id: a}\n"),
            &arena, &plan, &err),
        STATUS_INVALID_ARGUMENT);
    for (struct error_violation *at = err.violations; at; at = at->next)
        n++;
    ck_assert_uint_eq(n, 6);
    ck_assert_str_eq(err.field, "name");
    ck_assert_ptr_nonnull(strstr(err.message, "(and 5 more)"));
}
END_TEST

START_TEST(problems_are_bounded)
{
    const struct plan *plan = NULL;
    struct error err = {0};
    struct buf text;
    uint32_t n = 0;

    buf_init(&text, PLAN_BYTES_MAX);
    buf_puts(&text, "name: x\nsteps:\n");
    for (int i = 0; i < 5000; i++)
        buf_putf(&text, "- {id: step%d, task: T, needs: [zzz%d]}\n", i, i);
    ck_assert_int_eq(plan_compile(buf_slice(&text), &arena, &plan, &err), STATUS_INVALID_ARGUMENT);
    for (struct error_violation *at = err.violations; at; at = at->next)
        n++;
    ck_assert_uint_eq(n, PLAN_PROBLEMS_MAX);
    buf_fini(&text);
}
END_TEST

START_TEST(size_is_bounded)
{
    const struct plan *plan = NULL;
    struct error err = {0};
    char *text = malloc(PLAN_BYTES_MAX + 1);

    memset(text, ' ', PLAN_BYTES_MAX + 1);
    ck_assert_int_eq(plan_compile((struct slice){text, PLAN_BYTES_MAX + 1}, &arena, &plan, &err),
                     STATUS_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(err.reason, "PAYLOAD_TOO_LARGE");
    free(text);
}
END_TEST

START_TEST(request_takes_bare_plans_and_envelopes)
{
    static const char *const TEXTS[] = {
        "{\"name\":\"x\",\"steps\":[{\"id\":\"a\",\"task\":\"hello\"}]}",
        "name: x\nsteps: [{id: a, task: hello}]\n",
        "{\"document\":{\"name\":\"x\",\"steps\":[{\"id\":\"a\",\"task\":\"hello\"}]}}",
        "{\"source\":\"name: x\\nsteps: [{id: a, task: hello}]\\n\"}",
        "{\"source\":\"steps: [{task: hello, id: a}] # c\\nname: "
        "x\",\"document\":{\"name\":\"x\",\"steps\":[{\"id\":\"a\","
        "\"task\":\"hello\"}]}}",
    };
    static const char *const SOURCES[] = {
        NULL, NULL, "{\"name\":\"x\",\"steps\":[{\"id\":\"a\",\"task\":\"hello\"}]}",
        "name: x\nsteps: [{id: a, task: hello}]\n", "steps: [{task: hello, id: a}] # c\nname: x"};
    struct plan_request request = {0};
    struct error err = {0};

    ck_assert_msg(plan_document_from_request(slice_of(TEXTS[_i]), &arena, &request, &err) ==
                      STATUS_OK,
                  "%s", err.message);
    ck_assert_str_eq(request.plan->canonical,
                     "{\"name\":\"x\",\"steps\":[{\"id\":\"a\",\"task\":\"hello\"}]}");
    ck_assert(slice_is(request.source, SOURCES[_i] ? SOURCES[_i] : TEXTS[_i]));
}
END_TEST

START_TEST(request_faults_have_places_in_the_plan)
{
    struct plan_request request = {0};
    struct error err = {0};

    ck_assert_int_eq(
        plan_document_from_request(slice_of("{\"document\":{\"name\":\"x\",\n\"stepz\":[]}}"),
                                   &arena, &request, &err),
        STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.violations->field, "stepz");
    ck_assert_uint_eq(err.violations->line, 2);
    ck_assert_int_eq(plan_document_from_request(slice_of("{\"document\":{},\"sauce\":\"\"}"),
                                                &arena, &request, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.violations->field, "sauce");
    ck_assert_str_eq(err.violations->hint, "did you mean 'source'?");
    ck_assert_int_eq(plan_document_from_request(
                         slice_of("{\"document\":{\"name\":\"x\",\"steps\":[{\"id\":\"a\",\"task\":"
                                  "\"hello\"}]},\"source\":\"name: y\\nsteps: [{id: a, task: "
                                  "hello}]\"}"),
                         &arena, &request, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "do not mean the same"));
}
END_TEST

Suite *suite_compile(void)
{
    Suite *suite = suite_create("compile");
    TCase *tests = tcase_create("compile");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, full_plan_is_compiled);
    tcase_add_test(tests, limits_are_compiled_and_their_keys_are_made_from_what_is_known);
    tcase_add_test(tests, canonical_text_does_not_depend_on_form_or_order);
    tcase_add_loop_test(tests, fault_is_reported_with_its_place, 0, (int)ARRAY_LEN(FAULTS));
    tcase_add_test(tests, all_problems_are_collected);
    tcase_add_test(tests, problems_are_bounded);
    tcase_add_test(tests, size_is_bounded);
    tcase_add_loop_test(tests, request_takes_bare_plans_and_envelopes, 0, 5);
    tcase_add_test(tests, request_faults_have_places_in_the_plan);
    suite_add_tcase(suite, tests);
    return suite;
}
