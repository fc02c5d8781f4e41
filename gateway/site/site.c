/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/edge.h"
#include "folder.h"
#include "site/site.h"

/* Hashed names never change their content; everything else is asked for again each time. */
#define CACHE_FOREVER "public, max-age=31536000, immutable"
#define CACHE_ASK "no-cache"

static const char no_interface[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta "
    "charset=\"utf-8\"><title>Plankton</title></head>"
    "<body><h1>Plankton</h1><p>The web interface was not built into this gateway.</p>"
    "<p>The API is here: <a href=\"/api/docs\">reference</a>, "
    "<a href=\"/api/v1/openapi.json\">OpenAPI</a>.</p></body></html>\n";

static const struct site_file no_interface_file = {
    .path = "/index.html",
    .type = "text/html; charset=utf-8",
    .etag = "\"no-interface\"",
    .identity = {no_interface, sizeof no_interface - 1},
};

static int compare(struct slice a, const char *b)
{
    size_t len = strlen(b);
    int order = memcmp(a.data, b, MIN_OF(a.len, len));

    return order ? order : (a.len > len) - (a.len < len);
}

const struct site_file *site_find(struct slice path)
{
    size_t low = 0, high = site_file_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(path, site_files[middle].path);

        if (order == 0)
            return &site_files[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool site_has_interface(void)
{
    return site_find(slice_of("/index.html")) != NULL;
}

void site_answer_file(const struct site_file *file, const struct site_request *request,
                      struct site_answer *ret)
{
    *ret = (struct site_answer){
        .http_status = 200,
        .type = file->type,
        .etag = file->etag,
        .cache_control = file->immutable ? CACHE_FOREVER : CACHE_ASK,
        .varies = file->br.data || file->gzip.data,
        .body = file->identity,
    };
    if (edge_matches_etag(request->if_none_match, file->etag)) {
        ret->http_status = 304;
        ret->body = (struct slice){0};
        return;
    }
    if (file->br.data && edge_accepts_coding(request->accept_encoding, "br")) {
        ret->coding = "br";
        ret->body = file->br;
    } else if (file->gzip.data && edge_accepts_coding(request->accept_encoding, "gzip")) {
        ret->coding = "gzip";
        ret->body = file->gzip;
    }
}

static bool starts_with(struct slice text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && memcmp(text.data, prefix, len) == 0;
}

/* Pages have no dot in their last segment; a missing script must not be answered with HTML. */
static bool is_page(struct slice path)
{
    const char *slash = memrchr(path.data, '/', path.len);

    if (!slash || starts_with(path, "/assets/") || starts_with(path, "/api/") ||
        slice_is(path, "/api"))
        return false;
    return !memchr(slash, '.', (size_t)(path.data + path.len - slash)) &&
           !memchr(path.data, '%', path.len);
}

static void not_found(struct site_answer *ret)
{
    static const char text[] = "not found\n";

    *ret = (struct site_answer){
        .http_status = 404,
        .type = "text/plain; charset=utf-8",
        .cache_control = "no-store",
        .body = {text, sizeof text - 1},
    };
}

void site_answer(const struct site_request *request, struct site_answer *ret)
{
    const struct site_file *file = site_find(request->path);

    if (!file && is_page(request->path)) {
        file = site_find(slice_of("/index.html"));
        file = file ? file : &no_interface_file;
    }
    if (!file || starts_with(slice_of(file->path), "/api/"))
        not_found(ret);
    else
        site_answer_file(file, request, ret);
}

/* ---- a folder ---- */

void site_answer_from_folder(const char *folder, const struct site_request *request,
                             struct arena *arena, struct site_answer *ret)
{
    char *path = arena_strndup(arena, request->path.data, request->path.len);
    struct slice body;

    if (!site__read(folder, path, arena, &body)) {
        path = "/index.html";
        if (!is_page(request->path) || !site__read(folder, path, arena, &body)) {
            not_found(ret);
            return;
        }
    }
    *ret = (struct site_answer){
        .http_status = 200,
        .type = site__type_of(path),
        .cache_control = "no-store",
        .body = body,
    };
}
