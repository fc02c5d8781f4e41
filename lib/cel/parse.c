/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include "base/text.h"
#include "internal.h"

struct parser {
    struct lexer lexer;
    struct arena *arena;
    uint32_t depth;
    uint32_t fault_column;
    const char *fault; /* the first one; what is parsed behind it is thrown away */
    struct path_list *paths, **paths_tail;
    uint32_t paths_len;
};

struct path_list {
    struct path_list *next;
    struct node *node;
};

static struct node *parse_expression(struct parser *parser);
static struct node *parse_unary(struct parser *parser);

static struct node *fail_at(struct parser *parser, uint32_t column, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static struct node *fail_at(struct parser *parser, uint32_t column, const char *fmt, ...)
{
    char text[256];
    va_list args;

    if (parser->fault)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    parser->fault = arena_strdup(parser->arena, text);
    parser->fault_column = column;
    return NULL;
}

/* Names what stands there instead. */
static struct node *fail_here(struct parser *parser, const char *expected)
{
    const struct lexer *lexer = &parser->lexer;
    char found[48];

    if (lexer->token == TOKEN_FAULT)
        return fail_at(parser, lexer->token_column, "%s", lexer->fault);
    if (lexer->token == TOKEN_END)
        return fail_at(parser, lexer->token_column, "expected %s, but the expression ends here",
                       expected);
    if (lexer->token == TOKEN_INT || lexer->token == TOKEN_DOUBLE)
        snprintf(found, sizeof(found), "a number");
    else if (lexer->token == TOKEN_STRING)
        snprintf(found, sizeof(found), "a string");
    else
        snprintf(found, sizeof(found), "'%.*s'", (int)MIN_OF(lexer->text.len, (size_t)32),
                 lexer->text.data);
    return fail_at(parser, lexer->token_column, "expected %s, found %s", expected, found);
}

static bool is_symbol(const struct parser *parser, const char *symbol)
{
    return parser->lexer.token == TOKEN_SYMBOL && slice_is(parser->lexer.text, symbol);
}

static bool take(struct parser *parser, const char *symbol)
{
    if (!is_symbol(parser, symbol))
        return false;
    cel__lex_next(&parser->lexer);
    return true;
}

static bool expect(struct parser *parser, const char *symbol)
{
    char quoted[8];

    if (take(parser, symbol))
        return true;
    snprintf(quoted, sizeof(quoted), "'%s'", symbol);
    (void)fail_here(parser, quoted);
    return false;
}

static struct node *node_new(struct parser *parser, enum op op, uint32_t column, struct node **args,
                             uint32_t args_len)
{
    struct node *node = ARENA_NEW(parser->arena, struct node);

    node->op = op;
    node->column = column;
    node->args_len = args_len;
    node->depth = 1;
    if (args_len)
        node->args = arena_memdup(parser->arena, args, sizeof(*args) * args_len);
    for (uint32_t i = 0; i < args_len; i++)
        node->depth = MAX_OF(node->depth, args[i]->depth + 1);
    if (node->depth > TREE_DEPTH_MAX)
        return fail_at(parser, column, "too many operators in a row (at most %d)", TREE_DEPTH_MAX);
    return node;
}

static struct node *node_const(struct parser *parser, uint32_t column, struct value value)
{
    struct node *node = node_new(parser, OP_CONST, column, NULL, 0);

    node->constant = value;
    return node;
}

/* A path grows by a constant selector; its node is used again, so that each path is listed once, at
 * its full length. */
static struct node *path_extend(struct parser *parser, struct node *node, struct slice name)
{
    const struct cel_path *from = node->path;
    struct cel_path *path = ARENA_NEW(parser->arena, struct cel_path);
    const char **parts = ARENA_ARRAY(parser->arena, const char *, from->parts_len + 1);

    memcpy(parts, from->parts, sizeof(*parts) * from->parts_len);
    parts[from->parts_len] = arena_strndup(parser->arena, name.data, name.len);
    *path = (struct cel_path){parts, from->parts_len + 1, from->column};
    node->path = path;
    return node;
}

static struct node *path_begin(struct parser *parser, struct slice name, uint32_t column)
{
    struct node *node = node_new(parser, OP_PATH, column, NULL, 0);
    struct path_list *entry = ARENA_NEW(parser->arena, struct path_list);
    struct cel_path *path = ARENA_NEW(parser->arena, struct cel_path);
    const char **parts = ARENA_ARRAY(parser->arena, const char *, 1);

    parts[0] = arena_strndup(parser->arena, name.data, name.len);
    *path = (struct cel_path){parts, 1, column};
    node->path = path;
    entry->node = node;
    *parser->paths_tail = entry;
    parser->paths_tail = &entry->next;
    parser->paths_len++;
    return node;
}

/* Arguments up to `close`, at most ARGUMENTS_MAX from `used` on. False on a fault. */
static bool parse_arguments(struct parser *parser, const char *close, struct node **args,
                            uint32_t *used)
{
    while (!take(parser, close)) {
        if (*used == ARGUMENTS_MAX) {
            (void)fail_at(parser, parser->lexer.token_column, "more than %d elements",
                          ARGUMENTS_MAX);
            return false;
        }
        args[*used] = parse_expression(parser);
        if (!args[*used])
            return false;
        (*used)++;
        if (take(parser, ","))
            continue;
        if (!expect(parser, close))
            return false;
        return true;
    }
    return true;
}

static struct node *parse_call(struct parser *parser, struct slice name, uint32_t column,
                               struct node *receiver)
{
    const struct function *function = cel__function(name, receiver != NULL);
    struct node *args[ARGUMENTS_MAX];
    uint32_t used = 0;
    struct node *node;

    if (!function)
        return fail_at(parser, column, "%s", cel__function_fault(parser->arena, name));
    if (receiver)
        args[used++] = receiver;
    if (!parse_arguments(parser, ")", args, &used))
        return NULL;
    if (used < function->args_min || used > function->args_max)
        return fail_at(parser, column, "%s() takes %s%u argument%s", function->name,
                       function->args_min == function->args_max ? "" : "at least ",
                       function->args_min - (receiver ? 1u : 0u),
                       function->args_min - (receiver ? 1u : 0u) == 1 ? "" : "s");
    if (strcmp(function->name, "has") == 0) {
        if (args[0]->op != OP_FIELD && (args[0]->op != OP_PATH || args[0]->path->parts_len < 2))
            return fail_at(parser, column, "has() takes a field selection such as has(a.b)");
        return node_new(parser, OP_HAS, column, args, 1);
    }
    node = node_new(parser, OP_CALL, column, args, used);
    if (node)
        node->function = function;
    return node;
}

static struct node *parse_field(struct parser *parser, struct node *left)
{
    uint32_t column = parser->lexer.token_column;
    bool optional, quoted;
    struct slice name;
    struct node *node;

    optional = take(parser, "?");
    column = parser->lexer.token_column;
    quoted = parser->lexer.token == TOKEN_QUOTED_IDENT;
    if (parser->lexer.token != TOKEN_IDENT && !quoted)
        return fail_here(parser, "a field name");
    name = parser->lexer.text;
    cel__lex_next(&parser->lexer);
    if (!optional && !quoted && take(parser, "("))
        return parse_call(parser, name, column, left);
    if (!optional && left->op == OP_PATH)
        return path_extend(parser, left, name);
    node = node_new(parser, optional ? OP_OPT_FIELD : OP_FIELD, column, &left, 1);
    if (node)
        node->name = arena_strndup(parser->arena, name.data, name.len);
    return node;
}

static struct node *parse_index(struct parser *parser, struct node *left)
{
    uint32_t column = parser->lexer.token_column;
    bool optional = take(parser, "?");
    struct node *args[2] = {left, parse_expression(parser)};

    if (!args[1] || !expect(parser, "]"))
        return NULL;
    if (!optional && left->op == OP_PATH && args[1]->op == OP_CONST &&
        args[1]->constant.kind == KIND_STRING)
        return path_extend(parser, left, args[1]->constant.string);
    return node_new(parser, optional ? OP_OPT_INDEX : OP_INDEX, column, args, 2);
}

static struct node *parse_map(struct parser *parser, uint32_t column)
{
    struct node *args[ARGUMENTS_MAX];
    uint32_t used = 0;

    while (!take(parser, "}")) {
        if (used == ARGUMENTS_MAX)
            return fail_at(parser, parser->lexer.token_column, "more than %d entries",
                           ARGUMENTS_MAX / 2);
        args[used] = parse_expression(parser);
        if (!args[used] || !expect(parser, ":"))
            return NULL;
        args[used + 1] = parse_expression(parser);
        if (!args[used + 1])
            return NULL;
        used += 2;
        if (take(parser, ","))
            continue;
        if (!expect(parser, "}"))
            return NULL;
        break;
    }
    return node_new(parser, OP_MAP, column, args, used);
}

static struct node *parse_list(struct parser *parser, uint32_t column)
{
    struct node *args[ARGUMENTS_MAX];
    uint32_t used = 0;

    if (!parse_arguments(parser, "]", args, &used))
        return NULL;
    return node_new(parser, OP_LIST, column, args, used);
}

static bool is_reserved(struct slice name)
{
    static const char *const WORDS[] = {
        "as",     "break", "const", "continue", "else",      "for",    "function", "if",   "in",
        "import", "let",   "loop",  "package",  "namespace", "return", "var",      "void", "while"};

    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++) {
        if (slice_is(name, WORDS[i]))
            return true;
    }
    return false;
}

