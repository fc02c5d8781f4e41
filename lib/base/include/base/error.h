/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H
/*
 * One error vocabulary: the 17 gRPC codes, and a fixed-size error that is filled in by who fails
 * and logged or answered once by who handles it. `struct error *` is always the last parameter and
 * may be NULL. No allocation but for violations, which belong to the arena they were added with.
 */
#include "base/macros.h"

enum status {
    STATUS_OK = 0,
    STATUS_CANCELLED = 1,
    STATUS_UNKNOWN = 2,
    STATUS_INVALID_ARGUMENT = 3,
    STATUS_DEADLINE_EXCEEDED = 4,
    STATUS_NOT_FOUND = 5,
    STATUS_ALREADY_EXISTS = 6,
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_FAILED_PRECONDITION = 9,
    STATUS_ABORTED = 10,
    STATUS_OUT_OF_RANGE = 11,
    STATUS_UNIMPLEMENTED = 12,
    STATUS_INTERNAL = 13,
    STATUS_UNAVAILABLE = 14,
    STATUS_DATA_LOSS = 15,
    STATUS_UNAUTHENTICATED = 16,
};

struct arena;

/* One thing wrong with one field of a request. line and column count from 1, 0 = unknown. */
struct error_violation {
    struct error_violation *next;
    const char *field;       /* JSON path, e.g. steps[2].needs[0] */
    const char *description; /* a sentence */
    const char *hint;        /* "did you mean …", or NULL */
    uint32_t line, column;
};

struct error {
    enum status status;
    char reason[48];   /* UPPER_SNAKE, stable for programs; "" when none */
    char field[160];   /* path of the field at fault; "" when none */
    char message[512]; /* for people, without trailing period or newline */
    uint32_t retry_after_ms;
    struct error_violation *violations;
};

const char *status_name(enum status status);               /* "NOT_FOUND" */
bool status_from_name(const char *name, enum status *ret); /* false when unknown */
enum status status_from_errno(int err);

/* Fills err (when given) and returns status, so that set-and-return is one line. */
enum status error_set(struct error *err, enum status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The same with a stable reason and the field at fault (either may be NULL). */
enum status error_field(struct error *err, enum status status, const char *reason,
                        const char *field, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Puts "context: " before the message; status is what is returned and kept. */
enum status error_wrap(struct error *err, enum status status, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void error_reset(struct error *err);
/* Appends a violation; the first one also becomes err->field and err->message. */
void error_add_violation(struct error *err, struct arena *arena, const char *field, uint32_t line,
                         uint32_t column, const char *hint, const char *fmt, ...) PRINTF_LIKE(7, 8);

#endif
