/* SPDX-License-Identifier: Apache-2.0 */
/* Requests against a server that answers what the test has written. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "fetch/fetch.h"
#include "net/net.h"

#define STREAMS_MAX 8 /* of one test */

static struct {
    struct loop *loop;
    struct net_listener *listener;
    struct fetch *fetch;
    struct loop_timer *guard;
    const char *reply; /* NULL: says nothing */
    struct buf seen;
    struct net_stream *streams[STREAMS_MAX];
    size_t stream_count;
    char url[128];
    /* of the last answer */
    int calls, status;
    char body[256];
    double retry_after_s;
    struct error err;
} t;

static void guard_cb(void *userdata)
{
    ck_abort_msg("the test took too long");
}

static void server_read(struct net_stream *stream, struct slice bytes, void *userdata)
{
    buf_put(&t.seen, bytes.data, bytes.len);
    const char *text = buf_cstr(&t.seen), *head_end = strstr(text, "\r\n\r\n");
    const char *length = strstr(text, "Content-Length: ");

    if (!head_end || !t.reply)
        return;
    if (length && strlen(head_end + 4) < (size_t)strtoul(length + 16, NULL, 10))
        return;
    ck_assert_int_eq(net_stream_write(stream, t.reply, strlen(t.reply)), STATUS_OK);
    net_stream_close_after_flush(stream);
}

static void server_close(struct net_stream *stream, enum status status, const char *why,
                         void *userdata)
{
    struct net_stream **place = userdata;

    net_stream_free(stream);
    *place = NULL;
}

static void on_accept(struct net_stream *stream, void *userdata)
{
    static const struct net_callbacks callbacks = {.on_read = server_read,
                                                   .on_close = server_close};

    ck_assert_uint_lt(t.stream_count, STREAMS_MAX);
    t.streams[t.stream_count] = stream;
    net_stream_start(stream, &callbacks, &t.streams[t.stream_count++]);
}

static void setup(void)
{
    struct error err;

    memset(&t, 0, sizeof t);
    t.loop = loop_new();
    buf_init(&t.seen, 1 << 20);
    t.listener = net_listen(t.loop, "127.0.0.1:0", NULL, 10, on_accept, NULL, &err);
    ck_assert_ptr_nonnull(t.listener);
    snprintf(t.url, sizeof t.url, "http://%s/path", net_listener_address(t.listener));
    t.fetch = fetch_new(t.loop);
    t.guard = loop_timer_new(t.loop, guard_cb, NULL);
    loop_timer_start(t.guard, 20000, 0);
}

static void teardown(void)
{
    fetch_free(t.fetch);
    for (size_t i = 0; i < t.stream_count; i++)
        net_stream_free(t.streams[i]);
    net_listener_free(t.listener);
    loop_timer_free(t.guard);
    loop_free(t.loop);
    buf_fini(&t.seen);
}

static void done(const struct fetch_answer *answer, const struct error *err, void *userdata)
{
    t.calls++;
    t.err = *err;
    if (answer) {
        t.status = answer->status;
        t.retry_after_s = answer->retry_after_s;
        snprintf(t.body, sizeof t.body, "%.*s", (int)answer->body.len, answer->body.data);
    }
    loop_stop(t.loop);
}

static void ask(const struct fetch_request *request)
{
    fetch_start(t.fetch, request, done, NULL);
    ck_assert_int_eq(t.calls, 0); /* never from inside */
    loop_run(t.loop);
    ck_assert_int_eq(t.calls, 1);
}

START_TEST(an_answer_comes_with_status_and_body)
{
    const char *headers[] = {"Authorization: Basic abc", NULL};

    t.reply = "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello";
    ask(&(struct fetch_request){.method = "GET", .url = t.url, .headers = headers});
    ck_assert_int_eq(t.status, 201);
    ck_assert_str_eq(t.body, "hello");
    ck_assert(t.retry_after_s < 0);
    ck_assert_ptr_nonnull(strstr(buf_cstr(&t.seen), "GET /path HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(buf_cstr(&t.seen), "Authorization: Basic abc\r\n"));
}
END_TEST

START_TEST(a_body_is_sent_at_once)
{
    char *big = mem_zalloc(300001);

    memset(big, 'x', 300000);
    t.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    ask(&(struct fetch_request){.method = "POST", .url = t.url, .body = slice_of(big)});
    ck_assert_int_eq(t.status, 200);
    ck_assert_ptr_null(strstr(buf_cstr(&t.seen), "Expect"));
    ck_assert_uint_gt(t.seen.len, 300000);
    free(big);
}
END_TEST

START_TEST(retry_after_is_read)
{
    static const struct {
        const char *text;
        double least, most;
    } cases[] = {{"3", 3, 3},
                 {"0.25", 0.25, 0.25},
                 {"soon", -1, -1},
                 {"Fri, 01 Jan 2100 00:00:00 GMT", 1e6, 1e12}};
    char reply[200];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(reply, sizeof reply,
                 "HTTP/1.1 429 Too Many\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
                 cases[i].text);
        t.reply = reply;
        t.calls = 0;
        buf_clear(&t.seen);
        ask(&(struct fetch_request){.method = "GET", .url = t.url});
        ck_assert_int_eq(t.status, 429);
        ck_assert_msg(t.retry_after_s >= cases[i].least && t.retry_after_s <= cases[i].most,
                      "%s is %f", cases[i].text, t.retry_after_s);
    }
}
END_TEST

START_TEST(silence_is_a_timeout)
{
    ask(&(struct fetch_request){.method = "GET", .url = t.url, .timeout_ms = 50});
    ck_assert_int_eq(t.err.status, STATUS_DEADLINE_EXCEEDED);
}
END_TEST

START_TEST(nobody_there_is_unavailable)
{
    net_listener_free(t.listener);
    t.listener = NULL;
    ask(&(struct fetch_request){.method = "GET", .url = t.url});
    ck_assert_int_eq(t.err.status, STATUS_UNAVAILABLE);
    ck_assert_uint_gt(strlen(t.err.message), 0);
}
END_TEST

START_TEST(an_answer_that_is_too_long_is_refused)
{
    t.reply = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world";
    ask(&(struct fetch_request){.method = "GET", .url = t.url, .answer_bytes_max = 10});
    ck_assert_int_eq(t.err.status, STATUS_RESOURCE_EXHAUSTED);
}
END_TEST

START_TEST(an_unknown_scheme_is_refused)
{
    ask(&(struct fetch_request){.method = "GET", .url = "file:///etc/passwd"});
    ck_assert_int_eq(t.err.status, STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(a_cancelled_job_says_nothing)
{
    struct fetch_job *job =
        fetch_start(t.fetch, &(struct fetch_request){.method = "GET", .url = t.url}, done, NULL);

    fetch_cancel(job);
    t.reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    ask(&(struct fetch_request){.method = "GET", .url = t.url});
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fetch");
    TCase *tcase = tcase_create("fetch");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_answer_comes_with_status_and_body);
    tcase_add_test(tcase, a_body_is_sent_at_once);
    tcase_add_test(tcase, retry_after_is_read);
    tcase_add_test(tcase, silence_is_a_timeout);
    tcase_add_test(tcase, nobody_there_is_unavailable);
    tcase_add_test(tcase, an_answer_that_is_too_long_is_refused);
    tcase_add_test(tcase, an_unknown_scheme_is_refused);
    tcase_add_test(tcase, a_cancelled_job_says_nothing);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
