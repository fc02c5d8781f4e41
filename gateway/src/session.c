/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Browsers trade a key or a one-time token for a session key, which they keep in a cookie that no
 * script can read. The gateway keeps nothing: the cookie's value is the session key itself, and the
 * controller says whether it is still good.
 */
#include <inttypes.h>

#include "base/map.h"
#include "plankton/v1/keys.rpc.h"
#include "reply.h"
#include "routes/bind.h"

#define LOGIN_SLOTS 256u          /* addresses that are watched at a time */
#define LOGIN_FAILURES_MAX 10u    /* of one address in a window */
#define LOGIN_WINDOW_US 60000000u /* 1 min */
#define LOGIN_BODY_BYTES_MAX 4096u
#define SESSION_BYTES_MAX 256u

/* Failed logins by address, in a table of fixed size: two addresses may share a slot, and then the
 * limit, for a minute. */
struct gateway_logins {
    struct login_slot {
        uint64_t since_us;
        uint32_t failures;
    } slots[LOGIN_SLOTS];
};

struct login {
    struct exchange *exchange;
    bool by_link; /* GET: the answer is a page */
};

void session_init(struct gateway *gateway)
{
    gateway->logins = ARENA_NEW(gateway->arena, struct gateway_logins);
}

static struct login_slot *slot_of(const struct exchange *exchange)
{
    const char *peer = exchange->request->peer;
    const char *port = strrchr(peer, ':');
    size_t len = port ? (size_t)(port - peer) : strlen(peer);
    struct login_slot *slot =
        &exchange->gateway->logins->slots[hash_bytes(peer, len) % LOGIN_SLOTS];

    if (exchange->started_us - slot->since_us > LOGIN_WINDOW_US)
        *slot = (struct login_slot){.since_us = exchange->started_us};
    return slot;
}

static const char *cookie_text(const struct exchange *exchange, const char *value,
                               int64_t max_age_s)
{
    return arena_printf(
        exchange->request->arena,
        GATEWAY_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%" PRId64 "%s", value,
        max_age_s, exchange->gateway->settings->secure_cookies ? "; Secure" : "");
}

static void redirect(struct exchange *exchange, const char *where, const char *cookie)
{
    struct reply reply;

    reply_init(&reply, exchange, 303, NULL);
    reply_header(&reply, "Location", where);
    reply_header(&reply, "Set-Cookie", cookie);
    reply_send(exchange, &reply);
}

static void failed(struct login *login, const struct error *err)
{
    struct exchange *exchange = login->exchange;
    bool html = edge_accepts(http1_header(exchange->request, "accept"), "text/html");

    if (err->status == STATUS_UNAUTHENTICATED)
        slot_of(exchange)->failures++;
    if (login->by_link && html && err->status == STATUS_UNAUTHENTICATED)
        redirect(exchange, "/login?failed=1", NULL);
    else
        reply_problem(exchange, err);
}

static bool is_cookie_value(const char *text)
{
    return text && text[0] && strlen(text) <= SESSION_BYTES_MAX &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "-_.~+/=")] == '\0';
}

static void created_cb(const Plankton__V1__CreatedKey *created, const struct error *err,
                       void *userdata)
{
    struct login *login = userdata;
    struct exchange *exchange = login->exchange;
    const char *secret = created ? created->secret : NULL;
    int64_t max_age_s = 12 * 3600; /* when the key does not say when it ends */
    struct error broken = {0};
    struct reply reply;

    if (!created) {
        failed(login, err);
        return;
    }
    if (!is_cookie_value(secret)) {
        (void)error_set(&broken, STATUS_INTERNAL, "the controller gave no usable session key");
        failed(login, &broken);
        return;
    }
    if (created->key && created->key->expires_at)
        max_age_s = created->key->expires_at->seconds - clock_unix_us() / 1000000;
    if (login->by_link) {
        redirect(exchange, "/", cookie_text(exchange, secret, MAX_OF(max_age_s, 1)));
        return;
    }
    reply_init(&reply, exchange, 204, NULL);
    reply_header(&reply, "Set-Cookie", cookie_text(exchange, secret, MAX_OF(max_age_s, 1)));
    reply_send(exchange, &reply);
}

