/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_WANDB_FILE_H
#define SINKS_WANDB_FILE_H
/*
 * The framing of a run-ID.wandb file: seven bytes of header, then blocks of 32 KiB with chunks of
 * records, each with the plain CRC-32 of its type and payload (no CRC-32C, not masked, whatever is
 * said of it elsewhere). A record that does not fit goes on in the next block. Pure.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "sinks/wandb/wandb.pb-c.h"

#define WANDB_BLOCK_BYTES 32768u
#define WANDB_HEADER_BYTES 7u
/* Of a payload; no reader takes a longer line. */
#define WANDB_RECORD_BYTES_MAX ((size_t)10 << 20)

/* What is to be written behind the first `bytes` of a file. */
struct wandb_writer {
    struct buf out;
    uint64_t bytes; /* of the file, with what is in out */
    int64_t num;    /* of the last record */
};
void wandb_put(struct wandb_writer *writer, WandbInternal__Record *record); /* sets its number */
/* Zeros behind the last record when less than a chunk's head is left of its block: readers look for
 * them at the end of the file, too. Call it once, after the last record. */
void wandb_pad(struct wandb_writer *writer);

/* Walks the records of a file from `at` on, the place of a record or of the header (0). */
struct wandb_reader {
    struct slice data; /* a part of the file, … */
    uint64_t base;     /* … from here on */
    uint64_t at;       /* behind the last whole record; base at least */
};
enum wandb_outcome { WANDB_OK, WANDB_CUT, WANDB_BAD };
/* OK: *ret_payload is the next record (in the arena when it had been divided). CUT: no whole record
 * follows. BAD: what follows is none. */
enum wandb_outcome wandb_next(struct wandb_reader *reader, struct arena *arena,
                              struct slice *ret_payload);

#endif
