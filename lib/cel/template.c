/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "internal.h"
#include "json/json.h"

#define OPEN "${{"
#define OPEN_LEN 3
#define CLOSE_LEN 2

struct part {
    struct part *next;
    struct slice literal; /* when program is NULL */
    const struct cel_program *program;
};

struct cel_template {
    const struct part *parts;
    uint32_t parts_len;
    uint32_t programs_len;
};

static const char *find_open(const char *at, const char *end)
{
    return at < end ? memmem(at, (size_t)(end - at), OPEN, OPEN_LEN) : NULL;
}

bool cel_template_has_expression(struct slice text)
{
    const char *end = text.data + text.len;

    for (const char *at = find_open(text.data, end); at; at = find_open(at + OPEN_LEN, end)) {
        if (at == text.data || at[-1] != '$')
            return true;
    }
    return false;
}

struct builder {
    struct arena *arena;
    struct part *first, **tail;
    uint32_t parts_len, programs_len;
};

static struct part *add_part(struct builder *builder)
{
    struct part *part = ARENA_NEW(builder->arena, struct part);

    *builder->tail = part;
    builder->tail = &part->next;
    builder->parts_len++;
    return part;
}

static void add_literal(struct builder *builder, const char *begin, const char *end)
{
    size_t len = (size_t)(end - begin);

    if (len)
        add_part(builder)->literal = (struct slice){arena_memdup(builder->arena, begin, len), len};
}

static uint32_t column_of(struct slice text, const char *at)
{
    uint32_t column = 1;

    for (const char *p = text.data; p < at; p++)
        column += ((unsigned char)*p & 0xC0) != 0x80;
    return column;
}

static enum status add_program(struct builder *builder, struct slice text, const char *open,
                               const char **ret_end, uint32_t *ret_column, struct error *err)
{
    const char *begin = open + OPEN_LEN;
    const char *close = cel__find_end(begin, text.data + text.len);
    const struct cel_program *program;
    enum status status;

    if (!close) {
        if (ret_column)
            *ret_column = column_of(text, open);
        return error_field(err, STATUS_INVALID_ARGUMENT, "EXPRESSION_INVALID", NULL,
                           "column %u: '${{' has no '}}'", column_of(text, open));
    }
    status = cel__compile((struct slice){begin, (size_t)(close - begin)}, column_of(text, begin),
                          builder->arena, &program, ret_column, err);
    if (status != STATUS_OK)
        return status;
    add_part(builder)->program = program;
    builder->programs_len++;
    *ret_end = close + CLOSE_LEN;
    return STATUS_OK;
}

enum status cel_template_compile(struct slice text, struct arena *arena,
                                 const struct cel_template **ret, uint32_t *ret_column,
                                 struct error *err)
{
    struct builder builder = {.arena = arena};
    const char *at = text.data, *end = text.data + text.len, *open;
    struct cel_template *tmpl;
    enum status status;

    builder.tail = &builder.first;
    while ((open = find_open(at, end))) {
        if (open > at &&
            open[-1] == '$') { /* $${{: the second $ and the braces are meant literally */
            add_literal(&builder, at, open - 1);
            add_literal(&builder, open, open + OPEN_LEN);
            at = open + OPEN_LEN;
            continue;
        }
        add_literal(&builder, at, open);
        status = add_program(&builder, text, open, &at, ret_column, err);
        if (status != STATUS_OK)
            return status;
    }
    add_literal(&builder, at, end);
    tmpl = ARENA_NEW(arena, struct cel_template);
    *tmpl = (struct cel_template){builder.first, builder.parts_len, builder.programs_len};
    *ret = tmpl;
    return STATUS_OK;
}

bool cel_template_is_single(const struct cel_template *tmpl)
{
    return tmpl->parts_len == 1 && tmpl->programs_len == 1;
}

static enum status append_part(const struct part *part, const struct cel_env *env, struct buf *out,
                               struct error *err)
{
    AUTO(json_drop) json_t *json = NULL;
    enum status status;

    if (!part->program)
        return buf_append(out, part->literal.data, part->literal.len);
    status = cel_eval(part->program, env, &json, err);
    if (status != STATUS_OK)
        return status;
    if (json_is_null(json))
        return STATUS_OK;
    if (json_is_string(json))
        return buf_append(out, json_string_value(json), json_string_length(json));
    return json_append(out, json);
}

enum status cel_template_eval(const struct cel_template *tmpl, const struct cel_env *env,
                              json_t **ret, struct error *err)
{
    struct error full = {0};
    AUTO(buf_fini) struct buf out = {0};
    enum status status;

    buf_init(&out, CEL_RESULT_BYTES_MAX);
    if (cel_template_is_single(tmpl))
        return cel_eval(tmpl->parts->program, env, ret, err);
    for (const struct part *part = tmpl->parts; part; part = part->next) {
        status = append_part(part, env, &out, &full);
        if (status == STATUS_OK)
            continue;
        if (full.status == STATUS_OK)
            return error_field(err, STATUS_RESOURCE_EXHAUSTED, "LIMIT", NULL,
                               "text is larger than 256 KiB");
        if (err)
            *err = full;
        return status;
    }
    *ret = json_stringn_nocheck(out.data ? out.data : "", out.len);
    return STATUS_OK;
}

void cel_template_each_path(const struct cel_template *tmpl, cel_path_fn fn, void *userdata)
{
    for (const struct part *part = tmpl->parts; part; part = part->next) {
        for (uint32_t i = 0; part->program && i < part->program->paths_len; i++)
            fn(userdata, &part->program->paths[i]);
    }
}
