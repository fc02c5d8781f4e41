/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FOREIGN_H
#define FOREIGN_H
/* The other end as plain OpenSSL, blocking, on a thread of its own: what our ends cannot be made to
 * do. */
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include "certificates.h"
#include "loop/loop.h"

enum foreign_end { FOREIGN_SAYS_END, FOREIGN_CUTS, FOREIGN_WAITS_FOR_END };

struct foreign {
    /* wishes */
    bool server, silent; /* silent: sends `raw` instead of a handshake and waits for the end */
    const char *raw;
    size_t raw_bytes;
    int connections;  /* of a server, one after the other with the same wishes; 0 = 1 */
    int version_max;  /* 0 = any */
    const char *alpn; /* with its length first; NULL = none */
    struct certificate certificate; /* file "" = none */
    SSL_SESSION *session;           /* client: to be resumed */
    const char *say;                /* sent once connected */
    size_t hear_bytes;              /* read before the end */
    enum foreign_end end;
    /* outcome */
    char address[64]; /* of a server, from foreign_start on; of whom to dial, given to a client */
    bool connected, ended_well, resumed;
    int version;
    char why[256]; /* first error */
    char heard[64];
    size_t heard_bytes;
    uint8_t raw_heard[64]; /* silent */
    SSL_SESSION *ticket;   /* client: what the server gave; to be freed */
    char peer_serial[64];
    /* own */
    struct loop *loop;
    struct loop_fd *watch;
    pthread_t thread;
    int fd, listen_fd, done_fd;
    bool done;
};

void foreign_start(struct foreign *foreign, struct loop *loop);
void foreign_wait(struct foreign *foreign); /* runs the loop until the foreign end is through */

#endif
