/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "tls_fixture.h"

START_TEST(bytes_come_back_over_tls)
{
    struct fixture f = {.send = "hello", .send_bytes = 5, .expect = 5, .echo = true};

    begin(&f);
    serve(&f, NULL, 10);
    dial(&f, net_listener_address(f.listener), NULL);
    loop_run(f.loop);
    ck_assert_msg(f.received == 5, "%s", f.why);
    ck_assert_str_eq(f.identity, "");
    ck_assert_str_eq(f.server_identity, "localhost");
    finish(&f);
}
END_TEST

static void foreign_version(int version)
{
    struct fixture f = {.echo = true};

    begin(&f);
    serve(&f, NULL, 10);
    struct foreign foreign = foreign_client(&f);
    foreign.version_max = version;
    foreign.say = "hello";
    foreign.hear_bytes = 5;
    foreign_start(&foreign, f.loop);
    foreign_wait(&foreign);
    ck_assert_msg(foreign.connected, "%s", foreign.why);
    ck_assert_int_eq(foreign.version, version);
    ck_assert_str_eq(foreign.heard, "hello");
    wait_for_server_close(&f);
    ck_assert_int_eq(f.server_status, STATUS_OK);
    SSL_SESSION_free(foreign.ticket);
    finish(&f);
}

START_TEST(tls_1_2_is_spoken)
{
    foreign_version(TLS1_2_VERSION);
}
END_TEST

START_TEST(tls_1_3_is_spoken)
{
    foreign_version(TLS1_3_VERSION);
}
END_TEST

static void foreign_is_refused(int version_max, const char *alpn, const char *why)
{
    struct fixture f = {0};

    begin(&f);
    serve(&f, NULL, 10);
    struct foreign foreign = foreign_client(&f);
    foreign.version_max = version_max;
    foreign.alpn = alpn;
    foreign_start(&foreign, f.loop);
    foreign_wait(&foreign);
    ck_assert(!foreign.connected);
    ck_assert_msg(strstr(foreign.why, why) != NULL, "%s", foreign.why);
    ck_assert_uint_eq(f.accepted, 0);
    finish(&f);
}

START_TEST(tls_1_1_is_refused)
{
    foreign_is_refused(TLS1_1_VERSION, H2, "protocol version");
}
END_TEST

START_TEST(client_without_alpn_is_refused)
{
    foreign_is_refused(0, NULL, "no application protocol");
}
END_TEST

START_TEST(client_with_another_alpn_is_refused)
{
    foreign_is_refused(0, "\x08http/1.1", "no application protocol");
}
END_TEST

/* Our client against a foreign server: it must fail with these words. */
static void server_is_refused(struct fixture *f, struct foreign *foreign,
                              const struct net_tls_options *options, const char *why)
{
    foreign->server = true;
    foreign->end = FOREIGN_WAITS_FOR_END;
    foreign_start(foreign, f->loop);
    dial(f, foreign->address, options);
    while (!f->connect_told)
        loop_run(f->loop);
    ck_assert_int_eq(f->connect_status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(f->why, why) != NULL, "%s", f->why);
    foreign_wait(foreign);
    finish(f);
}

START_TEST(server_without_alpn_is_refused)
{
    struct fixture f = {0};

    begin(&f);
    struct foreign foreign = {.certificate = f.certificate};
    server_is_refused(&f, &foreign, NULL, "does not speak HTTP/2");
}
END_TEST

START_TEST(server_of_another_authority_is_refused)
{
    struct fixture f = {0};

    begin(&f);
    struct foreign foreign = {.alpn = H2, .certificate = f.certificate};
    server_is_refused(&f, &foreign, &(struct net_tls_options){.ca_file = f.stranger.file},
                      "certificate is refused: unable to get local issuer certificate");
}
END_TEST

START_TEST(server_of_another_name_is_refused)
{
    struct fixture f = {0};

    begin(&f);
    struct foreign foreign = {.alpn = H2, .certificate = f.certificate};
    server_is_refused(&f, &foreign, &(struct net_tls_options){.server_name = "other.example"},
                      "hostname mismatch; asked for other.example");
}
END_TEST

START_TEST(server_of_another_address_is_refused)
{
    struct fixture f = {0};

    begin(&f);
    struct foreign foreign = {.alpn = H2};
    foreign.certificate =
        certificate_write(&f.authority, "elsewhere", "e", "IP:127.0.0.2", -60, DAY_S);
    server_is_refused(&f, &foreign, NULL, "IP address mismatch; asked for 127.0.0.1");
}
END_TEST

