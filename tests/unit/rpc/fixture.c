/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "fixture.h"

#define GUARD_MS 15000

static struct fixture *current; /* check runs each test in its own process */

static void guard_cb(void *userdata)
{
    ck_abort_msg("the test took too long");
}

void fixture_loop(struct fixture *f)
{
    if (f->loop)
        return;
    current = f;
    f->loop = loop_new();
    f->guard = loop_timer_new(f->loop, guard_cb, f);
    loop_timer_start(f->guard, GUARD_MS, 0);
}

void fixture_server(struct fixture *f, const char *address)
{
    struct error err = {0};

    fixture_loop(f);
    f->service.loop = f->loop;
    f->server = rpc_server_new(f->loop, &f->server_options);
    rpc_server_add(f->server, &plankton_test_echo_desc, &echo_service_ops, &f->service);
    rpc_server_add_health(f->server);
    ck_assert_msg(rpc_server_listen(f->server, address, &err) == STATUS_OK, "%s", err.message);
    snprintf(f->address, sizeof f->address, "%s", rpc_server_address(f->server));
}

void fixture_begin(struct fixture *f)
{
    fixture_server(f, "127.0.0.1:0");
    f->channel = rpc_channel_new(f->loop, f->address, &f->channel_options);
}

void fixture_end(struct fixture *f)
{
    rpc_channel_free(f->channel);
    rpc_server_free(f->server);
    loop_timer_free(f->guard);
    loop_free(f->loop);
}

void fixture_wait(struct fixture *f)
{
    if (f->pending > 0)
        loop_run(f->loop);
    ck_assert_uint_eq(f->pending, 0);
}

static void stop_cb(void *userdata)
{
    struct fixture *f = userdata;

    loop_stop(f->loop);
}

void fixture_run_ms(struct fixture *f, uint64_t ms)
{
    struct loop_timer *timer = loop_timer_new(f->loop, stop_cb, f);

    loop_timer_start(timer, ms, 0);
    loop_run(f->loop);
    loop_timer_free(timer);
}

void expect_outcome(struct fixture *f, struct outcome *out)
{
    *out = (struct outcome){0};
    f->pending++;
}

static void finish(struct outcome *out, enum status status, const struct error *err)
{
    ck_assert(!out->done);
    out->done = true;
    out->status = status;
    out->err = *err;
    if (err->violations)
        snprintf(out->field, sizeof out->field, "%s", err->violations->field);
    if (--current->pending == 0)
        loop_stop(current->loop);
}

void outcome_done(const Plankton__Test__EchoReply *response, const struct error *err,
                  void *userdata)
{
    struct outcome *out = userdata;

    if (response) {
        snprintf(out->text, sizeof out->text, "%s", response->text);
        out->bytes = response->payload.len;
    }
    finish(out, err->status, err);
}

static void on_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    const Plankton__Test__EchoReply *reply = plankton_test_echo_bidi_response_of(message);
    struct outcome *out = userdata;

    out->messages++;
    out->bytes += reply->payload.len;
    out->last_number = reply->number;
    out->total_bytes = reply->total_bytes;
}

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    struct outcome *out = userdata;
    const char *metadata = rpc_call_metadata(call, "x-echo");

    snprintf(out->metadata, sizeof out->metadata, "%s", metadata ? metadata : "");
    finish(out, status, err);
}

const struct rpc_callbacks outcome_callbacks = {.on_message = on_message, .on_close = on_close};

void unary(struct fixture *f, const struct rpc_call_options *options,
           const Plankton__Test__EchoRequest *request, struct outcome *out)
{
    expect_outcome(f, out);
    plankton_test_echo_unary_call(f->channel, options, request, outcome_done, out);
}
