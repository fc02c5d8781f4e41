/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include "base/text.h"
#include "token_internal.h"

#define API_KEY_PREFIX "pk_"
#define SERVICE_PREFIX "ps_"
#define PREFIX_BYTES 3
#define SECRET_BYTES 32
_Static_assert(PREFIX_BYTES + (SECRET_BYTES * 4 + 2) / 3 + 1 <= API_KEY_TEXT_BYTES,
               "a key must fit its text");

static void fill_random(uint8_t *out, size_t len)
{
    while (len > 0) {
        ssize_t n = getrandom(out, len, 0);

        if (n < 0 && errno != EINTR)
            abort(); /* a key that could be guessed is worse than none */
        if (n > 0) {
            out += n;
            len -= (size_t)n;
        }
    }
}

static void format_key(const char *prefix, const uint8_t secret[SECRET_BYTES],
                       char out[API_KEY_TEXT_BYTES])
{
    memset(out, 0, API_KEY_TEXT_BYTES); /* compared whole */
    memcpy(out, prefix, PREFIX_BYTES);
    text_to_base64(secret, SECRET_BYTES, true, false, out + PREFIX_BYTES);
}

void api_key_make(char out[API_KEY_TEXT_BYTES])
{
    uint8_t secret[SECRET_BYTES];

    fill_random(secret, sizeof(secret));
    format_key(API_KEY_PREFIX, secret, out);
    OPENSSL_cleanse(secret, sizeof(secret));
}

/* A plain hash is enough: 256 random bits cannot be searched, unlike a password. */
void api_key_digest(const char *text, uint8_t out[32])
{
    SHA256((const unsigned char *)text, strlen(text), out);
}

void service_credential_make(const struct cluster_key *key, char out[API_KEY_TEXT_BYTES])
{
    uint8_t mac[MAC_BYTES];

    token__mac(key, "service", NULL, 0, mac);
    format_key(SERVICE_PREFIX, mac, out);
    OPENSSL_cleanse(mac, sizeof(mac));
}

bool service_credential_check(const struct cluster_key *key, const char *text)
{
    char want[API_KEY_TEXT_BYTES], given[API_KEY_TEXT_BYTES] = {0};
    size_t len = text ? strnlen(text, sizeof(given)) : sizeof(given);

    if (len >= sizeof(given))
        return false;
    memcpy(given, text, len);
    service_credential_make(key, want);
    return CRYPTO_memcmp(want, given, sizeof(want)) == 0;
}
