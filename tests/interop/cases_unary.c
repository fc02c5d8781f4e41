/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of one call at a time: payloads, metadata, status, what is not implemented, soak. */
#include <inttypes.h>
#include <stdio.h>
#include "client.h"

#define ECHO_INITIAL "x-grpc-test-echo-initial"
#define ECHO_INITIAL_VALUE "test_initial_metadata_value"
#define ECHO_TRAILING "x-grpc-test-echo-trailing-bin"
#define ECHO_TRAILING_VALUE "\xab\xab\xab"
#define TEST_MESSAGE "This is a test message"
/* Tabs, line ends and characters of 3 and 4 bytes. */
#define SPECIAL_MESSAGE                                                                            \
    "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP \xf0\x9f\x98\x88\t\n"

static bool empty_unary(struct client *client)
{
    const Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    struct exchange x;
    struct reply reply;
    bool ok;

    exchange_begin(&x, client, &grpc_testing_test_service_empty_call, NULL, &request.base);
    ok = expect(client, exchange_next(&x, &reply), "no response: %s", x.err.message) &&
         exchange_ends(&x, STATUS_OK);
    exchange_done(&x);
    return ok;
}

bool client_large_unary(struct client *client, const struct rpc_call_options *options,
                        enum status status)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct exchange x;
    struct reply reply;
    bool ok = true;

    payload.body = client_zeros(LARGE_REQUEST_BYTES);
    request.payload = &payload;
    request.response_size = LARGE_RESPONSE_BYTES;
    exchange_begin(&x, client, &grpc_testing_test_service_unary_call, options, &request.base);
    if (status == STATUS_OK)
        ok = expect(client, exchange_next(&x, &reply), "no response: %s", x.err.message) &&
             expect_payload(client, &reply, LARGE_RESPONSE_BYTES);
    ok = ok && exchange_ends(&x, status);
    exchange_done(&x);
    return ok;
}

static bool large_unary(struct client *client)
{
    return client_large_unary(client, NULL, STATUS_OK);
}

static bool metadata_came_back(struct exchange *x)
{
    const char *initial = rpc_call_metadata(x->call, ECHO_INITIAL);
    struct slice trailing = {0};

    return expect(x->client, str_eq(initial, ECHO_INITIAL_VALUE), ECHO_INITIAL " is %s",
                  initial ? initial : "absent") &&
           expect(x->client, rpc_call_metadata_bin(x->call, ECHO_TRAILING, &trailing),
                  ECHO_TRAILING " is absent or not base64") &&
           expect(x->client, slice_is(trailing, ECHO_TRAILING_VALUE),
                  ECHO_TRAILING " has other bytes");
}

/* The same with a unary and a full-duplex call. */
static bool custom_metadata(struct client *client)
{
    static const char *const metadata[] = {ECHO_INITIAL, ECHO_INITIAL_VALUE, ECHO_TRAILING,
                                           ECHO_TRAILING_VALUE, NULL};
    static const struct rpc_call_options options = {.metadata = metadata};
    Grpc__Testing__SimpleRequest unary = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__StreamingOutputCallRequest duplex =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters asked = GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
    Grpc__Testing__ResponseParameters *all[] = {&asked};
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct exchange x;
    struct reply reply;
    bool ok;

    payload.body = client_zeros(LARGE_REQUEST_BYTES);
    unary.payload = duplex.payload = &payload;
    unary.response_size = asked.size = LARGE_RESPONSE_BYTES;
    exchange_begin(&x, client, &grpc_testing_test_service_unary_call, &options, &unary.base);
    ok = expect(client, exchange_next(&x, &reply), "no response: %s", x.err.message) &&
         exchange_ends(&x, STATUS_OK) && metadata_came_back(&x);
    exchange_done(&x);

    duplex.response_parameters = all;
    duplex.n_response_parameters = ARRAY_LEN(all);
    exchange_begin(&x, client, &grpc_testing_test_service_full_duplex_call, &options, NULL);
    ok = ok && exchange_send(&x, &duplex.base);
    rpc_call_half_close(x.call);
    ok = ok && expect(client, exchange_next(&x, &reply), "no response: %s", x.err.message) &&
         exchange_ends(&x, STATUS_OK) && metadata_came_back(&x);
    exchange_done(&x);
    return ok;
}

