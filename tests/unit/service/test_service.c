/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/buf.h"
#include "metrics/metrics.h"
#include "net/net.h"
#include "service/service.h"

struct settings {
    struct service_settings service;
    const char *greeting;
};
struct state {
    struct service *service;
    struct loop_timer *timer;
    struct net_stream *client;
    struct buf got;
};

static char events[256]; /* "+a" started, "-a" stopped … */
static char folder[64], ops[96];
static const char *scenario;
static char answers[16384];

static void note(const char *what)
{
    strncat(events, what, sizeof(events) - strlen(events) - 1);
}

static enum status first_start(struct service *service, void *userdata, struct error *err)
{
    struct state *state = userdata;

    note("+a");
    state->service = service;
    ck_assert_str_eq(((struct settings *)service_settings(service))->greeting, "hello");
    ck_assert_ptr_nonnull(service_loop(service));
    if (str_eq(scenario, "shut in start"))
        service_shutdown(service, false);
    return STATUS_OK;
}

static void first_stop(struct service *service, void *userdata)
{
    note("-a");
    service_duty_stopped(service, "first");
}

static void stop_later(void *userdata)
{
    struct state *state = userdata;

    note("-b");
    loop_timer_free(state->timer);
    net_stream_free(state->client);
    buf_fini(&state->got);
    service_duty_stopped(state->service, "second");
    service_duty_stopped(state->service, "second"); /* twice does no harm */
}

static void second_stop(struct service *service, void *userdata)
{
    struct state *state = userdata;

    note("~b");
    if (str_eq(scenario, "hangs") || str_eq(scenario, "signal twice")) {
        if (str_eq(scenario, "signal twice"))
            raise(SIGINT);
        return;
    }
    if (!state->timer) {
        service_duty_stopped(service, "second");
        return;
    }
    loop_defer(service_loop(service), stop_later, state);
}

/* One request after the other on the ops port; then SIGTERM. */
static const char *const REQUESTS[] = {"/readyz", "/readyz", "/livez", "/metrics", "/nothing"};
static size_t asked;

static void ask(struct state *state)
{
    char text[128];
    int n;

    if (asked == 1)
        service_not_ready(state->service, "second", NULL);
    if (asked == ARRAY_LEN(REQUESTS)) {
        snprintf(answers, sizeof(answers), "%s", buf_cstr(&state->got));
        raise(SIGTERM);
        return;
    }
    n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", REQUESTS[asked++]);
    ck_assert_int_eq(net_stream_write(state->client, text, (size_t)n), STATUS_OK);
}

static void client_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    struct state *state = userdata;
    const char *text, *head_end = NULL, *last;
    size_t responses = 0;

    buf_put(&state->got, bytes.data, bytes.len);
    text = buf_cstr(&state->got);
    for (last = strstr(text, "HTTP/1.1 "); last; last = strstr(last + 1, "HTTP/1.1 ")) {
        responses++;
        head_end = strstr(last, "\r\n\r\n");
    }
    /* The whole of the last answer has come when its text ends with a line end. */
    if (responses == asked && head_end && head_end[4] && text[state->got.len - 1] == '\n')
        ask(state);
}

static void client_close(struct net_stream *stream, enum status status, const char *why,
                         void *userdata)
{
    struct state *state = userdata;

    net_stream_free(state->client);
    state->client = NULL;
}

static void connected(struct net_stream *stream, enum status status, const char *why,
                      void *userdata)
{
    static const struct net_callbacks CALLBACKS = {client_read, client_close, NULL};

    ck_assert_msg(status == STATUS_OK, "%s", why);
    net_stream_start(stream, &CALLBACKS, userdata);
    ask(userdata);
}

static void act(void *userdata)
{
    struct state *state = userdata;

    if (str_eq(scenario, "ops"))
        state->client =
            net_connect(service_loop(state->service), service_ops_address(state->service),
                        &(struct net_connect_options){.timeout_ms = 1000}, connected, state);
    else if (str_eq(scenario, "hangup"))
        raise(SIGHUP), loop_timer_start(state->timer, 20, 0), scenario = "then stop";
    else if (str_eq(scenario, "failed"))
        service_shutdown(state->service, true);
    else
        raise(SIGTERM);
}

static enum status second_start(struct service *service, void *userdata, struct error *err)
{
    struct state *state = userdata;

    note("+b");
    if (str_eq(scenario, "start fails"))
        return error_set(err, STATUS_UNAVAILABLE, "no database");
    buf_init(&state->got, 1 << 20);
    state->timer = loop_timer_new(service_loop(service), act, state);
    loop_timer_start(state->timer, 1, 0);
    if (str_eq(scenario, "ops"))
        service_not_ready(service, "second", "waits for the database");
    return STATUS_OK;
}

static const struct conf_option OPTIONS[] = {
    CONF_OPTION("greeting", CONF_TEXT, "hello", 0, 0, struct settings, greeting, "what to say"),
    CONF_OPTION("log-level", CONF_TEXT, "error", 0, 0, struct settings, service.log_level,
                "quieter than others"),
};
static const struct service_duty DUTIES[] = {
    {"first", first_start, first_stop},
    {"second", second_start, second_stop},
};
static const struct service_program PROGRAM = {
    .conf = {"test", "is tested", OPTIONS, ARRAY_LEN(OPTIONS)},
    .settings_bytes = sizeof(struct settings),
    .state_bytes = sizeof(struct state),
    .duties = DUTIES,
    .duty_count = ARRAY_LEN(DUTIES),
};

