/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton stop` and `plankton status`: look after an installation that `plankton up` runs. */
#include "../cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "conf/conf.h"
#include "datadir.h"

#define STOP_WAIT_MS 60000

struct control_settings {
    const char *data_dir;
};

static const struct conf_option control_options[] = {
    CONF_OPTION("data-dir", CONF_TEXT, DATADIR_DEFAULT, 0, 0, struct control_settings, data_dir,
                "the installation's data directory"),
};

static enum status control_open(const char *verb, int argc, char **argv, struct arena *arena,
                                struct datadir *ret, bool *ret_exit, struct error *err)
{
    struct conf_program program = {.program = verb,
                                   .summary = "look after a running installation",
                                   .options = control_options,
                                   .option_count = ARRAY_LEN(control_options)};
    struct control_settings settings = {0};
    enum conf_outcome outcome = CONF_RUN;
    enum status st = conf_load(&program, argc, argv, environ, arena, &settings, &outcome, err);

    *ret_exit = outcome == CONF_EXIT;
    if (st != STATUS_OK || *ret_exit)
        return st;
    if (access(settings.data_dir, F_OK) != 0)
        return error_set(err, STATUS_NOT_FOUND, "there is no installation in %s",
                         settings.data_dir);
    return datadir_open(settings.data_dir, arena, ret, err);
}

int verb_stop(int argc, char **argv)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct error error = {0};
    struct datadir dir;
    bool leave;

    if (control_open("stop", argc, argv, arena, &dir, &leave, &error) != STATUS_OK)
        return cli_fail(&error);
    if (leave)
        return 0;
    int pid = datadir_holder(&dir);
    if (!pid) {
        printf("Plankton is not running in %s\n", dir.path);
        return 0;
    }
    AUTO(close_fd) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 || kill(pid, SIGTERM) < 0) {
        error_set(&error, status_from_errno(errno), "cannot stop pid %d: %s", pid, strerror(errno));
        return cli_fail(&error);
    }
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    if (poll(&ended, 1, STOP_WAIT_MS) <= 0) {
        error_set(&error, STATUS_DEADLINE_EXCEEDED, "pid %d has not ended within %d s", pid,
                  STOP_WAIT_MS / 1000);
        return cli_fail(&error);
    }
    printf("Plankton has stopped\n");
    return 0;
}

int verb_status(int argc, char **argv)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct error error = {0};
    struct datadir dir;
    bool leave;
    char *endpoints;

    if (control_open("status", argc, argv, arena, &dir, &leave, &error) != STATUS_OK)
        return cli_fail(&error);
    if (leave)
        return 0;
    int pid = datadir_holder(&dir);
    if (!pid) {
        printf("not running in %s\n", dir.path);
        return 3; /* as the Linux Standard Base has it for init scripts */
    }
    if (datadir_read(&dir, arena, "endpoints.json", &endpoints, NULL) != STATUS_OK) {
        printf("starting in %s (pid %d)\n", dir.path, pid);
        return 0;
    }
    printf("running in %s (pid %d)\n%s\n", dir.path, pid, endpoints);
    return 0;
}
