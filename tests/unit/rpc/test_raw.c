/* SPDX-License-Identifier: Apache-2.0 */
/* What no client library sends: requests in frames written by hand, and their answers frame by
 * frame. Names begin with the requirement of the gRPC wire that they hold. */
#include <stdio.h>
#include <stdlib.h>
#include "base/text.h"
#include "frames.h"
#include "google/rpc/status.pb-c.h"
#include "internal.h"
#include "suites.h"

#define SLICE(text) ((struct slice){text, sizeof(text) - 1})
#define UNARY "/plankton.test.Echo/Unary"
#define CLIENT_STREAM "/plankton.test.Echo/ClientStream"
#define BIDI "/plankton.test.Echo/Bidi"
#define NONE "-" /* leaves a header out that is there by default */
#define EXTRA_MAX 4
#define EMPTY SLICE("\0\0\0\0\0")
#define HELLO SLICE("\0\0\0\0\7\x0a\5hello")
#define HELLO_BACK_BYTES (5 + 7 + 2) /* prefix, text, number */

enum end { END_WITH_DATA, END_EMPTY_DATA, END_WITH_HEADERS, END_WITH_TRAILERS, END_NEVER };

/* A request, and what is expected of its answer. NULL: the usual. */
struct raw_case {
    const char *method, *path, *type, *te;
    const char *extra[2 * EXTRA_MAX + 1];
    struct slice body;
    size_t piece_bytes; /* of body per DATA frame; 0 = all */
    int padding;        /* 0 = none, else this many bytes */
    enum end end;
    const char *status, *grpc_status;
    size_t body_bytes; /* of the answer, when it is a message */
};

static void send_headers(struct frames *fr, const struct raw_case *c)
{
    const char *pairs[2 * (6 + EXTRA_MAX) + 1];
    const char *fixed[] = {
        ":method",      c->method ? c->method : "POST",
        ":scheme",      "http",
        ":path",        c->path ? c->path : UNARY,
        ":authority",   "test",
        "te",           c->te ? c->te : "trailers",
        "content-type", c->type ? c->type : "application/grpc",
    };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(fixed); i += 2) {
        if (str_eq(fixed[i + 1], NONE))
            continue;
        pairs[n++] = fixed[i];
        pairs[n++] = fixed[i + 1];
    }
    for (size_t i = 0; c->extra[i]; i++)
        pairs[n++] = c->extra[i];
    pairs[n] = NULL;
    frames_headers(fr, c->end == END_WITH_HEADERS ? FRAME_END_STREAM : 0, pairs);
}

static void send_request(struct frames *fr, const struct raw_case *c)
{
    static const char *const trailers[] = {"x-trailer", "1", NULL};
    size_t piece = c->piece_bytes ? c->piece_bytes : MAX_OF(c->body.len, (size_t)1);

    send_headers(fr, c);
    if (c->end == END_WITH_HEADERS)
        return;
    for (size_t at = 0; at < c->body.len; at += piece) {
        size_t n = MIN_OF(piece, c->body.len - at);
        bool last = at + n == c->body.len && c->end == END_WITH_DATA;
        frames_data(fr, last ? FRAME_END_STREAM : 0, (struct slice){c->body.data + at, n},
                    c->padding ? c->padding : -1);
    }
    if (c->end == END_EMPTY_DATA || (c->end == END_WITH_DATA && c->body.len == 0))
        frames_data(fr, FRAME_END_STREAM, SLICE(""), -1);
    if (c->end == END_WITH_TRAILERS)
        frames_headers(fr, FRAME_END_STREAM, trailers);
}

static const char *text_of(const char *text)
{
    return text ? text : "(none)";
}

/* The answer to one case, on a connection of its own; fr stays open for more questions. */
static void ask(struct frames *fr, const struct raw_case *c, size_t index)
{
    frames_begin(fr);
    send_request(fr, c);
    frames_run(fr);
    const char *grpc_status = frames_header(fr, 0, "grpc-status");
    ck_assert_msg(str_eq(text_of(frames_header(fr, 1, ":status")), c->status ? c->status : "200"),
                  "case %zu: HTTP status %s", index, text_of(frames_header(fr, 1, ":status")));
    ck_assert_msg(str_eq(grpc_status, c->grpc_status), "case %zu: grpc-status %s, message %s",
                  index, text_of(grpc_status), text_of(frames_header(fr, 0, "grpc-message")));
    if (c->body_bytes)
        ck_assert_msg(fr->body.len == c->body_bytes, "case %zu: %zu bytes", index, fr->body.len);
}

