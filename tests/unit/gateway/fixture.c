/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "fixture.h"

#define SET_BYTES_MAX ((size_t)1024 * 1024)

static struct slice read_set(struct arena *arena)
{
    FILE *file = fopen(TEST_DESCRIPTORS, "rb");
    char *data = arena_alloc(arena, SET_BYTES_MAX);
    size_t len;

    ck_assert_ptr_nonnull(file);
    len = fread(data, 1, SET_BYTES_MAX, file);
    ck_assert_uint_lt(len, SET_BYTES_MAX);
    fclose(file);
    return (struct slice){data, len};
}

const struct schema *fixture_only(struct fixture *fixture, const char *service)
{
    fixture->service = NULL;
    for (size_t i = 0; i < fixture->schema->service_count; i++)
        if (str_eq(fixture->schema->services[i]->full_name, service))
            fixture->service = fixture->schema->services[i];
    ck_assert_ptr_nonnull(fixture->service);
    fixture->only = *fixture->schema;
    fixture->only.services = &fixture->service;
    fixture->only.service_count = 1;
    return &fixture->only;
}

void fixture_init(struct fixture *fixture)
{
    const struct rpc_service_desc *services[] = {&plankton_testing_shelf_desc};
    struct error err = {0};

    memset(fixture, 0, sizeof *fixture);
    arena_init(&fixture->arena, 0);
    fixture->set = read_set(&fixture->arena);
    ck_assert_msg(schema_new(fixture->set, &fixture->schema, &err) == STATUS_OK, "%s", err.message);
    ck_assert_msg(routes_new(fixture_only(fixture, "plankton.testing.Shelf"), services, 1,
                             &fixture->routes, &err) == STATUS_OK,
                  "%s", err.message);
    ck_assert_msg(pbjson_registry_new(fixture->set, &fixture->registry, &err) == STATUS_OK, "%s",
                  err.message);
}

void fixture_fini(struct fixture *fixture)
{
    pbjson_registry_free(fixture->registry);
    routes_free(fixture->routes);
    schema_free(fixture->schema);
    arena_fini(&fixture->arena);
}

const struct route *fixture_route(const struct fixture *fixture, const char *verb, const char *path)
{
    struct route_match match;

    if (routes_match(fixture->routes, verb, slice_of(path), (struct arena *)&fixture->arena,
                     &match) != ROUTE_FOUND)
        return NULL;
    return match.plain ? match.plain : match.stream;
}
