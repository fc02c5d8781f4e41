/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes from outside before any service sees it: the path through the route table, its values
 * and the query into a message, and the checks of headers. The first byte chooses the HTTP method;
 * behind it stand path, "?", query; and after a NUL a body.
 */
#include <stdio.h>
#include <stdlib.h>

#include "edge/edge.h"
#include "routes/bind.h"
#include "shelf.rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)
#define SET_BYTES_MAX ((size_t)1024 * 1024)
#define PAIRS_MAX 16

static const char *const verbs[] = {"GET", "POST", "PUT", "HEAD"};
static struct routes *routes;
static struct pbjson_registry *registry;

static void prepare(void)
{
    static char set[SET_BYTES_MAX];
    static const struct schema_service *only[1];
    const struct rpc_service_desc *services[] = {&plankton_testing_shelf_desc};
    FILE *file = fopen(TEST_DESCRIPTORS, "rb");
    struct schema *schema;
    size_t len;

    REQUIRE(file);
    len = fread(set, 1, sizeof set, file);
    fclose(file);
    REQUIRE(schema_new((struct slice){set, len}, &schema, NULL) == STATUS_OK);
    for (size_t i = 0; i < schema->service_count; i++)
        if (str_eq(schema->services[i]->full_name, "plankton.testing.Shelf"))
            only[0] = schema->services[i];
    schema->services = only;
    schema->service_count = 1;
    REQUIRE(routes_new(schema, services, 1, &routes, NULL) == STATUS_OK);
    REQUIRE(pbjson_registry_new((struct slice){set, len}, &registry, NULL) == STATUS_OK);
}

static size_t cut_query(struct slice query, struct bind_pair *pairs)
{
    size_t n = 0;

    while (query.len && n < PAIRS_MAX) {
        const char *end = memchr(query.data, '&', query.len);
        size_t len = end ? (size_t)(end - query.data) : query.len;
        const char *equals = memchr(query.data, '=', len);
        size_t name = equals ? (size_t)(equals - query.data) : len;

        pairs[n].name = (struct slice){query.data, name};
        pairs[n].value =
            equals ? (struct slice){equals + 1, len - name - 1} : (struct slice){"", 0};
        n++;
        query.data += len + (end != NULL);
        query.len -= len + (end != NULL);
    }
    return n;
}

static void bind_one(const struct route *route, const struct route_match *match, struct slice query,
                     struct slice body, struct arena *arena)
{
    struct bind_pair pairs[PAIRS_MAX];
    struct bind_request request = {
        .route = route,
        .values = match->values,
        .query = pairs,
        .query_count = cut_query(query, pairs),
        .body = body,
        .content = BIND_JSON,
    };
    ProtobufCMessage *message = NULL;
    struct error err = {0};
    int64_t wait_ms;
    enum status st = bind_message(registry, &request, arena, &message, &wait_ms, &err);

    if (st == STATUS_OK) {
        REQUIRE(message && message->descriptor == route->method->input && wait_ms >= 0);
        REQUIRE(protobuf_c_message_get_packed_size(message) < SIZE_MAX / 2);
    } else {
        REQUIRE(err.status == st && err.message[0]);
    }
}

static void check_headers(struct slice text, struct arena *arena)
{
    struct edge_hosts hosts;

    if (edge_hosts_parse(arena_strndup(arena, text.data, text.len), arena, &hosts, NULL) ==
        STATUS_OK)
        edge_host_allowed(&hosts, text);
    edge_origin(text, (struct slice){0}, text);
    edge_cookie(text, "a");
    edge_content(text);
    edge_accepts(text, "text/html");
    edge_matches_etag(text, "\"a\"");
    REQUIRE(!edge_request_id_valid(text) || !memchr(text.data, '\n', text.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1, *nul, *mark;
    struct slice path, query = {"", 0}, body = {"", 0};
    struct route_match match;
    struct arena arena;

    if (!routes)
        prepare();
    if (size < 2)
        return 0;
    path = (struct slice){text, size - 1};
    nul = memchr(path.data, 0, path.len);
    if (nul) {
        body = (struct slice){nul + 1, (size_t)(path.data + path.len - nul) - 1};
        path.len = (size_t)(nul - path.data);
    }
    arena_init(&arena, 0);
    check_headers(path, &arena);
    mark = memchr(path.data, '?', path.len);
    if (mark) {
        query = (struct slice){mark + 1, (size_t)(path.data + path.len - mark) - 1};
        path.len = (size_t)(mark - path.data);
    }
    if (routes_match(routes, verbs[data[0] % ARRAY_LEN(verbs)], path, &arena, &match) ==
        ROUTE_FOUND) {
        REQUIRE(match.plain || match.stream);
        bind_one(match.plain ? match.plain : match.stream, &match, query, body, &arena);
    }
    arena_fini(&arena);
    return 0;
}
