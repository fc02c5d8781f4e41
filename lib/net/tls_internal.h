/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_TLS_INTERNAL_H
#define NET_TLS_INTERNAL_H
/* What the two OpenSSL files of lib/net share: tls.c makes contexts, tls_end.c uses them. */
#include <openssl/ssl.h>
#include "internal.h"

#define NET_TLS_ALPN "\x02h2" /* with its length before it, as it goes on the wire */
#define NET_TLS_ALPN_NAME "h2"
#define NET_TLS_SESSIONS_MAX 8 /* kept by a client's context, one for each server */
#define NET_TLS_SESSION_S 3600 /* how long a session may be resumed */
#define NET_TLS_KEY_BYTES 400  /* name and address of a server */
#define NET_TLS_IDENTITY_BYTES_MAX 256

struct tls_session {
    char server[NET_TLS_KEY_BYTES];
    SSL_SESSION *session;
};

struct net_tls {
    size_t refs;
    struct net_tls_options options; /* texts are our own */
    SSL_CTX *ctx;                   /* connections keep the one they began with */
    int64_t expires_unix_s;
    struct tls_session sessions[NET_TLS_SESSIONS_MAX];
    size_t session_next; /* whose place the next new server takes */
};

/* Called by OpenSSL when a server has given a ticket: tls_end.c knows for which server. */
int net__tls_end_new_session(SSL *ssl, SSL_SESSION *session);
/* Keeps the session (one reference is handed over) or takes one out: used once, as TLS 1.3 wants,
 * so that an observer cannot link connections by it. */
void net__tls_keep_session(struct net_tls *tls, const char *server, SSL_SESSION *session);
SSL_SESSION *net__tls_take_session(struct net_tls *tls, const char *server);

#endif
