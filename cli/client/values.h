/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H
/*
 * From what stands on a command line to requests: files, JSON, `name=text` and `name:=JSON` pairs.
 * Requests with many optional parts are built as proto3 JSON and read by lib/pbjson, so that names
 * and limits are checked in one place.
 */
#include <protobuf-c/protobuf-c.h>

#include "base/slice.h"
#include "command.h"
#include "json/json.h"

#define VALUE_BYTES_MAX ((size_t)4 * 1024 * 1024)

/* Whole file; "-" is standard input. RESOURCE_EXHAUSTED when longer than bytes_max. */
MUST_USE enum status file_read(const char *path, size_t bytes_max, struct arena *arena,
                               struct slice *ret, struct error *err);
/* The first line, without white space around it. */
char *text_line(struct arena *arena, struct slice text);

/* JSON text, or "@file" ("@-": standard input). option is for the message. */
MUST_USE enum status value_json(const char *option, const char *text, struct arena *arena,
                                json_t **ret, struct error *err);
/* The same, and it must be an object; NULL text gives an empty one. */
MUST_USE enum status value_object(const char *option, const char *text, struct arena *arena,
                                  json_t **ret, struct error *err);
/* Adds `name=text` (a string) or `name:=JSON` to an object. */
MUST_USE enum status value_add_pair(const char *option, const char *pair, struct arena *arena,
                                    json_t *object, struct error *err);
/* An object of strings from `name=text` pairs; NULL in *ret when there are none. */
MUST_USE enum status value_map(const char *option, const struct text_list *pairs,
                               struct arena *arena, json_t **ret, struct error *err);
/* Sets a member unless the value is NULL; takes the reference. */
void value_set(json_t *object, const char *name, json_t *value);

/* A request from its proto3 JSON; the reference is taken. */
MUST_USE enum status request_from_json(const ProtobufCMessageDescriptor *desc, json_t *json,
                                       struct arena *arena, ProtobufCMessage **ret,
                                       struct error *err);

/* "succeeded" or TASK_STATE_SUCCEEDED -> number; INVALID_ARGUMENT names the words that there are.
 */
MUST_USE enum status enum_parse(const ProtobufCEnumDescriptor *desc, const char *option,
                                const char *word, struct arena *arena, int *ret, struct error *err);
/* TASK_STATE_SUCCEEDED -> "succeeded"; "unspecified" -> "". */
const char *enum_word(const ProtobufCEnumDescriptor *desc, int value, struct arena *arena);

#endif
