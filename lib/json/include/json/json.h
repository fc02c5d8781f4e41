/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_JSON_H
#define JSON_JSON_H
/*
 * JSON: a fast checker without a DOM, a DOM (jansson behind this header) for documents that are
 * looked into, a direct writer. Strict RFC 8259: UTF-8, no duplicate keys, no NUL in strings, depth
 * ≤ 64, numbers that fit int64 or a finite double.
 */
#include <jansson.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define JSON_DEPTH_MAX 64
/* Values of one DOM: each costs some hundred bytes, so that a few MiB of "[{},{},…" would cost
 * gigabytes. */
#define JSON_VALUES_MAX 1000000

/* Checks text without building anything; on error err->message says what and at which line and
 * column. */
MUST_USE enum status json_check(struct slice text, size_t bytes_max, struct error *err);

/* DOM: jansson's json_t, reference counted. */
MUST_USE enum status json_parse(struct slice text, size_t bytes_max, json_t **ret,
                                struct error *err);
void json_drop(json_t **json); /* AUTO(json_drop) json_t *doc = NULL; */
/* Compact text, keys in their order, int64 exact; memory from the arena. */
char *json_text(const json_t *json, struct arena *arena);
/* Sorted keys, for digests and comparison. */
char *json_canonical(const json_t *json, struct arena *arena);

/* YAML 1.2 core schema (same document model): one document; anchors, aliases, merge keys, tags (but
 * !!str) and duplicate keys refused; depth 64. ret_positions maps JSON paths to places, of YAML or
 * of JSON text. A fault in the text itself is also given as one violation with line and column. */
struct json_positions;
MUST_USE enum status yaml_parse(struct slice text, size_t bytes_max, struct arena *arena,
                                json_t **ret, struct json_positions **ret_positions,
                                struct error *err);
MUST_USE enum status json_parse_with_positions(struct slice text, size_t bytes_max,
                                               struct arena *arena, json_t **ret,
                                               struct json_positions **ret_positions,
                                               struct error *err);
/* Line and column (from 1) of what stands at a path such as steps[2].needs[0]: a member's key, an
 * element's value; the nearest parent's when absent; 0, 0 when unknown (positions may be NULL). */
void json_position(const struct json_positions *positions, const char *path, uint32_t *ret_line,
                   uint32_t *ret_column);

/* Writer: appends to buf, which must have room by its maximum (buf_put rules). */
void json_write_string(struct buf *out,
                       struct slice text); /* quotes and escapes; invalid UTF-8 becomes U+FFFD */
void json_write_i64(struct buf *out, int64_t value);
void json_write_double(
    struct buf *out,
    double value); /* shortest round trip, never an integer's form; null when not finite */
/* Bounded: RESOURCE_EXHAUSTED when the maximum would be passed (then part of the text is in the
 * buffer). */
MUST_USE enum status json_append_string(struct buf *out, struct slice text);
MUST_USE enum status json_append(struct buf *out, const json_t *json);

#endif
