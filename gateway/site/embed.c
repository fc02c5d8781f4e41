/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Host tool: embed OUT.c OUT.bin [--root DIR] [--as /url/path FILE]…
 * Writes the files of a folder and single files into one blob, each with its compressed forms, and
 * the table of struct site_file that points into it. The blob is pulled in by the assembler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#ifdef EMBED_BROTLI
#include <brotli/encode.h>
#endif

#include "types.h"

#define FILES_MAX 4096
#define PATH_BYTES_MAX 1024
/* Below this a compressed form saves no packet. */
#define COMPRESS_BYTES_MIN 512

struct form {
    unsigned char *data;
    size_t len, offset;
};
struct entry {
    char url[PATH_BYTES_MAX];
    char file[PATH_BYTES_MAX]; /* whose extension gives the type */
    struct form identity, gzip, br;
};
static struct entry *entries[FILES_MAX];
static size_t entry_count;

static void die(const char *what, const char *about)
{
    fprintf(stderr, "embed: %s: %s\n", what, about);
    exit(EXIT_FAILURE);
}

static void *allocate(size_t bytes)
{
    void *data = malloc(bytes ? bytes : 1);

    if (!data)
        die("out of memory", "");
    return data;
}

static void read_file(const char *path, struct form *ret)
{
    FILE *file = fopen(path, "rb");
    struct stat info;

    if (!file || fstat(fileno(file), &info) != 0)
        die("cannot read", path);
    ret->len = (size_t)info.st_size;
    ret->data = allocate(ret->len);
    if (fread(ret->data, 1, ret->len, file) != ret->len)
        die("cannot read", path);
    fclose(file);
}

static void make_gzip(const struct form *from, struct form *ret)
{
    z_stream stream = {0};

    /* 15 + 16: the gzip wrapper, whose header zlib fills with zeros, so that builds repeat. */
    if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        die("gzip", "init");
    ret->len = deflateBound(&stream, from->len);
    ret->data = allocate(ret->len);
    stream.next_in = from->data;
    stream.avail_in = (uInt)from->len;
    stream.next_out = ret->data;
    stream.avail_out = (uInt)ret->len;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
        die("gzip", "deflate");
    ret->len = stream.total_out;
    deflateEnd(&stream);
}

static void make_br(const struct form *from, struct form *ret)
{
#ifdef EMBED_BROTLI
    ret->len = BrotliEncoderMaxCompressedSize(from->len);
    ret->data = allocate(ret->len);
    if (!BrotliEncoderCompress(BROTLI_MAX_QUALITY, BROTLI_MAX_WINDOW_BITS, BROTLI_MODE_GENERIC,
                               from->len, from->data, &ret->len, ret->data))
        die("brotli", "compress");
#else
    (void)from;
    (void)ret;
#endif
}

static void add(const char *url, const char *path)
{
    struct entry *entry = allocate(sizeof *entry);

    memset(entry, 0, sizeof *entry);
    if (entry_count == FILES_MAX || strlen(url) >= sizeof entry->url ||
        strlen(path) >= sizeof entry->file || strpbrk(url, "\"\\\n"))
        die("too many files, or a name that cannot be served", url);
    memcpy(entry->url, url, strlen(url) + 1);
    memcpy(entry->file, path, strlen(path) + 1);
    read_file(path, &entry->identity);
    if (entry->identity.len >= COMPRESS_BYTES_MIN) {
        make_gzip(&entry->identity, &entry->gzip);
        make_br(&entry->identity, &entry->br);
    }
    if (entry->gzip.len >= entry->identity.len) /* pictures and fonts are compressed already */
        entry->gzip.len = entry->br.len = 0;
    entries[entry_count++] = entry;
}

