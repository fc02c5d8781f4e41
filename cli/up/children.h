/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CHILDREN_H
#define CLI_CHILDREN_H
/*
 * The services as child processes of the launcher: started, watched, restarted with backoff when
 * they end by themselves, stopped in order. A child says that it is ready through $NOTIFY_SOCKET
 * (READY=1). Its output goes to DIR/log/NAME.log.
 */
#include "datadir.h"
#include "loop/loop.h"

#define CHILDREN_MAX 72 /* controller, logger, gateway and up to 64 workers */
#define CHILD_ARGS_MAX 40

struct children;
struct children_callbacks {
    void (*on_ready)(const char *name, void *userdata); /* also after a restart */
    void (*on_exit)(const char *name, int exit_status, int term_signal,
                    void *userdata);    /* unexpected; a restart follows */
    void (*on_stopped)(void *userdata); /* all have ended after children_stop */
};
MUST_USE enum status children_new(struct loop *loop, const struct datadir *dir, const char *bin,
                                  const struct children_callbacks *callbacks, void *userdata,
                                  struct children **ret, struct error *err);
/* argv without the program's path, ended by NULL; env: additional NAME=value, ended by NULL. Both
 * are copied. program: file name in bin. */
MUST_USE enum status children_start(struct children *children, const char *name,
                                    const char *program, const char *const *argv,
                                    const char *const *env, struct error *err);
/* SIGTERM to the last started first, each group after the one before has ended; SIGKILL after
 * timeout_ms. */
void children_stop(struct children *children, uint64_t timeout_ms);
int children_pid(const struct children *children, const char *name);
void children_free(struct children *children);

#endif
