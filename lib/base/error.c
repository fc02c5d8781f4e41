/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/arena.h"
#include "base/error.h"

static const char *const STATUS_NAMES[] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *status_name(enum status status)
{
    return (unsigned)status < ARRAY_LEN(STATUS_NAMES) ? STATUS_NAMES[status] : "UNKNOWN";
}

bool status_from_name(const char *name, enum status *ret)
{
    for (unsigned i = 0; name && i < ARRAY_LEN(STATUS_NAMES); i++) {
        if (strcmp(name, STATUS_NAMES[i]) == 0) {
            *ret = (enum status)i;
            return true;
        }
    }
    return false;
}

enum status status_from_errno(int err)
{
    switch (err) {
    case 0:
        return STATUS_OK;
    case EINVAL:
    case ENAMETOOLONG:
    case EILSEQ:
        return STATUS_INVALID_ARGUMENT;
    case ETIMEDOUT:
        return STATUS_DEADLINE_EXCEEDED;
    case ENOENT:
    case ENOTDIR:
        return STATUS_NOT_FOUND;
    case EEXIST:
    case EADDRINUSE:
        return STATUS_ALREADY_EXISTS;
    case EPERM:
    case EACCES:
    case EROFS:
        return STATUS_PERMISSION_DENIED;
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case EFBIG:
        return STATUS_RESOURCE_EXHAUSTED;
    case EISDIR:
    case ENOTEMPTY:
    case EBUSY:
        return STATUS_FAILED_PRECONDITION;
    case ERANGE:
    case EOVERFLOW:
        return STATUS_OUT_OF_RANGE;
    case ENOSYS:
    case EOPNOTSUPP:
        return STATUS_UNIMPLEMENTED;
    case ECANCELED:
        return STATUS_CANCELLED;
    case EAGAIN:
    case EINTR:
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
        return STATUS_UNAVAILABLE;
    case EIO:
        return STATUS_DATA_LOSS;
    default:
        return STATUS_INTERNAL;
    }
}

/* Copies what fits, never cutting a UTF-8 character in two: errors travel as protobuf strings. */
static void copy_text(char *out, size_t out_bytes, const char *text)
{
    size_t len = strnlen(text, out_bytes);

    if (len >= out_bytes) {
        len = out_bytes - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    memmove(out, text, len);
    out[len] = '\0';
}

PRINTF_LIKE(2, 0)
static void set_message(struct error *err, const char *fmt, va_list args)
{
    char message[sizeof(err->message) + 8]; /* formatted apart: args may point into err->message */

    vsnprintf(message, sizeof(message), fmt, args);
    copy_text(err->message, sizeof(err->message), message);
}

enum status error_set(struct error *err, enum status status, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return status;
    va_start(args, fmt);
    set_message(err, fmt, args);
    va_end(args);
    err->status = status;
    err->reason[0] = err->field[0] = '\0';
    err->retry_after_ms = 0;
    err->violations = NULL;
    return status;
}

enum status error_field(struct error *err, enum status status, const char *reason,
                        const char *field, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return status;
    va_start(args, fmt);
    set_message(err, fmt, args);
    va_end(args);
    err->status = status;
    copy_text(err->reason, sizeof(err->reason), reason ? reason : "");
    copy_text(err->field, sizeof(err->field), field ? field : "");
    err->retry_after_ms = 0;
    err->violations = NULL;
    return status;
}

enum status error_wrap(struct error *err, enum status status, const char *fmt, ...)
{
    char context[sizeof(err->message)];
    char message[2 * sizeof(err->message) + 4];
    va_list args;

    if (!err)
        return status;
    va_start(args, fmt);
    vsnprintf(context, sizeof(context), fmt, args);
    va_end(args);
    if (err->message[0])
        snprintf(message, sizeof(message), "%s: %s", context, err->message);
    else
        snprintf(message, sizeof(message), "%s", context);
    copy_text(err->message, sizeof(err->message), message);
    err->status = status;
    return status;
}

void error_reset(struct error *err)
{
    if (err)
        *err = (struct error){.status = STATUS_OK};
}

void error_add_violation(struct error *err, struct arena *arena, const char *field, uint32_t line,
                         uint32_t column, const char *hint, const char *fmt, ...)
{
    struct error_violation *violation;
    struct error_violation **tail;
    char text[sizeof(err->message)];
    va_list args;

    if (!err)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    violation = ARENA_NEW(arena, struct error_violation);
    violation->field = arena_strdup(arena, field ? field : "");
    violation->description = arena_strdup(arena, text);
    violation->hint = arena_strdup(arena, hint);
    violation->line = line;
    violation->column = column;
    if (!err->violations) {
        copy_text(err->field, sizeof(err->field), field ? field : "");
        copy_text(err->message, sizeof(err->message), text);
        if (err->status == STATUS_OK)
            err->status = STATUS_INVALID_ARGUMENT;
    }
    for (tail = &err->violations; *tail; tail = &(*tail)->next)
        ;
    *tail = violation;
}
