/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/map.h"
#include "log/log.h"
#include "service_internal.h"

#define EXIT_USAGE 2
#define OPTIONS_MAX 128
#define DRAIN_TIMEOUT_MS_MAX 3600000
#define DESCRIPTORS_WANTED 65536

extern char **environ;

static const struct conf_option OWN_OPTIONS[] = {
    CONF_OPTION("log-level", CONF_TEXT, "info", 0, 0, struct service_settings, log_level,
                "debug, info, warn or error"),
    CONF_OPTION("log-format", CONF_TEXT, "logfmt", 0, 0, struct service_settings, log_format,
                "logfmt or json"),
    CONF_OPTION("ops-listen", CONF_TEXT, "", 0, 0, struct service_settings, ops_listen,
                "address of /livez, /readyz and /metrics; empty for none"),
    CONF_OPTION("drain-timeout", CONF_DURATION, "30s", 0, DRAIN_TIMEOUT_MS_MAX,
                struct service_settings, drain_timeout_ms,
                "how long open work may take to end after SIGTERM"),
};

struct loop *service_loop(struct service *service)
{
    return service->loop;
}

void *service_settings(struct service *service)
{
    return service->settings;
}

const char *service_ops_address(const struct service *service)
{
    const char *address = service->ops ? http1_server_address(service->ops, 0) : NULL;

    return address ? address : "";
}

/* Readiness: told once by a line and to systemd, then by a line at each change. */
static void look_at_readiness(struct service *service)
{
    bool ready = service->phase == SERVICE_RUNNING;
    const struct not_ready *first = NULL;

    for (size_t i = 0; i < service->slot_count && !first; i++) {
        if (service->slots[i].why)
            first = &service->slots[i];
    }
    ready = ready && !first;
    if (ready == service->ready)
        return;
    service->ready = ready;
    if (ready) {
        log_info("service.ready", LOG_STR("version", PLANKTON_VERSION),
                 LOG_STR("ops", service_ops_address(service)), LOG_I64("pid", getpid()));
        if (!service->ready_told)
            service__notify("READY=1");
        service->ready_told = true;
    } else if (service->phase == SERVICE_RUNNING) {
        log_info("service.not_ready", LOG_STR("duty", first->duty), LOG_STR("why", first->why));
    }
}

void service_not_ready(struct service *service, const char *duty, const char *why)
{
    struct not_ready *slot = service->slots;

    while (slot < service->slots + service->slot_count && !str_eq(slot->duty, duty))
        slot++;
    if (slot == service->slots + service->slot_count) {
        if (!why)
            return;
        assert(service->slot_count < NOT_READY_SLOTS_MAX);
        service->slot_count++;
        slot->duty = mem_strdup(duty);
    }
    free(slot->why);
    slot->why = mem_strdup(why);
    look_at_readiness(service);
}

/* Stops the last duty that still runs; when none is left, the loop. One at a time, so that what a
 * duty needs below it is still there while it stops. */
static void stop_next(void *userdata)
{
    struct service *service = userdata;

    if (service->phase == SERVICE_STOPPED)
        return;
    for (size_t i = service->program->duty_count; i-- > 0;) {
        if (service->duties[i] == DUTY_STOPPING)
            return; /* service_duty_stopped goes on */
        if (service->duties[i] != DUTY_STARTED)
            continue;
        service->duties[i] = DUTY_STOPPING;
        log_debug("duty.stopping", LOG_STR("duty", service->program->duties[i].name));
        service->program->duties[i].stop(service, service->state);
        return;
    }
    service->phase = SERVICE_STOPPED;
    loop_stop(service->loop);
}

void service_duty_stopped(struct service *service, const char *duty)
{
    for (size_t i = 0; i < service->program->duty_count; i++) {
        if (!str_eq(service->program->duties[i].name, duty))
            continue;
        if (service->duties[i] == DUTY_STOPPED)
            return;
        service->duties[i] = DUTY_STOPPED;
        log_debug("duty.stopped", LOG_STR("duty", duty));
        /* Deferred: the duty is still on the stack. */
        if (service->phase == SERVICE_STOPPING)
            loop_defer(service->loop, stop_next, service);
        return;
    }
    assert(false && "no duty has this name");
}

