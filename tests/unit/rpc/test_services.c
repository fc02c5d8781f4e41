/* SPDX-License-Identifier: Apache-2.0 */
/* The services that the library brings along: health and reflection, over the generated wrappers.
 */
#include <stdio.h>
#include "descriptors/descriptors.h"
#include "frames.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/health/v1/health.rpc.h"
#include "grpc/reflection/v1/reflection.rpc.h"
#include "grpc/reflection/v1alpha/reflection.rpc.h"
#include "suites.h"

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN
#define STATES_MAX 8

struct check {
    struct fixture *f;
    enum status status;
    int state; /* -1: none came */
};

static void checked(const Grpc__Health__V1__HealthCheckResponse *response, const struct error *err,
                    void *userdata)
{
    struct check *check = userdata;

    check->status = err->status;
    check->state = response ? (int)response->status : -1;
    loop_stop(check->f->loop);
}

static struct check check_health(struct fixture *f, const char *service)
{
    struct check check = {.f = f};
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;

    request.service = (char *)service;
    grpc_health_v1_health_check_call(f->channel, NULL, &request, checked, &check);
    loop_run(f->loop);
    return check;
}

START_TEST(s1_check_knows_its_services_and_no_others)
{
    struct fixture f = {0};
    struct check check;

    fixture_begin(&f);
    rpc_server_set_serving(f.server, "plankton.test.Echo", true);
    check = check_health(&f, "");
    ck_assert(check.status == STATUS_OK && check.state == SERVING);
    check = check_health(&f, "plankton.test.Echo");
    ck_assert(check.status == STATUS_OK && check.state == SERVING);
    rpc_server_set_serving(f.server, "plankton.test.Echo", false);
    check = check_health(&f, "plankton.test.Echo");
    ck_assert(check.status == STATUS_OK && check.state == NOT_SERVING);
    check = check_health(&f, "plankton.test.Other");
    ck_assert(check.status == STATUS_NOT_FOUND && check.state == -1);
    fixture_end(&f);
}
END_TEST

struct watch {
    struct fixture *f;
    int states[STATES_MAX];
    size_t count, wanted; /* the loop stops when so many came */
    enum status status;
    bool closed;
};

static void watch_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct watch *watch = userdata;

    ck_assert_uint_lt(watch->count, STATES_MAX);
    watch->states[watch->count++] = (int)grpc_health_v1_health_watch_response_of(message)->status;
    if (watch->count == watch->wanted)
        loop_stop(watch->f->loop);
}

static void watch_close(struct rpc_call *call, enum status status, const struct error *err,
                        void *userdata)
{
    struct watch *watch = userdata;

    watch->status = status;
    watch->closed = true;
    loop_stop(watch->f->loop);
}

static struct rpc_call *watch_begin(struct fixture *f, struct watch *watch, const char *service)
{
    static const struct rpc_callbacks callbacks = {.on_message = watch_message,
                                                   .on_close = watch_close};
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;

    *watch = (struct watch){.f = f};
    request.service = (char *)service;
    return grpc_health_v1_health_watch_call(f->channel, NULL, &request, &callbacks, watch);
}

static int next_state(struct watch *watch)
{
    watch->wanted = watch->count + 1;
    loop_run(watch->f->loop);
    ck_assert_uint_eq(watch->count, watch->wanted);
    return watch->states[watch->count - 1];
}

START_TEST(s1_watch_tells_the_state_at_once_and_each_change)
{
    struct fixture f = {0};
    struct watch watch;

    fixture_begin(&f);
    rpc_server_set_serving(f.server, "a", true);
    struct rpc_call *call = watch_begin(&f, &watch, "a");
    ck_assert_int_eq(next_state(&watch), SERVING);
    rpc_server_set_serving(f.server, "a", true); /* no change, no message */
    rpc_server_set_serving(f.server, "b", false);
    rpc_server_set_serving(f.server, "a", false);
    ck_assert_int_eq(next_state(&watch), NOT_SERVING);
    rpc_server_set_serving(f.server, "a", true);
    ck_assert_int_eq(next_state(&watch), SERVING);
    rpc_call_cancel(call);
    loop_run(f.loop);
    ck_assert_int_eq(watch.status, STATUS_CANCELLED);
    fixture_end(&f);
}
END_TEST

START_TEST(s1_watch_of_an_unknown_service_stays_open_until_it_is_known)
{
    struct fixture f = {0};
    struct watch watch;

    fixture_begin(&f);
    watch_begin(&f, &watch, "later");
    ck_assert_int_eq(next_state(&watch), SERVICE_UNKNOWN);
    ck_assert(!watch.closed);
    rpc_server_set_serving(f.server, "later", true);
    ck_assert_int_eq(next_state(&watch), SERVING);
    fixture_end(&f);
}
END_TEST

