/* SPDX-License-Identifier: Apache-2.0 */
/* What a busy server must not do: allocate for a call, write more than once a turn. The functions
 * that do so are replaced by ones that count. */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "frames.h"

#define CALLS 1000 /* fewer than the streams of a connection */
#define WARM_UP_BATCHES 4
#define PIPELINED 100

static size_t allocations, writes;

#if !defined(__SANITIZE_ADDRESS__)
#define CAN_COUNT_ALLOCATIONS true
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *ptr, size_t size);

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *ptr, size_t size)
{
    allocations++;
    return __libc_realloc(ptr, size);
}
#else
#define CAN_COUNT_ALLOCATIONS false
#endif

/* The hand-written peer uses send, so these are the server's. */
ssize_t write(int fd, const void *data, size_t len)
{
    static ssize_t (*real)(int, const void *, size_t);

    if (!real)
        real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    writes++;
    return real(fd, data, len);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    static ssize_t (*real)(int, const struct iovec *, int);

    if (!real)
        real = (ssize_t(*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    writes++;
    return real(fd, parts, n);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*real)(int, const struct msghdr *, int);

    if (!real)
        real = (ssize_t(*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
    writes++;
    return real(fd, message, flags);
}

/* Queues n unary calls; the last one is looked at. */
static void queue_calls(struct frames *fr, size_t n)
{
    static const char *const headers[] = {":method",
                                          "POST",
                                          ":scheme",
                                          "http",
                                          ":path",
                                          "/plankton.test.Echo/Unary",
                                          ":authority",
                                          "test",
                                          "content-type",
                                          "application/grpc",
                                          "te",
                                          "trailers",
                                          "user-agent",
                                          "frames",
                                          NULL};

    for (size_t i = 0; i < n; i++) {
        frames_next_stream(fr);
        frames_headers(fr, 0, headers);
        frames_data(fr, FRAME_END_STREAM, (struct slice){"\0\0\0\0\7\x0a\5hello", 12}, -1);
    }
}

START_TEST(a_warm_server_allocates_nothing_for_a_call)
{
    struct frames fr = {0};
    size_t before;

    if (!CAN_COUNT_ALLOCATIONS)
        return;
    frames_begin(&fr);
    for (size_t i = 0; i < WARM_UP_BATCHES; i++) {
        queue_calls(&fr, CALLS);
        frames_run(&fr);
    }
    before = fr.f.service.calls;
    queue_calls(&fr, CALLS);
    allocations = 0;
    frames_run(&fr);
    ck_assert_uint_eq(allocations, 0);
    ck_assert_uint_eq(fr.f.service.calls - before, CALLS);
    ck_assert_str_eq(frames_header(&fr, 0, "grpc-status"), "0");
    allocations = 0;
    free(mem_alloc(1)); /* they are counted at all */
    ck_assert(allocations > 0);
    frames_end(&fr);
}
END_TEST

START_TEST(answers_of_a_turn_leave_in_one_write)
{
    struct frames fr = {0};

    frames_begin(&fr);
    queue_calls(&fr, 1);
    frames_run(&fr);
    queue_calls(&fr, PIPELINED);
    writes = 0;
    frames_run(&fr);
    ck_assert_uint_eq(writes, 1);
    ck_assert_uint_eq(fr.f.service.calls, 1 + PIPELINED);
    ck_assert_str_eq(frames_header(&fr, 0, "grpc-status"), "0");
    frames_end(&fr);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rpc_steady");
    TCase *tc = tcase_create("steady");
    SRunner *runner = srunner_create(suite);

    signal(SIGPIPE, SIG_IGN);
    tcase_add_test(tc, a_warm_server_allocates_nothing_for_a_call);
    tcase_add_test(tc, answers_of_a_turn_leave_in_one_write);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
