/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton up`: everything on one machine. Prepares the data directory and PostgreSQL, starts the
 * services, prints the login. */
#include "../cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "children.h"
#include "conf/conf.h"
#include "detach.h"
#include "log/log.h"
#include "login.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "ports.h"
#include "postgres.h"

#define STOP_TIMEOUT_MS 20000
#define WORKERS_MAX 64

struct up_settings {
    const char *data_dir, *database;
    int64_t port, workers;
    bool detach;
};

struct up {
    struct up_settings settings;
    struct arena arena;
    struct datadir dir;
    struct postgres postgres;
    bool own_postgres;
    const char *database_url;
    const char *bin;
    int port;
    struct loop *loop;
    struct children *children;
    struct loop_signal *sigint, *sigterm;
    struct loop_fd *postmaster;
    int postmaster_fd;
    struct login *login;
    size_t waiting; /* children that are not ready yet, before the first READY of all */
    bool stopping, announced, failed;
};

static const struct conf_option up_options[] = {
    CONF_OPTION("data-dir", CONF_TEXT, DATADIR_DEFAULT, 0, 0, struct up_settings, data_dir,
                "keys, logs, the private database"),
    CONF_OPTION("port", CONF_INT, "0", 0, 60000, struct up_settings, port,
                "gateway; controller and logger take the next two, ops ports are 1,000 above; 0: "
                "the first free from 8080 on"),
    CONF_OPTION("workers", CONF_INT, "1", 0, WORKERS_MAX, struct up_settings, workers,
                "worker processes"),
    CONF_OPTION("database", CONF_TEXT, NULL, 0, 0, struct up_settings, database,
                "PostgreSQL URL; without it a private cluster is kept in the data directory"),
    CONF_OPTION("detach", CONF_BOOL, "false", 0, 0, struct up_settings, detach,
                "return when ready and run in the background"),
};

static const struct conf_program up_program = {.program = "up",
                                               .summary = "run everything on this machine",
                                               .options = up_options,
                                               .option_count = ARRAY_LEN(up_options)};

static void progress(struct up *up, const char *text)
{
    detach_print(arena_printf(&up->arena, "  %s\n", text));
}

/* Also when nobody is left at standard error but the parent that waits for a detached launcher. */
static void up_fail(struct up *up, const struct error *error)
{
    detach_print(arena_printf(&up->arena, "plankton: %s\n", error->message));
    up->failed = true;
}

/* ---- stopping ---- */

static void stop_begin(struct up *up)
{
    if (up->stopping) {
        return;
    }
    up->stopping = true;
    progress(up, "stopping …");
    children_stop(up->children, STOP_TIMEOUT_MS);
}

static void on_signal(int signum, void *userdata)
{
    stop_begin(userdata);
}

static void on_stopped(void *userdata)
{
    struct up *up = userdata;

    loop_stop(up->loop);
}

/* ---- the database's process ---- */

static void postmaster_watch(struct up *up, int pid);

static void postmaster_died(int events, void *userdata)
{
    struct up *up = userdata;
    struct error error = {0};
    int pid = 0;

    loop_fd_free(up->postmaster);
    up->postmaster = NULL;
    close_fd(&up->postmaster_fd);
    if (up->stopping)
        return;
    progress(up, "PostgreSQL has ended; starting it again");
    if (postgres_start(&up->postgres, &up->arena, &pid, &error) != STATUS_OK) {
        up_fail(up, &error);
        stop_begin(up);
        return;
    }
    postmaster_watch(up, pid);
}

/* A pidfd works for a server that an earlier launcher left behind too. */
static void postmaster_watch(struct up *up, int pid)
{
    up->postmaster_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (up->postmaster_fd < 0)
        return;
    fcntl(up->postmaster_fd, F_SETFD, FD_CLOEXEC);
    up->postmaster = loop_fd_new(up->loop, up->postmaster_fd, postmaster_died, up);
    loop_fd_watch(up->postmaster, LOOP_READABLE);
}

/* ---- children ---- */

static const char *address_of(struct up *up, int offset)
{
    return arena_printf(&up->arena, "127.0.0.1:%d", up->port + offset);
}

static const char *flag(struct up *up, const char *name, const char *value)
{
    return arena_printf(&up->arena, "--%s=%s", name, value);
}

static enum status start_logger(struct up *up, struct error *err)
{
    const char *argv[] = {
        flag(up, "listen", address_of(up, 2)),
        flag(up, "ops-listen", address_of(up, PORT_OPS_OFFSET + 2)),
        flag(up, "controller", address_of(up, 1)),
        flag(up, "cluster-key-file", datadir_path(&up->dir, &up->arena, "cluster.key")),
        flag(up, "state-dir", datadir_path(&up->dir, &up->arena, "logger")),
        NULL};
    const char *env[] = {arena_printf(&up->arena, "PLANKTON_LOGGER_DATABASE=%s", up->database_url),
                         NULL};

    return children_start(up->children, "logger", "plankton-logger", argv, env, err);
}

static enum status start_controller(struct up *up, struct error *err)
{
    const char *argv[] = {
        flag(up, "listen", address_of(up, 1)),
        flag(up, "ops-listen", address_of(up, PORT_OPS_OFFSET + 1)),
        flag(up, "logger", address_of(up, 2)),
        flag(up, "cluster-key-file", datadir_path(&up->dir, &up->arena, "cluster.key")),
        flag(up, "admin-key-file", datadir_path(&up->dir, &up->arena, "admin.key")),
        flag(up, "worker-key-file", datadir_path(&up->dir, &up->arena, "worker.key")),
        flag(up, "state-dir", datadir_path(&up->dir, &up->arena, "controller")),
        NULL};
    const char *env[] = {
        arena_printf(&up->arena, "PLANKTON_CONTROLLER_DATABASE=%s", up->database_url), NULL};

    return children_start(up->children, "controller", "plankton-controller", argv, env, err);
}

static enum status start_gateway(struct up *up, struct error *err)
{
    const char *argv[] = {flag(up, "listen", address_of(up, 0)),
                          flag(up, "ops-listen", address_of(up, PORT_OPS_OFFSET)),
                          flag(up, "controller", address_of(up, 1)),
                          flag(up, "logger", address_of(up, 2)), NULL};
    const char *env[] = {NULL};

    return children_start(up->children, "gateway", "plankton-gateway", argv, env, err);
}

static enum status start_worker(struct up *up, int index, struct error *err)
{
    const char *name = arena_printf(&up->arena, "worker-%d", index + 1);
    const char *argv[] = {
        flag(up, "controller", address_of(up, 1)),
        flag(up, "ops-listen", address_of(up, PORT_OPS_OFFSET + PORT_STEP + index)),
        flag(up, "key-file", datadir_path(&up->dir, &up->arena, "worker.key")),
        flag(up, "state-dir", datadir_path(&up->dir, &up->arena, name)),
        flag(up, "name", name),
        NULL};
    const char *env[] = {NULL};

    return children_start(up->children, name, "plankton-worker", argv, env, err);
}

static enum status start_all(struct up *up, struct error *err)
{
    enum status st = start_logger(up, err);

    if (st == STATUS_OK)
        st = start_controller(up, err);
    if (st == STATUS_OK)
        st = start_gateway(up, err);
    for (int i = 0; st == STATUS_OK && i < up->settings.workers; i++)
        st = start_worker(up, i, err);
    return st;
}

/* ---- ready ---- */

static enum status write_endpoints(struct up *up, struct error *err)
{
    char *text = arena_printf(
        &up->arena,
        "{\"gateway\":\"http://%s\",\"controller\":\"%s\",\"logger\":\"%s\",\"gatewayOps\":\"%s\","
        "\"controllerOps\":\"%s\",\"loggerOps\":\"%s\",\"pid\":%d}\n",
        address_of(up, 0), address_of(up, 1), address_of(up, 2), address_of(up, PORT_OPS_OFFSET),
        address_of(up, PORT_OPS_OFFSET + 1), address_of(up, PORT_OPS_OFFSET + 2), (int)getpid());

    return datadir_write(&up->dir, &up->arena, "endpoints.json", text, strlen(text), err);
}

static void on_login(const char *token, const struct error *error, void *userdata)
{
    struct up *up = userdata;

    if (!token) {
        up_fail(up, error);
        stop_begin(up);
        return;
    }
    detach_print(arena_printf(&up->arena, "Plankton is ready: http://%s/login?token=%s\n",
                              address_of(up, 0), token));
    if (!up->settings.detach)
        detach_print("The link logs in once, within 10 minutes. Ctrl-C stops everything.\n");
    detach_ready();
}

static void on_child_ready(const char *name, void *userdata)
{
    struct up *up = userdata;

    if (up->announced) {
        progress(up, arena_printf(&up->arena, "%s is back", name));
        return;
    }
    progress(up, arena_printf(&up->arena, "%s is up", name));
    if (--up->waiting > 0)
        return;
    struct error error = {0};
    char *key;
    up->announced = true;
    if (write_endpoints(up, &error) != STATUS_OK ||
        datadir_read(&up->dir, &up->arena, "admin.key", &key, &error) != STATUS_OK) {
        on_login(NULL, &error, up);
        return;
    }
    up->login = login_start(up->loop, address_of(up, 1), key, on_login, up);
}

static void on_child_exit(const char *name, int exit_status, int term_signal, void *userdata)
{
    struct up *up = userdata;
    const char *log =
        datadir_path(&up->dir, &up->arena, arena_printf(&up->arena, "log/%s.log", name));

    if (up->announced) {
        progress(up, arena_printf(&up->arena, "%s has ended (%s %d); starting it again", name,
                                  term_signal ? "signal" : "status",
                                  term_signal ? term_signal : exit_status));
        return;
    }
    /* before the first ready it is more likely wrong than unlucky */
    detach_print(arena_printf(&up->arena, "plankton: %s does not start (%s %d); see %s\n", name,
                              term_signal ? "signal" : "status",
                              term_signal ? term_signal : exit_status, log));
    up->failed = true;
    stop_begin(up);
}

/* ---- the verb ---- */

static enum status prepare(struct up *up, struct error *err)
{
    enum status st = datadir_make_keys(&up->dir, &up->arena, err);
    int pid = 0;

    if (st == STATUS_OK && mkdir(datadir_path(&up->dir, &up->arena, "log"), 0700) < 0 &&
        errno != EEXIST)
        st = error_set(err, status_from_errno(errno), "cannot make %s/log: %s", up->dir.path,
                       strerror(errno));
    if (st == STATUS_OK)
        st = ports_find((int)up->settings.port, (int)up->settings.workers, &up->port, err);
    if (st != STATUS_OK)
        return st;
    up->own_postgres = !up->settings.database;
    up->database_url = up->settings.database;
    if (up->own_postgres) {
        progress(up, "PostgreSQL");
        st = postgres_prepare(&up->postgres, &up->dir, &up->arena, err);
        if (st == STATUS_OK)
            st = postgres_start(&up->postgres, &up->arena, &pid, err);
        if (st != STATUS_OK)
            return st;
        up->database_url = up->postgres.url;
        postmaster_watch(up, pid);
    }
    return migrate_database(up->database_url, err);
}

static const char *own_directory(struct arena *arena)
{
    char path[PATH_MAX] = "";

    if (readlink("/proc/self/exe", path, sizeof path - 1) < 0)
        return "/usr/bin";
    return arena_strdup(arena, dirname(path));
}

static enum status run(struct up *up, struct error *err)
{
    const struct children_callbacks callbacks = {
        .on_ready = on_child_ready, .on_exit = on_child_exit, .on_stopped = on_stopped};
    enum status st;

    up->loop = loop_new();
    up->sigint = loop_signal_new(up->loop, SIGINT, on_signal, up);
    up->sigterm = loop_signal_new(up->loop, SIGTERM, on_signal, up);
    st = prepare(up, err);
    if (st == STATUS_OK)
        st = children_new(up->loop, &up->dir, up->bin, &callbacks, up, &up->children, err);
    if (st == STATUS_OK) {
        up->waiting = 3 + (size_t)up->settings.workers;
        st = start_all(up, err);
        if (st != STATUS_OK)
            stop_begin(up);
        loop_run(up->loop);
    }
    login_free(up->login);
    children_free(up->children);
    if (up->postmaster)
        loop_fd_free(up->postmaster);
    loop_signal_free(up->sigint);
    loop_signal_free(up->sigterm);
    loop_free(up->loop);
    if (up->own_postgres && up->postgres.data)
        postgres_stop(&up->postgres, &up->arena);
    unlink(datadir_path(&up->dir, &up->arena, "endpoints.json"));
    return st;
}

int verb_up(int argc, char **argv)
{
    struct up up = {.postmaster_fd = -1, .dir.lock_fd = -1};
    struct error error = {0};
    enum conf_outcome outcome;

    arena_init(&up.arena, 0);
    enum status st =
        conf_load(&up_program, argc, argv, environ, &up.arena, &up.settings, &outcome, &error);
    if (st == STATUS_OK && outcome == CONF_EXIT)
        return 0;
    if (st == STATUS_OK)
        st = datadir_open(up.settings.data_dir, &up.arena, &up.dir, &error);
    if (st == STATUS_OK && datadir_holder(&up.dir))
        st = error_set(&error, STATUS_ALREADY_EXISTS, "Plankton is already running in %s (pid %d)",
                       up.dir.path, datadir_holder(&up.dir));
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (up.settings.detach) {
        int status;
        if (detach_begin(datadir_path(&up.dir, &up.arena, "up.log"), &status))
            return status; /* the parent, after the child is ready or has failed */
    }
    log_init("up", LOG_WARN, "logfmt");
    up.bin = own_directory(&up.arena);
    st = datadir_lock(&up.dir, &error);
    if (st == STATUS_OK)
        st = run(&up, &error);
    datadir_close(&up.dir);
    if (st != STATUS_OK)
        up_fail(&up, &error);
    arena_fini(&up.arena);
    return up.failed ? 1 : 0;
}
