/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_INTERNAL_H
#define CONF_INTERNAL_H
/*
 * One pass per source fills a table of raw texts, the strongest source last; then every text is
 * checked and stored. A source names itself in `origin`, for messages and --print-config.
 */
#include <stdio.h>
#include "conf/conf.h"

#define CONF_NAME_BYTES_MAX 64
#define CONF_FILE_BYTES_MAX (64u * 1024u)
#define CONF_OPTIONS_MAX 128

struct conf__value {
    const char *text;   /* NULL = nothing given and no default */
    const char *origin; /* "flag --x", "variable PLANKTON_…", "file a.yaml:3", "default" */
};

struct conf__load {
    const struct conf_program *program;
    struct arena *arena;
    struct conf__value values[CONF_OPTIONS_MAX];
    struct conf__value file; /* of --config */
    bool print;              /* --print-config */
};

/* Index of the option of this name, option_count when there is none. */
size_t conf__find(const struct conf_program *program, const char *name);
/* ", did you mean X?" or "". Built-in flags are candidates too when flags is set. */
const char *conf__hint(struct conf__load *load, const char *name, bool flags);
/* PLANKTON_CONTROLLER_LOG_LEVEL for log-level. */
char *conf__variable(struct conf__load *load, const char *name);

MUST_USE enum status conf__read_flags(struct conf__load *load, int argc, char **argv,
                                      enum conf_outcome *ret_outcome, struct error *err);
MUST_USE enum status conf__read_environment(struct conf__load *load, char **env, struct error *err);
MUST_USE enum status conf__read_file(struct conf__load *load, const char *path, struct error *err);
/* The file's text. Values already set from stronger sources must be put back by the caller: this
 * one overwrites. */
MUST_USE enum status conf__read_yaml(struct conf__load *load, const char *path, struct slice text,
                                     struct error *err);
MUST_USE enum status conf__store(const struct conf_option *option, const struct conf__value *value,
                                 void *settings, struct error *err);

void conf__print_help(struct conf__load *load, FILE *out);
void conf__print_settings(struct conf__load *load, FILE *out);

#endif
