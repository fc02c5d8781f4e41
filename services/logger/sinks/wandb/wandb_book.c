/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/wandb/wandb_book.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define STATE_BYTES_MAX ((size_t)16 << 20)
#define FILE_BYTES_MAX ((size_t)2 << 30) /* of a run that is opened again */
#define US_PER_S 1000000

static enum status os_failed(const char *what, const char *path, struct error *err)
{
    return error_set(err, status_from_errno(errno), "cannot %s %s: %s", what, path,
                     strerror(errno));
}

static enum status write_all(int fd, const char *data, size_t len, uint64_t at, const char *path,
                             struct error *err)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return os_failed("write", path, err);
        data += n;
        len -= (size_t)n;
        at += (size_t)n;
    }
    return STATUS_OK;
}

/* The whole file, at most max bytes of it; *ret_data is the caller's to free. */
static enum status read_all(const char *path, size_t max, char **ret_data, size_t *ret_len,
                            struct error *err)
{
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    size_t len = 0;

    if (fd < 0 || fstat(fd, &info) < 0)
        return os_failed("read", path, err);
    size_t want = MIN_OF((size_t)info.st_size, max);
    char *data = mem_alloc(want + 1);
    while (len < want) {
        ssize_t n = pread(fd, data + len, want - len, (off_t)len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    *ret_data = data;
    *ret_len = len;
    return STATUS_OK;
}

/* ---- runs and plan runs in memory ---- */

static void run_free(struct wandb_book *book, struct wandb_book_run *run)
{
    map_remove(&book->by_key, &run->by_key);
    list_remove(&run->link);
    book->run_count--;
    wandb_run_fini(&run->run);
    free(run->dir);
    free(run);
}

static struct wandb_book_run *run_new(struct wandb_book *book, const char *key, const char *id,
                                      const char *dir)
{
    struct wandb_book_run *run = mem_zalloc(sizeof *run);

    snprintf(run->key, sizeof run->key, "%s", key);
    snprintf(run->id, sizeof run->id, "%s", id);
    run->dir = mem_strdup(dir);
    wandb_run_init(&run->run);
    map_insert(&book->by_key, &run->by_key, hash_text(run->key));
    list_push(&book->runs, &run->link);
    book->run_count++;
    return run;
}

struct wandb_book_run *wandb_book_find(struct wandb_book *book, const char *key)
{
    struct map_node *node = map_first(&book->by_key, hash_text(key));

    for (; node; node = map_next(node)) {
        struct wandb_book_run *run = CONTAINER_OF(node, struct wandb_book_run, by_key);
        if (strcmp(run->key, key) == 0)
            return run;
    }
    return NULL;
}

void wandb_book_touch(struct wandb_book *book, struct wandb_book_run *run)
{
    list_remove(&run->link);
    list_push(&book->runs, &run->link);
}

struct wandb_plan_run *wandb_book_plan(struct wandb_book *book, const struct id *run)
{
    struct map_node *node = map_first(&book->plans, id_hash(run));

    for (; node; node = map_next(node)) {
        struct wandb_plan_run *plan = CONTAINER_OF(node, struct wandb_plan_run, by_id);
        if (id_eq(&plan->run, run))
            return plan;
    }
    return NULL;
}

static void plan_free(struct wandb_book *book, struct wandb_plan_run *plan)
{
    map_remove(&book->plans, &plan->by_id);
    list_remove(&plan->link);
    book->plan_count--;
    free(plan);
}

struct wandb_plan_run *wandb_book_add_plan(struct wandb_book *book, const struct id *run,
                                           const char *name)
{
    struct wandb_plan_run *plan = mem_zalloc(sizeof *plan);

    while (book->plan_count >= WANDB_PLANS_KNOWN_MAX)
        plan_free(book, LIST_FIRST(&book->plan_runs, struct wandb_plan_run, link));
    plan->run = *run;
    snprintf(plan->plan, sizeof plan->plan, "%s", name);
    map_insert(&book->plans, &plan->by_id, id_hash(run));
    list_push(&book->plan_runs, &plan->link);
    book->plan_count++;
    return plan;
}

static void book_clear(struct wandb_book *book)
{
    while (!list_empty(&book->runs))
        run_free(book, LIST_FIRST(&book->runs, struct wandb_book_run, link));
    while (!list_empty(&book->plan_runs))
        plan_free(book, LIST_FIRST(&book->plan_runs, struct wandb_plan_run, link));
}

void wandb_book_init(struct wandb_book *book, const char *dir, bool online)
{
    *book = (struct wandb_book){.dir = mem_strdup(dir), .online = online};
    map_init(&book->by_key);
    map_init(&book->plans);
    list_init(&book->runs);
    list_init(&book->plan_runs);
}

void wandb_book_fini(struct wandb_book *book)
{
    book_clear(book);
    map_fini(&book->by_key);
    map_fini(&book->plans);
    free(book->dir);
}

/* ---- directories ---- */

static void run_path(const struct wandb_book_run *run, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/run-%s.wandb", run->dir, run->id);
}

static enum status make_dir(const char *path, struct error *err)
{
    if (mkdir(path, 0750) < 0 && errno != EEXIST)
        return os_failed("make", path, err);
    return STATUS_OK;
}

struct wandb_book_run *wandb_book_add(struct wandb_book *book, const char *key, const char *id,
                                      int64_t unix_us, struct error *err)
{
    static const char *const parts[] = {"", "/files", "/logs"};
    time_t second = (time_t)(unix_us / US_PER_S);
    char dir[PATH_BYTES - 64], path[PATH_BYTES], when[32];
    struct tm local;

    /* The name's time is local, as everywhere in these directories. */
    strftime(when, sizeof when, "%Y%m%d_%H%M%S", localtime_r(&second, &local));
    snprintf(dir, sizeof dir, "%s/%srun-%s-%s", book->dir, book->online ? "" : "offline-", when,
             id);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        snprintf(path, sizeof path, "%s%s", dir, parts[i]);
        if (make_dir(path, err) != STATUS_OK)
            return NULL;
    }
    return run_new(book, key, id, dir);
}

/* ---- state.json ---- */

static void state_path(const struct wandb_book *book, const char *suffix, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/state.json%s", book->dir, suffix);
}

static json_t *run_state(const struct wandb_book_run *run)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:i}", "key", run->key, "id", run->id, "dir",
                     run->dir, "bytes", (json_int_t)run->committed, "endUs",
                     (json_int_t)run->end_us, "day", (json_int_t)run->day, "exitCode",
                     run->exit_code);
}

