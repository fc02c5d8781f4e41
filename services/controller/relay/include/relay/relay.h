/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H
/*
 * Hands the committed events of the owned shards to the logger: from memory right after their
 * commit when the logger keeps up, from the journal otherwise. The logger says for each shard what
 * it has; nothing is kept here but numbers, so a slow or absent logger costs no memory. What it
 * acknowledges lets the engine clear its journal.
 */
#include "host/host.h"
#include "token/token.h"

struct net_tls;
struct relay;
/* tls: what to dial with; NULL = plaintext. */
struct relay *relay_new(struct loop *loop, struct host *host, const char *logger_address,
                        struct net_tls *tls, const struct cluster_key *key);
/* From the host. epoch 0: not owned any more. */
void relay_shard(struct relay *relay, uint16_t shard, uint32_t epoch, uint64_t event_acked);
void relay_events(struct relay *relay, const struct store_events *events);
/* Committed and not yet acknowledged, over all shards. */
uint64_t relay_lag(const struct relay *relay);
void relay_free(struct relay *relay);

#endif