static void drained(void *userdata)
{
    *(bool *)userdata = true;
}

START_TEST(s1_a_drain_says_not_serving_before_it_ends_the_watch)
{
    struct fixture f = {0};
    struct watch watch;
    bool done = false;

    fixture_begin(&f);
    watch_begin(&f, &watch, "");
    ck_assert_int_eq(next_state(&watch), SERVING);
    rpc_server_drain(f.server, 5000, drained, &done);
    ck_assert_int_eq(next_state(&watch), NOT_SERVING);
    while (!watch.closed)
        loop_run(f.loop);
    ck_assert_int_eq(watch.status, STATUS_UNAVAILABLE);
    while (!done)
        fixture_run_ms(&f, 5);
    fixture_end(&f);
}
END_TEST

/* Its stream is from before the client heard of the drain. */
START_TEST(s1_a_watch_that_begins_during_a_drain_ends_too)
{
    static const char *const headers[] = {":method",
                                          "POST",
                                          ":scheme",
                                          "http",
                                          ":path",
                                          "/grpc.health.v1.Health/Watch",
                                          ":authority",
                                          "test",
                                          "content-type",
                                          "application/grpc",
                                          NULL};
    struct frames fr = {.until_pong = true};
    bool done = false;

    frames_begin(&fr);
    frames_put(&fr, NGHTTP2_PING, 0, "12345678", 8);
    frames_run(&fr);
    fr.until_pong = false;
    rpc_server_drain(fr.f.server, 60000, drained, &done); /* longer than a test may take */
    frames_headers(&fr, 0, headers);
    frames_data(&fr, FRAME_END_STREAM, (struct slice){"\0\0\0\0\0", 5}, -1);
    frames_run(&fr);
    ck_assert_uint_eq(fr.body.len, 7); /* one message */
    ck_assert_int_eq(fr.body.data[6], NOT_SERVING);
    ck_assert_str_eq(frames_header(&fr, 0, "grpc-status"), "14");
    frames_end(&fr);
}
END_TEST

/* ---- reflection ---- */

enum { ASK_FILE, ASK_SYMBOL, ASK_EXTENSION, ASK_NUMBERS, ASK_SERVICES };
struct question {
    int kind;
    const char *text;
    int32_t number;
    /* Of the answer: an error code, or a name that the first file or some service has, or a number
     * among the extensions. */
    int32_t error;
    const char *name;
};
static const struct question questions[] = {
    {ASK_FILE, "plankton/v1/task_controller.proto", 0, 0, "plankton/v1/task_controller.proto"},
    {ASK_FILE, "nowhere.proto", 0, STATUS_NOT_FOUND, NULL},
    {ASK_SYMBOL, "plankton.v1.TaskController", 0, 0, "plankton/v1/task_controller.proto"},
    {ASK_SYMBOL, "plankton.v1.TaskController.GetTask", 0, 0, "plankton/v1/task_controller.proto"},
    {ASK_SYMBOL, "google.protobuf.FieldDescriptorProto.Type", 0, 0,
     "google/protobuf/descriptor.proto"},
    {ASK_SYMBOL, "google.protobuf.FieldDescriptorProto.TYPE_INT32", 0, 0,
     "google/protobuf/descriptor.proto"},
    {ASK_SYMBOL, "google.api.HttpRule.pattern", 0, 0, "google/api/http.proto"},
    {ASK_SYMBOL, "google.api.http", 0, 0, "google/api/annotations.proto"},
    {ASK_SYMBOL, "plankton.v1.Nothing", 0, STATUS_NOT_FOUND, NULL},
    {ASK_EXTENSION, "google.protobuf.MethodOptions", 72295728, 0, "google/api/annotations.proto"},
    {ASK_EXTENSION, "google.protobuf.MethodOptions", 1, STATUS_NOT_FOUND, NULL},
    {ASK_NUMBERS, "google.protobuf.MethodOptions", 72295728, 0, NULL},
    {ASK_NUMBERS, "google.Nothing", 0, STATUS_NOT_FOUND, NULL},
    {ASK_SERVICES, "", 0, 0, "plankton.test.Echo"},
    {ASK_SERVICES, "", 0, 0, "grpc.reflection.v1alpha.ServerReflection"},
};
struct reflection {
    struct fixture *f;
    size_t answered;
};

