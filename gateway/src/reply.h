/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H
/* Answers, with the headers that all of them carry. */
#include "gateway.h"
#include "site/site.h"

#define REPLY_HEADERS_MAX 16

struct reply {
    unsigned http_status;
    bool page; /* may run the web interface: its content policy */
    struct http1_header headers[REPLY_HEADERS_MAX];
    size_t header_count;
    struct slice body;
};

void reply_init(struct reply *reply, const struct exchange *exchange, unsigned http_status,
                const char *content_type);
/* value must live until the reply is sent. */
void reply_header(struct reply *reply, const char *name, const char *value);
/* Adds the common headers; for answers that begin a stream as well. */
void reply_finish_headers(struct reply *reply);
void reply_send(struct exchange *exchange, struct reply *reply);
/* application/problem+json; body_field as in problem_write. */
void reply_problem_about(struct exchange *exchange, const struct error *err,
                         const char *body_field);
void reply_problem(struct exchange *exchange, const struct error *err);
void reply_error(struct exchange *exchange, enum status status, const char *reason,
                 const char *message);
void reply_not_allowed(struct exchange *exchange, const char *allow);
void reply_site(struct exchange *exchange, const struct site_answer *answer);
/* Counts a finished exchange. */
void reply_account(const struct exchange *exchange, unsigned http_status);
void reply_metrics_init(void);

#endif