static bool ends_with_message(struct exchange *x, const char *message)
{
    bool ok = exchange_ends(x, STATUS_UNKNOWN) && expect(x->client, str_eq(x->err.message, message),
                                                         "another message: \"%s\"", x->err.message);

    exchange_done(x);
    return ok;
}

static bool unary_message(struct client *client, char *message)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__EchoStatus status = GRPC__TESTING__ECHO_STATUS__INIT;
    struct exchange x;

    status.code = STATUS_UNKNOWN;
    status.message = message;
    request.response_status = &status;
    exchange_begin(&x, client, &grpc_testing_test_service_unary_call, NULL, &request.base);
    return ends_with_message(&x, message);
}

static bool status_code_and_message(struct client *client)
{
    static char message[] = TEST_MESSAGE;
    Grpc__Testing__StreamingOutputCallRequest request =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__EchoStatus status = GRPC__TESTING__ECHO_STATUS__INIT;
    struct exchange x;
    bool sent, ended;

    if (!unary_message(client, message))
        return false;
    status.code = STATUS_UNKNOWN;
    status.message = message;
    request.response_status = &status;
    exchange_begin(&x, client, &grpc_testing_test_service_full_duplex_call, NULL, NULL);
    sent = exchange_send(&x, &request.base);
    rpc_call_half_close(x.call);
    ended = ends_with_message(&x, message);
    return sent && ended;
}

static bool special_status_message(struct client *client)
{
    static char message[] = SPECIAL_MESSAGE;

    return unary_message(client, message);
}

static bool unimplemented(struct client *client, const struct rpc_method *method)
{
    const Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    struct exchange x;
    bool ok;

    exchange_begin(&x, client, method, NULL, &request.base);
    ok = exchange_ends(&x, STATUS_UNIMPLEMENTED);
    exchange_done(&x);
    return ok;
}

static bool unimplemented_method(struct client *client)
{
    return unimplemented(client, &grpc_testing_test_service_unimplemented_call);
}

static bool unimplemented_service(struct client *client)
{
    return unimplemented(client, &grpc_testing_unimplemented_service_unimplemented_call);
}

/* Large calls one after the other; those that fail or are too slow are counted. */
static bool soak(struct client *client, bool reconnects)
{
    uint64_t begin_us = loop_now_us(client->loop), worst_ms = 0;
    int64_t done = 0, failures = 0;

    for (; done < client->iterations; done++) {
        uint64_t start_us = loop_now_us(client->loop), ms;

        if (start_us - begin_us > (uint64_t)client->overall_seconds * 1000000)
            break;
        if (reconnects)
            client_connect(client);
        bool ok = large_unary(client);
        ms = (loop_now_us(client->loop) - start_us) / 1000;
        worst_ms = MAX_OF(worst_ms, ms);
        failures += !ok || !expect(client, ms <= (uint64_t)client->acceptable_ms,
                                   "iteration %" PRId64 " took %" PRIu64 " ms", done, ms);
        if (client->between_ms > (int64_t)ms)
            client_wait_ms(client, (uint64_t)client->between_ms - ms);
    }
    printf("%s: %" PRId64 " of %" PRId64 " iterations, %" PRId64 " failures, worst %" PRIu64
           " ms\n",
           client->case_name, done, client->iterations, failures, worst_ms);
    return expect(client, done == client->iterations, "the time was over before the end") &&
           expect(client, failures <= client->max_failures, "too many failures");
}

static bool rpc_soak(struct client *client)
{
    return soak(client, false);
}

static bool channel_soak(struct client *client)
{
    return soak(client, true);
}

const struct interop_case cases_unary[] = {
    {.name = "empty_unary", .run = empty_unary},
    {.name = "large_unary", .run = large_unary},
    {.name = "custom_metadata", .run = custom_metadata},
    {.name = "status_code_and_message", .run = status_code_and_message},
    {.name = "special_status_message", .run = special_status_message},
    {.name = "unimplemented_method", .run = unimplemented_method},
    {.name = "unimplemented_service", .run = unimplemented_service},
    {.name = "rpc_soak", .run = rpc_soak, .limit_seconds = 3600},
    {.name = "channel_soak", .run = channel_soak, .limit_seconds = 3600},
    {0},
};