static json_t *book_state(const struct wandb_book *book, uint64_t lsn)
{
    json_t *runs = json_array(), *plans = json_array();
    char text[ID_TEXT_BYTES];

    LIST_EACH(&book->runs, node)
    {
        const struct wandb_book_run *run = LIST_ENTRY(node, struct wandb_book_run, link);
        if (!run->run.ended)
            json_array_append_new(runs, run_state(run));
    }
    LIST_EACH(&book->plan_runs, node)
    {
        const struct wandb_plan_run *plan = LIST_ENTRY(node, struct wandb_plan_run, link);
        id_format(&plan->run, text);
        json_array_append_new(plans, json_pack("{s:s, s:s, s:b}", "run", text, "plan", plan->plan,
                                               "folded", (int)plan->folded));
    }
    return json_pack("{s:I, s:o, s:o}", "lsn", (json_int_t)lsn, "runs", runs, "plans", plans);
}

static enum status write_state(struct wandb_book *book, uint64_t lsn, struct error *err)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    AUTO(json_drop) json_t *state = book_state(book, lsn);
    char path[PATH_BYTES], temporary[PATH_BYTES];
    const char *text = json_text(state, arena);

    state_path(book, "", path);
    state_path(book, ".new", temporary);
    AUTO(close_fd) int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return os_failed("open", temporary, err);
    enum status st = write_all(fd, text, strlen(text), 0, temporary, err);
    if (st == STATUS_OK && (fdatasync(fd) < 0 || rename(temporary, path) < 0))
        st = os_failed("replace", path, err);
    return st;
}

/* Cuts a file behind its last record that the state knows of, and goes on there. */
static enum status run_restore(struct wandb_book_run *run, size_t bytes, struct error *err)
{
    char path[PATH_BYTES], *data;
    size_t len;

    run_path(run, path);
    enum status st = read_all(path, MIN_OF(bytes, FILE_BYTES_MAX), &data, &len, err);
    if (st != STATUS_OK)
        return st;
    wandb_run_restore(&run->run, (struct slice){data, len});
    free(data);
    run->committed = run->run.writer.bytes;
    if (truncate(path, (off_t)run->committed) < 0)
        return os_failed("cut", path, err);
    return STATUS_OK;
}

