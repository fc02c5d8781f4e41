/* SPDX-License-Identifier: Apache-2.0 */
/* SHA256_Init and its like are old in OpenSSL 3, but EVP has no context that is copied without an
 * allocation. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include "base/slice.h"
#include "token_internal.h"

#define INNER_PAD 0x36 /* RFC 2104, section 2 */
#define OUTER_PAD 0x5c
_Static_assert(CLUSTER_KEY_BYTES <= SHA256_CBLOCK, "a longer key would have to be hashed first");

/*
 * HMAC-SHA-256 from the two states that hold the padded keys: a task costs two MACs, and of an
 * EVP_MAC most is allocating and copying contexts, not hashing. One process has one key: the last
 * keyed states of each thread are kept.
 */
struct keyed {
    SHA256_CTX inner, outer;
    uint8_t key[CLUSTER_KEY_BYTES];
    bool is_set;
};
static _Thread_local struct keyed cached;

static void require(int ok)
{
    if (ok != 1)
        abort(); /* libcrypto without SHA-256 */
}

static void start(SHA256_CTX *state, const struct cluster_key *key, uint8_t pad)
{
    uint8_t block[SHA256_CBLOCK];

    memset(block, pad, sizeof(block));
    for (size_t i = 0; i < sizeof(key->bytes); i++)
        block[i] ^= key->bytes[i];
    require(SHA256_Init(state));
    require(SHA256_Update(state, block, sizeof(block)));
    OPENSSL_cleanse(block, sizeof(block));
}

static const struct keyed *keyed_of(const struct cluster_key *key)
{
    if (cached.is_set && CRYPTO_memcmp(cached.key, key->bytes, sizeof(cached.key)) == 0)
        return &cached;
    start(&cached.inner, key, INNER_PAD);
    start(&cached.outer, key, OUTER_PAD);
    memcpy(cached.key, key->bytes, sizeof(cached.key));
    cached.is_set = true;
    return &cached;
}

static void update(SHA256_CTX *state, const void *data, size_t len)
{
    if (len > 0)
        require(SHA256_Update(state, data, len));
}

void token__mac(const struct cluster_key *key, const char *label, const struct slice *parts,
                size_t n, uint8_t out[MAC_BYTES])
{
    const struct keyed *keyed = keyed_of(key);
    SHA256_CTX state = keyed->inner;
    uint8_t inner[SHA256_DIGEST_LENGTH];

    update(&state, label, strlen(label) + 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t part_len = parts[i].len;
        uint8_t prefix[8];

        /* With its length before it, no byte can move from one part to the next. */
        for (int byte = 0; byte < 8; byte++)
            prefix[byte] = (uint8_t)(part_len >> (8 * byte));
        update(&state, prefix, sizeof(prefix));
        update(&state, parts[i].data, parts[i].len);
    }
    require(SHA256_Final(inner, &state));
    state = keyed->outer;
    update(&state, inner, sizeof(inner));
    require(SHA256_Final(out, &state));
}
