/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include "internal.h"
#include "json/json.h"

static void fail_with(struct eval *eval, const struct node *node, enum status status,
                      const char *text)
{
    eval->status = status;
    error_field(&eval->detail, status,
                status == STATUS_RESOURCE_EXHAUSTED ? "LIMIT" : "EXPRESSION_FAILED", NULL,
                "column %u: %s", node->column, text);
}

bool cel__fail(struct eval *eval, const struct node *node, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    eval->missing = false;
    fail_with(eval, node, STATUS_INVALID_ARGUMENT, text);
    return false;
}

bool cel__missing(struct eval *eval, const struct node *node, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    eval->missing = true;
    fail_with(eval, node, STATUS_INVALID_ARGUMENT, text);
    return false;
}

static bool fail_limit(struct eval *eval, const struct node *node, const char *text)
{
    eval->missing = false;
    eval->resource = true;
    fail_with(eval, node, STATUS_RESOURCE_EXHAUSTED, text);
    return false;
}

bool cel__charge(struct eval *eval, const struct node *node, size_t steps)
{
    if (steps > CEL_STEPS_MAX - eval->steps)
        return fail_limit(eval, node, "expression takes more than 100,000 steps");
    eval->steps += (uint32_t)steps;
    return true;
}

bool cel__join(struct eval *eval, const struct node *node, struct slice a, struct slice b,
               struct slice *ret)
{
    char *text;

    if (a.len + b.len > CEL_RESULT_BYTES_MAX)
        return fail_limit(eval, node, "string is longer than 256 KiB");
    text = arena_try_alloc(&eval->arena, a.len + b.len + 1);
    if (!text)
        return fail_limit(eval, node, "expression needs more than 4 MiB of memory");
    if (a.len)
        memcpy(text, a.data, a.len);
    if (b.len)
        memcpy(text + a.len, b.data, b.len);
    text[a.len + b.len] = '\0';
    *ret = (struct slice){text, a.len + b.len};
    return cel__charge(eval, node, ret->len / 64);
}

/* One member of a map; *ret NULL when it has none. */
static bool select_member(struct eval *eval, const struct node *node, const struct value *map,
                          const char *name, json_t **ret)
{
    if (map->kind != KIND_MAP)
        return cel__fail(eval, node, "%s has no field '%s'", cel__kind_name(map), name);
    *ret = json_object_get(map->json, name);
    return true;
}

/* Walks a path. *ret_found is false when its last part is absent; an absent part before it is an
 * error. */
static bool walk_path(struct eval *eval, const struct node *node, struct value *ret,
                      bool *ret_found)
{
    const struct cel_path *path = node->path;
    uint32_t used = 1;
    json_t *json = NULL;
    struct error why = {0};
    enum status status;

    if (!cel__charge(eval, node, path->parts_len))
        return false;
    status = eval->env->resolve(eval->env->userdata, path, &used, &json, &why);
    if (status != STATUS_OK) {
        eval->missing = false;
        eval->status = status;
        eval->resource = status != STATUS_INVALID_ARGUMENT;
        eval->detail = why;
        return false;
    }
    while (json && used < path->parts_len) {
        struct value value = cel__from_json(json);

        if (!select_member(eval, node, &value, path->parts[used++], &json))
            return false;
    }
    *ret_found = json != NULL;
    if (json)
        *ret = cel__from_json(json);
    else if (used < path->parts_len)
        return cel__missing(eval, node, "no such key: %s", path->parts[used - 1]);
    return true;
}

static bool eval_path(struct eval *eval, const struct node *node, struct value *ret)
{
    bool found;

    if (!walk_path(eval, node, ret, &found))
        return false;
    if (!found && node->path->parts_len == 1)
        return cel__missing(eval, node, "'%s' is not known here", node->path->parts[0]);
    return found || cel__missing(eval, node, "no such key: %s",
                                 node->path->parts[node->path->parts_len - 1]);
}

