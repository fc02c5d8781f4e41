/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>
#include <openssl/crypto.h>
#include "base/slice.h"
#include "token_internal.h"

#define VERSION 1
#define LABEL "plankton lease token"
/* version, key id, timeline, namespace, task, run, attempt, worker, epoch, journal sequence;
 * integers big-endian */
#define BODY_BYTES (1 + 1 + 4 + 4 + ID_BYTES + ID_BYTES + 4 + ID_BYTES + 4 + 8)
#define TOKEN_BYTES (BODY_BYTES + MAC_SHORT_BYTES)
_Static_assert(TOKEN_BYTES <= LEASE_TOKEN_BYTES, "a lease token must fit its limit");

static uint8_t *put(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i > 0; i--)
        *out++ = (uint8_t)(value >> (8 * (i - 1)));
    return out;
}

static uint64_t get(const uint8_t **in, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | *(*in)++;
    return value;
}

static void get_id(const uint8_t **in, struct id *ret)
{
    memcpy(ret->bytes, *in, ID_BYTES);
    *in += ID_BYTES;
}

static void mac_of(const struct cluster_key *key, const uint8_t *body, uint8_t out[MAC_BYTES])
{
    struct slice part = {(const char *)body, BODY_BYTES};

    token__mac(key, LABEL, &part, 1, out);
}

void lease_token_sign(const struct cluster_key *key, const struct lease_token *token,
                      uint8_t out[LEASE_TOKEN_BYTES], size_t *ret_len)
{
    uint8_t mac[MAC_BYTES];
    uint8_t *end = out;

    end = put(end, VERSION, 1);
    end = put(end, key->key_id, 1);
    end = put(end, token->timeline, 4);
    end = put(end, token->namespace_id, 4);
    memcpy(end, token->task.bytes, ID_BYTES);
    memcpy(end + ID_BYTES, token->run.bytes, ID_BYTES);
    end = put(end + 2 * ID_BYTES, token->attempt, 4);
    memcpy(end, token->worker.bytes, ID_BYTES);
    end = put(end + ID_BYTES, token->epoch, 4);
    end = put(end, token->journal_seq, 8);
    assert(end - out == BODY_BYTES);
    mac_of(key, out, mac);
    memcpy(end, mac, MAC_SHORT_BYTES);
    *ret_len = TOKEN_BYTES;
}

enum status lease_token_verify(const struct cluster_key *key, const void *data, size_t len,
                               struct lease_token *ret, struct error *err)
{
    const uint8_t *in = data;
    uint8_t mac[MAC_BYTES];

    /* One answer for every fault: a forger learns nothing of how near it came. */
    if (len == TOKEN_BYTES)
        mac_of(key, in, mac);
    if (len != TOKEN_BYTES || CRYPTO_memcmp(mac, in + BODY_BYTES, MAC_SHORT_BYTES) != 0 ||
        in[0] != VERSION)
        return error_field(err, STATUS_INVALID_ARGUMENT, "TOKEN_INVALID", NULL,
                           "the lease token was not made by this cluster");
    in += 2;
    ret->timeline = (uint32_t)get(&in, 4);
    ret->namespace_id = (uint32_t)get(&in, 4);
    get_id(&in, &ret->task);
    get_id(&in, &ret->run);
    ret->attempt = (uint32_t)get(&in, 4);
    get_id(&in, &ret->worker);
    ret->epoch = (uint32_t)get(&in, 4);
    ret->journal_seq = get(&in, 8);
    return STATUS_OK;
}
