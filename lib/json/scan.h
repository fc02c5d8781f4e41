/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_SCAN_H
#define JSON_SCAN_H
/* What the parts of the library share: faults with their place, escapes, position trees. */
#include "json/json.h"

struct json_fault {
    const char *text;
    uint32_t line, column; /* 0 = of the whole */
    uint32_t values;       /* counted in text without a fault */
};

enum status json__check(struct slice text, size_t bytes_max, struct json_fault *fault);
enum status json__report(const struct json_fault *fault, size_t bytes_max, enum status status,
                         struct error *err);
/* Whether a DOM of checked text may be built. */
enum status json__bound(const struct json_fault *fault, struct error *err);
/* The same, with the place as a violation too. */
enum status json__report_at(const struct json_fault *fault, size_t bytes_max, enum status status,
                            struct arena *arena, struct error *err);
void json__place(const char *text, const char *at, uint32_t *ret_line, uint32_t *ret_column);
/* The DOM of text that json__check has accepted. */
enum status json__build(struct slice text, json_t **ret, struct error *err);
/* Decodes the inside of a checked string; out needs len bytes at most. */
size_t json__unescape(const char *text, size_t len, char *out);
size_t json__utf8(uint32_t code, char *out); /* ≤ 4 bytes */

/* A value's place. Children of arrays have no key. */
struct json_place {
    struct json_place *next, *first, *last;
    struct slice key;
    uint32_t line, column;
    bool array;
};
struct json_positions {
    struct arena *arena;
    struct slice text; /* JSON: scanned when first asked */
    struct json_place *root;
};
struct json_place *json__place_add(struct arena *arena, struct json_place *parent, struct slice key,
                                   uint32_t line, uint32_t column);

#endif
