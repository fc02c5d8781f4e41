/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/list.h"
#include "base/map.h"
#include "base/text.h"
#include "spool/segments.h"

#define PATH_BYTES 4096

struct segment {
    struct list node;
    uint64_t number;
    uint64_t bytes; /* written */
};
struct segments {
    char *dir, *prefix;
    size_t segment_bytes;
    struct list list; /* oldest first; the last is the current one */
    int fd;
    int unsynced[SEGMENTS_UNSYNCED_MAX];
    size_t unsynced_count;
    bool dirty;
    uint64_t bytes;
    struct buf pending;
    int reader_fd; /* of the segment read last: readers go forward, one segment after the other */
    uint64_t reader_segment;
};

static void segments_path(const struct segments *s, uint64_t number, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/%s.%010" PRIu64, s->dir, s->prefix, number);
}

static struct segment *segments_last(const struct segments *s)
{
    return LIST_ENTRY(s->list.prev, struct segment, node);
}

static struct segment *segments_find(const struct segments *s, uint64_t number)
{
    LIST_EACH(&s->list, node)
    {
        struct segment *segment = LIST_ENTRY(node, struct segment, node);
        if (segment->number == number)
            return segment;
    }
    return NULL;
}

static uint32_t record_check(struct slice payload)
{
    return (uint32_t)hash_keyed(0, 0, payload.data, payload.len);
}

static void record_header(struct slice payload, char out[SEGMENT_HEADER_BYTES])
{
    uint32_t len = (uint32_t)payload.len, check = record_check(payload);

    memcpy(out, &len, 4);
    memcpy(out + 4, &check, 4);
}

int segments_parse(const char *data, size_t len, struct slice *ret_payload)
{
    uint32_t bytes, check;

    if (len < SEGMENT_HEADER_BYTES)
        return 0;
    memcpy(&bytes, data, 4);
    memcpy(&check, data + 4, 4);
    if (bytes == 0 || bytes > SEGMENT_RECORD_BYTES_MAX)
        return -1;
    if (len - SEGMENT_HEADER_BYTES < bytes)
        return 0;
    struct slice payload = {data + SEGMENT_HEADER_BYTES, bytes};
    if (record_check(payload) != check)
        return -1;
    *ret_payload = payload;
    return 1;
}

static enum status segments_start(struct segments *s, uint64_t number, struct error *err)
{
    char path[PATH_BYTES];

    segments_path(s, number, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, status_from_errno(errno), "cannot create %s: %s", path,
                         strerror(errno));
    struct segment *segment = mem_zalloc(sizeof *segment);
    segment->number = number;
    list_push(&s->list, &segment->node);
    s->fd = fd;
    return STATUS_OK;
}

static int segment_number_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* The numbers of the files PREFIX.NUMBER, sorted. */
static enum status segments_numbers(const struct segments *s, uint64_t **ret, size_t *ret_n,
                                    struct error *err)
{
    size_t prefix_len = strlen(s->prefix), n = 0, cap = 0;
    uint64_t *numbers = NULL;
    DIR *dir = opendir(s->dir);

    if (!dir)
        return error_set(err, status_from_errno(errno), "cannot read %s: %s", s->dir,
                         strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));) {
        uint64_t number;
        const char *name = entry->d_name;
        if (strncmp(name, s->prefix, prefix_len) != 0 || name[prefix_len] != '.' ||
            !text_to_u64(name + prefix_len + 1 + strspn(name + prefix_len + 1, "0"), &number))
            continue;
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            numbers = mem_realloc(numbers, cap * sizeof *numbers);
        }
        numbers[n++] = number;
    }
    closedir(dir);
    if (n > 1)
        qsort(numbers, n, sizeof *numbers, segment_number_cmp);
    *ret = numbers;
    *ret_n = n;
    return STATUS_OK;
}

/* Hands out the records of one old segment; what follows a damaged one was never promised to
 * anybody. */
static void segments_scan(struct segments *s, struct segment *segment, segments_scan_fn scan,
                          void *userdata)
{
    AUTO(free_ptr) char *data = mem_alloc(SEGMENT_RECORD_BYTES_MAX + SEGMENT_HEADER_BYTES);
    uint64_t offset = 0;
    size_t len;

    for (;;) {
        if (segments_read_raw(s, segment->number, offset, data,
                              SEGMENT_RECORD_BYTES_MAX + SEGMENT_HEADER_BYTES, &len,
                              NULL) != STATUS_OK ||
            len == 0)
            break;
        size_t at = 0;
        struct slice payload;
        while (segments_parse(data + at, len - at, &payload) == 1) {
            scan((struct segment_place){segment->number, (uint32_t)(offset + at),
                                        (uint32_t)payload.len},
                 payload, userdata);
            at += SEGMENT_HEADER_BYTES + payload.len;
        }
        if (at == 0)
            break;
        offset += at;
    }
    s->bytes -= segment->bytes - offset;
    segment->bytes = offset;
}

