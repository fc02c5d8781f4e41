/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SourceCodeInfo names a declaration by a path of field numbers and indexes: [4, 1, 2, 0] is the
 * first field (2) of the second message (4) of the file.
 */
#include "schema_internal.h"

#define PATH_MAX_PARTS 32

/* Field numbers of FileDescriptorProto, DescriptorProto, EnumDescriptorProto,
 * ServiceDescriptorProto. */
enum { FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4 };
enum { MEMBER = 2 }; /* EnumDescriptorProto.value and ServiceDescriptorProto.method */

struct path {
    uint32_t parts[PATH_MAX_PARTS];
    size_t len;
};

static const char **enum_comment(struct schema_enum *decl, const struct path *path, size_t at)
{
    if (path->len == at)
        return &decl->comment;
    if (path->len == at + 2 && path->parts[at] == MEMBER && path->parts[at + 1] < decl->value_count)
        return &decl->values[path->parts[at + 1]].comment;
    return NULL;
}

static const char **service_comment(struct schema_service *decl, const struct path *path)
{
    if (path->len == 2)
        return &decl->comment;
    if (path->len == 4 && path->parts[2] == MEMBER && path->parts[3] < decl->method_count)
        return &decl->methods[path->parts[3]].comment;
    return NULL;
}

static const char **message_comment(struct schema__decl *decl, const struct path *path)
{
    size_t at = 2;

    while (path->len > at + 1) {
        uint32_t kind = path->parts[at], index = path->parts[at + 1];

        if (kind == MESSAGE_FIELD)
            return path->len == at + 2 && index < decl->message->field_count
                       ? &decl->message->fields[index].comment
                       : NULL;
        if (kind == MESSAGE_ENUM)
            return index < decl->enum_count ? enum_comment(decl->enums[index], path, at + 2) : NULL;
        if (kind != MESSAGE_NESTED || index >= decl->nested_count)
            return NULL;
        decl = &decl->nested[index];
        at += 2;
    }
    return path->len == at ? &decl->message->comment : NULL;
}

static const char **find(const struct schema__file *file, const struct path *path)
{
    uint32_t index;

    if (path->len < 2)
        return NULL;
    index = path->parts[1];
    switch (path->parts[0]) {
    case FILE_MESSAGE:
        return index < file->message_count ? message_comment(&file->messages[index], path) : NULL;
    case FILE_ENUM:
        return index < file->enum_count ? enum_comment(file->enums[index], path, 2) : NULL;
    case FILE_SERVICE:
        return index < file->service_count ? service_comment(file->services[index], path) : NULL;
    default:
        return NULL;
    }
}

static bool read_path(struct slice bytes, struct path *path)
{
    struct wire wire = wire_of(bytes);
    uint64_t part;

    path->len = 0;
    while (wire.next < wire.end) {
        if (!wire_varint(&wire, &part))
            return false;
        if (path->len == PATH_MAX_PARTS)
            return true; /* deeper than anything that is looked for */
        path->parts[path->len++] = (uint32_t)part;
    }
    return true;
}

/* The text of a comment: one space after the slashes and the ends of lines go; line breaks stay. */
static const char *clean(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    bool line_start = true;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (line_start && c == ' ') {
            line_start = false;
            continue;
        }
        line_start = c == '\n';
        while (c == '\n' && len && out[len - 1] == ' ')
            len--;
        out[len++] = c;
    }
    while (len && (out[len - 1] == '\n' || out[len - 1] == ' '))
        len--;
    out[len] = '\0';
    return out;
}

bool schema__read_comments(struct arena *arena, struct slice source_info,
                           const struct schema__file *file)
{
    struct wire wire = wire_of(source_info);
    struct wire_field location;

    while (wire_next(&wire, &location)) {
        struct wire fields = wire_of(location.bytes);
        struct slice leading = {0}, trailing = {0};
        struct path path = {.len = 0};
        struct wire_field field;

        if (location.number != 1)
            continue;
        while (wire_next(&fields, &field)) {
            if (field.number == 1 && field.type == 2 && !read_path(field.bytes, &path))
                return false;
            if (field.number == 3)
                leading = field.bytes;
            if (field.number == 4)
                trailing = field.bytes;
        }
        const char **comment = find(file, &path);

        if (comment && (leading.len || trailing.len))
            *comment = clean(arena, leading.len ? leading : trailing);
        if (fields.bad)
            return false;
    }
    return !wire.bad;
}
