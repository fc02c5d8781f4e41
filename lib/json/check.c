/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include "base/map.h"
#include "base/text.h"
#include "json/json.h"
#include "scan.h"

/* Objects with more keys than this are checked for duplicates by sorting instead of pairwise. */
#define KEYS_PAIRWISE_MAX 24
#define KEYS_ON_STACK 64

struct key {
    uint64_t hash;
    const char *data; /* between the quotes, as written */
    uint32_t len;
    uint32_t escaped;
};

/* Keys of all open objects: those of the innermost one are the last, so one stack serves all. */
struct scan {
    const char *at, *end;
    const char *fault; /* what is wrong at `at`; NULL while all is well */
    struct key *keys;
    size_t keys_len, keys_cap;
    struct key keys_first[KEYS_ON_STACK];
    uint32_t depth;
    uint32_t values;
};

static bool scan_value(struct scan *scan);

static bool scan_fail(struct scan *scan, const char *at, const char *fault)
{
    scan->at = at;
    scan->fault = fault;
    return false;
}

static void scan_space(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool hex4(const char *at, const char *end, uint32_t *ret)
{
    uint32_t value = 0;

    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = at[i];

        value <<= 4;
        if (c >= '0' && c <= '9')
            value |= (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value |= (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F')
            value |= (uint32_t)(c - 'A' + 10);
        else
            return false;
    }
    *ret = value;
    return true;
}

/* at is behind \u; gives the code point and the bytes consumed (4, or 10 for a pair). */
static const char *unicode_escape(const char *at, const char *end, uint32_t *ret, size_t *ret_len)
{
    uint32_t low;

    if (!hex4(at, end, ret))
        return "\\u needs four hexadecimal digits";
    *ret_len = 4;
    if (*ret == 0)
        return "\\u0000 is not allowed in strings";
    if (*ret >= 0xDC00 && *ret <= 0xDFFF)
        return "lone low surrogate";
    if (*ret < 0xD800 || *ret > 0xDBFF)
        return NULL;
    if (end - at < 10 || at[4] != '\\' || at[5] != 'u' || !hex4(at + 6, end, &low) ||
        low < 0xDC00 || low > 0xDFFF)
        return "lone high surrogate";
    *ret = 0x10000 + ((*ret - 0xD800) << 10) + (low - 0xDC00);
    *ret_len = 10;
    return NULL;
}

static bool scan_escape(struct scan *scan) /* at is at the backslash */
{
    const char *at = scan->at + 1;
    const char *fault;
    uint32_t code;
    size_t len;

    if (at >= scan->end)
        return scan_fail(scan, scan->end, "string has no end");
    switch (*at) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        scan->at = at + 1;
        return true;
    case 'u':
        fault = unicode_escape(at + 1, scan->end, &code, &len);
        if (fault)
            return scan_fail(scan, scan->at, fault);
        scan->at = at + 1 + len;
        return true;
    default:
        return scan_fail(scan, scan->at, "invalid escape");
    }
}

/* Length of a valid UTF-8 sequence that begins with a byte ≥ 0x80; 0 when invalid. */
static size_t utf8_sequence(const char *at, const char *end)
{
    unsigned char c = (unsigned char)*at;
    size_t len = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;

    if (c < 0xC2 || c > 0xF4 || (size_t)(end - at) < len || !text_is_utf8(at, len))
        return 0;
    return len;
}

static bool scan_string(struct scan *scan, struct key *ret_key) /* at is at the quote */
{
    const char *begin = ++scan->at;
    uint32_t escaped = 0;

    for (;;) {
        unsigned char c;
        size_t len;

        if (scan->at >= scan->end)
            return scan_fail(scan, scan->end, "string has no end");
        c = (unsigned char)*scan->at;
        if (c == '"')
            break;
        if (c == '\\') {
            escaped = 1;
            if (!scan_escape(scan))
                return false;
        } else if (c < 0x20) {
            return scan_fail(scan, scan->at, "control character in a string");
        } else if (c < 0x80) {
            scan->at++;
        } else {
            len = utf8_sequence(scan->at, scan->end);
            if (!len)
                return scan_fail(scan, scan->at, "invalid UTF-8");
            scan->at += len;
        }
    }
    if (ret_key)
        *ret_key =
            (struct key){.data = begin, .len = (uint32_t)(scan->at - begin), .escaped = escaped};
    scan->at++;
    return true;
}

size_t json__unescape(const char *text, size_t len, char *out)
{
    const char *end = text + len;
    char *to = out;

    while (text < end) {
        uint32_t code = 0;
        size_t used = 0;

        if (*text != '\\') {
            *to++ = *text++;
            continue;
        }
        text++;
        if (*text == 'u') {
            (void)unicode_escape(text + 1, end, &code, &used);
            text += 1 + used;
            to += json__utf8(code, to);
            continue;
        }
        switch (*text) {
        case 'b':
            *to++ = '\b';
            break;
        case 'f':
            *to++ = '\f';
            break;
        case 'n':
            *to++ = '\n';
            break;
        case 'r':
            *to++ = '\r';
            break;
        case 't':
            *to++ = '\t';
            break;
        default:
            *to++ = *text;
        }
        text++;
    }
    return (size_t)(to - out);
}

size_t json__utf8(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* The hash is over the meaning, so that "a" and "\u0061" are found to be the same key. */
static void key_hash(struct key *key)
{
    char small[256];
    AUTO(free_ptr) char *large = NULL;
    char *plain = small;
    size_t len;

    if (!key->escaped) {
        key->hash = hash_bytes(key->data, key->len);
        return;
    }
    if (key->len > sizeof(small))
        plain = large = mem_alloc(key->len);
    len = json__unescape(key->data, key->len, plain);
    key->hash = hash_bytes(plain, len);
}

static bool key_same(const struct key *a, const struct key *b)
{
    AUTO(free_ptr) char *left = NULL;
    AUTO(free_ptr) char *right = NULL;
    size_t left_len, right_len;

    if (!a->escaped && !b->escaped)
        return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
    left = mem_alloc(a->len + 1);
    right = mem_alloc(b->len + 1);
    left_len = json__unescape(a->data, a->len, left);
    right_len = json__unescape(b->data, b->len, right);
    return left_len == right_len && memcmp(left, right, left_len) == 0;
}

static int key_order(const void *left, const void *right)
{
    const struct key *a = left, *b = right;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->data < b->data ? -1 : a->data > b->data;
}

static bool duplicates_sorted(struct scan *scan, struct key *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        key_hash(&keys[i]);
    qsort(keys, n, sizeof(*keys), key_order);
    for (size_t i = 1; i < n; i++) {
        /* Keys of one hash stand together; that different ones share it happens to nobody. */
        for (size_t j = i; j > 0 && keys[j - 1].hash == keys[i].hash; j--) {
            if (key_same(&keys[i], &keys[j - 1]))
                return scan_fail(scan, keys[i].data - 1, "duplicate key");
        }
    }
    return true;
}

/* Looks at the keys of the object just closed and takes them off the stack. */
static bool scan_duplicates(struct scan *scan, size_t first)
{
    struct key *keys = scan->keys + first;
    size_t n = scan->keys_len - first;

    scan->keys_len = first;
    if (n > KEYS_PAIRWISE_MAX)
        return duplicates_sorted(scan, keys, n);
    for (size_t i = 1; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (key_same(&keys[i], &keys[j]))
                return scan_fail(scan, keys[i].data - 1, "duplicate key");
        }
    }
    return true;
}

static void keys_push(struct scan *scan, const struct key *key)
{
    if (scan->keys_len == scan->keys_cap) {
        size_t cap = scan->keys_cap * 2;

        if (scan->keys == scan->keys_first) {
            scan->keys = mem_alloc(cap * sizeof(*scan->keys));
            memcpy(scan->keys, scan->keys_first, sizeof(scan->keys_first));
        } else {
            scan->keys = mem_realloc(scan->keys, cap * sizeof(*scan->keys));
        }
        scan->keys_cap = cap;
    }
    scan->keys[scan->keys_len++] = *key;
}

static bool scan_object(struct scan *scan)
{
    size_t first = scan->keys_len;
    struct key key;

    scan->at++;
    scan_space(scan);
    if (scan->at < scan->end && *scan->at == '}') {
        scan->at++;
        return true;
    }
    for (;;) {
        if (scan->at >= scan->end || *scan->at != '"')
            return scan_fail(scan, scan->at, "expected a key in double quotes");
        if (!scan_string(scan, &key))
            return false;
        keys_push(scan, &key);
        scan_space(scan);
        if (scan->at >= scan->end || *scan->at != ':')
            return scan_fail(scan, scan->at, "expected ':' behind the key");
        scan->at++;
        if (!scan_value(scan))
            return false;
        scan_space(scan);
        if (scan->at < scan->end && *scan->at == ',') {
            scan->at++;
            scan_space(scan);
            continue;
        }
        if (scan->at >= scan->end || *scan->at != '}')
            return scan_fail(scan, scan->at, "expected ',' or '}'");
        scan->at++;
        return scan_duplicates(scan, first);
    }
}

static bool scan_array(struct scan *scan)
{
    scan->at++;
    scan_space(scan);
    if (scan->at < scan->end && *scan->at == ']') {
        scan->at++;
        return true;
    }
    for (;;) {
        if (!scan_value(scan))
            return false;
        scan_space(scan);
        if (scan->at < scan->end && *scan->at == ',') {
            scan->at++;
            continue;
        }
        if (scan->at >= scan->end || *scan->at != ']')
            return scan_fail(scan, scan->at, "expected ',' or ']'");
        scan->at++;
        return true;
    }
}

static size_t scan_digits(struct scan *scan)
{
    const char *begin = scan->at;

    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t)(scan->at - begin);
}

