/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request goes: what must hold for every request first, then the few addresses that are no
 * method of a service, then the route table, then the web interface. */
#include "log/log.h"
#include "plankton/v1/access.pb-c.h"
#include "reply.h"

#define REQUEST_ID_BYTES (16 + 1 + 12 + 1) /* hex digits and a NUL */

/* ---- addresses of the gateway itself ---- */

static void answer_text(struct exchange *exchange, unsigned http_status, const char *text)
{
    struct reply reply;

    reply_init(&reply, exchange, http_status, "text/plain; charset=utf-8");
    reply.body = slice_of(text);
    reply_send(exchange, &reply);
}

static void serve_live(struct exchange *exchange)
{
    answer_text(exchange, 200, "ok\n");
}

static void serve_ready(struct exchange *exchange)
{
    const char *missing = backends_missing(exchange->gateway);

    if (missing)
        answer_text(exchange, 503, arena_printf(exchange->request->arena, "%s\n", missing));
    else
        answer_text(exchange, 200, "ok\n");
}

static struct site_request site_request_of(const struct http1_request *request)
{
    return (struct site_request){
        .path = slice_of(request->path),
        .accept_encoding = http1_header(request, "accept-encoding"),
        .if_none_match = http1_header(request, "if-none-match"),
    };
}

static void serve_reference(struct exchange *exchange)
{
    struct site_request request = site_request_of(exchange->request);
    const struct site_file *file = site_find(request.path);
    struct site_answer answer;

    if (!file) {
        reply_error(exchange, STATUS_NOT_FOUND, NULL, "not found");
        return;
    }
    site_answer_file(file, &request, &answer);
    reply_site(exchange, &answer);
}

static void serve_site(struct exchange *exchange)
{
    const char *folder = exchange->gateway->settings->ui_dir;
    struct site_request request = site_request_of(exchange->request);
    struct site_answer answer;

    if (folder && folder[0])
        site_answer_from_folder(folder, &request, exchange->request->arena, &answer);
    else
        site_answer(&request, &answer);
    reply_site(exchange, &answer);
}

/* GET /login with a token is a login; without one it is a page of the web interface. */
static void serve_login(struct exchange *exchange)
{
    if (str_eq(exchange->request->method, "GET") && strstr(exchange->request->query, "token="))
        session_login(exchange);
    else if (str_eq(exchange->request->method, "POST"))
        session_login(exchange);
    else
        serve_site(exchange);
}

struct address {
    const char *path, *allow;
    void (*serve)(struct exchange *exchange);
    bool any_host; /* probes come by address */
};
static const struct address addresses[] = {
    {"/livez", "GET, HEAD", serve_live, true},
    {"/readyz", "GET, HEAD", serve_ready, true},
    {"/login", "GET, HEAD, POST", serve_login, false},
    {"/logout", "POST", session_logout, false},
    {"/api/v1/openapi.json", "GET, HEAD", serve_reference, false},
    {"/api/v1/schema/plan.json", "GET, HEAD", serve_reference, false},
    {"/api/docs", "GET, HEAD", serve_reference, false},
    {"/api/docs.css", "GET, HEAD", serve_reference, false},
};

static const struct address *find_address(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        if (str_eq(addresses[i].path, path))
            return &addresses[i];
    return NULL;
}

static bool allows(const char *allow, const char *method)
{
    const char *at = strstr(allow, method);
    size_t len = strlen(method);

    return at && (at[len] == ',' || !at[len]) && (at == allow || at[-1] == ' ');
}

/* ---- what holds for all ---- */

/* Random for this process, then counted. By hand: printf was 2 % of a request. */
static const char *new_request_id(struct gateway *gateway, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t number = gateway->id_next++;
    char *id = arena_alloc(arena, REQUEST_ID_BYTES);

    for (size_t i = 0; i < 16; i++)
        id[i] = digits[(gateway->id_prefix >> (60 - 4 * i)) & 15];
    id[16] = '-';
    for (size_t i = 0; i < 12; i++)
        id[17 + i] = digits[(number >> (44 - 4 * i)) & 15];
    id[REQUEST_ID_BYTES - 1] = '\0';
    return id;
}

static void identify(struct exchange *exchange)
{
    struct slice given = http1_header(exchange->request, "x-request-id");
    struct arena *arena = exchange->request->arena;

    if (edge_request_id_valid(given))
        exchange->request_id = arena_strndup(arena, given.data, given.len);
    else
        exchange->request_id = new_request_id(exchange->gateway, arena);
}

