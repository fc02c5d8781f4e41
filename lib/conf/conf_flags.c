/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/slice.h"
#include "conf_internal.h"

struct cursor {
    int argc, pos;
    char **argv;
};

/* --name=value, or --name value where value does not look like a flag: that is a forgotten value
 * far more often. */
static enum status flag_value(struct cursor *cursor, const char *name, const char *inline_value,
                              const char **ret, struct error *err)
{
    const char *next = cursor->pos + 1 < cursor->argc ? cursor->argv[cursor->pos + 1] : NULL;

    if (inline_value) {
        *ret = inline_value;
        return STATUS_OK;
    }
    if (!next || strncmp(next, "--", 2) == 0)
        return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_FLAG", name, "--%s needs a value",
                           name);
    cursor->pos++;
    *ret = next;
    return STATUS_OK;
}

static enum status set_once(struct conf__load *load, struct conf__value *value, const char *name,
                            const char *text, struct error *err)
{
    if (value->text)
        return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_FLAG", name, "--%s is given twice",
                           name);
    value->text = text;
    value->origin = arena_printf(load->arena, "flag --%s", name);
    return STATUS_OK;
}

static enum status read_option(struct conf__load *load, struct cursor *cursor, const char *name,
                               const char *inline_value, struct error *err)
{
    const struct conf_program *program = load->program;
    size_t i = conf__find(program, name);
    const char *text = inline_value;
    enum status status;

    if (i == program->option_count && strncmp(name, "no-", 3) == 0 && !inline_value) {
        size_t positive = conf__find(program, name + 3);

        if (positive < program->option_count && program->options[positive].type == CONF_BOOL)
            return set_once(load, &load->values[positive], name + 3, "false", err);
    }
    if (i == program->option_count)
        return error_field(err, STATUS_INVALID_ARGUMENT, "UNKNOWN_FLAG", name,
                           "unknown option --%s%s", name, conf__hint(load, name, true));
    if (program->options[i].type == CONF_BOOL && !inline_value) {
        text = "true";
    } else {
        status = flag_value(cursor, name, inline_value, &text, err);
        if (status != STATUS_OK)
            return status;
    }
    return set_once(load, &load->values[i], name, text, err);
}

static enum status read_flag(struct conf__load *load, struct cursor *cursor,
                             enum conf_outcome *ret_outcome, struct error *err)
{
    const char *flag = cursor->argv[cursor->pos];
    const char *equals = strchr(flag, '=');
    const char *inline_value = equals ? equals + 1 : NULL;
    const char *name, *text;
    enum status status;

    if (str_eq(flag, "--help") || str_eq(flag, "-h")) {
        conf__print_help(load, stdout);
        *ret_outcome = CONF_EXIT;
        return STATUS_OK;
    }
    if (str_eq(flag, "--version")) {
        printf("plankton-%s %s\n", load->program->program, PLANKTON_VERSION);
        *ret_outcome = CONF_EXIT;
        return STATUS_OK;
    }
    if (str_eq(flag, "--print-config")) {
        load->print = true;
        return STATUS_OK;
    }
    if (strncmp(flag, "--", 2) != 0 || flag[2] == '\0')
        return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_FLAG", NULL,
                           "unexpected argument \"%.64s\", see --help", flag);
    name = arena_strndup(load->arena, flag + 2,
                         equals ? (size_t)(equals - flag - 2) : strlen(flag) - 2);
    if (!str_eq(name, "config"))
        return read_option(load, cursor, name, inline_value, err);
    status = flag_value(cursor, name, inline_value, &text, err);
    return status == STATUS_OK ? set_once(load, &load->file, name, text, err) : status;
}

enum status conf__read_flags(struct conf__load *load, int argc, char **argv,
                             enum conf_outcome *ret_outcome, struct error *err)
{
    struct cursor cursor = {.argc = argc, .argv = argv};

    for (cursor.pos = 1; cursor.pos < argc; cursor.pos++) {
        enum status status = read_flag(load, &cursor, ret_outcome, err);

        if (status != STATUS_OK || *ret_outcome == CONF_EXIT)
            return status;
    }
    return STATUS_OK;
}
