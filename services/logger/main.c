/* SPDX-License-Identifier: Apache-2.0 */
/* plankton-logger: takes log lines and events, keeps them, shows them, hands them to sinks. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "auth.h"
#include "descriptors/descriptors.h"
#include "log/log.h"
#include "logger_metrics.h"
#include "settings.h"

#define MMAP_BYTES_MIN (128 * 1024)
#define MALLOC_ARENAS 2
#define PING_INTERVAL_MIN_MS 50 /* workers find a dead peer by keepalive, from 100 ms on */
#define LSN_PER_US 256 /* a new spool begins behind whatever an older one can have reached */

struct logger {
    struct service *service;
    struct logger_settings *settings;
    struct arena arena;
    struct cluster_key cluster_key;
    struct auth *auth;
    struct net_tls *server_tls, *client_tls; /* the service's; NULL = plaintext */
    struct rpc_server *server;
    struct api api;
    struct id instance;
    int state_lock;
    bool stopping;
};

static struct slice descriptors(void)
{
    return (struct slice){plankton_descriptor_set, plankton_descriptor_set_bytes};
}

/* The instance's id names its place in the spool in the database; one process at a time may use the
 * directory. */
static enum status open_state(struct logger *self, struct error *err)
{
    const char *dir = self->settings->state_dir;
    const char *path = arena_printf(&self->arena, "%s/instance", dir);
    char text[ID_TEXT_BYTES] = {0};

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, status_from_errno(errno), "cannot make %s: %s", dir, strerror(errno));
    self->state_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->state_lock < 0)
        return error_set(err, status_from_errno(errno), "cannot open %s: %s", path,
                         strerror(errno));
    if (flock(self->state_lock, LOCK_EX | LOCK_NB) < 0)
        return error_set(err, STATUS_ALREADY_EXISTS, "another logger uses %s", dir);
    if (pread(self->state_lock, text, ID_TEXT_BYTES - 1, 0) == ID_TEXT_BYTES - 1 &&
        id_parse(text, &self->instance))
        return STATUS_OK;
    self->instance = id_make((uint64_t)clock_unix_us() / 1000, 0, random_u64());
    id_format(&self->instance, text);
    if (ftruncate(self->state_lock, 0) < 0 ||
        pwrite(self->state_lock, text, ID_TEXT_BYTES - 1, 0) != ID_TEXT_BYTES - 1 ||
        fsync(self->state_lock) < 0)
        return error_set(err, status_from_errno(errno), "cannot write %s: %s", path,
                         strerror(errno));
    return STATUS_OK;
}

/* ---- between the modules ---- */

/* Segments go when all have read them. A sink that lags may keep half of the spool, not more: it
 * holds nobody up. */
static void release(struct logger *self)
{
    struct spool *spool = ingest_spool(self->api.ingest);
    uint64_t lsn = store_position(self->api.store);
    bool may_wait = spool_bytes(spool) <= (uint64_t)self->settings->spool_bytes / 2;

    if (may_wait)
        lsn = MIN_OF(lsn, sinks_position(self->api.sinks));
    spool_release(spool, lsn);
}

static void on_lookup(struct ingest_lookup *lookups, size_t n, ingest_lookup_done_fn done,
                      void *done_userdata, void *userdata)
{
    struct logger *self = userdata;

    store_lookup(self->api.store, lookups, n, done, done_userdata);
}

static void on_lines(const struct lines *lines, void *userdata)
{
    query_on_lines(((struct logger *)userdata)->api.query, lines);
}

static bool wants_events(void *userdata)
{
    return query_wants_events(((struct logger *)userdata)->api.query);
}

static void on_event(const struct event_ref *event, void *userdata)
{
    query_on_event(((struct logger *)userdata)->api.query, event);
}

static void on_durable(void *userdata)
{
    struct logger *self = userdata;

    store_kick(self->api.store);
    if (self->api.sinks)
        sinks_kick(self->api.sinks);
}

