/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_SEGMENTS_H
#define SPOOL_SEGMENTS_H
/*
 * An append-only sequence of records in files DIR/PREFIX.NUMBER, each at most about segment_bytes
 * long. Records gather in memory and reach the file by one write(2) in segments_write; whoever
 * needs them on the disk asks for the descriptors and calls fdatasync on another thread. A new
 * process never appends to an old file, so a torn tail (power cut) ends only what that process
 * wrote. A segment goes as a whole, when its owner says that nothing in it is needed. One owner,
 * loop thread only.
 */
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define SEGMENT_RECORD_BYTES_MAX (2u << 20)
#define SEGMENT_HEADER_BYTES 8 /* length and check of a record, each 32 bits */
#define SEGMENTS_PENDING_BYTES_MAX (16u << 20)
#define SEGMENTS_UNSYNCED_MAX 8 /* closed segments that a later sync still covers */

struct segments;
struct segment_place {
    uint64_t segment; /* 0 = nowhere */
    uint32_t offset;  /* of the record's header */
    uint32_t len;     /* of the payload */
};
typedef void (*segments_scan_fn)(struct segment_place place, struct slice payload, void *userdata);

/* Reads what is there, oldest first, then starts a new segment with the next number. */
MUST_USE enum status segments_open(const char *dir, const char *prefix, size_t segment_bytes,
                                   segments_scan_fn scan, void *userdata, struct segments **ret,
                                   struct error *err);
void segments_close(struct segments *segments); /* writes what gathers; NULL allowed */
/* RESOURCE_EXHAUSTED when the disk has refused so much that 16 MiB gather already. */
MUST_USE enum status segments_append(struct segments *segments, struct slice payload,
                                     struct segment_place *ret);
MUST_USE enum status segments_write(struct segments *segments, struct error *err);
bool segments_is_dirty(
    const struct segments *segments); /* something was written since the last take_unsynced */
/* Duplicates of the descriptors whose data may not be on the disk yet; the caller syncs and closes
 * them. Returns how many. */
size_t segments_take_unsynced(struct segments *segments, int fds[SEGMENTS_UNSYNCED_MAX + 1]);
/* One record, checked. DATA_LOSS when it is not what was written. Appends the payload to out. */
MUST_USE enum status segments_read(struct segments *segments, struct segment_place place,
                                   struct buf *out, struct error *err);
/* Up to `max` bytes from an offset of a segment, as far as they are written; *ret_len 0 at its end.
 */
MUST_USE enum status segments_read_raw(struct segments *segments, uint64_t segment, uint64_t offset,
                                       char *out, size_t max, size_t *ret_len, struct error *err);
/* The record at data: 1 = whole (payload set), 0 = more bytes are needed, -1 = damaged. */
int segments_parse(const char *data, size_t len, struct slice *ret_payload);
uint64_t segments_current(const struct segments *segments);
uint64_t segments_oldest(const struct segments *segments);
uint64_t segments_next(const struct segments *segments,
                       uint64_t segment); /* the one after it; 0 = it is the current one */
uint64_t segments_bytes(const struct segments *segments); /* of all */
uint64_t segments_segment_bytes(const struct segments *segments,
                                uint64_t segment);                 /* written; 0 = not there */
void segments_remove(struct segments *segments, uint64_t segment); /* not the current one */
/* Ends the current segment (if it holds anything) and starts the next. */
MUST_USE enum status segments_rotate(struct segments *segments, struct error *err);
/* Puts the given records in the place of a whole old segment, atomically. */
MUST_USE enum status segments_replace(struct segments *segments, uint64_t segment,
                                      const struct slice *payloads, size_t n, struct error *err);

#endif