static const char *first_file_name(const Grpc__Reflection__V1__FileDescriptorResponse *files)
{
    static char name[128];
    Google__Protobuf__FileDescriptorProto *file = google__protobuf__file_descriptor_proto__unpack(
        NULL, files->file_descriptor_proto[0].len, files->file_descriptor_proto[0].data);

    ck_assert_ptr_nonnull(file);
    snprintf(name, sizeof name, "%s", file->name);
    /* The imports come along, each once. */
    ck_assert_uint_ge(files->n_file_descriptor_proto, 1 + (file->n_dependency > 0));
    google__protobuf__file_descriptor_proto__free_unpacked(file, NULL);
    return name;
}

static void look_at(const struct question *question,
                    const Grpc__Reflection__V1__ServerReflectionResponse *answer)
{
    bool found = false;

    ck_assert_str_eq(answer->valid_host, "host");
    ck_assert_ptr_nonnull(answer->original_request);
    switch (answer->message_response_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE:
        ck_assert_msg(answer->error_response->error_code == question->error, "%s", question->text);
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE:
        ck_assert_str_eq(first_file_name(answer->file_descriptor_response), question->name);
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE:
        for (size_t i = 0; i < answer->all_extension_numbers_response->n_extension_number; i++)
            found |=
                answer->all_extension_numbers_response->extension_number[i] == question->number;
        break;
    default:
        for (size_t i = 0; i < answer->list_services_response->n_service; i++)
            found |= str_eq(answer->list_services_response->service[i]->name, question->name);
    }
    ck_assert_msg(found && question->error == 0, "%s", question->text);
}

static void reflection_message(struct rpc_call *call, const ProtobufCMessage *message,
                               void *userdata)
{
    struct reflection *self = userdata;

    /* Both versions have the same fields in the same places. */
    look_at(&questions[self->answered++],
            (const Grpc__Reflection__V1__ServerReflectionResponse *)message);
}

static void reflection_close(struct rpc_call *call, enum status status, const struct error *err,
                             void *userdata)
{
    struct reflection *self = userdata;

    ck_assert_int_eq(status, STATUS_OK);
    loop_stop(self->f->loop);
}

static void ask(struct rpc_call *call, const struct question *question)
{
    Grpc__Reflection__V1__ServerReflectionRequest request =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    Grpc__Reflection__V1__ExtensionRequest extension =
        GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
    static const Grpc__Reflection__V1__ServerReflectionRequest__MessageRequestCase cases[] = {
        [ASK_FILE] =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME,
        [ASK_SYMBOL] =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL,
        [ASK_EXTENSION] =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION,
        [ASK_NUMBERS] =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE,
        [ASK_SERVICES] =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES,
    };

    request.host = (char *)"host";
    request.message_request_case = cases[question->kind];
    if (question->kind == ASK_EXTENSION) {
        extension.containing_type = (char *)question->text;
        extension.extension_number = question->number;
        request.file_containing_extension = &extension;
    } else {
        request.file_by_filename = (char *)question->text; /* all strings of the union */
    }
    ck_assert_int_eq(rpc_call_send(call, &request.base), STATUS_OK);
}

static void ask_all(const struct rpc_method *method)
{
    static const struct rpc_callbacks callbacks = {.on_message = reflection_message,
                                                   .on_close = reflection_close};
    struct fixture f = {0};
    struct reflection self = {.f = &f};

    fixture_begin(&f);
    rpc_server_add_reflection(
        f.server, (struct slice){plankton_descriptor_set, plankton_descriptor_set_bytes});
    struct rpc_call *call = rpc_channel_call(f.channel, method, NULL, &callbacks, &self);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        ask(call, &questions[i]);
    rpc_call_half_close(call);
    loop_run(f.loop);
    ck_assert_uint_eq(self.answered, ARRAY_LEN(questions));
    fixture_end(&f);
}

START_TEST(s2_reflection_v1_answers_all_five_requests)
{
    ask_all(&grpc_reflection_v1_server_reflection_server_reflection_info);
}
END_TEST

START_TEST(s2_reflection_v1alpha_answers_all_five_requests)
{
    ask_all(&grpc_reflection_v1alpha_server_reflection_server_reflection_info);
}
END_TEST

TCase *service_tests(void)
{
    TCase *tc = tcase_create("services");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, s1_check_knows_its_services_and_no_others);
    tcase_add_test(tc, s1_watch_tells_the_state_at_once_and_each_change);
    tcase_add_test(tc, s1_watch_of_an_unknown_service_stays_open_until_it_is_known);
    tcase_add_test(tc, s1_a_drain_says_not_serving_before_it_ends_the_watch);
    tcase_add_test(tc, s1_a_watch_that_begins_during_a_drain_ends_too);
    tcase_add_test(tc, s2_reflection_v1_answers_all_five_requests);
    tcase_add_test(tc, s2_reflection_v1alpha_answers_all_five_requests);
    return tc;
}
