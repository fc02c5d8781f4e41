/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOKEN_TOKEN_H
#define TOKEN_TOKEN_H
/*
 * Lease tokens, page tokens and service credentials: MACs by the cluster key (32 bytes, shared by
 * controllers and loggers, never in the database). A lease token is opaque to workers, at most 96
 * bytes of text, and verified without I/O. Comparison is constant time.
 */
#include "base/buf.h"
#include "base/error.h"
#include "base/id.h"

#define CLUSTER_KEY_BYTES 32
#define LEASE_TOKEN_BYTES 96 /* binary form on the wire */

struct cluster_key {
    uint8_t bytes[CLUSTER_KEY_BYTES];
    uint8_t key_id; /* first byte of its SHA-256 */
};
/* Reads 32 bytes, or 64 hex digits, from a file that only its owner may read (else
 * PERMISSION_DENIED). */
MUST_USE enum status cluster_key_load(const char *path, struct cluster_key *ret, struct error *err);

struct lease_token {
    uint32_t timeline;
    uint32_t namespace_id; /* short numeric id of the namespace */
    struct id task;
    struct id run; /* nil for a lone task */
    uint32_t attempt;
    struct id worker;
    uint32_t epoch; /* of the lease; to find it, no guard */
    uint64_t journal_seq;
};
/* Writes *ret_len ≤ LEASE_TOKEN_BYTES bytes. */
void lease_token_sign(const struct cluster_key *key, const struct lease_token *token,
                      uint8_t out[LEASE_TOKEN_BYTES], size_t *ret_len);
/* INVALID_ARGUMENT (reason TOKEN_INVALID) for anything not signed by this key. */
MUST_USE enum status lease_token_verify(const struct cluster_key *key, const void *data, size_t len,
                                        struct lease_token *ret, struct error *err);

/* Page tokens: a cursor bound to its filter (method path + canonical filter text), base64url, at
 * most 512 bytes. */
MUST_USE enum status page_token_make(const struct cluster_key *key, const char *filter,
                                     struct slice cursor, char *out, size_t out_bytes);
MUST_USE enum status page_token_open(const struct cluster_key *key, const char *filter,
                                     const char *text, void *cursor, size_t cursor_bytes,
                                     size_t *ret_len,
                                     struct error *err); /* reason PAGE_TOKEN_INVALID */

/* API keys: "pk_" + base64url of 32 random bytes. Stored as SHA-256. */
#define API_KEY_TEXT_BYTES 48
void api_key_make(char out[API_KEY_TEXT_BYTES]);
void api_key_digest(const char *text, uint8_t out[32]);
/* The credential of one service to another: "ps_" + base64url(HMAC(cluster key, "service")). */
void service_credential_make(const struct cluster_key *key, char out[API_KEY_TEXT_BYTES]);
bool service_credential_check(const struct cluster_key *key, const char *text);

#endif
