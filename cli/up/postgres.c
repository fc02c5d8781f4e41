/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "loop/loop.h"

#define INSTALL_ROOT "/usr/lib/postgresql"
#define START_TRIES                                                                                \
    8 /* after a kill -9 the old server's children hold its memory for about a second */
#define START_RETRY_US 500000
#define PASSWORD_BYTES 24

/* ---- running its programs ---- */

static void become(const struct postgres *pg)
{
    if (pg->uid >= 0 &&
        (setgroups(0, NULL) < 0 || setgid((gid_t)pg->gid) < 0 || setuid((uid_t)pg->uid) < 0))
        _exit(126);
}

/* Runs a program of the installation as the server's user with a clean environment; its output goes
 * to the launcher's log. */
static int run_as_server(const struct postgres *pg, struct arena *arena, char *const *argv)
{
    const char *out = datadir_path(pg->dir, arena, "log/postgres-setup.log");
    char *env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
                   arena_printf(arena, "PGPASSWORD=%s", pg->password), NULL};
    int status = 0;
    int fd = open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    pid_t pid = fork();

    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY);
        dup2(null, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        if (chdir("/") < 0)
            _exit(126);
        become(pg);
        execve(argv[0], argv, env);
        _exit(127);
    }
    close_fd(&fd);
    if (pid < 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *program(const struct postgres *pg, struct arena *arena, const char *name)
{
    return arena_printf(arena, "%s/%s", pg->bin, name);
}

static enum status find_installation(struct postgres *pg, struct arena *arena, struct error *err)
{
    const char *given = getenv("PG_BIN");
    long best = 0;

    if (given) {
        pg->bin = arena_strdup(arena, given);
        return STATUS_OK;
    }
    DIR *root = opendir(INSTALL_ROOT);
    for (struct dirent *entry; root && (entry = readdir(root));) {
        char *end;
        long major = strtol(entry->d_name, &end, 10);
        char *path = arena_printf(arena, INSTALL_ROOT "/%s/bin/initdb", entry->d_name);
        if (*end == 0 && major > best && access(path, X_OK) == 0) {
            best = major;
            pg->bin = arena_printf(arena, INSTALL_ROOT "/%s/bin", entry->d_name);
        }
    }
    if (root)
        closedir(root);
    if (!pg->bin)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "PostgreSQL is not installed (nothing in " INSTALL_ROOT
                         "); install the package `postgresql` or give --database");
    return STATUS_OK;
}

/* ---- places ---- */

static bool server_can_use(const struct postgres *pg, const char *path)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0) {
        become(pg);
        _exit(access(path, X_OK) == 0 ? 0 : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && status == 0;
}

static enum status make_owned(const struct postgres *pg, const char *path, struct error *err)
{
    struct stat st;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(err, status_from_errno(errno), "cannot make %s: %s", path,
                         strerror(errno));
    if (pg->uid >= 0 && chown(path, (uid_t)pg->uid, (gid_t)pg->gid) < 0)
        return error_set(err, status_from_errno(errno), "cannot give %s to the database's user: %s",
                         path, strerror(errno));
    uid_t want = pg->uid >= 0 ? (uid_t)pg->uid : getuid();
    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != want || (st.st_mode & 077))
        return error_set(err, STATUS_PERMISSION_DENIED,
                         "%s must be a directory that only the database's user may enter", path);
    return STATUS_OK;
}

/* The cluster belongs to the data directory by a name that is kept in it: a directory that was
 * moved keeps its database, one that was deleted and made again gets a new one. */
static enum status load_name(const struct postgres *pg, struct arena *arena, char **ret,
                             struct error *err)
{
    uint8_t raw[8];

    if (datadir_read(pg->dir, arena, "postgres.name", ret, NULL) == STATUS_OK)
        return STATUS_OK;
    random_bytes(raw, sizeof raw);
    *ret = arena_alloc(arena, 2 * sizeof raw + 1);
    text_to_hex(raw, sizeof raw, *ret);
    return datadir_write(pg->dir, arena, "postgres.name", *ret, strlen(*ret), err);
}

/* The server's user must be able to reach the cluster (a directory below /root cannot be), and the
 * socket's path must be short. */
static enum status choose_places(struct postgres *pg, struct arena *arena, struct error *err)
{
    const char *base = pg->dir->path;
    char *name;
    enum status st = load_name(pg, arena, &name, err);

