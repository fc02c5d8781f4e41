/* SPDX-License-Identifier: Apache-2.0 */
/* Compression: the two codings alone, and between our client and our server. */
#include <stdlib.h>
#include <zlib.h>
#include "suites.h"
#include "fixture.h"
#include "internal.h"
#include "peer.h"

#define INIT PLANKTON__TEST__ECHO_REQUEST__INIT
#define PAYLOAD_BYTES 100000

static const enum rpc_compression codings[] = {RPC_GZIP, RPC_DEFLATE};
static uint8_t payload[8u << 20]; /* zeros: as small as anything when compressed */

/* A message of `bytes` zeros, compressed. The caller frees. */
static struct slice deflated(enum rpc_compression compression, size_t bytes)
{
    Plankton__Test__EchoRequest request = INIT;
    size_t len, bound;

    request.payload = (ProtobufCBinaryData){bytes, payload};
    len = protobuf_c_message_get_packed_size(&request.base);
    bound = rpc__deflate_bound(compression, len);
    uint8_t *out = mem_alloc(bound);
    return (struct slice){(char *)out, rpc__deflate(compression, &request.base, len, out, bound)};
}

START_TEST(c4_both_codings_come_back_and_have_their_own_format)
{
    struct error err = {0};
    struct slice plain = {0};

    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        /* Twice each: a message must not depend on the one before it. */
        for (int round = 0; round < 2; round++) {
            struct slice coded = deflated(codings[i], PAYLOAD_BYTES);
            const uint8_t *head = (const uint8_t *)coded.data;
            ck_assert_uint_lt(coded.len, PAYLOAD_BYTES / 10);
            if (codings[i] == RPC_GZIP)
                ck_assert(head[0] == 0x1f && head[1] == 0x8b);
            else
                ck_assert(head[0] == 0x78 && (head[0] << 8 | head[1]) % 31 == 0);
            ck_assert_int_eq(rpc__inflate(codings[i], coded, 1 << 20, &plain, &err), STATUS_OK);
            ck_assert_uint_eq(plain.len, PAYLOAD_BYTES + 4);
            rpc__inflate_done();
            ck_assert_int_eq(rpc__inflate(codings[!i], coded, 1 << 20, &plain, &err),
                             STATUS_INTERNAL);
            free((void *)coded.data);
        }
    }
}
END_TEST

START_TEST(c3_corrupt_data_is_internal)
{
    struct slice coded = deflated(RPC_GZIP, PAYLOAD_BYTES), plain;
    char *longer = mem_alloc(coded.len + 1);
    struct error err = {0};

    /* every way to cut it short */
    for (size_t len = 0; len < coded.len; len++)
        ck_assert_int_eq(
            rpc__inflate(RPC_GZIP, (struct slice){coded.data, len}, 1 << 20, &plain, &err),
            STATUS_INTERNAL);
    memcpy(longer, coded.data, coded.len);
    longer[coded.len] = 0;
    ck_assert_int_eq(
        rpc__inflate(RPC_GZIP, (struct slice){longer, coded.len + 1}, 1 << 20, &plain, &err),
        STATUS_INTERNAL);
    longer[coded.len - 8] ^= 1; /* its checksum */
    ck_assert_int_eq(
        rpc__inflate(RPC_GZIP, (struct slice){longer, coded.len}, 1 << 20, &plain, &err),
        STATUS_INTERNAL);
    free(longer);
    free((void *)coded.data);
}
END_TEST

START_TEST(r9_inflating_stops_at_the_limit)
{
    struct error err = {0};
    struct slice plain;

    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        struct slice coded = deflated(codings[i], PAYLOAD_BYTES);
        ck_assert_int_eq(rpc__inflate(codings[i], coded, PAYLOAD_BYTES + 4, &plain, &err),
                         STATUS_OK);
        ck_assert_int_eq(rpc__inflate(codings[i], coded, PAYLOAD_BYTES + 3, &plain, &err),
                         STATUS_RESOURCE_EXHAUSTED);
        ck_assert_str_eq(err.reason, "PAYLOAD_TOO_LARGE");
        ck_assert_int_eq(rpc__inflate(codings[i], coded, 0, &plain, &err),
                         STATUS_RESOURCE_EXHAUSTED);
        free((void *)coded.data);
    }
}
END_TEST

START_TEST(lists_of_codings_are_read)
{
    const uint32_t gzip = 1u << RPC_GZIP, zlib = 1u << RPC_DEFLATE, none = 1u << RPC_IDENTITY;
    static const char both[] = "identity, deflate, gzip";

    ck_assert_uint_eq(rpc__compression_list_parse(slice_of(both)), none | gzip | zlib);
    ck_assert_uint_eq(rpc__compression_list_parse(slice_of("identity,deflate,gzip")),
                      none | gzip | zlib);
    ck_assert_uint_eq(rpc__compression_list_parse(slice_of("snappy,  gzip ,,br")), gzip);
    ck_assert_uint_eq(rpc__compression_list_parse(slice_of("gzipped,GZIP")), 0);
    ck_assert_uint_eq(rpc__compression_list_parse(slice_of("")), 0);
    ck_assert_uint_eq(rpc__compression_list_parse(slice_of(",")), 0);
}
END_TEST

