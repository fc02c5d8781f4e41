/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1: the state of each named service; "" is the whole server. */
#include <stdlib.h>
#include "grpc/health/v1/health.rpc.h"
#include "internal.h"

struct health_service {
    struct list node;
    char *name;
    bool serving;
};
struct health_watch {
    struct list node;
    struct rpc_call *call;
    char *name;
    int last; /* the status sent last, -1 = none */
};
struct rpc_health {
    struct list services, watches;
    bool draining;
};

static struct health_service *find_service(struct rpc_health *health, const char *name)
{
    LIST_EACH(&health->services, node)
    {
        struct health_service *service = LIST_ENTRY(node, struct health_service, node);
        if (str_eq(service->name, name))
            return service;
    }
    return NULL;
}

static int status_of(struct rpc_health *health, const char *name)
{
    const struct health_service *service = find_service(health, name);

    if (!service)
        return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
    return service->serving ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                            : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
}

static void check(struct rpc_call *call, const Grpc__Health__V1__HealthCheckRequest *request)
{
    struct rpc_health *health = rpc_call_service(call);
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    struct error err = {0};

    if (!find_service(health, request->service)) {
        error_set(&err, STATUS_NOT_FOUND, "unknown service");
        rpc_call_fail(call, &err);
        return;
    }
    response.status =
        (Grpc__Health__V1__HealthCheckResponse__ServingStatus)status_of(health, request->service);
    grpc_health_v1_health_check_reply(call, &response);
}

static void watch_send(struct rpc_health *health, struct health_watch *watch)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    int status = status_of(health, watch->name);

    if (status == watch->last || !rpc_call_writable(watch->call))
        return;
    response.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)status;
    /* A watcher that does not read misses states in between, not the last one: that comes when it
     * reads again. */
    if (grpc_health_v1_health_watch_send(watch->call, &response) == STATUS_OK)
        watch->last = status;
}

static void watch_writable(struct rpc_call *call, void *userdata)
{
    watch_send(rpc_call_service(call), userdata);
}

static void watch_close(struct rpc_call *call, enum status status, const struct error *err,
                        void *userdata)
{
    struct health_watch *watch = userdata;

    list_remove(&watch->node);
}

/* Watches have no end of their own and would hold up the drain. */
static void watch_end(struct health_watch *watch)
{
    struct error err = {0};

    error_set(&err, STATUS_UNAVAILABLE, "the server is stopping");
    rpc_call_fail(watch->call, &err);
}

static void watch(struct rpc_call *call, const Grpc__Health__V1__HealthCheckRequest *request)
{
    static const struct rpc_callbacks callbacks = {.on_writable = watch_writable,
                                                   .on_close = watch_close};
    struct rpc_health *health = rpc_call_service(call);
    struct health_watch *self = ARENA_NEW(rpc_call_arena(call), struct health_watch);

    self->call = call;
    self->name = arena_strdup(rpc_call_arena(call), request->service);
    self->last = -1;
    list_push(&health->watches, &self->node);
    rpc_call_set_callbacks(call, &callbacks, self);
    watch_send(health, self);
    if (health->draining)
        watch_end(self);
}

void rpc_server_add_health(struct rpc_server *server)
{
    static const struct grpc_health_v1_health_ops ops = {.check = check, .watch = watch};

    server->health = mem_zalloc(sizeof *server->health);
    list_init(&server->health->services);
    list_init(&server->health->watches);
    rpc_server_set_serving(server, "", true);
    /* Open to all: load balancers and container engines have no key. */
    rpc__server_add(server, &grpc_health_v1_health_desc, &ops, server->health, true);
}

static void send_all(struct rpc_health *health)
{
    LIST_EACH(&health->watches, node)
    watch_send(health, LIST_ENTRY(node, struct health_watch, node));
}

void rpc_server_set_serving(struct rpc_server *server, const char *name, bool serving)
{
    struct health_service *service;

    if (!server->health)
        return;
    service = find_service(server->health, name);
    if (!service) {
        service = mem_zalloc(sizeof *service);
        service->name = mem_strdup(name);
        list_push(&server->health->services, &service->node);
    }
    service->serving = serving;
    send_all(server->health);
}

void rpc__health_drain(struct rpc_health *health)
{
    health->draining = true;
    LIST_EACH(&health->services, node)
    LIST_ENTRY(node, struct health_service, node)->serving = false;
    send_all(health);
    LIST_EACH(&health->watches, node)
    watch_end(LIST_ENTRY(node, struct health_watch, node));
}

void rpc__health_free(struct rpc_health *health)
{
    if (!health)
        return;
    LIST_EACH(&health->services, node)
    {
        struct health_service *service = LIST_ENTRY(node, struct health_service, node);
        free(service->name);
        free(service);
    }
    free(health);
}
