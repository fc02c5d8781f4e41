/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/text.h"
#include "internal.h"
#include "json/json.h"

#define FUNCTION_ARGS_MAX 32

static bool no_overload(struct eval *eval, const struct node *node, const struct value *value)
{
    return cel__fail(eval, node, "no such overload: %s(%s)", node->function->name,
                     cel__kind_name(value));
}

static void set_int(struct value *ret, int64_t integer)
{
    *ret = (struct value){.kind = KIND_INT, .integer = integer};
}

static void set_bool(struct value *ret, bool boolean)
{
    *ret = (struct value){.kind = KIND_BOOL, .boolean = boolean};
}

static bool call_size(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value value;
    int64_t characters = 0;

    if (!cel__eval_plain(eval, node->args[0], &value))
        return false;
    switch (value.kind) {
    case KIND_STRING:
        if (!cel__charge(eval, node, value.string.len / 64))
            return false;
        for (size_t i = 0; i < value.string.len; i++)
            characters += ((unsigned char)value.string.data[i] & 0xC0) != 0x80;
        set_int(ret, characters);
        return true;
    case KIND_LIST:
        set_int(ret, (int64_t)json_array_size(value.json));
        return true;
    case KIND_MAP:
        set_int(ret, (int64_t)json_object_size(value.json));
        return true;
    default:
        return no_overload(eval, node, &value);
    }
}

/* Both operands of a string method. */
static bool string_pair(struct eval *eval, const struct node *node, struct slice *a,
                        struct slice *b)
{
    struct value text, part;

    if (!cel__eval_plain(eval, node->args[0], &text) ||
        !cel__eval_plain(eval, node->args[1], &part))
        return false;
    if (text.kind != KIND_STRING || part.kind != KIND_STRING)
        return cel__fail(eval, node, "no such overload: %s.%s(%s)", cel__kind_name(&text),
                         node->function->name, cel__kind_name(&part));
    *a = text.string;
    *b = part.string;
    return cel__charge(eval, node, (a->len + b->len) / 64);
}

static bool call_contains(struct eval *eval, const struct node *node, struct value *ret)
{
    struct slice text, part;

    if (!string_pair(eval, node, &text, &part))
        return false;
    set_bool(ret, part.len == 0 || memmem(text.data, text.len, part.data, part.len) != NULL);
    return true;
}

static bool call_starts_with(struct eval *eval, const struct node *node, struct value *ret)
{
    struct slice text, part;

    if (!string_pair(eval, node, &text, &part))
        return false;
    set_bool(ret, part.len <= text.len && slice_eq((struct slice){text.data, part.len}, part));
    return true;
}

static bool call_ends_with(struct eval *eval, const struct node *node, struct value *ret)
{
    struct slice text, part;

    if (!string_pair(eval, node, &text, &part))
        return false;
    set_bool(ret, part.len <= text.len &&
                      slice_eq((struct slice){text.data + (text.len - part.len), part.len}, part));
    return true;
}

/* A string as text with an end, when it is short enough to be a number or a word. */
static bool short_text(const struct value *value, char out[64])
{
    if (value->string.len >= 64)
        return false;
    memcpy(out, value->string.data, value->string.len);
    out[value->string.len] = '\0';
    return true;
}

static bool call_int(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value value;
    char text[64];
    int64_t integer;

    if (!cel__eval_plain(eval, node->args[0], &value))
        return false;
    switch (value.kind) {
    case KIND_INT:
        *ret = value;
        return true;
    case KIND_DOUBLE:
        if (!(value.real > -9223372036854775808.0 && value.real < 9223372036854775808.0))
            return cel__fail(eval, node, "number does not fit an int");
        set_int(ret, (int64_t)value.real);
        return true;
    case KIND_STRING:
        if (!short_text(&value, text) || !text_to_i64(text, &integer))
            return cel__fail(eval, node, "string is not an int");
        set_int(ret, integer);
        return true;
    default:
        return no_overload(eval, node, &value);
    }
}

/* Decimal text only: what strtod also takes (hexadecimal, blanks, words) is not a number here. */
static bool text_to_double(const char *text, double *ret)
{
    char *end;

    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    *ret = strtod(text, &end);
    return *end == '\0' && isfinite(*ret);
}

static bool call_double(struct eval *eval, const struct node *node, struct value *ret)
{
    struct value value;
    char text[64];
    double real;

    if (!cel__eval_plain(eval, node->args[0], &value))
        return false;
    switch (value.kind) {
    case KIND_INT:
        real = (double)value.integer;
        break;
    case KIND_DOUBLE:
        real = value.real;
        break;
    case KIND_STRING:
        if (!short_text(&value, text) || !text_to_double(text, &real))
            return cel__fail(eval, node, "string is not a number");
        break;
    default:
        return no_overload(eval, node, &value);
    }
    *ret = (struct value){.kind = KIND_DOUBLE, .real = real};
    return true;
}

