/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/map.h"

/* SipHash with 1 compression and 3 finalisation rounds (Aumasson and Bernstein): keyed, so that
 * nobody outside can aim keys at one slot, and still cheap for short keys. */
static uint64_t seed_k0, seed_k1;

void hash_seed(uint64_t k0, uint64_t k1)
{
    seed_k0 = k0;
    seed_k1 = k1;
}

static uint64_t load_le64(const unsigned char *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t hash_keyed(uint64_t k0, uint64_t k1, const void *data, size_t len)
{
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     k1 ^ 0x7465646279746573u};
    const unsigned char *bytes = data;
    uint64_t last = (uint64_t)len << 56;
    size_t left = len;

    for (; left >= 8; left -= 8, bytes += 8) {
        uint64_t word = load_le64(bytes);

        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)bytes[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_bytes(const void *data, size_t len)
{
    return hash_keyed(seed_k0, seed_k1, data, len);
}

uint64_t hash_text(const char *text)
{
    return hash_bytes(text, strlen(text));
}