START_TEST(expired_server_is_refused)
{
    struct fixture f = {0};

    begin(&f);
    struct foreign foreign = {.alpn = H2};
    foreign.certificate =
        certificate_write(&f.authority, "old", "old", "IP:127.0.0.1", -DAY_S, -60);
    server_is_refused(&f, &foreign, NULL, "certificate has expired");
}
END_TEST

START_TEST(server_in_plaintext_is_refused)
{
    struct fixture f = {0};

    begin(&f);
    struct foreign foreign = {.silent = true, .raw = "HTTP/1.1 400 Bad Request\r\n\r\n"};
    foreign.raw_bytes = strlen(foreign.raw);
    server_is_refused(&f, &foreign, NULL, "the server does not speak it");
}
END_TEST

static void identity_is(const char *common_name, const char *names, const char *expected)
{
    struct fixture f = {.send = "x", .send_bytes = 1, .expect = 1, .echo = true};

    begin(&f);
    f.client_certificate =
        certificate_write(&f.authority, "client", common_name, names, -60, DAY_S);
    serve(&f,
          &(struct net_tls_options){.ca_file = f.authority.file, .require_peer_certificate = true},
          10);
    dial(&f, net_listener_address(f.listener),
         &(struct net_tls_options){.certificate_file = f.client_certificate.file,
                                   .key_file = f.client_certificate.key_file});
    loop_run(f.loop);
    ck_assert_msg(f.received == 1, "%s", f.why);
    ck_assert_str_eq(f.identity, expected);
    finish(&f);
}

START_TEST(identity_is_the_spiffe_name)
{
    identity_is("cn", "DNS:a.example,URI:https://b.example,URI:" SPIFFE, SPIFFE);
}
END_TEST

START_TEST(identity_is_else_the_dns_name)
{
    identity_is("cn", "URI:https://b.example,DNS:a.example,DNS:b.example", "a.example");
}
END_TEST

START_TEST(identity_is_else_the_common_name)
{
    identity_is("worker-7", NULL, "worker-7");
}
END_TEST

START_TEST(identity_is_nothing_that_cannot_be_printed)
{
    identity_is("two words", NULL, "");
}
END_TEST

/* In TLS 1.3 the client learns of it only after its own handshake. */
static void client_is_refused(struct fixture *f, const struct net_tls_options *options,
                              const char *why)
{
    serve(f,
          &(struct net_tls_options){.ca_file = f->authority.file, .require_peer_certificate = true},
          10);
    dial(f, net_listener_address(f->listener), options);
    loop_run(f->loop);
    ck_assert(f->client_closed);
    ck_assert_int_eq(f->client_status, STATUS_UNAVAILABLE);
    ck_assert_msg(strstr(f->why, why) != NULL, "%s", f->why);
    ck_assert_uint_eq(f->accepted, 0);
    finish(f);
}

START_TEST(client_without_certificate_is_refused)
{
    struct fixture f = {.send = "x", .send_bytes = 1};

    begin(&f);
    client_is_refused(&f, NULL, "certificate required");
}
END_TEST

START_TEST(client_of_another_authority_is_refused)
{
    struct fixture f = {.send = "x", .send_bytes = 1};

    begin(&f);
    struct certificate other =
        certificate_write(&f.stranger, "other", "other", "DNS:a.example", -60, DAY_S);
    client_is_refused(
        &f, &(struct net_tls_options){.certificate_file = other.file, .key_file = other.key_file},
        "unknown ca");
}
END_TEST

START_TEST(client_certificate_may_be_optional)
{
    struct fixture f = {.send = "x", .send_bytes = 1, .expect = 1, .echo = true};

    begin(&f);
    serve(&f, &(struct net_tls_options){.ca_file = f.authority.file}, 10);
    dial(&f, net_listener_address(f.listener), NULL);
    loop_run(f.loop);
    ck_assert_msg(f.received == 1, "%s", f.why);
    ck_assert_str_eq(f.identity, "");
    finish(&f);
}
END_TEST

static void silent_client(const char *raw, size_t raw_bytes, const struct net_tls_options *options,
                          struct foreign *ret)
{
    struct fixture f = {0};

