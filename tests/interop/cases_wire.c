/* SPDX-License-Identifier: Apache-2.0 */
/* Cases against the public HTTP/2 test server, which misbehaves on purpose: see docs/interop.md. */
#include "client.h"

#define GOAWAY_WAIT_MS 1000
#define PARALLEL_CALLS 10

static bool large_is_ok(struct client *client)
{
    return client_large_unary(client, NULL, STATUS_OK);
}

/* The server resets the stream with NO_ERROR or similar before the answer is whole. */
static bool reset_is_internal(struct client *client)
{
    return client_large_unary(client, NULL, STATUS_INTERNAL);
}

/* What the server sends before its reset may be a whole response. */
static bool reset_after_data(struct client *client)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    struct exchange x;
    struct reply reply;
    bool ok = true;

    request.response_size = LARGE_RESPONSE_BYTES;
    exchange_begin(&x, client, &grpc_testing_test_service_unary_call, NULL, &request.base);
    while (exchange_next(&x, &reply))
        ok = ok && expect_payload(client, &reply, LARGE_RESPONSE_BYTES);
    ok = ok && exchange_ends(&x, STATUS_INTERNAL);
    exchange_done(&x);
    return ok;
}

/* The second call must go over a connection of its own. */
static bool goaway(struct client *client)
{
    if (!large_is_ok(client))
        return false;
    client_wait_ms(client, GOAWAY_WAIT_MS);
    return large_is_ok(client);
}

/* The server allows one stream at a time: the calls must wait for each other. */
static bool max_streams(struct client *client)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct exchange x[PARALLEL_CALLS];
    struct reply reply;
    bool ok = large_is_ok(client);

    payload.body = client_zeros(LARGE_REQUEST_BYTES);
    request.payload = &payload;
    request.response_size = LARGE_RESPONSE_BYTES;
    for (size_t i = 0; i < PARALLEL_CALLS; i++)
        exchange_begin(&x[i], client, &grpc_testing_test_service_unary_call, NULL, &request.base);
    for (size_t i = 0; i < PARALLEL_CALLS; i++) {
        ok = ok &&
             expect(client, exchange_next(&x[i], &reply), "no response: %s", x[i].err.message) &&
             expect_payload(client, &reply, LARGE_RESPONSE_BYTES) &&
             exchange_ends(&x[i], STATUS_OK);
        exchange_done(&x[i]);
    }
    return ok;
}

const struct interop_case cases_wire[] = {
    {.name = "goaway", .run = goaway},
    {.name = "rst_after_header", .run = reset_is_internal},
    {.name = "rst_during_data", .run = reset_is_internal},
    {.name = "rst_after_data", .run = reset_after_data},
    {.name = "ping", .run = large_is_ok},
    {.name = "max_streams", .run = max_streams},
    {.name = "data_frame_padding", .run = large_is_ok},
    {.name = "no_df_padding_sanity_test", .run = large_is_ok},
    {0},
};
