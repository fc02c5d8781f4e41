/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include "base/text.h"
#include "internal.h"

/* Longest first, so that `<=` is not read as `<`. */
static const char *const SYMBOLS[] = {"&&", "||", "==", "!=", "<=", ">=", "<", ">",
                                      "!",  "+",  "-",  "*",  "/",  "%",  "?", ":",
                                      ".",  ",",  "(",  ")",  "[",  "]",  "{", "}"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_ident_begin(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static void fault(struct lexer *lexer, const char *text)
{
    lexer->token = TOKEN_FAULT;
    lexer->fault = text;
}

static void advance(struct lexer *lexer, const char *to)
{
    for (; lexer->at < to; lexer->at++)
        lexer->column += ((unsigned char)*lexer->at & 0xC0) != 0x80;
}

void cel__lex_init(struct lexer *lexer, struct slice text, uint32_t column, struct arena *arena)
{
    *lexer = (struct lexer){
        .at = text.data, .end = text.data + text.len, .column = column, .arena = arena};
    cel__lex_next(lexer);
}

static void lex_hex(struct lexer *lexer, const char *at)
{
    uint64_t value = 0;
    const char *begin = at;

    for (; at < lexer->end && hex_value(*at) >= 0; at++) {
        if (value >> 60) {
            fault(lexer, "integer does not fit 64 bits");
            return;
        }
        value = value << 4 | (uint64_t)hex_value(*at);
    }
    if (at == begin || (at < lexer->end && (is_ident_begin(*at) || *at == '.')))
        fault(lexer, "invalid number");
    else if (value > (uint64_t)INT64_MAX + 1)
        fault(lexer, "integer does not fit 64 bits");
    else
        lexer->integer = (int64_t)value;
    advance(lexer, at);
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

static void lex_decimal(struct lexer *lexer, const char *begin, const char *end, bool real)
{
    char text[512];
    size_t len = (size_t)(end - begin);
    unsigned long long magnitude;

    if (len >= sizeof(text)) {
        fault(lexer, "number is too long");
        return;
    }
    memcpy(text, begin, len);
    text[len] = '\0';
    if (real) {
        lexer->token = TOKEN_DOUBLE;
        lexer->real = strtod(text, NULL);
        if (lexer->real - lexer->real != 0)
            fault(lexer, "number is too large for a double");
        return;
    }
    errno = 0;
    magnitude = strtoull(text, NULL, 10);
    if (errno || magnitude > (unsigned long long)INT64_MAX + 1)
        fault(lexer, "integer does not fit 64 bits");
    lexer->integer = (int64_t)magnitude;
}

static void lex_number(struct lexer *lexer)
{
    const char *begin = lexer->at, *at = skip_digits(begin, lexer->end), *exponent;
    bool real = false;

    lexer->token = TOKEN_INT;
    if (at - begin == 1 && *begin == '0' && at < lexer->end && (*at == 'x' || *at == 'X')) {
        lex_hex(lexer, at + 1);
        return;
    }
    if (at + 1 < lexer->end && *at == '.' && is_digit(at[1])) {
        real = true;
        at = skip_digits(at + 1, lexer->end);
    }
    if (at < lexer->end && (*at == 'e' || *at == 'E')) {
        exponent = at + 1;
        if (exponent < lexer->end && (*exponent == '+' || *exponent == '-'))
            exponent++;
        at = skip_digits(exponent, lexer->end);
        real = at > exponent;
        if (!real)
            at = exponent;
    }
    if (at < lexer->end && (*at == 'u' || *at == 'U'))
        fault(lexer, "unsigned integers are not supported");
    else if (at < lexer->end && is_ident_begin(*at))
        fault(lexer, "invalid number");
    else
        lex_decimal(lexer, begin, at, real);
    advance(lexer, at);
}

static size_t put_utf8(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* Digits of an escape in base 8 or 16; NULL when they do not make a character. */
static const char *escape_code(const char *at, const char *end, int count, uint32_t base,
                               char **out)
{
    uint32_t code = 0;

    for (int i = 0; i < count; i++, at++) {
        int digit = at < end ? hex_value(*at) : -1;

        if (digit < 0 || (uint32_t)digit >= base)
            return NULL;
        code = code * base + (uint32_t)digit;
    }
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return NULL;
    *out += put_utf8(code, *out);
    return at;
}

/* at is behind the backslash; NULL when invalid. Never writes more bytes than it reads. */
static const char *escape(const char *at, const char *end, char **out)
{
    static const char PLAIN[] = "\\?\"'`abfnrtv";
    static const char MEANS[] = "\\?\"'`\a\b\f\n\r\t\v";
    const char *found;

    if (at >= end)
        return NULL;
    found = *at ? strchr(PLAIN, *at) : NULL;
    if (found) {
        *(*out)++ = MEANS[found - PLAIN];
        return at + 1;
    }
    switch (*at) {
    case 'x':
    case 'X':
        return escape_code(at + 1, end, 2, 16, out);
    case 'u':
        return escape_code(at + 1, end, 4, 16, out);
    case 'U':
        return escape_code(at + 1, end, 8, 16, out);
    case '0':
    case '1':
    case '2':
    case '3':
        return escape_code(at, end, 3, 8, out);
    default:
        return NULL;
    }
}

/* The quote that a string literal begins with: its length is 1 or 3. */
static size_t quote_len(const char *at, const char *end)
{
    return end - at >= 3 && at[1] == at[0] && at[2] == at[0] ? 3 : 1;
}

static bool at_quote(const char *at, const char *end, char quote, size_t len)
{
    if ((size_t)(end - at) < len || at[0] != quote)
        return false;
    return len == 1 || (at[1] == quote && at[2] == quote);
}

/* Behind the end of a string literal whose quote is at `at`; `end` when it has none. */
static const char *skip_string(const char *begin, const char *at, const char *end)
{
    char quote = *at;
    size_t len = quote_len(at, end);
    bool raw = at > begin && (at[-1] == 'r' || at[-1] == 'R');

    at += len;
    while (at < end && !at_quote(at, end, quote, len))
        at += *at == '\\' && !raw && at + 1 < end ? 2 : 1;
    return at < end ? at + len : end;
}

static void lex_string(struct lexer *lexer, const char *at, bool raw)
{
    char quote = *at;
    size_t len = quote_len(at, lexer->end);
    char *out =
        arena_alloc(lexer->arena, (size_t)(skip_string(lexer->at, at, lexer->end) - at) + 1);

    lexer->token = TOKEN_STRING;
    lexer->text.data = out;
    at += len;
    while (!at_quote(at, lexer->end, quote, len)) {
        if (at >= lexer->end || (len == 1 && *at == '\n')) {
            fault(lexer, "string has no end");
            return;
        }
        if (*at == '\\' && !raw) {
            at = escape(at + 1, lexer->end, &out);
            if (!at) {
                fault(lexer, "invalid escape in a string");
                return;
            }
        } else {
            *out++ = *at++;
        }
    }
    lexer->text.len = (size_t)(out - lexer->text.data);
    *out = '\0';
    advance(lexer, at + len);
}

static void lex_ident(struct lexer *lexer)
{
    const char *at = lexer->at;

    while (at < lexer->end && (is_ident_begin(*at) || is_digit(*at)))
        at++;
    lexer->text = (struct slice){lexer->at, (size_t)(at - lexer->at)};
    if (at < lexer->end && (*at == '"' || *at == '\'') && lexer->text.len <= 2) {
        bool raw = lexer->text.len == 1 && (*lexer->at == 'r' || *lexer->at == 'R');

        if (raw)
            lex_string(lexer, at, true);
        else
            fault(lexer, "bytes are not supported");
        return;
    }
    lexer->token = TOKEN_IDENT;
    advance(lexer, at);
}

static void lex_quoted_ident(struct lexer *lexer)
{
    const char *begin = lexer->at + 1;
    const char *end = memchr(begin, '`', (size_t)(lexer->end - begin));

    lexer->token = TOKEN_QUOTED_IDENT;
    if (!end || end == begin) {
        fault(lexer, "quoted name has no end");
        return;
    }
    lexer->text = (struct slice){begin, (size_t)(end - begin)};
    advance(lexer, end + 1);
}

static void lex_symbol(struct lexer *lexer)
{
    for (size_t i = 0; i < ARRAY_LEN(SYMBOLS); i++) {
        size_t len = strlen(SYMBOLS[i]);

        if ((size_t)(lexer->end - lexer->at) >= len && memcmp(lexer->at, SYMBOLS[i], len) == 0) {
            lexer->token = TOKEN_SYMBOL;
            lexer->text = slice_of(SYMBOLS[i]);
            advance(lexer, lexer->at + len);
            return;
        }
    }
    switch (*lexer->at) {
    case '=':
        fault(lexer, "'=' is not an operator: equality is '=='");
        return;
    case '&':
    case '|':
        fault(lexer, "bit operators are not supported: logic is '&&' and '||'");
        return;
    default:
        fault(lexer, "unexpected character");
    }
}

void cel__lex_next(struct lexer *lexer)
{
    while (lexer->at < lexer->end && strchr(" \t\r\n\f", *lexer->at) && *lexer->at)
        advance(lexer, lexer->at + 1);
    lexer->token_column = lexer->column;
    lexer->text = (struct slice){0};
    if (lexer->at >= lexer->end)
        lexer->token = TOKEN_END;
    else if (is_digit(*lexer->at) ||
             (*lexer->at == '.' && lexer->at + 1 < lexer->end && is_digit(lexer->at[1])))
        lex_number(lexer);
    else if (*lexer->at == '"' || *lexer->at == '\'')
        lex_string(lexer, lexer->at, false);
    else if (*lexer->at == '`')
        lex_quoted_ident(lexer);
    else if (is_ident_begin(*lexer->at))
        lex_ident(lexer);
    else
        lex_symbol(lexer);
}

const char *cel__find_end(const char *at, const char *end)
{
    const char *begin = at;
    int depth = 0;

    while (at < end) {
        switch (*at) {
        case '"':
        case '\'':
            at = skip_string(begin, at, end);
            continue;
        case '{':
            depth++;
            break;
        case '}':
            if (depth == 0)
                return at + 1 < end && at[1] == '}' ? at : NULL;
            depth--;
            break;
        default:
            break;
        }
        at++;
    }
    return NULL;
}