    if (st != STATUS_OK)
        return st;

    if (pg->uid >= 0) {
        /* the directory itself is private to root: hand the server a place of its own */
        if (mkdir("/var/lib/plankton", 0755) < 0 && errno != EEXIST)
            return error_set(err, status_from_errno(errno), "cannot make /var/lib/plankton: %s",
                             strerror(errno));
        base = arena_printf(arena, "/var/lib/plankton/%s", name);
        st = make_owned(pg, base, err);
        if (st != STATUS_OK)
            return st;
        const char *note = datadir_path(pg->dir, arena, "postgres");
        if (symlink(base, note) < 0 && errno != EEXIST)
            return error_set(err, status_from_errno(errno), "cannot link %s: %s", note,
                             strerror(errno));
    }
    pg->data = pg->uid >= 0 ? arena_printf(arena, "%s/cluster", base)
                            : arena_printf(arena, "%s/postgres", base);
    pg->log = pg->uid >= 0 ? arena_printf(arena, "%s/postgres.log", base)
                           : arena_printf(arena, "%s/log/postgres.log", base);
    pg->socket = arena_printf(arena, "/tmp/plankton-%u-%s", (unsigned)getuid(), name);
    st = make_owned(pg, pg->socket, err);
    if (st != STATUS_OK)
        return st;
    if (!server_can_use(pg, base))
        return error_set(err, STATUS_PERMISSION_DENIED, "the database's user cannot enter %s",
                         base);
    return STATUS_OK;
}

/* ---- the cluster ---- */

static enum status write_settings(const struct postgres *pg, struct arena *arena,
                                  const char *cluster, struct error *err)
{
    const char *path = arena_printf(arena, "%s/postgresql.auto.conf", cluster);
    FILE *file = fopen(path, "ae");

    if (!file)
        return error_set(err, status_from_errno(errno), "cannot write %s: %s", path,
                         strerror(errno));
    fprintf(file,
            "listen_addresses = ''\nunix_socket_directories = '%s'\nmax_connections = "
            "60\nshared_buffers = 128MB\n"
            "max_wal_size = 2GB\ncheckpoint_timeout = 15min\nwal_compression = on\njit = "
            "off\nlog_min_messages = warning\n"
            "log_checkpoints = off\npassword_encryption = scram-sha-256\n",
            pg->socket);
    if (fclose(file) != 0)
        return error_set(err, STATUS_INTERNAL, "cannot write %s: %s", path, strerror(errno));
    return STATUS_OK;
}

/* Into cluster.new, then renamed: a killed initdb leaves no half cluster. */
static enum status make_cluster(const struct postgres *pg, struct arena *arena, struct error *err)
{
    char *fresh = arena_printf(arena, "%s.new", pg->data);
    char *password_file = arena_printf(arena, "%s.password", pg->data);
    char *argv[] = {program(pg, arena, "initdb"),
                    "-D",
                    fresh,
                    "-U",
                    "plankton",
                    "-A",
                    "scram-sha-256",
                    "-E",
                    "UTF8",
                    "--locale=C.UTF-8",
                    "--data-checksums",
                    arena_printf(arena, "--pwfile=%s", password_file),
                    NULL};
    char *clean[] = {"/bin/rm", "-rf", "--one-file-system", fresh, NULL};
    enum status st;

    run_as_server(pg, arena, clean);
    AUTO(close_fd) int fd = open(password_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", pg->password) < 0 ||
        (pg->uid >= 0 && fchown(fd, (uid_t)pg->uid, (gid_t)pg->gid) < 0))
        return error_set(err, STATUS_INTERNAL, "cannot write %s: %s", password_file,
                         strerror(errno));
    int code = run_as_server(pg, arena, argv);
    unlink(password_file);
    if (code != 0)
        return error_set(err, STATUS_INTERNAL, "initdb failed (%d); see %s/log/postgres-setup.log",
                         code, pg->dir->path);
    st = write_settings(pg, arena, fresh, err);
    if (st == STATUS_OK && rename(fresh, pg->data) < 0)
        st = error_set(err, status_from_errno(errno), "cannot rename %s: %s", fresh,
                       strerror(errno));
    return st;
}

static enum status load_password(struct postgres *pg, struct arena *arena, struct error *err)
{
    uint8_t raw[PASSWORD_BYTES];
    char *text;

