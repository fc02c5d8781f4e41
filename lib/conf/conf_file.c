/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>
#include "base/slice.h"
#include "conf_internal.h"

struct reader {
    struct conf__load *load;
    const char *path;
    yaml_parser_t parser;
    yaml_event_t event;
    bool seen[CONF_OPTIONS_MAX];
};

static void reader_fini(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
}

static enum status refuse(struct reader *reader, const yaml_mark_t *mark, const char *what,
                          struct error *err)
{
    return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_CONFIG_FILE", NULL, "file %s:%zu:%zu: %s",
                       reader->path, mark->line + 1, mark->column + 1, what);
}

/* Moves on to the next event, of which only the two plain kinds in `want` are allowed here. */
static enum status expect(struct reader *reader, yaml_event_type_t want, yaml_event_type_t also,
                          const char *what, struct error *err)
{
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        const char *problem = reader->parser.problem ? reader->parser.problem : "cannot be read";

        memset(&reader->event, 0, sizeof(reader->event));
        return refuse(reader, &reader->parser.problem_mark, problem, err);
    }
    if (reader->event.type != want && reader->event.type != also)
        return refuse(reader, &reader->event.start_mark, what, err);
    return STATUS_OK;
}

static enum status scalar_text(struct reader *reader, const char **ret, struct error *err)
{
    const char *text = (const char *)reader->event.data.scalar.value;
    size_t len = reader->event.data.scalar.length;

    if (reader->event.data.scalar.anchor || reader->event.data.scalar.tag)
        return refuse(reader, &reader->event.start_mark, "anchors and tags are not taken", err);
    if (memchr(text, '\0', len))
        return refuse(reader, &reader->event.start_mark, "a NUL character is not taken", err);
    *ret = arena_strndup(reader->load->arena, text, len);
    return STATUS_OK;
}

/* `key:` with nothing behind it, ~ and null are all YAML's null; an empty text is written "". */
static bool is_null(const yaml_event_t *event, const char *text)
{
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (text[0] == '\0' || str_eq(text, "~") || str_eq(text, "null"));
}

static enum status read_pair(struct reader *reader, struct error *err)
{
    struct conf__load *load = reader->load;
    yaml_mark_t mark = reader->event.start_mark;
    const char *key, *text, *what;
    enum status status = scalar_text(reader, &key, err);
    size_t i;

    if (status != STATUS_OK)
        return status;
    i = conf__find(load->program, key);
    if (i == load->program->option_count) {
        what = arena_printf(load->arena, "unknown key %.64s%s", key, conf__hint(load, key, false));
        return refuse(reader, &mark, what, err);
    }
    if (reader->seen[i])
        return refuse(reader, &mark, arena_printf(load->arena, "%s is given twice", key), err);
    reader->seen[i] = true;
    status = expect(reader, YAML_SCALAR_EVENT, YAML_SCALAR_EVENT, "a plain value is expected", err);
    if (status == STATUS_OK)
        status = scalar_text(reader, &text, err);
    if (status != STATUS_OK)
        return status;
    if (is_null(&reader->event, text))
        return refuse(reader, &mark, arena_printf(load->arena, "%s has no value", key), err);
    load->values[i].text = text;
    load->values[i].origin = arena_printf(load->arena, "file %s:%zu", reader->path, mark.line + 1);
    return STATUS_OK;
}

static enum status read_mapping(struct reader *reader, struct error *err)
{
    enum status status;

    do {
        status =
            expect(reader, YAML_SCALAR_EVENT, YAML_MAPPING_END_EVENT, "a key is expected", err);
        if (status == STATUS_OK && reader->event.type == YAML_SCALAR_EVENT)
            status = read_pair(reader, err);
    } while (status == STATUS_OK && reader->event.type == YAML_SCALAR_EVENT);
    return status;
}

static enum status read_stream(struct reader *reader, struct error *err)
{
    static const char FLAT[] = "a flat mapping of option names to values is expected";
    enum status status;

    status = expect(reader, YAML_STREAM_START_EVENT, YAML_STREAM_START_EVENT, FLAT, err);
    if (status == STATUS_OK)
        status = expect(reader, YAML_DOCUMENT_START_EVENT, YAML_STREAM_END_EVENT, FLAT, err);
    if (status != STATUS_OK || reader->event.type == YAML_STREAM_END_EVENT)
        return status; /* an empty file, or comments only */
    status = expect(reader, YAML_MAPPING_START_EVENT, YAML_MAPPING_START_EVENT, FLAT, err);
    if (status == STATUS_OK)
        status = read_mapping(reader, err);
    if (status == STATUS_OK)
        status = expect(reader, YAML_DOCUMENT_END_EVENT, YAML_DOCUMENT_END_EVENT, FLAT, err);
    if (status == STATUS_OK)
        status = expect(reader, YAML_STREAM_END_EVENT, YAML_STREAM_END_EVENT,
                        "one document is expected", err);
    return status;
}

enum status conf__read_yaml(struct conf__load *load, const char *path, struct slice text,
                            struct error *err)
{
    AUTO(reader_fini) struct reader reader = {.load = load, .path = path};

    if (!yaml_parser_initialize(&reader.parser))
        return error_set(err, STATUS_RESOURCE_EXHAUSTED, "out of memory");
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.data, text.len);
    return read_stream(&reader, err);
}

enum status conf__read_file(struct conf__load *load, const char *path, struct error *err)
{
    char *text = arena_alloc(load->arena, CONF_FILE_BYTES_MAX + 1);
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = -1;

    while (fd >= 0 && len <= CONF_FILE_BYTES_MAX &&
           (n = read(fd, text + len, CONF_FILE_BYTES_MAX + 1 - len)) > 0)
        len += (size_t)n;
    if (fd < 0 || n < 0)
        return error_field(err, status_from_errno(errno), "BAD_CONFIG_FILE", "config",
                           "cannot read %s (%s): %s", path, load->file.origin, strerror(errno));
    if (len > CONF_FILE_BYTES_MAX)
        return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_CONFIG_FILE", "config",
                           "%s is larger than %u bytes", path, CONF_FILE_BYTES_MAX);
    return conf__read_yaml(load, path, (struct slice){text, len}, err);
}