/* Whatever it was, the connection still serves. */
static void still_serves(struct frames *fr)
{
    const struct raw_case c = {.body = HELLO};

    ck_assert(!fr->lost);
    frames_next_stream(fr);
    send_request(fr, &c);
    frames_run(fr);
    ck_assert_str_eq(text_of(frames_header(fr, 0, "grpc-status")), "0");
    ck_assert_uint_eq(fr->body.len, HELLO_BACK_BYTES);
}

static void ask_all(const struct raw_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct frames fr = {0};
        ask(&fr, &cases[i], i);
        still_serves(&fr);
        frames_end(&fr);
    }
}
#define ASK_ALL(cases) ask_all((cases), ARRAY_LEN(cases))

START_TEST(r1_calls_are_posts)
{
    struct frames fr = {0}, other = {0};
    const struct raw_case get = {.method = "GET", .end = END_WITH_HEADERS, .status = "405"};
    const struct raw_case head = {.method = "HEAD", .end = END_WITH_HEADERS, .status = "405"};

    ask(&fr, &get, 0);
    ck_assert_str_eq(text_of(frames_header(&fr, 1, "allow")), "POST");
    ck_assert_uint_gt(fr.body.len, 0);
    still_serves(&fr);
    frames_end(&fr);
    ask(&other, &head, 0);
    ck_assert_uint_eq(other.body.len, 0);
    frames_end(&other);
}
END_TEST

START_TEST(r2_unknown_paths_are_unimplemented_for_grpc_and_404_for_others)
{
    static const struct raw_case cases[] = {
        {.path = "/", .body = EMPTY, .grpc_status = "12"},
        {.path = "/x", .body = EMPTY, .grpc_status = "12"},
        {.path = "/plankton.test.Echo/unary", .body = EMPTY, .grpc_status = "12"},
        {.path = "/plankton.test.Echo/Unary/", .body = EMPTY, .grpc_status = "12"},
        {.path = "/plankton.test.echo/Unary", .body = EMPTY, .grpc_status = "12"},
        {.path = "/plankton.test.Echo/Missing", .body = EMPTY, .grpc_status = "12"},
        {.path = "/", .method = "GET", .type = NONE, .end = END_WITH_HEADERS, .status = "404"},
        {.path = "/x", .type = "text/html", .body = SLICE("a=b"), .status = "404"},
    };

    ASK_ALL(cases);
}
END_TEST

START_TEST(r3_other_content_types_get_415)
{
    static const struct raw_case cases[] = {
        {.type = "application/json", .body = SLICE("{}"), .status = "415"},
        {.type = "application/grpc-web", .body = EMPTY, .status = "415"},
        {.type = "application/grpcx", .body = EMPTY, .status = "415"},
        {.type = NONE, .body = EMPTY, .status = "415"},
        {.type = "application/grpc+proto", .body = EMPTY, .grpc_status = "0"},
        {.type = "application/grpc; charset=utf-8", .body = EMPTY, .grpc_status = "0"},
    };

    ASK_ALL(cases);
}
END_TEST

START_TEST(r4_a_missing_te_is_no_obstacle)
{
    static const struct raw_case cases[] = {{.te = NONE, .body = EMPTY, .grpc_status = "0"}};

    ASK_ALL(cases);
}
END_TEST

START_TEST(r5_ok_answer_has_headers_message_and_status)
{
    const struct raw_case c = {.body = HELLO, .grpc_status = "0", .body_bytes = HELLO_BACK_BYTES};
    struct frames fr = {0};

    ask(&fr, &c, 0);
    ck_assert_int_eq(fr.blocks, 2);
    ck_assert_str_eq(text_of(frames_header(&fr, 1, "content-type")), "application/grpc");
    ck_assert_ptr_null(frames_header(&fr, 1, "grpc-status"));
    ck_assert_ptr_null(frames_header(&fr, 1, "grpc-encoding"));
    ck_assert_str_eq(text_of(frames_header(&fr, 2, "grpc-status")), "0");
    ck_assert(fr.ended && !fr.reset);
    frames_end(&fr);
}
END_TEST

