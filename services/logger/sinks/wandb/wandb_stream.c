/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/wandb/wandb_stream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/list.h"
#include "base/text.h"
#include "log/log.h"
#include "sinks/wandb/wandb_body.h"

#define PATH_BYTES 4096
#define READ_BYTES ((size_t)1 << 20) /* of a file at once; doubled for a record that is longer */
#define READ_BYTES_MAX ((size_t)16 << 20) /* more than a record can be */
#define ACTIVE_MAX 8                      /* runs that are being sent at the same time */
#define UPSERT_TIMEOUT_MS 30000
#define LINES_TIMEOUT_MS 180000
#define BACKOFF_MS_MAX 60000
#define UPSERT_TRIES_MAX 20
#define US_PER_S INT64_C(1000000)

/* A run on its way to the server. */
struct live {
    struct list link;  /* stream->lives */
    struct list queue; /* stream->ready while it waits for its turn */
    struct wandb_stream *stream;
    char *id, *dir, *url; /* url: of its file_stream, once the server has named it */
    uint64_t durable;
    bool ended, busy, given_up;
    bool orphan; /* nobody will end it */
    struct wandb_position acked, next;
    struct loop_timer *timer;
    struct fetch_job *job;
    uint64_t sent_us, failures;
    int64_t waiting_since_us; /* wall clock: what is oldest of what was not sent; 0 = nothing */
    /* of the work in the pool */
    struct buf body;
    bool has_body, is_upsert;
    enum status status;
    struct error err;
};
struct wandb_stream {
    struct loop *loop;
    struct wandb_stream_options options;
    char *dir, *base_url, *auth;
    struct fetch *fetch;
    struct list lives, ready;
    size_t active;
    bool refused; /* the key: nothing is sent any more */
    bool freed;
    size_t in_pool;
    char error[sizeof(((struct error *)0)->message)];
};

/* ---- in the pool: what is to be sent next ---- */

static void live_path(const struct live *live, const char *suffix, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/run-%s.wandb%s", live->dir, live->id, suffix);
}

static void place_path(const struct live *live, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/logs/stream.json", live->dir);
}

/* A place that is not written yet after a crash only means that some lines are sent again, to the
 * offsets where they stand. */
static void place_write(const struct live *live)
{
    char path[PATH_BYTES], text[200];
    int len = snprintf(text, sizeof text,
                       "{\"at\":%" PRIu64 ",\"history\":%" PRIu64 ",\"output\":%" PRIu64 "}",
                       live->acked.at, live->acked.history, live->acked.output);

    place_path(live, path);
    AUTO(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0 || write(fd, text, (size_t)len) != len)
        log_debug("wandb.place_not_written", LOG_STR("path", path));
}

static void place_read(struct live *live)
{
    char path[PATH_BYTES], text[201] = {0};
    AUTO(json_drop) json_t *place = NULL;

    place_path(live, path);
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0 ||
        json_parse((struct slice){text, (size_t)n}, sizeof text, &place, NULL) != STATUS_OK)
        return;
    live->acked.at = (uint64_t)json_integer_value(json_object_get(place, "at"));
    live->acked.history = (uint64_t)json_integer_value(json_object_get(place, "history"));
    live->acked.output = (uint64_t)json_integer_value(json_object_get(place, "output"));
}

static enum status file_read(const struct live *live, uint64_t at, size_t want, char *out,
                             size_t *ret_len, struct error *err)
{
    char path[PATH_BYTES];

    live_path(live, "", path);
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, out, want, (off_t)at);
    if (n < 0)
        return error_set(err, status_from_errno(errno), "cannot read %s: %s", path,
                         strerror(errno));
    *ret_len = (size_t)n;
    return STATUS_OK;
}

static void make_upsert(struct live *live, struct slice data)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    AUTO(json_drop) json_t *body = wandb_body_upsert(data);

    live->has_body = body != NULL;
    if (body)
        buf_puts(&live->body, json_text(body, arena));
}

/* One window of the file; false when it must be larger to hold the next record. */
static bool try_window(struct live *live, size_t window)
{
    uint64_t base = live->is_upsert ? 0 : live->acked.at;
    size_t want = (size_t)MIN_OF((uint64_t)window, live->durable - base), len = 0;
    char *data = mem_alloc(want + 1);

    live->status = file_read(live, base, want, data, &len, &live->err);
    if (live->status == STATUS_OK && live->is_upsert) {
        make_upsert(live, (struct slice){data, len});
    } else if (live->status == STATUS_OK) {
        struct wandb_reader reader = {.data = {data, len}, .base = base, .at = base};
        live->has_body = wandb_body_lines(&reader, &live->next, &live->body);
    }
    free(data);
    return live->status != STATUS_OK || live->has_body || live->next.at > base || want < window ||
           window >= READ_BYTES_MAX;
}

