/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOOP_INTERNAL_H
#define LOOP_INTERNAL_H
/*
 * Every uv handle of this library lives in an `owned` whose first member it is not, but which
 * handle->data points to: loop_free walks the handles that are left and closes each the way its
 * kind wants.
 */
#include <uv.h>
#include "base/list.h"
#include "loop/loop.h"

#define LOOP_ORDERS 64 /* flush orders 0 … 63 */
#define LOOP_FLUSH_ROUNDS_MAX                                                                      \
    8 /* per turn, over all orders; what is left waits for the next turn */
#define LOOP_POOL_QUEUED_MAX 1024 /* jobs */

struct loop_owned {
    void (*close)(
        struct loop_owned *owned); /* closes the handle and frees the memory when it is closed */
};

struct loop_deferred {
    void (*fn)(void *userdata);
    void *userdata;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active only while work was left over, so that poll does not block */
    struct loop_owned owned;
    struct list marked[LOOP_ORDERS];
    uint64_t marked_bits; /* one bit per order that may have a marked hook */
    struct loop_deferred *deferred;
    size_t deferred_len, deferred_cap;
    size_t pool_queued;
};

/* For calls that fail only when memory or descriptors are gone at start: says so and aborts. */
void loop__must(int uv_result, const char *what);
/* The close callback of every handle whose data is its malloc'ed owner. */
void loop__free_owner(uv_handle_t *handle);

#endif
