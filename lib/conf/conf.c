/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include "base/slice.h"
#include "base/text.h"
#include "conf_internal.h"

size_t conf__find(const struct conf_program *program, const char *name)
{
    size_t i = 0;

    while (i < program->option_count && !str_eq(program->options[i].name, name))
        i++;
    return i;
}

const char *conf__hint(struct conf__load *load, const char *name, bool flags)
{
    static const char *const BUILT_IN[] = {"config", "help", "version", "print-config"};
    const char *names[CONF_OPTIONS_MAX + ARRAY_LEN(BUILT_IN)];
    const char *nearest;
    size_t n = 0;

    for (; n < load->program->option_count; n++)
        names[n] = load->program->options[n].name;
    for (size_t i = 0; flags && i < ARRAY_LEN(BUILT_IN); i++)
        names[n++] = BUILT_IN[i];
    nearest = text_nearest(name, names, n);
    if (!nearest)
        return "";
    return arena_printf(load->arena, ", did you mean %s%s?", flags ? "--" : "", nearest);
}

char *conf__variable(struct conf__load *load, const char *name)
{
    char *text = arena_printf(load->arena, "PLANKTON_%s_%s", load->program->program, name);

    for (char *c = text; *c; c++) {
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
        else if (*c == '-')
            *c = '_';
    }
    return text;
}

static enum status refuse(const struct conf_option *option, const struct conf__value *value,
                          const char *want, struct error *err)
{
    /* A secret is not repeated in a message that ends up in a log. */
    return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_SETTING", option->name,
                       "%s (%s): \"%.64s\" is not %s", option->name, value->origin,
                       option->secret ? "***" : value->text, want);
}

static void format_bound(const struct conf_option *option, int64_t bound, char *out, size_t bytes)
{
    if (option->type == CONF_DURATION)
        text_from_duration_ms(bound, out, bytes);
    else
        snprintf(out, bytes, "%" PRId64, bound);
}

static enum status store_number(const struct conf_option *option, const struct conf__value *value,
                                int64_t *ret, struct error *err)
{
    char min[32], max[32], want[96];
    int64_t number;

    if (option->type == CONF_INT && !text_to_i64(value->text, &number))
        return refuse(option, value, "a whole number", err);
    if (option->type == CONF_DURATION && !text_to_duration_ms(value->text, &number))
        return refuse(option, value, "a duration such as 250ms, 5s or 10m", err);
    if (option->type == CONF_BYTES && !text_to_bytes(value->text, &number))
        return refuse(option, value, "a size such as 4096, 64Ki or 512Mi", err);
    if ((option->min || option->max) && (number < option->min || number > option->max)) {
        format_bound(option, option->min, min, sizeof(min));
        format_bound(option, option->max, max, sizeof(max));
        snprintf(want, sizeof(want), "from %s to %s", min, max);
        return refuse(option, value, want, err);
    }
    *ret = number;
    return STATUS_OK;
}

static enum status store_bool(const struct conf_option *option, const struct conf__value *value,
                              bool *ret, struct error *err)
{
    if (!str_eq(value->text, "true") && !str_eq(value->text, "false"))
        return refuse(option, value, "true or false", err);
    *ret = value->text[0] == 't';
    return STATUS_OK;
}

enum status conf__store(const struct conf_option *option, const struct conf__value *value,
                        void *settings, struct error *err)
{
    void *field = (char *)settings + option->offset;

    switch (option->type) {
    case CONF_TEXT:
        if (value->text && !text_is_utf8(value->text, strlen(value->text)))
            return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_SETTING", option->name,
                               "%s (%s) is not UTF-8", option->name, value->origin);
        *(const char **)field = value->text;
        return STATUS_OK;
    case CONF_BOOL:
        *(bool *)field = false;
        return value->text ? store_bool(option, value, field, err) : STATUS_OK;
    case CONF_INT:
    case CONF_DURATION:
    case CONF_BYTES:
        *(int64_t *)field = 0;
        return value->text ? store_number(option, value, field, err) : STATUS_OK;
    }
    return error_set(err, STATUS_INTERNAL, "option %s has no known type", option->name);
}

/* Reads every source into the table, weakest first; flags are read before, since they may name the
 * file. */
static enum status gather(struct conf__load *load, char **env, const struct conf__value *flags,
                          struct error *err)
{
    size_t n = load->program->option_count;
    struct conf__value file_flag = load->file;
    enum status status;

    for (size_t i = 0; i < n; i++)
        load->values[i] = (struct conf__value){load->program->options[i].fallback, "default"};
    load->file = (struct conf__value){0};
    /* The variables are read twice, since one of them may name the file and all of them overrule
     * it. */
    status = conf__read_environment(load, env, err);
    if (status != STATUS_OK)
        return status;
    if (file_flag.text)
        load->file = file_flag;
    if (load->file.text) {
        status = conf__read_file(load, load->file.text, err);
        if (status == STATUS_OK)
            status = conf__read_environment(load, env, err);
        if (status != STATUS_OK)
            return status;
    }
    for (size_t i = 0; i < n; i++) {
        if (flags[i].text)
            load->values[i] = flags[i];
    }
    return STATUS_OK;
}

enum status conf_load(const struct conf_program *program, int argc, char **argv, char **env,
                      struct arena *arena, void *settings, enum conf_outcome *ret_outcome,
                      struct error *err)
{
    struct conf__load *load = ARENA_NEW(arena, struct conf__load);
    struct conf__value flags[CONF_OPTIONS_MAX];
    enum status status;

    assert(program->option_count <= CONF_OPTIONS_MAX);
    load->program = program;
    load->arena = arena;
    *ret_outcome = CONF_RUN;
    status = conf__read_flags(load, argc, argv, ret_outcome, err);
    if (status != STATUS_OK || *ret_outcome == CONF_EXIT)
        return status;
    memcpy(flags, load->values, sizeof(flags));
    status = gather(load, env, flags, err);
    for (size_t i = 0; i < program->option_count && status == STATUS_OK; i++)
        status = conf__store(&program->options[i], &load->values[i], settings, err);
    if (status != STATUS_OK)
        return status;
    if (load->print) {
        conf__print_settings(load, stdout);
        *ret_outcome = CONF_EXIT;
    }
    return STATUS_OK;
}