static void on_trouble(const char *why, bool fatal, void *userdata)
{
    struct logger *self = userdata;

    service_not_ready(self->service, "spool", why);
    /* After a failed fsync the kernel may have dropped what it could not write: what the files hold
     * is read anew at the next start. */
    if (fatal)
        service_shutdown(self->service, true);
}

static void on_source(uint32_t timeline, uint16_t shard, uint64_t last, void *userdata)
{
    ingest_source_stored(((struct logger *)userdata)->api.ingest, timeline, shard, last);
}

static void on_store_ready(void *userdata)
{
    ingest_sources_known(((struct logger *)userdata)->api.ingest);
}

static void on_stored(uint64_t lsn, void *userdata)
{
    struct logger *self = userdata;

    release(self);
    ingest_stored(self->api.ingest, lsn);
}

static void on_health(const char *why, void *userdata)
{
    struct logger *self = userdata;

    if (why)
        log_warn("store.away", LOG_STR("error", why));
    service_not_ready(self->service, "logger", why);
}

static void collect(void *userdata)
{
    const struct logger *self = userdata;
    struct ingest *ingest = self->api.ingest;

    if (!ingest)
        return; /* all is over but the ops port */
    logger_gauge(METRIC_SPOOL_BYTES, (double)spool_bytes(ingest_spool(ingest)));
    logger_gauge(METRIC_SINK_LAG_POSTGRES, store_lag_s(self->api.store));
    sinks_collect(self->api.sinks);
    logger_gauge(METRIC_RELAY_LAG, ingest_relay_lag_s(ingest));
    logger_gauge(METRIC_APPEND_STREAMS, (double)ingest_stream_count(ingest));
    logger_gauge(METRIC_TAILS, (double)query_tail_count(self->api.query));
    logger_gauge(METRIC_ATTEMPTS, (double)ingest_attempts(ingest)->count);
}

/* ---- start and stop ---- */

static enum status open_ingest(struct logger *self, struct error *err)
{
    static const struct ingest_callbacks callbacks = {.lookup = on_lookup,
                                                      .on_lines = on_lines,
                                                      .wants_events = wants_events,
                                                      .on_event = on_event,
                                                      .on_durable = on_durable,
                                                      .on_trouble = on_trouble};
    const struct logger_settings *settings = self->settings;
    struct ingest_options options = {
        .cluster_key = &self->cluster_key,
        .spool = {.dir = arena_printf(&self->arena, "%s/spool", settings->state_dir),
                  .segment_bytes = (uint64_t)settings->segment_bytes,
                  .bytes_max = (uint64_t)settings->spool_bytes,
                  .first_lsn = (uint64_t)clock_unix_us() * LSN_PER_US}};

    return ingest_open(service_loop(self->service), &options, &callbacks, self, &self->api.ingest,
                       err);
}

static void open_store(struct logger *self)
{
    static const struct store_callbacks callbacks = {.on_source = on_source,
                                                     .on_ready = on_store_ready,
                                                     .on_stored = on_stored,
                                                     .on_health = on_health};
    const struct logger_settings *settings = self->settings;
    struct store_options options = {.database = settings->database,
                                    .instance = self->instance,
                                    .spool = ingest_spool(self->api.ingest),
                                    .retention_ms = settings->retention_ms,
                                    .statement_timeout_ms = settings->statement_timeout_ms,
                                    .pace_ms = settings->store_pace_ms,
                                    .read_connections = (size_t)settings->read_connections,
                                    .pooler_transaction = settings->pooler_transaction};

    self->api.store = store_new(service_loop(self->service), &options, &callbacks, self);
}

static enum status logger_start(struct service *service, void *state, struct error *err)
{
    struct logger *self = state;
    struct loop *loop = service_loop(service);
    struct query_options query = {.cluster_key = &self->cluster_key};
    enum status st;

