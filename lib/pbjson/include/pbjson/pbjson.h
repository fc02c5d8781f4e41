/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PBJSON_PBJSON_H
#define PBJSON_PBJSON_H
/*
 * proto3 JSON ↔ protobuf-c messages by descriptors. What protobuf-c's descriptors lack (JSON names,
 * maps, well-known types) comes from a FileDescriptorSet given once. In: strict JSON, both names of
 * a field, int64 as string or number, enums by full name, lower-case tail (TASK_STATE_SUCCEEDED or
 * succeeded) or number, unknown fields refused with "did you mean". Out: a direct writer, no DOM.
 * Well-known: Timestamp, Duration, FieldMask, Empty, wrappers, Any (of registered types), and
 * plankton.v1.Json {string text = 1}: the JSON value itself ↔ its compact text. Struct and Value
 * are refused. A registry may be used from one thread at a time. Messages are allocated in the
 * arena and are never freed alone.
 */
#include <protobuf-c/protobuf-c.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define PBJSON_TEXT_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define PBJSON_DEPTH_MAX 64         /* of JSON, and with it of messages */
#define PBJSON_ELEMENTS_MAX 1000000 /* of one repeated field or map */

struct pbjson_registry;

/* descriptor_set: a serialized google.protobuf.FileDescriptorSet with imports; copied. Aborts on
 * nothing: a bad set is an error. Types are prepared on first use. */
MUST_USE enum status pbjson_registry_new(struct slice descriptor_set, struct pbjson_registry **ret,
                                         struct error *err);
void pbjson_registry_free(struct pbjson_registry *registry); /* NULL allowed */
/* Makes a type known for google.protobuf.Any. */
void pbjson_register_message(struct pbjson_registry *registry,
                             const ProtobufCMessageDescriptor *desc);
/* A registered type by its full name, or NULL. */
const ProtobufCMessageDescriptor *pbjson_find_message(const struct pbjson_registry *registry,
                                                      const char *full_name);
/* lowerCamelCase (or json_name) of a field. */
const char *pbjson_json_name(struct pbjson_registry *registry,
                             const ProtobufCMessageDescriptor *desc,
                             const ProtobufCFieldDescriptor *field);
bool pbjson_field_is_map(struct pbjson_registry *registry, const ProtobufCMessageDescriptor *desc,
                         const ProtobufCFieldDescriptor *field);

struct pbjson_options {
    bool ignore_unknown; /* in: unknown fields and enum names are skipped */
    bool defaults; /* out: scalars, enums, lists and maps are printed when they have their default
                      value */
    bool proto_names; /* out: snake_case names */
};

/* A new message from JSON text (empty text is an empty object). On error err->field is the path:
 * steps[0].retry.maxAttempts, err->reason INVALID_JSON, UNKNOWN_FIELD or INVALID_FIELD. */
MUST_USE enum status pbjson_from_text(struct pbjson_registry *registry,
                                      const ProtobufCMessageDescriptor *desc, struct slice text,
                                      struct arena *arena, const struct pbjson_options *options,
                                      ProtobufCMessage **ret, struct error *err);
/* The same for one field of an existing message (a body that is mapped to a field): text is the
 * field's JSON value. */
MUST_USE enum status pbjson_field_from_text(struct pbjson_registry *registry,
                                            ProtobufCMessage *message, const char *path,
                                            struct slice text, struct arena *arena,
                                            const struct pbjson_options *options,
                                            struct error *err);
/* A field from plain text (URL path and query): page_size, pageSize, or a.b; a repeated field gets
 * one more element. A bool is true or false, a message only Timestamp, Duration, FieldMask, wrapper
 * or Json. A singular field that was set by an earlier call is replaced. */
MUST_USE enum status pbjson_set_field(struct pbjson_registry *registry, ProtobufCMessage *message,
                                      const char *path, const char *text, struct arena *arena,
                                      struct error *err);

/* Appends; RESOURCE_EXHAUSTED when buf is full (then part of the text is in it), INTERNAL for a
 * message that has no JSON form. options may be NULL. */
MUST_USE enum status pbjson_to_text(struct pbjson_registry *registry,
                                    const ProtobufCMessage *message,
                                    const struct pbjson_options *options, struct buf *buf,
                                    struct error *err);
/* The JSON value of one field (response_body). */
MUST_USE enum status pbjson_field_to_text(struct pbjson_registry *registry,
                                          const ProtobufCMessage *message, const char *path,
                                          const struct pbjson_options *options, struct buf *buf,
                                          struct error *err);

#endif
