/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>
#include "base/text.h"
#include "scan.h"

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct json_fault fault;
    uint32_t depth;
};

static bool read_value(struct reader *reader, yaml_event_t *event, struct json_place *place,
                       json_t **ret);

static bool fail(struct reader *reader, yaml_mark_t mark, const char *text)
{
    if (!reader->fault.text)
        reader->fault = (struct json_fault){
            .text = text, .line = (uint32_t)mark.line + 1, .column = (uint32_t)mark.column + 1};
    return false;
}

static bool next_event(struct reader *reader, yaml_event_t *event)
{
    yaml_mark_t mark;
    const char *problem;

    if (yaml_parser_parse(&reader->parser, event))
        return true;
    memset(event, 0, sizeof(*event));
    problem = reader->parser.problem ? reader->parser.problem : "invalid YAML";
    mark = reader->parser.problem_mark;
    /* The reader's own faults (encoding) have an offset only. */
    if (reader->parser.error == YAML_READER_ERROR)
        mark = reader->parser.mark;
    return fail(reader, mark, arena_strdup(reader->arena, problem));
}

static bool is_one_of(const char *text, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

static const char *digits(const char *at, const char *set)
{
    return at + strspn(at, set);
}

/* [-+]?[0-9]+, 0o[0-7]+, 0x[0-9a-fA-F]+ */
static bool is_int(const char *text, int *ret_base)
{
    const char *at = text;

    *ret_base = 10;
    if (at[0] == '0' && (at[1] == 'o' || at[1] == 'x')) {
        *ret_base = at[1] == 'o' ? 8 : 16;
        at += 2;
        return *at && !*digits(at, *ret_base == 8 ? "01234567" : "0123456789abcdefABCDEF");
    }
    at += *at == '-' || *at == '+';
    return *at && !*digits(at, "0123456789");
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *text)
{
    const char *at = text + (*text == '-' || *text == '+');
    const char *whole = digits(at, "0123456789");
    bool some = whole > at;

    at = whole;
    if (*at == '.') {
        const char *part = digits(at + 1, "0123456789");

        some = some || part > at + 1;
        at = part;
    }
    if (!some)
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        if (*at < '0' || *at > '9')
            return false;
        at = digits(at, "0123456789");
    }
    return *at == '\0';
}

static bool read_int(struct reader *reader, const yaml_event_t *event, const char *text, int base,
                     json_t **ret)
{
    long long value;

    errno = 0;
    value = strtoll(base == 10 ? text : text + 2, NULL, base);
    if (errno)
        return fail(reader, event->start_mark, "integer does not fit 64 bits");
    *ret = json_integer(value);
    return true;
}

/* The core schema of YAML 1.2: yes, no, on and off are strings. */
static bool read_plain(struct reader *reader, const yaml_event_t *event, const char *text,
                       json_t **ret)
{
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL"};
    static const char *const TRUES[] = {"true", "True", "TRUE"};
    static const char *const FALSES[] = {"false", "False", "FALSE"};
    static const char *const SPECIALS[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf", "+.INF",
                                           "-.inf", "-.Inf", "-.INF", ".nan",  ".NaN",  ".NAN"};
    int base;

    if (is_one_of(text, NULLS, ARRAY_LEN(NULLS))) {
        *ret = json_null();
    } else if (is_one_of(text, TRUES, ARRAY_LEN(TRUES))) {
        *ret = json_true();
    } else if (is_one_of(text, FALSES, ARRAY_LEN(FALSES))) {
        *ret = json_false();
    } else if (is_int(text, &base)) {
        return read_int(reader, event, text, base, ret);
    } else if (is_float(text)) {
        *ret = json_real(strtod(text, NULL));
        if (!*ret)
            return fail(reader, event->start_mark, "number is too large for a double");
    } else if (is_one_of(text, SPECIALS, ARRAY_LEN(SPECIALS))) {
        return fail(reader, event->start_mark, "infinities and NaN are not allowed");
    } else {
        *ret = json_stringn(text, event->data.scalar.length);
    }
    return true;
}

static bool check_marks(struct reader *reader, const yaml_event_t *event, const yaml_char_t *anchor,
                        const yaml_char_t *tag, const char *allowed)
{
    if (anchor)
        return fail(reader, event->start_mark, "anchors and aliases are not allowed");
    if (tag && strcmp((const char *)tag, "!") != 0 && strcmp((const char *)tag, allowed) != 0)
        return fail(reader, event->start_mark, "tags are not allowed (but !!str)");
    return true;
}

static bool read_scalar(struct reader *reader, const yaml_event_t *event, json_t **ret)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;

    if (!check_marks(reader, event, event->data.scalar.anchor, event->data.scalar.tag,
                     YAML_STR_TAG))
        return false;
    if (memchr(text, '\0', len))
        return fail(reader, event->start_mark, "NUL is not allowed in strings");
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag)
        return read_plain(reader, event, text, ret);
    *ret = json_stringn(text, len);
    return *ret || fail(reader, event->start_mark, "invalid UTF-8");
}

static bool read_sequence(struct reader *reader, struct json_place *place, json_t **ret)
{
    AUTO(json_drop) json_t *array = json_array();

    place->array = true;
    for (;;) {
        yaml_event_t event;
        json_t *item = NULL;
        struct json_place *child;
        bool ok;

        if (!next_event(reader, &event))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            *ret = array;
            array = NULL;
            return true;
        }
        child = json__place_add(reader->arena, place, (struct slice){0},
                                (uint32_t)event.start_mark.line + 1,
                                (uint32_t)event.start_mark.column + 1);
        ok = read_value(reader, &event, child, &item);
        yaml_event_delete(&event);
        if (!ok)
            return false;
        json_array_append_new(array, item);
    }
}

