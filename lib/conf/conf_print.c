/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>
#include "base/slice.h"
#include "base/text.h"
#include "conf_internal.h"

#define NAME_COLUMN 30

static void print_bound(const struct conf_option *option, int64_t bound, FILE *out)
{
    char text[32];

    if (option->type == CONF_DURATION)
        text_from_duration_ms(bound, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "%" PRId64, bound);
    fputs(text, out);
}

static void print_option(struct conf__load *load, const struct conf_option *option, FILE *out)
{
    static const char *const KINDS[] = {" TEXT", "", " N", " DURATION", " SIZE"};
    char head[CONF_NAME_BYTES_MAX + 24];

    snprintf(head, sizeof(head), "--%s%s%s", option->type == CONF_BOOL ? "[no-]" : "", option->name,
             KINDS[option->type]);
    fprintf(out, "  %-*s %s", NAME_COLUMN, head, option->help);
    if (option->fallback)
        fprintf(out, " [default: %s]", option->fallback[0] ? option->fallback : "\"\"");
    if (option->min || option->max) {
        fputs(" [", out);
        print_bound(option, option->min, out);
        fputs(" to ", out);
        print_bound(option, option->max, out);
        fputs("]", out);
    }
    fprintf(out, "\n  %-*s %s\n", NAME_COLUMN, "", conf__variable(load, option->name));
}

void conf__print_help(struct conf__load *load, FILE *out)
{
    const struct conf_program *program = load->program;

    fprintf(out, "plankton-%s: %s\n\nUsage: plankton-%s [options]\n\nOptions:\n", program->program,
            program->summary, program->program);
    for (size_t i = 0; i < program->option_count; i++)
        print_option(load, &program->options[i], out);
    fprintf(out, "  %-*s YAML file with these options by name\n  %-*s %s\n", NAME_COLUMN,
            "--config FILE", NAME_COLUMN, "", conf__variable(load, "config"));
    fprintf(out, "  %-*s print every setting and where it comes from, then exit\n", NAME_COLUMN,
            "--print-config");
    fprintf(out, "  %-*s print the version, then exit\n", NAME_COLUMN, "--version");
    fprintf(out, "  %-*s print this help, then exit\n", NAME_COLUMN, "-h, --help");
    fputs("\nA flag overrules a variable, a variable overrules the file.\n", out);
}

/* As YAML, so that the output is a configuration file (secrets apart). */
static void print_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

void conf__print_settings(struct conf__load *load, FILE *out)
{
    for (size_t i = 0; i < load->program->option_count; i++) {
        const struct conf_option *option = &load->program->options[i];
        const struct conf__value *value = &load->values[i];

        if (!value->text) {
            fprintf(out, "# %s: not set\n", option->name);
            continue;
        }
        fprintf(out, "%s: ", option->name);
        if (option->secret)
            fputs("***", out);
        else if (option->type == CONF_TEXT)
            print_text(value->text, out);
        else
            fputs(value->text, out);
        fprintf(out, " # %s\n", value->origin);
    }
}
