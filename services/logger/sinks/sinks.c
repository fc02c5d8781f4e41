/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/sinks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "logger_metrics.h"
#include "sinks/file_sink.h"
#include "sinks/wandb/wandb_stream.h"

#define SINKS_KINDS 2
#define KEY_BYTES_MAX 256
#define TAGS_MAX 32

struct sinks {
    struct arena arena;
    struct sink *list[SINKS_KINDS];
    size_t count, running; /* running: while they stop */
    struct file_sink *file;
    struct wandb_sink *wandb;
    struct wandb_stream *stream;
    struct sink *wandb_reader;
    void (*stopped)(void *userdata);
    void *stopped_userdata;
};

static void open_file(struct sinks *sinks, struct loop *loop, struct spool *spool,
                      const struct logger_settings *settings)
{
    struct file_sink_options options = {
        .dir = settings->file_sink ? settings->file_sink
                                   : arena_printf(&sinks->arena, "%s/files", settings->state_dir),
        .cursor_path = arena_printf(&sinks->arena, "%s/file-sink.cursor", settings->state_dir),
        .rotate_bytes = (uint64_t)settings->file_sink_rotate_bytes,
        .keep = (uint64_t)settings->file_sink_keep,
        .with_events = settings->sink_events,
        .fsync = settings->sink_fsync};

    if (!*options.dir)
        return;
    sinks->file = file_sink_new(&options);
    sinks->list[sinks->count++] = sink_new(loop, spool, &file_sink_writer, sinks->file);
}

static enum status read_key(const char *path, char out[KEY_BYTES_MAX], struct error *err)
{
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, KEY_BYTES_MAX - 1);

    if (n < 0)
        return error_set(err, status_from_errno(errno), "cannot read --wandb-api-key-file %s: %s",
                         path, strerror(errno));
    out[n] = 0;
    out[strcspn(out, "\r\n \t")] = 0;
    if (!*out)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--wandb-api-key-file %s is empty", path);
    return STATUS_OK;
}

static enum status open_stream(struct sinks *sinks, struct loop *loop, const char *dir,
                               const struct logger_settings *settings, struct error *err)
{
    char key[KEY_BYTES_MAX];
    enum status st = read_key(settings->wandb_api_key_file, key, err);

    if (st == STATUS_OK)
        sinks->stream = wandb_stream_new(
            loop,
            &(struct wandb_stream_options){.dir = dir,
                                           .base_url = settings->wandb_base_url,
                                           .api_key = key,
                                           .interval_ms = (uint64_t)settings->wandb_interval_ms,
                                           .heartbeat_ms = (uint64_t)settings->wandb_heartbeat_ms,
                                           .backoff_ms = (uint64_t)settings->wandb_backoff_ms});
    return st;
}

static const char *const *split_tags(struct arena *arena, const char *list, size_t *ret_n)
{
    const char **tags = arena_alloc(arena, TAGS_MAX * sizeof *tags);

    *ret_n = 0;
    while (*list && *ret_n < TAGS_MAX) {
        size_t len = strcspn(list, ",");
        if (len > 0)
            tags[(*ret_n)++] = arena_strndup(arena, list, len);
        list += len + (list[len] == ',');
    }
    return tags;
}

static enum status open_wandb(struct sinks *sinks, struct loop *loop, struct spool *spool,
                              const struct logger_settings *settings, struct error *err)
{
    struct wandb_sink_options options = {
        .dir = settings->wandb_dir ? settings->wandb_dir
                                   : arena_printf(&sinks->arena, "%s/wandb", settings->state_dir),
        .entity = settings->wandb_entity,
        .project = settings->wandb_project,
        .per = (enum wandb_per)settings->wandb_per_word,
        .runs_per_minute = (uint64_t)settings->wandb_runs_per_minute,
        .linger_ms = settings->wandb_linger_ms,
        .online = settings->wandb_mode == WANDB_ONLINE};
    enum status st = STATUS_OK;

    if (settings->wandb_mode == WANDB_OFF)
        return STATUS_OK;
    options.tags = split_tags(&sinks->arena, settings->wandb_tags, &options.tag_count);
    if (options.online)
        st = open_stream(sinks, loop, options.dir, settings, err);
    if (st != STATUS_OK)
        return st;
    struct wandb_listener listener = {
        .progress = wandb_stream_progress, .begin = wandb_stream_begin, .userdata = sinks->stream};
    sinks->wandb = wandb_sink_new(&options, sinks->stream ? &listener : NULL);
    sinks->wandb_reader = sink_new(loop, spool, &wandb_sink_writer, sinks->wandb);
    sinks->list[sinks->count++] = sinks->wandb_reader;
    return STATUS_OK;
}

enum status sinks_open(struct loop *loop, struct spool *spool,
                       const struct logger_settings *settings, struct sinks **ret,
                       struct error *err)
{
    struct sinks *sinks = mem_zalloc(sizeof *sinks);

    arena_init(&sinks->arena, 0);
    *ret = sinks;
    open_file(sinks, loop, spool, settings);
    return open_wandb(sinks, loop, spool, settings, err);
}

void sinks_kick(struct sinks *sinks)
{
    for (size_t i = 0; i < sinks->count; i++)
        sink_kick(sinks->list[i]);
}

uint64_t sinks_position(const struct sinks *sinks)
{
    uint64_t lsn = UINT64_MAX;

    for (size_t i = 0; i < sinks->count; i++)
        lsn = MIN_OF(lsn, sink_position(sinks->list[i]));
    return lsn;
}

static void one_stopped(void *userdata)
{
    struct sinks *sinks = userdata;

    if (--sinks->running == 0)
        sinks->stopped(sinks->stopped_userdata);
}

void sinks_stop(struct sinks *sinks, void (*stopped)(void *userdata), void *userdata)
{
    sinks->stopped = stopped;
    sinks->stopped_userdata = userdata;
    sinks->running = sinks->count + 1;
    for (size_t i = 0; i < sinks->count; i++)
        sink_stop(sinks->list[i], one_stopped, sinks);
    one_stopped(sinks);
}

void sinks_free(struct sinks *sinks)
{
    if (!sinks)
        return;
    for (size_t i = 0; i < sinks->count; i++)
        sink_free(sinks->list[i]);
    wandb_stream_free(sinks->stream);
    wandb_sink_free(sinks->wandb);
    file_sink_free(sinks->file);
    arena_fini(&sinks->arena);
    free(sinks);
}

size_t sinks_count(const struct sinks *sinks)
{
    return sinks->count;
}

struct sink_view sinks_view(const struct sinks *sinks, size_t i)
{
    const struct sink *sink = sinks->list[i];
    struct sink_view view = {
        .name = sink_name(sink), .error = sink_error(sink), .lag_s = sink_lag_s(sink)};

    /* What is on the disk and not at the server is behind, too. */
    if (sink == sinks->wandb_reader && sinks->stream) {
        view.lag_s = MAX_OF(view.lag_s, wandb_stream_lag_s(sinks->stream));
        if (!*view.error)
            view.error = wandb_stream_error(sinks->stream);
    }
    return view;
}

void sinks_collect(const struct sinks *sinks)
{
    for (size_t i = 0; i < sinks->count; i++) {
        struct sink_view view = sinks_view(sinks, i);
        logger_gauge(sinks->list[i] == sinks->wandb_reader ? METRIC_SINK_LAG_WANDB
                                                           : METRIC_SINK_LAG_FILE,
                     view.lag_s);
    }
}
