/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "certificates.h"
#include "service/tls.h"

#define DAY_S 86400

struct settings {
    struct service_settings service;
    struct service_tls_settings tls;
};
struct state {
    struct loop_timer *timer;
    struct net_tls *server, *client;
    int64_t expires_unix_s;
    int hangups;
};

static struct authority authority;
static struct certificate certificate;
static bool started, has_server, has_client;
static int hangups;

/* Runs behind the reload, since it was asked for later. */
static void on_hangup(void *userdata)
{
    struct state *state = userdata;
    int64_t now_s = net_tls_expires_unix_s(state->server);
    FILE *file;

    hangups = ++state->hangups;
    if (state->hangups == 1) {
        ck_assert_int_ge(now_s, state->expires_unix_s + DAY_S);
        state->expires_unix_s = now_s;
        file = fopen(certificate.file, "w");
        fputs("nonsense", file);
        fclose(file);
        loop_timer_start(state->timer, 1, 0);
    } else {
        ck_assert_int_eq(now_s, state->expires_unix_s);
        raise(SIGTERM);
    }
}

static void hang_up(void *userdata)
{
    raise(SIGHUP);
}

static enum status start(struct service *service, void *userdata, struct error *err)
{
    struct state *state = userdata;
    const struct settings *settings = service_settings(service);
    enum status st = service_tls_server(service, &settings->tls, &state->server, err);

    if (st == STATUS_OK)
        st = service_tls_client(service, &settings->tls, &state->client, err);
    if (st != STATUS_OK)
        return st;
    started = true;
    has_server = state->server != NULL;
    has_client = state->client != NULL;
    if (!state->server) {
        raise(SIGTERM);
        return STATUS_OK;
    }
    state->expires_unix_s = net_tls_expires_unix_s(state->server);
    certificate =
        certificate_write(&authority, "service", "service", "DNS:localhost", -60, 3 * DAY_S);
    service_on_hangup(service, on_hangup, state);
    state->timer = loop_timer_new(service_loop(service), hang_up, state);
    loop_timer_start(state->timer, 1, 0);
    return STATUS_OK;
}

static void stop(struct service *service, void *userdata)
{
    struct state *state = userdata;

    loop_timer_free(state->timer);
    service_duty_stopped(service, "tls");
}

static int run(char *first, char *second, char *third)
{
    static const struct conf_option options[] = {
        SERVICE_TLS_LISTEN_OPTIONS(struct settings, tls),
        SERVICE_TLS_OPTIONS(struct settings, tls),
    };
    static const struct service_duty duties[] = {{"tls", start, stop}};
    const struct service_program program = {
        .conf = {"test", "is tested", options, ARRAY_LEN(options)},
        .settings_bytes = sizeof(struct settings),
        .state_bytes = sizeof(struct state),
        .duties = duties,
        .duty_count = ARRAY_LEN(duties),
    };
    char *argv[] = {"plankton-test", first, second, third, NULL};
    int argc = 1;

    while (argv[argc])
        argc++;
    return service_main(&program, argc, argv);
}

static void setup(void)
{
    authority_init(&authority, "authority");
    certificate = certificate_write(&authority, "service", "service", "DNS:localhost", -60, DAY_S);
}

static void teardown(void)
{
    authority_fini(&authority);
    certificates_remove();
}

START_TEST(without_settings_all_is_plaintext)
{
    ck_assert_int_eq(run(NULL, NULL, NULL), 0);
    ck_assert(started && !has_server && !has_client);
}
END_TEST

START_TEST(hangup_reloads_and_a_bad_file_changes_nothing)
{
    char file[160], key[160], ca[160];

    snprintf(file, sizeof file, "--tls-certificate=%s", certificate.file);
    snprintf(key, sizeof key, "--tls-key=%s", certificate.key_file);
    snprintf(ca, sizeof ca, "--tls-ca=%s", authority.file);
    ck_assert_int_eq(run(file, key, ca), 0);
    ck_assert(has_server && has_client);
    ck_assert_int_eq(hangups, 2);
}
END_TEST

START_TEST(missing_file_fails_the_start)
{
    ck_assert_int_eq(run("--tls-ca=/nowhere/ca.pem", NULL, NULL), 1);
    ck_assert(!started);
}
END_TEST

START_TEST(half_of_the_settings_is_refused)
{
    struct service_tls_settings no_certificate = {.client_ca = "ca.pem"}, no_pair = {.key = "k"};
    struct error err = {0};
    struct net_tls *tls;

    ck_assert_int_eq(service_tls_server(NULL, &no_certificate, &tls, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "--tls-client-ca needs --tls-certificate too");
    ck_assert_int_eq(service_tls_client(NULL, &no_pair, &tls, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.message, "--tls-key needs --tls-certificate too");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("service_tls");
    TCase *tc = tcase_create("service_tls");
    SRunner *runner = srunner_create(suite);
    int failed;

    /* Signals and the registry of metrics are the process's: each test has its own. */
    srunner_set_fork_status(runner, CK_FORK);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, without_settings_all_is_plaintext);
    tcase_add_test(tc, hangup_reloads_and_a_bad_file_changes_nothing);
    tcase_add_test(tc, missing_file_fails_the_start);
    tcase_add_test(tc, half_of_the_settings_is_refused);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