static bool call_string(struct eval *eval, const struct node *node, struct value *ret)
{
    struct slice empty = {0};
    struct value value;
    char text[64];

    if (!cel__eval_plain(eval, node->args[0], &value))
        return false;
    switch (value.kind) {
    case KIND_STRING:
        *ret = value;
        return true;
    case KIND_INT:
        snprintf(text, sizeof(text), "%lld", (long long)value.integer);
        break;
    case KIND_DOUBLE:
        cel__format_double(value.real, text, sizeof(text));
        break;
    case KIND_BOOL:
        snprintf(text, sizeof(text), "%s", value.boolean ? "true" : "false");
        break;
    default:
        return no_overload(eval, node, &value);
    }
    ret->kind = KIND_STRING;
    ret->optional = false;
    return cel__join(eval, node, slice_of(text), empty, &ret->string);
}

static bool call_bool(struct eval *eval, const struct node *node, struct value *ret)
{
    static const char *const TRUES[] = {"1", "t", "T", "true", "True", "TRUE"};
    static const char *const FALSES[] = {"0", "f", "F", "false", "False", "FALSE"};
    struct value value;

    if (!cel__eval_plain(eval, node->args[0], &value))
        return false;
    if (value.kind == KIND_BOOL) {
        *ret = value;
        return true;
    }
    if (value.kind != KIND_STRING)
        return no_overload(eval, node, &value);
    for (size_t i = 0; i < ARRAY_LEN(TRUES); i++) {
        if (slice_is(value.string, TRUES[i]) || slice_is(value.string, FALSES[i])) {
            set_bool(ret, slice_is(value.string, TRUES[i]));
            return true;
        }
    }
    return cel__fail(eval, node, "string is neither true nor false");
}

/* The evaluated arguments, or the elements of the one argument when that is a list. */
static bool least_or_greatest(struct eval *eval, const struct node *node, int wanted,
                              struct value *ret)
{
    struct value value, list = {0};
    size_t n = node->args_len;
    int order;

    if (!cel__eval_plain(eval, node->args[0], ret))
        return false;
    if (n == 1 && ret->kind == KIND_LIST) {
        list = *ret;
        n = json_array_size(list.json);
        if (!n)
            return cel__fail(eval, node, "%s() of an empty list", node->function->name);
        if (!cel__charge(eval, node, n))
            return false;
        *ret = cel__from_json(json_array_get(list.json, 0));
    }
    if (ret->kind != KIND_INT && ret->kind != KIND_DOUBLE)
        return no_overload(eval, node, ret);
    for (size_t i = 1; i < n; i++) {
        if (list.json)
            value = cel__from_json(json_array_get(list.json, i));
        else if (!cel__eval_plain(eval, node->args[i], &value))
            return false;
        if (value.kind != KIND_INT && value.kind != KIND_DOUBLE)
            return no_overload(eval, node, &value);
        if (cel__compare(&value, ret, &order) && order == wanted)
            *ret = value;
    }
    return true;
}

static bool call_min(struct eval *eval, const struct node *node, struct value *ret)
{
    return least_or_greatest(eval, node, -1, ret);
}

static bool call_max(struct eval *eval, const struct node *node, struct value *ret)
{
    return least_or_greatest(eval, node, 1, ret);
}

static bool call_json(struct eval *eval, const struct node *node, struct value *ret)
{
    AUTO(json_drop) json_t *json = NULL;
    AUTO(buf_fini) struct buf text = {0};
    struct slice empty = {0};
    struct value value;

    buf_init(&text, CEL_RESULT_BYTES_MAX);
    if (!cel__eval_plain(eval, node->args[0], &value))
        return false;
    json = cel__to_json(&value);
    if (!json)
        return cel__fail(eval, node, "number is not finite");
    if (json_append(&text, json) != STATUS_OK)
        return cel__fail(eval, node, "JSON text is larger than 256 KiB");
    ret->kind = KIND_STRING;
    ret->optional = false;
    return cel__join(eval, node, buf_slice(&text), empty, &ret->string);
}

static bool call_from_json(struct eval *eval, const struct node *node, struct value *ret)
{
    struct error why = {0};
    struct value value;
    json_t *json = NULL;

    if (!cel__eval_plain(eval, node->args[0], &value))
        return false;
    if (value.kind != KIND_STRING)
        return no_overload(eval, node, &value);
    if (!cel__charge(eval, node, value.string.len / 8))
        return false;
    if (json_parse(value.string, CEL_RESULT_BYTES_MAX, &json, &why) != STATUS_OK)
        return cel__fail(eval, node, "string is not JSON: %s", why.message);
    *ret = cel__keep(eval, json);
    return true;
}