/* Whether the number's value can be held: 19 digits or an exponent need a closer look. */
static bool number_fits(const char *begin, size_t len, bool real)
{
    char small[64];
    AUTO(free_ptr) char *large = NULL;
    char *text = small;
    double value;

    if (len >= sizeof(small))
        text = large = mem_alloc(len + 1);
    memcpy(text, begin, len);
    text[len] = '\0';
    errno = 0;
    if (!real) {
        (void)strtoll(text, NULL, 10);
        return errno == 0;
    }
    value = strtod(text, NULL);
    return value - value == 0; /* false for infinities */
}

static bool scan_number(struct scan *scan)
{
    const char *begin = scan->at;
    bool real = false;
    size_t digits, len;

    if (*scan->at == '-')
        scan->at++;
    if (scan->at < scan->end && *scan->at == '0') {
        scan->at++;
        digits = 1;
        if (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
            return scan_fail(scan, begin, "number with a leading zero");
    } else {
        digits = scan_digits(scan);
        if (!digits)
            return scan_fail(scan, begin, "invalid number");
    }
    if (scan->at < scan->end && *scan->at == '.') {
        real = true;
        scan->at++;
        if (!scan_digits(scan))
            return scan_fail(scan, begin, "number without digits behind its point");
    }
    if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
        real = true;
        digits = SIZE_MAX; /* look closer */
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
            scan->at++;
        if (!scan_digits(scan))
            return scan_fail(scan, begin, "number without digits in its exponent");
    }
    len = (size_t)(scan->at - begin);
    if (digits >= 19 && !number_fits(begin, len, real))
        return scan_fail(scan, begin,
                         real ? "number is too large for a double"
                              : "integer does not fit 64 bits");
    return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return scan_fail(scan, scan->at, "expected a value");
    scan->at += len;
    return true;
}

