/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/macros.h"

/* All state worth keeping is in the database or in a spool file, so a clean crash is the safest
 * answer. */
static _Noreturn void out_of_memory(size_t bytes)
{
    char line[96];
    int len = snprintf(line, sizeof(line), "out of memory: %zu bytes refused\n", bytes);

    if (write(STDERR_FILENO, line, (size_t)len) < 0)
        abort();
    abort();
}

void *mem_alloc(size_t bytes)
{
    void *ptr = malloc(bytes ? bytes : 1);

    if (!ptr)
        out_of_memory(bytes);
    return ptr;
}

void *mem_zalloc(size_t bytes)
{
    void *ptr = calloc(1, bytes ? bytes : 1);

    if (!ptr)
        out_of_memory(bytes);
    return ptr;
}

void *mem_realloc(void *ptr, size_t bytes)
{
    void *moved = realloc(ptr, bytes ? bytes : 1);

    if (!moved)
        out_of_memory(bytes);
    return moved;
}

char *mem_strdup(const char *text)
{
    size_t bytes;
    char *copy;

    if (!text)
        return NULL;
    bytes = strlen(text) + 1;
    copy = mem_alloc(bytes);
    memcpy(copy, text, bytes);
    return copy;
}

void free_ptr(void *pointer_to_pointer)
{
    void *ptr;

    /* Copied by bytes: the variable may be of any pointer type. */
    memcpy(&ptr, pointer_to_pointer, sizeof(ptr));
    free(ptr);
    ptr = NULL;
    memcpy(pointer_to_pointer, &ptr, sizeof(ptr));
}

void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