static struct node *parse_name(struct parser *parser)
{
    struct slice name = parser->lexer.text;
    uint32_t column = parser->lexer.token_column;

    if (is_reserved(name))
        return fail_at(parser, column, "'%.*s' is a reserved word", (int)name.len, name.data);
    cel__lex_next(&parser->lexer);
    if (slice_is(name, "true") || slice_is(name, "false"))
        return node_const(parser, column,
                          (struct value){.kind = KIND_BOOL, .boolean = slice_is(name, "true")});
    if (slice_is(name, "null"))
        return node_const(parser, column, (struct value){.kind = KIND_NULL});
    if (take(parser, "("))
        return parse_call(parser, name, column, NULL);
    return path_begin(parser, name, column);
}

static struct node *parse_primary(struct parser *parser)
{
    struct lexer *lexer = &parser->lexer;
    uint32_t column = lexer->token_column;
    struct value value = {0};
    struct node *node;

    switch (lexer->token) {
    case TOKEN_INT:
        if (lexer->integer < 0)
            return fail_at(parser, column, "integer does not fit 64 bits");
        value = (struct value){.kind = KIND_INT, .integer = lexer->integer};
        break;
    case TOKEN_DOUBLE:
        value = (struct value){.kind = KIND_DOUBLE, .real = lexer->real};
        break;
    case TOKEN_STRING:
        value = (struct value){.kind = KIND_STRING, .string = lexer->text};
        break;
    case TOKEN_IDENT:
        return parse_name(parser);
    default:
        if (take(parser, "(")) {
            node = parse_expression(parser);
            return node && expect(parser, ")") ? node : NULL;
        }
        if (take(parser, "["))
            return parse_list(parser, column);
        if (take(parser, "{"))
            return parse_map(parser, column);
        return fail_here(parser, "a value");
    }
    cel__lex_next(lexer);
    return node_const(parser, column, value);
}

