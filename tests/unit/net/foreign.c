/* SPDX-License-Identifier: Apache-2.0 */
#include "foreign.h"
#include <arpa/inet.h>
#include <check.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static void note_error(struct foreign *foreign, SSL *ssl, int rc)
{
    unsigned long code;
    int kind = SSL_get_error(ssl, rc);

    if (foreign->why[0])
        return;
    code = ERR_peek_error();
    snprintf(foreign->why, sizeof foreign->why, "%s",
             code                            ? ERR_reason_error_string(code)
             : kind == SSL_ERROR_SYSCALL     ? "reset"
             : kind == SSL_ERROR_ZERO_RETURN ? "end"
                                             : "unknown");
    ERR_clear_error();
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    struct foreign *foreign = SSL_get_app_data(ssl);

    SSL_SESSION_free(foreign->ticket);
    foreign->ticket = session;
    return 1;
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                  const unsigned char *in, unsigned int in_len, void *userdata)
{
    struct foreign *foreign = userdata;
    unsigned char *chosen = NULL;

    if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)foreign->alpn,
                              (unsigned)strlen(foreign->alpn), in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *make_context(struct foreign *foreign)
{
    SSL_CTX *ctx = SSL_CTX_new(foreign->server ? TLS_server_method() : TLS_client_method());

    SSL_CTX_set_security_level(ctx, 0); /* so that TLS 1.1 can be offered at all */
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    if (foreign->version_max)
        SSL_CTX_set_max_proto_version(ctx, foreign->version_max);
    if (foreign->server && foreign->alpn)
        SSL_CTX_set_alpn_select_cb(ctx, choose, foreign);
    if (!foreign->server && foreign->alpn)
        SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)foreign->alpn,
                                (unsigned)strlen(foreign->alpn));
    if (!foreign->server) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ctx, on_ticket);
    }
    if (foreign->certificate.file[0]) {
        SSL_CTX_use_certificate_chain_file(ctx, foreign->certificate.file);
        SSL_CTX_use_PrivateKey_file(ctx, foreign->certificate.key_file, SSL_FILETYPE_PEM);
    }
    return ctx;
}

static void note_connection(struct foreign *foreign, SSL *ssl)
{
    X509 *peer = SSL_get0_peer_certificate(ssl);

    foreign->connected = true;
    foreign->version = SSL_version(ssl);
    foreign->resumed = SSL_session_reused(ssl);
    if (peer) {
        BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(peer), NULL);
        char *text = BN_bn2dec(serial);
        snprintf(foreign->peer_serial, sizeof foreign->peer_serial, "%s", text);
        OPENSSL_free(text);
        BN_free(serial);
    }
}

static void talk(struct foreign *foreign, SSL *ssl)
{
    char buffer[16384];

    if (foreign->say && SSL_write(ssl, foreign->say, (int)strlen(foreign->say)) <= 0)
        note_error(foreign, ssl, -1);
    while (foreign->heard_bytes < foreign->hear_bytes || foreign->end == FOREIGN_WAITS_FOR_END) {
        int n = SSL_read(ssl, buffer, sizeof buffer);
        if (n <= 0) {
            foreign->ended_well = SSL_get_error(ssl, n) == SSL_ERROR_ZERO_RETURN;
            note_error(foreign, ssl, n);
            break;
        }
        if (foreign->heard_bytes + (size_t)n < sizeof foreign->heard)
            memcpy(foreign->heard + foreign->heard_bytes, buffer, (size_t)n);
        foreign->heard_bytes += (size_t)n;
    }
    if (foreign->end != FOREIGN_CUTS) {
        SSL_shutdown(ssl);
        return;
    }
    /* Unread bytes would make the kernel send a reset in place of the end. */
    shutdown(foreign->fd, SHUT_WR);
    while (recv(foreign->fd, buffer, sizeof buffer, 0) > 0)
        continue;
}

static void be_silent(struct foreign *foreign)
{
    size_t have = 0;
    ssize_t n;

    if (foreign->raw_bytes)
        ck_assert_int_eq(send(foreign->fd, foreign->raw, foreign->raw_bytes, MSG_NOSIGNAL),
                         (ssize_t)foreign->raw_bytes);
    while ((n = recv(foreign->fd, foreign->raw_heard + have, sizeof foreign->raw_heard - have, 0)) >
           0)
        have += (size_t)n;
    foreign->heard_bytes = have;
    foreign->ended_well = n == 0;
}

static void serve_or_call(struct foreign *foreign, SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);

    SSL_set_app_data(ssl, foreign);
    SSL_set_fd(ssl, foreign->fd);
    if (foreign->session)
        SSL_set_session(ssl, foreign->session);
    ERR_clear_error();
    int rc = foreign->server ? SSL_accept(ssl) : SSL_connect(ssl);
    if (rc == 1) {
        note_connection(foreign, ssl);
        talk(foreign, ssl);
    } else {
        note_error(foreign, ssl, rc);
    }
    SSL_free(ssl);
}

static void *run(void *userdata)
{
    struct foreign *foreign = userdata;
    SSL_CTX *ctx = make_context(foreign);
    int connections = foreign->connections ? foreign->connections : 1;

    for (int i = 0; i < connections; i++) {
        if (foreign->server)
            foreign->fd = accept(foreign->listen_fd, NULL, NULL);
        if (foreign->silent)
            be_silent(foreign);
        else
            serve_or_call(foreign, ctx);
        close(foreign->fd);
    }
    SSL_CTX_free(ctx);
    ck_assert_int_eq(eventfd_write(foreign->done_fd, 1), 0);
    return NULL;
}

static void on_done(int events, void *userdata)
{
    struct foreign *foreign = userdata;

    loop_fd_watch(foreign->watch, 0);
    foreign->done = true;
    loop_stop(foreign->loop);
}

void foreign_start(struct foreign *foreign, struct loop *loop)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (foreign->server) {
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
        ck_assert_int_eq(listen(fd, 4), 0);
        getsockname(fd, (struct sockaddr *)&at, &len);
        foreign->listen_fd = fd;
        snprintf(foreign->address, sizeof foreign->address, "127.0.0.1:%u", ntohs(at.sin_port));
    } else {
        at.sin_port = htons((uint16_t)strtoul(strrchr(foreign->address, ':') + 1, NULL, 10));
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, len), 0);
        foreign->fd = fd;
    }
    signal(SIGPIPE, SIG_IGN);
    foreign->loop = loop;
    foreign->done_fd = eventfd(0, EFD_CLOEXEC);
    foreign->watch = loop_fd_new(loop, foreign->done_fd, on_done, foreign);
    loop_fd_watch(foreign->watch, LOOP_READABLE);
    ck_assert_int_eq(pthread_create(&foreign->thread, NULL, run, foreign), 0);
}

void foreign_wait(struct foreign *foreign)
{
    while (!foreign->done)
        loop_run(foreign->loop);
    pthread_join(foreign->thread, NULL);
    loop_fd_free(foreign->watch);
    close(foreign->done_fd);
    if (foreign->server)
        close(foreign->listen_fd);
}