static bool eval_has(struct eval *eval, const struct node *node, struct value *ret)
{
    const struct node *tested = node->args[0];
    struct value value;
    json_t *json = NULL;
    bool found;

    if (tested->op == OP_PATH) {
        if (!walk_path(eval, tested, &value, &found))
            return false;
    } else {
        if (!cel__eval(eval, tested->args[0], &value))
            return false;
        found = value.kind != KIND_NONE;
        if (found) {
            if (!select_member(eval, tested, &value, tested->name, &json))
                return false;
            found = json != NULL;
        }
    }
    *ret = (struct value){.kind = KIND_BOOL, .boolean = found};
    return true;
}

/* The value of a selection: behind a ? what is absent is the empty optional, else an error. */
static bool selected(struct eval *eval, const struct node *node, bool optional, json_t *json,
                     const char *what, struct value *ret)
{
    if (json) {
        *ret = cel__from_json(json);
        ret->optional = optional;
        return true;
    }
    if (!optional)
        return cel__missing(eval, node, "%s", what);
    *ret = (struct value){.kind = KIND_NONE, .optional = true};
    return true;
}

static bool eval_field(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value value;
    char what[96];
    bool optional;
    json_t *json = NULL;

    if (!cel__eval(eval, node->args[0], &value))
        return false;
    optional = value.optional || node->op == OP_OPT_FIELD;
    if (value.kind == KIND_NONE) {
        *ret = value;
        return true;
    }
    value.optional = false;
    if (!select_member(eval, node, &value, node->name, &json))
        return false;
    snprintf(what, sizeof(what), "no such key: %s", node->name);
    return selected(eval, node, optional, json, what, ret);
}

static bool list_element(struct eval *eval, const struct node *node, const struct value *list,
                         const struct value *index, json_t **ret)
{
    int64_t at;

    if (index->kind == KIND_INT) {
        at = index->integer;
    } else if (index->kind == KIND_DOUBLE && index->real >= 0 && index->real < 1e15 &&
               index->real == (double)(int64_t)index->real) {
        at = (int64_t)index->real;
    } else {
        return cel__fail(eval, node, "a list is indexed by an int, not by a %s",
                         cel__kind_name(index));
    }
    *ret = at < 0 ? NULL : json_array_get(list->json, (size_t)at);
    return true;
}

static bool eval_index(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value value, index;
    json_t *json = NULL;
    char what[96];
    bool optional;

    if (!cel__eval(eval, node->args[0], &value) || !cel__eval_plain(eval, node->args[1], &index))
        return false;
    optional = value.optional || node->op == OP_OPT_INDEX;
    value.optional = false;
    if (value.kind == KIND_NONE) {
        *ret = (struct value){.kind = KIND_NONE, .optional = true};
        return true;
    }
    if (value.kind == KIND_LIST) {
        snprintf(what, sizeof(what), "index out of bounds (the list has %zu elements)",
                 json_array_size(value.json));
        if (!list_element(eval, node, &value, &index, &json))
            return false;
    } else if (value.kind == KIND_MAP && index.kind == KIND_STRING) {
        snprintf(what, sizeof(what), "no such key: %.*s", (int)MIN_OF(index.string.len, (size_t)64),
                 index.string.data);
        json = json_object_getn(value.json, index.string.data, index.string.len);
    } else {
        return cel__fail(eval, node, "%s cannot be indexed by %s", cel__kind_name(&value),
                         cel__kind_name(&index));
    }
    return selected(eval, node, optional, json, what, ret);
}

/* An operand that decides alone makes the errors of the others void (CEL's && and || are
 * commutative). */