/* A key is its text, whatever it would mean as a value: `no: 1` has the key "no". */
static bool read_key(struct reader *reader, const yaml_event_t *event, const json_t *object,
                     char **ret)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;

    if (event->type == YAML_ALIAS_EVENT)
        return fail(reader, event->start_mark, "anchors and aliases are not allowed");
    if (event->type != YAML_SCALAR_EVENT)
        return fail(reader, event->start_mark, "a key must be a plain string");
    if (!check_marks(reader, event, event->data.scalar.anchor, event->data.scalar.tag,
                     YAML_STR_TAG))
        return false;
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && strcmp(text, "<<") == 0)
        return fail(reader, event->start_mark, "merge keys are not allowed");
    if (memchr(text, '\0', len))
        return fail(reader, event->start_mark, "NUL is not allowed in strings");
    if (json_object_get(object, text))
        return fail(reader, event->start_mark, "duplicate key");
    *ret = arena_strndup(reader->arena, text, len);
    return true;
}

static bool read_member(struct reader *reader, const yaml_event_t *key_event,
                        struct json_place *place, json_t *object)
{
    yaml_event_t event;
    struct json_place *child;
    json_t *value = NULL;
    char *key;
    bool ok;

    if (!read_key(reader, key_event, object, &key) || !next_event(reader, &event))
        return false;
    child = json__place_add(reader->arena, place, slice_of(key),
                            (uint32_t)key_event->start_mark.line + 1,
                            (uint32_t)key_event->start_mark.column + 1);
    ok = read_value(reader, &event, child, &value);
    yaml_event_delete(&event);
    if (ok && json_object_set_new(object, key, value) != 0)
        ok = fail(reader, key_event->start_mark, "invalid UTF-8");
    return ok;
}

static bool read_mapping(struct reader *reader, struct json_place *place, json_t **ret)
{
    AUTO(json_drop) json_t *object = json_object();

    for (;;) {
        yaml_event_t event;
        bool ok;

        if (!next_event(reader, &event))
            return false;
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            *ret = object;
            object = NULL;
            return true;
        }
        ok = read_member(reader, &event, place, object);
        yaml_event_delete(&event);
        if (!ok)
            return false;
    }
}

static bool read_value(struct reader *reader, yaml_event_t *event, struct json_place *place,
                       json_t **ret)
{
    bool ok;

    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, event, ret);
    case YAML_SEQUENCE_START_EVENT:
        ok = check_marks(reader, event, event->data.sequence_start.anchor,
                         event->data.sequence_start.tag, YAML_SEQ_TAG);
        break;
    case YAML_MAPPING_START_EVENT:
        ok = check_marks(reader, event, event->data.mapping_start.anchor,
                         event->data.mapping_start.tag, YAML_MAP_TAG);
        break;
    case YAML_ALIAS_EVENT:
        return fail(reader, event->start_mark, "anchors and aliases are not allowed");
    default:
        return fail(reader, event->start_mark, "expected a value");
    }
    if (!ok)
        return false;
    if (reader->depth == JSON_DEPTH_MAX)
        return fail(reader, event->start_mark, "nested deeper than 64 levels");
    reader->depth++;
    ok = event->type == YAML_SEQUENCE_START_EVENT ? read_sequence(reader, place, ret)
                                                  : read_mapping(reader, place, ret);
    reader->depth--;
    return ok;
}

/* Takes the next event, which must be of the type. */
static bool expect(struct reader *reader, yaml_event_type_t type, const char *fault)
{
    yaml_event_t event;
    bool ok;

    if (!next_event(reader, &event))
        return false;
    ok = event.type == type || fail(reader, event.start_mark, fault);
    yaml_event_delete(&event);
    return ok;
}

static bool read_document(struct reader *reader, struct json_place **ret_root, json_t **ret)
{
    yaml_event_t event;
    bool ok;

    if (!expect(reader, YAML_STREAM_START_EVENT, "invalid YAML") ||
        !expect(reader, YAML_DOCUMENT_START_EVENT, "the text is empty") ||
        !next_event(reader, &event))
        return false;
    *ret_root =
        json__place_add(reader->arena, NULL, (struct slice){0}, (uint32_t)event.start_mark.line + 1,
                        (uint32_t)event.start_mark.column + 1);
    ok = read_value(reader, &event, *ret_root, ret);
    yaml_event_delete(&event);
    return ok && expect(reader, YAML_DOCUMENT_END_EVENT, "invalid YAML") &&
           expect(reader, YAML_STREAM_END_EVENT, "only one document is allowed");
}

enum status yaml_parse(struct slice text, size_t bytes_max, struct arena *arena, json_t **ret,
                       struct json_positions **ret_positions, struct error *err)
{
    struct reader reader = {.arena = arena};
    AUTO(json_drop) json_t *json = NULL;
    struct json_place *root = NULL;
    struct json_positions *positions;

    if (text.len > bytes_max)
        return json__report(&reader.fault, bytes_max, STATUS_RESOURCE_EXHAUSTED, err);
    if (!yaml_parser_initialize(&reader.parser))
        return error_set(err, STATUS_INTERNAL, "YAML parser cannot start");
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.data, text.len);
    (void)read_document(&reader, &root, &json);
    yaml_parser_delete(&reader.parser);
    if (reader.fault.text)
        return json__report_at(&reader.fault, bytes_max, STATUS_INVALID_ARGUMENT, arena, err);
    positions = ARENA_NEW(arena, struct json_positions);
    positions->arena = arena;
    positions->root = root;
    *ret_positions = positions;
    *ret = json;
    json = NULL;
    return STATUS_OK;
}
