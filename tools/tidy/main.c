/* SPDX-License-Identifier: Apache-2.0 */
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tidy.h"

#define FILES_MAX 20000
#define FOLDERS_OPEN_MAX 16

static char *files[FILES_MAX];
static size_t file_count;
static size_t root_len;
static unsigned reports;

void report(const struct source *source, unsigned line, const char *fmt, ...)
{
    va_list args;

    printf("%s:%u: ", source->path, line);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    reports++;
}

/* What is built or fetched, not written. */
static bool is_skipped_folder(const char *name)
{
    static const char *const SKIPPED[] = {".git",        "build",       "node_modules",
                                          "dist",        ".plankton",   ".cache",
                                          "__pycache__", ".svelte-kit", "test-results"};

    for (size_t i = 0; i < ARRAY_LEN(SKIPPED); i++) {
        if (str_eq(name, SKIPPED[i]))
            return true;
    }
    return false;
}

static int visit(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    const char *name = path + where->base;

    (void)info;
    if (kind == FTW_D && where->level > 0 && is_skipped_folder(name))
        return FTW_SKIP_SUBTREE;
    /* A lock file is written by a tool, and is megabytes of it. */
    if (kind != FTW_F || str_eq(name, "package-lock.json"))
        return FTW_CONTINUE;
    if (file_count == FILES_MAX)
        return FTW_STOP;
    files[file_count++] = mem_strdup(path + root_len + 1);
    return FTW_CONTINUE;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    const char *root = argc == 2 ? argv[1] : NULL;

    if (!root) {
        fprintf(stderr, "usage: tidy FOLDER\n");
        return 2;
    }
    root_len = strlen(root);
    while (root_len > 1 && root[root_len - 1] == '/')
        root_len--;
    if (nftw(root, visit, FOLDERS_OPEN_MAX, FTW_PHYS | FTW_ACTIONRETVAL) != 0) {
        fprintf(stderr, "tidy: cannot walk %s\n", root);
        return 2;
    }
    qsort(files, file_count, sizeof(files[0]), by_name);
    for (size_t i = 0; i < file_count; i++)
        layers_note_header(files[i]);
    for (size_t i = 0; i < file_count; i++) {
        struct source source;

        if (!source_load(&source, root, files[i]))
            continue; /* went away since, or a huge file that nobody wrote by hand */
        check_text(&source);
        check_code(&source);
        check_layers(&source);
        source_free(&source);
        free(files[i]);
    }
    printf("tidy: %zu files, %u complaints\n", file_count, reports);
    return reports > 0;
}