static void deadline_cb(void *userdata)
{
    struct service *service = userdata;
    const char *duty = "";

    for (size_t i = 0; i < service->program->duty_count; i++) {
        if (service->duties[i] == DUTY_STOPPING)
            duty = service->program->duties[i].name;
    }
    log_error("drain.timed_out", LOG_STR("duty", duty), LOG_STR("why", "work was cut off"));
    service->deadline_passed = true;
    loop_stop(service->loop);
}

void service_shutdown(struct service *service, bool failed)
{
    const struct service_settings *settings = service->settings;

    service->failed = service->failed || failed;
    if (service->phase >= SERVICE_STOPPING)
        return;
    service->phase = SERVICE_STOPPING;
    look_at_readiness(service);
    log_info("service.stopping", LOG_BOOL("failed", service->failed));
    service__notify("STOPPING=1");
    loop_timer_start(service->deadline, (uint64_t)settings->drain_timeout_ms, 0);
    loop_defer(service->loop, stop_next, service);
}

void service_on_hangup(struct service *service, void (*fn)(void *userdata), void *userdata)
{
    assert(service->hangup_count < HANGUPS_MAX);
    service->hangups[service->hangup_count++] = (struct hangup){fn, userdata};
}

static void hang_up(struct service *service)
{
    if (service->phase >= SERVICE_STOPPING)
        return;
    if (service->hangup_count == 0)
        log_warn("signal.ignored",
                 LOG_STR("why", "settings are read at start only; restart to change them"));
    for (size_t i = 0; i < service->hangup_count; i++)
        service->hangups[i].fn(service->hangups[i].userdata);
}

static void signal_cb(int signum, void *userdata)
{
    struct service *service = userdata;

    if (signum == SIGHUP) {
        hang_up(service);
        return;
    }
    if (service->phase >= SERVICE_STOPPING) {
        /* Whoever asks twice does not want to wait. */
        log_warn("service.killed", LOG_STR("why", "a second signal came, not waiting any longer"));
        service->failed = true;
        loop_stop(service->loop);
        return;
    }
    log_info("signal.received", LOG_I64("signal", signum));
    service_shutdown(service, false);
}

static void watch_signals(struct service *service)
{
    static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++)
        service->signals[i] = loop_signal_new(service->loop, SIGNALS[i], signal_cb, service);
}

/* Login shells give 1,024 descriptors, which is one service's connections and not a file more. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS_WANTED)
        return;
    limit.rlim_cur = MIN_OF((rlim_t)DESCRIPTORS_WANTED, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warn("limit.unchanged", LOG_STR("why", "descriptors stay at the default, ignoring"));
}

static enum status start_duties(struct service *service, struct error *err)
{
    const struct service_program *program = service->program;

    for (size_t i = 0; i < program->duty_count && service->phase == SERVICE_STARTING; i++) {
        enum status status;

        service->duties[i] = DUTY_STARTED;
        log_debug("duty.starting", LOG_STR("duty", program->duties[i].name));
        status = program->duties[i].start(service, service->state, err);
        if (status != STATUS_OK)
            return error_wrap(err, status, "starting %s", program->duties[i].name);
    }
    return STATUS_OK;
}

static void start(struct service *service)
{
    const struct service_settings *settings = service->settings;
    struct error err = {0};
    enum status status = STATUS_OK;

    if (settings->ops_listen && settings->ops_listen[0])
        status = service__ops_start(service, settings->ops_listen, &err);
    if (status == STATUS_OK)
        status = start_duties(service, &err);
    if (status != STATUS_OK) {
        log_error("service.start_failed", LOG_ERR(&err));
        service_shutdown(service, true);
        return;
    }
    if (service->phase != SERVICE_STARTING)
        return; /* a duty asked to end */
    service->phase = SERVICE_RUNNING;
    look_at_readiness(service);
}