static bool eval_logic(struct eval *eval, const struct node *node, struct value *ret)
{
    bool decides = node->op == OP_OR;
    bool failed = false, missing = false;
    struct error first = {0};

    for (uint32_t i = 0; i < node->args_len; i++) {
        struct value value;
        bool ok = cel__eval_plain(eval, node->args[i], &value);

        if (ok && value.kind != KIND_BOOL)
            ok = cel__fail(eval, node->args[i], "no such overload: %s takes bools, not %s",
                           decides ? "||" : "&&", cel__kind_name(&value));
        if (ok && value.boolean == decides) {
            *ret = value;
            return true;
        }
        if (ok)
            continue;
        if (eval->resource)
            return false;
        if (!failed) {
            first = eval->detail;
            missing = eval->missing;
        }
        failed = true;
    }
    if (failed) {
        eval->detail = first;
        eval->missing = missing;
        eval->status = first.status;
        return false;
    }
    *ret = (struct value){.kind = KIND_BOOL, .boolean = !decides};
    return true;
}

static bool eval_choose(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value value;

    if (!cel__eval_plain(eval, node->args[0], &value))
        return false;
    if (value.kind != KIND_BOOL)
        return cel__fail(eval, node, "no such overload: the condition of ?: is a %s",
                         cel__kind_name(&value));
    return cel__eval(eval, node->args[value.boolean ? 1 : 2], ret);
}

static bool eval_unary(struct eval *eval, const struct node *node, struct value *ret)
{
    if (!cel__eval_plain(eval, node->args[0], ret))
        return false;
    if (node->op == OP_NOT) {
        if (ret->kind != KIND_BOOL)
            return cel__fail(eval, node, "no such overload: !%s", cel__kind_name(ret));
        ret->boolean = !ret->boolean;
        return true;
    }
    if (ret->kind == KIND_DOUBLE) {
        ret->real = -ret->real;
        return true;
    }
    if (ret->kind != KIND_INT)
        return cel__fail(eval, node, "no such overload: -%s", cel__kind_name(ret));
    if (__builtin_sub_overflow((int64_t)0, ret->integer, &ret->integer))
        return cel__fail(eval, node, "integer overflow");
    return true;
}

static bool int_arithmetic(struct eval *eval, const struct node *node, int64_t a, int64_t b,
                           int64_t *ret)
{
    bool over;

    switch (node->op) {
    case OP_ADD:
        over = __builtin_add_overflow(a, b, ret);
        break;
    case OP_SUB:
        over = __builtin_sub_overflow(a, b, ret);
        break;
    case OP_MUL:
        over = __builtin_mul_overflow(a, b, ret);
        break;
    default:
        if (b == 0)
            return cel__fail(eval, node,
                             node->op == OP_MOD ? "modulus by zero" : "division by zero");
        over = a == INT64_MIN && b == -1;
        if (!over)
            *ret = node->op == OP_MOD ? a % b : a / b;
    }
    return !over || cel__fail(eval, node, "integer overflow");
}

static bool list_concat(struct eval *eval, const struct node *node, json_t *a, json_t *b,
                        struct value *ret)
{
    json_t *list;

    if (!cel__charge(eval, node, json_array_size(a) + json_array_size(b)))
        return false;
    list = json_copy(a);
    json_array_extend(list, b);
    *ret = cel__keep(eval, list);
    return true;
}

static const char *op_symbol(enum op op)
{
    static const char *const SYMBOLS[] = {
        [OP_EQ] = "==", [OP_NE] = "!=", [OP_LT] = "<",  [OP_LE] = "<=",
        [OP_GT] = ">",  [OP_GE] = ">=", [OP_IN] = "in", [OP_ADD] = "+",
        [OP_SUB] = "-", [OP_MUL] = "*", [OP_DIV] = "/", [OP_MOD] = "%",
    };

    return SYMBOLS[op];
}

static bool no_overload(struct eval *eval, const struct node *node, const struct value *a,
                        const struct value *b)
{
    return cel__fail(eval, node, "no such overload: %s %s %s", cel__kind_name(a),
                     op_symbol(node->op), cel__kind_name(b));
}