enum status segments_open(const char *dir, const char *prefix, size_t segment_bytes,
                          segments_scan_fn scan, void *userdata, struct segments **ret,
                          struct error *err)
{
    struct segments *s = mem_zalloc(sizeof *s);
    AUTO(free_ptr) uint64_t *numbers = NULL;
    size_t n = 0;

    s->dir = mem_strdup(dir);
    s->prefix = mem_strdup(prefix);
    s->segment_bytes = segment_bytes;
    s->fd = s->reader_fd = -1;
    list_init(&s->list);
    buf_init(&s->pending, SEGMENTS_PENDING_BYTES_MAX);
    enum status st = segments_numbers(s, &numbers, &n, err);
    for (size_t i = 0; st == STATUS_OK && i < n; i++) {
        char path[PATH_BYTES];
        struct stat info;
        struct segment *segment = mem_zalloc(sizeof *segment);
        segments_path(s, numbers[i], path);
        segment->number = numbers[i];
        segment->bytes = stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
        s->bytes += segment->bytes;
        list_push(&s->list, &segment->node);
        segments_scan(s, segment, scan, userdata);
    }
    if (st == STATUS_OK)
        st = segments_start(s, n ? numbers[n - 1] + 1 : 1, err);
    if (st != STATUS_OK) {
        segments_close(s);
        return st;
    }
    *ret = s;
    return STATUS_OK;
}

void segments_close(struct segments *s)
{
    if (!s)
        return;
    if (s->fd >= 0 && segments_write(s, NULL) != STATUS_OK)
        buf_clear(&s->pending); /* said when it was tried before; the process ends */
    for (size_t i = 0; i < s->unsynced_count; i++)
        close(s->unsynced[i]);
    close_fd(&s->fd);
    close_fd(&s->reader_fd);
    LIST_EACH(&s->list, node)
    {
        list_remove(node);
        free(LIST_ENTRY(node, struct segment, node));
    }
    buf_fini(&s->pending);
    free(s->dir);
    free(s->prefix);
    free(s);
}

enum status segments_append(struct segments *s, struct slice payload, struct segment_place *ret)
{
    struct segment *last = segments_last(s);
    char header[SEGMENT_HEADER_BYTES];

    if (payload.len == 0 || payload.len > SEGMENT_RECORD_BYTES_MAX)
        return STATUS_INVALID_ARGUMENT;
    if (last->bytes + s->pending.len >= s->segment_bytes) {
        if (segments_rotate(s, NULL) == STATUS_OK)
            last = segments_last(s);
    }
    if (s->pending.len + payload.len + SEGMENT_HEADER_BYTES > s->pending.max)
        return STATUS_RESOURCE_EXHAUSTED;
    record_header(payload, header);
    *ret = (struct segment_place){last->number, (uint32_t)(last->bytes + s->pending.len),
                                  (uint32_t)payload.len};
    buf_put(&s->pending, header, sizeof header);
    buf_put(&s->pending, payload.data, payload.len);
    return STATUS_OK;
}

static enum status write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return status_from_errno(errno);
        data += n;
        len -= (size_t)n;
    }
    return STATUS_OK;
}

enum status segments_write(struct segments *s, struct error *err)
{
    struct segment *last = segments_last(s);

    if (s->pending.len == 0)
        return STATUS_OK;
    enum status st = write_all(s->fd, s->pending.data, s->pending.len);
    if (st != STATUS_OK) {
        int code = errno;
        /* Half a record must not stand before the next try. */
        if (ftruncate(s->fd, (off_t)last->bytes) != 0)
            code = errno;
        return error_set(err, st, "cannot write %s.%" PRIu64 ": %s", s->prefix, last->number,
                         strerror(code));
    }
    last->bytes += s->pending.len;
    s->bytes += s->pending.len;
    s->dirty = true;
    buf_clear(&s->pending);
    return STATUS_OK;
}

bool segments_is_dirty(const struct segments *s)
{
    return s->dirty || s->unsynced_count > 0;
}

size_t segments_take_unsynced(struct segments *s, int fds[SEGMENTS_UNSYNCED_MAX + 1])
{
    size_t n = s->unsynced_count;

    memcpy(fds, s->unsynced, n * sizeof *fds);
    s->unsynced_count = 0;
    if (s->dirty) {
        int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 3);
        if (fd >= 0)
            fds[n++] = fd;
    }
    s->dirty = false;
    return n;
}

enum status segments_rotate(struct segments *s, struct error *err)
{
    struct segment *last = segments_last(s);
    int old = s->fd;

    enum status st = segments_write(s, err);
    if (st != STATUS_OK || last->bytes == 0)
        return st;
    st = segments_start(s, last->number + 1, err);
    if (st != STATUS_OK)
        return st;
    if (s->dirty && s->unsynced_count < SEGMENTS_UNSYNCED_MAX)
        s->unsynced[s->unsynced_count++] = old;
    else
        close(old);
    s->dirty = false;
    return STATUS_OK;
}

