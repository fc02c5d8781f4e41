/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H
/*
 * What commands print: proto3 JSON (one message a line), tables, states in colour on a terminal,
 * times as "3 min ago". Results go to stdout, everything about them to stderr. Colours only on a
 * terminal that can show them and without NO_COLOR.
 */
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "pbjson/pbjson.h"

/* Of all messages of the API; made at first use, kept. */
struct pbjson_registry *output_registry(void);
/* The message as one line of JSON on stdout, defaults printed, flushed. Returns the exit status. */
int output_message(const ProtobufCMessage *message);
/* JSON text over several lines on stdout, each indented; "" prints nothing. */
void output_json_text(const char *text, int indent);

bool output_coloured(FILE *out);
/* Escape sequence for a state's word ("failed"), and its end; "" where out shows no colours. */
const char *state_colour(FILE *out, const char *state);
const char *colour_end(FILE *out);

struct table;
/* headings live as long as the table. */
struct table *table_new(const char *const *headings, size_t n);
/* Adds a row; cells are copied, NULL is an empty one. */
void table_row(struct table *table, const char *const *cells);
/* The cells of this column are states. */
void table_states(struct table *table, size_t column);
/* On stdout; frees the table. An empty one prints `nothing` on stderr instead. */
void table_print(struct table *table, const char *nothing);

/* "name:   value" lines; a NULL or empty value prints nothing. */
void field_print(const char *name, const char *value);
/* The name, and below it a JSON text; nothing for NULL, "" and {}. */
void field_json(const char *name, const char *text);

int64_t timestamp_us(const Google__Protobuf__Timestamp *time); /* NULL: 0 */
/* "5 s ago", "in 2 min", "" for NULL. */
const char *time_relative(const Google__Protobuf__Timestamp *time, int64_t now_us,
                          struct arena *arena);
/* 0.4 ms, 12 ms, 1.2 s, 3 min 5 s */
const char *span_text(int64_t us, struct arena *arena);
/* What came from a task, fit for a terminal: control characters are shown, not obeyed; colours pass
 * where colours are shown. The text as it is when out is no terminal. */
const char *printable(FILE *out, const char *text, struct arena *arena);

#endif
