/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H
/*
 * The event loop: one per process, one thread. The only includer of uv.h. Handles are owned by the
 * caller as opaque pointers and closed asynchronously by their _free (callbacks never fire after
 * it). Work that must happen once per turn, after all of the turn's input (writes, batches),
 * registers a flush hook: that is where coalescing comes from.
 */
#include "base/error.h"
#include "base/slice.h"

struct loop;
struct loop_timer;
struct loop_fd;
struct loop_signal;
struct loop_process;
struct loop_flush;

struct loop *loop_new(void);
void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);
void loop_free(struct loop *loop); /* closes what is left */
void *loop_uv(struct loop *loop);  /* uv_loop_t *, for lib/net only */

uint64_t loop_now_us(struct loop *loop); /* monotonic, read from the kernel at each call */
/* Monotonic, when this turn began: costs nothing, for what need not be exact. */
uint64_t loop_turn_ms(const struct loop *loop);
uint64_t clock_monotonic_us(void);
int64_t clock_unix_us(void);
void random_bytes(void *out, size_t len); /* getrandom */
uint64_t random_u64(void);

/* Timers: one shot unless repeat_ms > 0; start again to move. The callback may free the timer. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*fn)(void *userdata), void *userdata);
void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms, uint64_t repeat_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Foreign descriptors (libpq, curl, pipes). events: what to watch from now on. Stopped before the
 * fd is closed by its owner. */
enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };
struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*fn)(int events, void *userdata),
                            void *userdata);
void loop_fd_watch(struct loop_fd *watch, int events);
void loop_fd_free(struct loop_fd *watch);

struct loop_signal *loop_signal_new(struct loop *loop, int signum,
                                    void (*fn)(int signum, void *userdata), void *userdata);
void loop_signal_free(struct loop_signal *signal);

/* Runs fn at the end of each turn in which loop_flush_mark was called, after all input of the turn
 * and before polling. Lower order first (10 handlers that make records, 20 batches, 30
 * connections). Marking inside a flush with a higher or equal order runs in the same turn. */
struct loop_flush *loop_flush_new(struct loop *loop, int order, void (*fn)(void *userdata),
                                  void *userdata);
void loop_flush_mark(struct loop_flush *flush);
void loop_flush_free(struct loop_flush *flush);

/* Calls fn from the loop, soon, once; never from inside this call. */
void loop_defer(struct loop *loop, void (*fn)(void *userdata), void *userdata);

/* Blocking work in the pool: work() on another thread, done() on the loop. At most 1,024 queued,
 * else RESOURCE_EXHAUSTED. */
MUST_USE enum status loop_pool(struct loop *loop, void (*work)(void *userdata),
                               void (*done)(void *userdata), void *userdata, struct error *err);

/* Child processes. The child gets exactly fds 0,1,2 as given (-1 = /dev/null), its own session and
 * process group. */
struct loop_process_spec {
    const char *file;
    char *const *argv;
    char *const *env;
    const char *cwd; /* NULL = inherit */
    int fds[3];
    int uid, gid; /* -1 = inherit */
};
struct loop_process *loop_process_spawn(struct loop *loop, const struct loop_process_spec *spec,
                                        void (*on_exit)(int exit_status, int term_signal,
                                                        void *userdata),
                                        void *userdata, struct error *err);
int loop_process_pid(const struct loop_process *process);
void loop_process_free(struct loop_process *process); /* does not kill */

#endif
