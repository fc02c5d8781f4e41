/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of streams, and of calls that are given up. */
#include "client.h"

#define SLOW_RESPONSES 2000
#define SLOW_RESPONSE_BYTES 1030
#define SLOW_PAUSE_MS 20
#define SHORT_TIMEOUT_MS 1

/* A request of a streaming method with what it points to. */
struct asking {
    Grpc__Testing__StreamingOutputCallRequest request;
    Grpc__Testing__Payload payload;
    Grpc__Testing__ResponseParameters parameters;
    Grpc__Testing__ResponseParameters *all[1];
};

static void ask(struct asking *asking, size_t request_bytes, int32_t response_bytes)
{
    grpc__testing__streaming_output_call_request__init(&asking->request);
    grpc__testing__payload__init(&asking->payload);
    grpc__testing__response_parameters__init(&asking->parameters);
    asking->payload.body = client_zeros(request_bytes);
    asking->parameters.size = response_bytes;
    asking->all[0] = &asking->parameters;
    asking->request.payload = &asking->payload;
    asking->request.response_parameters = asking->all;
    asking->request.n_response_parameters = ARRAY_LEN(asking->all);
}

static bool next_has(struct exchange *x, int32_t bytes)
{
    struct reply reply;

    return expect(x->client, exchange_next(x, &reply), "the call has ended: %s %s",
                  status_name(x->status), x->err.message) &&
           expect_payload(x->client, &reply, (size_t)bytes);
}

static bool client_streaming(struct client *client)
{
    Grpc__Testing__StreamingInputCallRequest request =
        GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct exchange x;
    struct reply reply;
    int32_t total = 0;
    bool ok = true;

    request.payload = &payload;
    exchange_begin(&x, client, &grpc_testing_test_service_streaming_input_call, NULL, NULL);
    for (size_t i = 0; ok && i < STREAM_STEPS; i++) {
        payload.body = client_zeros(client_request_bytes[i]);
        total += (int32_t)payload.body.len;
        ok = exchange_send(&x, &request.base);
    }
    rpc_call_half_close(x.call);
    ok = ok && expect(client, exchange_next(&x, &reply), "no response: %s", x.err.message) &&
         expect(client, reply.total == total, "%d bytes instead of %d", reply.total, total) &&
         exchange_ends(&x, STATUS_OK);
    exchange_done(&x);
    return ok;
}

/* count responses of these sizes (repeated), each taken after a pause. */
static bool read_stream(struct client *client, size_t count, const int32_t *sizes,
                        size_t size_count, uint64_t pause_ms)
{
    Grpc__Testing__StreamingOutputCallRequest request =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    struct arena arena AUTO(arena_fini);
    struct exchange x;
    bool ok = true;

    arena_init(&arena, 0);
    request.response_parameters = ARENA_ARRAY(&arena, Grpc__Testing__ResponseParameters *, count);
    request.n_response_parameters = count;
    for (size_t i = 0; i < count; i++) {
        request.response_parameters[i] = ARENA_NEW(&arena, Grpc__Testing__ResponseParameters);
        grpc__testing__response_parameters__init(request.response_parameters[i]);
        request.response_parameters[i]->size = sizes[i % size_count];
    }
    exchange_begin(&x, client, &grpc_testing_test_service_streaming_output_call, NULL,
                   &request.base);
    for (size_t i = 0; ok && i < count; i++) {
        if (pause_ms > 0)
            client_wait_ms(client, pause_ms);
        ok = next_has(&x, sizes[i % size_count]);
    }
    ok = ok && exchange_ends(&x, STATUS_OK);
    exchange_done(&x);
    return ok;
}

static bool server_streaming(struct client *client)
{
    return read_stream(client, STREAM_STEPS, client_response_bytes, STREAM_STEPS, 0);
}

static bool slow_consumer(struct client *client)
{
    static const int32_t size = SLOW_RESPONSE_BYTES;

    return read_stream(client, SLOW_RESPONSES, &size, 1, SLOW_PAUSE_MS);
}