static bool eval_arithmetic(struct eval *eval, const struct node *node, const struct value *a,
                            const struct value *b, struct value *ret)
{
    if (a->kind != b->kind)
        return no_overload(eval, node, a, b);
    *ret = *a;
    if (a->kind == KIND_INT)
        return int_arithmetic(eval, node, a->integer, b->integer, &ret->integer);
    if (a->kind == KIND_STRING && node->op == OP_ADD)
        return cel__join(eval, node, a->string, b->string, &ret->string);
    if (a->kind == KIND_LIST && node->op == OP_ADD)
        return list_concat(eval, node, a->json, b->json, ret);
    if (a->kind != KIND_DOUBLE || node->op == OP_MOD)
        return no_overload(eval, node, a, b);
    if (node->op == OP_ADD)
        ret->real = a->real + b->real;
    else if (node->op == OP_SUB)
        ret->real = a->real - b->real;
    else if (node->op == OP_MUL)
        ret->real = a->real * b->real;
    else
        ret->real = a->real / b->real;
    return true;
}

static bool eval_in(struct eval *eval, const struct node *node, const struct value *a,
                    const struct value *b, bool *ret)
{
    *ret = false;
    if (b->kind == KIND_MAP) {
        if (a->kind == KIND_STRING)
            *ret = json_object_getn(b->json, a->string.data, a->string.len) != NULL;
        return true;
    }
    if (b->kind != KIND_LIST)
        return no_overload(eval, node, a, b);
    for (size_t i = 0; i < json_array_size(b->json) && !*ret; i++) {
        struct value element = cel__from_json(json_array_get(b->json, i));

        if (!cel__equal(eval, node, a, &element, ret))
            return false;
    }
    return true;
}

static bool eval_relation(struct eval *eval, const struct node *node, const struct value *a,
                          const struct value *b, struct value *ret)
{
    bool answer = false;
    int order;

    if (node->op == OP_IN) {
        if (!eval_in(eval, node, a, b, &answer))
            return false;
    } else if (node->op == OP_EQ || node->op == OP_NE) {
        if (!cel__equal(eval, node, a, b, &answer))
            return false;
        answer = answer == (node->op == OP_EQ);
    } else {
        if (!cel__compare(a, b, &order))
            return no_overload(eval, node, a, b);
        /* 2 stands for NaN: no order holds. */
        answer = (node->op == OP_LT && order == -1) || (node->op == OP_LE && order <= 0) ||
                 (node->op == OP_GT && order == 1) ||
                 (node->op == OP_GE && (order == 0 || order == 1));
    }
    *ret = (struct value){.kind = KIND_BOOL, .boolean = answer};
    return true;
}

static bool eval_binary(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value a, b;

    if (!cel__eval_plain(eval, node->args[0], &a) || !cel__eval_plain(eval, node->args[1], &b))
        return false;
    if (node->op >= OP_ADD)
        return eval_arithmetic(eval, node, &a, &b, ret);
    return eval_relation(eval, node, &a, &b, ret);
}

/* A value's JSON, checked to be what JSON can say. */
static bool element_json(struct eval *eval, const struct node *node, json_t **ret)
{
    struct value value;

    if (!cel__eval_plain(eval, node, &value))
        return false;
    *ret = cel__to_json(&value);
    return *ret || cel__fail(eval, node, "number is not finite");
}

static bool eval_list(struct eval *eval, const struct node *node, struct value *ret)
{
    AUTO(json_drop) json_t *list = json_array();
    json_t *json;

    for (uint32_t i = 0; i < node->args_len; i++) {
        if (!element_json(eval, node->args[i], &json))
            return false;
        json_array_append_new(list, json);
    }
    *ret = cel__keep(eval, json_incref(list));
    return true;
}

static bool eval_map(struct eval *eval, const struct node *node, struct value *ret)
{
    AUTO(json_drop) json_t *map = json_object();
    struct value key;
    json_t *json;

    for (uint32_t i = 0; i < node->args_len; i += 2) {
        if (!cel__eval_plain(eval, node->args[i], &key))
            return false;
        if (key.kind != KIND_STRING)
            return cel__fail(eval, node->args[i], "keys of a map must be strings, not %s",
                             cel__kind_name(&key));
        if (json_object_getn(map, key.string.data, key.string.len))
            return cel__fail(eval, node->args[i], "duplicate key in a map");
        if (!element_json(eval, node->args[i + 1], &json))
            return false;
        json_object_setn_new_nocheck(map, key.string.data, key.string.len, json);
    }
    *ret = cel__keep(eval, json_incref(map));
    return true;
}

