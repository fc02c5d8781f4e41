/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "db/db.h"

#define SQLSTATE_CHARS 5

struct sqlstate_row {
    const char *prefix; /* a whole SQLSTATE, or its class of two characters */
    enum status status;
};

/* Whole codes come before their class. What is not listed is INTERNAL: a statement of ours is
 * wrong. */
static const struct sqlstate_row sqlstate_rows[] = {
    {"00", STATUS_OK},
    {"01", STATUS_OK},
    {"02", STATUS_NOT_FOUND},
    {"08P01",
     STATUS_INTERNAL}, /* protocol violation: a parameter's binary form does not fit its type */
    {"08", STATUS_UNAVAILABLE},
    {"0A", STATUS_UNIMPLEMENTED},
    {"22012",
     STATUS_ABORTED}, /* division by zero: how a fence statement says that it did not match */
    {"22", STATUS_INVALID_ARGUMENT},
    {"23505", STATUS_ALREADY_EXISTS},
    {"23503", STATUS_FAILED_PRECONDITION},
    {"23", STATUS_FAILED_PRECONDITION},
    {"25006", STATUS_UNAVAILABLE}, /* read-only: a standby, or a primary that was just demoted */
    {"25", STATUS_INTERNAL},
    {"28", STATUS_UNAUTHENTICATED},
    {"3D000", STATUS_NOT_FOUND},
    {"40", STATUS_ABORTED}, /* serialization failure, deadlock */
    {"42501", STATUS_PERMISSION_DENIED},
    {"42P01", STATUS_FAILED_PRECONDITION}, /* no such table: not migrated */
    {"42", STATUS_INTERNAL},
    {"53", STATUS_RESOURCE_EXHAUSTED},
    {"54", STATUS_RESOURCE_EXHAUSTED},
    {"55P03", STATUS_ABORTED}, /* lock_timeout */
    {"55", STATUS_FAILED_PRECONDITION},
    {"57014", STATUS_DEADLINE_EXCEEDED}, /* statement_timeout, or cancelled by an operator */
    {"57P04", STATUS_NOT_FOUND},
    {"57", STATUS_UNAVAILABLE}, /* shutdown, crash, starting up */
    {"58", STATUS_UNAVAILABLE}, /* the server's disk */
    {"P0001", STATUS_FAILED_PRECONDITION},
    {"XX001", STATUS_DATA_LOSS},
    {"XX002", STATUS_DATA_LOSS},
    {"XX", STATUS_INTERNAL},
};

enum status db_status_from_sqlstate(const char *sqlstate)
{
    if (!sqlstate || strlen(sqlstate) != SQLSTATE_CHARS)
        return STATUS_UNKNOWN;
    for (size_t i = 0; i < ARRAY_LEN(sqlstate_rows); i++) {
        const char *prefix = sqlstate_rows[i].prefix;

        if (strncmp(sqlstate, prefix, strlen(prefix)) == 0)
            return sqlstate_rows[i].status;
    }
    return STATUS_INTERNAL;
}