static void prepare_work(void *userdata)
{
    struct live *live = userdata;

    if (live->acked.at > 0)
        place_write(live);
    live->next = live->acked;
    live->has_body = false;
    live->status = STATUS_OK;
    buf_clear(&live->body);
    for (size_t window = READ_BYTES; !try_window(live, window);)
        window *= 2;
}

/* ---- on the loop ---- */

static void pump(struct wandb_stream *stream);

static void live_free(struct live *live)
{
    list_remove(&live->link);
    list_remove(&live->queue);
    fetch_cancel(live->job);
    loop_timer_free(live->timer);
    buf_fini(&live->body);
    free(live->id);
    free(live->dir);
    free(live->url);
    free(live);
}

static void stream_release(struct wandb_stream *stream)
{
    while (!list_empty(&stream->lives))
        live_free(LIST_FIRST(&stream->lives, struct live, link));
    fetch_free(stream->fetch);
    free(stream->dir);
    free(stream->base_url);
    free(stream->auth);
    free(stream);
}

static void enqueue(struct live *live)
{
    struct wandb_stream *stream = live->stream;

    if (live->busy || live->given_up || list_linked(&live->queue))
        return;
    list_push(&stream->ready, &live->queue);
    pump(stream);
}

static void timer_cb(void *userdata)
{
    enqueue(userdata);
}

/* The next send: soon when there is something, else when the server should hear that it lives. */
static void schedule(struct live *live)
{
    const struct wandb_stream_options *options = &live->stream->options;
    uint64_t now = loop_now_us(live->stream->loop);
    bool pending = live->acked.at < live->durable;
    uint64_t ms = pending ? options->interval_ms : options->heartbeat_ms;
    uint64_t due = live->sent_us + ms * 1000;

    if (live->ended || (pending && !live->url))
        due = now; /* its first lines, and its last */
    loop_timer_start(live->timer, due > now ? (due - now) / 1000 + 1 : 0, 0);
}

static void live_end_turn(struct live *live)
{
    live->busy = false;
    live->stream->active--;
}