static bool scan_value(struct scan *scan)
{
    bool ok;

    scan_space(scan);
    scan->values++;
    if (scan->at >= scan->end)
        return scan_fail(scan, scan->end, "unexpected end");
    switch (*scan->at) {
    case '{':
    case '[':
        if (scan->depth == JSON_DEPTH_MAX)
            return scan_fail(scan, scan->at, "nested deeper than 64 levels");
        scan->depth++;
        ok = *scan->at == '{' ? scan_object(scan) : scan_array(scan);
        scan->depth--;
        return ok;
    case '"':
        return scan_string(scan, NULL);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    default:
        if (*scan->at == '-' || (*scan->at >= '0' && *scan->at <= '9'))
            return scan_number(scan);
        return scan_fail(scan, scan->at, "expected a value");
    }
}

void json__place(const char *text, const char *at, uint32_t *ret_line, uint32_t *ret_column)
{
    uint32_t line = 1, column = 1;

    for (const char *p = text; p < at; p++) {
        if (*p == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)*p & 0xC0) != 0x80) {
            column++; /* characters, not bytes */
        }
    }
    *ret_line = line;
    *ret_column = column;
}

enum status json__check(struct slice text, size_t bytes_max, struct json_fault *fault)
{
    struct scan scan = {.at = text.data, .end = text.data + text.len, .keys_cap = KEYS_ON_STACK};

    *fault = (struct json_fault){0};
    if (text.len > bytes_max || text.len > UINT32_MAX) {
        fault->text = "too large";
        return STATUS_RESOURCE_EXHAUSTED;
    }
    scan.keys = scan.keys_first;
    if (scan_value(&scan)) {
        scan_space(&scan);
        if (scan.at < scan.end)
            (void)scan_fail(&scan, scan.at, "unexpected text behind the value");
    }
    if (scan.keys != scan.keys_first)
        free_ptr(&scan.keys);
    fault->values = scan.values;
    if (!scan.fault)
        return STATUS_OK;
    fault->text = scan.fault;
    json__place(text.data, scan.at, &fault->line, &fault->column);
    return STATUS_INVALID_ARGUMENT;
}

enum status json__report(const struct json_fault *fault, size_t bytes_max, enum status status,
                         struct error *err)
{
    if (status == STATUS_RESOURCE_EXHAUSTED)
        return error_field(err, status, "PAYLOAD_TOO_LARGE", NULL, "text is larger than %zu bytes",
                           bytes_max);
    if (!fault->line)
        return error_field(err, status, "INVALID_JSON", NULL, "%s", fault->text);
    return error_field(err, status, "INVALID_JSON", NULL, "line %u, column %u: %s", fault->line,
                       fault->column, fault->text);
}

enum status json_check(struct slice text, size_t bytes_max, struct error *err)
{
    struct json_fault fault;
    enum status status = json__check(text, bytes_max, &fault);

    return status == STATUS_OK ? status : json__report(&fault, bytes_max, status, err);
}
