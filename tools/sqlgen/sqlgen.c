/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Build tool: turns .sql files into C.
 *
 * `sqlgen statements IN.sql OUT.h OUT.c`: one `const struct db_sql SQL_<name>` per block, and all
 * of them as SQL_FILE_<stem>.
 *
 * `sqlgen migrations OUT.h OUT.c IN.sql…`: an array of {number, name, sql, sha256}, in the order of
 * their numbers.
 *
 * A block begins with `-- name: task_claim`; the line after it is a comment that says what the
 * statement promises. One statement per block. Lines that are only a comment are dropped. The
 * prepared name ends in a hash of the text, so that an old and a new build never mean different
 * texts by one name.
 */
#include <ctype.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (4 * 1024 * 1024)
#define NAME_CHARS_MAX 50 /* PostgreSQL cuts names at 63, the hash takes 9 */
#define STATEMENTS_MAX 1000
#define MIGRATIONS_MAX 9999
#define PARAMS_MAX 256
#define HASH_CHARS 8
#define SHA256_BYTES 32
#define NUMBER_CHARS 4

static const char name_mark[] = "-- name: ";

struct statement {
    char name[NAME_CHARS_MAX + 1];
    char *text;
    int params;
};

struct source {
    const char *path;
    int line;
};

__attribute__((noreturn, format(printf, 2, 3))) static void die(const struct source *at,
                                                                const char *fmt, ...)
{
    va_list args;

    if (at && at->line > 0)
        fprintf(stderr, "%s:%d: ", at->path, at->line);
    else
        fprintf(stderr, "%s: ", at ? at->path : "sqlgen");
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static char *read_file(const char *path)
{
    struct source at = {path, 0};
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, FILE_BYTES_MAX + 1);

    if (!file || !text)
        die(&at, "cannot be read");
    size_t len = fread(text, 1, FILE_BYTES_MAX + 1, file);

    if (ferror(file) || len > FILE_BYTES_MAX)
        die(&at, "is larger than %d bytes, or cannot be read", FILE_BYTES_MAX);
    if (strlen(text) != len)
        die(&at, "has a NUL");
    fclose(file);
    return text;
}

static void sha256_hex(const char *text, char *out /* 65 */)
{
    unsigned char digest[SHA256_BYTES];
    unsigned int len = 0;

    if (EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL) != 1)
        die(NULL, "no SHA-256");
    for (unsigned int i = 0; i < len; i++)
        snprintf(out + 2 * (size_t)i, 3, "%02x", digest[i]);
}

/* The text behind a dollar quote that begins at p (`$tag$ … $tag$`), or NULL when it is none. */
static const char *skip_dollar_quote(const char *p)
{
    const char *tag_end = p + 1;

    while (isalnum((unsigned char)*tag_end) || *tag_end == '_')
        tag_end++;
    if (*tag_end != '$' || isdigit((unsigned char)p[1]))
        return NULL;
    size_t tag_len = (size_t)(tag_end - p) + 1;

    for (const char *end = tag_end + 1; *end; end++)
        if (strncmp(end, p, tag_len) == 0)
            return end + tag_len;
    return tag_end + 1;
}

/* The text behind a quoted or commented part that begins at p, or p itself. */
static const char *skip_quoted(const char *p)
{
    const char *end = NULL;

    if (*p == '\'' || *p == '"') {
        end = strchr(p + 1, *p); /* a doubled quote is two quoted parts side by side */
        return end ? end + 1 : p + strlen(p);
    }
    if (p[0] == '-' && p[1] == '-')
        return p + strcspn(p, "\n");
    if (p[0] == '/' && p[1] == '*') {
        end = strstr(p + 2, "*/");
        return end ? end + 2 : p + strlen(p);
    }
    if (*p == '$')
        end = skip_dollar_quote(p);
    return end ? end : p;
}

/* Counts $1…$n outside quotes; finds a second statement. */
static int scan_statement(const struct source *at, const char *text)
{
    bool seen[PARAMS_MAX + 1] = {false};
    int highest = 0;

    for (const char *p = text; *p;) {
        const char *behind = skip_quoted(p);

        if (behind != p) {
            p = behind;
            continue;
        }
        if (*p == ';' && p[1 + strspn(p + 1, " \n\t")] != '\0')
            die(at, "two statements in one block");
        if (*p == '$' && isdigit((unsigned char)p[1])) {
            long n = strtol(p + 1, NULL, 10);

            if (n < 1 || n > PARAMS_MAX)
                die(at, "parameter $%ld is out of range", n);
            seen[n] = true;
            highest = n > highest ? (int)n : highest;
        }
        p++;
    }
    for (int i = 1; i <= highest; i++)
        if (!seen[i])
            die(at, "parameter $%d is not used", i);
    return highest;
}