static void service_fini(struct service *service)
{
    http1_server_free(service->ops);
    for (size_t i = 0; i < ARRAY_LEN(service->signals); i++)
        loop_signal_free(service->signals[i]);
    loop_timer_free(service->deadline);
    for (size_t i = 0; i < service->tls_count; i++)
        net_tls_unref(service->tls[i].tls);
    loop_free(service->loop);
    for (size_t i = 0; i < service->slot_count; i++) {
        free((char *)service->slots[i].duty);
        free(service->slots[i].why);
    }
    free(service->duties);
    free(service->state);
}

/* The program's options, and those of every service that it does not give a default of its own. */
static size_t join_options(const struct conf_program *program, struct conf_option *out)
{
    size_t n = program->option_count;

    assert(n + ARRAY_LEN(OWN_OPTIONS) <= OPTIONS_MAX);
    if (n > 0)
        memcpy(out, program->options, n * sizeof(*out));
    for (size_t i = 0; i < ARRAY_LEN(OWN_OPTIONS); i++) {
        bool given = false;

        for (size_t j = 0; j < program->option_count; j++)
            given |= str_eq(program->options[j].name, OWN_OPTIONS[i].name);
        if (!given)
            out[n++] = OWN_OPTIONS[i];
    }
    return n;
}

static enum status load_settings(const struct service_program *program, int argc, char **argv,
                                 struct arena *arena, struct service_settings *settings,
                                 enum conf_outcome *ret_outcome, struct error *err)
{
    struct conf_option *options = ARENA_ARRAY(arena, struct conf_option, OPTIONS_MAX);
    struct conf_program conf = program->conf;
    enum log_level level;
    enum status status;

    conf.options = options;
    conf.option_count = join_options(&program->conf, options);
    status = conf_load(&conf, argc, argv, environ, arena, settings, ret_outcome, err);
    if (status != STATUS_OK || *ret_outcome == CONF_EXIT)
        return status;
    if (!log_level_from_name(settings->log_level, &level))
        return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_SETTING", "log-level",
                           "log-level: \"%.64s\" is not debug, info, warn or error",
                           settings->log_level);
    if (!str_eq(settings->log_format, "json") && !str_eq(settings->log_format, "logfmt"))
        return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_SETTING", "log-format",
                           "log-format: \"%.64s\" is neither logfmt nor json",
                           settings->log_format);
    log_init(program->conf.program, level, settings->log_format);
    return STATUS_OK;
}

static int run(const struct service_program *program, struct service_settings *settings)
{
    struct service service = {.program = program, .settings = settings};
    bool failed;

    hash_seed(random_u64(), random_u64());
    raise_descriptor_limit();
    service.loop = loop_new();
    service.state = mem_zalloc(program->state_bytes);
    service.duties = mem_zalloc(program->duty_count * sizeof(*service.duties));
    service.deadline = loop_timer_new(service.loop, deadline_cb, &service);
    watch_signals(&service);
    start(&service);
    loop_run(service.loop);
    service.phase = SERVICE_STOPPED; /* what is still deferred starts nothing any more */
    failed = service.failed || service.deadline_passed;
    log_info("service.stopped", LOG_BOOL("failed", failed));
    service_fini(&service);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int service_main(const struct service_program *program, int argc, char **argv)
{
    struct arena arena;
    struct service_settings *settings;
    enum conf_outcome outcome;
    struct error err = {0};
    int exit_status = EXIT_SUCCESS;

    assert(program->settings_bytes >= sizeof(*settings));
    arena_init(&arena, 0);
    settings = arena_zalloc(&arena, program->settings_bytes);
    if (load_settings(program, argc, argv, &arena, settings, &outcome, &err) != STATUS_OK) {
        fprintf(stderr, "plankton-%s: %s\n", program->conf.program, err.message);
        exit_status = EXIT_USAGE;
    } else if (outcome == CONF_RUN) {
        exit_status = run(program, settings);
    }
    arena_fini(&arena);
    return exit_status;
}
