/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOGSHIP_LOGS_H
#define LOGSHIP_LOGS_H
/*
 * Log lines of attempts on their way to the logger. Lines gather for one turn of the loop, become
 * LogBlocks, and are written to the log spool (one write a turn, before any pipe is read again).
 * The sender reads the spool, never memory, so memory is bounded however long the logger is away;
 * what is not acknowledged is sent again after a reconnect, and by the next process after a crash.
 * Above spool_bytes the oldest segment is replaced by one line for each attempt that says what was
 * dropped.
 */
#include "base/list.h"
#include "loop/loop.h"
#include "spool/journal.h"

enum log_source { LOG_SOURCE_STDOUT = 0, LOG_SOURCE_STDERR = 1, LOG_SOURCE_SYSTEM = 2 };
enum log_severity {
    LOG_SEVERITY_NONE,
    LOG_SEVERITY_DEBUG,
    LOG_SEVERITY_INFO,
    LOG_SEVERITY_WARN,
    LOG_SEVERITY_ERROR
};
#define LOG_LINE_CONTINUES 0x08
#define LOG_BLOCK_TEXT_BYTES_MAX (128u << 10)
#define LOG_BLOCK_LINES_MAX 2000
#define LOG_SEGMENT_BYTES (16u << 20)

struct logs;
struct log_batch;
/* The end of one attempt's log; part of the attempt. */
struct log_writer {
    uint64_t last_seq;       /* 0 = no line yet */
    struct log_batch *batch; /* lines of this turn */
};
struct log_origin {
    const uint8_t *token;
    size_t token_len;
    const char *step;
};
struct logs_options {
    const char *dir;
    uint64_t spool_bytes;
    uint64_t reconnect_ms; /* longest pause between two tries */
    const char *authorization;
    struct net_tls *tls; /* to dial with; NULL = plaintext */
    /* Lines of a whole segment are about to leave the disk: note the last numbers of what still
     * runs. */
    void (*before_release)(void *userdata);
    void *userdata;
};

/* Opens the spool; lines of a predecessor's lost attempts raise last_log_seq in the journal's
 * entries. */
MUST_USE enum status logs_open(struct loop *loop, const struct logs_options *options,
                               struct journal *journal, struct logs **ret, struct error *err);
void logs_close(struct logs *logs); /* NULL allowed */
/* Where to send: an address, "" = nowhere (lines are thrown away), NULL = not known yet (they
 * gather). */
void logs_set_address(struct logs *logs, const char *address);
/* text: valid UTF-8 without NUL, at most LINE_BYTES_MAX. */
void logs_line(struct logs *logs, struct log_writer *writer, const struct log_origin *origin,
               enum log_source source, enum log_severity severity, bool continued,
               struct slice text);
void logs_detach(struct log_writer *writer); /* before the writer's memory goes */
void logs_flush(struct logs *logs);          /* gathered lines into the spool now */
struct segments *logs_segments(struct logs *logs);
bool logs_is_settled(const struct logs *logs); /* everything is acknowledged (or goes nowhere) */
uint64_t logs_unacknowledged_bytes(const struct logs *logs);
uint64_t logs_lines_total(const struct logs *logs);
/* Called once, when settled. */
void logs_on_settled(struct logs *logs, void (*fn)(void *userdata), void *userdata);

#endif
