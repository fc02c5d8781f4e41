/* SPDX-License-Identifier: Apache-2.0 */
/* One channel to each service. A first health check makes them connect; they come back by
 * themselves after that. */
#include "gateway.h"
#include "grpc/health/v1/health.rpc.h"
#include "log/log.h"

struct watcher {
    struct gateway *gateway;
    enum services_backend backend;
    enum rpc_channel_state last;
};
static const char *const not_ready_text[SERVICES_BACKENDS] = {
    [SERVICES_CONTROLLER] = "the controller is not connected",
    [SERVICES_LOGGER] = "the logger is not connected",
};

const char *backends_missing(const struct gateway *gateway)
{
    for (size_t i = 0; i < SERVICES_BACKENDS; i++)
        if (!gateway->channels[i] || rpc_channel_state(gateway->channels[i]) != RPC_READY)
            return not_ready_text[i];
    return NULL;
}

static void state_cb(enum rpc_channel_state state, void *userdata)
{
    struct watcher *watcher = userdata;
    const char *name = services_backend_name(watcher->backend);

    if (state == RPC_READY && watcher->last != RPC_READY)
        log_info("backend.connected", LOG_STR("backend", name));
    if (state != RPC_READY && watcher->last == RPC_READY)
        log_info("backend.lost", LOG_STR("backend", name));
    watcher->last = state;
    service_not_ready(watcher->gateway->service, "backends", backends_missing(watcher->gateway));
}

/* The answer does not matter: a service that answers is connected, and its channel says so. */
static void checked_cb(const Grpc__Health__V1__HealthCheckResponse *response,
                       const struct error *err, void *userdata)
{
    log_debug("backend.checked", LOG_STR("status", status_name(err->status)));
}

static void connect_channel(struct rpc_channel *channel)
{
    static const struct rpc_call_options options = {.wait_for_ready = true};
    Grpc__Health__V1__HealthCheckRequest request;

    grpc__health__v1__health_check_request__init(&request);
    grpc_health_v1_health_check_call(channel, &options, &request, checked_cb, NULL);
}

enum status backends_start(struct gateway *gateway, struct error *err)
{
    const char *targets[SERVICES_BACKENDS] = {
        [SERVICES_CONTROLLER] = gateway->settings->controller,
        [SERVICES_LOGGER] = gateway->settings->logger,
    };
    struct rpc_channel_options options = rpc_channel_defaults(NULL, NULL);

    enum status st =
        service_tls_client(gateway->service, &gateway->settings->tls, &options.tls, err);

    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < SERVICES_BACKENDS; i++) {
        struct watcher *watcher = ARENA_NEW(gateway->arena, struct watcher);

        if (!targets[i] || !targets[i][0])
            return error_set(err, STATUS_INVALID_ARGUMENT, "no address of the %s",
                             services_backend_name((enum services_backend)i));
        watcher->gateway = gateway;
        watcher->backend = (enum services_backend)i;
        gateway->channels[i] = rpc_channel_new(gateway->loop, targets[i], &options);
        rpc_channel_on_state(gateway->channels[i], state_cb, watcher);
        connect_channel(gateway->channels[i]);
    }
    service_not_ready(gateway->service, "backends", backends_missing(gateway));
    return STATUS_OK;
}

void backends_stop(struct gateway *gateway)
{
    for (size_t i = 0; i < SERVICES_BACKENDS; i++) {
        if (gateway->channels[i])
            rpc_channel_free(gateway->channels[i]);
        gateway->channels[i] = NULL;
    }
}
