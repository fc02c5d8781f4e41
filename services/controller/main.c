/* SPDX-License-Identifier: Apache-2.0 */
/* plankton-controller: owns shards, hands out tasks, records results. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "controller_metrics.h"
#include "descriptors/descriptors.h"
#include "host/host.h"
#include "log/log.h"
#include "relay/relay.h"
#include "settings.h"
#include "workers/workers.h"

#define PING_INTERVAL_MIN_MS 50 /* workers find a dead peer by keepalive, from 100 ms on */

struct controller {
    struct service *service;
    struct controller_settings *settings;
    struct arena arena;
    struct cluster_key cluster_key;
    struct pbjson_registry *registry;
    struct net_tls *server_tls, *client_tls; /* the service's; NULL = plaintext */
    struct rpc_server *server;
    struct host *host;
    struct workers *workers;
    struct api *api;
    struct relay *relay;
    char instance[ID_TEXT_BYTES];
    int state_lock;
    bool listening, stands_by;
    size_t owned; /* shards */
    struct loop_timer *idle;
};

static struct slice descriptors(void)
{
    return (struct slice){plankton_descriptor_set, plankton_descriptor_set_bytes};
}

/* ---- files ---- */

static enum status read_key(struct arena *arena, const char *path, const char **ret,
                            struct error *err)
{
    char text[256];

    *ret = NULL;
    if (!path)
        return STATUS_OK;
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set(err, status_from_errno(errno), "cannot read %s: %s", path,
                         strerror(errno));
    bool ok = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    if (!ok)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is empty", path);
    text[strcspn(text, "\r\n")] = 0;
    *ret = arena_strdup(arena, text);
    return STATUS_OK;
}

/* The instance's id lives in its state directory, which one process at a time may use: so its own
 * shards can be taken back at once. */
static enum status open_state(struct controller *self, struct error *err)
{
    const char *dir = self->settings->state_dir;
    const char *path = arena_printf(&self->arena, "%s/instance", dir);
    struct id id;

    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, status_from_errno(errno), "cannot make %s: %s", dir, strerror(errno));
    self->state_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->state_lock < 0)
        return error_set(err, status_from_errno(errno), "cannot open %s: %s", path,
                         strerror(errno));
    if (flock(self->state_lock, LOCK_EX | LOCK_NB) < 0)
        return error_set(err, STATUS_ALREADY_EXISTS, "another controller uses %s", dir);
    if (read(self->state_lock, self->instance, ID_TEXT_BYTES - 1) == ID_TEXT_BYTES - 1 &&
        id_parse(self->instance, &id))
        return STATUS_OK;
    id = id_make((uint64_t)clock_unix_us() / 1000, 0, random_u64());
    id_format(&id, self->instance);
    if (ftruncate(self->state_lock, 0) < 0 ||
        pwrite(self->state_lock, self->instance, ID_TEXT_BYTES - 1, 0) < 0 ||
        fsync(self->state_lock) < 0)
        return error_set(err, status_from_errno(errno), "cannot write %s: %s", path,
                         strerror(errno));
    return STATUS_OK;
}

/* ---- the host's callbacks ---- */

static void on_worker_effect(const struct engine_effect *effect, void *userdata)
{
    workers_effect(((struct controller *)userdata)->workers, effect);
}

static void on_worker_flush(void *userdata)
{
    workers_flush(((struct controller *)userdata)->workers);
}

static void on_events(const struct store_events *events, void *userdata)
{
    struct controller *self = userdata;

    if (self->relay)
        relay_events(self->relay, events);
}

/* A controller that owns nothing takes no calls: who has several addresses finds the one that
 * works, and a standby is not it. */
static void listen_once(struct controller *self)
{
    struct error error = {0};

    if (self->listening)
        return;
    self->listening = true;
    if (rpc_server_listen(self->server, self->settings->listen, &error) != STATUS_OK) {
        log_error("controller.listen_failed", LOG_ERR(&error));
        service_shutdown(self->service, true);
        return;
    }
    log_info("controller.listening", LOG_STR("address", rpc_server_address(self->server)));
}

/* All shards are somebody else's for good: callers that hold on to this address must look for the
 * other. The supervisor starts this program again, as a standby. */
static void idle_due(void *userdata)
{
    struct controller *self = userdata;

    if (self->owned)
        return;
    if (self->stands_by) {
        log_info("controller.deposed");
        service_shutdown(self->service, false);
    } else {
        loop_timer_start(self->idle, (uint64_t)self->settings->shard_lease_ms, 0);
    }
}

static void on_shard(uint16_t shard, uint32_t epoch, uint64_t event_acked, void *userdata)
{
    struct controller *self = userdata;

    if (epoch) {
        log_info("shard.owned", LOG_U64("shard", shard), LOG_U64("epoch", epoch));
        listen_once(self);
        self->owned++;
    } else if (self->owned && --self->owned == 0) {
        loop_timer_start(self->idle, (uint64_t)self->settings->shard_lease_ms * 2, 0);
    }
    if (self->relay)
        relay_shard(self->relay, shard, epoch, event_acked);
}

static void on_cluster(const struct store_cluster *cluster, void *userdata)
{
    struct controller *self = userdata;

    log_info("cluster.found", LOG_U64("shards", cluster->shards),
             LOG_U64("timeline", cluster->timeline));
    api_cluster_known(self->api);
}

static void on_health(const char *why, void *userdata)
{
    struct controller *self = userdata;

    self->stands_by = why && strncmp(why, "standing by", strlen("standing by")) == 0;
    service_not_ready(self->service, "controller", why);
    rpc_server_set_serving(self->server, "", why == NULL);
}

/* ---- start and stop ---- */