static void walk(const char *root, const char *below)
{
    char folder[PATH_BYTES_MAX], url[PATH_BYTES_MAX], path[2 * PATH_BYTES_MAX];
    struct dirent *item;
    struct stat info;
    DIR *dir;

    if (snprintf(folder, sizeof folder, "%s%s", root, below) >= (int)sizeof folder)
        die("path too long", below);
    dir = opendir(folder);
    if (!dir)
        die("cannot open", folder);
    while ((item = readdir(dir))) {
        if (item->d_name[0] == '.')
            continue;
        if (snprintf(url, sizeof url, "%s/%s", below, item->d_name) >= (int)sizeof url)
            die("path too long", item->d_name);
        snprintf(path, sizeof path, "%s%s", root, url);
        if (stat(path, &info) != 0)
            die("cannot stat", path);
        if (S_ISDIR(info.st_mode))
            walk(root, url);
        else if (S_ISREG(info.st_mode))
            add(url, path);
    }
    closedir(dir);
}

static int by_url(const void *a, const void *b)
{
    return strcmp((*(struct entry *const *)a)->url, (*(struct entry *const *)b)->url);
}

static void write_form(FILE *out, struct form *form, size_t *offset)
{
    form->offset = *offset;
    if (form->len && fwrite(form->data, 1, form->len, out) != form->len)
        die("cannot write", "blob");
    *offset += form->len;
}

/* FNV-1a, 64 bits: tells versions of one file apart; nothing rests on its strength. */
static uint64_t fingerprint(const struct form *form)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < form->len; i++)
        hash = (hash ^ form->data[i]) * 0x100000001b3u;
    return hash;
}

static void write_slice(FILE *out, const char *name, const struct form *form)
{
    if (form->len)
        fprintf(out, ", .%s = {site_blob + %zu, %zu}", name, form->offset, form->len);
}

static void write_table(FILE *out, const char *blob_path)
{
    fprintf(out,
            "/* Written by embed. */\n#include \"site/site.h\"\n\n"
            "__asm__(\".section .rodata\\n.globl site_blob\\nsite_blob:\\n.incbin \\\"%s\\\"\\n"
            ".byte 0\\n.previous\\n\");\nextern const char site_blob[];\n\n"
            "const struct site_file site_files[] = {\n",
            blob_path);
    for (size_t i = 0; i < entry_count; i++) {
        const struct entry *entry = entries[i];

        fprintf(out, "    {.path = \"%s\", .type = \"%s\", .etag = \"\\\"%016llx\\\"\"", entry->url,
                site_type_by_extension(entry->file),
                (unsigned long long)fingerprint(&entry->identity));
        if (strncmp(entry->url, "/assets/", 8) == 0)
            fprintf(out, ", .immutable = true");
        fprintf(out, ", .identity = {site_blob + %zu, %zu}", entry->identity.offset,
                entry->identity.len);
        write_slice(out, "gzip", &entry->gzip);
        write_slice(out, "br", &entry->br);
        fprintf(out, "},\n");
    }
    fprintf(out, "    {0},\n};\nconst size_t site_file_count = %zu;\n", entry_count);
}

int main(int argc, char **argv)
{
    size_t offset = 0;
    FILE *blob, *table;

    if (argc < 3)
        die("usage", "embed OUT.c OUT.bin [--root DIR] [--as URL FILE]…");
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--root") == 0 && i + 1 < argc) {
            walk(argv[i + 1], "");
            i += 1;
        } else if (strcmp(argv[i], "--as") == 0 && i + 2 < argc) {
            add(argv[i + 1], argv[i + 2]);
            i += 2;
        } else {
            die("unknown argument", argv[i]);
        }
    }
    qsort(entries, entry_count, sizeof entries[0], by_url);
    blob = fopen(argv[2], "wb");
    if (!blob)
        die("cannot write", argv[2]);
    for (size_t i = 0; i < entry_count; i++) {
        write_form(blob, &entries[i]->identity, &offset);
        write_form(blob, &entries[i]->gzip, &offset);
        write_form(blob, &entries[i]->br, &offset);
    }
    table = fopen(argv[1], "w");
    if (!table)
        die("cannot write", argv[1]);
    write_table(table, argv[2]);
    return fclose(blob) == 0 && fclose(table) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
