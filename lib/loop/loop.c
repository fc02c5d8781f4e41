/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include "internal.h"

struct loop_flush {
    struct loop *loop;
    struct list node; /* in loop->marked[order] while marked */
    int order;
    void (*fn)(void *userdata);
    void *userdata;
};

void loop__must(int uv_result, const char *what)
{
    if (uv_result == 0)
        return;
    fprintf(stderr, "%s failed: %s\n", what, uv_strerror(uv_result));
    abort();
}

void loop__free_owner(uv_handle_t *handle)
{
    free(handle->data);
}

/* Runs what was deferred before this call; what is deferred meanwhile waits for the next round. */
static void loop_run_deferred(struct loop *loop)
{
    struct loop_deferred *batch = loop->deferred;
    size_t n = loop->deferred_len, cap = loop->deferred_cap;

    if (n == 0)
        return;
    loop->deferred = NULL;
    loop->deferred_len = loop->deferred_cap = 0;
    for (size_t i = 0; i < n; i++)
        batch[i].fn(batch[i].userdata);
    if (!loop->deferred) {
        loop->deferred = batch; /* keep the memory: the steady state allocates nothing */
        loop->deferred_cap = cap;
        return;
    }
    free(batch);
}

/* One pass over the orders, lowest first. A hook that is marked again for an order already passed
 * waits for the next round. */
static void loop_run_flushes(struct loop *loop)
{
    for (int order = 0; order < LOOP_ORDERS; order++) {
        if (!(loop->marked_bits >> order & 1))
            continue;
        loop->marked_bits &= ~(1ull << order);
        struct list *head = &loop->marked[order];
        /* The sentinel bounds the pass: hooks marked while we run come behind it. */
        struct list end = {0};
        list_push(head, &end);
        while (head->next != &end) {
            struct loop_flush *flush = LIST_ENTRY(head->next, struct loop_flush, node);
            list_remove(&flush->node);
            flush->fn(flush->userdata);
        }
        list_remove(&end);
        if (!list_empty(head))
            loop->marked_bits |= 1ull << order;
    }
}

static bool loop_has_work(const struct loop *loop)
{
    return loop->deferred_len > 0 || loop->marked_bits != 0;
}

static void loop_idle_cb(uv_idle_t *idle)
{
    (void)idle;
}

static void loop_prepare_cb(uv_prepare_t *prepare)
{
    struct loop *loop = CONTAINER_OF(prepare, struct loop, prepare);

    for (int round = 0; round < LOOP_FLUSH_ROUNDS_MAX && loop_has_work(loop); round++) {
        loop_run_deferred(loop);
        loop_run_flushes(loop);
    }
    if (loop_has_work(loop))
        uv_idle_start(&loop->idle, loop_idle_cb);
    else
        uv_idle_stop(&loop->idle);
}

static void loop_own_close(struct loop_owned *owned)
{
    struct loop *loop = CONTAINER_OF(owned, struct loop, owned);

    if (!uv_is_closing((uv_handle_t *)&loop->prepare))
        uv_close((uv_handle_t *)&loop->prepare, NULL);
    if (!uv_is_closing((uv_handle_t *)&loop->idle))
        uv_close((uv_handle_t *)&loop->idle, NULL);
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_zalloc(sizeof *loop);

    loop__must(uv_loop_init(&loop->uv), "uv_loop_init");
    for (int i = 0; i < LOOP_ORDERS; i++)
        list_init(&loop->marked[i]);
    loop->owned.close = loop_own_close;
    loop__must(uv_prepare_init(&loop->uv, &loop->prepare), "uv_prepare_init");
    loop->prepare.data = &loop->owned;
    uv_prepare_start(&loop->prepare, loop_prepare_cb);
    uv_idle_init(&loop->uv, &loop->idle);
    loop->idle.data = &loop->owned;
    return loop;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

static void loop_close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (uv_is_closing(handle))
        return;
    struct loop_owned *owned = handle->data;
    owned->close(owned);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    /* Pool jobs cannot be withdrawn and their done callbacks may open handles: turn until nothing
     * is left. */
    do {
        uv_walk(&loop->uv, loop_close_handle, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        loop_run_deferred(loop);
    } while (uv_loop_close(&loop->uv) == UV_EBUSY);
    free(loop->deferred);
    free(loop);
}

void *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

struct loop_flush *loop_flush_new(struct loop *loop, int order, void (*fn)(void *userdata),
                                  void *userdata)
{
    struct loop_flush *flush = mem_zalloc(sizeof *flush);

    loop__must(order >= 0 && order < LOOP_ORDERS ? 0 : UV_EINVAL, "loop_flush_new");
    *flush = (struct loop_flush){.loop = loop, .order = order, .fn = fn, .userdata = userdata};
    return flush;
}

void loop_flush_mark(struct loop_flush *flush)
{
    if (list_linked(&flush->node))
        return;
    list_push(&flush->loop->marked[flush->order], &flush->node);
    flush->loop->marked_bits |= 1ull << flush->order;
}

void loop_flush_free(struct loop_flush *flush)
{
    if (!flush)
        return;
    list_remove(&flush->node);
    free(flush);
}

void loop_defer(struct loop *loop, void (*fn)(void *userdata), void *userdata)
{
    if (loop->deferred_len == loop->deferred_cap) {
        loop->deferred_cap = loop->deferred_cap ? loop->deferred_cap * 2 : 64;
        loop->deferred = mem_realloc(loop->deferred, loop->deferred_cap * sizeof *loop->deferred);
    }
    loop->deferred[loop->deferred_len++] = (struct loop_deferred){fn, userdata};
}
