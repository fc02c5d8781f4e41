/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "worker.h"

#define KEY_BYTES_MAX 4096
#define PROCESSES_PER_CORE 4
#define SLOTS_MAX 10000
#define CREDIT_MAX 100000
#define LABELS_GIVEN_MAX 28 /* of 32; the worker adds its own */
#define LABEL_BYTES_MAX 256
#define HOUR_MS (3600 * 1000)

#define OPTION(name, type, fallback, min, max, field, help)                                        \
    CONF_OPTION(name, type, fallback, min, max, struct worker_settings, field, help)
static const struct conf_option options[] = {
    OPTION("controller", CONF_TEXT, "127.0.0.1:8081", 0, 0, controller,
           "address of the controller; several, separated by commas: the first that answers"),
    OPTION("logger", CONF_TEXT, NULL, 0, 0, logger,
           "address of the logger; default: the one that the controller names"),
    OPTION("key-file", CONF_TEXT, NULL, 0, 0, key_file,
           "file with a worker's API key; default: no key is sent"),
    OPTION("name", CONF_TEXT, NULL, 0, 0, name, "name for people; default: the host's name"),
    OPTION("label", CONF_TEXT, "", 0, 0, labels,
           "labels that tasks may require: key=value, several separated by commas"),
    OPTION("state-dir", CONF_TEXT, ".plankton/worker", 0, 0, state_dir,
           "directory for results and log lines on their way, and for the tasks' own directories"),
    OPTION("slots", CONF_INT, "100", 1, SLOTS_MAX, slots, "tasks at a time"),
    OPTION("cpu", CONF_INT, "0", 0, 4096, cpu,
           "cores for tasks that say what they need; 0: all of the machine"),
    OPTION("memory", CONF_BYTES, "0", 0, INT64_MAX, memory_bytes,
           "memory for tasks that say what they need; 0: all of the machine"),
    OPTION("gpu", CONF_INT, "0", 0, 4096, gpu, "devices for tasks that say what they need"),
    OPTION("process-slots", CONF_INT, "0", 0, SLOTS_MAX, process_slots,
           "processes at a time; 0: four for each core"),
    OPTION("credit", CONF_INT, "2000", 1, CREDIT_MAX, credit,
           "leases asked for ahead, at most; reached only while tasks end as soon as they begin"),
    OPTION("task-user", CONF_TEXT, "", 0, 0, task_user,
           "user that processes run as, when the worker is root; default: its own"),
    OPTION("task-path", CONF_TEXT, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
           0, 0, path, "PATH of processes"),
    OPTION("task-files", CONF_INT, "1024", 16, 1048576, task_files,
           "open files of a process, at most"),
    OPTION("grace", CONF_DURATION, "5s", 0, HOUR_MS, grace_ms,
           "from SIGTERM to SIGKILL when a process is stopped"),
    OPTION("reconnect", CONF_DURATION, "2s", 20, HOUR_MS, reconnect_ms,
           "longest pause between two tries to connect"),
    OPTION("keepalive", CONF_DURATION, "2s", 100, HOUR_MS, keepalive_ms,
           "a silent connection is probed after this time"),
    OPTION("gone-kept", CONF_DURATION, "30s", 100, HOUR_MS, gone_ms,
           "how long a session must have lasted before attempts that died with an earlier process "
           "are forgotten"),
    OPTION("spool-bytes", CONF_BYTES, "1Gi", 64 << 10, INT64_MAX, spool_bytes,
           "log lines kept while the logger is away; beyond it the oldest are dropped, visibly"),
    SERVICE_TLS_OPTIONS(struct worker_settings, tls),
};
const struct conf_program worker_conf = {
    .program = "worker",
    .summary = "Executes tasks for a Plankton controller.",
    .options = options,
    .option_count = ARRAY_LEN(options),
};

static enum status read_key(const char *path, char **ret, struct error *err)
{
    char text[KEY_BYTES_MAX + 1];
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_set(err, status_from_errno(errno), "cannot open the key file %s: %s", path,
                         strerror(errno));
    ssize_t n = read(fd, text, KEY_BYTES_MAX);
    if (n < 0)
        return error_set(err, status_from_errno(errno), "cannot read the key file %s: %s", path,
                         strerror(errno));
    text[n] = '\0';
    text[strcspn(text, " \t\r\n")] = '\0';
    if (!*text)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the key file %s is empty", path);
    size_t bytes = strlen(text) + sizeof "Bearer ";
    *ret = mem_alloc(bytes);
    snprintf(*ret, bytes, "Bearer %s", text);
    return STATUS_OK;
}

/* key=value,key=value */
static enum status check_labels(const char *text, struct error *err)
{
    size_t count = 0;

    while (*text) {
        size_t len = strcspn(text, ","), key = strcspn(text, "=");
        if (key == 0 || key >= len || len > LABEL_BYTES_MAX || ++count > LABELS_GIVEN_MAX)
            return error_set(
                err, STATUS_INVALID_ARGUMENT,
                "--label takes up to %d key=value pairs of at most %d bytes, separated by commas",
                LABELS_GIVEN_MAX, LABEL_BYTES_MAX);
        text += len + (text[len] == ',');
    }
    return STATUS_OK;
}

enum status worker_settings_apply(struct worker *worker, struct error *err)
{
    const struct worker_settings *settings = worker->settings;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    worker->process_slots = (int)settings->process_slots;
    if (!worker->process_slots)
        worker->process_slots = (int)MIN_OF(MAX_OF(cores, 1) * PROCESSES_PER_CORE, settings->slots);
    if (*settings->task_user && geteuid() != 0)
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "--task-user needs a worker that runs as root");
    enum status st = check_labels(settings->labels, err);
    if (st != STATUS_OK)
        return st;
    st = service_tls_client(worker->service, &settings->tls, &worker->tls, err);
    if (st != STATUS_OK)
        return st;
    if (settings->key_file)
        return read_key(settings->key_file, &worker->authorization, err);
    return STATUS_OK;
}
