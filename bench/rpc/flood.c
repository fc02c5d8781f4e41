/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer that means harm, in frames written by hand. rpc_bench_flood ADDRESS (127.0.0.1:PORT) KIND
 * SECONDS [CONNECTIONS]: reset opens streams and resets them; ping sends PING; continuation never
 * ends a header block; slow asks for answers and reads none. A connection that the server closes is
 * opened again. Runs at the lowest priority, so that what it costs others is the server's time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/macros.h"
#include "loop/loop.h"

#define CONNECTIONS_MAX 64
#define BLOCK_BYTES 65536
#define FRAMES_PER_BLOCK_MAX 1000
#define SLOW_PAYLOAD_BYTES 10000

enum kind { RESET, PING, CONTINUATION, SLOW, KINDS };
static const char *const kind_names[KINDS] = {"reset", "ping", "continuation", "slow"};

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING_FRAME = 6, WINDOW_UPDATE = 8 };
enum { CONTINUATION_FRAME = 9, END_STREAM = 1, END_HEADERS = 4 };

struct attacker {
    int fd;
    enum kind kind;
    uint32_t stream;
    bool opened; /* the header block that never ends */
    size_t len, at;
    uint8_t block[BLOCK_BYTES];
};
static size_t frames, connections;

static void put(struct attacker *a, const void *data, size_t len)
{
    memcpy(a->block + a->len, data, len);
    a->len += len;
}

static void put_frame(struct attacker *a, int type, int flags, uint32_t stream, const void *payload,
                      size_t len)
{
    uint8_t head[9] = {(uint8_t)(len >> 16),    (uint8_t)(len >> 8),    (uint8_t)len,
                       (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
                       (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};

    put(a, head, sizeof head);
    put(a, payload, len);
    frames++;
}

static void put_request(struct attacker *a, int flags)
{
    /* POST, http, then :path, content-type and te as literals that are not indexed */
    static const char block[] = "\x83\x86\x04\x1a"
                                "/plankton.bench.Echo/Unary"
                                "\x0f\x10\x10"
                                "application/grpc"
                                "\x00\x02te\x08trailers";

    put_frame(a, HEADERS, flags, a->stream, block, sizeof block - 1);
}

static void put_preface(struct attacker *a)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const uint8_t window[] = {0, 4, 0x7f, 0xff, 0xff, 0xff}; /* SETTINGS entry */
    static const uint8_t more[] = {0x7f, 0, 0, 0};

    put(a, preface, sizeof preface - 1);
    put_frame(a, SETTINGS, 0, 0, window, sizeof window);
    put_frame(a, WINDOW_UPDATE, 0, 0, more, sizeof more);
}

static void put_slow(struct attacker *a)
{
    uint8_t body[5 + 3 + SLOW_PAYLOAD_BYTES] = {0, 0, 0, 0, 0, 0x12, 0, 0};
    size_t len = 3 + SLOW_PAYLOAD_BYTES;

    body[3] = (uint8_t)(len >> 8);
    body[4] = (uint8_t)len;
    body[6] = (uint8_t)(SLOW_PAYLOAD_BYTES & 0x7f) | 0x80; /* field 2, length as a varint */
    body[7] = (uint8_t)(SLOW_PAYLOAD_BYTES >> 7);
    put_request(a, END_HEADERS);
    put_frame(a, DATA, END_STREAM, a->stream, body, sizeof body);
}

/* The next few thousand bytes of ill will. */
static void fill(struct attacker *a)
{
    static const uint8_t cancel[4] = {0, 0, 0, 8}, opaque[8];

    for (int i = 0; i < FRAMES_PER_BLOCK_MAX && a->len < BLOCK_BYTES - 2 * SLOW_PAYLOAD_BYTES;
         i++) {
        switch (a->kind) {
        case RESET:
            put_request(a, END_HEADERS);
            put_frame(a, RST_STREAM, 0, a->stream, cancel, sizeof cancel);
            a->stream += 2;
            break;
        case PING:
            put_frame(a, PING_FRAME, 0, 0, opaque, sizeof opaque);
            break;
        case CONTINUATION:
            if (!a->opened)
                put_request(a, 0);
            a->opened = true;
            put_frame(a, CONTINUATION_FRAME, 0, a->stream, "\x00\x01x\x01y", 5);
            break;
        default:
            put_slow(a);
            a->stream += 2;
        }
    }
}

static void attacker_open(struct attacker *a, const struct sockaddr_in *to)
{
    a->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (a->fd < 0 || connect(a->fd, (const struct sockaddr *)to, sizeof *to) != 0) {
        perror("connect");
        exit(EXIT_FAILURE);
    }
    connections++;
    a->len = a->at = 0;
    a->stream = 1;
    a->opened = false;
    put_preface(a);
}

/* False: the server has had enough of this connection. */
static bool attacker_turn(struct attacker *a, short events)
{
    static char drop[BLOCK_BYTES];

    if (events & (POLLERR | POLLHUP))
        return false;
    if (events & POLLIN && a->kind != SLOW && recv(a->fd, drop, sizeof drop, MSG_DONTWAIT) == 0)
        return false;
    if (!(events & POLLOUT))
        return true;
    if (a->at == a->len) {
        a->at = a->len = 0;
        fill(a);
    }
    ssize_t n = send(a->fd, a->block + a->at, a->len - a->at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    a->at += (size_t)n;
    return true;
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    static struct attacker attackers[CONNECTIONS_MAX];
    struct pollfd polls[CONNECTIONS_MAX];
    size_t n = argc > 4 ? MIN_OF(strtoul(argv[4], NULL, 10), (size_t)CONNECTIONS_MAX) : 4;
    const char *colon = argc > 3 ? strchr(argv[1], ':') : NULL;
    enum kind kind = RESET;

    while (colon && kind < KINDS && strcmp(argv[2], kind_names[kind]) != 0)
        kind++;
    if (!colon || kind == KINDS || inet_pton(AF_INET, "127.0.0.1", &to.sin_addr) != 1) {
        fputs("usage: rpc_bench_flood 127.0.0.1:PORT reset|ping|continuation|slow SECONDS "
              "[CONNECTIONS]\n",
              stderr);
        return 2;
    }
    to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    setpriority(PRIO_PROCESS, 0, 19);
    uint64_t until_us = clock_monotonic_us() + strtoull(argv[3], NULL, 10) * 1000000;
    for (size_t i = 0; i < n; i++) {
        attackers[i].kind = kind;
        attacker_open(&attackers[i], &to);
    }
    while (clock_monotonic_us() < until_us) {
        for (size_t i = 0; i < n; i++)
            polls[i] = (struct pollfd){attackers[i].fd,
                                       (short)(kind == SLOW ? POLLOUT : POLLIN | POLLOUT), 0};
        poll(polls, n, 100);
        for (size_t i = 0; i < n; i++) {
            if (attacker_turn(&attackers[i], polls[i].revents))
                continue;
            close(attackers[i].fd);
            attacker_open(&attackers[i], &to);
        }
    }
    printf("kind=%s frames=%zu connections=%zu\n", kind_names[kind], frames, connections);
    return EXIT_SUCCESS;
}