/* A credential in Authorization wins over the cookie. */
static void read_credential(struct exchange *exchange)
{
    const struct http1_request *request = exchange->request;
    struct slice header = http1_header(request, "authorization"), cookie;

    if (header.data) {
        exchange->authorization = arena_strndup(request->arena, header.data, header.len);
        return;
    }
    cookie = edge_cookie(http1_header(request, "cookie"), GATEWAY_COOKIE);
    if (!cookie.len)
        return;
    exchange->by_cookie = true;
    exchange->authorization =
        arena_printf(request->arena, "Bearer %.*s", (int)cookie.len, cookie.data);
}

static bool is_safe(const char *method)
{
    return str_eq(method, "GET") || str_eq(method, "HEAD");
}

/* Browsers send the cookie by themselves, so what changes things must be known to come from our own
 * pages. */
static bool is_forged(const struct exchange *exchange)
{
    const struct http1_request *request = exchange->request;

    if (!exchange->by_cookie || is_safe(request->method))
        return false;
    return edge_origin(http1_header(request, "origin"), http1_header(request, "sec-fetch-site"),
                       request->host) != EDGE_ORIGIN_SAME;
}

/* ---- methods of services ---- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void serve_method(struct exchange *exchange, const struct route_match *match)
{
    const struct route *route = match->plain ? match->plain : match->stream;
    bool public = (route->schema->access & (1u << PLANKTON__V1__ROLE__ROLE_PUBLIC)) != 0;

    if (!exchange->authorization && !public)
        reply_error(exchange, STATUS_UNAUTHENTICATED, NULL,
                    "give an API key: Authorization: Bearer …");
    else
        call_start(exchange, match);
}

static void serve_api(struct exchange *exchange)
{
    const struct http1_request *request = exchange->request;
    struct route_match match;

    switch (routes_match(exchange->gateway->routes, request->method, slice_of(request->path),
                         request->arena, &match)) {
    case ROUTE_FOUND:
        serve_method(exchange, &match);
        break;
    case ROUTE_NO_VERB:
        reply_not_allowed(exchange, match.allow);
        break;
    case ROUTE_NO_PATH:
        reply_error(exchange, STATUS_NOT_FOUND, NULL, "no such address");
        break;
    }
}

static void dispatch(struct exchange *exchange)
{
    const struct http1_request *request = exchange->request;
    const struct address *address = find_address(request->path);

    if (!(address && address->any_host) &&
        !edge_host_allowed(&exchange->gateway->hosts, request->host)) {
        reply_error(exchange, STATUS_PERMISSION_DENIED, "HOST_NOT_ALLOWED",
                    "this Host is not served; see --allowed-hosts");
        return;
    }
    read_credential(exchange);
    if (is_forged(exchange))
        reply_error(exchange, STATUS_PERMISSION_DENIED, "CROSS_ORIGIN",
                    "a browser's request must come from this site's own pages");
    else if (address && !allows(address->allow, request->method))
        reply_not_allowed(exchange, address->allow);
    else if (address)
        address->serve(exchange);
    else if (starts_with(request->path, "/api/") || str_eq(request->path, "/api"))
        serve_api(exchange);
    else if (is_safe(request->method))
        serve_site(exchange);
    else
        reply_not_allowed(exchange, "GET, HEAD");
}

static void request_cb(struct http1_request *request, void *userdata)
{
    struct exchange *exchange = ARENA_NEW(request->arena, struct exchange);

    exchange->gateway = userdata;
    exchange->request = request;
    exchange->started_us = clock_monotonic_us();
    identify(exchange);
    dispatch(exchange);
}

/* ---- life ---- */

enum status server_start(struct gateway *gateway, struct error *err)
{
    const struct gateway_settings *settings = gateway->settings;
    struct http1_options options = {
        .body_bytes_max = (size_t)settings->body_bytes_max,
        .connections_max = (size_t)settings->connections_max,
        .header_timeout_ms = (uint64_t)settings->header_timeout_ms,
        .idle_timeout_ms = (uint64_t)settings->idle_timeout_ms,
        .write_stall_ms = (uint64_t)settings->write_stall_ms,
    };
    enum status st;

    gateway->id_prefix = random_u64();
    gateway->server = http1_server_new(gateway->loop, &options, request_cb, gateway);
    st = http1_server_listen(gateway->server, settings->listen, err);
    if (st != STATUS_OK)
        return st;
    log_info("gateway.listening", LOG_STR("address", http1_server_address(gateway->server, 0)),
             LOG_BOOL("interface", site_has_interface()));
    return STATUS_OK;
}

void server_stop(struct gateway *gateway, void (*done)(void *userdata), void *userdata)
{
    stream_end_all(gateway);
    http1_server_drain(gateway->server, done, userdata);
}

void server_free(struct gateway *gateway)
{
    http1_server_free(gateway->server);
    gateway->server = NULL;
}
