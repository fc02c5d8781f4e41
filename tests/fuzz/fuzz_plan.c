/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a plan: compiled, or refused with violations; what is compiled can be evaluated and
 * is its own canonical text. */
#include <stdlib.h>
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool no_result(void *userdata, uint32_t step, struct plan_step_result *ret)
{
    *ret = (struct plan_step_result){.state = "succeeded", .output = slice_of("{\"a\":[1,\"x\"]}")};
    return step % 2 == 0;
}

static void use(const struct plan *plan, struct arena *arena)
{
    struct plan_context context = {.input = slice_of("{\"a\":1}"), .step_result = no_result};
    const struct plan *again = NULL;
    struct error err = {0};
    struct slice text;
    const char *input;
    bool when;

    if (plan_compile(slice_of(plan->document), arena, &again, &err) != STATUS_OK ||
        strcmp(plan->canonical, again->canonical) != 0)
        abort();
    (void)!plan_check_input(plan, context.input, arena, &input, &err);
    for (uint32_t i = 0; i < MIN_OF(plan->steps_len, 20u); i++) {
        (void)!plan_step_when(plan, i, &context, &when, &err);
        (void)!plan_step_parameters(plan, i, &context, arena, &text, &err);
        (void)!plan_step_environment(plan, i, &context, arena, &text, &err);
    }
    (void)!plan_output(plan, &context, arena, &text, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan_request request = {0};
    struct error err = {0};
    struct arena arena;

    arena_init(&arena, 0);
    if (plan_document_from_request((struct slice){(const char *)data, size}, &arena, &request,
                                   &err) == STATUS_OK)
        use(request.plan, &arena);
    else if (!err.message[0] || !err.reason[0])
        abort();
    arena_fini(&arena);
    return 0;
}