    begin(&f);
    serve(&f, options, 10);
    struct foreign foreign = foreign_client(&f);
    foreign.silent = true;
    foreign.raw = raw;
    foreign.raw_bytes = raw_bytes;
    foreign_start(&foreign, f.loop);
    foreign_wait(&foreign);
    ck_assert_uint_eq(f.accepted, 0);
    finish(&f);
    *ret = foreign;
}

START_TEST(stalled_handshake_is_cut_off)
{
    struct net_tls_options options = {.handshake_timeout_ms = 50};
    struct foreign foreign;

    silent_client(NULL, 0, &options, &foreign);
    ck_assert_uint_eq(foreign.heard_bytes, 0);
    /* The head of a record that never comes. */
    silent_client("\x16\x03\x01\x02\x00\x01", 6, &options, &foreign);
    ck_assert_uint_eq(foreign.heard_bytes, 0);
}
END_TEST

START_TEST(garbage_instead_of_a_hello_is_refused)
{
    static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    struct foreign foreign;

    silent_client(PREFACE, sizeof PREFACE - 1, NULL, &foreign);
    ck_assert(foreign.ended_well);
    silent_client("\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff", 10, NULL, &foreign);
    ck_assert(foreign.ended_well);
    ck_assert_uint_ge(foreign.heard_bytes, 7);
    ck_assert_uint_eq(foreign.raw_heard[0], 21); /* an alert */
}
END_TEST

START_TEST(half_done_handshakes_count_among_the_streams)
{
    struct fixture f = {0};

    begin(&f);
    serve(&f, &(struct net_tls_options){.handshake_timeout_ms = 300}, 1);
    struct foreign first = foreign_client(&f), second = foreign_client(&f);
    first.silent = true;
    foreign_start(&first, f.loop);
    foreign_start(&second, f.loop);
    foreign_wait(&second);
    ck_assert(!second.connected);
    foreign_wait(&first);
    struct foreign third = foreign_client(&f);
    foreign_start(&third, f.loop);
    foreign_wait(&third);
    ck_assert_msg(third.connected, "%s", third.why);
    SSL_SESSION_free(third.ticket);
    finish(&f);
}
END_TEST

START_TEST(freed_listener_drops_its_handshakes)
{
    struct fixture f = {0};

    begin(&f);
    serve(&f, NULL, 10);
    struct foreign foreign = foreign_client(&f);
    foreign.silent = true;
    foreign_start(&foreign, f.loop);
    run_ms(&f, 20);
    net_listener_free(f.listener);
    f.listener = NULL;
    foreign_wait(&foreign);
    ck_assert_uint_eq(f.accepted, 0);
    finish(&f);
}
END_TEST

TCase *tls_handshake_tests(void)
{
    TCase *tc = tcase_create("tls_handshake");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, bytes_come_back_over_tls);
    tcase_add_test(tc, tls_1_2_is_spoken);
    tcase_add_test(tc, tls_1_3_is_spoken);
    tcase_add_test(tc, tls_1_1_is_refused);
    tcase_add_test(tc, client_without_alpn_is_refused);
    tcase_add_test(tc, client_with_another_alpn_is_refused);
    tcase_add_test(tc, server_without_alpn_is_refused);
    tcase_add_test(tc, server_of_another_authority_is_refused);
    tcase_add_test(tc, server_of_another_name_is_refused);
    tcase_add_test(tc, server_of_another_address_is_refused);
    tcase_add_test(tc, expired_server_is_refused);
    tcase_add_test(tc, server_in_plaintext_is_refused);
    tcase_add_test(tc, identity_is_the_spiffe_name);
    tcase_add_test(tc, identity_is_else_the_dns_name);
    tcase_add_test(tc, identity_is_else_the_common_name);
    tcase_add_test(tc, identity_is_nothing_that_cannot_be_printed);
    tcase_add_test(tc, client_without_certificate_is_refused);
    tcase_add_test(tc, client_of_another_authority_is_refused);
    tcase_add_test(tc, client_certificate_may_be_optional);
    tcase_add_test(tc, stalled_handshake_is_cut_off);
    tcase_add_test(tc, garbage_instead_of_a_hello_is_refused);
    tcase_add_test(tc, half_done_handshakes_count_among_the_streams);
    tcase_add_test(tc, freed_listener_drops_its_handshakes);
    return tc;
}
