/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOGGER_AUTH_H
#define LOGGER_AUTH_H
/* Who calls. Services are known by the cluster key; API keys by the controller's word, which is
 * kept for at most AUTH_CACHE_US. */
#include "rpc/rpc.h"
#include "token/token.h"

#define AUTH_CACHE_US ((uint64_t)5 * 1000000)

struct principal {
    uint32_t role; /* plankton.v1.Role */
    uint32_t namespace_id;
};
struct auth;
/* tls: what to dial the controller with; NULL = plaintext. */
struct auth *auth_new(struct loop *loop, const char *controller, struct net_tls *tls,
                      const struct cluster_key *key);
void auth_authorize(struct rpc_call *call,
                    void *userdata); /* rpc_authorize_fn; userdata: struct auth */
void auth_free(struct auth *auth);   /* NULL allowed */

#endif