static struct node *parse_member(struct parser *parser)
{
    struct node *node = parse_primary(parser);

    while (node) {
        if (take(parser, "."))
            node = parse_field(parser, node);
        else if (take(parser, "["))
            node = parse_index(parser, node);
        else
            return node;
    }
    return NULL;
}

static struct node *parse_negated(struct parser *parser, uint32_t column)
{
    struct node *node;

    /* -9223372036854775808 is a literal: its magnitude alone would not fit. */
    if (parser->lexer.token == TOKEN_INT && parser->lexer.integer == INT64_MIN) {
        cel__lex_next(&parser->lexer);
        return node_const(parser, column, (struct value){.kind = KIND_INT, .integer = INT64_MIN});
    }
    node = parse_unary(parser);
    return node ? node_new(parser, OP_NEGATE, column, &node, 1) : NULL;
}

static struct node *parse_unary(struct parser *parser)
{
    uint32_t column = parser->lexer.token_column;
    struct node *node;

    if (!is_symbol(parser, "!") && !is_symbol(parser, "-"))
        return parse_member(parser);
    if (parser->depth == CEL_DEPTH_MAX)
        return fail_at(parser, column, "nested deeper than %d levels", CEL_DEPTH_MAX);
    parser->depth++;
    if (take(parser, "!")) {
        node = parse_unary(parser);
        if (node)
            node = node_new(parser, OP_NOT, column, &node, 1);
    } else {
        (void)take(parser, "-");
        node = parse_negated(parser, column);
    }
    parser->depth--;
    return node;
}

struct binary {
    const char *symbol;
    enum op op;
    int level; /* higher binds tighter */
};

static const struct binary BINARIES[] = {
    {"==", OP_EQ, 1}, {"!=", OP_NE, 1}, {"<", OP_LT, 1},  {"<=", OP_LE, 1},
    {">", OP_GT, 1},  {">=", OP_GE, 1}, {"in", OP_IN, 1}, {"+", OP_ADD, 2},
    {"-", OP_SUB, 2}, {"*", OP_MUL, 3}, {"/", OP_DIV, 3}, {"%", OP_MOD, 3},
};