    if (datadir_read(pg->dir, arena, "postgres.password", &text, NULL) == STATUS_OK) {
        pg->password = text;
        return STATUS_OK;
    }
    random_bytes(raw, sizeof raw);
    text = arena_alloc(arena, 2 * sizeof raw + 1);
    text_to_hex(raw, sizeof raw, text);
    pg->password = text;
    return datadir_write(pg->dir, arena, "postgres.password", text, strlen(text), err);
}

enum status postgres_prepare(struct postgres *pg, const struct datadir *dir, struct arena *arena,
                             struct error *err)
{
    enum status st;

    *pg = (struct postgres){.dir = dir, .uid = -1, .gid = -1};
    if (getuid() == 0) {
        const struct passwd *user = getpwnam("postgres");
        if (!user)
            return error_set(err, STATUS_FAILED_PRECONDITION,
                             "there is no user `postgres` to run the database as");
        pg->uid = (int)user->pw_uid;
        pg->gid = (int)user->pw_gid;
    }
    st = find_installation(pg, arena, err);
    if (st == STATUS_OK)
        st = load_password(pg, arena, err);
    if (st == STATUS_OK)
        st = choose_places(pg, arena, err);
    if (st == STATUS_OK && access(arena_printf(arena, "%s/PG_VERSION", pg->data), F_OK) != 0)
        st = make_cluster(pg, arena, err);
    if (st == STATUS_OK)
        pg->url = arena_printf(arena, "postgresql:///plankton?host=%s&user=plankton&password=%s",
                               pg->socket, pg->password);
    return st;
}

static int read_pid(const struct postgres *pg, struct arena *arena)
{
    FILE *file = fopen(arena_printf(arena, "%s/postmaster.pid", pg->data), "re");
    int pid = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    return pid;
}

enum status postgres_start(struct postgres *pg, struct arena *arena, int *ret_pid,
                           struct error *err)
{
    char *data = arena_strdup(arena, pg->data);
    char *status[] = {program(pg, arena, "pg_ctl"), "-D", data, "status", NULL};
    char *start[] = {program(pg, arena, "pg_ctl"), "-D", data,    "-w", "-t", "60", "-l",
                     arena_strdup(arena, pg->log), "-s", "start", NULL};
    char *create[] = {program(pg, arena, "createdb"),
                      "-h",
                      arena_strdup(arena, pg->socket),
                      "-U",
                      "plankton",
                      "plankton",
                      NULL};
    char *probe[] = {program(pg, arena, "psql"),
                     "-h",
                     arena_strdup(arena, pg->socket),
                     "-U",
                     "plankton",
                     "-d",
                     "plankton",
                     "-c",
                     "",
                     NULL};
    int code = run_as_server(pg, arena, status);

    for (int i = 0; code != 0 && i < START_TRIES; i++) {
        code = run_as_server(pg, arena, start);
        if (code != 0)
            usleep(START_RETRY_US); /* the launcher has nothing else to do: no server, no service */
    }
    if (code != 0)
        return error_set(err, STATUS_UNAVAILABLE, "PostgreSQL does not start; see %s", pg->log);
    if (access(arena_printf(arena, "%s/plankton.created", pg->data), F_OK) != 0) {
        /* a launcher that was killed between the two leaves a database without the mark */
        if (run_as_server(pg, arena, create) != 0 && run_as_server(pg, arena, probe) != 0)
            return error_set(err, STATUS_INTERNAL,
                             "cannot create the database; see %s/log/postgres-setup.log",
                             pg->dir->path);
        AUTO(close_fd)
        int fd = open(arena_printf(arena, "%s/plankton.created", pg->data),
                      O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    }
    *ret_pid = read_pid(pg, arena);
    return STATUS_OK;
}

static bool stop_mode(struct postgres *pg, struct arena *arena, char *mode, char *seconds)
{
    char *argv[] = {program(pg, arena, "pg_ctl"),
                    "-D",
                    arena_strdup(arena, pg->data),
                    "-w",
                    "-t",
                    seconds,
                    "-m",
                    mode,
                    "-s",
                    "stop",
                    NULL};

    return run_as_server(pg, arena, argv) == 0;
}

/* Sessions of the services that have just ended take a moment to go; ended by force they would
 * leave FATAL in the server's log. */
void postgres_stop(struct postgres *pg, struct arena *arena)
{
    if (!stop_mode(pg, arena, "smart", "3"))
        stop_mode(pg, arena, "fast", "60");
}