    self->service = service;
    self->settings = service_settings(service);
    self->state_lock = -1;
    arena_init(&self->arena, 0);
    st = logger_settings_check(self->settings, err);
    if (st == STATUS_OK)
        st = cluster_key_load(self->settings->cluster_key_file, &self->cluster_key, err);
    if (st == STATUS_OK)
        st = service_tls_server(service, &self->settings->tls, &self->server_tls, err);
    if (st == STATUS_OK)
        st = service_tls_client(service, &self->settings->tls, &self->client_tls, err);
    if (st == STATUS_OK)
        st = open_state(self, err);
    if (st == STATUS_OK)
        st = open_ingest(self, err);
    if (st != STATUS_OK)
        return st;
    service_not_ready(service, "logger", "the database has not been reached yet");
    query.tail_wait_ms = self->settings->tail_wait_ms;
    query.unknown_wait_ms = self->settings->unknown_wait_ms;
    self->api.query = query_new(loop, &query);
    open_store(self);
    st = sinks_open(loop, ingest_spool(self->api.ingest), self->settings, &self->api.sinks, err);
    if (st != STATUS_OK)
        return st;
    query_attach(self->api.query, self->api.ingest, self->api.store);
    self->auth = auth_new(loop, self->settings->controller, self->client_tls, &self->cluster_key);
    self->server = rpc_server_new(
        loop, &(struct rpc_server_options){.ping_interval_min_ms = PING_INTERVAL_MIN_MS,
                                           .pings_without_calls = true,
                                           .tls = self->server_tls});
    rpc_server_set_authorizer(self->server, auth_authorize, self->auth);
    api_register(&self->api, self->server);
    rpc_server_add_health(self->server);
    rpc_server_add_reflection(self->server, descriptors());
    logger_metrics_start(collect, self);
    st = rpc_server_listen(self->server, self->settings->listen, err);
    if (st == STATUS_OK)
        log_info("logger.listening", LOG_STR("address", rpc_server_address(self->server)));
    return st;
}

/* The server first: it ends the calls, which let go of everything else. */
static void free_all(void *userdata)
{
    struct logger *self = userdata;

    rpc_server_free(self->server);
    auth_free(self->auth);
    store_free(self->api.store);
    sinks_free(self->api.sinks);
    query_free(self->api.query);
    ingest_close(self->api.ingest);
    self->api = (struct api){NULL};
    close_fd(&self->state_lock);
    arena_fini(&self->arena);
    service_duty_stopped(self->service, "logger");
}

static void sinks_stopped(void *userdata)
{
    struct logger *self = userdata;

    loop_defer(service_loop(self->service), free_all, self);
}

static void store_stopped(void *userdata)
{
    struct logger *self = userdata;

    sinks_stop(self->api.sinks, sinks_stopped, self);
}

static void calls_drained(void *userdata)
{
    struct logger *self = userdata;

    store_stop(self->api.store, store_stopped, self);
}

/* What was taken is durable and acknowledged, its calls are over. Tails and queries end too. */
static void ingest_ended(void *userdata)
{
    struct logger *self = userdata;

    query_end(self->api.query);
    rpc_server_drain(self->server, (uint64_t)self->settings->service.drain_timeout_ms / 2,
                     calls_drained, self);
}

static void logger_stop(struct service *service, void *state)
{
    struct logger *self = state;

    if (!self->server)
        service_duty_stopped(service, "logger");
    else if (!self->stopping)
        ingest_end(self->api.ingest, ingest_ended, self);
    self->stopping = true;
}

int main(int argc, char **argv)
{
    static const struct service_duty duties[] = {{"logger", logger_start, logger_stop}};
    const struct service_program program = {
        .conf = {.program = "logger",
                 .summary = "takes log lines and events, keeps them, shows them",
                 .options = logger_options,
                 .option_count = logger_option_count},
        .settings_bytes = sizeof(struct logger_settings),
        .state_bytes = sizeof(struct logger),
        .duties = duties,
        .duty_count = ARRAY_LEN(duties)};

    /* What a batch needed goes back to the system with it: glibc would otherwise keep the largest
     * of each thread. */
    mallopt(M_MMAP_THRESHOLD, MMAP_BYTES_MIN);
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    return service_main(&program, argc, argv);
}
