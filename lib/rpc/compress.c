/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Message compression: gzip (RFC 1952) and what the gRPC wire calls deflate, a zlib stream (RFC
 * 1950). Each message begins with a fresh context; only the memory of zlib's states, about 300 KiB
 * once all of them were used, and small buffers are kept, per thread.
 */
#include <assert.h>
#include <zlib.h>
#include "internal.h"

#define WINDOW_BITS 15
#define GZIP_BITS 16 /* added to the window: zlib's way to ask for the gzip format */
#define MEMORY_LEVEL 8
#define LEVEL 1 /* half the time of zlib's default for a third more bytes, measured on JSON */
#define BUFFER_KEEP_BYTES (64u << 10) /* one that grew larger is given back */
#define GUESS_RATIO 4                 /* the first guess of what a message inflates to */
#define GUESS_BYTES_MIN 1024
#define LIST_KEPT_BYTES 64

static const char *const names[] = {
    [RPC_IDENTITY] = "identity",
    [RPC_GZIP] = "gzip",
    [RPC_DEFLATE] = "deflate",
};

static _Thread_local z_stream inflater, deflaters[ARRAY_LEN(names)];
static _Thread_local bool inflater_made, deflater_made[ARRAY_LEN(names)];
static _Thread_local struct buf inflated, packed;

const char *rpc__compression_name(enum rpc_compression compression)
{
    return names[compression];
}

bool rpc__compression_parse(struct slice name, enum rpc_compression *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (slice_is(name, names[i])) {
            *ret = (enum rpc_compression)i;
            return true;
        }
    }
    return false;
}

static uint32_t list_parse(struct slice list)
{
    enum rpc_compression compression;
    uint32_t bits = 0;

    for (size_t at = 0; at < list.len;) {
        size_t end = at;
        while (end < list.len && list.data[end] != ',')
            end++;
        struct slice name = {list.data + at, end - at};
        while (name.len > 0 && name.data[0] == ' ')
            name = (struct slice){name.data + 1, name.len - 1};
        while (name.len > 0 && name.data[name.len - 1] == ' ')
            name.len--;
        if (rpc__compression_parse(name, &compression))
            bits |= 1u << compression;
        at = end + 1;
    }
    return bits;
}

uint32_t rpc__compression_list_parse(struct slice list)
{
    /* Every call of a client brings the same list, and most clients the same as others. */
    static _Thread_local char last[LIST_KEPT_BYTES];
    static _Thread_local size_t last_len;
    static _Thread_local uint32_t last_bits;

    if (slice_eq(list, (struct slice){last, last_len}))
        return last_bits;
    if (list.len > sizeof last)
        return list_parse(list);
    memcpy(last, list.data, list.len);
    last_len = list.len;
    last_bits = list_parse(list);
    return last_bits;
}

static int window_bits(enum rpc_compression compression)
{
    return compression == RPC_GZIP ? WINDOW_BITS + GZIP_BITS : WINDOW_BITS;
}

static void inflater_reset(enum rpc_compression compression)
{
    int rc = inflater_made ? inflateReset2(&inflater, window_bits(compression))
                           : inflateInit2(&inflater, window_bits(compression));

    assert(rc == Z_OK); /* out of memory ends the program, as everywhere */
    inflater_made = true;
}

static void buffer_release(struct buf *buf)
{
    if (buf->cap > BUFFER_KEEP_BYTES)
        buf_fini(buf);
}

void rpc__inflate_done(void)
{
    buffer_release(&inflated);
}

/* Room for more output, never past the limit; at the limit one byte that tells whether there is
 * more. */
static void output_room(size_t guess, Bytef *spill)
{
    size_t room = MIN_OF(MAX_OF(guess, inflated.len), inflated.max - inflated.len);

    inflater.next_out = room > 0 ? buf_reserve(&inflated, room) : spill;
    inflater.avail_out = room > 0 ? (uInt)room : 1;
}

enum status rpc__inflate(enum rpc_compression compression, struct slice bytes, size_t bytes_max,
                         struct slice *ret, struct error *err)
{
    size_t guess = MAX_OF(bytes.len * GUESS_RATIO, (size_t)GUESS_BYTES_MIN);
    Bytef spill[1];
    int rc;

    inflater_reset(compression);
    inflated.max = bytes_max;
    buf_clear(&inflated);
    inflater.next_in = (Bytef *)bytes.data;
    inflater.avail_in = (uInt)bytes.len;
    do {
        bool full = inflated.len == bytes_max;
        output_room(guess, spill);
        uInt room = inflater.avail_out;
        rc = inflate(&inflater, Z_NO_FLUSH);
        if (full && inflater.avail_out == 0)
            return error_field(err, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", NULL,
                               "a compressed message is larger than %zu bytes", bytes_max);
        if (!full)
            inflated.len += room - inflater.avail_out;
        /* Output left unused means that the input is used up: the message is cut short. */
    } while (rc == Z_OK && inflater.avail_out == 0);
    if (rc != Z_STREAM_END || inflater.avail_in > 0)
        return error_set(err, STATUS_INTERNAL, "a compressed message is corrupt");
    *ret = (struct slice){inflated.data ? inflated.data : "", inflated.len};
    return STATUS_OK;
}

static z_stream *deflater(enum rpc_compression compression)
{
    z_stream *z = &deflaters[compression];

    if (deflater_made[compression])
        return z;
    int rc = deflateInit2(z, LEVEL, Z_DEFLATED, window_bits(compression), MEMORY_LEVEL,
                          Z_DEFAULT_STRATEGY);
    assert(rc == Z_OK);
    deflater_made[compression] = true;
    return z;
}

size_t rpc__deflate_bound(enum rpc_compression compression, size_t len)
{
    return deflateBound(deflater(compression), len);
}

size_t rpc__deflate(enum rpc_compression compression, const ProtobufCMessage *message, size_t len,
                    uint8_t *out, size_t out_bytes)
{
    z_stream *z = deflater(compression);

    packed.max = RPC_MESSAGE_BYTES_MAX;
    buf_clear(&packed);
    z->next_in = buf_reserve(&packed, len);
    z->avail_in = (uInt)len;
    protobuf_c_message_pack(message, z->next_in);
    z->next_out = out;
    z->avail_out = (uInt)out_bytes;
    int rc = deflate(z, Z_FINISH);
    size_t used = out_bytes - z->avail_out;
    assert(rc == Z_STREAM_END); /* deflateBound has promised the room */
    rc = deflateReset(z);
    assert(rc == Z_OK);
    buffer_release(&packed);
    return used;
}