static void trim_end(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && (isspace((unsigned char)text[len - 1]) || text[len - 1] == ';'))
        text[--len] = '\0';
}

static bool is_comment(const char *line)
{
    return strncmp(line + strspn(line, " \t"), "--", 2) == 0;
}

static void check_name(const struct source *at, const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NAME_CHARS_MAX)
        die(at, "a name has 1 to %d characters", NAME_CHARS_MAX);
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len ||
        isdigit((unsigned char)*name))
        die(at, "name %s is not in lower_snake_case", name);
}

/* One line at a time, in place; *next is moved behind it. NULL at the end. */
static char *take_line(char **next)
{
    char *line = *next;

    if (*line == '\0')
        return NULL;
    size_t len = strcspn(line, "\n");

    *next = line + len + (line[len] == '\n');
    line[len] = '\0';
    return line;
}

static void statement_close(const struct source *at, struct statement *statement)
{
    trim_end(statement->text);
    if (*statement->text == '\0')
        die(at, "%s is empty", statement->name);
    statement->params = scan_statement(at, statement->text);
}

static size_t parse_statements(const char *path, struct statement *statements)
{
    struct source at = {path, 0};
    char *whole = read_file(path), *next = whole;
    size_t n = 0, bytes = strlen(whole) + 1;
    bool promise_due = false;

    for (char *line; (line = take_line(&next));) {
        at.line++;
        if (strncmp(line, name_mark, strlen(name_mark)) == 0) {
            if (n > 0)
                statement_close(&at, &statements[n - 1]);
            if (n == STATEMENTS_MAX)
                die(&at, "more than %d statements", STATEMENTS_MAX);
            check_name(&at, line + strlen(name_mark));
            snprintf(statements[n].name, sizeof(statements[n].name), "%s",
                     line + strlen(name_mark));
            statements[n++].text = calloc(1, bytes);
            promise_due = true;
            continue;
        }
        if (promise_due && !is_comment(line))
            die(&at, "the line after a name is a comment: what the statement promises");
        promise_due = false;
        if (is_comment(line) || *line == '\0')
            continue;
        if (n == 0)
            die(&at, "text before the first '%s'", name_mark);
        size_t used = strlen(statements[n - 1].text);

        snprintf(statements[n - 1].text + used, bytes - used, "%s\n", line);
    }
    if (n > 0)
        statement_close(&at, &statements[n - 1]);
    free(whole);
    return n;
}

static void write_literal(FILE *out, const char *text)
{
    fputs("\n        \"", out);
    for (const char *p = text; *p; p++) {
        if (*p == '\n')
            fputs(p[1] ? "\\n\"\n        \"" : "\\n", out);
        else if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else if (*p == '\t')
            fputs("\\t", out);
        else
            fputc(*p, out);
    }
    fputc('"', out);
}

static FILE *open_out(const char *path)
{
    struct source at = {path, 0};
    FILE *out = fopen(path, "wb");

    if (!out)
        die(&at, "cannot be written");
    fputs("/* SPDX-License-Identifier: Apache-2.0 */\n/* Generated by sqlgen. */\n", out);
    return out;
}

static void close_out(FILE *out, const char *path)
{
    struct source at = {path, 0};

    if (fclose(out) != 0)
        die(&at, "cannot be written");
}

/* The file's name without folder and ending, as a C identifier. */
static void stem_of(const char *path, char *out, size_t out_bytes)
{
    const char *base = strrchr(path, '/');

    snprintf(out, out_bytes, "%s", base ? base + 1 : path);
    out[strcspn(out, ".")] = '\0';
    for (char *p = out; *p; p++)
        if (!isalnum((unsigned char)*p))
            *p = '_';
}