START_TEST(r6_immediate_error_is_one_block)
{
    const struct raw_case c = {.body = SLICE("\0\0\0\0\2\x28\5"), .grpc_status = "5"};
    struct frames fr = {0};

    ask(&fr, &c, 0);
    ck_assert_int_eq(fr.blocks, 1);
    ck_assert_uint_eq(fr.body.len, 0);
    ck_assert_str_eq(text_of(frames_header(&fr, 1, "content-type")), "application/grpc");
    frames_end(&fr);
}
END_TEST

START_TEST(r7_a_request_may_end_in_any_way)
{
    static const struct raw_case cases[] = {
        {.body = HELLO, .grpc_status = "0", .body_bytes = HELLO_BACK_BYTES},
        {.body = HELLO, .end = END_EMPTY_DATA, .grpc_status = "0", .body_bytes = HELLO_BACK_BYTES},
        {.body = HELLO,
         .end = END_WITH_TRAILERS,
         .grpc_status = "0",
         .body_bytes = HELLO_BACK_BYTES},
        {.end = END_WITH_HEADERS, .grpc_status = "12"},
        {.path = CLIENT_STREAM, .end = END_WITH_HEADERS, .grpc_status = "0"},
        {.path = BIDI, .end = END_WITH_HEADERS, .grpc_status = "0"},
    };

    ASK_ALL(cases);
}
END_TEST

