/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/slice.h"
#include "base/text.h"

#define HELP_COLUMN 30
#define CANDIDATES_MAX 64

struct common_settings {
    struct connection_settings connection;
    const char *output;
};

static const struct option common_options[] = {
    {"controller", 0, OPTION_TEXT, offsetof(struct common_settings, connection.controller),
     "ADDRESS", "the controller (PLANKTON_CONTROLLER)", 0, 0, 0},
    {"logger", 0, OPTION_TEXT, offsetof(struct common_settings, connection.logger), "ADDRESS",
     "the logger (PLANKTON_LOGGER)", 0, 0, 0},
    {"key", 0, OPTION_TEXT, offsetof(struct common_settings, connection.key), "KEY",
     "API key (PLANKTON_KEY)", 0, 0, 0},
    {"key-file", 0, OPTION_TEXT, offsetof(struct common_settings, connection.key_file), "FILE",
     "file that holds the API key", 0, 0, 0},
    {"tls", 0, OPTION_FLAG, offsetof(struct common_settings, connection.tls), NULL,
     "connect by TLS, trusting the system's authorities (PLANKTON_TLS=1)", 0, 0, 0},
    {"tls-ca", 0, OPTION_TEXT, offsetof(struct common_settings, connection.tls_ca), "FILE",
     "connect by TLS, trusting these authorities (PLANKTON_TLS_CA)", 0, 0, 0},
    {"tls-certificate", 0, OPTION_TEXT,
     offsetof(struct common_settings, connection.tls_certificate), "FILE",
     "certificate to show (PLANKTON_TLS_CERTIFICATE)", 0, 0, 0},
    {"tls-key", 0, OPTION_TEXT, offsetof(struct common_settings, connection.tls_key), "FILE",
     "its private key (PLANKTON_TLS_KEY)", 0, 0, 0},
    {"data-dir", 0, OPTION_TEXT, offsetof(struct common_settings, connection.data_dir), "DIR",
     "installation to take addresses and key from, if they are not given (.plankton)", 0, 0, 0},
    {"output", 'o', OPTION_TEXT, offsetof(struct common_settings, output), "FORMAT",
     "table or json", 0, 0, 0},
};

struct reader {
    const struct command *command;
    struct invocation *in;
    struct common_settings common;
    int argc, pos;
    char **argv;
    bool *given; /* by place: the command's options, then the common ones */
};

static const struct option *option_at(const struct command *command, size_t place)
{
    return place < command->option_count ? &command->options[place]
                                         : &common_options[place - command->option_count];
}

static size_t option_total(const struct command *command)
{
    return command->option_count + ARRAY_LEN(common_options);
}

/* ---- help ---- */

static void print_option(FILE *out, const struct option *option)
{
    char left[64];
    char letter[8] = "    ";

    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
    fprintf(out, "%-*s %s%s\n", HELP_COLUMN, left, option->help,
            option->kind == OPTION_LIST ? " (may be repeated)" : "");
}

static void print_help(const struct noun *noun, const struct command *command)
{
    printf("usage: plankton %s%s%s %s [OPTIONS]\n%s\n\n", noun->name, command->name ? " " : "",
           command->name ? command->name : "", command->operands ? command->operands : "",
           command->summary);
    if (command->details)
        printf("%s\n\n", command->details);
    for (size_t i = 0; i < option_total(command); i++) {
        if (i == command->option_count)
            printf("%sconnection and output:\n", i ? "\n" : "");
        print_option(stdout, option_at(command, i));
    }
}

static void print_noun(FILE *out, const struct noun *noun)
{
    fprintf(out, "usage: plankton %s COMMAND [OPTIONS]; plankton %s COMMAND --help\n\n", noun->name,
            noun->name);
    for (size_t i = 0; i < noun->command_count; i++) {
        const struct command *command = &noun->commands[i];
        char left[64];

        snprintf(left, sizeof left, "  %s%s%s", command->name ? command->name : "",
                 command->name ? " " : "", command->operands ? command->operands : "");
        fprintf(out, "%-*s %s\n", HELP_COLUMN, left, command->summary);
    }
}

/* ---- reading ---- */

