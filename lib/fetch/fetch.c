/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/fetch.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/list.h"

#define TIMEOUT_MS 30000
#define CONNECT_TIMEOUT_MS 10000
#define ANSWER_BYTES_MAX ((size_t)1 << 20)
#define CONNECTIONS_KEPT_MAX 8
#define USER_AGENT "plankton/" PLANKTON_VERSION

struct fetch {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;
    struct list jobs;
};
struct fetch_job {
    struct list link;
    struct fetch *fetch;
    CURL *easy;
    struct curl_slist *headers;
    struct buf answer;
    double retry_after_s;
    bool too_long;
    char why[CURL_ERROR_SIZE];
    fetch_done_fn done;
    void *userdata;
};
/* One of curl's sockets. */
struct watch {
    struct fetch *fetch;
    curl_socket_t fd;
    struct loop_fd *watch;
};

static void job_free(struct fetch_job *job)
{
    list_remove(&job->link);
    curl_multi_remove_handle(job->fetch->multi, job->easy);
    curl_easy_cleanup(job->easy);
    curl_slist_free_all(job->headers);
    buf_fini(&job->answer);
    free(job);
}

static void job_answer(struct fetch_job *job)
{
    struct fetch_answer answer = {.body = buf_slice(&job->answer),
                                  .retry_after_s = job->retry_after_s};
    curl_off_t seconds = 0;
    struct error err = {0};
    long status = 0;

    curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (int)status;
    /* A number was read by us, with its fraction; a date is left to curl. */
    if (answer.retry_after_s < 0 &&
        curl_easy_getinfo(job->easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0)
        answer.retry_after_s = (double)seconds;
    job->done(&answer, &err, job->userdata);
}

static void job_failed(struct fetch_job *job, CURLcode code)
{
    struct error err = {0};
    enum status status =
        code == CURLE_OPERATION_TIMEDOUT ? STATUS_DEADLINE_EXCEEDED : STATUS_UNAVAILABLE;

    if (job->too_long)
        error_set(&err, STATUS_RESOURCE_EXHAUSTED, "the answer is longer than %zu bytes",
                  job->answer.max);
    else
        error_set(&err, status, "%s", *job->why ? job->why : curl_easy_strerror(code));
    job->done(NULL, &err, job->userdata);
}

/* What curl has finished. Its callbacks may start and cancel others. */
static void reap(struct fetch *fetch)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetch->multi, &left))) {
        struct fetch_job *job = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&job);
        curl_multi_remove_handle(fetch->multi, job->easy);
        if (code == CURLE_OK)
            job_answer(job);
        else
            job_failed(job, code);
        job_free(job);
    }
}

static void socket_event(int events, void *userdata)
{
    struct watch *watch = userdata;
    struct fetch *fetch = watch->fetch;
    int action = (events & LOOP_READABLE ? CURL_CSELECT_IN : 0) |
                 (events & LOOP_WRITABLE ? CURL_CSELECT_OUT : 0);
    int running;

    curl_multi_socket_action(fetch->multi, watch->fd, action, &running);
    reap(fetch);
}

static void timer_event(void *userdata)
{
    struct fetch *fetch = userdata;
    int running;

    curl_multi_socket_action(fetch->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap(fetch);
}

static int on_timer(CURLM *multi, long timeout_ms, void *userdata)
{
    struct fetch *fetch = userdata;

    if (timeout_ms < 0)
        loop_timer_stop(fetch->timer);
    else
        loop_timer_start(fetch->timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *assigned)
{
    struct fetch *fetch = userdata;
    struct watch *watch = assigned;

    if (what == CURL_POLL_REMOVE) {
        if (watch)
            loop_fd_free(watch->watch);
        free(watch);
        curl_multi_assign(fetch->multi, fd, NULL);
        return 0;
    }
    if (!watch) {
        watch = mem_zalloc(sizeof *watch);
        watch->fetch = fetch;
        watch->fd = fd;
        watch->watch = loop_fd_new(fetch->loop, fd, socket_event, watch);
        curl_multi_assign(fetch->multi, fd, watch);
    }
    loop_fd_watch(watch->watch, (what & CURL_POLL_IN ? LOOP_READABLE : 0) |
                                    (what & CURL_POLL_OUT ? LOOP_WRITABLE : 0));
    return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
    struct fetch_job *job = userdata;

    if (buf_append(&job->answer, data, size * n) == STATUS_OK)
        return size * n;
    job->too_long = true;
    return 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata)
{
    static const char name[] = "retry-after:";
    struct fetch_job *job = userdata;
    char text[32] = {0}, *end;
    size_t len = size * n;

    if (len <= sizeof name - 1 || strncasecmp(data, name, sizeof name - 1) != 0)
        return len;
    memcpy(text, data + sizeof name - 1, MIN_OF(len - (sizeof name - 1), sizeof text - 1));
    double seconds = strtod(text, &end);
    if (end != text && (*end == 0 || strchr(" \r\n", *end)) && seconds >= 0)
        job->retry_after_s = seconds;
    return len;
}

static void job_method(struct fetch_job *job, const struct fetch_request *request)
{
    CURL *easy = job->easy;

    if (strcmp(request->method, "GET") == 0)
        return;
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request->body.len ? request->body.data : "");
    /* The body goes out at once: waiting for "100 Continue" costs a second with servers that do not
     * know it. */
    job->headers = curl_slist_append(job->headers, "Expect:");
}

struct fetch_job *fetch_start(struct fetch *fetch, const struct fetch_request *request,
                              fetch_done_fn done, void *userdata)
{
    struct fetch_job *job = mem_zalloc(sizeof *job);
    CURL *easy = job->easy = curl_easy_init();

    if (!easy)
        abort();
    job->fetch = fetch;
    job->done = done;
    job->userdata = userdata;
    job->retry_after_s = -1;
    buf_init(&job->answer,
             request->answer_bytes_max ? request->answer_bytes_max : ANSWER_BYTES_MAX);
    list_push(&fetch->jobs, &job->link);
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job->why);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     (long)(request->timeout_ms ? request->timeout_ms : TIMEOUT_MS));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, job);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, job);
    if (request->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
    for (const char *const *header = request->headers; header && *header; header++)
        job->headers = curl_slist_append(job->headers, *header);
    job_method(job, request);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, job->headers);
    curl_multi_add_handle(fetch->multi, easy);
    return job;
}

void fetch_cancel(struct fetch_job *job)
{
    if (job)
        job_free(job);
}

struct fetch *fetch_new(struct loop *loop)
{
    static bool initialized;
    struct fetch *fetch = mem_zalloc(sizeof *fetch);

    if (!initialized && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
    initialized = true;
    fetch->loop = loop;
    fetch->multi = curl_multi_init();
    fetch->timer = loop_timer_new(loop, timer_event, fetch);
    list_init(&fetch->jobs);
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch);
    curl_multi_setopt(fetch->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT_MAX);
    return fetch;
}

void fetch_free(struct fetch *fetch)
{
    if (!fetch)
        return;
    while (!list_empty(&fetch->jobs))
        job_free(LIST_FIRST(&fetch->jobs, struct fetch_job, link));
    curl_multi_cleanup(fetch->multi);
    loop_timer_free(fetch->timer);
    free(fetch);
}
