/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SUITES_H
#define SUITES_H
#include <check.h>
#include "ingest/events.h"
#include "ingest/lines.h"

TCase *lines_tcase(void);
TCase *record_tcase(void);
TCase *events_tcase(void);
TCase *chunk_tcase(void);
TCase *attempts_tcase(void);
TCase *page_tcase(void);
TCase *scan_tcase(void);
TCase *json_tcase(void);
TCase *spool_tcase(void);
TCase *wandb_tcase(void);

/* ---- things that several of them make ---- */

#define SAMPLE_US INT64_C(1700000000000000)
struct id sample_id(uint64_t random); /* of the time SAMPLE_US, shard 5 */
/* A block of n lines "line <seq>", 10 µs apart, in static memory until the next call. */
Plankton__V1__LogBlock *sample_block(uint64_t first_seq, size_t n);
struct lines_origin sample_origin(const struct id *task);
/* Appends the record's payload to out; the lines point into it. */
struct lines sample_lines(struct buf *out, const struct id *task, uint64_t first_seq, size_t n);
/* Packed EventBatch of n events of the task, numbers from first on; appended to out. */
void sample_events(struct buf *out, uint64_t first, size_t n, const struct id *task,
                   const struct id *run, uint32_t kind);
/* A whole frame of a record of lines; its checksum is that of lsn + out->len. */
void sample_frame(struct buf *out, uint64_t lsn, const struct id *task, uint64_t first_seq,
                  size_t n);

#endif
