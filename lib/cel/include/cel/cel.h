/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CEL_CEL_H
#define CEL_CEL_H
/*
 * Expressions: a subset of CEL (the Common Expression Language). For everything it accepts it gives
 * CEL's answer, with these additions: json(x), fromJson(text), default(x, y), min(…), max(…); and
 * JSON numbers without fraction or exponent are ints. Not accepted: uint, bytes, timestamps,
 * regular expressions, macros other than has(). Programs are total and bounded: no loops, no
 * recursion, no host objects; limits on text, depth, steps and size of the result. A program
 * belongs to the arena it was compiled with and is immutable. Names are resolved by the caller's
 * callback, which is asked for whole paths (steps.fetch.output), so that large surroundings need
 * not be built for a small question.
 */
#include <jansson.h>
#include "base/arena.h"
#include "base/error.h"
#include "base/slice.h"

#define CEL_TEXT_BYTES_MAX ((size_t)4096)
#define CEL_DEPTH_MAX 32
#define CEL_STEPS_MAX 100000
#define CEL_RESULT_BYTES_MAX ((size_t)256 * 1024)

struct cel_program;

/* A path that a program reads: root and the constant selectors behind it; steps.a.output[0].x is
 * {steps, a, output}: a path ends before the first index that is not a constant string. */
struct cel_path {
    const char *const *parts; /* parts[0] is the root's name */
    uint32_t parts_len;       /* ≥ 1 */
    uint32_t column;          /* from 1, in the text that was compiled */
};

/* Answers for a path. Gives the value of its first *ret_used parts (1 ≤ *ret_used ≤ parts_len; the
 * rest is walked by the evaluator), borrowed until the evaluation ends. A NULL value means: absent
 * (an error unless tested by has, ? or default). */
typedef enum status (*cel_resolve_fn)(void *userdata, const struct cel_path *path,
                                      uint32_t *ret_used, json_t **ret_value, struct error *err);
struct cel_env {
    cel_resolve_fn resolve;
    void *userdata;
};
/* A resolver over one JSON object whose members are the roots: userdata is the json_t object. */
enum status cel_resolve_object(void *userdata, const struct cel_path *path, uint32_t *ret_used,
                               json_t **ret_value, struct error *err);

/* On error err->message names the column ("column 7: …"), and *ret_column (when given) holds it. */
MUST_USE enum status cel_compile(struct slice text, struct arena *arena,
                                 const struct cel_program **ret, uint32_t *ret_column,
                                 struct error *err);
/* *ret is a new reference (json_drop it). Errors: INVALID_ARGUMENT for the expression's own
 * (missing key, no such overload, overflow, division by zero), RESOURCE_EXHAUSTED for a limit. */
MUST_USE enum status cel_eval(const struct cel_program *program, const struct cel_env *env,
                              json_t **ret, struct error *err);
/* The same for a condition: anything but a bool is an error. */
MUST_USE enum status cel_eval_bool(const struct cel_program *program, const struct cel_env *env,
                                   bool *ret, struct error *err);
const struct cel_path *cel_paths(const struct cel_program *program, uint32_t *ret_len);

/*
 * Templates: text with ${{ expression }} in it. Text that is exactly one expression keeps the
 * value's type; else the pieces are joined: strings as they are, null as "", all other values as
 * JSON text. $${{ is a literal ${{.
 */
struct cel_template;
bool cel_template_has_expression(
    struct slice text); /* false: the text stands for itself (but for $${{) */
MUST_USE enum status cel_template_compile(struct slice text, struct arena *arena,
                                          const struct cel_template **ret, uint32_t *ret_column,
                                          struct error *err);
MUST_USE enum status cel_template_eval(const struct cel_template *tmpl, const struct cel_env *env,
                                       json_t **ret, struct error *err);
bool cel_template_is_single(
    const struct cel_template *tmpl); /* exactly one expression: the type is kept */
/* Calls fn for each path the template reads. */
typedef void (*cel_path_fn)(void *userdata, const struct cel_path *path);
void cel_template_each_path(const struct cel_template *tmpl, cel_path_fn fn, void *userdata);

/* A JSON document in which any string value (not keys) may be a template. */
struct cel_document;
/* Called for each fault with the path of the string below the document's root ("command[1]"; "" is
 * the root itself). */
typedef void (*cel_fault_fn)(void *userdata, const char *path, uint32_t column,
                             const char *message);
/* Called for each path read, with the place of the string that reads it. */
typedef void (*cel_document_path_fn)(void *userdata, const char *place,
                                     const struct cel_path *path);
/* INVALID_ARGUMENT when on_fault was called at least once (then err holds the first). The document
 * is borrowed only here. */
MUST_USE enum status cel_document_compile(const json_t *json, struct arena *arena,
                                          const struct cel_document **ret, cel_fault_fn on_fault,
                                          void *userdata, struct error *err);
MUST_USE enum status
cel_document_eval(const struct cel_document *document, const struct cel_env *env, json_t **ret,
                  struct error *err); /* err->field: place of the string at fault */
/* The compact text when the document holds no expression at all, else NULL. */
const char *cel_document_constant(const struct cel_document *document);
void cel_document_each_path(const struct cel_document *document, cel_document_path_fn fn,
                            void *userdata);

#endif
