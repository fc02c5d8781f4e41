/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as an expression and as a template: compiles or says why; evaluates within its bounds to
 * JSON or says why. */
#include <stdlib.h>
#include "cel/cel.h"
#include "json/json.h"

static const char ROOTS[] =
    "{\"a\":5,\"s\":\"x\\u00e9\",\"m\":{\"k\":[1,2.5,null,true],\"a-b\":{}},\"l\":[[],{},\"\"],"
    "\"d\":1e300,\"i\":9223372036854775807}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void evaluate_expression(struct slice text, const struct cel_env *env, struct arena *arena)
{
    const struct cel_program *program;
    AUTO(json_drop) json_t *json = NULL;
    struct error err = {0};

    if (cel_compile(text, arena, &program, NULL, &err) != STATUS_OK) {
        if (!err.message[0])
            abort();
        return;
    }
    if (cel_eval(program, env, &json, &err) != STATUS_OK) {
        if (!err.message[0])
            abort();
        return;
    }
    if (strlen(json_text(json, arena)) > CEL_RESULT_BYTES_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct error err = {0};
    const struct cel_template *tmpl;
    AUTO(json_drop) json_t *roots = NULL;
    AUTO(json_drop) json_t *json = NULL;
    struct cel_env env = {cel_resolve_object, NULL};
    struct arena arena;

    if (json_parse(slice_of(ROOTS), sizeof(ROOTS), &roots, &err) != STATUS_OK)
        abort();
    env.userdata = roots;
    arena_init(&arena, 0);
    evaluate_expression(text, &env, &arena);
    if (cel_template_compile(text, &arena, &tmpl, NULL, &err) == STATUS_OK)
        (void)!cel_template_eval(tmpl, &env, &json, &err);
    arena_fini(&arena);
    return 0;
}