static enum status segments_reader(struct segments *s, uint64_t number, struct error *err)
{
    char path[PATH_BYTES];

    if (s->reader_fd >= 0 && s->reader_segment == number)
        return STATUS_OK;
    close_fd(&s->reader_fd);
    segments_path(s, number, path);
    s->reader_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (s->reader_fd < 0)
        return error_set(err, status_from_errno(errno), "cannot open %s: %s", path,
                         strerror(errno));
    s->reader_segment = number;
    return STATUS_OK;
}

enum status segments_read_raw(struct segments *s, uint64_t number, uint64_t offset, char *out,
                              size_t max, size_t *ret_len, struct error *err)
{
    struct segment *segment = segments_find(s, number);

    if (!segment)
        return error_set(err, STATUS_NOT_FOUND, "there is no segment %" PRIu64, number);
    max = MIN_OF(max, segment->bytes > offset ? segment->bytes - offset : 0);
    enum status st = segments_reader(s, number, err);
    if (st != STATUS_OK)
        return st;
    ssize_t n = max ? pread(s->reader_fd, out, max, (off_t)offset) : 0;
    if (n < 0)
        return error_set(err, status_from_errno(errno), "cannot read segment %" PRIu64 ": %s",
                         number, strerror(errno));
    *ret_len = (size_t)n;
    return STATUS_OK;
}

enum status segments_read(struct segments *s, struct segment_place place, struct buf *out,
                          struct error *err)
{
    size_t want = (size_t)place.len + SEGMENT_HEADER_BYTES, len = 0;
    AUTO(free_ptr) char *data = NULL;
    struct slice payload;

    if (place.segment == segments_current(s)) {
        enum status st = segments_write(s, err);
        if (st != STATUS_OK)
            return st;
    }
    data = mem_alloc(want);
    enum status st = segments_read_raw(s, place.segment, place.offset, data, want, &len, err);
    if (st != STATUS_OK)
        return st;
    if (len != want || segments_parse(data, len, &payload) != 1 || payload.len != place.len)
        return error_set(err, STATUS_DATA_LOSS, "%s.%" PRIu64 " is damaged at byte %u", s->prefix,
                         place.segment, place.offset);
    return buf_append(out, payload.data, payload.len);
}

uint64_t segments_current(const struct segments *s)
{
    return segments_last(s)->number;
}

uint64_t segments_oldest(const struct segments *s)
{
    return LIST_ENTRY(s->list.next, struct segment, node)->number;
}

uint64_t segments_next(const struct segments *s, uint64_t number)
{
    LIST_EACH(&s->list, node)
    {
        struct segment *segment = LIST_ENTRY(node, struct segment, node);
        if (segment->number > number)
            return segment->number;
    }
    return 0;
}

uint64_t segments_bytes(const struct segments *s)
{
    return s->bytes + s->pending.len;
}

uint64_t segments_segment_bytes(const struct segments *s, uint64_t number)
{
    struct segment *segment = segments_find(s, number);

    return segment ? segment->bytes : 0;
}

void segments_remove(struct segments *s, uint64_t number)
{
    struct segment *segment = segments_find(s, number);
    char path[PATH_BYTES];

    if (!segment || segment == segments_last(s))
        return;
    if (s->reader_segment == number)
        close_fd(&s->reader_fd);
    segments_path(s, number, path);
    (void)unlink(path); /* left behind it is read again and found to be done */
    s->bytes -= segment->bytes;
    list_remove(&segment->node);
    free(segment);
}

enum status segments_replace(struct segments *s, uint64_t number, const struct slice *payloads,
                             size_t n, struct error *err)
{
    struct segment *segment = segments_find(s, number);
    char path[PATH_BYTES], temporary[PATH_BYTES + 8];
    AUTO(close_fd) int fd = -1;
    uint64_t bytes = 0;

    if (!segment || segment == segments_last(s))
        return error_set(err, STATUS_NOT_FOUND, "there is no old segment %" PRIu64, number);
    segments_path(s, number, path);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, status_from_errno(errno), "cannot create %s: %s", temporary,
                         strerror(errno));
    for (size_t i = 0; i < n; i++) {
        char header[SEGMENT_HEADER_BYTES];
        record_header(payloads[i], header);
        if (write_all(fd, header, sizeof header) != STATUS_OK ||
            write_all(fd, payloads[i].data, payloads[i].len) != STATUS_OK)
            return error_set(err, status_from_errno(errno), "cannot write %s: %s", temporary,
                             strerror(errno));
        bytes += sizeof header + payloads[i].len;
    }
    if (rename(temporary, path) != 0)
        return error_set(err, status_from_errno(errno), "cannot rename %s: %s", temporary,
                         strerror(errno));
    if (s->reader_segment == number)
        close_fd(&s->reader_fd);
    s->bytes = s->bytes - segment->bytes + bytes;
    segment->bytes = bytes;
    return STATUS_OK;
}
