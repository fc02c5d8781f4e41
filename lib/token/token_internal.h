/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOKEN_INTERNAL_H
#define TOKEN_INTERNAL_H
/* HMAC-SHA-256 by the cluster key. Each use has a label of its own, so that a MAC of one kind never
 * passes as another's. */
#include "token/token.h"

#define MAC_BYTES 32
#define MAC_SHORT_BYTES                                                                            \
    16 /* 128 bits: forging one takes 2^127 tries, each of them a refused request */

void token__mac(const struct cluster_key *key, const char *label, const struct slice *parts,
                size_t n, uint8_t out[MAC_BYTES]);

#endif
