/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, sessions and login tokens. */
#include "api_internal.h"

#include "log/log.h"

#define SESSION_LIFETIME_US (INT64_C(12) * 3600 * 1000000)
#define LOGIN_LIFETIME_US (INT64_C(600) * 1000000)
#define LOGIN_LIFETIME_US_MAX (INT64_C(3600) * 1000000)
#define KEY_NAME_BYTES_MAX 64

struct key_op {
    struct api *api;
    struct rpc_call *call;
    char secret[API_KEY_TEXT_BYTES];
    const char *filter;
    uint32_t limit;
};

static struct key_op *key_op_new(struct rpc_call *call)
{
    struct key_op *op = arena_zalloc(rpc_call_arena(call), sizeof *op);

    op->api = rpc_call_service(call);
    op->call = rpc_call_ref(call);
    return op;
}

static Plankton__V1__Key *convert_key(struct arena *arena, const struct store_key *key)
{
    Plankton__V1__Key *out = ARENA_NEW(arena, Plankton__V1__Key);

    plankton__v1__key__init(out);
    out->id = convert_id(arena, &key->id);
    out->name = arena_strdup(arena, key->name);
    out->role = (Plankton__V1__Role)key->role;
    out->created_at = convert_time(arena, key->created_us);
    out->expires_at = convert_time(arena, key->expires_us);
    out->revoked_at = convert_time(arena, key->revoked_us);
    out->last_used_at = convert_time(arena, key->last_used_us);
    return out;
}

static void key_created(const struct store_key *key, const struct error *err, void *userdata)
{
    struct key_op *op = userdata;
    Plankton__V1__CreatedKey reply = PLANKTON__V1__CREATED_KEY__INIT;

    if (err || !key) {
        rpc_call_fail(op->call, err);
    } else {
        reply.key = convert_key(rpc_call_arena(op->call), key);
        reply.secret = op->secret;
        plankton_v1_keys_create_key_reply(op->call, &reply);
    }
    rpc_call_unref(op->call);
}

static void key_insert(struct key_op *op, struct store_key *key)
{
    struct host *host = op->api->host;

    api_key_make(op->secret);
    api_key_digest(op->secret, key->digest);
    key->id = host_new_id(host, host_home_shard(host, key->namespace_id));
    key->created_us = host_now_us(host);
    store_key_insert(host_store(host), key, key_created, op);
}

static void keys_create(struct rpc_call *call, const Plankton__V1__CreateKeyRequest *request)
{
    struct api *api = rpc_call_service(call);
    const struct api_principal *principal = api_principal_of(call);
    struct error error = {0};
    int64_t now = host_now_us(api->host), lifetime = 0;

    if (api_check_text(request->name, KEY_NAME_BYTES_MAX, "name", &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    if (request->role != PLANKTON__V1__ROLE__ROLE_ADMIN &&
        request->role != PLANKTON__V1__ROLE__ROLE_WORKER) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "role",
                 "role must be ROLE_ADMIN or ROLE_WORKER");
        return;
    }
    if (request->lifetime)
        lifetime = request->lifetime->seconds * 1000000 + request->lifetime->nanos / 1000;
    if (request->lifetime && (lifetime <= 0 || request->lifetime->seconds > INT64_C(315360000))) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "lifetime",
                 "lifetime must be above zero and at most ten years");
        return;
    }
    if (request->single_use && !lifetime)
        lifetime = LOGIN_LIFETIME_US;
    if (request->single_use && lifetime > LOGIN_LIFETIME_US_MAX) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "lifetime",
                 "a login token lives at most an hour");
        return;
    }
    struct store_key key = {.namespace_id = principal->namespace_id,
                            .name = request->name,
                            .role = (enum store_role)request->role,
                            .single_use = request->single_use,
                            .expires_us = lifetime ? now + lifetime : 0};
    key_insert(key_op_new(call), &key);
}

