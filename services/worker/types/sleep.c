/* SPDX-License-Identifier: Apache-2.0 */
/* sleep: waits, can be cancelled, costs no process. */
#include "base/text.h"
#include "types/parameters.h"

#define SLEEP_MS_MAX (366LL * 24 * 3600 * 1000)

static void sleep_over_cb(void *userdata)
{
    struct attempt *attempt = userdata;
    struct loop_timer *timer = attempt->work;

    loop_timer_free(timer);
    attempt_succeed(attempt, (struct slice){"null", 4});
}

static bool sleep_duration(const json_t *value, int64_t *ret_ms)
{
    if (json_is_string(value))
        return text_to_duration_ms(json_string_value(value), ret_ms) && *ret_ms <= SLEEP_MS_MAX;
    if (!json_is_number(value))
        return false;
    double seconds = json_number_value(value);
    if (!(seconds >= 0 && seconds <= SLEEP_MS_MAX / 1000.0))
        return false;
    *ret_ms = (int64_t)(seconds * 1000.0 + 0.5);
    return true;
}

static void sleep_start(struct attempt *attempt)
{
    static const char *const known[] = {"duration"};
    AUTO(json_drop) json_t *parameters = NULL;
    int64_t ms = 0;

    if (!parameters_refuse_environment(attempt) ||
        !parameters_parse(attempt, known, ARRAY_LEN(known), &parameters))
        return;
    json_t *value = json_object_get(parameters, "duration");
    if (!value) {
        attempt_bad_input(attempt, "parameters.duration",
                          "is required: seconds, or text like \"2s\"");
        return;
    }
    if (!sleep_duration(value, &ms)) {
        attempt_bad_input(attempt, "parameters.duration",
                          "must be 0 to 366 days: seconds, or text like \"2s\" or \"500ms\"");
        return;
    }
    struct loop_timer *timer =
        loop_timer_new(attempt_worker(attempt)->loop, sleep_over_cb, attempt);
    attempt->work = timer;
    loop_timer_start(timer, (uint64_t)ms, 0);
}

static void sleep_stop(struct attempt *attempt, uint32_t grace_ms)
{
    struct loop_timer *timer = attempt->work;

    loop_timer_free(timer);
    attempt_succeed(attempt, (struct slice){"null", 4}); /* how it ended is judged by who asked */
}

const struct task_type task_type_sleep = {
    .name = "sleep", .kind = TASK_ASYNC, .start = sleep_start, .stop = sleep_stop};
