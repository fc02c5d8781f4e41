/* SPDX-License-Identifier: Apache-2.0 */
/* A small table in the place of the embedded one. Sorted, like that. */
#include "site/site.h"

#define FILE_OF(path_, type_, text_, ...)                                                          \
    {                                                                                              \
        .path = (path_), .type = (type_), .etag = "\"" path_ "\"",                                 \
        .identity = {text_, sizeof text_ - 1}, __VA_ARGS__                                         \
    }

const struct site_file site_files[] = {
    FILE_OF("/api/docs", "text/html", "docs", .immutable = false),
    FILE_OF("/assets/app-1a2b.js", "text/javascript", "script", .immutable = true,
            .gzip = {"gz", 2}, .br = {"b", 1}),
    FILE_OF("/favicon.svg", "image/svg+xml", "icon", .immutable = false),
    FILE_OF("/index.html", "text/html", "index", .gzip = {"gz", 2}),
};
const size_t site_file_count = sizeof site_files / sizeof site_files[0];
