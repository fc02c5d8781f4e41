/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "exec/spec.h"

static enum status put(struct buf *out, char tag, const char *text)
{
    enum status st = buf_append(out, &tag, 1);

    return st == STATUS_OK ? buf_append(out, text, strlen(text) + 1) : st;
}

static enum status put_number(struct buf *out, char tag, long value)
{
    enum status st = buf_printf(out, "%c%ld", tag, value);

    return st == STATUS_OK ? buf_append(out, "", 1) : st;
}

static enum status spec_encode(const struct exec_spec *spec, struct buf *out)
{
    enum status st = put(out, 'C', spec->cwd);

    if (st == STATUS_OK)
        st = put_number(out, 'U', spec->uid);
    if (st == STATUS_OK)
        st = put_number(out, 'G', spec->gid);
    if (st == STATUS_OK)
        st = put_number(out, 'N', spec->narrow);
    if (st == STATUS_OK)
        st = put_number(out, 'F', (long)spec->files_max);
    for (char **arg = spec->argv; st == STATUS_OK && *arg; arg++)
        st = put(out, 'A', *arg);
    for (char **variable = spec->env; st == STATUS_OK && *variable; variable++)
        st = put(out, 'E', *variable);
    return st;
}

enum status exec_spec_write(const char *path, const struct exec_spec *spec, struct error *err)
{
    struct buf out;
    AUTO(close_fd) int fd = -1;

    buf_init(&out, SPEC_BYTES_MAX);
    enum status st = spec_encode(spec, &out);
    if (st != STATUS_OK)
        error_set(err, st, "arguments and environment take more than %u bytes", SPEC_BYTES_MAX);
    if (st == STATUS_OK) {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, out.data, out.len) != (ssize_t)out.len)
            st = error_set(err, status_from_errno(errno), "cannot write %s: %s", path,
                           strerror(errno));
    }
    buf_fini(&out);
    return st;
}

static void spec_entry(struct exec_spec *spec, char *entry, size_t *args, size_t *variables)
{
    char *value = entry + 1;

    switch (entry[0]) {
    case 'C':
        spec->cwd = value;
        break;
    case 'U':
        spec->uid = strtol(value, NULL, 10);
        break;
    case 'G':
        spec->gid = strtol(value, NULL, 10);
        break;
    case 'N':
        spec->narrow = *value == '1';
        break;
    case 'F':
        spec->files_max = strtoul(value, NULL, 10);
        break;
    case 'A':
        spec->argv[(*args)++] = value;
        break;
    case 'E':
        spec->env[(*variables)++] = value;
        break;
    }
}

enum status exec_spec_read(const char *path, struct arena *arena, struct exec_spec *ret,
                           struct error *err)
{
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    size_t entries = 0, args = 0, variables = 0;

    if (fd < 0 || fstat(fd, &info) != 0 || info.st_size > SPEC_BYTES_MAX)
        return error_set(err, STATUS_INTERNAL, "cannot open %s: %s", path, strerror(errno));
    size_t len = (size_t)info.st_size;
    char *text = arena_zalloc(arena, len + 1);
    if (read(fd, text, len) != (ssize_t)len)
        return error_set(err, STATUS_INTERNAL, "cannot read %s: %s", path, strerror(errno));
    for (size_t i = 0; i < len; i++)
        entries += text[i] == '\0';
    *ret = (struct exec_spec){.uid = -1, .gid = -1};
    ret->argv = ARENA_ARRAY(arena, char *, entries + 1);
    ret->env = ARENA_ARRAY(arena, char *, entries + 1);
    for (size_t at = 0; at < len; at += strlen(text + at) + 1)
        spec_entry(ret, text + at, &args, &variables);
    if (!ret->cwd || args == 0)
        return error_set(err, STATUS_INTERNAL, "%s is incomplete", path);
    return STATUS_OK;
}