static const struct binary *binary_here(const struct parser *parser)
{
    if (parser->lexer.token != TOKEN_SYMBOL && parser->lexer.token != TOKEN_IDENT)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(BINARIES); i++) {
        if (slice_is(parser->lexer.text, BINARIES[i].symbol))
            return &BINARIES[i];
    }
    return NULL;
}

static struct node *parse_binary(struct parser *parser, int level)
{
    struct node *args[2] = {parse_unary(parser), NULL};
    const struct binary *binary;

    while (args[0] && (binary = binary_here(parser)) && binary->level >= level) {
        uint32_t column = parser->lexer.token_column;

        cel__lex_next(&parser->lexer);
        args[1] = parse_binary(parser, binary->level + 1);
        if (!args[1])
            return NULL;
        args[0] = node_new(parser, binary->op, column, args, 2);
    }
    return args[0];
}

/* a && b && c is one node, so that long conditions stay flat. */
static struct node *parse_logic(struct parser *parser, enum op op)
{
    const char *symbol = op == OP_OR ? "||" : "&&";
    struct node *args[ARGUMENTS_MAX];
    uint32_t used = 0, column = parser->lexer.token_column;

    do {
        if (used == ARGUMENTS_MAX)
            return fail_at(parser, parser->lexer.token_column, "more than %d conditions in a row",
                           ARGUMENTS_MAX);
        args[used] = op == OP_OR ? parse_logic(parser, OP_AND) : parse_binary(parser, 1);
        if (!args[used])
            return NULL;
        used++;
    } while (take(parser, symbol));
    return used == 1 ? args[0] : node_new(parser, op, column, args, used);
}

static struct node *parse_expression(struct parser *parser)
{
    struct node *args[3] = {0};
    struct node *node;
    uint32_t column = parser->lexer.token_column;

    if (parser->depth == CEL_DEPTH_MAX)
        return fail_at(parser, column, "nested deeper than %d levels", CEL_DEPTH_MAX);
    parser->depth++;
    node = parse_logic(parser, OP_OR);
    if (node && take(parser, "?")) {
        args[0] = node;
        args[1] = parse_logic(parser, OP_OR);
        args[2] = args[1] && expect(parser, ":") ? parse_expression(parser) : NULL;
        node = args[2] ? node_new(parser, OP_CHOOSE, column, args, 3) : NULL;
    }
    parser->depth--;
    return node;
}

static const struct cel_program *program_new(struct parser *parser, const struct node *root)
{
    struct cel_program *program = ARENA_NEW(parser->arena, struct cel_program);
    struct cel_path *paths = ARENA_ARRAY(parser->arena, struct cel_path, parser->paths_len + 1);
    uint32_t n = 0;

    for (struct path_list *entry = parser->paths; entry; entry = entry->next)
        paths[n++] = *entry->node->path;
    program->root = root;
    program->paths = paths;
    program->paths_len = n;
    return program;
}

enum status cel__compile(struct slice text, uint32_t column, struct arena *arena,
                         const struct cel_program **ret, uint32_t *ret_column, struct error *err)
{
    struct parser parser = {.arena = arena};
    struct node *root;

    parser.paths_tail = &parser.paths;
    if (text.len > CEL_TEXT_BYTES_MAX) {
        if (ret_column)
            *ret_column = column;
        return error_field(err, STATUS_INVALID_ARGUMENT, "EXPRESSION_INVALID", NULL,
                           "expression is longer than %zu bytes", CEL_TEXT_BYTES_MAX);
    }
    if (!text_is_utf8(text.data, text.len) || (text.len && memchr(text.data, '\0', text.len)))
        (void)fail_at(&parser, column, "expression is not UTF-8 text");
    cel__lex_init(&parser.lexer, text, column, arena);
    root = parser.fault ? NULL : parse_expression(&parser);
    if (root && parser.lexer.token != TOKEN_END)
        (void)fail_here(&parser, "an operator or the end");
    if (parser.fault) {
        if (ret_column)
            *ret_column = parser.fault_column;
        return error_field(err, STATUS_INVALID_ARGUMENT, "EXPRESSION_INVALID", NULL,
                           "column %u: %s", parser.fault_column, parser.fault);
    }
    *ret = program_new(&parser, root);
    return STATUS_OK;
}

enum status cel_compile(struct slice text, struct arena *arena, const struct cel_program **ret,
                        uint32_t *ret_column, struct error *err)
{
    return cel__compile(text, 1, arena, ret, ret_column, err);
}

const struct cel_path *cel_paths(const struct cel_program *program, uint32_t *ret_len)
{
    *ret_len = program->paths_len;
    return program->paths;
}