bool cel__eval(struct eval *eval, const struct node *node, struct value *ret)
{
    if (!cel__charge(eval, node, 1))
        return false;
    switch (node->op) {
    case OP_CONST:
        *ret = node->constant;
        return true;
    case OP_PATH:
        return eval_path(eval, node, ret);
    case OP_FIELD:
    case OP_OPT_FIELD:
        return eval_field(eval, node, ret);
    case OP_INDEX:
    case OP_OPT_INDEX:
        return eval_index(eval, node, ret);
    case OP_HAS:
        return eval_has(eval, node, ret);
    case OP_NOT:
    case OP_NEGATE:
        return eval_unary(eval, node, ret);
    case OP_AND:
    case OP_OR:
        return eval_logic(eval, node, ret);
    case OP_CHOOSE:
        return eval_choose(eval, node, ret);
    case OP_LIST:
        return eval_list(eval, node, ret);
    case OP_MAP:
        return eval_map(eval, node, ret);
    case OP_CALL:
        return node->function->call(eval, node, ret);
    default:
        return eval_binary(eval, node, ret);
    }
}

bool cel__eval_plain(struct eval *eval, const struct node *node, struct value *ret)
{
    if (!cel__eval(eval, node, ret))
        return false;
    if (ret->optional)
        return cel__fail(eval, node, "an optional value must be opened by orValue(…)");
    return true;
}

/* Stops counting as soon as the bound is passed. */
static bool size_within(const json_t *json, size_t *left)
{
    AUTO(buf_fini) struct buf text = {0};

    if (json_is_string(json) && json_string_length(json) > *left)
        return false;
    buf_init(&text, *left);
    return json_append(&text, json) == STATUS_OK;
}

static bool result_json(struct eval *eval, const struct node *root, json_t **ret)
{
    size_t left = CEL_RESULT_BYTES_MAX;
    struct value value;
    json_t *json;

    if (!cel__eval_plain(eval, root, &value))
        return false;
    json = cel__to_json(&value);
    if (!json)
        return cel__fail(eval, root, "result is not a finite number");
    if ((value.kind == KIND_LIST || value.kind == KIND_MAP || value.kind == KIND_STRING) &&
        !size_within(json, &left)) {
        json_decref(json);
        return fail_limit(eval, root, "result is larger than 256 KiB");
    }
    *ret = json;
    return true;
}

enum status cel_eval(const struct cel_program *program, const struct cel_env *env, json_t **ret,
                     struct error *err)
{
    struct eval eval = {.env = env};
    bool ok;

    arena_init(&eval.arena, EVAL_BYTES_MAX);
    ok = result_json(&eval, program->root, ret);
    json_drop(&eval.made);
    arena_fini(&eval.arena);
    if (!ok && err)
        *err = eval.detail;
    return ok ? STATUS_OK : eval.status;
}

enum status cel_eval_bool(const struct cel_program *program, const struct cel_env *env, bool *ret,
                          struct error *err)
{
    AUTO(json_drop) json_t *json = NULL;
    enum status status = cel_eval(program, env, &json, err);

    if (status != STATUS_OK)
        return status;
    if (!json_is_boolean(json))
        return error_field(err, STATUS_INVALID_ARGUMENT, "EXPRESSION_FAILED", NULL,
                           "condition is not a bool");
    *ret = json_is_true(json);
    return STATUS_OK;
}

enum status cel_resolve_object(void *userdata, const struct cel_path *path, uint32_t *ret_used,
                               json_t **ret_value, struct error *err)
{
    *ret_used = 1;
    *ret_value = json_object_get(userdata, path->parts[0]);
    return STATUS_OK;
}