/* default(x, y): y when x reads what is not there, or is null. Other errors of x stay errors. */
static bool call_default(struct eval *eval, const struct node *node, struct value *ret)
{
    if (!cel__eval(eval, node->args[0], ret)) {
        if (!eval->missing || eval->resource)
            return false;
        eval->missing = false;
        eval->status = STATUS_OK;
        return cel__eval(eval, node->args[1], ret);
    }
    ret->optional = false;
    if (ret->kind != KIND_NULL && ret->kind != KIND_NONE)
        return true;
    return cel__eval(eval, node->args[1], ret);
}

static bool optional_argument(struct eval *eval, const struct node *node, struct value *ret)
{
    if (!cel__eval(eval, node->args[0], ret))
        return false;
    return ret->optional || no_overload(eval, node, ret);
}

static bool call_or_value(struct eval *eval, const struct node *node, struct value *ret)
{
    if (!optional_argument(eval, node, ret))
        return false;
    if (ret->kind == KIND_NONE)
        return cel__eval(eval, node->args[1], ret);
    ret->optional = false;
    return true;
}

static bool call_has_value(struct eval *eval, const struct node *node, struct value *ret)
{
    if (!optional_argument(eval, node, ret))
        return false;
    set_bool(ret, ret->kind != KIND_NONE);
    return true;
}

static bool call_value(struct eval *eval, const struct node *node, struct value *ret)
{
    if (!optional_argument(eval, node, ret))
        return false;
    if (ret->kind == KIND_NONE)
        return cel__missing(eval, node, "the optional has no value");
    ret->optional = false;
    return true;
}

/* has() is a form of its own: the parser turns it into OP_HAS. */
static const struct function FUNCTIONS[] = {
    {"has", false, true, 1, 1, NULL},
    {"size", true, true, 1, 1, call_size},
    {"contains", true, false, 2, 2, call_contains},
    {"startsWith", true, false, 2, 2, call_starts_with},
    {"endsWith", true, false, 2, 2, call_ends_with},
    {"int", false, true, 1, 1, call_int},
    {"double", false, true, 1, 1, call_double},
    {"string", false, true, 1, 1, call_string},
    {"bool", false, true, 1, 1, call_bool},
    {"min", false, true, 1, FUNCTION_ARGS_MAX, call_min},
    {"max", false, true, 1, FUNCTION_ARGS_MAX, call_max},
    {"json", false, true, 1, 1, call_json},
    {"fromJson", false, true, 1, 1, call_from_json},
    {"default", false, true, 2, 2, call_default},
    {"orValue", true, false, 2, 2, call_or_value},
    {"hasValue", true, false, 1, 1, call_has_value},
    {"value", true, false, 1, 1, call_value},
};

const struct function *cel__function(struct slice name, bool method)
{
    for (size_t i = 0; i < ARRAY_LEN(FUNCTIONS); i++) {
        if (slice_is(name, FUNCTIONS[i].name) &&
            (method ? FUNCTIONS[i].method : FUNCTIONS[i].global))
            return &FUNCTIONS[i];
    }
    return NULL;
}

const char *cel__function_fault(struct arena *arena, struct slice name)
{
    static const char *const MACROS[] = {"all", "exists", "exists_one", "map", "filter"};
    const char *candidates[ARRAY_LEN(FUNCTIONS)];
    char *text = arena_strndup(arena, name.data, MIN_OF(name.len, (size_t)64));
    const char *nearest;

    if (strcmp(text, "matches") == 0)
        return "regular expressions are not supported";
    for (size_t i = 0; i < ARRAY_LEN(MACROS); i++) {
        if (strcmp(text, MACROS[i]) == 0)
            return arena_printf(arena, "the macro %s() is not supported", text);
    }
    for (size_t i = 0; i < ARRAY_LEN(FUNCTIONS); i++) {
        candidates[i] = FUNCTIONS[i].name;
        if (strcmp(text, candidates[i]) == 0)
            return FUNCTIONS[i].method
                       ? arena_printf(arena, "%s() is called behind a value: x.%s(…)", text, text)
                       : arena_printf(arena, "%s() is called with its arguments in brackets: %s(x)",
                                      text, text);
    }
    nearest = text_nearest(text, candidates, ARRAY_LEN(candidates));
    if (nearest)
        return arena_printf(arena, "unknown function %s(); did you mean %s()?", text, nearest);
    return arena_printf(arena, "unknown function %s()", text);
}
