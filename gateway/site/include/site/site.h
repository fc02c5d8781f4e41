/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SITE_SITE_H
#define SITE_SITE_H
/*
 * The files that the gateway serves: the web interface and the API reference, embedded in the
 * program at build with their compressed forms. What a path means is decided here and is pure,
 * except for a folder given for development, whose files are read at each request.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

#define SITE_FILE_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of a file in a folder */

struct site_file {
    const char *path;                /* "/index.html" */
    const char *type;                /* value of Content-Type */
    const char *etag;                /* with quotes */
    bool immutable;                  /* the name changes with the content */
    struct slice identity, gzip, br; /* compressed forms may be absent (data NULL) */
};
/* Written by the tool `embed`, sorted by path. */
extern const struct site_file site_files[];
extern const size_t site_file_count;

struct site_answer {
    unsigned http_status; /* 200, 304, 404 */
    const char *type, *etag, *cache_control;
    const char *coding; /* Content-Encoding, NULL for none */
    bool varies;        /* by Accept-Encoding */
    struct slice body;
};
struct site_request {
    struct slice path; /* of the URL, unescaped by nobody: names of files need no escapes */
    struct slice accept_encoding, if_none_match;
};
/* A file by its exact path, or NULL. */
const struct site_file *site_find(struct slice path);
/* Answers with one file. */
void site_answer_file(const struct site_file *file, const struct site_request *request,
                      struct site_answer *ret);
/* Any path of the web interface: a file, or index.html for the addresses of its pages. 404 for
 * missing files (anything with an extension, or below /assets/). */
void site_answer(const struct site_request *request, struct site_answer *ret);
/* The same from a folder on disk; bodies live in the arena. */
void site_answer_from_folder(const char *folder, const struct site_request *request,
                             struct arena *arena, struct site_answer *ret);
bool site_has_interface(void); /* the web interface was embedded */

#endif
