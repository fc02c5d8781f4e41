/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_RECORD_H
#define INGEST_RECORD_H
/*
 * Records of the spool. A frame is u32 payload bytes, u32 CRC-32, payload; the first byte of the
 * payload is its type. A record's place (lsn) is the number of bytes before it since the spool was
 * made, plus where the count began; it is part of the CRC, so that bytes which stand in the wrong
 * place are not taken for a record. Pure.
 */
#include "base/buf.h"
#include "base/id.h"

#define FRAME_HEAD_BYTES ((size_t)8)
#define RECORD_BYTES_MAX                                                                           \
    ((size_t)6 << 20) /* of a payload: an event batch of 4 MiB, or the lines of one block */

/* VOID stands where bytes were damaged on the disk: nobody reads it. */
enum record_type { RECORD_LINES = 1, RECORD_EVENTS = 2, RECORD_VOID = 3 };

/* Room for a frame's head at the end of out; the payload is appended by the caller. Returns where
 * the head stands. */
size_t frame_begin(struct buf *out);
void frame_end(struct buf *out, size_t head);
/* Fills in the checksums of the frames in data, of which the first is at lsn. (Elsewhere than
 * frame_end, since it is work for a thread of the pool.) */
void frames_seal(char *data, size_t len, uint64_t lsn);

enum frame_outcome { FRAME_OK, FRAME_CUT, FRAME_BAD };
/* Takes a frame from the front of *data and moves *lsn behind it; ret_lsn: where it began. CUT: the
 * rest holds no whole frame. BAD: what stands there is none. */
enum frame_outcome frame_next(struct slice *data, uint64_t *lsn, uint64_t *ret_lsn,
                              struct slice *ret_payload);
/* The same without the checksum, for bytes that are known to be good. */
enum frame_outcome frame_next_unchecked(struct slice *data, uint64_t *lsn, uint64_t *ret_lsn,
                                        struct slice *ret_payload);

/* Bytes until the next good frame in data, of which the first stands at lsn; data.len when there is
 * none. */
size_t frame_find(struct slice data, uint64_t lsn);
/* Overwrites len bytes (at least FRAME_BYTES_MIN), of which the first stands at lsn, by VOID
 * frames. */
#define FRAME_BYTES_MIN (FRAME_HEAD_BYTES + 1)
void frames_void(char *data, size_t len, uint64_t lsn);

static inline enum record_type record_type_of(struct slice payload)
{
    return payload.len ? (enum record_type)(uint8_t)payload.data[0] : 0;
}

#endif
