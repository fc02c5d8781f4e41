/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FETCH_FETCH_H
#define FETCH_FETCH_H
/*
 * HTTP(S) requests to foreign services, by libcurl on the loop: no thread waits. The only includer
 * of curl. Redirects are not followed and nothing is tried again: that is for the caller to decide,
 * who knows what may be repeated. Proxies are those of the environment (https_proxy, no_proxy).
 */
#include "base/error.h"
#include "base/slice.h"
#include "loop/loop.h"

struct fetch;
struct fetch_job;

struct fetch_request {
    const char *method;         /* "GET", "POST", "PUT" */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value", …, NULL; NULL = none */
    struct slice body;          /* copied */
    uint64_t timeout_ms;        /* of the whole request; 0 = 30 s */
    size_t answer_bytes_max;    /* 0 = 1 MiB; a longer answer fails the request */
    const char *ca_file;        /* trusted beside nothing else; NULL = the system's */
};
struct fetch_answer {
    int status; /* of HTTP */
    struct slice body;
    double retry_after_s; /* Retry-After in seconds (a date is counted from now); negative: none */
};
/* answer is NULL when none came: err says why (UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED
 * for a longer one). Both are valid until it returns. */
typedef void (*fetch_done_fn)(const struct fetch_answer *answer, const struct error *err,
                              void *userdata);

struct fetch *fetch_new(struct loop *loop);
void fetch_free(struct fetch *fetch); /* NULL allowed; ends its jobs without a word */
/* done comes once, from the loop, never from inside. */
struct fetch_job *fetch_start(struct fetch *fetch, const struct fetch_request *request,
                              fetch_done_fn done, void *userdata);
void fetch_cancel(struct fetch_job *job); /* NULL allowed; before done only */

#endif
