/* SPDX-License-Identifier: Apache-2.0 */
#include "descriptors/descriptors.h"
#include "gateway.h"
#include "reply.h"

#define OPTION(name, type, fallback, min, max, field, help)                                        \
    CONF_OPTION(name, type, fallback, min, max, struct gateway_settings, field, help)

static const struct conf_option options[] = {
    OPTION("listen", CONF_TEXT, "127.0.0.1:8080", 0, 0, listen, "address for HTTP"),
    OPTION("controller", CONF_TEXT, "127.0.0.1:8081", 0, 0, controller,
           "the controller's gRPC address, or several separated by commas"),
    OPTION("logger", CONF_TEXT, "127.0.0.1:8082", 0, 0, logger,
           "the logger's gRPC address, or several separated by commas"),
    OPTION("ui-dir", CONF_TEXT, NULL, 0, 0, ui_dir,
           "serve the web interface from this folder instead of the embedded one (development)"),
    OPTION("allowed-hosts", CONF_TEXT, NULL, 0, 0, allowed_hosts,
           "names under which browsers may reach this gateway, besides loopback ones; * is any"),
    OPTION("secure-cookies", CONF_BOOL, "false", 0, 0, secure_cookies,
           "mark cookies Secure: browsers reach this gateway by HTTPS only"),
    OPTION("body-bytes-max", CONF_BYTES, "8Mi", 1024, 1 << 30, body_bytes_max,
           "largest body of a request"),
    OPTION("connections-max", CONF_INT, "1024", 1, 1000000, connections_max,
           "open connections; further ones are closed"),
    OPTION("streams-per-client", CONF_INT, "128", 1, 10000, streams_per_client,
           "event streams open for one credential"),
    OPTION("call-timeout", CONF_DURATION, "30s", 1, 3600000, call_timeout_ms,
           "longest wait for a service's answer"),
    OPTION("wait-margin", CONF_DURATION, "5s", 0, 3600000, wait_margin_ms,
           "time that a call with ?wait= has beyond it"),
    OPTION("heartbeat", CONF_DURATION, "15s", 10, 3600000, heartbeat_ms,
           "a comment goes into every event stream so often"),
    OPTION("header-timeout", CONF_DURATION, "10s", 10, 3600000, header_timeout_ms,
           "a request's head must be there within"),
    OPTION("idle-timeout", CONF_DURATION, "60s", 10, 3600000, idle_timeout_ms,
           "connections without a request are closed after"),
    OPTION("write-stall", CONF_DURATION, "30s", 10, 3600000, write_stall_ms,
           "clients that take nothing for so long are cut off"),
    SERVICE_TLS_OPTIONS(struct gateway_settings, tls),
};

static enum status routes_start(struct service *service, void *state, struct error *err)
{
    struct gateway *gateway = state;
    struct slice set = {plankton_descriptor_set, plankton_descriptor_set_bytes};
    enum status st;

    gateway->service = service;
    gateway->loop = service_loop(service);
    gateway->settings = service_settings(service);
    gateway->arena = arena_new(0);
    list_init(&gateway->streams);
    reply_metrics_init();
    session_init(gateway);
    st = edge_hosts_parse(gateway->settings->allowed_hosts, gateway->arena, &gateway->hosts, err);
    if (st == STATUS_OK)
        st = schema_new(set, &gateway->schema, err);
    if (st == STATUS_OK)
        st = routes_new(gateway->schema, services_all, services_all_count, &gateway->routes, err);
    if (st == STATUS_OK)
        st = pbjson_registry_new(set, &gateway->registry, err);
    return st;
}

static void routes_stop(struct service *service, void *state)
{
    struct gateway *gateway = state;

    pbjson_registry_free(gateway->registry);
    routes_free(gateway->routes);
    schema_free(gateway->schema);
    arena_free(gateway->arena);
    gateway->registry = NULL;
    gateway->routes = NULL;
    gateway->schema = NULL;
    gateway->arena = NULL;
    service_duty_stopped(service, "routes");
}

static enum status backends_duty_start(struct service *service, void *state, struct error *err)
{
    return backends_start(state, err);
}

static void backends_duty_stop(struct service *service, void *state)
{
    backends_stop(state);
    service_duty_stopped(service, "backends");
}

static enum status http_start(struct service *service, void *state, struct error *err)
{
    return server_start(state, err);
}

static void http_drained(void *userdata)
{
    struct gateway *gateway = userdata;

    server_free(gateway);
    service_duty_stopped(gateway->service, "http");
}

static void http_stop(struct service *service, void *state)
{
    struct gateway *gateway = state;

    if (gateway->server)
        server_stop(gateway, http_drained, gateway);
    else
        service_duty_stopped(service, "http");
}

/* Stopped in reverse: no more requests, then no more calls, then the tables that both read. */
static const struct service_duty duties[] = {
    {"routes", routes_start, routes_stop},
    {"backends", backends_duty_start, backends_duty_stop},
    {"http", http_start, http_stop},
};

int main(int argc, char **argv)
{
    static const struct service_program program = {
        .conf = {.program = "gateway",
                 .summary = "HTTP, JSON and event streams for browsers and scripts",
                 .options = options,
                 .option_count = ARRAY_LEN(options)},
        .settings_bytes = sizeof(struct gateway_settings),
        .state_bytes = sizeof(struct gateway),
        .duties = duties,
        .duty_count = ARRAY_LEN(duties),
    };

    return service_main(&program, argc, argv);
}
