/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_HEAD_BYTES 9
#define BUFFER_BYTES_MAX (64u << 20)

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

/* An assertion of check allocates even when it holds, and some tests count allocations. */
static void must(bool right, const char *what)
{
    if (!right)
        ck_abort_msg("%s", what);
}

static void put_frame(struct frames *fr, uint8_t type, uint8_t flags, uint32_t stream,
                      const void *data, size_t len)
{
    const char head[FRAME_HEAD_BYTES] = {
        (char)(len >> 16),    (char)(len >> 8),     (char)len,           (char)type,  (char)flags,
        (char)(stream >> 24), (char)(stream >> 16), (char)(stream >> 8), (char)stream};

    buf_put(&fr->out, head, sizeof head);
    buf_put(&fr->out, data, len);
}

void frames_put(struct frames *fr, uint8_t type, uint8_t flags, const void *data, size_t len)
{
    bool of_connection = type == NGHTTP2_SETTINGS || type == NGHTTP2_PING;

    put_frame(fr, type, flags, of_connection ? 0 : fr->stream, data, len);
}

void frames_data(struct frames *fr, uint8_t flags, struct slice bytes, int padding)
{
    struct buf payload AUTO(buf_fini);

    buf_init(&payload, BUFFER_BYTES_MAX);
    if (padding >= 0)
        buf_putc(&payload, (char)padding);
    buf_put(&payload, bytes.data, bytes.len);
    for (int i = 0; i < padding; i++)
        buf_putc(&payload, '\0');
    frames_put(fr, NGHTTP2_DATA, padding >= 0 ? flags | NGHTTP2_FLAG_PADDED : flags, payload.data,
               payload.len);
}

/* RFC 7541 section 5.1, with a prefix of 7 bits. */
static void put_length(struct buf *block, size_t len)
{
    if (len < 127) {
        buf_putc(block, (char)len);
        return;
    }
    buf_putc(block, 127);
    for (len -= 127; len > 127; len >>= 7)
        buf_putc(block, (char)(len | 128));
    buf_putc(block, (char)len);
}

void frames_headers(struct frames *fr, uint8_t flags, const char *const *pairs)
{
    struct buf block AUTO(buf_fini);
    size_t at = 0, max = 16384;
    uint8_t type = NGHTTP2_HEADERS;

    buf_init(&block, BUFFER_BYTES_MAX);
    for (; pairs[0]; pairs += 2) {
        buf_putc(&block, 0); /* literal, not indexed, new name */
        put_length(&block, strlen(pairs[0]));
        buf_puts(&block, pairs[0]);
        put_length(&block, strlen(pairs[1]));
        buf_puts(&block, pairs[1]);
    }
    while (block.len - at > max) {
        frames_put(fr, type, flags, block.data + at, max);
        at += max;
        type = NGHTTP2_CONTINUATION;
        flags = 0;
    }
    frames_put(fr, type, flags | NGHTTP2_FLAG_END_HEADERS, block.data + at, block.len - at);
}

/* Every block is decoded, since the coder has a state; those of the stream looked at are kept. */
static void take_headers(struct frames *fr, bool keep, const uint8_t *data, size_t len)
{
    fr->blocks += keep;
    while (len > 0) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(fr->inflater, &nv, &flags, data, len, 1);
        must(n >= 0, "a header block cannot be decoded");
        data += n;
        len -= (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT && keep) {
            must(fr->header_count < FRAMES_HEADERS_MAX, "too many headers");
            struct frames_header *header = &fr->headers[fr->header_count++];
            header->block = fr->blocks;
            snprintf(header->name, sizeof header->name, "%.*s", (int)nv.namelen, nv.name);
            snprintf(header->value, sizeof header->value, "%.*s", (int)nv.valuelen, nv.value);
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            nghttp2_hd_inflate_end_headers(fr->inflater);
            return;
        }
    }
}

