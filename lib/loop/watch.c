/* SPDX-License-Identifier: Apache-2.0 */
/* Timers, foreign descriptors and signals: each a thin owner of one uv handle. */
#include <stdlib.h>
#include "internal.h"

struct loop_timer {
    struct loop_owned owned;
    uv_timer_t uv;
    void (*fn)(void *userdata);
    void *userdata;
};
struct loop_fd {
    struct loop_owned owned;
    uv_poll_t uv;
    int events;
    void (*fn)(int events, void *userdata);
    void *userdata;
};
struct loop_signal {
    struct loop_owned owned;
    uv_signal_t uv;
    void (*fn)(int signum, void *userdata);
    void *userdata;
};

static void loop_timer_cb(uv_timer_t *uv)
{
    struct loop_timer *timer = CONTAINER_OF(uv, struct loop_timer, uv);

    timer->fn(timer->userdata);
}

static void loop_timer_close(struct loop_owned *owned)
{
    struct loop_timer *timer = CONTAINER_OF(owned, struct loop_timer, owned);

    uv_close((uv_handle_t *)&timer->uv, loop__free_owner);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*fn)(void *userdata), void *userdata)
{
    struct loop_timer *timer = mem_zalloc(sizeof *timer);

    loop__must(uv_timer_init(&loop->uv, &timer->uv), "uv_timer_init");
    timer->owned.close = loop_timer_close;
    timer->uv.data = timer;
    timer->fn = fn;
    timer->userdata = userdata;
    return timer;
}

void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms, uint64_t repeat_ms)
{
    /* The loop's cached time may be a whole turn old, which would make the timer early. */
    uv_update_time(timer->uv.loop);
    uv_timer_start(&timer->uv, loop_timer_cb, delay_ms, repeat_ms);
}

void loop_timer_stop(struct loop_timer *timer)
{
    uv_timer_stop(&timer->uv);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer)
        loop_timer_close(&timer->owned);
}

static void loop_fd_cb(uv_poll_t *uv, int status, int events)
{
    struct loop_fd *watch = CONTAINER_OF(uv, struct loop_fd, uv);
    int out = 0;

    /* A broken descriptor is reported as ready: the owner's next read or write says what is wrong.
     */
    if (status < 0) {
        out = LOOP_READABLE | LOOP_WRITABLE;
    } else {
        out |= events & UV_READABLE ? LOOP_READABLE : 0;
        out |= events & UV_WRITABLE ? LOOP_WRITABLE : 0;
    }
    watch->fn(out, watch->userdata);
}

static void loop_fd_close(struct loop_owned *owned)
{
    struct loop_fd *watch = CONTAINER_OF(owned, struct loop_fd, owned);

    uv_close((uv_handle_t *)&watch->uv, loop__free_owner);
}

struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*fn)(int events, void *userdata),
                            void *userdata)
{
    struct loop_fd *watch = mem_zalloc(sizeof *watch);

    if (uv_poll_init(&loop->uv, &watch->uv, fd) != 0) {
        free(watch); /* not a descriptor that can be polled */
        return NULL;
    }
    watch->owned.close = loop_fd_close;
    watch->uv.data = watch;
    watch->fn = fn;
    watch->userdata = userdata;
    return watch;
}

void loop_fd_watch(struct loop_fd *watch, int events)
{
    int uv_events = 0;

    if (events == watch->events)
        return;
    watch->events = events;
    if (events == 0) {
        uv_poll_stop(&watch->uv);
        return;
    }
    uv_events |= events & LOOP_READABLE ? UV_READABLE : 0;
    uv_events |= events & LOOP_WRITABLE ? UV_WRITABLE : 0;
    uv_poll_start(&watch->uv, uv_events, loop_fd_cb);
}

void loop_fd_free(struct loop_fd *watch)
{
    if (watch)
        loop_fd_close(&watch->owned);
}

static void loop_signal_cb(uv_signal_t *uv, int signum)
{
    struct loop_signal *signal = CONTAINER_OF(uv, struct loop_signal, uv);

    signal->fn(signum, signal->userdata);
}

static void loop_signal_close(struct loop_owned *owned)
{
    struct loop_signal *signal = CONTAINER_OF(owned, struct loop_signal, owned);

    uv_close((uv_handle_t *)&signal->uv, loop__free_owner);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signum,
                                    void (*fn)(int signum, void *userdata), void *userdata)
{
    struct loop_signal *signal = mem_zalloc(sizeof *signal);

    loop__must(uv_signal_init(&loop->uv, &signal->uv), "uv_signal_init");
    signal->owned.close = loop_signal_close;
    signal->uv.data = signal;
    signal->fn = fn;
    signal->userdata = userdata;
    loop__must(uv_signal_start(&signal->uv, loop_signal_cb, signum), "uv_signal_start");
    return signal;
}

void loop_signal_free(struct loop_signal *signal)
{
    if (signal)
        loop_signal_close(&signal->owned);
}
