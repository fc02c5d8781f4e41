/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other tries of a call whose answer has not begun. At once, and free: the peer has certainly not
 * looked at the request (it never left, or the stream was refused, or its id is above the last one
 * of a GOAWAY); the second kind once only. After a pause, by the call's policy: see struct
 * rpc_retry. What was sent stays in the stream's output buffer, so nothing is copied for this.
 */
#include "base/text.h"
#include "client.h"

#define BACKOFF_INITIAL_MS 50
#define BACKOFF_MAX_MS 1000
#define BACKOFF_MULTIPLIER 2.0
#define PUSHBACK_MAX_MS 3600000 /* what is longer does not count as a wish to be asked again */

static void retry_cb(void *userdata)
{
    rpc__client_start(userdata);
}

void rpc__retry_init(struct rpc_call *call, const struct rpc_retry *policy)
{
    struct rpc_attempts *attempts;

    if (policy->attempts_max < 2)
        return;
    call->attempts = attempts = ARENA_NEW(&call->arena, struct rpc_attempts);
    attempts->policy = *policy;
    attempts->policy.attempts_max = MIN_OF(policy->attempts_max, (uint32_t)RPC_RETRY_ATTEMPTS_MAX);
    if (policy->backoff_initial_ms == 0)
        attempts->policy.backoff_initial_ms = BACKOFF_INITIAL_MS;
    if (policy->backoff_max_ms == 0)
        attempts->policy.backoff_max_ms = BACKOFF_MAX_MS;
    if (policy->backoff_multiplier <= 0)
        attempts->policy.backoff_multiplier = BACKOFF_MULTIPLIER;
    attempts->made = 1;
}

void rpc__retry_fini(struct rpc_call *call)
{
    if (!call->attempts)
        return;
    loop_timer_free(call->attempts->timer);
    call->attempts->timer = NULL;
}

/* random(0, min(initial · multiplier^n, max)) */
static uint64_t backoff_ms(struct rpc_attempts *attempts)
{
    const struct rpc_retry *policy = &attempts->policy;
    double ceiling = (double)policy->backoff_initial_ms, max = (double)policy->backoff_max_ms;

    for (uint32_t i = 0; i < attempts->backoffs; i++)
        ceiling *= policy->backoff_multiplier;
    attempts->backoffs++;
    return random_u64() % ((uint64_t)MIN_OF(ceiling, max) + 1);
}

/* How long to wait; false = the peer does not want to be asked again. */
static bool pause_ms(struct rpc_call *call, const struct error *err, uint64_t *ret)
{
    const char *pushback = rpc_call_metadata(call, "grpc-retry-pushback-ms");

    if (!pushback) {
        *ret = MAX_OF(backoff_ms(call->attempts), (uint64_t)err->retry_after_ms);
        return true;
    }
    call->attempts->backoffs = 0;
    return text_to_u64(pushback, ret) && *ret <= PUSHBACK_MAX_MS;
}

bool rpc__retry_later(struct rpc_call *call, const struct error *err)
{
    struct rpc_attempts *attempts = call->attempts;
    uint64_t delay_ms;

    if (!attempts || attempts->made >= attempts->policy.attempts_max)
        return false;
    if (!(attempts->policy.statuses >> err->status & 1) || !pause_ms(call, err, &delay_ms))
        return false;
    if (call->deadline_us && clock_monotonic_us() + delay_ms * 1000 >= call->deadline_us)
        return false;
    if (!rpc__client_rewind(call))
        return false;
    attempts->made++;
    if (!attempts->timer)
        attempts->timer = loop_timer_new(call->end->loop, retry_cb, call);
    loop_timer_start(attempts->timer, delay_ms, 0);
    return true;
}

bool rpc__retry_at_once(struct rpc_call *call, uint32_t error_code)
{
    if (error_code != H2_REFUSED_STREAM && error_code != H2_CONNECTION_LOST)
        return false;
    if (call->stream.on_the_wire) {
        if (error_code != H2_REFUSED_STREAM || call->refused || call->grpc_status >= 0)
            return false;
        call->refused = true;
    }
    if (!rpc__client_rewind(call))
        return false;
    /* From a flush of the connection as well as from a read: the next try begins in the pump. */
    call->again = true;
    rpc__end_pump_later(call);
    return true;
}
