/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H
/*
 * What the verbs that talk to a running system have in common on the command line: nouns with their
 * commands, one table of options each, --help printed from the tables. Every command also takes the
 * options of the connection and -o. What is not understood is refused with exit status 2.
 *   plankton NOUN COMMAND OPERANDS --name value --name=value -n value
 * Memory of an invocation is the arena's; texts point into argv.
 */
#include "base/arena.h"
#include "base/error.h"

#define EXIT_USAGE 2
#define EXIT_INTERRUPTED 130

enum option_kind {
    OPTION_TEXT,     /* const char * */
    OPTION_FLAG,     /* bool */
    OPTION_INT,      /* int64_t, min..max when given, else fallback */
    OPTION_DURATION, /* int64_t milliseconds, written like 5s; the same bounds */
    OPTION_LIST,     /* struct text_list: may be given many times */
};

struct text_list {
    const char **items;
    size_t len;
};

struct option {
    const char *name;
    char letter; /* 0 = none */
    enum option_kind kind;
    size_t offset;     /* in the command's settings */
    const char *value; /* what stands for the value in --help */
    const char *help;
    int64_t min, max, fallback;
};

/* Where the system is and who asks; see client.h for what stands in for what is not given. */
struct connection_settings {
    const char *controller, *logger, *key, *key_file, *data_dir;
    const char *tls_ca, *tls_certificate, *tls_key;
    bool tls;
};

struct invocation {
    struct arena *arena;
    const struct command *command;
    void *settings; /* the command's own struct */
    struct connection_settings connection;
    bool json; /* -o json */
    const char **operands;
    size_t operand_count;
};

struct command {
    const char *name; /* NULL: what the noun does by itself */
    const char *operands, *summary, *details;
    const struct option *options;
    size_t option_count, settings_bytes;
    size_t operands_min, operands_max;
    int (*run)(struct invocation *in); /* the exit status */
};

struct noun {
    const char *name, *summary;
    const struct command *commands;
    size_t command_count;
};

/* argv[0] is the noun's name. */
int noun_run(const struct noun *noun, int argc, char **argv);
/* Reads argv[0…] into in; INVALID_ARGUMENT says what is wrong. *ret_help: --help was asked for,
 * nothing else was read. */
MUST_USE enum status command_read(const struct command *command, int argc, char **argv,
                                  struct invocation *in, bool *ret_help, struct error *err);
/* "plankton: …" and where help is; returns EXIT_USAGE. */
int command_misused(const struct invocation *in, const struct error *err);

#endif