static const char *nearest_option(const struct command *command, const char *name)
{
    const char *names[CANDIDATES_MAX];
    size_t n = 0;

    while (n < option_total(command) && n < CANDIDATES_MAX) {
        names[n] = option_at(command, n)->name;
        n++;
    }
    return text_nearest(name, names, n);
}

static enum status find_option(struct reader *reader, struct slice name, size_t *ret,
                               struct error *err)
{
    for (size_t i = 0; i < option_total(reader->command); i++) {
        const struct option *option = option_at(reader->command, i);

        if (slice_is(name, option->name) || (name.len == 1 && option->letter == name.data[0])) {
            *ret = i;
            return STATUS_OK;
        }
    }
    const char *text = arena_strndup(reader->in->arena, name.data, name.len);
    const char *nearest = nearest_option(reader->command, text);
    return error_set(err, STATUS_INVALID_ARGUMENT, "unknown option %s%s%s%s",
                     name.len == 1 ? "-" : "--", text, nearest ? ", did you mean --" : "",
                     nearest ? nearest : "");
}

static enum status store_number(const struct option *option, const char *text, int64_t *place,
                                struct error *err)
{
    bool duration = option->kind == OPTION_DURATION;
    int64_t value;

    if (!(duration ? text_to_duration_ms(text, &value) : text_to_i64(text, &value)))
        return error_set(err, STATUS_INVALID_ARGUMENT, "--%s must be %s, not `%s`", option->name,
                         duration ? "a duration like 250ms, 5s, 10m or 2h" : "a whole number",
                         text);
    if (value < option->min || (option->max && value > option->max))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--%s must be between %" PRId64 " and %" PRId64 "%s", option->name,
                         option->min, option->max, duration ? " ms" : "");
    *place = value;
    return STATUS_OK;
}

static void *settings_of(struct reader *reader, size_t place)
{
    char *base = place < reader->command->option_count ? (char *)reader->in->settings
                                                       : (char *)&reader->common;

    return base + option_at(reader->command, place)->offset;
}

static void list_add(struct arena *arena, int argc, struct text_list *list, const char *text)
{
    if (!list->items)
        list->items = ARENA_ARRAY(arena, const char *, argc);
    list->items[list->len++] = text;
}

static enum status store_option(struct reader *reader, size_t place, const char *text,
                                struct error *err)
{
    const struct option *option = option_at(reader->command, place);
    void *to = settings_of(reader, place);

    if (reader->given[place] && option->kind != OPTION_LIST)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--%s is given twice", option->name);
    reader->given[place] = true;
    switch (option->kind) {
    case OPTION_TEXT:
        *(const char **)to = text;
        return STATUS_OK;
    case OPTION_FLAG:
        *(bool *)to = true;
        return STATUS_OK;
    case OPTION_LIST:
        list_add(reader->in->arena, reader->argc, to, text);
        return STATUS_OK;
    case OPTION_INT:
    case OPTION_DURATION:
        break;
    }
    return store_number(option, text, to, err);
}

static enum status read_flag(struct reader *reader, struct error *err)
{
    const char *flag = reader->argv[reader->pos];
    bool lengthy = flag[1] == '-';
    const char *name = flag + (lengthy ? 2 : 1);
    const char *equals = lengthy ? strchr(name, '=') : NULL;
    /* -n5 is -n 5 */
    size_t name_len = !lengthy ? 1 : equals ? (size_t)(equals - name) : strlen(name);
    const char *text = equals ? equals + 1 : !lengthy && name[1] ? name + 1 : NULL;
    size_t place = 0;
    enum status st = find_option(reader, (struct slice){name, name_len}, &place, err);

    if (st != STATUS_OK)
        return st;
    const struct option *option = option_at(reader->command, place);
    if (option->kind == OPTION_FLAG && text)
        return error_set(err, STATUS_INVALID_ARGUMENT, "--%s takes no value", option->name);
    if (option->kind != OPTION_FLAG && !text) {
        if (reader->pos + 1 == reader->argc)
            return error_set(err, STATUS_INVALID_ARGUMENT, "--%s needs a value", option->name);
        text = reader->argv[++reader->pos];
    }
    return store_option(reader, place, text, err);
}

static void set_fallbacks(struct reader *reader)
{
    for (size_t i = 0; i < reader->command->option_count; i++) {
        const struct option *option = &reader->command->options[i];

        if (option->kind == OPTION_INT || option->kind == OPTION_DURATION)
            *(int64_t *)settings_of(reader, i) = option->fallback;
    }
}