static void live_done(struct live *live)
{
    char path[PATH_BYTES];

    live_path(live, ".synced", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    if (fd >= 0)
        close(fd);
    log_info("wandb.run_sent", LOG_STR("run", live->id), LOG_STR("dir", live->dir));
    live_free(live);
}

static void give_up(struct live *live, const char *why)
{
    log_error("wandb.run_not_sent", LOG_STR("run", live->id), LOG_STR("error", why),
              LOG_STR("how", "send it by: wandb sync"), LOG_STR("dir", live->dir));
    live->given_up = true;
    live->waiting_since_us = 0;
    snprintf(live->stream->error, sizeof live->stream->error, "run %s: %s", live->id, why);
}

static void retry(struct live *live, double retry_after_s, const char *why)
{
    double unit = (double)(random_u64() >> 11) / (double)(UINT64_C(1) << 53);
    double ms = (double)live->stream->options.backoff_ms *
                pow(2, (double)MIN_OF(live->failures, (uint64_t)20)) * (1 + unit / 4);

    live->failures++;
    snprintf(live->stream->error, sizeof live->stream->error, "%s", why);
    log_debug("wandb.retry", LOG_STR("run", live->id), LOG_STR("error", why));
    if (live->is_upsert && live->failures >= UPSERT_TRIES_MAX) {
        give_up(live, why);
        return;
    }
    ms = retry_after_s >= 0 ? retry_after_s * 1000 : MIN_OF(ms, (double)BACKOFF_MS_MAX);
    loop_timer_start(live->timer, (uint64_t)ms + 1, 0);
}

static void refuse_all(struct wandb_stream *stream, int status)
{
    stream->refused = true;
    snprintf(stream->error, sizeof stream->error,
             "the server refuses the key (HTTP status %d): nothing is sent until the next start",
             status);
    log_error("wandb.key_refused", LOG_I64("status", status),
              LOG_STR("how", "mend the key and start anew, or send the runs by: wandb sync"));
    LIST_EACH(&stream->lives, node)
    loop_timer_stop(LIST_ENTRY(node, struct live, link)->timer);
}

/* Statuses after which the same request will never be taken. */
static bool is_final(int status, bool is_upsert)
{
    switch (status) {
    case 400:
    case 404:
    case 410:
    case 413:
    case 422:
    case 501:
        return true;
    case 409:
        return !is_upsert;
    default:
        return false;
    }
}

/* The names under which the server knows the run, for the address of its stream. */
static bool take_upsert(struct live *live, const json_t *answer)
{
    const char *name, *project, *entity;
    json_t *bucket =
        json_object_get(json_object_get(json_object_get(answer, "data"), "upsertBucket"), "bucket");
    char url[PATH_BYTES];

    if (json_unpack(bucket, "{s:s, s:{s:s, s:{s:s}}}", "name", &name, "project", "name", &project,
                    "entity", "name", &entity) != 0)
        return false;
    snprintf(url, sizeof url, "%s/files/%s/%s/%s/file_stream", live->stream->base_url, entity,
             project, name);
    live->url = mem_strdup(url);
    return true;
}

static void lines_sent(struct live *live, const json_t *answer)
{
    live->acked = live->next;
    if (live->acked.at >= live->durable)
        live->waiting_since_us = 0;
    if (json_is_true(json_object_get(answer, "stopped")))
        log_warn("wandb.stopped", LOG_STR("run", live->id),
                 LOG_STR("why", "somebody pressed Stop in W&B; the run here goes on"));
}

static void good_answer(struct live *live, const struct fetch_answer *answer)
{
    AUTO(json_drop) json_t *json = NULL;
    enum status st = json_parse(answer->body, answer->body.len + 1, &json, NULL);

    if (live->is_upsert) {
        if (st != STATUS_OK || !take_upsert(live, json)) {
            retry(live, -1, "the answer to the upsert of a run is not understood");
            return;
        }
    } else {
        lines_sent(live, json); /* a malformed answer to lines is ignored */
    }
    live->failures = 0;
    *live->stream->error = 0;
    if (live->acked.complete)
        live_done(live);
    else if (live->orphan && live->acked.at >= live->durable)
        live_free(live); /* its end was never written */
    else
        schedule(live);
}

static void answered(const struct fetch_answer *answer, const struct error *err, void *userdata)
{
    struct live *live = userdata;
    struct wandb_stream *stream = live->stream;
    char why[100];

    live->job = NULL;
    live_end_turn(live);
    live->sent_us = loop_now_us(stream->loop);
    if (answer)
        snprintf(why, sizeof why, "HTTP status %d", answer->status);
    if (!answer)
        retry(live, -1, err->message);
    else if (answer->status / 100 == 2)
        good_answer(live, answer);
    else if (answer->status == 401 || answer->status == 403)
        refuse_all(stream, answer->status);
    else if (is_final(answer->status, live->is_upsert))
        give_up(live, why);
    else
        retry(live, answer->retry_after_s, why);
    pump(stream);
}

static void send(struct live *live)
{
    struct wandb_stream *stream = live->stream;
    const char *headers[] = {"Content-Type: application/json", stream->auth, NULL};
    char graphql[PATH_BYTES];
    struct fetch_request request = {.method = "POST",
                                    .url = live->url,
                                    .headers = headers,
                                    .body =
                                        live->has_body ? buf_slice(&live->body) : slice_of("{}"),
                                    .timeout_ms = LINES_TIMEOUT_MS};

    if (live->is_upsert) {
        snprintf(graphql, sizeof graphql, "%s/graphql", stream->base_url);
        request.url = graphql;
        request.timeout_ms = UPSERT_TIMEOUT_MS;
    }
    live->job = fetch_start(stream->fetch, &request, answered, live);
}

static void prepared(void *userdata)
{
    struct live *live = userdata;
    struct wandb_stream *stream = live->stream;

    stream->in_pool--;
    if (stream->freed) {
        if (stream->in_pool == 0)
            stream_release(stream);
        return;
    }
    bool moved = live->next.at > live->acked.at;
    if (live->status == STATUS_OK && (live->has_body || !moved) &&
        !(live->is_upsert && !live->has_body)) {
        send(live);
        return;
    }
    live_end_turn(live);
    if (live->status != STATUS_OK) {
        give_up(live, live->err.message);
    } else if (live->is_upsert) {
        live->sent_us = loop_now_us(stream->loop); /* its beginning is not written yet */
        schedule(live);
    } else {
        live->acked = live->next; /* records of which the server needs to know nothing */
        enqueue(live);
    }
    pump(stream);
}

static void pump(struct wandb_stream *stream)
{
    while (stream->active < ACTIVE_MAX && !stream->refused && !list_empty(&stream->ready)) {
        struct live *live = LIST_ENTRY(stream->ready.next, struct live, queue);
        list_remove(&live->queue);
        live->is_upsert = !live->url;
        live->busy = true;
        stream->active++;
        if (loop_pool(stream->loop, prepare_work, prepared, live, NULL) == STATUS_OK) {
            stream->in_pool++;
            continue;
        }
        live_end_turn(live);
        loop_timer_start(live->timer, stream->options.backoff_ms, 0);
    }
}

static struct live *live_find(struct wandb_stream *stream, const char *dir)
{
    LIST_EACH(&stream->lives, node)
    {
        struct live *live = LIST_ENTRY(node, struct live, link);
        if (strcmp(live->dir, dir) == 0)
            return live;
    }
    return NULL;
}

static struct live *live_new(struct wandb_stream *stream, const char *dir, const char *id)
{
    struct live *live = mem_zalloc(sizeof *live);

    live->stream = stream;
    live->dir = mem_strdup(dir);
    live->id = mem_strdup(id);
    buf_init(&live->body, WANDB_BODY_BYTES_MAX);
    live->timer = loop_timer_new(stream->loop, timer_cb, live);
    list_push(&stream->lives, &live->link);
    place_read(live);
    return live;
}

void wandb_stream_progress(const struct wandb_progress *progress, void *userdata)
{
    struct wandb_stream *stream = userdata;
    struct live *live = live_find(stream, progress->dir);

    if (!live)
        live = live_new(stream, progress->dir, progress->id);
    live->durable = progress->bytes;
    live->ended = progress->ended;
    if (live->acked.at > live->durable && !live->given_up)
        give_up(live, "its file is shorter than what was sent of it");
    if (!live->waiting_since_us)
        live->waiting_since_us = clock_unix_us();
    if (!live->busy && !live->given_up && !stream->refused && live->failures == 0)
        schedule(live);
}

/* A directory that a predecessor left: run-YYYYMMDD_HHMMSS-ID, not marked as sent. */
static void take_up(struct wandb_stream *stream, const char *name)
{
    char dir[PATH_BYTES - 512], path[PATH_BYTES];
    struct stat info;

    if (strncmp(name, "run-", 4) != 0 || strlen(name) < 21 || name[19] != '-')
        return;
    snprintf(dir, sizeof dir, "%s/%.200s", stream->dir, name);
    if (live_find(stream, dir))
        return;
    struct live *live = live_new(stream, dir, name + 20);
    live_path(live, ".synced", path);
    bool through = access(path, F_OK) == 0;
    live_path(live, "", path);
    if (through || stat(path, &info) < 0 || live->acked.at > (uint64_t)info.st_size) {
        live_free(live);
        return;
    }
    live->orphan = true;
    live->durable = (uint64_t)info.st_size;
    live->waiting_since_us = clock_unix_us();
    schedule(live);
}

void wandb_stream_begin(void *userdata)
{
    struct wandb_stream *stream = userdata;
    DIR *dir = opendir(stream->dir);

    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        take_up(stream, entry->d_name);
    closedir(dir);
}

struct wandb_stream *wandb_stream_new(struct loop *loop, const struct wandb_stream_options *options)
{
    struct wandb_stream *stream = mem_zalloc(sizeof *stream);
    char plain[512], coded[800];

    stream->loop = loop;
    stream->options = *options;
    stream->dir = mem_strdup(options->dir);
    stream->base_url = mem_strdup(options->base_url);
    int len = snprintf(plain, sizeof plain, "api:%s", options->api_key);
    text_to_base64(plain, MIN_OF((size_t)len, sizeof plain - 1), false, true, coded);
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    stream->auth = mem_strdup(arena_printf(arena, "Authorization: Basic %s", coded));
    stream->fetch = fetch_new(loop);
    list_init(&stream->lives);
    list_init(&stream->ready);
    return stream;
}

const char *wandb_stream_error(const struct wandb_stream *stream)
{
    return stream->error;
}

double wandb_stream_lag_s(const struct wandb_stream *stream)
{
    int64_t oldest_us = INT64_MAX;

    LIST_EACH(&stream->lives, node)
    {
        const struct live *live = LIST_ENTRY(node, struct live, link);
        if (live->waiting_since_us)
            oldest_us = MIN_OF(oldest_us, live->waiting_since_us);
    }
    return oldest_us == INT64_MAX ? 0 : (double)MAX_OF(clock_unix_us() - oldest_us, 0) / US_PER_S;
}

void wandb_stream_free(struct wandb_stream *stream)
{
    if (!stream)
        return;
    stream->freed = true;
    if (stream->in_pool > 0) {
        /* The pool's work ends first; requests end now. */
        LIST_EACH(&stream->lives, node)
        {
            struct live *live = LIST_ENTRY(node, struct live, link);
            fetch_cancel(live->job);
            live->job = NULL;
            loop_timer_stop(live->timer);
        }
        return;
    }
    stream_release(stream);
}
