/* SPDX-License-Identifier: Apache-2.0 */
/* What a task asks of a worker's labels, as people write it: "zone = eu", "gpu.memory > 16", "ssd".
 */
#include <stdlib.h>
#include "internal.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool in_key(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("._-/", c);
}

static const char *past_blanks(const char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

static enum plan_operator operator_at(const char **at)
{
    const char *c = *at;
    enum plan_operator found = c[0] == '='   ? PLAN_LABEL_EQUALS
                               : c[0] == '<' ? PLAN_LABEL_LESS
                               : c[0] == '>' ? PLAN_LABEL_GREATER
                                             : PLAN_LABEL_DIFFERS;

    if (found == PLAN_LABEL_DIFFERS && (c[0] != '!' || c[1] != '='))
        return PLAN_LABEL_MALFORMED;
    *at += found == PLAN_LABEL_DIFFERS ? 2 : 1;
    return found;
}

bool plan_label_number(const char *text, double *ret)
{
    char *end;
    double number = strtod(text, &end);

    /* Not what strtod takes beside decimal numbers. */
    if (end == text || *end || strspn(text, "+-.0123456789eE") != strlen(text))
        return false;
    *ret = number;
    return true;
}

bool plan_selector_parse(const char *text, struct arena *arena, struct plan_selector *ret)
{
    const char *key = past_blanks(text), *at = key;
    size_t len;
    double number;

    while (*at && in_key(*at))
        at++;
    len = (size_t)(at - key);
    if (len == 0 || len > PLAN_LABEL_BYTES_MAX)
        return false;
    *ret = (struct plan_selector){arena_strndup(arena, key, len), PLAN_LABEL_EXISTS, ""};
    at = past_blanks(at);
    if (!*at)
        return true;
    ret->op = operator_at(&at);
    at = past_blanks(at);
    len = strlen(at);
    while (len > 0 && is_blank(at[len - 1]))
        len--;
    if (ret->op == PLAN_LABEL_MALFORMED || len == 0 || len > PLAN_LABEL_BYTES_MAX)
        return false;
    ret->value = arena_strndup(arena, at, len);
    return (ret->op != PLAN_LABEL_LESS && ret->op != PLAN_LABEL_GREATER) ||
           plan_label_number(ret->value, &number);
}
