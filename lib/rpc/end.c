/* SPDX-License-Identifier: Apache-2.0 */
/* What server and channel have in common: deadlines in one heap behind one timer, and work put off
 * to later in the turn. */
#include "internal.h"

static bool deadline_less(const struct heap_node *a, const struct heap_node *b)
{
    return CONTAINER_OF(a, struct rpc_call, deadline_node)->deadline_us <
           CONTAINER_OF(b, struct rpc_call, deadline_node)->deadline_us;
}

static void end_arm(struct rpc_end *end, uint64_t at_us)
{
    uint64_t now_us;

    /* A timer that fires early finds nothing and arms itself again, so only an earlier deadline
     * moves it. */
    if (end->timer_at_us != 0 && end->timer_at_us <= at_us)
        return;
    now_us = clock_monotonic_us();
    end->timer_at_us = at_us;
    loop_timer_start(end->timer, at_us > now_us ? (at_us - now_us) / 1000 + 1 : 0, 0);
}

static void end_timer_cb(void *userdata)
{
    struct rpc_end *end = userdata;
    uint64_t now_us = clock_monotonic_us();
    struct heap_node *top;

    end->timer_at_us = 0;
    /* The end's memory stays for this turn even when a callback frees it; its heap is then empty.
     */
    while ((top = heap_top(&end->deadlines))) {
        struct rpc_call *call = CONTAINER_OF(top, struct rpc_call, deadline_node);
        if (call->deadline_us > now_us) {
            end_arm(end, call->deadline_us);
            return;
        }
        heap_remove(&end->deadlines, top);
        if (end->server)
            rpc__server_expired(call);
        else
            rpc__client_expired(call);
    }
}

static void end_pump_cb(void *userdata)
{
    struct rpc_end *end = userdata;
    struct list batch;
    bool server = end->server;

    /* What is marked meanwhile waits for the next round; and a callback may free the end, so it is
     * not looked at again. */
    list_init(&batch);
    while (!list_empty(&end->pump)) {
        struct list *node = end->pump.next;
        list_remove(node);
        list_push(&batch, node);
    }
    while (!list_empty(&batch)) {
        struct rpc_call *call = LIST_ENTRY(batch.next, struct rpc_call, pump_node);
        list_remove(&call->pump_node);
        if (server)
            rpc__server_pump(call);
        else
            rpc__client_pump(call);
        rpc_call_unref(call);
    }
}

void rpc__end_init(struct rpc_end *end, struct loop *loop, bool server, size_t message_bytes_max)
{
    end->loop = loop;
    end->server = server;
    end->message_bytes_max = message_bytes_max;
    heap_init(&end->deadlines, deadline_less);
    end->timer = loop_timer_new(loop, end_timer_cb, end);
    end->pump_flush = loop_flush_new(loop, RPC_PUMP_ORDER, end_pump_cb, end);
    list_init(&end->pump);
    list_init(&end->calls);
    arena_init(&end->scratch, 0);
}

void rpc__end_fini(struct rpc_end *end)
{
    while (!list_empty(&end->pump)) {
        struct rpc_call *call = LIST_ENTRY(end->pump.next, struct rpc_call, pump_node);
        list_remove(&call->pump_node);
        rpc_call_unref(call);
    }
    loop_timer_free(end->timer);
    loop_flush_free(end->pump_flush);
    heap_fini(&end->deadlines);
    arena_fini(&end->scratch);
}

void rpc__end_pump_later(struct rpc_call *call)
{
    if (!call->end || list_linked(&call->pump_node))
        return;
    rpc_call_ref(call);
    list_push(&call->end->pump, &call->pump_node);
    loop_flush_mark(call->end->pump_flush);
}

void rpc__call_set_deadline(struct rpc_call *call, uint64_t deadline_us)
{
    call->deadline_us = deadline_us;
    heap_push(&call->end->deadlines, &call->deadline_node);
    end_arm(call->end, deadline_us);
}
