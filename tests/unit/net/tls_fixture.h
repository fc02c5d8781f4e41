/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_FIXTURE_H
#define TLS_FIXTURE_H
#include <check.h>
#include "foreign.h"
#include "net/net.h"
#include "net/tls.h"

#define DAY_S 86400
#define H2 "\x02h2"
#define SPIFFE "spiffe://plankton/worker/7"

/* Server and client of ours in one loop; either may be replaced by a foreign one. */
struct fixture {
    struct loop *loop;
    struct loop_timer *guard;
    struct authority authority, stranger;
    struct certificate certificate, client_certificate;
    struct net_tls *server_tls, *client_tls;
    struct net_listener *listener;
    struct net_stream *server, *client;
    const char *send; /* by our client once it is connected */
    size_t send_bytes, server_received, received, expect;
    size_t accepted, server_closed, drained, identity_seen;
    bool connected, connect_told, client_closed, pause_server, echo, close_after_first;
    enum status connect_status, server_status, client_status;
    char why[256], server_why[256], identity[300], server_identity[300];
};

void begin(struct fixture *f); /* loop and certificates */
void finish(struct fixture *f);
/* options: what differs from a server with the fixture's certificate; NULL = nothing. */
void serve(struct fixture *f, const struct net_tls_options *options, size_t streams_max);
void dial(struct fixture *f, const char *address, const struct net_tls_options *options);
void connect_cb(struct net_stream *stream, enum status status, const char *why, void *userdata);
struct foreign foreign_client(const struct fixture *f);
/* Runs the loop until the server's stream has ended too. */
void wait_for_server_close(struct fixture *f);
void run_ms(struct fixture *f, uint64_t ms);
void wait_for_accept(struct fixture *f);

TCase *tls_handshake_tests(void);
TCase *tls_stream_tests(void);

#endif
