/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of methods. protoc-c generates nothing for extensions, so they arrive as unknown fields
 * of MethodOptions: a length varint and the message. Two are read: google.api.http (is it a GET?)
 * and plankton.v1.access (who may call?).
 */
#include <stdlib.h>
#include <string.h>
#include "glue.h"

#define HTTP_OPTION 72295728
#define HTTP_RULE_GET 2
#define ACCESS_OPTION 50010
#define ACCESS_ROLES 1
#define ACCESS_REJECTS_UNKNOWN 2
#define ROLE_MAX 31
/* plankton.v1.Role: ADMIN, WORKER, SERVICE */
#define ROLES_WITH_CREDENTIAL (1u << 1 | 1u << 2 | 1u << 3)

struct reader {
    const uint8_t *at, *end;
};

static uint64_t read_varint(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; reader->at < reader->end && shift < 64; shift += 7) {
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            break;
    }
    return value;
}

/* The option's message, or an empty one. */
static struct reader find_option(const Google__Protobuf__MethodDescriptorProto *method,
                                 uint32_t number)
{
    struct reader none = {NULL, NULL};

    if (!method->options)
        return none;
    for (size_t i = 0; i < method->options->base.n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &method->options->base.unknown_fields[i];
        if (field->tag != number)
            continue;
        struct reader reader = {field->data, field->data + field->len};
        (void)read_varint(&reader);
        return reader;
    }
    return none;
}

static void add_role(struct glue_method *method, uint64_t role)
{
    if (role == 0 || role > ROLE_MAX) {
        fprintf(stderr, "protoglue: %s: option access has a role out of range\n", method->name);
        exit(EXIT_FAILURE);
    }
    method->access |= 1u << role;
}

static void read_access(struct glue_method *method)
{
    struct reader reader = find_option(method->proto, ACCESS_OPTION);

    while (reader.at < reader.end) {
        uint64_t tag = read_varint(&reader);
        uint64_t value = read_varint(&reader);
        if (tag == ACCESS_REJECTS_UNKNOWN << 3) {
            method->rejects_unknown |= value != 0;
        } else if (tag == ACCESS_ROLES << 3) {
            add_role(method, value);
        } else if (tag == (ACCESS_ROLES << 3 | 2)) { /* packed */
            const uint8_t *end = reader.at + value;
            while (reader.at < end && reader.at < reader.end)
                add_role(method, read_varint(&reader));
        } else {
            fprintf(stderr, "protoglue: %s: option access has a field not known here\n",
                    method->name);
            exit(EXIT_FAILURE);
        }
    }
}

void glue_read_options(const Google__Protobuf__FileDescriptorProto *file,
                       struct glue_method *method)
{
    struct reader http = find_option(method->proto, HTTP_OPTION);
    bool streams = method->proto->client_streaming || method->proto->server_streaming;

    method->access = 0;
    /* The first field of the rule is its pattern: anything but GET creates or changes something. */
    bool ruled = http.at < http.end;
    method->idempotent = ruled && read_varint(&http) >> 3 == HTTP_RULE_GET;
    method->rejects_unknown = ruled && !streams && !method->idempotent;
    read_access(method);
    /* gRPC's own services (reflection) cannot have the option: whoever has a credential may call
     * them. */
    if (method->access == 0 && strncmp(file->package, "grpc.", strlen("grpc.")) == 0)
        method->access = ROLES_WITH_CREDENTIAL;
    /* The product's own services must say who may call each method; foreign ones do not know the
     * option. */
    if (method->access == 0 && strncmp(file->package, "plankton.v", strlen("plankton.v")) == 0) {
        fprintf(stderr, "protoglue: %s: %s has no option access, so nobody could call it\n",
                file->name, method->proto->name);
        exit(EXIT_FAILURE);
    }
}
