/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "glue.h"

#define DESCRIPTOR_SET_BYTES_MAX (16u << 20)

static void die(const char *what, const char *path)
{
    fprintf(stderr, "protoglue: %s %s: %s\n", what, path, strerror(errno));
    exit(EXIT_FAILURE);
}

static Google__Protobuf__FileDescriptorSet *read_set(const char *path)
{
    Google__Protobuf__FileDescriptorSet *set;
    FILE *in = fopen(path, "rb");
    uint8_t *data;
    size_t len;

    if (!in)
        die("cannot open", path);
    data = mem_alloc(DESCRIPTOR_SET_BYTES_MAX);
    len = fread(data, 1, DESCRIPTOR_SET_BYTES_MAX, in);
    fclose(in);
    set = google__protobuf__file_descriptor_set__unpack(NULL, len, data);
    free(data);
    if (!set) {
        errno = EINVAL;
        die("cannot read descriptors from", path);
    }
    return set;
}

/* Makes the folders of a path. */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            die("cannot make", path);
        *slash = '/';
    }
}

static FILE *create(const char *folder, const char *file_name, const char *suffix)
{
    char stem[GLUE_NAME_BYTES], path[4096];
    FILE *out;

    glue_stem(file_name, stem);
    snprintf(path, sizeof path, "%s/%s%s", folder, stem, suffix);
    make_folders(path);
    out = fopen(path, "w");
    if (!out)
        die("cannot write", path);
    return out;
}

static void close_written(FILE *out, const char *name)
{
    if (fclose(out) != 0)
        die("cannot write", name);
}

static void write_file(const Google__Protobuf__FileDescriptorSet *set, const char *folder,
                       const char *name)
{
    for (size_t i = 0; i < set->n_file; i++) {
        if (strcmp(set->file[i]->name, name) != 0)
            continue;
        FILE *header = create(folder, name, ".rpc.h");
        glue_write_header(header, set, set->file[i]);
        close_written(header, name);
        FILE *source = create(folder, name, ".rpc.c");
        glue_write_source(source, set->file[i]);
        close_written(source, name);
        return;
    }
    errno = ENOENT;
    die("the descriptor set does not have", name);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: protoglue DESCRIPTOR_SET OUT_FOLDER FILE.proto…\n", stderr);
        return EXIT_FAILURE;
    }
    Google__Protobuf__FileDescriptorSet *set = read_set(argv[1]);
    for (int i = 3; i < argc; i++)
        write_file(set, argv[2], argv[i]);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
    return EXIT_SUCCESS;
}
