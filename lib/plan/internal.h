/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLAN_INTERNAL_H
#define PLAN_INTERNAL_H
/*
 * What the parts of the library share. A document goes through: tables of fields (fields.c) against
 * which it is checked (check.c), compilation of each step (step.c), the graph (graph.c), what
 * expressions refer to (references.c). All report to one struct problems and go on, so that an
 * author sees everything at once.
 */
#include "base/map.h"
#include "plan/plan.h"

enum shape {
    SHAPE_TEXT,      /* string of at most `max` bytes */
    SHAPE_TEMPLATE,  /* the same; may hold expressions */
    SHAPE_NAME,      /* [a-z0-9][a-z0-9._-]* of at most `max` bytes */
    SHAPE_STEP_ID,   /* [A-Za-z0-9_][A-Za-z0-9_-]* */
    SHAPE_INT,       /* min … max */
    SHAPE_NUMBER,    /* min … max */
    SHAPE_DURATION,  /* "250ms" "5s" "10m" "2h" "7d" */
    SHAPE_BYTES,     /* "512Mi" */
    SHAPE_WORD,      /* one of `words` */
    SHAPE_SELECTORS, /* list of what is asked of labels, at most `max`; may hold expressions */
    SHAPE_NAMES,     /* list of strings, at most `max` of them */
    SHAPE_STRINGS,   /* object of strings, at most `max` of them */
    SHAPE_TEMPLATES, /* the same; values may hold expressions */
    SHAPE_FREE,      /* any object, or one expression; may hold expressions */
    SHAPE_CONDITION, /* a bool, or one expression */
    SHAPE_ITEMS,     /* a list, or one expression */
    SHAPE_SCHEMA,    /* the schema of a plan's input */
    SHAPE_OBJECT,    /* of `object` */
    SHAPE_OBJECTS,   /* list of `object`, at most `max` of them */
};

struct object;
struct field {
    const char *name;
    const char *help;
    enum shape shape;
    double min, max;
    const struct object *object;
    const char *const *words; /* NULL at the end */
    bool required;
};
struct object {
    const char *name; /* in the schema's $defs */
    const char *help;
    const struct field *fields;
    size_t fields_len;
};

extern const struct object PLAN_OBJECT;
extern const struct object PLAN_STEP_OBJECT;
const struct field *plan__field(const struct object *object, const char *name);

/* Known to the language, refused for now. One line less here is what enables one of them. */
struct unsupported {
    const struct object *object;
    const char *field;
    const char *hint;
};
const char *plan__unsupported(const struct object *object, const char *field,
                              const char **ret_hint);

/* Where in the document one is: a list on the stack, turned into text only when something is wrong.
 */
struct at {
    const struct at *parent;
    const char *key; /* NULL: index */
    size_t index;
};

struct problems {
    struct arena *arena; /* of the violations */
    struct error *err;
    const struct json_positions *positions;
    const char *prefix; /* of paths, when positions are those of a larger text; "" else */
    uint32_t count;
    size_t compared; /* candidates looked at for hints: bounded, since texts and candidates may both
                        be many */
};

void plan__problem(struct problems *problems, const struct at *at, const char *hint,
                   const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The same with the path's end given as text ("parameters.command[1]"). */
void plan__problem_below(struct problems *problems, const struct at *at, const char *below,
                         const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* "did you mean …?" in the arena, or NULL. */
const char *plan__nearest(struct problems *problems, const char *word, const char *const *words,
                          size_t n);

/* Instead of a step's index: expressions of the plan itself. */
#define STEP_OUTPUT PLAN_STEPS_MAX
#define STEP_DEFAULTS (PLAN_STEPS_MAX + 1)

/* An expression's path, noted where it stands, to be judged when the graph is known. */
struct reference {
    uint32_t step;     /* or STEP_OUTPUT, STEP_DEFAULTS */
    const char *field; /* "parameters" */
    const char *below; /* "command[1]", or "" */
    const struct cel_path *path;
};

struct plan_schema {
    json_t *json;
};

struct compiled {
    struct plan plan;
    const uint32_t *by_id; /* indexes in the order of ids */
    const struct cel_document
        *default_environment; /* NULL when none; merged when a step's is asked for */
};

struct compiler {
    struct arena *arena;   /* of the plan */
    struct arena *scratch; /* dies with the compilation */
    struct problems problems;
    const json_t *document;
    const json_t *defaults;
    struct compiled *compiled;
    struct plan_step *steps;
    uint32_t steps_len;
    struct map ids;
    struct plan_retry default_retry; /* non_retryable only */
    struct reference *references;
    size_t references_len, references_cap;
};

struct id_entry {
    struct map_node node;
    const char *id;
    uint32_t index;
};

/* Compiles a parsed document. Adds violations to err. */
enum status plan__compile(json_t *document, const struct json_positions *positions,
                          const char *prefix, struct arena *arena, const struct plan **ret,
                          struct error *err);
/* Parses YAML or JSON text; a fault in the text is reported like any other problem of a plan. */
enum status plan__parse(struct slice text, struct arena *scratch, struct arena *arena, json_t **ret,
                        struct json_positions **ret_positions, struct error *err);

void plan__check(struct problems *problems, const struct at *at, const json_t *json,
                 const struct object *object);
bool plan__is_name(const char *text, size_t max);
void plan__compile_defaults(struct compiler *compiler);
void plan__compile_step(struct compiler *compiler, uint32_t index, const json_t *json);
const struct cel_document *plan__compile_document(struct compiler *compiler, uint32_t step,
                                                  const char *field, const json_t *json);
/* A text that may hold expressions, in the field `field` of the step; `at` is the object it is in.
 */
const struct cel_template *plan__compile_key(struct compiler *compiler, uint32_t index,
                                             const char *field, const struct at *at,
                                             const json_t *json);
void plan__compile_limits(struct compiler *compiler, uint32_t index, const struct at *at,
                          const json_t *json, struct plan_step *step);
/* Index of a step, or -1. */
int64_t plan__find(const struct compiler *compiler, const char *id);
/* Resolves needs, finds cycles, fills dependents and order. False when there is a cycle. */
bool plan__graph(struct compiler *compiler);
void plan__references(struct compiler *compiler, bool acyclic);

void plan__check_schema(struct problems *problems, const struct at *at, const json_t *schema,
                        uint32_t depth);
/* Checks a value against a checked schema and fills in defaults: *value may be replaced (int
 * for 3.0). */
void plan__apply_schema(struct problems *problems, const struct at *at, const json_t *schema,
                        json_t *value);

#endif