struct seen {
    struct outcome out; /* first: outcome_callbacks takes it */
    bool compressed[4];
    size_t count;
};

static void note_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct seen *seen = userdata;

    if (seen->count < ARRAY_LEN(seen->compressed))
        seen->compressed[seen->count++] = rpc_call_message_compressed(call);
    outcome_callbacks.on_message(call, message, userdata);
}

static struct rpc_callbacks noting(void)
{
    struct rpc_callbacks callbacks = outcome_callbacks;

    callbacks.on_message = note_message;
    return callbacks;
}

/* One unary call; tells whether its answer came compressed. */
static bool answer_is_compressed(struct fixture *f, const struct rpc_call_options *options,
                                 size_t bytes)
{
    const struct rpc_callbacks callbacks = noting();
    struct seen seen = {0};
    Plankton__Test__EchoRequest request = INIT;

    request.payload = (ProtobufCBinaryData){bytes, payload};
    expect_outcome(f, &seen.out);
    rpc_channel_call_with(f->channel, &plankton_test_echo_unary, options, &request.base, &callbacks,
                          &seen);
    fixture_wait(f);
    ck_assert_int_eq(seen.out.status, STATUS_OK);
    ck_assert_uint_eq(seen.out.bytes, bytes);
    return seen.compressed[0];
}

START_TEST(c1_compressed_requests_and_answers_are_told_apart_from_plain_ones)
{
    static const char *const gzip[] = {"x-compress", "gzip", NULL};
    static const char *const zlib[] = {"x-compress", "deflate", NULL};
    struct fixture f = {0};

    fixture_begin(&f);
    ck_assert(!answer_is_compressed(&f, NULL, PAYLOAD_BYTES));
    ck_assert_uint_eq(f.service.compressed_in, 0);
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        struct rpc_call_options options = {.compression = codings[i]};
        ck_assert(!answer_is_compressed(&f, &options, PAYLOAD_BYTES));
        ck_assert_uint_eq(f.service.compressed_in, i + 1);
    }
    ck_assert(answer_is_compressed(&f, &(struct rpc_call_options){.metadata = gzip}, 1));
    ck_assert(answer_is_compressed(&f, &(struct rpc_call_options){.metadata = zlib}, 1));
    ck_assert(!answer_is_compressed(&f, &(struct rpc_call_options){.compression = RPC_GZIP}, 1));
    ck_assert_uint_eq(f.service.compressed_in, ARRAY_LEN(codings)); /* too short to be worth it */
    fixture_end(&f);
}
END_TEST

START_TEST(a_server_may_compress_by_default)
{
    struct fixture f = {.server_options = {.compression = RPC_DEFLATE}};

    fixture_begin(&f);
    ck_assert(answer_is_compressed(&f, NULL, PAYLOAD_BYTES));
    ck_assert(!answer_is_compressed(&f, NULL, 1));
    fixture_end(&f);
}
END_TEST

START_TEST(c1_messages_of_a_stream_choose_one_by_one)
{
    static const char *const texts[] = {"gzip", "plain", "gzip"};
    struct rpc_call_options options = {.compression = RPC_GZIP};
    const struct rpc_callbacks callbacks = noting();
    struct fixture f = {0};
    struct seen seen = {0};
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    expect_outcome(&f, &seen.out);
    struct rpc_call *call = plankton_test_echo_bidi_call(f.channel, &options, &callbacks, &seen);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        rpc_call_set_compression(call, i == 1 ? RPC_GZIP : RPC_IDENTITY);
        request.text = (char *)texts[i];
        ck_assert_int_eq(plankton_test_echo_bidi_write(call, &request), STATUS_OK);
    }
    /* Another coding than that of the call would break it. */
    rpc_call_set_compression(call, RPC_DEFLATE);
    ck_assert_int_eq(plankton_test_echo_bidi_write(call, &request), STATUS_OK);
    rpc_call_half_close(call);
    fixture_wait(&f);
    ck_assert_int_eq(seen.out.status, STATUS_OK);
    ck_assert_uint_eq(seen.count, 4);
    ck_assert(seen.compressed[0] && !seen.compressed[1] && seen.compressed[2]);
    ck_assert_uint_eq(f.service.compressed_in, 1);
    fixture_end(&f);
}
END_TEST

