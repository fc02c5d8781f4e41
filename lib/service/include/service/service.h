/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H
/*
 * The skeleton of a daemon: settings, log, loop, signals, ops port (/livez /readyz /metrics),
 * duties started in order and stopped in reverse, drain on SIGTERM and SIGINT with a deadline. A
 * program's main.c is a table of duties and a call of service_main.
 */
#include "conf/conf.h"
#include "loop/loop.h"

struct service;
/* A duty starts (may fail; may finish starting later and then call service_duty_ready) and stops;
 * stop calls service_duty_stopped when it has really stopped. stop may be called without start and
 * twice. */
struct service_duty {
    const char *name;
    enum status (*start)(struct service *service, void *state, struct error *err);
    void (*stop)(struct service *service, void *state);
};
struct service_program {
    struct conf_program
        conf;              /* options of the program; service options (below) are added to them */
    size_t settings_bytes; /* the settings struct begins with struct service_settings */
    size_t state_bytes;    /* zeroed state handed to the duties */
    const struct service_duty *duties;
    size_t duty_count;
};
/* First member of every program's settings; its options: --config --log-level --log-format
 * --ops-listen --drain-timeout. */
struct service_settings {
    const char *log_level, *log_format, *ops_listen; /* ops_listen "" = none */
    int64_t drain_timeout_ms;
};
int service_main(const struct service_program *program, int argc,
                 char **argv); /* returns the exit status */

struct loop *service_loop(struct service *service);
void *service_settings(struct service *service);
/* /readyz says 503 with this text until it is set to NULL. One slot per duty name. */
void service_not_ready(struct service *service, const char *duty, const char *why);
void service_duty_stopped(struct service *service, const char *duty);
/* Called at SIGHUP, in the order of these calls: something outside has changed and is to be read
 * again. At most 8. */
void service_on_hangup(struct service *service, void (*fn)(void *userdata), void *userdata);
/* Ends the program as SIGTERM does; status 1 when failed. */
void service_shutdown(struct service *service, bool failed);
const char *service_ops_address(const struct service *service); /* with the real port, "" = none */

#endif