static bool ping_pong(struct client *client)
{
    struct asking asking;
    struct exchange x;
    bool ok = true;

    exchange_begin(&x, client, &grpc_testing_test_service_full_duplex_call, NULL, NULL);
    for (size_t i = 0; ok && i < STREAM_STEPS; i++) {
        ask(&asking, client_request_bytes[i], client_response_bytes[i]);
        ok = exchange_send(&x, &asking.request.base) && next_has(&x, client_response_bytes[i]);
    }
    rpc_call_half_close(x.call);
    ok = ok && exchange_ends(&x, STATUS_OK);
    exchange_done(&x);
    return ok;
}

static bool half_duplex(struct client *client)
{
    struct asking asking;
    struct exchange x;
    bool ok = true;

    exchange_begin(&x, client, &grpc_testing_test_service_half_duplex_call, NULL, NULL);
    for (size_t i = 0; ok && i < STREAM_STEPS; i++) {
        ask(&asking, 0, client_response_bytes[i]);
        ok = exchange_send(&x, &asking.request.base);
    }
    rpc_call_half_close(x.call);
    for (size_t i = 0; ok && i < STREAM_STEPS; i++)
        ok = next_has(&x, client_response_bytes[i]);
    ok = ok && exchange_ends(&x, STATUS_OK);
    exchange_done(&x);
    return ok;
}

static bool empty_stream(struct client *client)
{
    struct exchange x;
    bool ok;

    exchange_begin(&x, client, &grpc_testing_test_service_full_duplex_call, NULL, NULL);
    rpc_call_half_close(x.call);
    ok = exchange_ends(&x, STATUS_OK);
    exchange_done(&x);
    return ok;
}

static bool cancel_after_begin(struct client *client)
{
    struct exchange x;
    bool ok;

    exchange_begin(&x, client, &grpc_testing_test_service_streaming_input_call, NULL, NULL);
    rpc_call_cancel(x.call);
    ok = exchange_ends(&x, STATUS_CANCELLED);
    exchange_done(&x);
    return ok;
}

static bool cancel_after_first_response(struct client *client)
{
    struct asking asking;
    struct exchange x;
    bool ok;

    ask(&asking, client_request_bytes[0], client_response_bytes[0]);
    exchange_begin(&x, client, &grpc_testing_test_service_full_duplex_call, NULL, NULL);
    ok = exchange_send(&x, &asking.request.base) && next_has(&x, client_response_bytes[0]);
    rpc_call_cancel(x.call);
    ok = ok && exchange_ends(&x, STATUS_CANCELLED);
    exchange_done(&x);
    return ok;
}

static bool timeout_on_sleeping_server(struct client *client)
{
    static const struct rpc_call_options options = {.timeout_ms = SHORT_TIMEOUT_MS};
    struct asking asking;
    struct exchange x;
    bool ok;

    /* a call before it, so that it is not the connecting that takes too long */
    if (!client_large_unary(client, NULL, STATUS_OK))
        return false;
    ask(&asking, client_request_bytes[0], 0);
    asking.request.n_response_parameters = 0;
    exchange_begin(&x, client, &grpc_testing_test_service_full_duplex_call, &options, NULL);
    ok = exchange_send(&x, &asking.request.base) && exchange_ends(&x, STATUS_DEADLINE_EXCEEDED);
    exchange_done(&x);
    return ok;
}

const struct interop_case cases_stream[] = {
    {.name = "client_streaming", .run = client_streaming},
    {.name = "server_streaming", .run = server_streaming},
    {.name = "ping_pong", .run = ping_pong},
    {.name = "half_duplex", .run = half_duplex},
    {.name = "empty_stream", .run = empty_stream},
    {.name = "cancel_after_begin", .run = cancel_after_begin},
    {.name = "cancel_after_first_response", .run = cancel_after_first_response},
    {.name = "timeout_on_sleeping_server", .run = timeout_on_sleeping_server},
    {.name = "slow_consumer", .run = slow_consumer, .limit_seconds = 120},
    {0},
};