static struct host *make_host(struct controller *self)
{
    static const struct host_callbacks callbacks = {
        .on_worker_effect = on_worker_effect,
        .on_worker_flush = on_worker_flush,
        .on_events = on_events,
        .on_shard = on_shard,
        .on_cluster = on_cluster,
        .on_health = on_health,
    };
    const struct controller_settings *settings = self->settings;
    struct engine_config config;
    struct store_options store = {.database = settings->database,
                                  .registry = self->registry,
                                  .instance = self->instance,
                                  .address =
                                      settings->advertise ? settings->advertise : settings->listen,
                                  .pooler_transaction = settings->pooler_transaction,
                                  .read_connections = (size_t)settings->read_connections,
                                  .shard_lease_ms = settings->shard_lease_ms,
                                  .renew_ms = settings->shard_renew_ms,
                                  .lease_margin_ms = settings->shard_margin_ms,
                                  .statement_timeout_ms = settings->statement_timeout_ms,
                                  .lock_timeout_ms = settings->lock_timeout_ms,
                                  .retention_ms = settings->retention_ms,
                                  .key_retention_ms = settings->key_retention_ms};

    engine_config_default(&config);
    config.lease_ms = settings->lease_ms;
    config.grace_ms = settings->grace_ms;
    config.cancel_ms = settings->cancel_ms;
    config.park_ms = settings->park_ms;
    config.sweep_ms = settings->sweep_ms;
    config.lost_max = (uint32_t)settings->lost_max;
    config.window_tasks = (uint32_t)settings->window_tasks;
    config.tasks_max = (uint32_t)settings->tasks_max;
    return host_new(service_loop(self->service), &config, &store, &callbacks, self);
}

static enum status controller_prepare(struct controller *self, struct api_options *api,
                                      struct error *err)
{
    const struct controller_settings *settings = self->settings;
    enum status st;

    if (!settings->database || !settings->cluster_key_file)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--database and --cluster-key-file are needed");
    st = cluster_key_load(settings->cluster_key_file, &self->cluster_key, err);
    if (st == STATUS_OK)
        st = read_key(&self->arena, settings->admin_key_file, &api->admin_key, err);
    if (st == STATUS_OK)
        st = read_key(&self->arena, settings->worker_key_file, &api->worker_key, err);
    if (st == STATUS_OK)
        st = service_tls_server(self->service, &settings->tls, &self->server_tls, err);
    if (st == STATUS_OK)
        st = service_tls_client(self->service, &settings->tls, &self->client_tls, err);
    if (st == STATUS_OK)
        st = open_state(self, err);
    if (st == STATUS_OK)
        st = pbjson_registry_new(descriptors(), &self->registry, err);
    return st;
}

static enum status controller_start(struct service *service, void *state, struct error *err)
{
    struct controller *self = state;
    struct loop *loop = service_loop(service);
    struct api_options api = {.cluster_key = &self->cluster_key};
    enum status st;

    self->service = service;
    self->settings = service_settings(service);
    self->state_lock = -1;
    arena_init(&self->arena, 0);
    st = controller_prepare(self, &api, err);
    if (st != STATUS_OK) {
        arena_fini(&self->arena);
        return st;
    }
    service_not_ready(service, "controller", "starting");
    self->idle = loop_timer_new(loop, idle_due, self);
    self->server = rpc_server_new(
        loop, &(struct rpc_server_options){.ping_interval_min_ms = PING_INTERVAL_MIN_MS,
                                           .pings_without_calls = true,
                                           .tls = self->server_tls});
    struct workers_options workers = {.cluster_key = &self->cluster_key,
                                      .registry = self->registry,
                                      .heartbeat_ms = (uint32_t)self->settings->heartbeat_ms,
                                      .lease_ms = (uint32_t)self->settings->lease_ms,
                                      .cancel_grace_ms = (uint32_t)self->settings->cancel_grace_ms,
                                      .logger_address = self->settings->logger};
    self->workers = workers_new(loop, &workers);
    self->host = make_host(self);
    workers_set_host(self->workers, self->host);
    api.registry = self->registry;
    self->api = api_new(loop, self->host, &api);
    api_register(self->api, self->server);
    workers_register(self->workers, self->server);
    rpc_server_add_health(self->server);
    rpc_server_add_reflection(self->server, descriptors());
    if (*self->settings->logger)
        self->relay = relay_new(loop, self->host, self->settings->logger, self->client_tls,
                                &self->cluster_key);
    controller_metrics_start(self->host, self->relay);
    return STATUS_OK;
}

static void host_stopped(void *userdata)
{
    struct controller *self = userdata;

    arena_fini(&self->arena); /* nobody calls any more: the keys in it are not compared again */
    service_duty_stopped(self->service, "controller");
}

/* Calls are over: what they wrote is committed by the store's stop, then the shards are given up.
 */
static void calls_drained(void *userdata)
{
    struct controller *self = userdata;

    host_stop(self->host, host_stopped, self);
}

static void controller_stop(struct service *service, void *state)
{
    struct controller *self = state;

    if (!self->host) {
        service_duty_stopped(service, "controller");
        return;
    }
    workers_drain(self->workers);
    rpc_server_drain(self->server, (uint64_t)self->settings->service.drain_timeout_ms / 2,
                     calls_drained, self);
}

int main(int argc, char **argv)
{
    static const struct service_duty duties[] = {{"controller", controller_start, controller_stop}};
    const struct service_program program = {
        .conf = {.program = "controller",
                 .summary = "owns shards, hands out tasks, records results",
                 .options = controller_options,
                 .option_count = controller_option_count},
        .settings_bytes = sizeof(struct controller_settings),
        .state_bytes = sizeof(struct controller),
        .duties = duties,
        .duty_count = ARRAY_LEN(duties)};

    return service_main(&program, argc, argv);
}
