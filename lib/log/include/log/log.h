/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOG_LOG_H
#define LOG_LOG_H
/*
 * Structured log of the programs themselves (task logs are the logger service's). One line per
 * event on stderr, JSON or logfmt. The event name is a constant `noun.verb`; data goes in fields,
 * never into the sentence. log_info("task.claimed", LOG_ID("task", &id), LOG_U64("n", n)); error =
 * an operator must act; warn = ignored on purpose, says so; info = state changes; debug = free.
 */
#include "base/error.h"
#include "base/id.h"
#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_field_kind {
    LOG_KIND_STR,
    LOG_KIND_SLICE,
    LOG_KIND_I64,
    LOG_KIND_U64,
    LOG_KIND_BOOL,
    LOG_KIND_ID,
    LOG_KIND_ERROR
};
struct log_field {
    const char *key;
    enum log_field_kind kind;
    union {
        const char *str;
        struct slice slice;
        int64_t i64;
        uint64_t u64;
        const struct id *id;
        const struct error *error;
    };
};
#define LOG_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .str = (v)})
#define LOG_SLICE(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_SLICE, .slice = (v)})
#define LOG_I64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_I64, .i64 = (v)})
#define LOG_U64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_U64, .u64 = (v)})
#define LOG_BOOL(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_BOOL, .u64 = (v)})
#define LOG_ID(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_ID, .id = (v)})
#define LOG_ERR(v) ((struct log_field){.key = "error", .kind = LOG_KIND_ERROR, .error = (v)})

/* Called once at start. format: "json" or "logfmt". */
void log_init(const char *program, enum log_level level, const char *format);
bool log_level_from_name(const char *name, enum log_level *ret);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG_FIELDS(...) ((struct log_field[]){{0}, ##__VA_ARGS__})
#define LOG_AT(level, event, ...)                                                                  \
    do {                                                                                           \
        if (log_enabled(level))                                                                    \
            log_write((level), (event), LOG_FIELDS(__VA_ARGS__) + 1,                               \
                      ARRAY_LEN(LOG_FIELDS(__VA_ARGS__)) - 1);                                     \
    } while (0)
#define log_debug(event, ...) LOG_AT(LOG_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_INFO, event, ##__VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_WARN, event, ##__VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_ERROR, event, ##__VA_ARGS__)

#endif
