/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "glue.h"

/* A name cut short would silently name something else. */
static void check_length(int written)
{
    if (written >= 0 && written < GLUE_NAME_BYTES)
        return;
    fprintf(stderr, "protoglue: a name is longer than %d bytes\n", GLUE_NAME_BYTES - 1);
    exit(EXIT_FAILURE);
}

void glue_lower(const char *camel, char out[GLUE_NAME_BYTES])
{
    bool was_upper = true;
    size_t n = 0;

    for (; *camel && n < GLUE_NAME_BYTES - 2; camel++) {
        bool upper = isupper((unsigned char)*camel);
        if (upper && !was_upper)
            out[n++] = '_';
        out[n++] = (char)tolower((unsigned char)*camel);
        was_upper = upper;
    }
    out[n] = '\0';
    check_length(*camel ? GLUE_NAME_BYTES : (int)n);
}

void glue_type(const char *full_name, char out[GLUE_NAME_BYTES])
{
    bool next_upper = true;
    size_t n = 0;

    full_name += *full_name == '.';
    for (; *full_name && n < GLUE_NAME_BYTES - 3; full_name++) {
        if (*full_name == '.') {
            out[n++] = '_';
            out[n++] = '_';
            next_upper = true;
        } else if (*full_name == '_') {
            next_upper = true;
        } else {
            out[n++] = next_upper ? (char)toupper((unsigned char)*full_name) : *full_name;
            next_upper = false;
        }
    }
    out[n] = '\0';
    check_length(*full_name ? GLUE_NAME_BYTES : (int)n);
}

/* Lower-cases each part of a dotted name and joins them. */
static void lower_parts(const char *dotted, const char *joint, char out[GLUE_NAME_BYTES])
{
    size_t n = 0;

    dotted += *dotted == '.';
    out[0] = '\0';
    while (*dotted) {
        char part[GLUE_NAME_BYTES], lower[GLUE_NAME_BYTES];
        size_t len = strcspn(dotted, ".");
        check_length(snprintf(part, sizeof part, "%.*s", (int)len, dotted));
        glue_lower(part, lower);
        int written = snprintf(out + n, GLUE_NAME_BYTES - n, "%s%s", n ? joint : "", lower);
        check_length((int)n + written);
        n += (size_t)written;
        dotted += len;
        dotted += *dotted == '.';
    }
}

void glue_descriptor(const char *full_name, char out[GLUE_NAME_BYTES])
{
    char lower[GLUE_NAME_BYTES];

    lower_parts(full_name, "__", lower);
    check_length(snprintf(out, GLUE_NAME_BYTES, "%s__descriptor", lower));
}

void glue_service(const Google__Protobuf__FileDescriptorProto *file,
                  const Google__Protobuf__ServiceDescriptorProto *service,
                  char out[GLUE_NAME_BYTES])
{
    char dotted[GLUE_NAME_BYTES];

    check_length(snprintf(dotted, sizeof dotted, "%s.%s", file->package, service->name));
    lower_parts(dotted, "_", out);
}

void glue_method(const char *service_name, const Google__Protobuf__MethodDescriptorProto *proto,
                 struct glue_method *ret)
{
    ret->proto = proto;
    glue_lower(proto->name, ret->field);
    check_length(snprintf(ret->name, sizeof ret->name, "%s_%s", service_name, ret->field));
    glue_type(proto->input_type, ret->input);
    glue_type(proto->output_type, ret->output);
    glue_descriptor(proto->input_type, ret->input_desc);
    glue_descriptor(proto->output_type, ret->output_desc);
}

const char *glue_file_of(const Google__Protobuf__FileDescriptorSet *set, const char *full_name)
{
    char dotted[GLUE_NAME_BYTES];

    for (size_t i = 0; i < set->n_file; i++) {
        const Google__Protobuf__FileDescriptorProto *file = set->file[i];
        for (size_t j = 0; j < file->n_message_type; j++) {
            check_length(snprintf(dotted, sizeof dotted, ".%s.%s", file->package,
                                  file->message_type[j]->name));
            if (strcmp(dotted, full_name) == 0)
                return file->name;
        }
    }
    return NULL;
}

void glue_stem(const char *file_name, char out[GLUE_NAME_BYTES])
{
    size_t len = strlen(file_name), suffix = strlen(".proto");

    if (len > suffix && strcmp(file_name + len - suffix, ".proto") == 0)
        len -= suffix;
    check_length(snprintf(out, GLUE_NAME_BYTES, "%.*s", (int)len, file_name));
}
