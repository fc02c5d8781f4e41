/* SPDX-License-Identifier: Apache-2.0 */
/* The request parser. The first byte says how the rest is cut into pieces; however it is cut, the
 * same requests must come out. */
#include <stdint.h>
#include <stdlib.h>
#include "base/map.h"
#include "parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_MAX 4096

struct outcome {
    unsigned requests, refused;
    uint64_t digest;
};

static void digest_message(struct outcome *outcome, struct http1__message *message)
{
    struct slice name, value;
    size_t pos = 0;

    outcome->requests++;
    outcome->digest ^= hash_text(message->request.target) + hash_text(message->request.method) +
                       hash_bytes(message->request.body.data, message->request.body.len) +
                       outcome->requests * (message->request.header_count + 1);
    while (http1_query_next(&message->request, &pos, &name, &value))
        outcome->digest += name.len * 31 + value.len;
    if (http1_unescape(message->request.arena, slice_of(message->request.path), &value))
        outcome->digest += value.len;
    http1__message_free(message);
}

static struct outcome parse(const char *data, size_t size, size_t piece)
{
    struct http1__parser parser;
    struct outcome outcome = {0};
    size_t pos = 0;

    http1__parser_init(&parser, BODY_MAX);
    while (pos < size && !outcome.refused) {
        size_t len = MIN_OF(piece, size - pos), used = 0;
        enum http1__step step = http1__parse(&parser, (struct slice){data + pos, len}, &used);

        if (used > len || (step == HTTP1_MORE && used != len))
            abort();
        pos += used;
        if (step == HTTP1_REFUSED)
            outcome.refused = parser.refused;
        if (step == HTTP1_REQUEST)
            digest_message(&outcome, http1__parser_take(&parser));
    }
    if (outcome.refused && !parser.why)
        abort();
    http1__parser_fini(&parser);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, pieces;

    if (size < 2)
        return 0;
    whole = parse((const char *)data + 1, size - 1, size - 1);
    pieces = parse((const char *)data + 1, size - 1, data[0] % 16 + 1u);
    if (whole.requests != pieces.requests || whole.refused != pieces.refused ||
        whole.digest != pieces.digest)
        abort();
    return 0;
}
