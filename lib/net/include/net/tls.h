/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NET_TLS_H
#define NET_TLS_H
/*
 * TLS for streams: a context holds certificate, key and trusted authorities of one end and is
 * shared by all its connections. TLS 1.3, and 1.2 with what HTTP/2 leaves of it (RFC 9113 section
 * 9.2: ECDHE with AEAD, no compression, no renegotiation). Both ends must agree on ALPN "h2".
 * Sessions are resumed by ticket; no early data. Reference counted; of the loop's thread.
 */
#include "base/error.h"

struct net_tls;

struct net_tls_options {
    bool server;
    const char *certificate_file;  /* PEM, the leaf first and its chain after it; a server must have
                                      one, a client only when it is asked for one */
    const char *key_file;          /* PEM, not encrypted */
    const char *ca_file;           /* PEM; whom a client trusts (NULL: the system's authorities);
                                      whose certificates a server takes from clients (NULL: it does
                                      not ask for any) */
    bool require_peer_certificate; /* server with ca_file: a client without one is refused */
    const char *server_name; /* client: the name to ask for (SNI) and to find in the certificate;
                                NULL = the host of the address, "localhost" for a unix socket */
    uint64_t handshake_timeout_ms; /* server; 0 = 10 s. A client's is that of net_connect */
};

/* Reads the files; the options are copied. An error names the file and what is wrong with it; so
 * does one about a certificate that has expired or does not belong to the key. */
MUST_USE struct net_tls *net_tls_new(const struct net_tls_options *options, struct error *err);
/* Reads the files again. What is open goes on with the old ones; sessions of before are not
 * resumed. On failure the old ones stay in force. */
MUST_USE enum status net_tls_reload(struct net_tls *tls, struct error *err);
struct net_tls *net_tls_ref(struct net_tls *tls); /* NULL passes */
void net_tls_unref(struct net_tls *tls);          /* NULL passes */
/* When the own certificate ends, seconds since 1970; 0 without one. */
int64_t net_tls_expires_unix_s(const struct net_tls *tls);

#endif