START_TEST(r8_frames_need_not_fit_messages)
{
    static const char many[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\x0a\0\0\0\0\0\0";
    static const struct raw_case cases[] = {
        {.body = HELLO, .piece_bytes = 1, .grpc_status = "0", .body_bytes = HELLO_BACK_BYTES},
        {.body = HELLO, .piece_bytes = 1, .end = END_EMPTY_DATA, .grpc_status = "0"},
        {.body = HELLO, .padding = 1, .grpc_status = "0", .body_bytes = HELLO_BACK_BYTES},
        {.body = HELLO, .piece_bytes = 2, .padding = 255, .grpc_status = "0"},
        {.path = BIDI, .body = {many, 22}, .grpc_status = "0", .body_bytes = 4 * (5 + 2)},
        {.path = BIDI,
         .body = {many, 22},
         .piece_bytes = 7,
         .grpc_status = "0",
         .body_bytes = 4 * (5 + 2)},
        {.path = BIDI,
         .body = {many, 22},
         .piece_bytes = 1,
         .padding = 9,
         .grpc_status = "0",
         .body_bytes = 4 * (5 + 2)},
    };

    ASK_ALL(cases);
}
END_TEST

static void ping(struct frames *fr)
{
    fr->until_pong = true;
    fr->pong = false;
    frames_put(fr, NGHTTP2_PING, 0, "12345678", 8);
    frames_run(fr);
    fr->until_pong = false;
}

/* 20,000 frames of one byte and 255 of padding: more than the windows of stream and connection, so
 * padding has to be given back as well. */
START_TEST(r8_padding_is_given_back)
{
    enum { FRAMES = 20000, FRAMES_PER_ROUND = 1000, PADDING = 255, STREAM_WINDOW = 1 << 20 };
    const struct raw_case c = {.path = CLIENT_STREAM, .end = END_NEVER};
    const uint32_t payload = FRAMES - 5 - 4;
    const char head[9] = {0,
                          0,
                          0,
                          (char)((payload + 4) >> 8),
                          (char)(payload + 4),
                          0x12,
                          (char)(payload | 0x80),
                          (char)(payload >> 7 | 0x80),
                          (char)(payload >> 14)};
    struct frames fr = {.f = {.server_options = {.ping_interval_min_ms = RPC_OFF}}};
    uint64_t sent = 0;

    frames_begin(&fr);
    send_request(&fr, &c);
    ping(&fr);
    for (size_t n = 0; n < FRAMES; n++) {
        frames_data(&fr, n + 1 == FRAMES ? FRAME_END_STREAM : 0,
                    (struct slice){n < sizeof head ? head + n : "", 1}, PADDING);
        sent += 1 + 1 + PADDING;
        if ((n + 1) % FRAMES_PER_ROUND != 0)
            continue;
        ck_assert_uint_le(sent, STREAM_WINDOW + fr.stream_credit);
        ck_assert_uint_le(sent, 65535 + fr.connection_credit);
        ping(&fr);
    }
    frames_run(&fr);
    ck_assert_uint_gt(sent, 4 << 20);
    ck_assert_str_eq(text_of(frames_header(&fr, 0, "grpc-status")), "0");
    ck_assert_uint_eq(fr.f.service.bytes_in, payload);
    frames_end(&fr);
}
END_TEST

START_TEST(r9_huge_prefix_is_refused_at_once)
{
    static const struct raw_case cases[] = {
        {.body = SLICE("\0\x7f\xff\xff\xff"), .end = END_NEVER, .grpc_status = "8"},
        {.body = SLICE("\0\0\x40\0\1"), .end = END_NEVER, .grpc_status = "8"},
        {.path = BIDI,
         .body = SLICE("\0\0\0\0\0\0\xff\xff\xff\xff"),
         .end = END_NEVER,
         .grpc_status = "8"},
        {.body = SLICE("\0\0\0\0\3\x0a\1"), .grpc_status = "13"}, /* cut short, not too long */
    };

    ASK_ALL(cases);
}
END_TEST

START_TEST(r10_no_or_two_messages_are_unimplemented)
{
    static const struct raw_case cases[] = {
        {.body = SLICE(""), .grpc_status = "12"},
        {.body = SLICE("\0\0\0\0\0\0\0\0\0\0"), .grpc_status = "12"},
        {.body = SLICE("\0\0\0\0\0\0\0\0\0\0"), .piece_bytes = 5, .grpc_status = "12"},
        {.path = "/plankton.test.Echo/ServerStream", .body = SLICE(""), .grpc_status = "12"},
    };

    ASK_ALL(cases);
}
END_TEST

START_TEST(r11_undecodable_requests_are_internal)
{
    static const struct raw_case cases[] = {
        {.body = SLICE("\0\0\0\0\7\x0a\5he"), .grpc_status = "13"},   /* cut short */
        {.body = SLICE("\0\0\0"), .grpc_status = "13"},               /* half a prefix */
        {.body = SLICE("\2\0\0\0\0"), .grpc_status = "13"},           /* unknown flag */
        {.body = SLICE("\xff\0\0\0\0"), .grpc_status = "13"},         /* unknown flag */
        {.body = SLICE("\0\0\0\0\2\x0a\5"), .grpc_status = "13"},     /* a field cut short */
        {.body = SLICE("\0\0\0\0\2\x0b\x0c"), .grpc_status = "13"},   /* a group */
        {.body = SLICE("\0\0\0\0\3\x0a\1\xff"), .grpc_status = "13"}, /* not UTF-8 */
        {.path = BIDI, .body = SLICE("\0\0\0\0\1\x0a"), .grpc_status = "13"},
        {.path = BIDI, .body = SLICE("\0\0\0\0\0\0\0"), .grpc_status = "13"},
    };

    ASK_ALL(cases);
}
END_TEST

START_TEST(r12_an_early_answer_is_followed_by_a_reset_without_error)
{
    static const struct raw_case cases[] = {
        {.body = SLICE("\0\x7f\xff\xff\xff"), .end = END_NEVER, .grpc_status = "8"},
        {.path = "/x", .end = END_NEVER, .grpc_status = "12"},
        {.type = "text/plain", .end = END_NEVER, .status = "415"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frames fr = {0};
        ask(&fr, &cases[i], i);
        ck_assert(fr.ended);
        fr.until_reset = true;
        frames_run(&fr);
        ck_assert(fr.reset && fr.reset_code == NGHTTP2_NO_ERROR);
        still_serves(&fr);
        frames_end(&fr);
    }
}
END_TEST

START_TEST(r15_header_lists_over_the_limit_do_no_harm)
{
    static const size_t sizes[] = {17000, 40000, 63000};
    char *large = mem_zalloc(63001);

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        const struct raw_case c = {.body = HELLO, .extra = {"x-large", large}};
        struct frames fr = {0};
        memset(large, 'a', sizes[i]);
        frames_begin(&fr);
        send_request(&fr, &c);
        frames_run(&fr);
        ck_assert(fr.reset || str_eq(frames_header(&fr, 1, ":status"), "431"));
        ck_assert_uint_eq(fr.f.service.calls, 0);
        still_serves(&fr);
        frames_end(&fr);
    }
    free(large);
}
END_TEST

START_TEST(r15_the_limit_counts_32_bytes_for_each_header)
{
    struct frames fr = {.f = {.server_options = {.header_bytes_max = 1000}}};
    const char *pairs[2 * 40 + 9] = {":method", "POST", ":scheme", "http", ":path", UNARY};
    size_t n = 6;

    /* 40 of 3 bytes: 120 by themselves, 1,400 as they are counted */
    for (size_t i = 0; i < 40; i++) {
        pairs[n++] = "xa";
        pairs[n++] = "1";
    }
    pairs[n] = NULL;
    frames_begin(&fr);
    frames_headers(&fr, FRAME_END_STREAM, pairs);
    frames_run(&fr);
    ck_assert(fr.reset);
    still_serves(&fr);
    frames_end(&fr);
}
END_TEST

START_TEST(m1_names_that_may_not_be_sent_do_not_leave)
{
    static const char *const names[] = {"X-Upper", "grpc-x", ":status", "a b", "te"};
    static const char *const good = "x-good_1.a";

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct frames fr = {0};
        const struct raw_case c = {.extra = {"x-set", names[i]}, .body = EMPTY, .grpc_status = "0"};
        ask(&fr, &c, i);
        for (size_t j = 0; j < fr.header_count; j++)
            ck_assert_msg(!strstr(fr.headers[j].value, "er"), "%s", names[i]);
        frames_end(&fr);
    }
    struct frames fr = {0};
    const struct raw_case c = {.extra = {"x-set", good}, .body = EMPTY, .grpc_status = "0"};
    ask(&fr, &c, 0);
    ck_assert_str_eq(text_of(frames_header(&fr, 1, good)), "header");
    ck_assert_str_eq(text_of(frames_header(&fr, 2, good)), "trailer");
    frames_end(&fr);
}
END_TEST

