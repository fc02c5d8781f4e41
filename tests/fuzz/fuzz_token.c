/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of every kind from bytes of anyone: nothing that this key did not sign may pass. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/slice.h"
#include "token/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct cluster_key KEY = {.bytes = "fuzz", .key_id = 1};
    char *text = malloc(size + 1), cursor[64];
    struct lease_token token;
    size_t len;

    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (lease_token_verify(&KEY, data, size, &token, NULL) == STATUS_OK)
        abort();
    if (page_token_open(&KEY, "filter", text, cursor, sizeof(cursor), &len, NULL) == STATUS_OK)
        abort();
    if (service_credential_check(&KEY, text))
        abort();
    free(text);
    return 0;
}
