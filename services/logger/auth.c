/* SPDX-License-Identifier: Apache-2.0 */
#include "auth.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/map.h"
#include "plankton/v1/access.pb-c.h"
#include "plankton/v1/keys.rpc.h"

#define KEYS_KEPT_MAX 10000
#define INTROSPECT_TIMEOUT_MS 5000
static const char BEARER[] = "Bearer ";
#define BEARER_BYTES (sizeof BEARER - 1)

struct known_key {
    struct map_node node;
    uint8_t digest[32];
    uint64_t until_us; /* monotonic */
    struct principal principal;
};
struct auth {
    const struct cluster_key *key;
    struct rpc_channel *channel;
    struct map known;
    char authorization[BEARER_BYTES + API_KEY_TEXT_BYTES];
};
struct question {
    struct auth *auth;
    struct rpc_call *call; /* a reference; its arena holds this */
    uint8_t digest[32];
};

static void refuse(struct rpc_call *call, enum status status, const char *reason,
                   const char *message)
{
    struct error err;

    error_field(&err, status, reason, NULL, "%s", message);
    rpc_call_fail(call, &err);
}

static void admit(struct rpc_call *call, const struct principal *principal)
{
    if (rpc_call_method(call)->access & (1u << principal->role))
        rpc_call_admit(call, arena_memdup(rpc_call_arena(call), principal, sizeof *principal));
    else
        refuse(call, STATUS_PERMISSION_DENIED, "ROLE_NOT_ALLOWED",
               "this key may not call this method");
}

static void forget_all(struct auth *auth)
{
    struct map_cursor cursor = {0};

    for (struct map_node *node; (node = map_walk(&auth->known, &cursor));) {
        map_remove(&auth->known, node);
        free(CONTAINER_OF(node, struct known_key, node));
    }
}

static struct known_key *known_find(const struct auth *auth, const uint8_t digest[32])
{
    for (struct map_node *node = map_first(&auth->known, hash_bytes(digest, 32)); node;
         node = map_next(node)) {
        struct known_key *known = CONTAINER_OF(node, struct known_key, node);
        if (memcmp(known->digest, digest, 32) == 0)
            return known;
    }
    return NULL;
}

static void known_put(struct auth *auth, const uint8_t digest[32],
                      const struct principal *principal)
{
    struct known_key *known = known_find(auth, digest);

    if (!known) {
        if (auth->known.used >= KEYS_KEPT_MAX)
            forget_all(auth);
        known = mem_zalloc(sizeof *known);
        memcpy(known->digest, digest, 32);
        map_insert(&auth->known, &known->node, hash_bytes(digest, 32));
    }
    known->until_us = clock_monotonic_us() + AUTH_CACHE_US;
    known->principal = *principal;
}

static void answered(const Plankton__V1__Identity *identity, const struct error *err,
                     void *userdata)
{
    struct question *question = userdata;
    struct rpc_call *call = question->call;

    if (identity) {
        struct principal principal = {.role = (uint32_t)identity->role,
                                      .namespace_id = identity->namespace_id};
        known_put(question->auth, question->digest, &principal);
        admit(call, &principal);
    } else if (err->status == STATUS_UNAUTHENTICATED) {
        rpc_call_fail(call, err);
    } else {
        /* Nothing is wrong with the key: the caller may try again. */
        refuse(call, STATUS_UNAVAILABLE, "CONTROLLER_AWAY",
               "the controller, which knows the keys, cannot be asked");
    }
    rpc_call_unref(call);
}

void auth_authorize(struct rpc_call *call, void *userdata)
{
    struct auth *auth = userdata;
    const char *authorization = rpc_call_metadata(call, "authorization");
    struct principal service = {.role = PLANKTON__V1__ROLE__ROLE_SERVICE};

    if (rpc_call_method(call)->access & (1u << PLANKTON__V1__ROLE__ROLE_PUBLIC)) {
        rpc_call_admit(call, NULL);
        return;
    }
    if (!authorization || strncmp(authorization, BEARER, BEARER_BYTES) != 0) {
        refuse(call, STATUS_UNAUTHENTICATED, "KEY_MISSING",
               "an API key is needed: authorization: Bearer KEY");
        return;
    }
    const char *key = authorization + BEARER_BYTES;
    if (service_credential_check(auth->key, key)) {
        admit(call, &service);
        return;
    }
    struct question *question = ARENA_NEW(rpc_call_arena(call), struct question);
    api_key_digest(key, question->digest);
    struct known_key *known = known_find(auth, question->digest);
    if (known && known->until_us > clock_monotonic_us()) {
        admit(call, &known->principal);
        return;
    }
    Plankton__V1__IntrospectRequest request = PLANKTON__V1__INTROSPECT_REQUEST__INIT;
    struct rpc_call_options options = {.timeout_ms = INTROSPECT_TIMEOUT_MS, .wait_for_ready = true};
    question->auth = auth;
    question->call = rpc_call_ref(call);
    request.key = (char *)key;
    plankton_v1_keys_introspect_call(auth->channel, &options, &request, answered, question);
}

struct auth *auth_new(struct loop *loop, const char *controller, struct net_tls *tls,
                      const struct cluster_key *key)
{
    struct auth *auth = mem_zalloc(sizeof *auth);
    struct rpc_channel_options options;
    char credential[API_KEY_TEXT_BYTES];

    auth->key = key;
    map_init(&auth->known);
    service_credential_make(key, credential);
    snprintf(auth->authorization, sizeof auth->authorization, "%s%s", BEARER, credential);
    options = rpc_channel_defaults(auth->authorization, tls);
    auth->channel = rpc_channel_new(loop, controller, &options);
    return auth;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    rpc_channel_free(auth->channel);
    forget_all(auth);
    map_fini(&auth->known);
    free(auth);
}