START_TEST(m2_values_that_could_split_a_header_reset_the_stream)
{
    static const char *const values[] = {"a\nb", "a\r\nx: y", "\n"};

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        const struct raw_case c = {.body = EMPTY, .extra = {"x-echo", values[i]}};
        struct frames fr = {0};
        frames_begin(&fr);
        send_request(&fr, &c);
        frames_run(&fr);
        ck_assert(fr.reset && fr.reset_code == NGHTTP2_PROTOCOL_ERROR);
        ck_assert_uint_eq(fr.f.service.calls, 0);
        still_serves(&fr);
        frames_end(&fr);
    }
}
END_TEST

START_TEST(m2_values_out_of_range_are_dropped_and_fail_nothing)
{
    static const struct raw_case cases[] = {
        {.extra = {"x-echo", "gr\xc3\xbc\xc3\x9f"}, .body = EMPTY, .grpc_status = "0"},
        {.extra = {"x-echo", "a\x01z"}, .body = EMPTY, .grpc_status = "0"},
        {.extra = {"x-echo", "\x7f"}, .body = EMPTY, .grpc_status = "0"},
        {.extra = {"x-echo-bin", "\xff\xfe"}, .body = EMPTY, .grpc_status = "0"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frames fr = {0};
        ask(&fr, &cases[i], i);
        ck_assert_ptr_null(frames_header(&fr, 0, "x-echo"));
        ck_assert_ptr_null(frames_header(&fr, 0, "x-echo-bin"));
        still_serves(&fr);
        frames_end(&fr);
    }
}
END_TEST

/* All values of a name in the last block, joined by a bar. */
static const char *all_values(const struct frames *fr, const char *name)
{
    static char joined[256];
    size_t n = 0;

    joined[0] = '\0';
    for (size_t i = 0; i < fr->header_count; i++) {
        if (str_eq(fr->headers[i].name, name))
            n += (size_t)snprintf(joined + n, sizeof joined - n, "%s|", fr->headers[i].value);
    }
    return joined;
}

START_TEST(m3_binary_values_come_padded_unpadded_or_joined)
{
    static const struct {
        const char *sent, *back;
    } pairs[] = {
        {"q80=", "q80|"},
        {"q80", "q80|"},
        {"AAEC,q80=,,/w==", "AAEC|q80||/w|"},
        {"", "|"},
        {"AAEC, q80", "AAEC|q80|"},
        {"!!!", ""},
        {"A", ""},
        {"q80===", ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct frames fr = {0};
        const struct raw_case c = {
            .extra = {"x-echo-bin", pairs[i].sent}, .body = EMPTY, .grpc_status = "0"};
        ask(&fr, &c, i);
        ck_assert_str_eq(all_values(&fr, "x-echo-bin"), pairs[i].back);
        frames_end(&fr);
    }
}
END_TEST

START_TEST(m4_values_of_one_name_keep_their_order)
{
    const struct raw_case c = {
        .extra = {"x-echo", "b", "x-other", "1", "x-echo", "a", "x-echo", "c"},
        .body = EMPTY,
        .grpc_status = "0"};
    struct frames fr = {0};

    ask(&fr, &c, 0);
    ck_assert_str_eq(all_values(&fr, "x-echo"), "b|a|c|");
    frames_end(&fr);
}
END_TEST

START_TEST(m5_messages_are_percent_coded)
{
    /* fail_with = 9, text = "ü 100%\n" */
    const struct raw_case c = {.body = SLICE("\0\0\0\0\x0c\x28\x09\x0a\x08\xc3\xbc 100%\n"),
                               .grpc_status = "9"};
    struct frames fr = {0};

    ask(&fr, &c, 0);
    ck_assert_str_eq(text_of(frames_header(&fr, 0, "grpc-message")), "%C3%BC 100%25%0A");
    frames_end(&fr);
}
END_TEST

START_TEST(m6_details_carry_the_same_code)
{
    const struct raw_case c = {.body = SLICE("\0\0\0\0\2\x28\x09"), .grpc_status = "9"};
    struct frames fr = {0};
    uint8_t bytes[1024];
    size_t len;

    ask(&fr, &c, 0);
    const char *text = text_of(frames_header(&fr, 0, "grpc-status-details-bin"));
    ck_assert_ptr_null(strchr(text, '='));
    ck_assert(text_from_base64(text, strlen(text), bytes, &len));
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, len, bytes);
    ck_assert_int_eq(status->code, 9);
    ck_assert_uint_eq(status->n_details, 3);
    google__rpc__status__free_unpacked(status, NULL);
    frames_end(&fr);
}
END_TEST

START_TEST(d1_broken_timeouts_are_answered_and_good_ones_taken)
{
    static const struct raw_case cases[] = {
        {.extra = {"grpc-timeout", ""}, .body = EMPTY, .grpc_status = "13"},
        {.extra = {"grpc-timeout", "S"}, .body = EMPTY, .grpc_status = "13"},
        {.extra = {"grpc-timeout", "12"}, .body = EMPTY, .grpc_status = "13"},
        {.extra = {"grpc-timeout", "1x"}, .body = EMPTY, .grpc_status = "13"},
        {.extra = {"grpc-timeout", "1s"}, .body = EMPTY, .grpc_status = "13"},
        {.extra = {"grpc-timeout", "123456789S"}, .body = EMPTY, .grpc_status = "13"},
        {.extra = {"grpc-timeout", "-1S"}, .body = EMPTY, .grpc_status = "13"},
        {.extra = {"grpc-timeout", "1S", "grpc-timeout", "2S"}, .body = EMPTY, .grpc_status = "13"},
        {.extra = {"grpc-timeout", "99999999H"}, .body = EMPTY, .grpc_status = "0"},
        {.extra = {"grpc-timeout", "5M"}, .body = EMPTY, .grpc_status = "0"},
        {.extra = {"grpc-timeout", "5000000u"}, .body = EMPTY, .grpc_status = "0"},
        {.body = EMPTY, .grpc_status = "0"},
    };

    ASK_ALL(cases);
}
END_TEST

START_TEST(d2_the_server_ends_a_late_call_itself)
{
    static const struct raw_case cases[] = {
        /* a handler that waits for more, and one that takes 5 s */
        {.path = BIDI,
         .body = EMPTY,
         .end = END_NEVER,
         .extra = {"grpc-timeout", "80m"},
         .grpc_status = "4"},
        {.body = SLICE("\0\0\0\0\3\x20\x88\x27"),
         .extra = {"grpc-timeout", "80m"},
         .grpc_status = "4"},
        {.path = BIDI,
         .body = EMPTY,
         .end = END_NEVER,
         .extra = {"grpc-timeout", "1n"},
         .grpc_status = "4"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct frames fr = {0};
        uint64_t begin_us = clock_monotonic_us();
        ask(&fr, &cases[i], i);
        ck_assert_uint_lt(clock_monotonic_us() - begin_us, 3000000);
        ck_assert_uint_eq(fr.f.service.expired, 1);
        ck_assert_uint_eq(fr.f.service.closed, 1);
        still_serves(&fr);
        frames_end(&fr);
    }
}
END_TEST

START_TEST(d5_a_reset_reaches_the_handler_and_frees_the_call)
{
    const struct raw_case c = {.body = SLICE("\0\0\0\0\3\x20\x88\x27")}; /* takes 5 s */
    static const char cancel[] = {0, 0, 0, NGHTTP2_CANCEL};
    struct frames fr = {0};

    frames_begin(&fr);
    send_request(&fr, &c);
    frames_put(&fr, NGHTTP2_RST_STREAM, 0, cancel, sizeof cancel);
    ping(&fr);
    ck_assert_uint_eq(fr.f.service.cancelled, 1);
    ck_assert_uint_eq(fr.f.service.closed, 1);
    ck_assert_uint_eq(rpc_server_open_calls(fr.f.server), 0);
    still_serves(&fr);
    frames_end(&fr);
}
END_TEST

START_TEST(c1_the_compressed_flag_needs_an_encoding)
{
    static const struct raw_case cases[] = {
        {.body = SLICE("\1\0\0\0\1x"), .grpc_status = "13"},
        {.body = SLICE("\1\0\0\0\1x"), .extra = {"grpc-encoding", "identity"}, .grpc_status = "13"},
        {.body = HELLO,
         .extra = {"grpc-encoding", "gzip"},
         .grpc_status = "0",
         .body_bytes = HELLO_BACK_BYTES},
        {.body = HELLO, .extra = {"grpc-encoding", "identity"}, .grpc_status = "0"},
    };

    ASK_ALL(cases);
}
END_TEST

START_TEST(c2_unknown_encodings_are_unimplemented_and_say_what_is)
{
    const struct raw_case c = {
        .body = EMPTY, .extra = {"grpc-encoding", "snappy"}, .grpc_status = "12"};
    struct frames fr = {0};

    ask(&fr, &c, 0);
    ck_assert_str_eq(text_of(frames_header(&fr, 0, "grpc-accept-encoding")),
                     "identity,deflate,gzip");
    ck_assert_ptr_null(strstr(text_of(frames_header(&fr, 0, "grpc-message")), "snappy"));
    still_serves(&fr);
    frames_end(&fr);
}
END_TEST

START_TEST(c3_answers_are_compressed_only_for_those_who_accept_it)
{
    static const struct {
        const char *accept, *encoding; /* the handler wants gzip */
    } pairs[] = {{"gzip", "gzip"},           {"identity,deflate,gzip", "gzip"},
                 {"identity, gzip", "gzip"}, {"deflate", NULL},
                 {"identity", NULL},         {"", NULL},
                 {"snappy,zstd", NULL}};

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct frames fr = {0};
        const struct raw_case c = {
            .body = HELLO,
            .extra = {"x-compress", "gzip", "grpc-accept-encoding", pairs[i].accept},
            .grpc_status = "0"};
        ask(&fr, &c, i);
        ck_assert_msg(str_eq(frames_header(&fr, 1, "grpc-encoding"), pairs[i].encoding), "case %zu",
                      i);
        ck_assert_msg(fr.body.data[0] == (pairs[i].encoding != NULL), "case %zu", i);
        still_serves(&fr);
        frames_end(&fr);
    }
}
END_TEST

START_TEST(c4_compressed_requests_are_read_whole_and_in_pieces)
{
    static const enum rpc_compression codings[] = {RPC_GZIP, RPC_DEFLATE};
    Plankton__Test__EchoRequest request = PLANKTON__TEST__ECHO_REQUEST__INIT;
    uint8_t body[256] = {1};
    size_t len = protobuf_c_message_get_packed_size(&request.base);

    request.text = (char *)"hello";
    len = protobuf_c_message_get_packed_size(&request.base);
    for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
        size_t n = rpc__deflate(codings[i], &request.base, len, body + 5, sizeof body - 5);
        const char *name = rpc__compression_name(codings[i]);
        body[4] = (uint8_t)n;
        const struct slice whole = {(const char *)body, n + 5};
        struct raw_case cases[] = {
            {.extra = {"grpc-encoding", name},
             .body = whole,
             .grpc_status = "0",
             .body_bytes = HELLO_BACK_BYTES},
            {.extra = {"grpc-encoding", name},
             .body = whole,
             .piece_bytes = 1,
             .grpc_status = "0",
             .body_bytes = HELLO_BACK_BYTES},
            {.extra = {"grpc-encoding", i ? "gzip" : "deflate"},
             .body = whole,
             .grpc_status = "13"},
            {.extra = {"grpc-encoding", name}, .body = SLICE("\1\0\0\0\3abc"), .grpc_status = "13"},
            {.extra = {"grpc-encoding", name}, .body = SLICE("\1\0\0\0\0"), .grpc_status = "13"},
        };
        ASK_ALL(cases);
    }
}
END_TEST

