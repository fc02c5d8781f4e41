/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PBJSON_INTERNAL_H
#define PBJSON_INTERNAL_H
/* Prepared types, the reader's and the writer's state. */
#include <jansson.h>
#include "base/map.h"
#include "pbjson/pbjson.h"

/* Of messages on output: more than any text that was read can have. */
#define WRITE_DEPTH_MAX 100
#define FIELD_PATH_BYTES_MAX ((size_t)512)

enum wellknown {
    WELLKNOWN_NONE = 0,
    WELLKNOWN_TIMESTAMP,
    WELLKNOWN_DURATION,
    WELLKNOWN_FIELD_MASK,
    WELLKNOWN_WRAPPER,
    WELLKNOWN_ANY,
    WELLKNOWN_JSON,
    WELLKNOWN_REFUSED, /* Struct, Value, ListValue */
};

struct field {
    const ProtobufCFieldDescriptor *f;
    const char *json_name;
    struct slice json_key, proto_key; /* ,"name": ready to be written */
    struct type *sub;                 /* of a message field, prepared on first use */
    bool is_map;
};

struct type {
    struct map_node node;
    const ProtobufCMessageDescriptor *desc;
    struct field *fields; /* in the order of desc->fields */
    enum wellknown wellknown;
};

struct pbjson_registry {
    struct arena arena;
    struct map types;      /* by descriptor */
    struct map messages;   /* DescriptorProto by full name */
    struct map registered; /* descriptors by full name */
};

struct type *pbjson__type(struct pbjson_registry *registry, const ProtobufCMessageDescriptor *desc);
struct type *pbjson__sub(struct pbjson_registry *registry, struct field *field);
/* By JSON name or the name in the proto; NULL when there is none. */
struct field *pbjson__find(struct type *type, const char *name, size_t len);

/* Where the reader is: a list on the stack. */
struct at {
    const struct at *parent;
    const char *key; /* NULL: index */
    size_t index;
};

struct reader {
    struct pbjson_registry *registry;
    struct arena *arena;
    struct pbjson_options options;
    struct error *err;
};

/* Reports and returns false. */
bool pbjson__fail(struct reader *reader, const struct at *at, const char *reason, const char *hint,
                  const char *fmt, ...) PRINTF_LIKE(5, 6);
bool pbjson__invalid(struct reader *reader, const struct at *at, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
bool pbjson__read_message(struct reader *reader, const struct at *at, struct type *type,
                          const json_t *json, ProtobufCMessage **ret);
bool pbjson__read_members(struct reader *reader, const struct at *at, struct type *type,
                          const json_t *json, ProtobufCMessage *message, const char *skipped_key);
bool pbjson__read_field(struct reader *reader, const struct at *at, struct field *field,
                        const json_t *json, ProtobufCMessage *message);
bool pbjson__read_value(struct reader *reader, const struct at *at, struct field *field,
                        const json_t *json, void *ret);
bool pbjson__read_wellknown(struct reader *reader, const struct at *at, struct type *type,
                            const json_t *json, ProtobufCMessage *message);
bool pbjson__read_any(struct reader *reader, const struct at *at, struct type *type,
                      const json_t *json, ProtobufCMessage *message);
bool pbjson__append(struct reader *reader, const struct at *at, struct field *field,
                    const json_t *json, ProtobufCMessage *message);
ProtobufCMessage *pbjson__new(struct arena *arena, const ProtobufCMessageDescriptor *desc);
/* Notes that the field is set: its oneof's case or its has_ member. */
void pbjson__mark_set(const struct field *field, ProtobufCMessage *message);
size_t pbjson__size_of(const ProtobufCFieldDescriptor *f);

struct writer {
    struct pbjson_registry *registry;
    struct pbjson_options options;
    struct buf *out;
    struct error *err;
    uint32_t depth;
};

bool pbjson__put(struct writer *writer, const char *text, size_t len);
bool pbjson__puts(struct writer *writer, const char *text);
bool pbjson__put_string(struct writer *writer, struct slice text);
bool pbjson__refuse(struct writer *writer, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool pbjson__write_message(struct writer *writer, struct type *type,
                           const ProtobufCMessage *message);
/* The members without the braces; *first tells whether a comma is due. */
bool pbjson__write_members(struct writer *writer, struct type *type,
                           const ProtobufCMessage *message, bool *first);
bool pbjson__write_field(struct writer *writer, struct field *field,
                         const ProtobufCMessage *message);
bool pbjson__write_value(struct writer *writer, struct field *field, const void *value);
bool pbjson__write_wellknown(struct writer *writer, struct type *type,
                             const ProtobufCMessage *message);
bool pbjson__write_any(struct writer *writer, struct type *type, const ProtobufCMessage *message);

/* Members of well-known messages, whose structs are laid out by their descriptors. */
void *pbjson__member(const ProtobufCMessage *message, const char *name);

/* RFC 3339 and durations, strict; false when out of range or of another form. */
bool pbjson__parse_timestamp(const char *text, int64_t *ret_seconds, int32_t *ret_nanos);
bool pbjson__format_timestamp(int64_t seconds, int32_t nanos, char out[64]);
bool pbjson__parse_duration(const char *text, int64_t *ret_seconds, int32_t *ret_nanos);
bool pbjson__format_duration(int64_t seconds, int32_t nanos, char out[64]);

#endif