static int64_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static void restore_runs(struct wandb_book *book, const json_t *list)
{
    size_t i;
    json_t *entry;

    json_array_foreach((json_t *)list, i, entry)
    {
        const char *key = json_string_value(json_object_get(entry, "key")),
                   *id = json_string_value(json_object_get(entry, "id")),
                   *dir = json_string_value(json_object_get(entry, "dir"));
        if (!key || !id || !dir)
            continue;
        struct wandb_book_run *run = run_new(book, key, id, dir);
        run->end_us = number_of(entry, "endUs");
        run->day = number_of(entry, "day");
        run->exit_code = (int)number_of(entry, "exitCode");
        /* Somebody has removed or spoiled it: a new one begins with its next record. */
        if (run_restore(run, (size_t)number_of(entry, "bytes"), NULL) != STATUS_OK ||
            run->run.writer.num == 0)
            run_free(book, run);
    }
}

static void restore_plans(struct wandb_book *book, const json_t *list)
{
    size_t i;
    json_t *entry;

    json_array_foreach((json_t *)list, i, entry)
    {
        const char *run = json_string_value(json_object_get(entry, "run")),
                   *plan = json_string_value(json_object_get(entry, "plan"));
        struct id id;
        if (run && plan && id_parse(run, &id))
            wandb_book_add_plan(book, &id, plan)->folded =
                json_is_true(json_object_get(entry, "folded"));
    }
}

enum status wandb_book_open(struct wandb_book *book, uint64_t *lsn, struct error *err)
{
    AUTO(json_drop) json_t *state = NULL;
    char path[PATH_BYTES], *text;
    size_t len;

    book_clear(book);
    book->lsn = 0;
    enum status st = make_dir(book->dir, err);
    if (st != STATUS_OK)
        return st;
    state_path(book, "", path);
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return STATUS_OK;
    st = read_all(path, STATE_BYTES_MAX, &text, &len, err);
    if (st != STATUS_OK)
        return st;
    st = json_parse((struct slice){text, len}, STATE_BYTES_MAX, &state, err);
    free(text);
    if (st != STATUS_OK)
        return error_set(err, STATUS_DATA_LOSS, "%s cannot be read: remove it to begin anew", path);
    *lsn = (uint64_t)number_of(state, "lsn");
    restore_runs(book, json_object_get(state, "runs"));
    restore_plans(book, json_object_get(state, "plans"));
    return STATUS_OK;
}

static enum status run_write(struct wandb_book_run *run, struct error *err)
{
    struct buf *out = &run->run.writer.out;
    char path[PATH_BYTES];

    if (out->len == 0)
        return STATUS_OK;
    run_path(run, path);
    /* Opened for each write: a thousand runs need not be a thousand descriptors. */
    AUTO(close_fd)
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (run->committed == 0 ? O_TRUNC : 0), 0640);
    if (fd < 0)
        return os_failed("open", path, err);
    enum status st = write_all(fd, out->data, out->len, run->committed, path, err);
    if (st == STATUS_OK && run->run.ended && fdatasync(fd) < 0)
        st = os_failed("sync", path, err);
    if (st != STATUS_OK)
        return st;
    run->committed += out->len;
    buf_fini(out);
    return STATUS_OK;
}

enum status wandb_book_commit(struct wandb_book *book, uint64_t lsn, struct error *err)
{
    enum status st = STATUS_OK;
    bool grown = lsn != book->lsn;

    LIST_EACH(&book->runs, node)
    {
        struct wandb_book_run *run = LIST_ENTRY(node, struct wandb_book_run, link);
        grown = grown || run->run.writer.out.len > 0;
        if (st == STATUS_OK)
            st = run_write(run, err);
    }
    if (!grown)
        return STATUS_OK;
    if (st == STATUS_OK)
        st = write_state(book, lsn, err);
    if (st != STATUS_OK)
        return st;
    book->lsn = lsn;
    LIST_EACH(&book->runs, node)
    {
        struct wandb_book_run *run = LIST_ENTRY(node, struct wandb_book_run, link);
        if (run->run.ended)
            run_free(book, run);
    }
    return STATUS_OK;
}
