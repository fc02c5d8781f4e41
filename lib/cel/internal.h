/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CEL_INTERNAL_H
#define CEL_INTERNAL_H
/* Tree, values and evaluator, shared by the parts of the library. */
#include "cel/cel.h"

/* Trees may be deeper on the left than brackets nest (a + b + c …): bounded apart, so that
 * evaluation's stack is bounded. */
#define TREE_DEPTH_MAX 200
/* Memory of one evaluation: strings joined on the way. */
#define EVAL_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define ARGUMENTS_MAX 64

enum token {
    TOKEN_END,
    TOKEN_FAULT,
    TOKEN_INT,
    TOKEN_DOUBLE,
    TOKEN_STRING,
    TOKEN_IDENT,
    TOKEN_QUOTED_IDENT, /* `a-b`: only behind a dot */
    TOKEN_SYMBOL,       /* text is the symbol */
};

struct lexer {
    const char *at, *end;
    uint32_t column; /* of `at` */
    struct arena *arena;
    /* The current token. */
    enum token token;
    uint32_t token_column;
    struct slice text; /* idents and symbols as written, strings decoded */
    int64_t integer;   /* magnitude: INT64_MIN stands for 2^63, valid only behind a minus */
    double real;
    const char *fault;
};

void cel__lex_init(struct lexer *lexer, struct slice text, uint32_t column, struct arena *arena);
void cel__lex_next(struct lexer *lexer);
/* Where the `}}` that ends an expression begins, seen from its text; NULL when there is none. */
const char *cel__find_end(const char *at, const char *end);

enum kind {
    KIND_NULL,
    KIND_BOOL,
    KIND_INT,
    KIND_DOUBLE,
    KIND_STRING,
    KIND_LIST,
    KIND_MAP,
    KIND_NONE, /* the empty optional */
};

struct value {
    enum kind kind;
    bool optional; /* wrapped: a ? stands in its path */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct slice string;
        json_t *json; /* list, map: borrowed */
    };
};

enum op {
    OP_CONST,
    OP_PATH,
    OP_FIELD,     /* args[0].name */
    OP_OPT_FIELD, /* args[0].?name */
    OP_INDEX,
    OP_OPT_INDEX,
    OP_HAS, /* args[0] is OP_PATH or OP_FIELD */
    OP_NOT,
    OP_NEGATE,
    OP_AND,
    OP_OR,
    OP_CHOOSE,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_LIST,
    OP_MAP, /* args: key, value, key, value … */
    OP_CALL,
};

struct node;
struct eval;
typedef bool (*call_fn)(struct eval *eval, const struct node *node, struct value *ret);

struct function {
    const char *name;
    bool method; /* called as args[0].name(…) */
    bool global; /* called as name(…) */
    uint8_t args_min, args_max;
    call_fn call;
};

struct node {
    enum op op;
    uint32_t column;
    uint32_t depth;
    uint32_t args_len;
    const struct node **args;
    union {
        struct value constant;
        const struct cel_path *path;
        const char *name; /* fields */
        const struct function *function;
    };
};

struct cel_program {
    const struct node *root;
    const struct cel_path *paths;
    uint32_t paths_len;
};

struct eval {
    const struct cel_env *env;
    struct arena arena;
    json_t *made; /* lists and maps that were built on the way */
    uint32_t steps;
    enum status status;
    bool missing;  /* the error is an absent key or index */
    bool resource; /* the error is a limit: not absorbed by && and || */
    struct error detail;
};

/* Compiles a part of a larger text; columns count from `column`. */
enum status cel__compile(struct slice text, uint32_t column, struct arena *arena,
                         const struct cel_program **ret, uint32_t *ret_column, struct error *err);
const struct function *cel__function(struct slice name, bool method);
/* Why a name is no function, with a hint. */
const char *cel__function_fault(struct arena *arena, struct slice name);

bool cel__eval(struct eval *eval, const struct node *node, struct value *ret);
/* Evaluate and refuse optionals. */
bool cel__eval_plain(struct eval *eval, const struct node *node, struct value *ret);
bool cel__fail(struct eval *eval, const struct node *node, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool cel__missing(struct eval *eval, const struct node *node, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* Counts work done; false when there is too much. */
bool cel__charge(struct eval *eval, const struct node *node, size_t steps);
bool cel__join(struct eval *eval, const struct node *node, struct slice a, struct slice b,
               struct slice *ret);

const char *cel__kind_name(const struct value *value);
struct value cel__from_json(json_t *json);
/* A new reference; NULL for doubles that are not finite and for empty optionals. */
json_t *cel__to_json(const struct value *value);
/* Keeps a new list or map until the evaluation ends. */
struct value cel__keep(struct eval *eval, json_t *json);
bool cel__equal(struct eval *eval, const struct node *node, const struct value *a,
                const struct value *b, bool *ret);
/* -1, 0, 1; 2 when one is NaN. False when the kinds have no order. */
bool cel__compare(const struct value *a, const struct value *b, int *ret);
/* Shortest decimal that is read back as the same, as CEL's string() writes it. */
size_t cel__format_double(double value, char *out, size_t out_bytes);

#endif
