/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/slice.h"
#include "conf_internal.h"

static bool ends_with(const char *text, const char *tail)
{
    size_t len = strlen(text), tail_len = strlen(tail);

    return len >= tail_len && strcmp(text + len - tail_len, tail) == 0;
}

/* Kubernetes and Docker put the addresses of a service named plankton-controller into variables of
 * just this prefix: …_SERVICE_HOST, …_SERVICE_PORT, …_SERVICE_PORT_GRPC, …_PORT=tcp://…,
 * …_PORT_8081_TCP_ADDR. They are nobody's settings. */
static bool is_service_link(const char *rest, const char *value)
{
    if (str_eq(rest, "SERVICE_HOST") || str_eq(rest, "SERVICE_PORT") ||
        strncmp(rest, "SERVICE_PORT_", 13) == 0)
        return true;
    if (str_eq(rest, "PORT"))
        return strstr(value, "://") != NULL;
    return strncmp(rest, "PORT_", 5) == 0 &&
           (ends_with(rest, "_TCP") || ends_with(rest, "_UDP") || ends_with(rest, "_PROTO") ||
            ends_with(rest, "_PORT") || ends_with(rest, "_ADDR"));
}

/* LOG_LEVEL -> log-level. NULL when it is no name that an option could have. */
static const char *option_name(struct conf__load *load, struct slice variable)
{
    char *name = arena_strndup(load->arena, variable.data, variable.len);

    for (char *c = name; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
        else if (*c == '_')
            *c = '-';
        else if (*c < '0' || *c > '9')
            return NULL;
    }
    return name;
}

static enum status read_variable(struct conf__load *load, const char *entry, size_t prefix_len,
                                 struct error *err)
{
    const char *equals = strchr(entry, '=');
    const char *variable = arena_strndup(load->arena, entry, (size_t)(equals - entry));
    const char *name = option_name(load, slice_of(variable + prefix_len));
    size_t i = name ? conf__find(load->program, name) : load->program->option_count;
    struct conf__value value = {.text = equals + 1};

    value.origin = arena_printf(load->arena, "variable %s", variable);
    if (i < load->program->option_count) {
        load->values[i] = value;
        return STATUS_OK;
    }
    if (str_eq(name, "config")) {
        load->file = value;
        return STATUS_OK;
    }
    if (is_service_link(variable + prefix_len, equals + 1))
        return STATUS_OK;
    return error_field(err, STATUS_INVALID_ARGUMENT, "UNKNOWN_VARIABLE", variable,
                       "unknown variable %s%s", variable,
                       name ? conf__hint(load, name, false) : "");
}

enum status conf__read_environment(struct conf__load *load, char **env, struct error *err)
{
    const char *prefix = conf__variable(load, "");
    size_t prefix_len = strlen(prefix);
    struct conf__value file = load->file;

    for (; env && *env; env++) {
        enum status status;

        if (strncmp(*env, prefix, prefix_len) != 0 || !strchr(*env, '='))
            continue;
        status = read_variable(load, *env, prefix_len, err);
        if (status != STATUS_OK)
            return status;
    }
    if (file.text)
        load->file = file; /* the flag is stronger */
    return STATUS_OK;
}
