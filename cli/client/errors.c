/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, for people: one line, and one more for each thing wrong with what was sent. */
#include <stdio.h>
#include <string.h>

#include "../cli.h"
#include "base/slice.h"

/* On the wire the place in the author's text is part of the sentence: "line 3, column 7: …". */
static const char *split_place(const char *description, unsigned *ret_line, unsigned *ret_column)
{
    int used = 0;

    *ret_line = *ret_column = 0;
    if (sscanf(description, "line %u, column %u: %n", ret_line, ret_column, &used) == 2 && used > 0)
        return description + used;
    *ret_line = *ret_column = 0;
    return description;
}

/* "text (did you mean 'x'?)" -> "text, did you mean 'x'?" */
static void print_sentence(FILE *out, const char *text, const char *hint)
{
    const char *ask = strstr(text, " (did you mean ");
    size_t len = strlen(text);

    if (hint)
        fprintf(out, "%s, %s\n", text, hint);
    else if (ask && text[len - 1] == ')')
        fprintf(out, "%.*s, %.*s\n", (int)(ask - text), text, (int)(len - (size_t)(ask - text) - 3),
                ask + 2);
    else
        fprintf(out, "%s\n", text);
}

void cli_print_problem(const char *file, const char *field, const char *description,
                       const char *hint, unsigned line, unsigned column)
{
    unsigned said_line, said_column;
    const char *text = split_place(description ? description : "", &said_line, &said_column);

    if (!line) {
        line = said_line;
        column = said_column;
    }
    fputs("  ", stderr);
    if (line)
        fprintf(stderr, "%s%s%u:%u: ", file ? file : "line ", file ? ":" : "", line, column);
    if (field && *field)
        fprintf(stderr, "%s: ", field);
    print_sentence(stderr, text, hint);
}

/* A violation that only repeats the message. */
static bool says_more(const struct error *err, const struct error_violation *v)
{
    return v->description && strstr(err->message, v->description) == NULL;
}

int cli_fail_in(const struct error *err, const char *file)
{
    const char *reason = err->reason[0] ? err->reason : NULL;
    const char *open = reason ? " (" : "", *close = reason ? ")" : "";
    const struct error_violation *first = err->violations;
    bool of_plan = str_eq(err->reason, "PLAN_INVALID") && first;
    bool list = of_plan || (first && (first->next || says_more(err, first)));

    if (!reason)
        reason = "";
    if (of_plan)
        fprintf(stderr, "plankton: the plan is not valid (PLAN_INVALID)\n");
    else if (!list && err->field[0] && strstr(err->message, err->field) == NULL)
        fprintf(stderr, "plankton: %s: %s%s%s%s\n", err->field, err->message, open, reason, close);
    else
        fprintf(stderr, "plankton: %s%s%s%s\n", err->message, open, reason, close);
    for (const struct error_violation *v = list ? first : NULL; v; v = v->next)
        cli_print_problem(file, v->field, v->description, v->hint, v->line, v->column);
    return 1;
}

int cli_fail(const struct error *err)
{
    return cli_fail_in(err, NULL);
}
