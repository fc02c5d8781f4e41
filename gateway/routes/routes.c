/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

static const struct rpc_method *find_method(const struct rpc_service_desc *const *services,
                                            size_t service_count, const char *path)
{
    for (size_t i = 0; i < service_count; i++)
        for (size_t j = 0; j < services[i]->method_count; j++)
            if (str_eq(services[i]->methods[j]->path, path))
                return services[i]->methods[j];
    return NULL;
}

static enum status add_rule(struct routes *routes, const struct schema_service *service,
                            const struct schema_method *method, const struct schema_rule *rule,
                            const struct rpc_method *rpc, struct error *err)
{
    struct route *route = ARENA_NEW(routes->arena, struct route);
    struct template template;
    enum status st;

    *route = (struct route){.verb = rule->verb,
                            .template = rule->path,
                            .service = service->full_name,
                            .schema = method,
                            .method = rpc,
                            .response_body = ""};
    st = template_parse(rule->path, routes->arena, &template, err);
    if (st == STATUS_OK)
        st = route_derive(route, rule, &template, err);
    if (st == STATUS_OK)
        st = table_add(routes, &template, route, err);
    if (st == STATUS_OK)
        routes->list[routes->count++] = route;
    return st;
}

static enum status add_method(struct routes *routes, const struct schema_service *service,
                              const struct schema_method *method,
                              const struct rpc_service_desc *const *services, size_t service_count,
                              struct error *err)
{
    const struct rpc_method *rpc = find_method(services, service_count, method->path);

    if (method->rule_count && !rpc)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s has a route but no generated table",
                         method->path);
    for (size_t i = 0; i < method->rule_count; i++) {
        enum status st = add_rule(routes, service, method, &method->rules[i], rpc, err);

        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static size_t count_rules(const struct schema *schema)
{
    size_t n = 0;

    for (size_t i = 0; i < schema->service_count; i++)
        for (size_t j = 0; j < schema->services[i]->method_count; j++)
            n += schema->services[i]->methods[j].rule_count;
    return n;
}

enum status routes_new(const struct schema *schema, const struct rpc_service_desc *const *services,
                       size_t service_count, struct routes **ret, struct error *err)
{
    struct arena *arena = arena_new(0);
    struct routes *routes = ARENA_NEW(arena, struct routes);

    routes->arena = arena;
    routes->list = ARENA_ARRAY(arena, struct route *, count_rules(schema));
    for (size_t i = 0; i < schema->service_count; i++) {
        const struct schema_service *service = schema->services[i];

        for (size_t j = 0; j < service->method_count; j++) {
            enum status st =
                add_method(routes, service, &service->methods[j], services, service_count, err);

            if (st != STATUS_OK) {
                routes_free(routes);
                return st;
            }
        }
    }
    for (size_t i = 0; i < routes->count; i++)
        route_derive_location(routes, routes->list[i]);
    *ret = routes;
    return STATUS_OK;
}

void routes_free(struct routes *routes)
{
    if (routes)
        arena_free(routes->arena);
}

void routes_freep(struct routes **routes)
{
    routes_free(*routes);
    *routes = NULL;
}

size_t routes_count(const struct routes *routes)
{
    return routes->count;
}

const struct route *routes_at(const struct routes *routes, size_t index)
{
    return index < routes->count ? routes->list[index] : NULL;
}
