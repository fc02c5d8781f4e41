/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <openssl/crypto.h>
#include "base/text.h"
#include "token_internal.h"

#define VERSION 1
#define LABEL "plankton page token"
#define HEAD_BYTES (1 + MAC_SHORT_BYTES) /* version, MAC; the cursor follows */
#define TEXT_BYTES_MAX 512
#define BINARY_BYTES_MAX (TEXT_BYTES_MAX / 4 * 3)

static void mac_of(const struct cluster_key *key, const char *filter, struct slice cursor,
                   uint8_t out[MAC_BYTES])
{
    struct slice parts[] = {slice_of(filter), cursor};

    token__mac(key, LABEL, parts, ARRAY_LEN(parts), out);
}

enum status page_token_make(const struct cluster_key *key, const char *filter, struct slice cursor,
                            char *out, size_t out_bytes)
{
    uint8_t binary[BINARY_BYTES_MAX], mac[MAC_BYTES];
    size_t len;

    if (cursor.len > sizeof(binary) - HEAD_BYTES)
        return STATUS_RESOURCE_EXHAUSTED;
    len = HEAD_BYTES + cursor.len;
    if (text_base64_bytes(len) > out_bytes)
        return STATUS_RESOURCE_EXHAUSTED;
    mac_of(key, filter, cursor, mac);
    binary[0] = VERSION;
    memcpy(binary + 1, mac, MAC_SHORT_BYTES);
    if (cursor.len > 0)
        memcpy(binary + HEAD_BYTES, cursor.data, cursor.len);
    text_to_base64(binary, len, true, false, out);
    return STATUS_OK;
}

enum status page_token_open(const struct cluster_key *key, const char *filter, const char *text,
                            void *cursor, size_t cursor_bytes, size_t *ret_len, struct error *err)
{
    uint8_t binary[BINARY_BYTES_MAX], mac[MAC_BYTES];
    size_t text_len = strnlen(text, TEXT_BYTES_MAX + 1), len = 0;
    struct slice inner = {(const char *)binary + HEAD_BYTES, 0};

    if (text_len > TEXT_BYTES_MAX || !text_from_base64(text, text_len, binary, &len) ||
        len < HEAD_BYTES)
        len = 0;
    if (len > 0) {
        inner.len = len - HEAD_BYTES;
        mac_of(key, filter, inner, mac);
    }
    if (len == 0 || CRYPTO_memcmp(mac, binary + 1, MAC_SHORT_BYTES) != 0 || binary[0] != VERSION ||
        inner.len > cursor_bytes)
        return error_field(err, STATUS_INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", "pageToken",
                           "the page token is not one that this list gave out for this filter");
    if (inner.len > 0)
        memcpy(cursor, inner.data, inner.len);
    *ret_len = inner.len;
    return STATUS_OK;
}