START_TEST(r9_a_bomb_in_a_request_is_refused)
{
    static const char *const gzip[] = {"x-compress", "gzip", NULL};
    struct fixture f = {.server_options = {.message_bytes_max = 1 << 20}};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    fixture_begin(&f);
    request.payload = (ProtobufCBinaryData){2 << 20, payload}; /* 9 KB on the wire */
    unary(&f, &(struct rpc_call_options){.compression = RPC_GZIP}, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(out.err.reason, "PAYLOAD_TOO_LARGE");
    ck_assert_uint_eq(f.service.calls, 0);
    /* The client's limit is larger, so what it may take it takes. */
    request.payload.len = 0;
    request.reply_bytes = 4 << 20;
    request.reply_bytes -= 100;
    unary(&f, &(struct rpc_call_options){.metadata = gzip}, &request, &out);
    fixture_wait(&f);
    ck_assert_int_eq(out.status, STATUS_OK);
    ck_assert_uint_eq(out.bytes, (4 << 20) - 100);
    fixture_end(&f);
}
END_TEST

/* ---- answers that only a foreign server gives ---- */

static const char *answer_encoding;
static struct slice answer_body;

static void answer_coded(struct peer_request *request)
{
    const char *const headers[] = {
        ":status",       "200", "content-type", "application/grpc", "grpc-encoding",
        answer_encoding, NULL};

    peer_headers(request, 0, headers);
    peer_data(request, 0, answer_body.data, answer_body.len);
    peer_trailers(request, "0");
}

static struct outcome answer_to(const char *encoding, struct slice body)
{
    struct fixture f = {0};
    struct peer peer = {.on_request = answer_coded};
    struct outcome out;
    Plankton__Test__EchoRequest request = INIT;

    answer_encoding = encoding;
    answer_body = body;
    peer_begin(&peer, &f);
    unary(&f, NULL, &request, &out);
    fixture_wait(&f);
    ck_assert_str_eq(peer_header(&peer.requests[0], "grpc-accept-encoding"),
                     "identity,deflate,gzip");
    peer_end(&peer);
    fixture_end(&f);
    return out;
}

START_TEST(c2_answers_in_an_unknown_encoding_are_internal)
{
    ck_assert_int_eq(answer_to("snappy", (struct slice){"\1\0\0\0\1x", 6}).status, STATUS_INTERNAL);
}
END_TEST

START_TEST(c1_compressed_answers_need_an_encoding)
{
    ck_assert_int_eq(answer_to("identity", (struct slice){"\1\0\0\0\1x", 6}).status,
                     STATUS_INTERNAL);
    ck_assert_int_eq(answer_to("gzip", (struct slice){"\0\0\0\0\0", 5}).status, STATUS_OK);
}
END_TEST

START_TEST(c3_corrupt_answers_are_internal)
{
    ck_assert_int_eq(answer_to("gzip", (struct slice){"\1\0\0\0\3abc", 8}).status, STATUS_INTERNAL);
    ck_assert_int_eq(answer_to("deflate", (struct slice){"\1\0\0\0\0", 5}).status, STATUS_INTERNAL);
}
END_TEST

START_TEST(r9_bombs_in_answers_stop_at_the_limit)
{
    /* 6 MiB of zeros, as a field of EchoReply: the client takes 4 */
    Plankton__Test__EchoReply reply = PLANKTON__TEST__ECHO_REPLY__INIT;
    size_t len;

    reply.payload = (ProtobufCBinaryData){6u << 20, payload};
    len = protobuf_c_message_get_packed_size(&reply.base);
    uint8_t *plain = mem_alloc(len), *coded = mem_alloc(1 << 20);
    protobuf_c_message_pack(&reply.base, plain);
    uLongf coded_bytes = (1 << 20) - 5;
    ck_assert_int_eq(compress2(coded + 5, &coded_bytes, plain, len, 9), Z_OK);
    coded[0] = 1;
    for (int i = 0; i < 4; i++)
        coded[1 + i] = (uint8_t)(coded_bytes >> (24 - 8 * i));
    struct outcome out = answer_to("deflate", (struct slice){(char *)coded, coded_bytes + 5});
    ck_assert_int_eq(out.status, STATUS_RESOURCE_EXHAUSTED);
    free(plain);
    free(coded);
}
END_TEST

TCase *compress_tests(void)
{
    TCase *tc = tcase_create("compress");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, c4_both_codings_come_back_and_have_their_own_format);
    tcase_add_test(tc, c3_corrupt_data_is_internal);
    tcase_add_test(tc, r9_inflating_stops_at_the_limit);
    tcase_add_test(tc, lists_of_codings_are_read);
    tcase_add_test(tc, c1_compressed_requests_and_answers_are_told_apart_from_plain_ones);
    tcase_add_test(tc, a_server_may_compress_by_default);
    tcase_add_test(tc, c1_messages_of_a_stream_choose_one_by_one);
    tcase_add_test(tc, r9_a_bomb_in_a_request_is_refused);
    tcase_add_test(tc, c2_answers_in_an_unknown_encoding_are_internal);
    tcase_add_test(tc, c1_compressed_answers_need_an_encoding);
    tcase_add_test(tc, c3_corrupt_answers_are_internal);
    tcase_add_test(tc, r9_bombs_in_answers_stop_at_the_limit);
    return tc;
}
