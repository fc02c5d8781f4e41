/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/id.h"
#include "base/map.h"

/* Keys of the derivation. They are part of the stored data: changing them changes the ids of steps
 * of live runs. */
#define DERIVE_K0 0x706c616e6b746f6eu
#define DERIVE_K1 0x7374657020696473u

static struct id build(uint64_t unix_ms, uint16_t shard, uint64_t random)
{
    struct id id;

    for (int i = 0; i < 6; i++)
        id.bytes[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)(0x70 | ((shard >> 8) & 0x0f));
    id.bytes[7] = (uint8_t)shard;
    for (int i = 0; i < 8; i++)
        id.bytes[8 + i] = (uint8_t)(random >> (56 - 8 * i));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

struct id id_make(uint64_t unix_ms, uint16_t shard, uint64_t random)
{
    return build(unix_ms, shard, random);
}

static void store_be64(uint8_t *out, uint64_t word)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(word >> (56 - 8 * i));
}

struct id id_derive(const struct id *parent, const char *text, uint64_t index)
{
    uint8_t block[ID_BYTES + 16];

    memcpy(block, parent->bytes, ID_BYTES);
    store_be64(block + ID_BYTES, hash_keyed(DERIVE_K0, DERIVE_K1, text, strlen(text)));
    store_be64(block + ID_BYTES + 8, index);
    return build(id_unix_ms(parent), id_shard(parent),
                 hash_keyed(DERIVE_K1, DERIVE_K0, block, sizeof(block)));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_dash_place(size_t pos)
{
    return pos == 8 || pos == 13 || pos == 18 || pos == 23;
}

bool id_parse(const char *text, struct id *ret)
{
    struct id id;
    size_t pos = 0;

    if (!text || strnlen(text, ID_TEXT_BYTES) != ID_TEXT_BYTES - 1)
        return false;
    for (size_t i = 0; i < ID_BYTES; i++) {
        int high, low;

        if (is_dash_place(pos)) {
            if (text[pos] != '-')
                return false;
            pos++;
        }
        high = hex_digit(text[pos]);
        low = hex_digit(text[pos + 1]);
        if (high < 0 || low < 0)
            return false;
        id.bytes[i] = (uint8_t)(high << 4 | low);
        pos += 2;
    }
    if (id.bytes[6] >> 4 != 7 || id.bytes[8] >> 6 != 2)
        return false;
    *ret = id;
    return true;
}

void id_format(const struct id *id, char out[ID_TEXT_BYTES])
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t pos = 0;

    for (size_t i = 0; i < ID_BYTES; i++) {
        if (is_dash_place(pos))
            out[pos++] = '-';
        out[pos++] = DIGITS[id->bytes[i] >> 4];
        out[pos++] = DIGITS[id->bytes[i] & 0x0f];
    }
    out[pos] = '\0';
}

uint16_t id_shard(const struct id *id)
{
    return (uint16_t)((id->bytes[6] & 0x0f) << 8 | id->bytes[7]);
}

uint64_t id_unix_ms(const struct id *id)
{
    uint64_t ms = 0;

    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id->bytes[i];
    return ms;
}

/* Not keyed: 62 bits of an id are random already or come from a keyed hash, and the value must be
 * the same in every process. */
uint64_t id_hash(const struct id *id)
{
    uint64_t high = 0, low = 0;

    for (int i = 0; i < 8; i++) {
        high = high << 8 | id->bytes[i];
        low = low << 8 | id->bytes[8 + i];
    }
    low ^= high * 0x9e3779b97f4a7c15u;
    low = (low ^ low >> 32) * 0xd6e8feb86659fd93u;
    low = (low ^ low >> 32) * 0xd6e8feb86659fd93u;
    return low ^ low >> 32;
}

bool id_is_nil(const struct id *id)
{
    static const struct id NIL;

    return id_eq(id, &NIL);
}
