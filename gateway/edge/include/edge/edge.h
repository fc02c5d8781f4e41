/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H
/*
 * What is decided by looking at headers alone: may this Host be served (DNS rebinding), does this
 * request come from our own pages (CSRF), which media types and codings are asked for. Pure.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

#define EDGE_REQUEST_ID_BYTES_MAX 128

/* Loopback names and addresses are always allowed; the list adds more. */
struct edge_hosts {
    const char **names; /* lower case, without port; "*" allows all */
    size_t count;
};
/* list: names separated by commas, may be NULL. */
MUST_USE enum status edge_hosts_parse(const char *list, struct arena *arena, struct edge_hosts *ret,
                                      struct error *err);
/* host: value of the Host header, with or without port. */
bool edge_host_allowed(const struct edge_hosts *hosts, struct slice host);

/* Whether a browser's request was made by a page of this origin. Absent headers have data NULL. */
enum edge_origin { EDGE_ORIGIN_SAME, EDGE_ORIGIN_OTHER, EDGE_ORIGIN_UNKNOWN };
enum edge_origin edge_origin(struct slice origin, struct slice sec_fetch_site, struct slice host);

/* A cookie's value; data NULL when absent. */
struct slice edge_cookie(struct slice header, const char *name);
/* Printable, no quotes or backslashes, of at most EDGE_REQUEST_ID_BYTES_MAX. */
bool edge_request_id_valid(struct slice value);

enum edge_content { EDGE_NONE, EDGE_JSON, EDGE_YAML, EDGE_OTHER };
enum edge_content edge_content(struct slice content_type);
/* Whether an Accept header names this very type (not by a wildcard) and not with q=0. */
bool edge_accepts(struct slice accept, const char *type);
/* The same for Accept-Encoding. */
bool edge_accepts_coding(struct slice accept_encoding, const char *coding);
/* If-None-Match against an entity tag with its quotes. */
bool edge_matches_etag(struct slice if_none_match, const char *etag);

#endif
