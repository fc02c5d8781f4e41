/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_INTERNAL_H
#define SERVICE_INTERNAL_H
/* The running program: duties with their states, reasons for not being ready, the ops port. */
#include "http1/http1.h"
#include "net/tls.h"
#include "service/service.h"

#define NOT_READY_SLOTS_MAX 32
#define HANGUPS_MAX 8     /* hooks */
#define SERVICE_TLS_MAX 2 /* what listens and what dials */

enum duty_state {
    DUTY_UNTOUCHED,
    DUTY_STARTED,  /* start was called, well or not */
    DUTY_STOPPING, /* stop was called */
    DUTY_STOPPED,
};

enum service_phase { SERVICE_STARTING, SERVICE_RUNNING, SERVICE_STOPPING, SERVICE_STOPPED };

struct not_ready {
    const char *duty;
    char *why; /* NULL = ready */
};

struct hangup {
    void (*fn)(void *userdata);
    void *userdata;
};

struct service_tls {
    struct net_tls *tls;
    const char *name, *certificate; /* texts of the settings */
};

struct service {
    const struct service_program *program;
    struct loop *loop;
    void *settings, *state;
    enum service_phase phase;
    enum duty_state *duties;
    struct not_ready slots[NOT_READY_SLOTS_MAX];
    size_t slot_count;
    bool failed, ready, ready_told, deadline_passed;
    struct http1_server *ops;
    struct loop_signal *signals[3];
    struct loop_timer *deadline;
    struct hangup hangups[HANGUPS_MAX];
    size_t hangup_count;
    struct service_tls tls[SERVICE_TLS_MAX];
    size_t tls_count;
};

/* ops.c */
MUST_USE enum status service__ops_start(struct service *service, const char *address,
                                        struct error *err);
/* notify.c: tells systemd (or whoever listens on $NOTIFY_SOCKET); without one nothing happens. */
void service__notify(const char *text);

#endif
