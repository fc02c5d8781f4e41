/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "base/slice.h"
#include "token_internal.h"

/* Keying a context costs more than the MAC of a token, and one process has one key: the last keyed
 * context of each thread is kept. */
struct keyed {
    EVP_MAC_CTX *context;
    uint8_t key[CLUSTER_KEY_BYTES];
};
static _Thread_local struct keyed cached;

static void require(int ok)
{
    if (ok != 1)
        abort(); /* libcrypto without HMAC-SHA-256, or out of memory */
}

static EVP_MAC_CTX *keyed_context(const struct cluster_key *key)
{
    if (!cached.context) {
        EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        OSSL_PARAM digest[] = {{"digest", OSSL_PARAM_UTF8_STRING, "SHA256", 6, 0},
                               {NULL, 0, NULL, 0, 0}};

        require(mac != NULL);
        cached.context = EVP_MAC_CTX_new(mac);
        EVP_MAC_free(mac);
        require(cached.context != NULL);
        require(EVP_MAC_CTX_set_params(cached.context, digest));
    } else if (CRYPTO_memcmp(cached.key, key->bytes, sizeof(cached.key)) == 0) {
        require(EVP_MAC_init(cached.context, NULL, 0, NULL)); /* again with the same key */
        return cached.context;
    }
    require(EVP_MAC_init(cached.context, key->bytes, sizeof(key->bytes), NULL));
    memcpy(cached.key, key->bytes, sizeof(cached.key));
    return cached.context;
}

static void update(EVP_MAC_CTX *context, const void *data, size_t len)
{
    if (len > 0)
        require(EVP_MAC_update(context, data, len));
}

void token__mac(const struct cluster_key *key, const char *label, const struct slice *parts,
                size_t n, uint8_t out[MAC_BYTES])
{
    EVP_MAC_CTX *context = keyed_context(key);
    size_t len;

    update(context, label, strlen(label) + 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t part_len = parts[i].len;
        uint8_t prefix[8];

        /* With its length before it, no byte can move from one part to the next. */
        for (int byte = 0; byte < 8; byte++)
            prefix[byte] = (uint8_t)(part_len >> (8 * byte));
        update(context, prefix, sizeof(prefix));
        update(context, parts[i].data, parts[i].len);
    }
    require(EVP_MAC_final(context, out, &len, MAC_BYTES));
    require(len == MAC_BYTES);
}
