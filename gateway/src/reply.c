/* SPDX-License-Identifier: Apache-2.0 */
#include "log/log.h"
#include "metrics/metrics.h"
#include "reply.h"
#include "routes/problem.h"

#define PAGE_POLICY                                                                                \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "              \
    "connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; "                \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
#define DATA_POLICY "default-src 'none'; frame-ancestors 'none'"
#define MS_PER_S 1000u

static struct metric metrics[] = {
    {.name = "gateway_requests_total",
     .help = "Requests by class of status.",
     .kind = METRIC_COUNTER,
     .labels = "class=\"2xx\""},
    {.name = "gateway_requests_total",
     .help = "Requests by class of status.",
     .kind = METRIC_COUNTER,
     .labels = "class=\"3xx\""},
    {.name = "gateway_requests_total",
     .help = "Requests by class of status.",
     .kind = METRIC_COUNTER,
     .labels = "class=\"4xx\""},
    {.name = "gateway_requests_total",
     .help = "Requests by class of status.",
     .kind = METRIC_COUNTER,
     .labels = "class=\"5xx\""},
    {.name = "gateway_request_seconds",
     .help = "From the whole request to its answer.",
     .kind = METRIC_HISTOGRAM},
};

void reply_metrics_init(void)
{
    metrics_register(metrics, ARRAY_LEN(metrics));
}

void reply_account(const struct exchange *exchange, unsigned http_status)
{
    uint64_t took_us = clock_monotonic_us() - exchange->started_us;

    if (http_status >= 200 && http_status < 600)
        metric_add(&metrics[http_status / 100 - 2], 1);
    metric_observe_us(&metrics[4], took_us);
    log_debug("request.done", LOG_STR("method", exchange->request->method),
              LOG_STR("path", exchange->request->path), LOG_U64("status", http_status),
              LOG_U64("took_us", took_us), LOG_STR("request", exchange->request_id));
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
    if (!value || reply->header_count == REPLY_HEADERS_MAX)
        return;
    reply->headers[reply->header_count++] =
        (struct http1_header){.name = slice_of(name), .value = slice_of(value)};
}

void reply_init(struct reply *reply, const struct exchange *exchange, unsigned http_status,
                const char *content_type)
{
    *reply = (struct reply){.http_status = http_status};
    reply_header(reply, "Content-Type", content_type);
    reply_header(reply, "X-Request-Id", exchange->request_id);
}

void reply_finish_headers(struct reply *reply)
{
    bool cached = false;

    for (size_t i = 0; i < reply->header_count; i++)
        cached |= slice_is(reply->headers[i].name, "Cache-Control");
    if (!cached)
        reply_header(reply, "Cache-Control", "no-store");
    reply_header(reply, "X-Content-Type-Options", "nosniff");
    reply_header(reply, "Content-Security-Policy", reply->page ? PAGE_POLICY : DATA_POLICY);
    reply_header(reply, "Referrer-Policy", "no-referrer");
    reply_header(reply, "Cross-Origin-Resource-Policy", "same-origin");
    if (reply->page)
        reply_header(reply, "Cross-Origin-Opener-Policy", "same-origin");
}

void reply_send(struct exchange *exchange, struct reply *reply)
{
    reply_finish_headers(reply);
    reply_account(exchange, reply->http_status);
    http1_respond(exchange->request, reply->http_status, reply->headers, reply->header_count,
                  reply->body);
}

void reply_problem_about(struct exchange *exchange, const struct error *err, const char *body_field)
{
    unsigned http_status = problem_http_status(err);
    uint32_t retry_s = (err->retry_after_ms + MS_PER_S - 1) / MS_PER_S;
    struct reply reply;
    struct buf body;

    buf_init(&body, PROBLEM_BYTES_MAX);
    problem_write(&body, err, http_status, exchange->request_id, body_field);
    reply_init(&reply, exchange, http_status, PROBLEM_TYPE);
    if (http_status == 429 || http_status == 503)
        reply_header(&reply, "Retry-After",
                     arena_printf(exchange->request->arena, "%u", retry_s ? retry_s : 1));
    if (http_status == 401)
        reply_header(&reply, "WWW-Authenticate", "Bearer realm=\"plankton\"");
    reply.body = buf_slice(&body);
    if (http_status >= 500 && http_status != 503 && http_status != 504)
        log_warn("request.failed", LOG_STR("path", exchange->request->path), LOG_ERR(err),
                 LOG_STR("request", exchange->request_id));
    reply_send(exchange, &reply);
    buf_fini(&body);
}

void reply_problem(struct exchange *exchange, const struct error *err)
{
    reply_problem_about(exchange, err, NULL);
}

void reply_error(struct exchange *exchange, enum status status, const char *reason,
                 const char *message)
{
    struct error err = {0};

    (void)error_field(&err, status, reason, NULL, "%s", message);
    reply_problem(exchange, &err);
}

void reply_not_allowed(struct exchange *exchange, const char *allow)
{
    struct error err = {0};
    struct reply reply;
    struct buf body;

    (void)error_field(&err, STATUS_UNIMPLEMENTED, "METHOD_NOT_ALLOWED", NULL,
                      "this address knows %s", allow);
    buf_init(&body, PROBLEM_BYTES_MAX);
    problem_write(&body, &err, 405, exchange->request_id, NULL);
    reply_init(&reply, exchange, 405, PROBLEM_TYPE);
    reply_header(&reply, "Allow", allow);
    reply.body = buf_slice(&body);
    reply_send(exchange, &reply);
    buf_fini(&body);
}

void reply_site(struct exchange *exchange, const struct site_answer *answer)
{
    struct reply reply;

    reply_init(&reply, exchange, answer->http_status, answer->type);
    reply.page = true;
    reply_header(&reply, "Cache-Control", answer->cache_control);
    reply_header(&reply, "ETag", answer->etag);
    reply_header(&reply, "Content-Encoding", answer->coding);
    if (answer->varies)
        reply_header(&reply, "Vary", "Accept-Encoding");
    reply.body = answer->body;
    reply_send(exchange, &reply);
}
