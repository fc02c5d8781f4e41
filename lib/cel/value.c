/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "internal.h"

/* 2^63: the first double above all int64. */
#define INT64_END 9223372036854775808.0

const char *cel__kind_name(const struct value *value)
{
    static const char *const NAMES[] = {"null",   "bool", "int", "double",
                                        "string", "list", "map", "optional"};

    return value->optional ? "optional" : NAMES[value->kind];
}

struct value cel__from_json(json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return (struct value){.kind = KIND_MAP, .json = json};
    case JSON_ARRAY:
        return (struct value){.kind = KIND_LIST, .json = json};
    case JSON_STRING:
        return (struct value){.kind = KIND_STRING,
                              .string = {json_string_value(json), json_string_length(json)}};
    case JSON_INTEGER:
        return (struct value){.kind = KIND_INT, .integer = json_integer_value(json)};
    case JSON_REAL:
        return (struct value){.kind = KIND_DOUBLE, .real = json_real_value(json)};
    case JSON_TRUE:
        return (struct value){.kind = KIND_BOOL, .boolean = true};
    case JSON_FALSE:
        return (struct value){.kind = KIND_BOOL, .boolean = false};
    default:
        return (struct value){.kind = KIND_NULL};
    }
}

json_t *cel__to_json(const struct value *value)
{
    switch (value->kind) {
    case KIND_NULL:
        return json_null();
    case KIND_BOOL:
        return json_boolean(value->boolean);
    case KIND_INT:
        return json_integer(value->integer);
    case KIND_DOUBLE:
        return json_real(value->real);
    case KIND_STRING:
        return json_stringn_nocheck(value->string.data, value->string.len);
    case KIND_LIST:
    case KIND_MAP:
        return json_incref(value->json);
    case KIND_NONE:
    default:
        return NULL;
    }
}

struct value cel__keep(struct eval *eval, json_t *json)
{
    if (!eval->made)
        eval->made = json_array();
    json_array_append_new(eval->made, json);
    return cel__from_json(json);
}

/* Exact: a double beyond 2^53 must not be compared by rounding the int. */
static int compare_int_double(int64_t integer, double real)
{
    int64_t whole;

    if (real >= INT64_END)
        return -1;
    if (real < -INT64_END)
        return 1;
    whole = (int64_t)real; /* towards zero */
    if (integer != whole)
        return integer < whole ? -1 : 1;
    if (real == (double)whole)
        return 0;
    return real > (double)whole ? -1 : 1;
}

static int compare_numbers(const struct value *a, const struct value *b)
{
    if (a->kind == KIND_INT && b->kind == KIND_INT)
        return (a->integer > b->integer) - (a->integer < b->integer);
    if ((a->kind == KIND_DOUBLE && isnan(a->real)) || (b->kind == KIND_DOUBLE && isnan(b->real)))
        return 2;
    if (a->kind == KIND_INT)
        return compare_int_double(a->integer, b->real);
    if (b->kind == KIND_INT)
        return -compare_int_double(b->integer, a->real);
    return (a->real > b->real) - (a->real < b->real);
}

static bool is_number(const struct value *value)
{
    return value->kind == KIND_INT || value->kind == KIND_DOUBLE;
}

static int compare_strings(struct slice a, struct slice b)
{
    size_t shorter = MIN_OF(a.len, b.len);
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;

    if (order)
        return order < 0 ? -1 : 1;
    return (a.len > b.len) - (a.len < b.len);
}

bool cel__compare(const struct value *a, const struct value *b, int *ret)
{
    if (is_number(a) && is_number(b))
        *ret = compare_numbers(a, b);
    else if (a->kind == KIND_STRING && b->kind == KIND_STRING)
        *ret = compare_strings(a->string, b->string);
    else if (a->kind == KIND_BOOL && b->kind == KIND_BOOL)
        *ret = (int)a->boolean - (int)b->boolean;
    else
        return false;
    return true;
}

static bool equal_lists(struct eval *eval, const struct node *node, json_t *a, json_t *b, bool *ret)
{
    size_t n = json_array_size(a);

    *ret = n == json_array_size(b);
    for (size_t i = 0; i < n && *ret; i++) {
        struct value left = cel__from_json(json_array_get(a, i));
        struct value right = cel__from_json(json_array_get(b, i));

        if (!cel__equal(eval, node, &left, &right, ret))
            return false;
    }
    return true;
}

static bool equal_maps(struct eval *eval, const struct node *node, json_t *a, json_t *b, bool *ret)
{
    const char *key;
    json_t *value;

    *ret = json_object_size(a) == json_object_size(b);
    json_object_foreach(a, key, value)
    {
        json_t *other = *ret ? json_object_get(b, key) : NULL;
        struct value left, right;

        if (!other) {
            *ret = false;
            return true;
        }
        left = cel__from_json(value);
        right = cel__from_json(other);
        if (!cel__equal(eval, node, &left, &right, ret))
            return false;
    }
    return true;
}

bool cel__equal(struct eval *eval, const struct node *node, const struct value *a,
                const struct value *b, bool *ret)
{
    int order;

    if (!cel__charge(eval, node, 1))
        return false;
    *ret = false;
    if (a->kind == KIND_LIST && b->kind == KIND_LIST)
        return equal_lists(eval, node, a->json, b->json, ret);
    if (a->kind == KIND_MAP && b->kind == KIND_MAP)
        return equal_maps(eval, node, a->json, b->json, ret);
    if (a->kind == KIND_STRING && b->kind == KIND_STRING) {
        if (!cel__charge(eval, node, MIN_OF(a->string.len, b->string.len) / 64))
            return false;
        *ret = slice_eq(a->string, b->string);
        return true;
    }
    if (cel__compare(a, b, &order))
        *ret = order == 0;
    else
        *ret = a->kind == b->kind && a->kind == KIND_NULL;
    return true;
}

size_t cel__format_double(double value, char *out, size_t out_bytes)
{
    char text[40];
    int precision, exponent;

    if (isnan(value))
        return (size_t)snprintf(out, out_bytes, "NaN");
    if (isinf(value))
        return (size_t)snprintf(out, out_bytes, value > 0 ? "+Inf" : "-Inf");
    for (precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    /* With an exponent below 1e-4 and from 1e21 on, plain otherwise. */
    if (exponent < -4 || exponent >= 21)
        return (size_t)snprintf(out, out_bytes, "%s", text);
    return (size_t)snprintf(out, out_bytes, "%.*f", MAX_OF(precision - exponent, 0), value);
}
