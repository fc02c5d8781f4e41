/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over its corpus where libFuzzer is absent: every file named on the command
 * line, or below a folder named there, is one input. Options of libFuzzer (-runs=0 …) are skipped.
 */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX (1u << 20)
#define FOLDERS_OPEN_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

static int run_file(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    static uint8_t data[INPUT_BYTES_MAX];
    uint8_t *exact;
    size_t size;
    FILE *file;

    (void)info;
    (void)where;
    if (kind != FTW_F)
        return 0;
    file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size = fread(data, 1, sizeof(data), file);
    fclose(file);
    /* A block of exactly this size, so that a sanitizer sees a read past the end. */
    exact = malloc(size ? size : 1);
    if (!exact)
        return 1;
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    inputs++;
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        if (nftw(argv[i], run_file, FOLDERS_OPEN_MAX, FTW_PHYS) != 0) {
            fprintf(stderr, "cannot run %s\n", argv[i]);
            return EXIT_FAILURE;
        }
    }
    printf("%u inputs\n", inputs);
    /* An empty corpus is a broken test, not a passed one. */
    return inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
