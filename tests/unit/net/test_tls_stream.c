/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "tls_fixture.h"

#define BIG_BYTES (6u << 20)

START_TEST(megabytes_pass_both_ways_with_back_pressure)
{
    struct fixture f = {
        .send_bytes = BIG_BYTES, .expect = BIG_BYTES, .echo = true, .pause_server = true};
    AUTO(free_ptr) char *data = mem_zalloc(BIG_BYTES);

    begin(&f);
    f.send = data;
    serve(&f, NULL, 10);
    dial(&f, net_listener_address(f.listener), NULL);
    wait_for_accept(&f);
    run_ms(&f, 50);
    ck_assert_uint_eq(f.server_received, 0);
    ck_assert(!net_stream_writable(f.client));
    ck_assert_uint_gt(net_stream_pending_bytes(f.client), NET_WRITE_HIGH_WATER_BYTES);
    f.pause_server = false;
    net_stream_pause(f.server, false);
    loop_run(f.loop);
    ck_assert_uint_eq(f.received, BIG_BYTES);
    ck_assert_uint_eq(f.drained, 1);
    finish(&f);
}
END_TEST

START_TEST(writes_are_bounded_when_the_peer_does_not_read)
{
    struct fixture f = {.pause_server = true};
    static char block[1 << 20];
    enum status st = STATUS_OK;
    int writes = 0;

    begin(&f);
    serve(&f, NULL, 10);
    dial(&f, net_listener_address(f.listener), NULL);
    wait_for_accept(&f);
    while (st == STATUS_OK && writes++ < 100) {
        st = net_stream_write(f.client, block, sizeof block);
        run_ms(&f, 1);
    }
    ck_assert_int_eq(st, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_uint_le(net_stream_pending_bytes(f.client), NET_WRITE_MAX_BYTES + (1u << 20));
    finish(&f);
}
END_TEST

START_TEST(bytes_behind_the_handshake_wait_for_a_paused_reader)
{
    struct fixture f = {
        .send = "early", .send_bytes = 5, .expect = 5, .echo = true, .pause_server = true};

    begin(&f);
    serve(&f, NULL, 10);
    dial(&f, net_listener_address(f.listener), NULL);
    run_ms(&f, 100);
    ck_assert_ptr_nonnull(f.server);
    ck_assert_uint_eq(f.server_received, 0);
    net_stream_pause(f.server, false);
    loop_run(f.loop);
    ck_assert_uint_eq(f.received, 5);
    finish(&f);
}
END_TEST

START_TEST(cut_connection_is_a_loss)
{
    struct fixture f = {0};

    begin(&f);
    serve(&f, NULL, 10);
    struct foreign foreign = foreign_client(&f);
    foreign.say = "half a message";
    foreign.end = FOREIGN_CUTS;
    foreign_start(&foreign, f.loop);
    foreign_wait(&foreign);
    wait_for_server_close(&f);
    ck_assert_uint_eq(f.server_received, strlen(foreign.say));
    ck_assert_int_eq(f.server_status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(f.server_why, "cut off") != NULL, "%s", f.server_why);
    SSL_SESSION_free(foreign.ticket);
    finish(&f);
}
END_TEST

START_TEST(our_end_is_said_after_the_last_bytes)
{
    struct fixture f = {.echo = true, .close_after_first = true};

    begin(&f);
    serve(&f, NULL, 10);
    struct foreign foreign = foreign_client(&f);
    foreign.say = "hello";
    foreign.end = FOREIGN_WAITS_FOR_END;
    foreign_start(&foreign, f.loop);
    foreign_wait(&foreign);
    ck_assert_str_eq(foreign.heard, "hello");
    ck_assert_msg(foreign.ended_well, "%s", foreign.why);
    SSL_SESSION_free(foreign.ticket);
    wait_for_server_close(&f);
    ck_assert_int_eq(f.server_status, STATUS_OK);
    finish(&f);
}
END_TEST

START_TEST(freed_stream_says_its_end)
{
    struct fixture f = {0};

    begin(&f);
    serve(&f, NULL, 10);
    struct foreign foreign = foreign_client(&f);
    foreign.end = FOREIGN_WAITS_FOR_END;
    foreign_start(&foreign, f.loop);
    wait_for_accept(&f);
    run_ms(&f, 20);
    net_stream_free(f.server);
    f.server = NULL;
    foreign_wait(&foreign);
    ck_assert_msg(foreign.ended_well, "%s", foreign.why);
    SSL_SESSION_free(foreign.ticket);
    finish(&f);
}
END_TEST

/* One foreign connection that echoes "hello"; its ticket is kept in *session. */
static void foreign_visit(struct fixture *f, SSL_SESSION **session, int version,
                          struct foreign *ret)
{
    struct foreign foreign = foreign_client(f);

    foreign.version_max = version;
    foreign.session = *session;
    foreign.say = "hello";
    foreign.hear_bytes = 5;
    foreign_start(&foreign, f->loop);
    foreign_wait(&foreign);
    ck_assert_msg(foreign.connected, "%s", foreign.why);
    ck_assert_str_eq(foreign.heard, "hello");
    if (foreign.ticket) {
        SSL_SESSION_free(*session);
        *session = foreign.ticket;
    }
    *ret = foreign;
}

static void server_resumes(int version)
{
    struct fixture f = {.echo = true};
    SSL_SESSION *session = NULL;
    struct foreign visit;

    begin(&f);
    serve(&f, NULL, 10);
    foreign_visit(&f, &session, version, &visit);
    ck_assert(!visit.resumed);
    foreign_visit(&f, &session, version, &visit);
    ck_assert(visit.resumed);
    struct error err = {0};
    ck_assert_msg(net_tls_reload(f.server_tls, &err) == STATUS_OK, "%s", err.message);
    foreign_visit(&f, &session, version, &visit);
    ck_assert(!visit.resumed);
    SSL_SESSION_free(session);
    finish(&f);
}

START_TEST(server_resumes_until_it_is_reloaded)
{
    server_resumes(TLS1_2_VERSION);
    server_resumes(TLS1_3_VERSION);
}
END_TEST

/* Our client twice at one foreign server, with a reload between or without. */
static void client_resumes(int version, bool reload)
{
    struct fixture f = {0};
    struct error err = {0};

    begin(&f);
    struct foreign foreign = {.server = true,
                              .alpn = H2,
                              .certificate = f.certificate,
                              .version_max = version,
                              .connections = 2,
                              .say = "hello",
                              .end = FOREIGN_SAYS_END};
    foreign_start(&foreign, f.loop);
    dial(&f, foreign.address, NULL);
    while (!f.client_closed)
        loop_run(f.loop);
    ck_assert_msg(f.received == 5, "%s", f.why);
    ck_assert(!foreign.resumed);
    if (reload)
        ck_assert_int_eq(net_tls_reload(f.client_tls, &err), STATUS_OK);
    f.client_closed = false;
    f.client = net_connect(f.loop, foreign.address,
                           &(struct net_connect_options){.timeout_ms = 5000, .tls = f.client_tls},
                           connect_cb, &f);
    while (!f.client_closed)
        loop_run(f.loop);
    foreign_wait(&foreign);
    ck_assert_uint_eq(f.received, 10);
    ck_assert_int_eq(foreign.resumed, !reload);
    finish(&f);
}

START_TEST(client_resumes_until_it_is_reloaded)
{
    client_resumes(TLS1_2_VERSION, false);
    client_resumes(TLS1_3_VERSION, false);
    client_resumes(TLS1_3_VERSION, true);
}
END_TEST

START_TEST(reload_serves_the_new_certificate_and_lets_the_old_connection_live)
{
    struct fixture f = {.send = "hello", .send_bytes = 5, .expect = 5, .echo = true};
    SSL_SESSION *session = NULL;
    struct error err = {0};
    struct foreign before, after;

    begin(&f);
    serve(&f, NULL, 10);
    int64_t expires_unix_s = net_tls_expires_unix_s(f.server_tls);
    foreign_visit(&f, &session, 0, &before);
    wait_for_server_close(&f);
    dial(&f, net_listener_address(f.listener), NULL);
    while (f.received < 5)
        loop_run(f.loop);
    struct net_stream *kept = f.server;
    f.server = NULL;
    certificate_write(&f.authority, "server", "server", "DNS:localhost,IP:127.0.0.1", -60,
                      2 * DAY_S);
    ck_assert_msg(net_tls_reload(f.server_tls, &err) == STATUS_OK, "%s", err.message);
    ck_assert_int_ge(net_tls_expires_unix_s(f.server_tls), expires_unix_s + DAY_S);
    foreign_visit(&f, &session, 0, &after);
    ck_assert_str_ne(before.peer_serial, after.peer_serial);
    ck_assert(!f.client_closed);
    f.expect = 10;
    ck_assert_int_eq(net_stream_write(f.client, "again", 5), STATUS_OK);
    while (f.received < 10)
        loop_run(f.loop);
    net_stream_free(kept);
    SSL_SESSION_free(session);
    finish(&f);
}
END_TEST

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(bad_file_at_reload_keeps_the_old_certificate)
{
    struct fixture f = {.echo = true};
    SSL_SESSION *session = NULL;
    struct error err = {0};
    struct foreign before, after;

    begin(&f);
    serve(&f, NULL, 10);
    foreign_visit(&f, &session, 0, &before);
    write_file(f.certificate.file, "-----BEGIN CERTIFICATE-----\nnonsense\n");
    ck_assert_int_eq(net_tls_reload(f.server_tls, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_msg(strstr(err.message, f.certificate.file) != NULL, "%s", err.message);
    foreign_visit(&f, &session, 0, &after);
    ck_assert_str_eq(before.peer_serial, after.peer_serial);
    SSL_SESSION_free(session);
    finish(&f);
}
END_TEST

static void context_is_refused(const struct net_tls_options *options, const char *file,
                               const char *why)
{
    struct error err = {0};

    ck_assert_ptr_null(net_tls_new(options, &err));
    ck_assert_msg(strstr(err.message, file) && strstr(err.message, why), "%s", err.message);
}

START_TEST(errors_name_the_file_and_the_reason)
{
    struct fixture f = {0};
    struct net_tls_options options = {.server = true};

    begin(&f);
    context_is_refused(&options, "", "needs a certificate file");
    options.certificate_file = "/nowhere/x.crt";
    context_is_refused(&options, "/nowhere/x.crt", "No such file");
    options.certificate_file = f.certificate.file;
    context_is_refused(&options, f.certificate.file, "without a key file");
    options.key_file = f.client_certificate.key_file;
    context_is_refused(&options, f.client_certificate.key_file, "key values mismatch");
    options.key_file = f.certificate.key_file;
    options.ca_file = f.certificate.key_file;
    context_is_refused(&options, f.certificate.key_file, "CA file");
    options.ca_file = NULL;
    struct certificate old =
        certificate_write(&f.authority, "old", "old", "DNS:localhost", -DAY_S, -60);
    options.certificate_file = old.file;
    options.key_file = old.key_file;
    context_is_refused(&options, old.file, "expired at 20");
    write_file(old.key_file, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGj\n");
    context_is_refused(&options, old.key_file, "key file");
    finish(&f);
}
END_TEST

TCase *tls_stream_tests(void)
{
    TCase *tc = tcase_create("tls_stream");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, megabytes_pass_both_ways_with_back_pressure);
    tcase_add_test(tc, writes_are_bounded_when_the_peer_does_not_read);
    tcase_add_test(tc, bytes_behind_the_handshake_wait_for_a_paused_reader);
    tcase_add_test(tc, cut_connection_is_a_loss);
    tcase_add_test(tc, our_end_is_said_after_the_last_bytes);
    tcase_add_test(tc, freed_stream_says_its_end);
    tcase_add_test(tc, server_resumes_until_it_is_reloaded);
    tcase_add_test(tc, client_resumes_until_it_is_reloaded);
    tcase_add_test(tc, reload_serves_the_new_certificate_and_lets_the_old_connection_live);
    tcase_add_test(tc, bad_file_at_reload_keeps_the_old_certificate);
    tcase_add_test(tc, errors_name_the_file_and_the_reason);
    return tc;
}
