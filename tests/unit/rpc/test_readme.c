/* SPDX-License-Identifier: Apache-2.0 */
/* The samples of lib/rpc/README.md, as they stand there: they compile and do what they say. */
#include <stdio.h>
#include "fixture.h"
#include "suites.h"
#include "plankton/v1/task_controller.rpc.h"

struct shown {
    struct fixture *f;
    char text[512];
};

static bool find_task(void *controller, const char *id, struct arena *arena,
                      Plankton__V1__Task *ret)
{
    if (!str_eq(id, controller))
        return false;
    ret->id = arena_strdup(arena, id);
    return true;
}

static void show(struct shown *shown, const char *text)
{
    snprintf(shown->text, sizeof shown->text, "%s", text);
    loop_stop(shown->f->loop);
}

#include "readme_samples.h"

START_TEST(the_unary_method_and_the_client_of_the_readme_work)
{
    struct fixture f = {0};
    struct shown shown = {.f = &f};
    char only_task[] = "task-1";

    fixture_begin(&f);
    serve(f.server, only_task);
    ask_for(f.channel, "task-1", &shown);
    loop_run(f.loop);
    ck_assert_str_eq(shown.text, "task-1");
    ask_for(f.channel, "task-2", &shown);
    loop_run(f.loop);
    ck_assert_str_eq(shown.text, "no task task-2");
    fixture_end(&f);
}
END_TEST

struct acknowledged {
    struct fixture *f;
    uint64_t number;
    enum status status;
};

static void append_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct acknowledged *self = userdata;

    self->number = plankton_v1_task_logger_append_response_of(message)->acknowledged;
}

static void append_close(struct rpc_call *call, enum status status, const struct error *err,
                         void *userdata)
{
    struct acknowledged *self = userdata;

    self->status = status;
    loop_stop(self->f->loop);
}

START_TEST(the_streaming_method_of_the_readme_works_and_waits_for_slow_readers)
{
    static const struct rpc_callbacks callbacks = {.on_message = append_message,
                                                   .on_close = append_close};
    enum { MESSAGES = 200000 }; /* 1 MiB of requests and more of replies than is kept unsent */
    Plankton__V1__AppendRequest request = PLANKTON__V1__APPEND_REQUEST__INIT;
    struct fixture f = {0};
    struct acknowledged self = {.f = &f};

    fixture_begin(&f);
    rpc_server_add(f.server, &plankton_v1_task_logger_desc, &logger_ops, NULL);
    struct rpc_call *call = plankton_v1_task_logger_append_call(f.channel, NULL, &callbacks, &self);
    rpc_call_pause(call);
    for (request.number = 1; request.number <= MESSAGES; request.number++)
        ck_assert_int_eq(plankton_v1_task_logger_append_write(call, &request), STATUS_OK);
    rpc_call_half_close(call);
    fixture_run_ms(&f, 100);
    ck_assert_uint_eq(self.number, 0);
    rpc_call_resume(call);
    loop_run(f.loop);
    ck_assert_int_eq(self.status, STATUS_OK);
    ck_assert_uint_eq(self.number, MESSAGES);
    fixture_end(&f);
}
END_TEST

TCase *readme_tests(void)
{
    TCase *tc = tcase_create("readme");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, the_unary_method_and_the_client_of_the_readme_work);
    tcase_add_test(tc, the_streaming_method_of_the_readme_works_and_waits_for_slow_readers);
    return tc;
}
