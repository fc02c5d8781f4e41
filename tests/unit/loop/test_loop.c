/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "loop/loop.h"

struct fixture {
    struct loop *loop;
    struct loop_flush *low, *high;
    struct loop_timer *timer;
    char order[32];
    size_t n;
    int exit_status, term_signal;
};

static void note(struct fixture *f, char c)
{
    ck_assert_uint_lt(f->n, sizeof f->order - 1);
    f->order[f->n++] = c;
}

static void stop_cb(void *userdata)
{
    struct fixture *f = userdata;

    loop_stop(f->loop);
}

static void low_cb(void *userdata)
{
    struct fixture *f = userdata;

    note(f, 'l');
    loop_flush_mark(f->high);
}

static void high_cb(void *userdata)
{
    note(userdata, 'h');
}

static void deferred_cb(void *userdata)
{
    struct fixture *f = userdata;

    note(f, 'd');
    loop_flush_mark(f->high);
    loop_flush_mark(f->low);
    loop_flush_mark(f->low);
}

START_TEST(flush_hooks_run_once_per_turn_lower_order_first)
{
    struct fixture f = {.loop = loop_new()};

    f.low = loop_flush_new(f.loop, 10, low_cb, &f);
    f.high = loop_flush_new(f.loop, 30, high_cb, &f);
    f.timer = loop_timer_new(f.loop, stop_cb, &f);
    loop_defer(f.loop, deferred_cb, &f);
    ck_assert_uint_eq(f.n, 0);
    loop_timer_start(f.timer, 5, 0);
    loop_run(f.loop);
    ck_assert_str_eq(f.order, "dlh");
    loop_flush_free(f.low);
    loop_flush_free(f.high);
    loop_timer_free(f.timer);
    loop_free(f.loop);
}
END_TEST

static void free_self_cb(void *userdata)
{
    struct fixture *f = userdata;

    loop_timer_free(f->timer);
    loop_stop(f->loop);
}

START_TEST(timer_may_free_itself_and_is_not_early)
{
    struct fixture f = {.loop = loop_new()};
    uint64_t begin = clock_monotonic_us();

    f.timer = loop_timer_new(f.loop, free_self_cb, &f);
    loop_timer_start(f.timer, 20, 0);
    loop_run(f.loop);
    ck_assert_uint_ge(clock_monotonic_us() - begin, 19000);
    loop_free(f.loop);
}
END_TEST

static void job_work(void *userdata)
{
    note(userdata, 'w');
}

static void job_done(void *userdata)
{
    struct fixture *f = userdata;

    note(f, 'e');
    loop_stop(f->loop);
}

START_TEST(pool_job_runs_then_reports_on_the_loop)
{
    struct fixture f = {.loop = loop_new()};
    struct error err = {0};

    ck_assert_int_eq(loop_pool(f.loop, job_work, job_done, &f, &err), STATUS_OK);
    loop_run(f.loop);
    ck_assert_str_eq(f.order, "we");
    loop_free(f.loop);
}
END_TEST

static void nothing(void *userdata)
{
    (void)userdata;
}

START_TEST(pool_refuses_past_its_limit)
{
    struct fixture f = {.loop = loop_new()};
    struct error err = {0};
    enum status st = STATUS_OK;
    int accepted = 0;

    while (accepted <= 1024 && st == STATUS_OK) {
        st = loop_pool(f.loop, nothing, nothing, NULL, &err);
        accepted += st == STATUS_OK;
    }
    ck_assert_int_eq(accepted, 1024);
    ck_assert_int_eq(st, STATUS_RESOURCE_EXHAUSTED);
    loop_free(f.loop);
}
END_TEST

static void exit_cb(int exit_status, int term_signal, void *userdata)
{
    struct fixture *f = userdata;

    f->exit_status = exit_status;
    f->term_signal = term_signal;
    loop_stop(f->loop);
}