static enum status check(struct reader *reader, struct error *err)
{
    const struct command *command = reader->command;
    struct invocation *in = reader->in;

    if (in->operand_count < command->operands_min)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is missing",
                         command->operands ? command->operands : "an operand");
    if (in->operand_count > command->operands_max)
        return error_set(err, STATUS_INVALID_ARGUMENT, "`%s` is one operand too many",
                         in->operands[command->operands_max]);
    if (reader->common.output && !str_eq(reader->common.output, "json") &&
        !str_eq(reader->common.output, "table"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "--output must be table or json, not `%s`",
                         reader->common.output);
    in->json = str_eq(reader->common.output, "json");
    in->connection = reader->common.connection;
    return STATUS_OK;
}

enum status command_read(const struct command *command, int argc, char **argv,
                         struct invocation *in, bool *ret_help, struct error *err)
{
    struct reader reader = {.command = command, .in = in, .argc = argc, .argv = argv};
    bool operands_only = false;

    in->command = command;
    in->settings = arena_zalloc(in->arena, command->settings_bytes + 1);
    in->operands = ARENA_ARRAY(in->arena, const char *, argc + 1);
    reader.given = ARENA_ARRAY(in->arena, bool, option_total(command));
    *ret_help = false;
    set_fallbacks(&reader);
    for (; reader.pos < argc; reader.pos++) {
        const char *arg = argv[reader.pos];

        if (operands_only || arg[0] != '-' || !arg[1]) {
            in->operands[in->operand_count++] = arg;
        } else if (str_eq(arg, "--")) {
            operands_only = true;
        } else if (str_eq(arg, "--help") || str_eq(arg, "-h")) {
            *ret_help = true;
            return STATUS_OK;
        } else {
            enum status st = read_flag(&reader, err);
            if (st != STATUS_OK)
                return st;
        }
    }
    return check(&reader, err);
}

/* ---- dispatch ---- */

int command_misused(const struct invocation *in, const struct error *err)
{
    fprintf(stderr, "plankton: %s\n", err->message);
    return EXIT_USAGE;
}

static const struct command *find_command(const struct noun *noun, const char *name)
{
    for (size_t i = 0; i < noun->command_count; i++)
        if (str_eq(noun->commands[i].name, name))
            return &noun->commands[i];
    return NULL;
}

static int unknown_command(const struct noun *noun, const char *name)
{
    const char *names[CANDIDATES_MAX];
    size_t n = 0;

    for (size_t i = 0; i < noun->command_count && n < CANDIDATES_MAX; i++)
        if (noun->commands[i].name)
            names[n++] = noun->commands[i].name;
    const char *nearest = text_nearest(name, names, n);
    fprintf(stderr, "plankton: `%s` has no command `%s`%s%s\n", noun->name, name,
            nearest ? ", did you mean " : "", nearest ? nearest : "");
    print_noun(stderr, noun);
    return EXIT_USAGE;
}

int noun_run(const struct noun *noun, int argc, char **argv)
{
    const struct command *command = argc > 1 ? find_command(noun, argv[1]) : NULL;
    int skip = command ? 2 : 1;
    const struct command *own = find_command(noun, NULL);

    if (!command) {
        /* a noun with several commands and a word behind it: that is a command mistyped */
        bool word = argc > 1 && argv[1][0] != '-';
        bool help = argc > 1 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h"));
        if (help && noun->command_count > 1) {
            print_noun(stdout, noun);
            return 0;
        }
        if (!own || (word && noun->command_count > 1)) {
            if (argc > 1)
                return unknown_command(noun, argv[1]);
            print_noun(stderr, noun);
            return EXIT_USAGE;
        }
        command = own;
    }
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct invocation in = {.arena = arena};
    struct error error = {0};
    bool help;
    if (command_read(command, argc - skip, argv + skip, &in, &help, &error) != STATUS_OK) {
        int status = command_misused(&in, &error);
        fprintf(stderr, "see plankton %s%s%s --help\n", noun->name, command->name ? " " : "",
                command->name ? command->name : "");
        return status;
    }
    if (help) {
        print_help(noun, command);
        return 0;
    }
    return command->run(&in);
}
