/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_JOURNAL_H
#define SPOOL_JOURNAL_H
/*
 * What must outlive the process: which attempts with side effects were begun, and the results that
 * no controller has acknowledged. A successor finds in it the finished ones (sent again) and the
 * begun ones (gone: their process died with the worker). Records are written in order; `done` ends
 * an attempt. A segment is removed when no open attempt has a record in it. A lost `done` is
 * harmless: the result is sent again and acknowledged again.
 */
#include "base/id.h"
#include "base/map.h"
#include "spool/segments.h"

#define TOKEN_BYTES_MAX 128 /* the contract says 96; a little air for later versions */
#define STEP_BYTES_MAX 128
#define JOURNAL_SEGMENT_BYTES (8u << 20)

struct journal;
/* One open attempt. Owned by the journal. */
struct journal_entry {
    struct map_node node;
    uint8_t token[TOKEN_BYTES_MAX];
    uint8_t token_len;
    bool has_result;
    struct id task;
    uint32_t shard, attempt;
    char step[STEP_BYTES_MAX];
    uint64_t last_log_seq; /* the highest known: of a `seq` note (its lines may have left the log
                              spool) or of the spool */
    uint64_t lease_segment, seq_segment;
    struct segment_place result;
};

MUST_USE enum status journal_open(const char *dir, struct journal **ret, struct error *err);
void journal_close(struct journal *journal);
struct segments *journal_segments(struct journal *journal);

/* What a predecessor has left, oldest first by nothing in particular; stays until journal_done. */
struct journal_entry *journal_walk(struct journal *journal, struct map_cursor *cursor);

struct journal_entry *journal_find(const struct journal *journal, const uint8_t *token,
                                   size_t token_len); /* or NULL */

/* An attempt begins: written (not synced) when it returns, so a crash of the process cannot hide
 * it. */
MUST_USE enum status journal_begin(struct journal *journal, const uint8_t *token, size_t token_len,
                                   uint32_t shard, const struct id *task, uint32_t attempt,
                                   const char *step, struct journal_entry **ret, struct error *err);
/* Its result: the packed Result message. Gathers; segments_write and a sync make it durable. */
MUST_USE enum status journal_result(struct journal *journal, struct journal_entry *entry,
                                    struct slice packed);
/* Lines up to here may leave the log spool. */
void journal_seq(struct journal *journal, struct journal_entry *entry, uint64_t last_log_seq);
/* Acknowledged, stale or reported as gone: frees the entry. */
void journal_done(struct journal *journal, struct journal_entry *entry);
MUST_USE enum status journal_read_result(struct journal *journal, const struct journal_entry *entry,
                                         struct buf *out, struct error *err);
size_t journal_open_entries(const struct journal *journal);

#endif