START_TEST(child_gets_only_its_three_descriptors_and_own_session)
{
    struct fixture f = {.loop = loop_new()};
    struct error err = {0};
    int out[2], leak = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
    char text[256] = "", expected[64];
    char *const argv[] = {(char *)"sh", (char *)"-c",
                          (char *)"ls /proc/$$/fd | tr '\\n' ' '; ps -o sid= -p $$; exit 7", NULL};
    struct loop_process_spec spec = {.file = "/bin/sh", .argv = argv, .uid = -1, .gid = -1};

    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    spec.fds[0] = -1;
    spec.fds[1] = out[1];
    spec.fds[2] = -1;
    struct loop_process *process = loop_process_spawn(f.loop, &spec, exit_cb, &f, &err);
    ck_assert_ptr_nonnull(process);
    close(out[1]);
    snprintf(expected, sizeof expected, "%d", loop_process_pid(process));
    loop_run(f.loop);
    ck_assert_int_eq(f.exit_status, 7);
    ck_assert_int_eq(f.term_signal, 0);
    ck_assert_int_gt((int)read(out[0], text, sizeof text - 1), 0);
    ck_assert_msg(strncmp(text, "0 1 2 ", 6) == 0, "descriptors of the child: %s", text);
    ck_assert_msg(strstr(text, expected) != NULL, "session %s, pid %s", text, expected);
    close(out[0]);
    close(leak);
    loop_process_free(process);
    loop_free(f.loop);
}
END_TEST

START_TEST(spawn_of_a_missing_program_is_an_error)
{
    struct fixture f = {.loop = loop_new()};
    struct error err = {0};
    char *const argv[] = {(char *)"x", NULL};
    struct loop_process_spec spec = {
        .file = "/nonexistent/x", .argv = argv, .fds = {-1, -1, -1}, .uid = -1, .gid = -1};

    ck_assert_ptr_null(loop_process_spawn(f.loop, &spec, exit_cb, &f, &err));
    ck_assert_int_ne(err.status, STATUS_OK);
    loop_free(f.loop);
}
END_TEST

static void signal_cb(int signum, void *userdata)
{
    struct fixture *f = userdata;

    ck_assert_int_eq(signum, SIGUSR1);
    note(f, 's');
    loop_stop(f->loop);
}

static void raise_cb(void *userdata)
{
    (void)userdata;
    raise(SIGUSR1);
}

START_TEST(signal_arrives_on_the_loop)
{
    struct fixture f = {.loop = loop_new()};
    struct loop_signal *watch = loop_signal_new(f.loop, SIGUSR1, signal_cb, &f);

    loop_defer(f.loop, raise_cb, NULL);
    loop_run(f.loop);
    ck_assert_str_eq(f.order, "s");
    loop_signal_free(watch);
    loop_free(f.loop);
}
END_TEST

static void fd_cb(int events, void *userdata)
{
    struct fixture *f = userdata;

    ck_assert_int_eq(events & LOOP_READABLE, LOOP_READABLE);
    note(f, 'r');
    loop_stop(f->loop);
}

START_TEST(descriptor_is_watched_until_freed)
{
    struct fixture f = {.loop = loop_new()};
    int ends[2];

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct loop_fd *watch = loop_fd_new(f.loop, ends[0], fd_cb, &f);
    loop_fd_watch(watch, LOOP_READABLE);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    loop_run(f.loop);
    ck_assert_str_eq(f.order, "r");
    loop_fd_free(watch);
    loop_free(f.loop);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loop");
    TCase *tc = tcase_create("loop");
    SRunner *runner = srunner_create(suite);

    tcase_add_test(tc, flush_hooks_run_once_per_turn_lower_order_first);
    tcase_add_test(tc, timer_may_free_itself_and_is_not_early);
    tcase_add_test(tc, pool_job_runs_then_reports_on_the_loop);
    tcase_add_test(tc, pool_refuses_past_its_limit);
    tcase_add_test(tc, child_gets_only_its_three_descriptors_and_own_session);
    tcase_add_test(tc, spawn_of_a_missing_program_is_an_error);
    tcase_add_test(tc, signal_arrives_on_the_loop);
    tcase_add_test(tc, descriptor_is_watched_until_freed);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
