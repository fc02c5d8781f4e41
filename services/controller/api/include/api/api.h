/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_API_H
#define API_API_H
/*
 * The controller's services for clients: TaskController, PlanAPI, Queues, Keys, and who may call
 * them. Requests are checked and turned into engine commands or reads; answers come from the
 * engine's views or, for what is not in memory, from committed rows.
 */
#include "host/host.h"
#include "pbjson/pbjson.h"
#include "rpc/rpc.h"
#include "token/token.h"

#define API_PAGE_DEFAULT 50
#define API_PAGE_MAX 500
#define API_WAIT_MS_MAX 60000
#define API_REQUEST_ID_BYTES_MAX 128
#define API_REASON_BYTES_MAX 512
#define API_BATCH_ITEMS_MAX 10000
#define API_SECONDS_MAX INT64_C(253402300799) /* the year 9999 */
#define API_AUTH_CACHE_US 5000000

/* Who calls. Lives in the call's arena; rpc_call_principal gives it. */
struct api_principal {
    uint32_t role; /* plankton.v1.Role */
    uint32_t namespace_id;
    const char *namespace_name;
    const char *name; /* of the key: the actor in events */
    struct id key_id;
};

struct api;
struct api_options {
    const struct cluster_key *cluster_key;
    struct pbjson_registry *registry;
    /* Bootstrap keys, API key texts; NULL = none. Made known to the database once it is reached. */
    const char *admin_key, *worker_key;
};
struct api *api_new(struct loop *loop, struct host *host, const struct api_options *options);
void api_register(struct api *api, struct rpc_server *server);
/* The database has been reached: bootstrap keys are written. */
void api_cluster_known(struct api *api);
void api_free(struct api *api);

#endif
