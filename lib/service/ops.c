/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/text.h"
#include "metrics/metrics.h"
#include "service_internal.h"

#define METRICS_BYTES_MAX (4u << 20)
#define OPS_CONNECTIONS_MAX 64
#define OPS_BODY_BYTES_MAX 1024

enum { METRIC_CPU, METRIC_MEMORY, METRIC_START, METRIC_BUILD };
static struct metric metrics[] = {
    [METRIC_CPU] = {.name = "process_cpu_seconds_total",
                    .help = "Processor time used, user and system",
                    .kind = METRIC_COUNTER},
    [METRIC_MEMORY] = {.name = "process_resident_memory_bytes",
                       .help = "Memory in RAM",
                       .kind = METRIC_GAUGE},
    [METRIC_START] = {.name = "process_start_time_seconds",
                      .help = "Start of the process, seconds since 1970",
                      .kind = METRIC_GAUGE},
    [METRIC_BUILD] = {.name = "plankton_build_info",
                      .help = "Always 1; the version is a label",
                      .kind = METRIC_GAUGE,
                      .labels = "version=\"" PLANKTON_VERSION "\""},
};

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Second number of /proc/self/statm: resident pages. 0 where there is no such file. */
static double resident_bytes(void)
{
    AUTO(close_fd) int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    char text[128], *pages;
    uint64_t n = 0;
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    if (len <= 0)
        return 0;
    text[len] = '\0';
    pages = strchr(text, ' ');
    if (!pages)
        return 0;
    pages[1 + strcspn(pages + 1, " ")] = '\0';
    if (!text_to_u64(pages + 1, &n))
        return 0;
    return (double)n * (double)sysconf(_SC_PAGESIZE);
}

static void collect(void *userdata)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    metric_set(&metrics[METRIC_CPU], seconds(usage.ru_utime) + seconds(usage.ru_stime));
    metric_set(&metrics[METRIC_MEMORY], resident_bytes());
}

static void respond(struct http1_request *request, unsigned status, const char *type,
                    struct slice body)
{
    struct http1_header headers[] = {{slice_of("Content-Type"), slice_of(type)},
                                     {slice_of("Cache-Control"), slice_of("no-store")}};

    http1_respond(request, status, headers, ARRAY_LEN(headers), body);
}

static void respond_ready(struct service *service, struct http1_request *request)
{
    AUTO(buf_fini) struct buf text = {.max = 64 * 1024};
    bool ready = service->ready && service->phase == SERVICE_RUNNING;
    enum status status = STATUS_OK;

    if (service->phase == SERVICE_STARTING)
        status = buf_printf(&text, "starting\n");
    if (service->phase >= SERVICE_STOPPING)
        status = buf_printf(&text, "shutting down\n");
    for (size_t i = 0; i < service->slot_count && status == STATUS_OK; i++) {
        if (service->slots[i].why)
            status = buf_printf(&text, "%s: %s\n", service->slots[i].duty, service->slots[i].why);
    }
    respond(request, ready ? 200 : 503, "text/plain; charset=utf-8",
            ready ? slice_of("ready\n") : buf_slice(&text));
}

static void respond_metrics(struct http1_request *request)
{
    AUTO(buf_fini) struct buf text = {.max = METRICS_BYTES_MAX};

    if (metrics_render(&text) == STATUS_OK)
        respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&text));
    else
        respond(request, 500, "text/plain; charset=utf-8", slice_of("too many metrics\n"));
}

static void on_request(struct http1_request *request, void *userdata)
{
    static const char TEXT[] = "text/plain; charset=utf-8";
    struct http1_header allow = {slice_of("Allow"), slice_of("GET, HEAD")};

    if (!str_eq(request->method, "GET") && !str_eq(request->method, "HEAD"))
        http1_respond(request, 405, &allow, 1, slice_of("only GET and HEAD\n"));
    else if (str_eq(request->path, "/livez"))
        respond(request, 200, TEXT, slice_of("ok\n"));
    else if (str_eq(request->path, "/readyz"))
        respond_ready(userdata, request);
    else if (str_eq(request->path, "/metrics"))
        respond_metrics(request);
    else
        respond(request, 404, TEXT, slice_of("here are /livez, /readyz and /metrics\n"));
}

enum status service__ops_start(struct service *service, const char *address, struct error *err)
{
    struct http1_options options = {.connections_max = OPS_CONNECTIONS_MAX,
                                    .body_bytes_max = OPS_BODY_BYTES_MAX};

    metric_set(&metrics[METRIC_START], (double)clock_unix_us() / 1e6);
    metric_set(&metrics[METRIC_BUILD], 1);
    metrics_register(metrics, ARRAY_LEN(metrics));
    metrics_on_collect(collect, NULL);
    service->ops = http1_server_new(service->loop, &options, on_request, service);
    return http1_server_listen(service->ops, address, err);
}
