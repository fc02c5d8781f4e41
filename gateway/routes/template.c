/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

static enum status bad(struct error *err, const char *text, const char *why)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "path template \"%s\": %s", text, why);
}

static bool is_field_path(struct slice text)
{
    if (!text.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';

        if (!word)
            return false;
    }
    return true;
}

/* {field}, {field=*}, {field=**} */
static enum status parse_variable(const char *text, struct slice inner, struct arena *arena,
                                  struct template_segment *ret, struct error *err)
{
    const char *equals = memchr(inner.data, '=', inner.len);
    struct slice name = inner, pattern = {"*", 1};

    if (equals) {
        name.len = (size_t)(equals - inner.data);
        pattern = (struct slice){equals + 1, inner.len - name.len - 1};
    }
    if (!is_field_path(name))
        return bad(err, text, "a variable's name is not a field");
    if (slice_is(pattern, "*"))
        ret->kind = TEMPLATE_ONE;
    else if (slice_is(pattern, "**"))
        ret->kind = TEMPLATE_REST;
    else
        return bad(err, text, "variables of several named segments are not supported");
    ret->field = arena_strndup(arena, name.data, name.len);
    return STATUS_OK;
}

static enum status parse_segment(const char *text, struct slice segment, struct arena *arena,
                                 struct template_segment *ret, struct error *err)
{
    *ret = (struct template_segment){.kind = TEMPLATE_LITERAL};
    if (slice_is(segment, "*") || slice_is(segment, "**")) {
        ret->kind = segment.len == 1 ? TEMPLATE_ONE : TEMPLATE_REST;
        return STATUS_OK;
    }
    if (segment.len && segment.data[0] == '{') {
        if (segment.data[segment.len - 1] != '}')
            return bad(err, text, "a variable must be a whole segment");
        return parse_variable(text, (struct slice){segment.data + 1, segment.len - 2}, arena, ret,
                              err);
    }
    if (!segment.len || memchr(segment.data, '{', segment.len) ||
        memchr(segment.data, '%', segment.len))
        return bad(err, text, "a literal segment is empty or has a character that it may not have");
    ret->text = arena_strndup(arena, segment.data, segment.len);
    return STATUS_OK;
}

/* The verb begins at the last colon that is not inside braces. */
static size_t verb_start(const char *text, size_t len)
{
    for (size_t i = len; i > 0 && text[i - 1] != '/' && text[i - 1] != '}'; i--)
        if (text[i - 1] == ':')
            return i - 1;
    return len;
}

enum status template_parse(const char *text, struct arena *arena, struct template *ret,
                           struct error *err)
{
    size_t len = strlen(text), end = verb_start(text, len);
    size_t at = 1;

    *ret = (struct template){.verb = end < len ? arena_strdup(arena, text + end + 1) : ""};
    if (text[0] != '/' || end < 2)
        return bad(err, text, "it must begin with / and name something");
    if (end < len && !ret->verb[0])
        return bad(err, text, "the verb is empty");
    while (at <= end) {
        const char *slash = memchr(text + at, '/', end - at);
        size_t stop = slash ? (size_t)(slash - text) : end;
        enum status st;

        if (ret->count == ROUTE_SEGMENTS_MAX)
            return bad(err, text, "too many segments");
        if (ret->count && ret->segments[ret->count - 1].kind == TEMPLATE_REST)
            return bad(err, text, "** must be the last segment");
        st = parse_segment(text, (struct slice){text + at, stop - at}, arena,
                           &ret->segments[ret->count++], err);
        if (st != STATUS_OK)
            return st;
        at = stop + 1;
    }
    return STATUS_OK;
}

bool path_split(struct slice path, struct path_parts *ret)
{
    size_t at = 1;

    ret->count = 0;
    ret->verb = (struct slice){"", 0};
    if (path.len < 2 || path.data[0] != '/')
        return false;
    while (at <= path.len) {
        const char *slash = at < path.len ? memchr(path.data + at, '/', path.len - at) : NULL;
        size_t stop = slash ? (size_t)(slash - path.data) : path.len;
        struct slice segment = {path.data + at, stop - at};

        if (!slash && segment.len) {
            const char *colon = memrchr(segment.data, ':', segment.len);

            if (colon) {
                ret->verb =
                    (struct slice){colon + 1, (size_t)(segment.data + segment.len - colon) - 1};
                segment.len = (size_t)(colon - segment.data);
                if (!ret->verb.len)
                    return false;
            }
        }
        if (!segment.len || ret->count == ROUTE_SEGMENTS_MAX)
            return false;
        ret->segments[ret->count++] = segment;
        at = stop + 1;
    }
    return true;
}
