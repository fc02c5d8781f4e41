/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_CONF_H
#define CONF_CONF_H
/*
 * One option table per program gives flags, PLANKTON_<PROGRAM>_* variables, the YAML file's keys,
 * defaults, --help, validation and
 * --print-config (each value with its source). Order: flag > variable > file (--config FILE) >
 * default. What is not known is refused. Values are written into the program's settings struct by
 * offset; text lives as long as the arena.
 */
#include "base/arena.h"
#include "base/error.h"
#include "base/buf.h"

enum conf_type {
    CONF_TEXT,     /* const char * */
    CONF_BOOL,     /* bool */
    CONF_INT,      /* int64_t, min..max */
    CONF_DURATION, /* int64_t milliseconds, written like 5s; min..max in ms */
    CONF_BYTES,    /* int64_t bytes, written like 64Mi */
};
struct conf_option {
    const char *name; /* kebab-case: flag --name, variable PLANKTON_<PROGRAM>_NAME, YAML key name */
    enum conf_type type;
    const char *fallback; /* the default in text form, NULL = none (text: NULL; others: 0) */
    int64_t min, max;     /* INT, DURATION and BYTES; both 0 = unbounded */
    bool secret;          /* --print-config shows it as *** */
    size_t offset;        /* offsetof(struct settings, field) */
    const char *help;
};
#define CONF_OPTION(name_, type_, fallback_, min_, max_, struct_, field_, help_)                   \
    {                                                                                              \
        .name = (name_), .type = (type_), .fallback = (fallback_), .min = (min_), .max = (max_),   \
        .offset = offsetof(struct_, field_), .help = (help_)                                       \
    }
struct conf_program {
    const char *program; /* "controller": variables PLANKTON_CONTROLLER_* */
    const char *summary; /* one line for --help */
    const struct conf_option *options;
    size_t option_count;
};
enum conf_outcome {
    CONF_RUN,
    CONF_EXIT
}; /* EXIT: --help, --version or --print-config has printed */
/* argv[1…] flags; env as in environ. On error err->message names option and source. */
MUST_USE enum status conf_load(const struct conf_program *program, int argc, char **argv,
                               char **env, struct arena *arena, void *settings,
                               enum conf_outcome *ret_outcome, struct error *err);

#endif
