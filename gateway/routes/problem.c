/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "json/json.h"
#include "routes/problem.h"

#define HINT_START " (did you mean "

struct reason_status {
    const char *reason;
    unsigned http_status;
};
/* Reasons that say more than their code does in HTTP. */
static const struct reason_status by_reason[] = {
    {"PLAN_INVALID", 422},       {"INPUT_INVALID", 422},       {"ETAG_MISMATCH", 412},
    {"PAYLOAD_TOO_LARGE", 413},  {"REQUEST_ID_CONFLICT", 409}, {"WRONG_STATE", 409},
    {"LIMIT_REACHED", 409},      {"PLAN_ARCHIVED", 409},       {"UNSUPPORTED_TYPE", 415},
    {"METHOD_NOT_ALLOWED", 405}, {"HOST_NOT_ALLOWED", 421},
};
static const uint16_t by_code[] = {
    [STATUS_OK] = 200,
    [STATUS_CANCELLED] = 499,
    [STATUS_UNKNOWN] = 500,
    [STATUS_INVALID_ARGUMENT] = 400,
    [STATUS_DEADLINE_EXCEEDED] = 504,
    [STATUS_NOT_FOUND] = 404,
    [STATUS_ALREADY_EXISTS] = 409,
    [STATUS_PERMISSION_DENIED] = 403,
    [STATUS_RESOURCE_EXHAUSTED] = 429,
    [STATUS_FAILED_PRECONDITION] = 400,
    [STATUS_ABORTED] = 409,
    [STATUS_OUT_OF_RANGE] = 400,
    [STATUS_UNIMPLEMENTED] = 501,
    [STATUS_INTERNAL] = 500,
    [STATUS_UNAVAILABLE] = 503,
    [STATUS_DATA_LOSS] = 500,
    [STATUS_UNAUTHENTICATED] = 401,
};

unsigned problem_http_status(const struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(by_reason); i++)
        if (str_eq(err->reason, by_reason[i].reason))
            return by_reason[i].http_status;
    return (size_t)err->status < ARRAY_LEN(by_code) ? by_code[err->status] : 500;
}

const char *problem_title(unsigned http_status)
{
    static const struct {
        unsigned http_status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {499, "Client Closed Request"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (titles[i].http_status == http_status)
            return titles[i].title;
    return "Error";
}

static void member_slice(struct buf *out, const char *name, struct slice value)
{
    buf_putf(out, ",\"%s\":", name);
    json_write_string(out, value);
}

static void member(struct buf *out, const char *name, const char *value)
{
    member_slice(out, name, slice_of(value));
}

/* "task.type" is "type" for whoever sent the task as the body. */
static const char *body_path(const char *field, const char *body_field)
{
    size_t len = body_field ? strlen(body_field) : 0;

    if (len && strncmp(field, body_field, len) == 0 && (field[len] == '.' || field[len] == '['))
        return field + len + (field[len] == '.');
    return field;
}

/* On the wire a violation is a field and one sentence: "line 3, column 5: what (did you mean …?)".
 * HTTP has places for the parts, so they are taken apart again. */
static struct slice take_apart(const struct error_violation *violation, uint32_t *line,
                               uint32_t *column, struct slice *hint)
{
    const char *text = violation->description, *open;
    uint32_t said_line, said_column;
    struct slice rest;
    int used = 0;

    *line = violation->line;
    *column = violation->column;
    *hint = slice_of(violation->hint);
    if (!*line &&
        sscanf(text, "line %9" SCNu32 ", column %9" SCNu32 ": %n", &said_line, &said_column,
               &used) == 2 &&
        used) {
        *line = said_line;
        *column = said_column;
        text += used;
    }
    rest = slice_of(text);
    open = hint->len || !rest.len || text[rest.len - 1] != ')' ? NULL : strstr(text, HINT_START);
    if (open) {
        *hint = (struct slice){open + 2, (size_t)(text + rest.len - open) - 3};
        rest.len = (size_t)(open - text);
    }
    return rest;
}

static void write_violation(struct buf *out, const struct error_violation *violation,
                            const char *body_field)
{
    uint32_t line, column;
    struct slice hint, description = take_apart(violation, &line, &column, &hint);

    buf_puts(out, "{\"field\":");
    json_write_string(out, slice_of(body_path(violation->field, body_field)));
    member_slice(out, "description", description);
    if (hint.len)
        member_slice(out, "hint", hint);
    if (line)
        buf_putf(out, ",\"line\":%u", line);
    if (column)
        buf_putf(out, ",\"column\":%u", column);
    buf_putc(out, '}');
}

/* Escapes at most six bytes for one, plus the names. */
static size_t violation_bytes(const struct error_violation *violation)
{
    return 6 * (strlen(violation->field) + strlen(violation->description) +
                (violation->hint ? strlen(violation->hint) : 0)) +
           128;
}

static void write_violations(struct buf *out, const struct error *err, const char *body_field)
{
    const char *separator = "";

    buf_puts(out, ",\"violations\":[");
    for (const struct error_violation *v = err->violations; v; v = v->next) {
        if (out->len + violation_bytes(v) + 16 > out->max)
            break;
        buf_puts(out, separator);
        write_violation(out, v, body_field);
        separator = ",";
    }
    if (!err->violations && err->field[0]) {
        struct error_violation only = {.field = err->field, .description = err->message};

        write_violation(out, &only, body_field);
    }
    buf_putc(out, ']');
}

void problem_write(struct buf *out, const struct error *err, unsigned http_status,
                   const char *request_id, const char *body_field)
{
    char type[sizeof err->reason + 32] = "about:blank";

    if (err->reason[0])
        snprintf(type, sizeof type, "urn:plankton:error:%s", err->reason);
    buf_puts(out, "{\"type\":");
    json_write_string(out, slice_of(type));
    member(out, "title", problem_title(http_status));
    buf_putf(out, ",\"status\":%u", http_status);
    member(out, "detail", err->message);
    member(out, "code", status_name(err->status));
    member(out, "reason", err->reason);
    member(out, "requestId", request_id);
    write_violations(out, err, body_field);
    buf_putc(out, '}');
}