static void create(struct exchange *exchange, const char *token, bool by_link)
{
    struct login *login = ARENA_NEW(exchange->request->arena, struct login);
    struct gateway *gateway = exchange->gateway;
    struct rpc_call_options options = {
        .timeout_ms = (uint64_t)gateway->settings->call_timeout_ms,
        .metadata = call_metadata(exchange),
    };
    Plankton__V1__CreateSessionRequest request;

    login->exchange = exchange;
    login->by_link = by_link;
    if (slot_of(exchange)->failures >= LOGIN_FAILURES_MAX) {
        reply_error(exchange, STATUS_RESOURCE_EXHAUSTED, "TOO_MANY_LOGINS",
                    "too many failed logins from this address; wait a minute");
        return;
    }
    plankton__v1__create_session_request__init(&request);
    request.token = (char *)token;
    plankton_v1_keys_create_session_call(gateway->channels[SERVICES_CONTROLLER], &options, &request,
                                         created_cb, login);
}

/* A one-time link: /login?token=… */
static void login_by_link(struct exchange *exchange)
{
    struct http1_request *request = exchange->request;
    const char *token = NULL;
    struct slice name, value;
    size_t pos = 0;

    while (http1_query_next(request, &pos, &name, &value))
        if (slice_is(name, "token"))
            token = arena_strndup(request->arena, value.data, value.len);
    if (token && token[0])
        create(exchange, token, true);
    else
        reply_error(exchange, STATUS_INVALID_ARGUMENT, NULL, "the link has no token");
}

static void login_by_body(struct exchange *exchange)
{
    struct http1_request *request = exchange->request;
    ProtobufCMessage *message = NULL;
    struct error err = {0};

    if (edge_content(http1_header(request, "content-type")) != EDGE_JSON) {
        reply_error(exchange, STATUS_INVALID_ARGUMENT, "UNSUPPORTED_TYPE",
                    "Content-Type must be application/json");
        return;
    }
    if (request->body.len > LOGIN_BODY_BYTES_MAX) {
        reply_error(exchange, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE",
                    "a login is at most 4 KiB");
        return;
    }
    if (pbjson_from_text(exchange->gateway->registry,
                         &plankton__v1__create_session_request__descriptor, request->body,
                         request->arena, NULL, &message, &err) != STATUS_OK) {
        reply_problem(exchange, &err);
        return;
    }
    create(exchange, ((const Plankton__V1__CreateSessionRequest *)message)->token, false);
}

static enum edge_origin origin_of(const struct http1_request *request)
{
    return edge_origin(http1_header(request, "origin"), http1_header(request, "sec-fetch-site"),
                       request->host);
}

void session_login(struct exchange *exchange)
{
    if (!str_eq(exchange->request->method, "POST")) {
        login_by_link(exchange);
        return;
    }
    /* A foreign page must not log a browser in as somebody else. */
    if (origin_of(exchange->request) == EDGE_ORIGIN_OTHER)
        reply_error(exchange, STATUS_PERMISSION_DENIED, "CROSS_ORIGIN",
                    "a login may not come from another site");
    else
        login_by_body(exchange);
}

static void ended_cb(const Plankton__V1__EndSessionResponse *response, const struct error *err,
                     void *userdata)
{
    struct exchange *exchange = userdata;
    struct reply reply;

    /* A session that is unknown or over is what was asked for. */
    if (err->status != STATUS_OK && err->status != STATUS_UNAUTHENTICATED) {
        reply_problem(exchange, err);
        return;
    }
    reply_init(&reply, exchange, 204, NULL);
    reply_header(&reply, "Set-Cookie", cookie_text(exchange, "", 0));
    reply_send(exchange, &reply);
}

void session_logout(struct exchange *exchange)
{
    static const struct error gone = {.status = STATUS_UNAUTHENTICATED};
    struct gateway *gateway = exchange->gateway;
    struct rpc_call_options options = {
        .timeout_ms = (uint64_t)gateway->settings->call_timeout_ms,
        .authorization = exchange->authorization,
        .metadata = call_metadata(exchange),
    };
    Plankton__V1__EndSessionRequest request;

    if (!exchange->authorization) {
        ended_cb(NULL, &gone, exchange);
        return;
    }
    plankton__v1__end_session_request__init(&request);
    plankton_v1_keys_end_session_call(gateway->channels[SERVICES_CONTROLLER], &options, &request,
                                      ended_cb, exchange);
}