static uint32_t u32(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static void take_frame(struct frames *fr, const uint8_t *head, const uint8_t *data, size_t len)
{
    uint8_t type = head[3], flags = head[4];
    uint32_t stream = u32(head + 5) & 0x7fffffff;
    bool ours = stream == fr->stream;

    switch (type) {
    case NGHTTP2_HEADERS:
        must(flags & NGHTTP2_FLAG_END_HEADERS, "a continuation");
        take_headers(fr, ours, data, len);
        break;
    case NGHTTP2_DATA:
        if (ours)
            buf_put(&fr->body, data, len);
        break;
    case NGHTTP2_RST_STREAM:
        if (ours) {
            fr->reset = true;
            fr->reset_code = u32(data);
        }
        return;
    case NGHTTP2_WINDOW_UPDATE:
        if (stream == 0)
            fr->connection_credit += u32(data);
        else if (ours)
            fr->stream_credit += u32(data);
        return;
    case NGHTTP2_SETTINGS:
        /* Only then do the server's windows hold. */
        if (!(flags & NGHTTP2_FLAG_ACK) && !fr->no_ack)
            frames_put(fr, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, "", 0);
        return;
    case NGHTTP2_PING:
        fr->pong |= (flags & NGHTTP2_FLAG_ACK) != 0;
        return;
    default:
        return;
    }
    if (ours && flags & NGHTTP2_FLAG_END_STREAM)
        fr->ended = true;
}

static void take_input(struct frames *fr)
{
    size_t at = 0;

    while (fr->in.len - at >= FRAME_HEAD_BYTES) {
        const uint8_t *head = (const uint8_t *)fr->in.data + at;
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (fr->in.len - at - FRAME_HEAD_BYTES < len)
            break;
        take_frame(fr, head, head + FRAME_HEAD_BYTES, len);
        at += FRAME_HEAD_BYTES + len;
    }
    buf_consume(&fr->in, at);
}

static bool is_over(const struct frames *fr)
{
    if (fr->until_pong)
        return fr->pong || fr->lost;
    return fr->reset || fr->lost || (fr->ended && !fr->until_reset);
}

static void on_socket(int events, void *userdata)
{
    struct frames *fr = userdata;
    ssize_t n;

    if (events & LOOP_WRITABLE && fr->out.len > 0) {
        n = send(fr->fd, fr->out.data, fr->out.len, MSG_NOSIGNAL);
        if (n > 0)
            buf_consume(&fr->out, (size_t)n);
        else if (errno != EAGAIN)
            buf_clear(&fr->out); /* the server has closed: what it said can still be read */
    }
    if (events & LOOP_READABLE) {
        void *room = buf_reserve(&fr->in, 65536);
        n = recv(fr->fd, room, 65536, 0);
        if (n > 0)
            fr->in.len += (size_t)n;
        fr->lost = n == 0 || (n < 0 && errno != EAGAIN);
        take_input(fr);
    }
    loop_fd_watch(fr->watch, fr->out.len > 0 ? LOOP_READABLE | LOOP_WRITABLE : LOOP_READABLE);
    if (is_over(fr))
        loop_stop(fr->f.loop);
}

void frames_begin(struct frames *fr)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon;

    fixture_server(&fr->f, "127.0.0.1:0");
    colon = strchr(fr->f.address, ':');
    ck_assert_ptr_nonnull(colon);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    fr->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fr->fd, (struct sockaddr *)&address, sizeof address), 0);
    buf_init(&fr->out, BUFFER_BYTES_MAX);
    buf_init(&fr->in, BUFFER_BYTES_MAX);
    buf_init(&fr->body, BUFFER_BYTES_MAX);
    ck_assert_int_eq(nghttp2_hd_inflate_new(&fr->inflater), 0);
    fr->watch = loop_fd_new(fr->f.loop, fr->fd, on_socket, fr);
    fr->stream = 1;
    buf_put(&fr->out, preface, sizeof preface - 1);
    put_frame(fr, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x40\0\0", 4); /* 1 GiB: we read at once */
}

void frames_end(struct frames *fr)
{
    loop_fd_free(fr->watch);
    close(fr->fd);
    nghttp2_hd_inflate_del(fr->inflater);
    buf_fini(&fr->out);
    buf_fini(&fr->in);
    buf_fini(&fr->body);
    fixture_end(&fr->f);
}

void frames_run(struct frames *fr)
{
    loop_fd_watch(fr->watch, LOOP_READABLE | LOOP_WRITABLE);
    if (!is_over(fr))
        loop_run(fr->f.loop);
}

void frames_next_stream(struct frames *fr)
{
    fr->stream += 2;
    fr->header_count = 0;
    fr->blocks = 0;
    fr->ended = fr->reset = fr->until_reset = false;
    buf_clear(&fr->body);
}

const char *frames_header(const struct frames *fr, int block, const char *name)
{
    for (size_t i = 0; i < fr->header_count; i++) {
        if ((block == 0 || fr->headers[i].block == block) && str_eq(fr->headers[i].name, name))
            return fr->headers[i].value;
    }
    return NULL;
}