static void keys_listed(const struct store_key *keys, size_t n, const struct error *err,
                        void *userdata)
{
    struct key_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__ListKeysResponse reply = PLANKTON__V1__LIST_KEYS_RESPONSE__INIT;

    if (err) {
        rpc_call_fail(op->call, err);
    } else {
        reply.keys = ARENA_ARRAY(arena, Plankton__V1__Key *, n);
        reply.n_keys = n;
        for (size_t i = 0; i < n; i++)
            reply.keys[i] = convert_key(arena, &keys[i]);
        if (n == op->limit)
            reply.next_page_token =
                api_next_page(op->api, arena, op->filter, &keys[n - 1].id, ID_BYTES);
        plankton_v1_keys_list_keys_reply(op->call, &reply);
    }
    rpc_call_unref(op->call);
}

static void keys_list(struct rpc_call *call, const Plankton__V1__ListKeysRequest *request)
{
    struct api *api = rpc_call_service(call);
    const struct api_principal *principal = api_principal_of(call);
    struct id before;
    struct error error = {0};
    uint32_t limit;
    bool has;
    const char *filter = arena_printf(rpc_call_arena(call), "keys %u", principal->namespace_id);

    if (api_page(api, request->page_size, API_PAGE_DEFAULT, request->page_token, filter, &limit,
                 &before, sizeof before, &has, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    struct key_op *op = key_op_new(call);
    op->filter = filter;
    op->limit = limit;
    store_key_list(host_store(api->host), principal->namespace_id, has ? &before : NULL, limit,
                   keys_listed, op);
}

static void key_revoked(const struct store_key *key, const struct error *err, void *userdata)
{
    struct key_op *op = userdata;

    if (err)
        rpc_call_fail(op->call, err);
    else if (!key)
        api_fail(op->call, STATUS_NOT_FOUND, "KEY_NOT_FOUND", "id", "there is no such key");
    else
        plankton_v1_keys_revoke_key_reply(op->call, convert_key(rpc_call_arena(op->call), key));
    auth_forget(op->api);
    rpc_call_unref(op->call);
}

static void keys_revoke(struct rpc_call *call, const Plankton__V1__RevokeKeyRequest *request)
{
    struct api *api = rpc_call_service(call);
    struct error error = {0};
    struct id id;

    if (api_parse_id(api, request->id, "key", &id, &error) != STATUS_OK) {
        rpc_call_fail(call, &error);
        return;
    }
    store_key_revoke(host_store(api->host), api_principal_of(call)->namespace_id, &id,
                     host_now_us(api->host), key_revoked, key_op_new(call));
}

static void session_redeemed(const struct store_key *found, const struct error *err, void *userdata)
{
    struct key_op *op = userdata;

    if (err || !found) {
        if (err)
            rpc_call_fail(op->call, err);
        else
            api_fail(op->call, STATUS_UNAUTHENTICATED, "TOKEN_INVALID", "token",
                     "the token is unknown, used, or too old");
        rpc_call_unref(op->call);
        return;
    }
    struct store_key key = {
        .namespace_id = found->namespace_id,
        .name = arena_printf(rpc_call_arena(op->call), "session of %.40s", found->name),
        .role = found->role,
        .expires_us = host_now_us(op->api->host) + SESSION_LIFETIME_US};
    key_insert(op, &key);
}

static void keys_create_session(struct rpc_call *call,
                                const Plankton__V1__CreateSessionRequest *request)
{
    struct api *api = rpc_call_service(call);
    uint8_t digest[32];

    if (!*request->token) {
        api_fail(call, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "token", "token is needed");
        return;
    }
    api_key_digest(request->token, digest);
    store_key_redeem(host_store(api->host), digest, host_now_us(api->host), session_redeemed,
                     key_op_new(call));
}

static void session_ended(const struct store_key *key, const struct error *err, void *userdata)
{
    struct key_op *op = userdata;
    Plankton__V1__EndSessionResponse reply = PLANKTON__V1__END_SESSION_RESPONSE__INIT;

    auth_forget(op->api);
    if (err)
        rpc_call_fail(op->call, err);
    else
        plankton_v1_keys_end_session_reply(op->call, &reply);
    rpc_call_unref(op->call);
}

static void keys_end_session(struct rpc_call *call, const Plankton__V1__EndSessionRequest *request)
{
    struct api *api = rpc_call_service(call);
    const struct api_principal *principal = api_principal_of(call);

    /* only what CreateSession made: a key of long life is not thrown away by logging out */
    if (strncmp(principal->name, "session of ", 11) != 0) {
        Plankton__V1__EndSessionResponse reply = PLANKTON__V1__END_SESSION_RESPONSE__INIT;
        plankton_v1_keys_end_session_reply(call, &reply);
        return;
    }
    store_key_revoke(host_store(api->host), principal->namespace_id, &principal->key_id,
                     host_now_us(api->host), session_ended, key_op_new(call));
}

static void keys_who_am_i(struct rpc_call *call, const Plankton__V1__WhoAmIRequest *request)
{
    const struct api_principal *principal = api_principal_of(call);
    Plankton__V1__Identity reply = PLANKTON__V1__IDENTITY__INIT;

    reply.key_id = convert_id(rpc_call_arena(call), &principal->key_id);
    reply.name = (char *)principal->name;
    reply.role = (Plankton__V1__Role)principal->role;
    reply.namespace_ = (char *)principal->namespace_name;
    reply.namespace_id = principal->namespace_id;
    plankton_v1_keys_who_am_i_reply(call, &reply);
}

static void introspected(const struct store_key *key, const struct error *err, void *userdata)
{
    struct key_op *op = userdata;
    struct arena *arena = rpc_call_arena(op->call);
    Plankton__V1__Identity reply = PLANKTON__V1__IDENTITY__INIT;

    if (err) {
        rpc_call_fail(op->call, err);
    } else if (!key) {
        api_fail(op->call, STATUS_UNAUTHENTICATED, "KEY_UNKNOWN", NULL, "the key is not valid");
    } else {
        reply.key_id = convert_id(arena, &key->id);
        reply.name = arena_strdup(arena, key->name);
        reply.role = (Plankton__V1__Role)key->role;
        reply.namespace_ = arena_strdup(arena, key->namespace_name);
        reply.namespace_id = key->namespace_id;
        plankton_v1_keys_introspect_reply(op->call, &reply);
    }
    rpc_call_unref(op->call);
}

static void keys_introspect(struct rpc_call *call, const Plankton__V1__IntrospectRequest *request)
{
    struct api *api = rpc_call_service(call);
    uint8_t digest[32];

    api_key_digest(request->key, digest);
    store_key_find(host_store(api->host), digest, host_now_us(api->host), introspected,
                   key_op_new(call));
}

const struct plankton_v1_keys_ops api_keys_ops = {
    .create_key = keys_create,
    .list_keys = keys_list,
    .revoke_key = keys_revoke,
    .create_session = keys_create_session,
    .end_session = keys_end_session,
    .who_am_i = keys_who_am_i,
    .introspect = keys_introspect,
};

/* ---- bootstrap ---- */

static void bootstrap_done(const struct store_key *key, const struct error *err, void *userdata)
{
    struct api *api = userdata;

    api->bootstrapping--;
    if (err)
        log_error("key.bootstrap_failed", LOG_ERR(err));
}

static void bootstrap(struct api *api, const char *text, const char *name, enum store_role role)
{
    struct store_key key = {
        .namespace_id = 1, .name = name, .role = role, .created_us = host_now_us(api->host)};

    if (!text)
        return;
    key.id = host_new_id(api->host, host_home_shard(api->host, key.namespace_id));
    api_key_digest(text, key.digest);
    api->bootstrapping++;
    store_key_insert(host_store(api->host), &key, bootstrap_done, api);
}

void api_cluster_known(struct api *api)
{
    bootstrap(api, api->admin_key, "admin", STORE_ROLE_ADMIN);
    bootstrap(api, api->worker_key, "worker", STORE_ROLE_WORKER);
}
