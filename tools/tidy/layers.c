/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include "tidy.h"

#define WORD_BYTES_MAX 64
#define HEADERS_MAX 512

/* What each folder may include, beside itself. The first folder that a path lies in counts. */
static const struct {
    const char *folder, *uses;
} LAYERS[] = {
    {"lib/base", ""},
    {"lib/log", "base"},
    {"lib/metrics", "base"},
    {"lib/conf", "base"},
    {"lib/token", "base"},
    {"lib/cron", "base"},
    {"lib/json", "base"},
    {"lib/pbjson", "base json"},
    {"lib/cel", "base json"},
    {"lib/plan", "base json pbjson cel cron"},
    {"lib/loop", "base log metrics"},
    {"lib/net", "base log metrics loop"},
    {"lib/h2", "base log metrics loop net"},
    {"lib/http1", "base log metrics loop net"},
    {"lib/rpc", "base log metrics conf loop net h2 http1 token"},
    {"lib/service", "base log metrics conf loop net h2 http1 rpc token"},
    {"lib/db", "base log metrics conf loop"},
    {"lib/fetch", "base loop"},
    {"services/controller/engine", "base json cel plan cron"},
    {"services/worker",
     "base log metrics conf token json pbjson cel plan cron loop net h2 http1 rpc service"},
    {"gateway",
     "base log metrics conf token json pbjson cel plan cron loop net h2 http1 rpc service"},
};
/* Libraries, whatever folder asks. */
static const char LIBRARIES[] =
    "base log metrics conf token cron json pbjson cel plan loop net h2 http1 rpc service db fetch";

/* Foreign headers that one folder wraps for all others. */
static const struct {
    const char *header, *folder;
} WRAPPED[] = {
    {"uv.h", "lib/loop"},      {"libpq-fe.h", "lib/db"},     {"nghttp2/nghttp2.h", "lib/h2"},
    {"llhttp.h", "lib/http1"}, {"curl/curl.h", "lib/fetch"},
};

/* First folder of an include path -> the service whose include folder has it. */
static struct {
    char name[WORD_BYTES_MAX], service[WORD_BYTES_MAX];
} headers[HEADERS_MAX];
static size_t header_count;

static bool has_word(const char *words, struct slice word)
{
    while (*words) {
        size_t len = strcspn(words, " ");

        if (len == word.len && strncmp(words, word.data, len) == 0)
            return true;
        words += len + (words[len] == ' ');
    }
    return false;
}

/* services/controller/… -> controller; "" for other paths. */
static struct slice service_of(const char *path)
{
    static const char FOLDER[] = "services/";

    if (strncmp(path, FOLDER, sizeof(FOLDER) - 1) != 0)
        return (struct slice){path, 0};
    path += sizeof(FOLDER) - 1;
    return (struct slice){path, strcspn(path, "/")};
}

/* Headers are included by the name of their folder: services/x/include/NAME/a.h,
 * services/x/NAME/include/NAME/a.h, or services/x/NAME/a.h. */
void layers_note_header(const char *path)
{
    struct slice service = service_of(path);
    const char *include = strstr(path, "/include/"), *name;
    size_t len;

    if (service.len == 0 || header_count == HEADERS_MAX)
        return;
    name = include ? include + strlen("/include/") : service.data + service.len + 1;
    len = strcspn(name, "/");
    snprintf(headers[header_count].name, WORD_BYTES_MAX, "%.*s", (int)len, name);
    snprintf(headers[header_count].service, WORD_BYTES_MAX, "%.*s", (int)service.len, service.data);
    header_count++;
}

/* Two services may each have a folder of the same name. */
static bool has_own_folder(struct slice service, struct slice name)
{
    for (size_t i = 0; i < header_count; i++)
        if (slice_is(name, headers[i].name) && slice_is(service, headers[i].service))
            return true;
    return false;
}

static void check_own(const struct source *source, unsigned line, struct slice path)
{
    struct slice first = {path.data, path.len};
    const char *slash = memchr(path.data, '/', path.len);

    if (!slash)
        return; /* a neighbour */
    first.len = (size_t)(slash - path.data);
    for (size_t i = 0; i < ARRAY_LEN(LAYERS); i++) {
        const char *own = strrchr(LAYERS[i].folder, '/') ? strrchr(LAYERS[i].folder, '/') + 1 : "";

        if (!path_starts_with(source->path, LAYERS[i].folder))
            continue;
        if (has_word(LIBRARIES, first) && !has_word(LAYERS[i].uses, first) && !slice_is(first, own))
            report(source, line, "%s may not use %.*s", LAYERS[i].folder, (int)first.len,
                   first.data);
        break;
    }
    struct slice service = service_of(source->path);
    if (service.len == 0 || has_own_folder(service, first))
        return;
    for (size_t i = 0; i < header_count; i++) {
        if (slice_is(first, headers[i].name)) {
            report(source, line, "a service may not use %s of services/%s", headers[i].name,
                   headers[i].service);
            break;
        }
    }
}

static void check_foreign(const struct source *source, unsigned line, struct slice path)
{
    if (path_starts_with(source->path, "tests") || path_starts_with(source->path, "bench"))
        return;
    for (size_t i = 0; i < ARRAY_LEN(WRAPPED); i++) {
        if (slice_is(path, WRAPPED[i].header) && !path_starts_with(source->path, WRAPPED[i].folder))
            report(source, line, "<%s> may be included in %s only", WRAPPED[i].header,
                   WRAPPED[i].folder);
    }
}

/* lib/x without a line in the table above would escape it. */
static void check_known(const struct source *source)
{
    size_t i = 0;

    if (!path_starts_with(source->path, "lib"))
        return;
    while (i < ARRAY_LEN(LAYERS) && !path_starts_with(source->path, LAYERS[i].folder))
        i++;
    if (i == ARRAY_LEN(LAYERS))
        report(source, 1, "this folder has no place in the layers (tools/tidy/layers.c)");
}

void check_layers(const struct source *source)
{
    struct slice line;
    unsigned number = 0;
    size_t pos = 0;

    if (source->language != LANGUAGE_C)
        return;
    check_known(source);
    while (next_line(source->text, source->len, &pos, &line)) {
        static const char DIRECTIVE[] = "#include ";
        struct slice path = {line.data + sizeof(DIRECTIVE), 0};

        number++;
        if (!starts_with(line, DIRECTIVE) || line.len < sizeof(DIRECTIVE) + 1)
            continue;
        path.len = strcspn(path.data, "\">\n");
        if (path.data[-1] == '"')
            check_own(source, number, path);
        else
            check_foreign(source, number, path);
    }
}