static void write_statements(const char *in, const char *header, const char *body)
{
    static struct statement statements[STATEMENTS_MAX];
    size_t n = parse_statements(in, statements);
    char stem[NAME_CHARS_MAX + 1], hash[2 * SHA256_BYTES + 1];

    stem_of(in, stem, sizeof(stem));
    FILE *h = open_out(header);

    fputs("#pragma once\n#include \"db/db.h\"\n", h);
    for (size_t i = 0; i < n; i++)
        fprintf(h, "extern const struct db_sql SQL_%s; /* %d parameters */\n", statements[i].name,
                statements[i].params);
    fprintf(h,
            "#define SQL_FILE_%s_COUNT %zu\nextern const struct db_sql *const "
            "SQL_FILE_%s[SQL_FILE_%s_COUNT];\n",
            stem, n, stem, stem);
    close_out(h, header);
    FILE *c = open_out(body);

    fprintf(c, "#include \"%s\"\n", strrchr(header, '/') ? strrchr(header, '/') + 1 : header);
    for (size_t i = 0; i < n; i++) {
        sha256_hex(statements[i].text, hash);
        fprintf(c,
                "const struct db_sql SQL_%s = {\n    .name = \"%s_%.*s\",\n    .param_count = "
                "%d,\n    .text =",
                statements[i].name, statements[i].name, HASH_CHARS, hash, statements[i].params);
        write_literal(c, statements[i].text);
        fputs("};\n", c);
    }
    fprintf(c, "const struct db_sql *const SQL_FILE_%s[SQL_FILE_%s_COUNT] = {\n", stem, stem);
    for (size_t i = 0; i < n; i++)
        fprintf(c, "    &SQL_%s,\n", statements[i].name);
    for (size_t i = 0; i < n; i++)
        free(statements[i].text);
    fputs("};\n", c);
    close_out(c, body);
}

static int by_base_name(const void *a, const void *b)
{
    const char *left = strrchr(*(char *const *)a, '/'), *right = strrchr(*(char *const *)b, '/');

    return strcmp(left ? left : *(char *const *)a, right ? right : *(char *const *)b);
}

/* `0001_create_controller.sql` -> 1; numbers have no gaps, so that two branches cannot both take
 * one unseen. */
static int migration_number(const char *path, int expected)
{
    struct source at = {path, 0};
    const char *base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    char *end = NULL;
    long number = strtol(base, &end, 10);

    if (end != base + NUMBER_CHARS || *end != '_' || !strchr(end + 1, '_') || number != expected)
        die(&at, "a migration is called NNNN_verb_noun.sql, and this one would be number %04d",
            expected);
    return (int)number;
}

static void write_migrations(const char *header, const char *body, char **files, int n)
{
    char hash[2 * SHA256_BYTES + 1];

    if (n > MIGRATIONS_MAX)
        die(NULL, "more than %d migrations", MIGRATIONS_MAX);
    qsort(files, (size_t)n, sizeof(*files), by_base_name);
    FILE *h = open_out(header);

    fprintf(h, "#pragma once\n#include \"db/migrate.h\"\n#define PLANKTON_MIGRATIONS_COUNT %d\n",
            n);
    fputs("extern const struct db_migration plankton_migrations[PLANKTON_MIGRATIONS_COUNT];\n", h);
    close_out(h, header);
    FILE *c = open_out(body);

    fprintf(c, "#include \"%s\"\n", strrchr(header, '/') ? strrchr(header, '/') + 1 : header);
    fputs("const struct db_migration plankton_migrations[PLANKTON_MIGRATIONS_COUNT] = {\n", c);
    for (int i = 0; i < n; i++) {
        char *text = read_file(files[i]);
        const char *base = strrchr(files[i], '/') ? strrchr(files[i], '/') + 1 : files[i];
        int number = migration_number(files[i], i + 1);

        sha256_hex(text, hash);
        fprintf(c,
                "    {.number = %d,\n     .name = \"%.*s\",\n     .sha256 = \"%s\",\n     .sql =",
                number, (int)strcspn(base, "."), base, hash);
        write_literal(c, text);
        fputs("},\n", c);
        free(text);
    }
    fputs("};\n", c);
    close_out(c, body);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "statements") == 0) {
        write_statements(argv[2], argv[3], argv[4]);
        return 0;
    }
    if (argc >= 5 && strcmp(argv[1], "migrations") == 0) {
        write_migrations(argv[2], argv[3], argv + 4, argc - 4);
        return 0;
    }
    fputs("usage: sqlgen statements IN.sql OUT.h OUT.c | sqlgen migrations OUT.h OUT.c IN.sql…\n",
          stderr);
    return 2;
}