static int run(const char *name, char *flag)
{
    char *argv[] = {"plankton-test", ops, flag, NULL};

    scenario = name;
    return service_main(&PROGRAM, flag ? 3 : 2, argv);
}

static void setup(void)
{
    events[0] = '\0';
    asked = 0;
    snprintf(folder, sizeof(folder), "/tmp/plankton-service-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(ops, sizeof(ops), "--ops-listen=unix:%s/ops", folder);
}

static void teardown(void)
{
    unlink(ops + strlen("--ops-listen=unix:"));
    rmdir(folder);
}

START_TEST(duties_start_in_order_and_stop_in_reverse)
{
    ck_assert_int_eq(run("plain", NULL), 0);
    ck_assert_str_eq(events, "+a+b~b-b-a");
}
END_TEST

START_TEST(failed_start_stops_what_was_begun_and_fails)
{
    ck_assert_int_eq(run("start fails", "--log-level=error"), 1);
    ck_assert_str_eq(events, "+a+b~b-a");
}
END_TEST

START_TEST(shutdown_with_failure_gives_status_1)
{
    ck_assert_int_eq(run("failed", NULL), 1);
    ck_assert_str_eq(events, "+a+b~b-b-a");
}
END_TEST

START_TEST(shutdown_from_a_start_starts_no_more)
{
    ck_assert_int_eq(run("shut in start", NULL), 0);
    ck_assert_str_eq(events, "+a-a");
}
END_TEST

START_TEST(drain_deadline_cuts_a_hanging_duty_off)
{
    ck_assert_int_eq(run("hangs", "--drain-timeout=30ms"), 1);
    ck_assert_str_eq(events, "+a+b~b");
}
END_TEST

START_TEST(second_signal_ends_at_once)
{
    ck_assert_int_eq(run("signal twice", "--drain-timeout=10m"), 1);
    ck_assert_str_eq(events, "+a+b~b");
}
END_TEST

START_TEST(hangup_changes_nothing)
{
    ck_assert_int_eq(run("hangup", NULL), 0);
    ck_assert_str_eq(events, "+a+b~b-b-a");
}
END_TEST

static void check_answer(const char *part)
{
    ck_assert_msg(strstr(answers, part) != NULL, "no \"%s\" in %s", part, answers);
}

START_TEST(ops_port_tells_life_readiness_and_metrics)
{
    ck_assert_int_eq(run("ops", NULL), 0);
    check_answer("HTTP/1.1 503 Service Unavailable\r\n");
    check_answer("\r\n\r\nsecond: waits for the database\n");
    check_answer("\r\n\r\nready\n");
    check_answer("\r\n\r\nok\n");
    check_answer("Content-Type: text/plain; version=0.0.4");
    check_answer("\nprocess_resident_memory_bytes ");
    check_answer("plankton_build_info{version=\"" PLANKTON_VERSION "\"} 1\n");
    check_answer("HTTP/1.1 404 Not Found\r\n");
}
END_TEST

START_TEST(bad_settings_give_status_2)
{
    ck_assert_int_eq(run("plain", "--log-level=loud"), 2);
    ck_assert_int_eq(run("plain", "--log-format=xml"), 2);
    ck_assert_int_eq(run("plain", "--gretting=x"), 2);
    ck_assert_int_eq(run("plain", "--help"), 0);
    ck_assert_str_eq(events, "");
}
END_TEST

START_TEST(unusable_ops_address_fails_the_start)
{
    snprintf(ops, sizeof(ops), "--ops-listen=unix:%s/none/ops", folder);
    ck_assert_int_eq(run("plain", "--log-level=error"), 1);
    ck_assert_str_eq(events, "");
}
END_TEST

START_TEST(systemd_is_told)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    char text[64];
    ssize_t n;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", folder);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    ck_assert_int_eq(run("plain", NULL), 0);
    unsetenv("NOTIFY_SOCKET");
    n = recv(fd, text, sizeof(text), 0);
    ck_assert_int_eq(n, 7);
    ck_assert_int_eq(memcmp(text, "READY=1", 7), 0);
    n = recv(fd, text, sizeof(text), 0);
    ck_assert_int_eq(n, 10);
    ck_assert_int_eq(memcmp(text, "STOPPING=1", 10), 0);
    close(fd);
    unlink(address.sun_path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("service");
    TCase *tc = tcase_create("service");
    SRunner *runner = srunner_create(suite);
    int failed;

    /* Signals, the registry of metrics and the log are the process's: each test has its own. */
    srunner_set_fork_status(runner, CK_FORK);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, duties_start_in_order_and_stop_in_reverse);
    tcase_add_test(tc, failed_start_stops_what_was_begun_and_fails);
    tcase_add_test(tc, shutdown_with_failure_gives_status_1);
    tcase_add_test(tc, shutdown_from_a_start_starts_no_more);
    tcase_add_test(tc, drain_deadline_cuts_a_hanging_duty_off);
    tcase_add_test(tc, second_signal_ends_at_once);
    tcase_add_test(tc, hangup_changes_nothing);
    tcase_add_test(tc, ops_port_tells_life_readiness_and_metrics);
    tcase_add_test(tc, bad_settings_give_status_2);
    tcase_add_test(tc, unusable_ops_address_fails_the_start);
    tcase_add_test(tc, systemd_is_told);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
