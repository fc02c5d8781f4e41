/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <strings.h>

#include "edge/edge.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice text)
{
    while (text.len && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* Takes the next part before `separator` off the front. False at the end. */
static bool next_part(struct slice *rest, char separator, struct slice *ret)
{
    const char *end;
    size_t len;

    if (!rest->len)
        return false;
    end = memchr(rest->data, separator, rest->len);
    len = end ? (size_t)(end - rest->data) : rest->len;
    *ret = trim((struct slice){rest->data, len});
    rest->data += len + (end != NULL);
    rest->len -= len + (end != NULL);
    return true;
}

static bool same(struct slice a, const char *b)
{
    return a.len == strlen(b) && strncasecmp(a.data, b, a.len) == 0;
}

struct slice edge_cookie(struct slice header, const char *name)
{
    struct slice pair, none = {0};
    size_t len = strlen(name);

    while (next_part(&header, ';', &pair)) {
        if (pair.len <= len || pair.data[len] != '=' || memcmp(pair.data, name, len) != 0)
            continue;
        struct slice value = {pair.data + len + 1, pair.len - len - 1};

        if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
            value = (struct slice){value.data + 1, value.len - 2};
        return value;
    }
    return none;
}

bool edge_request_id_valid(struct slice value)
{
    if (!value.len || value.len > EDGE_REQUEST_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (!c || (!isalnum(c) && !strchr("-_.:/+=~", c)))
            return false;
    }
    return true;
}

/* JSON and YAML are UTF-8 here; another charset is another type. */
static bool charset_fits(struct slice parameters)
{
    struct slice part;

    while (next_part(&parameters, ';', &part)) {
        if (part.len < 8 || strncasecmp(part.data, "charset=", 8) != 0)
            continue;
        struct slice charset = {part.data + 8, part.len - 8};

        if (!same(charset, "utf-8") && !same(charset, "\"utf-8\""))
            return false;
    }
    return true;
}

enum edge_content edge_content(struct slice content_type)
{
    struct slice type;

    if (!content_type.len || !next_part(&content_type, ';', &type))
        return EDGE_NONE;
    if (!charset_fits(content_type))
        return EDGE_OTHER;
    if (same(type, "application/json"))
        return EDGE_JSON;
    if (same(type, "application/yaml") || same(type, "application/x-yaml") ||
        same(type, "text/yaml") || same(type, "text/x-yaml"))
        return EDGE_YAML;
    return EDGE_OTHER;
}

static bool refused(struct slice parameters)
{
    struct slice part;

    while (next_part(&parameters, ';', &part)) {
        if (part.len < 3 || (part.data[0] | 0x20) != 'q' || part.data[1] != '=')
            continue;
        for (size_t i = 2; i < part.len; i++)
            if (part.data[i] >= '1' && part.data[i] <= '9')
                return false;
        return true;
    }
    return false;
}

static bool list_names(struct slice list, const char *word)
{
    struct slice item, name;

    while (next_part(&list, ',', &item)) {
        if (next_part(&item, ';', &name) && same(name, word))
            return !refused(item);
    }
    return false;
}

bool edge_accepts(struct slice accept, const char *type)
{
    return list_names(accept, type);
}

bool edge_accepts_coding(struct slice accept_encoding, const char *coding)
{
    return list_names(accept_encoding, coding);
}

bool edge_matches_etag(struct slice if_none_match, const char *etag)
{
    struct slice item;

    while (next_part(&if_none_match, ',', &item)) {
        if (item.len > 2 && item.data[0] == 'W' && item.data[1] == '/')
            item = (struct slice){item.data + 2, item.len - 2};
        if (slice_is(item, etag) || slice_is(item, "*"))
            return true;
    }
    return false;
}
