/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "metrics/metrics.h"

static struct metric counters[] = {
    {.name = "engine_tasks_total",
     .help = "Tasks by end.\nAll \\ of them",
     .kind = METRIC_COUNTER,
     .labels = "end=\"ok\""},
    {.name = "engine_window_tasks", .help = "Tasks in memory", .kind = METRIC_GAUGE},
    {.name = "engine_tasks_total",
     .help = "Tasks by end",
     .kind = METRIC_COUNTER,
     .labels = "end=\"failed\""},
};
static struct metric latency = {.name = "rpc_call_seconds",
                                .help = "Time of calls",
                                .kind = METRIC_HISTOGRAM,
                                .labels = "kind=\"unary\""};

static void collect(void *userdata)
{
    metric_set(&counters[1], *(double *)userdata);
}

static char *render(struct buf *buf)
{
    buf_init(buf, 64 * 1024);
    ck_assert_int_eq(metrics_render(buf), STATUS_OK);
    buf_cstr(buf);
    return buf->data;
}

START_TEST(text_has_one_head_per_name_and_all_its_series_together)
{
    static double window = 2.5;
    struct buf buf;
    const char *text;

    metrics_register(counters, ARRAY_LEN(counters));
    metrics_on_collect(collect, &window);
    metric_add(&counters[0], 3);
    metric_add(&counters[2], 1e6);
    text = render(&buf);
    ck_assert_str_eq(text, "# HELP engine_tasks_total Tasks by end.\\nAll \\\\ of them\n"
                           "# TYPE engine_tasks_total counter\n"
                           "engine_tasks_total{end=\"ok\"} 3\n"
                           "engine_tasks_total{end=\"failed\"} 1000000\n"
                           "# HELP engine_window_tasks Tasks in memory\n"
                           "# TYPE engine_window_tasks gauge\n"
                           "engine_window_tasks 2.5\n");
    buf_fini(&buf);
}
END_TEST

START_TEST(histogram_is_cumulative_and_in_seconds)
{
    struct buf buf;
    const char *text;

    metrics_register(&latency, 1);
    metric_observe_us(&latency, 0);
    metric_observe_us(&latency, 1);
    metric_observe_us(&latency, 2);
    metric_observe_us(&latency, 3);
    metric_observe_us(&latency, 8388608);
    metric_observe_us(&latency, 8388609);
    text = render(&buf);
    ck_assert_ptr_nonnull(strstr(text, "rpc_call_seconds_bucket{kind=\"unary\",le=\"1e-06\"} 2\n"));
    ck_assert_ptr_nonnull(strstr(text, "rpc_call_seconds_bucket{kind=\"unary\",le=\"2e-06\"} 3\n"));
    ck_assert_ptr_nonnull(strstr(text, "rpc_call_seconds_bucket{kind=\"unary\",le=\"4e-06\"} 4\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "rpc_call_seconds_bucket{kind=\"unary\",le=\"8.388608\"} 5\n"));
    ck_assert_ptr_nonnull(strstr(text, "rpc_call_seconds_bucket{kind=\"unary\",le=\"+Inf\"} 6\n"));
    ck_assert_ptr_nonnull(strstr(text, "rpc_call_seconds_sum{kind=\"unary\"} 16.777"));
    ck_assert_ptr_nonnull(strstr(text, "rpc_call_seconds_count{kind=\"unary\"} 6\n"));
    buf_fini(&buf);
}
END_TEST

START_TEST(full_buffer_is_an_error)
{
    struct buf buf;

    metrics_register(&latency, 1);
    for (size_t max = 0; max < 1400; max += 100) {
        buf_init(&buf, max);
        ck_assert_int_eq(metrics_render(&buf), STATUS_RESOURCE_EXHAUSTED);
        buf_fini(&buf);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tc = tcase_create("metrics");
    SRunner *runner = srunner_create(suite);
    int failed;

    /* The registry is of the process: each test has its own. */
    srunner_set_fork_status(runner, CK_FORK);
    tcase_add_test(tc, text_has_one_head_per_name_and_all_its_series_together);
    tcase_add_test(tc, histogram_is_cumulative_and_in_seconds);
    tcase_add_test(tc, full_buffer_is_an_error);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