START_TEST(h9_silence_before_or_within_the_preface_is_cut_off)
{
    static const size_t sizes[] = {0, 1, 10, 24, 30};

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct frames fr = {.f = {.server_options = {.preface_timeout_ms = 60}}};
        frames_begin(&fr);
        fr.no_ack = true;
        fr.out.len = sizes[i];
        frames_run(&fr);
        ck_assert(fr.lost);
        frames_end(&fr);
    }
}
END_TEST

TCase *raw_tests(void)
{
    TCase *tc = tcase_create("raw");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, r1_calls_are_posts);
    tcase_add_test(tc, r2_unknown_paths_are_unimplemented_for_grpc_and_404_for_others);
    tcase_add_test(tc, r3_other_content_types_get_415);
    tcase_add_test(tc, r4_a_missing_te_is_no_obstacle);
    tcase_add_test(tc, r5_ok_answer_has_headers_message_and_status);
    tcase_add_test(tc, r6_immediate_error_is_one_block);
    tcase_add_test(tc, r7_a_request_may_end_in_any_way);
    tcase_add_test(tc, r8_frames_need_not_fit_messages);
    tcase_add_test(tc, r8_padding_is_given_back);
    tcase_add_test(tc, r9_huge_prefix_is_refused_at_once);
    tcase_add_test(tc, r10_no_or_two_messages_are_unimplemented);
    tcase_add_test(tc, r11_undecodable_requests_are_internal);
    tcase_add_test(tc, r12_an_early_answer_is_followed_by_a_reset_without_error);
    tcase_add_test(tc, r15_header_lists_over_the_limit_do_no_harm);
    tcase_add_test(tc, r15_the_limit_counts_32_bytes_for_each_header);
    tcase_add_test(tc, m1_names_that_may_not_be_sent_do_not_leave);
    tcase_add_test(tc, m2_values_that_could_split_a_header_reset_the_stream);
    tcase_add_test(tc, m2_values_out_of_range_are_dropped_and_fail_nothing);
    tcase_add_test(tc, m3_binary_values_come_padded_unpadded_or_joined);
    tcase_add_test(tc, m4_values_of_one_name_keep_their_order);
    tcase_add_test(tc, m5_messages_are_percent_coded);
    tcase_add_test(tc, m6_details_carry_the_same_code);
    tcase_add_test(tc, d1_broken_timeouts_are_answered_and_good_ones_taken);
    tcase_add_test(tc, d2_the_server_ends_a_late_call_itself);
    tcase_add_test(tc, d5_a_reset_reaches_the_handler_and_frees_the_call);
    tcase_add_test(tc, c1_the_compressed_flag_needs_an_encoding);
    tcase_add_test(tc, c2_unknown_encodings_are_unimplemented_and_say_what_is);
    tcase_add_test(tc, c3_answers_are_compressed_only_for_those_who_accept_it);
    tcase_add_test(tc, c4_compressed_requests_are_read_whole_and_in_pieces);
    tcase_add_test(tc, h9_silence_before_or_within_the_preface_is_cut_off);
    return tc;
}
