/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <jansson.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <unistd.h>

#include "../cli.h"
#include "descriptors/descriptors.h"

#define MESSAGE_TEXT_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define FIELD_COLUMN 12

struct pbjson_registry *output_registry(void)
{
    static struct pbjson_registry *registry;
    struct error error = {0};

    if (registry)
        return registry;
    if (pbjson_registry_new((struct slice){plankton_descriptor_set, plankton_descriptor_set_bytes},
                            &registry, &error) != STATUS_OK) {
        fprintf(stderr, "plankton: the embedded descriptors: %s\n", error.message);
        abort();
    }
    return registry;
}

int output_message(const ProtobufCMessage *message)
{
    static const struct pbjson_options options = {.defaults = true};
    AUTO(buf_fini) struct buf text;
    struct error error = {0};

    buf_init(&text, MESSAGE_TEXT_BYTES_MAX);
    if (pbjson_to_text(output_registry(), message, &options, &text, &error) != STATUS_OK)
        return cli_fail(&error);
    fwrite(text.data, 1, text.len, stdout);
    putchar('\n');
    fflush(stdout);
    return 0;
}

void output_json_text(const char *text, int indent)
{
    json_t *json = text && *text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    char *pretty = json ? json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY) : NULL;

    for (char *line = pretty, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        printf("%*s%s\n", indent, "", line);
    }
    free(pretty);
    json_decref(json);
}

/* ---- colours ---- */

bool output_coloured(FILE *out)
{
    const char *off = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fileno(out)) && !(off && *off) && term && !str_eq(term, "dumb");
}

static const char *colour_of(const char *state)
{
    static const struct {
        const char *state, *sequence;
    } COLOURS[] = {
        {"succeeded", "\033[32m"}, {"connected", "\033[32m"},    {"failed", "\033[31m"},
        {"running", "\033[36m"},   {"retrying", "\033[33m"},     {"waiting", "\033[33m"},
        {"draining", "\033[33m"},  {"cancelled", "\033[35m"},    {"skipped", "\033[2m"},
        {"pending", "\033[2m"},    {"disconnected", "\033[31m"},
    };

    for (size_t i = 0; i < ARRAY_LEN(COLOURS); i++)
        if (str_eq(COLOURS[i].state, state))
            return COLOURS[i].sequence;
    return "";
}

const char *state_colour(FILE *out, const char *state)
{
    return output_coloured(out) ? colour_of(state) : "";
}

const char *colour_end(FILE *out)
{
    return output_coloured(out) ? "\033[0m" : "";
}

/* ---- tables ---- */

struct table {
    struct libscols_table *scols;
    size_t columns, rows;
    bool *is_state;
    bool coloured;
};

struct table *table_new(const char *const *headings, size_t n)
{
    struct table *table = mem_zalloc(sizeof *table);

    table->scols = scols_new_table();
    if (!table->scols)
        abort();
    table->columns = n;
    table->is_state = mem_zalloc(n * sizeof *table->is_state);
    table->coloured = output_coloured(stdout);
    scols_table_enable_colors(table->scols, table->coloured);
    for (size_t i = 0; i < n; i++) /* ids are whole: a pipe or a mouse takes them on */
        if (!scols_table_new_column(table->scols, headings[i], 0,
                                    str_eq(headings[i], "ID") ? 0 : SCOLS_FL_TRUNC))
            abort();
    return table;
}

void table_states(struct table *table, size_t column)
{
    table->is_state[column] = true;
}

void table_row(struct table *table, const char *const *cells)
{
    struct libscols_line *line = scols_table_new_line(table->scols, NULL);

    if (!line)
        abort();
    table->rows++;
    for (size_t i = 0; i < table->columns; i++) {
        if (scols_line_set_data(line, i, cells[i] ? cells[i] : ""))
            abort();
        if (table->coloured && table->is_state[i] && cells[i])
            scols_cell_set_color(scols_line_get_cell(line, i), colour_of(cells[i]));
    }
}

void table_print(struct table *table, const char *nothing)
{
    if (table->rows)
        scols_print_table(table->scols);
    else
        fprintf(stderr, "%s\n", nothing);
    scols_unref_table(table->scols);
    free(table->is_state);
    free(table);
}

void field_print(const char *name, const char *value)
{
    if (value && *value)
        printf("%-*s %s\n", FIELD_COLUMN, name, value);
}

void field_json(const char *name, const char *text)
{
    if (!text || !*text || str_eq(text, "{}"))
        return;
    printf("%s\n", name);
    output_json_text(text, 2);
}
