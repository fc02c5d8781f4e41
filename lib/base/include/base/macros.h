/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H
/* Language helpers that every part uses: cleanup on scope exit, checked results, containers. */
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define AUTO(fn) __attribute__((cleanup(fn)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

/* AUTO(free_ptr) char *p: frees what the variable points to. */
void free_ptr(void *pointer_to_pointer);
/* AUTO(close_fd) int fd = -1 */
void close_fd(int *fd);
/* Allocation that cannot fail: the truth is in the database, so out of memory prints a line and
 * aborts. */
void *mem_alloc(size_t bytes);
void *mem_zalloc(size_t bytes);
void *mem_realloc(void *ptr, size_t bytes);
char *mem_strdup(const char *text);

#endif
