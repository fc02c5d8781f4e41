/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls: API keys (cached for a few seconds) and the services' own credential. */
#include "api_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define AUTH_CACHE_MAX 10000

struct auth_entry {
    struct map_node node;
    uint8_t digest[32];
    uint64_t until_us;  /* monotonic */
    int64_t expires_us; /* engine time, 0 = never */
    uint32_t role, namespace_id;
    struct id key_id;
    char name[80], namespace_name[80];
};

struct auth_wait {
    struct api *api;
    struct rpc_call *call;
    uint8_t digest[32];
};

void auth_init(struct api *api)
{
    map_init(&api->auth_cache);
}

void auth_forget(struct api *api)
{
    struct map_cursor cursor = {0};

    for (struct map_node *node; (node = map_walk(&api->auth_cache, &cursor));) {
        map_remove(&api->auth_cache, node);
        free(CONTAINER_OF(node, struct auth_entry, node));
    }
    api->auth_cached = 0;
}

void auth_fini(struct api *api)
{
    auth_forget(api);
    map_fini(&api->auth_cache);
}

static void admit(struct rpc_call *call, const struct api_principal *principal)
{
    const struct rpc_method *method = rpc_call_method(call);

    if (!(method->access & (1u << principal->role))) {
        api_fail(call, STATUS_PERMISSION_DENIED, "ROLE_NOT_ALLOWED", NULL,
                 "this key may not call %s", method->name);
        return;
    }
    struct api_principal *own = arena_memdup(rpc_call_arena(call), principal, sizeof *principal);
    own->name = arena_strdup(rpc_call_arena(call), principal->name);
    own->namespace_name = arena_strdup(rpc_call_arena(call), principal->namespace_name);
    rpc_call_admit(call, own);
}

static void admit_entry(struct api *api, struct rpc_call *call, const struct auth_entry *entry)
{
    struct api_principal principal = {.role = entry->role,
                                      .namespace_id = entry->namespace_id,
                                      .namespace_name = entry->namespace_name,
                                      .name = entry->name,
                                      .key_id = entry->key_id};

    if (entry->expires_us && entry->expires_us <= host_now_us(api->host)) {
        api_fail(call, STATUS_UNAUTHENTICATED, "KEY_EXPIRED", NULL, "the key has expired");
        return;
    }
    admit(call, &principal);
}

static struct auth_entry *cache_find(struct api *api, const uint8_t digest[32])
{
    for (struct map_node *node = map_first(&api->auth_cache, hash_bytes(digest, 32)); node;
         node = map_next(node)) {
        struct auth_entry *entry = CONTAINER_OF(node, struct auth_entry, node);
        if (memcmp(entry->digest, digest, 32) == 0)
            return entry;
    }
    return NULL;
}

static struct auth_entry *cache_put(struct api *api, const struct store_key *key)
{
    struct auth_entry *entry = cache_find(api, key->digest);

    if (!entry) {
        if (api->auth_cached >= AUTH_CACHE_MAX)
            auth_forget(api);
        entry = mem_zalloc(sizeof *entry);
        memcpy(entry->digest, key->digest, 32);
        map_insert(&api->auth_cache, &entry->node, hash_bytes(key->digest, 32));
        api->auth_cached++;
    }
    entry->until_us = clock_monotonic_us() + API_AUTH_CACHE_US;
    entry->expires_us = key->expires_us;
    entry->role = (uint32_t)key->role;
    entry->namespace_id = key->namespace_id;
    entry->key_id = key->id;
    snprintf(entry->name, sizeof entry->name, "%s", key->name);
    snprintf(entry->namespace_name, sizeof entry->namespace_name, "%s", key->namespace_name);
    return entry;
}

static void key_found(const struct store_key *key, const struct error *err, void *userdata)
{
    struct auth_wait *wait = userdata;
    struct rpc_call *call = wait->call;

    if (err)
        rpc_call_fail(call, err);
    else if (!key)
        api_fail(call, STATUS_UNAUTHENTICATED, "KEY_UNKNOWN", NULL, "the key is not valid");
    else
        admit_entry(wait->api, call, cache_put(wait->api, key));
    rpc_call_unref(call);
}

void auth_authorize(struct rpc_call *call, void *userdata)
{
    struct api *api = userdata;
    const struct rpc_method *method = rpc_call_method(call);
    const char *authorization = rpc_call_metadata(call, "authorization");

    if (method->access & (1u << PLANKTON__V1__ROLE__ROLE_PUBLIC)) {
        rpc_call_admit(call, NULL);
        return;
    }
    if (!authorization || strncmp(authorization, "Bearer ", 7) != 0) {
        api_fail(call, STATUS_UNAUTHENTICATED, "KEY_MISSING", NULL,
                 "an API key is needed: authorization: Bearer KEY");
        return;
    }
    const char *key = authorization + 7;
    if (service_credential_check(api->cluster_key, key)) {
        struct api_principal principal = {
            .role = PLANKTON__V1__ROLE__ROLE_SERVICE, .namespace_name = "", .name = "service"};
        admit(call, &principal);
        return;
    }
    if (!host_has_cluster(api->host) || api->bootstrapping) {
        api_fail(call, STATUS_UNAVAILABLE, "STARTING", NULL,
                 "the controller does not know its keys yet; try again");
        return;
    }
    struct auth_wait *wait = arena_zalloc(rpc_call_arena(call), sizeof *wait);
    api_key_digest(key, wait->digest);
    struct auth_entry *entry = cache_find(api, wait->digest);
    if (entry && entry->until_us > clock_monotonic_us()) {
        admit_entry(api, call, entry);
        return;
    }
    wait->api = api;
    wait->call = rpc_call_ref(call);
    store_key_find(host_store(api->host), wait->digest, host_now_us(api->host), key_found, wait);
}
