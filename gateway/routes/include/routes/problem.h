/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROUTES_PROBLEM_H
#define ROUTES_PROBLEM_H
/* Errors in HTTP: the status by reason first and by code else, and application/problem+json. */
#include "base/buf.h"
#include "base/error.h"

#define PROBLEM_BYTES_MAX ((size_t)1024 * 1024)
#define PROBLEM_TYPE "application/problem+json"

unsigned problem_http_status(const struct error *err);
/* The status phrase used as title. */
const char *problem_title(unsigned http_status);
/* body_field: field that was the HTTP body (its name is cut from the front of paths), or NULL.
 * out must have room for PROBLEM_BYTES_MAX; violations that do not fit are left out. */
void problem_write(struct buf *out, const struct error *err, unsigned http_status,
                   const char *request_id, const char *body_field);

#endif
