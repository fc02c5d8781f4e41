/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases of compressed messages. Those of requests begin with one that says it is compressed and is
 * not: a server that does not refuse it would see nothing of what follows.
 */
#include "client.h"

#define PLAIN_REQUEST_BYTES 45904
#define PACKED_REQUEST_BYTES 27182

static const struct rpc_call_options packed = {.compression = RPC_GZIP};

static Grpc__Testing__BoolValue *yes_or_no(bool yes)
{
    static Grpc__Testing__BoolValue values[2] = {GRPC__TESTING__BOOL_VALUE__INIT,
                                                 GRPC__TESTING__BOOL_VALUE__INIT};

    values[1].value = 1;
    return &values[yes];
}

static bool unary_request(struct client *client, bool compress, bool says, enum status status)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct exchange x;
    struct reply reply;
    bool ok = true;

    payload.body = client_zeros(LARGE_REQUEST_BYTES);
    request.payload = &payload;
    request.response_size = LARGE_RESPONSE_BYTES;
    request.expect_compressed = yes_or_no(says);
    exchange_begin(&x, client, &grpc_testing_test_service_unary_call, compress ? &packed : NULL,
                   &request.base);
    if (status == STATUS_OK)
        ok = expect(client, exchange_next(&x, &reply), "no response: %s", x.err.message) &&
             expect_payload(client, &reply, LARGE_RESPONSE_BYTES);
    ok = ok && exchange_ends(&x, status);
    exchange_done(&x);
    return ok;
}

static bool client_compressed_unary(struct client *client)
{
    return unary_request(client, false, true, STATUS_INVALID_ARGUMENT) &&
           unary_request(client, true, true, STATUS_OK) &&
           unary_request(client, false, false, STATUS_OK);
}

static bool send_one(struct exchange *x, size_t bytes, bool says)
{
    Grpc__Testing__StreamingInputCallRequest request =
        GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;

    payload.body = client_zeros(bytes);
    request.payload = &payload;
    request.expect_compressed = yes_or_no(says);
    return exchange_send(x, &request.base);
}

/* The server refuses it without the end of the input. */
static bool stream_is_examined(struct client *client)
{
    struct exchange x;
    bool ok;

    exchange_begin(&x, client, &grpc_testing_test_service_streaming_input_call, NULL, NULL);
    ok = send_one(&x, PACKED_REQUEST_BYTES, true) && exchange_ends(&x, STATUS_INVALID_ARGUMENT);
    exchange_done(&x);
    return ok;
}

static bool client_compressed_streaming(struct client *client)
{
    const int32_t total = PACKED_REQUEST_BYTES + PLAIN_REQUEST_BYTES;
    struct exchange x;
    struct reply reply;
    bool ok;

    if (!stream_is_examined(client))
        return false;
    exchange_begin(&x, client, &grpc_testing_test_service_streaming_input_call, &packed, NULL);
    ok = send_one(&x, PACKED_REQUEST_BYTES, true);
    rpc_call_set_compression(x.call, RPC_IDENTITY);
    ok = ok && send_one(&x, PLAIN_REQUEST_BYTES, false);
    rpc_call_half_close(x.call);
    ok = ok && expect(client, exchange_next(&x, &reply), "no response: %s", x.err.message) &&
         expect(client, reply.total == total, "%d bytes instead of %d", reply.total, total) &&
         exchange_ends(&x, STATUS_OK);
    exchange_done(&x);
    return ok;
}

static bool expect_response(struct exchange *x, size_t bytes, bool compressed)
{
    struct reply reply;

    return expect(x->client, exchange_next(x, &reply), "no response: %s", x->err.message) &&
           expect_payload(x->client, &reply, bytes) &&
           expect(x->client, reply.compressed == compressed, "a response that is %scompressed",
                  compressed ? "not " : "");
}

static bool unary_response(struct client *client, bool compressed)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct exchange x;
    bool ok;

    payload.body = client_zeros(LARGE_REQUEST_BYTES);
    request.payload = &payload;
    request.response_size = LARGE_RESPONSE_BYTES;
    request.response_compressed = yes_or_no(compressed);
    exchange_begin(&x, client, &grpc_testing_test_service_unary_call, NULL, &request.base);
    ok = expect_response(&x, LARGE_RESPONSE_BYTES, compressed) && exchange_ends(&x, STATUS_OK);
    exchange_done(&x);
    return ok;
}

static bool server_compressed_unary(struct client *client)
{
    return unary_response(client, true) && unary_response(client, false);
}

static bool server_compressed_streaming(struct client *client)
{
    static const int32_t sizes[] = {31415, 92653};
    Grpc__Testing__StreamingOutputCallRequest request =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters parameters[ARRAY_LEN(sizes)];
    Grpc__Testing__ResponseParameters *all[ARRAY_LEN(sizes)];
    struct exchange x;
    bool ok;

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        grpc__testing__response_parameters__init(&parameters[i]);
        parameters[i].size = sizes[i];
        parameters[i].compressed = yes_or_no(i == 0);
        all[i] = &parameters[i];
    }
    request.response_parameters = all;
    request.n_response_parameters = ARRAY_LEN(sizes);
    exchange_begin(&x, client, &grpc_testing_test_service_streaming_output_call, NULL,
                   &request.base);
    ok = expect_response(&x, (size_t)sizes[0], true) &&
         expect_response(&x, (size_t)sizes[1], false) && exchange_ends(&x, STATUS_OK);
    exchange_done(&x);
    return ok;
}

const struct interop_case cases_compressed[] = {
    {.name = "client_compressed_unary", .run = client_compressed_unary},
    {.name = "server_compressed_unary", .run = server_compressed_unary},
    {.name = "client_compressed_streaming", .run = client_compressed_streaming},
    {.name = "server_compressed_streaming", .run = server_compressed_streaming},
    {0},
};
