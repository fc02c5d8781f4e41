/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc.reflection.v1 and v1alpha, answered from an embedded FileDescriptorSet. The files are served
 * as the bytes they have in the set, so that options nobody here knows survive. The two versions
 * differ in the package name alone: the answer of one is read as the other.
 */
#include <stdio.h>
#include <stdlib.h>
#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/reflection/v1/reflection.rpc.h"
#include "grpc/reflection/v1alpha/reflection.rpc.h"
#include "internal.h"

#define FILES_MAX 512
#define NAME_BYTES_MAX 512

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

struct reflection_file {
    struct slice bytes;
    Google__Protobuf__FileDescriptorProto *proto;
};
struct rpc_reflection {
    struct rpc_server *server;
    Google__Protobuf__FileDescriptorSet *set;
    struct reflection_file files[FILES_MAX];
    size_t file_count;
};

/* True when full is prefix, a dot, and name; "" as prefix needs no dot. */
static bool joins_to(const char *prefix, const char *name, const char *full)
{
    size_t len = strlen(prefix);

    if (len == 0)
        return str_eq(name, full);
    return strncmp(prefix, full, len) == 0 && full[len] == '.' && str_eq(name, full + len + 1);
}

static bool join(const char *prefix, const char *name, char out[NAME_BYTES_MAX])
{
    int n = snprintf(out, NAME_BYTES_MAX, "%s%s%s", prefix, prefix[0] ? "." : "", name);

    return n > 0 && n < NAME_BYTES_MAX;
}

static bool enum_has(const char *scope, const Google__Protobuf__EnumDescriptorProto *type,
                     const char *symbol)
{
    if (joins_to(scope, type->name, symbol))
        return true;
    /* Values live beside their enum, not within. */
    for (size_t i = 0; i < type->n_value; i++) {
        if (joins_to(scope, type->value[i]->name, symbol))
            return true;
    }
    return false;
}

static bool fields_have(const char *scope, Google__Protobuf__FieldDescriptorProto *const *fields,
                        size_t n, const char *symbol)
{
    for (size_t i = 0; i < n; i++) {
        if (joins_to(scope, fields[i]->name, symbol))
            return true;
    }
    return false;
}

static bool message_has(const char *prefix, const Google__Protobuf__DescriptorProto *message,
                        const char *symbol, int depth)
{
    char name[NAME_BYTES_MAX];

    if (joins_to(prefix, message->name, symbol))
        return true;
    if (depth >= RPC_DEPTH_MAX || !join(prefix, message->name, name))
        return false;
    for (size_t i = 0; i < message->n_nested_type; i++) {
        if (message_has(name, message->nested_type[i], symbol, depth + 1))
            return true;
    }
    for (size_t i = 0; i < message->n_enum_type; i++) {
        if (enum_has(name, message->enum_type[i], symbol))
            return true;
    }
    for (size_t i = 0; i < message->n_oneof_decl; i++) {
        if (joins_to(name, message->oneof_decl[i]->name, symbol))
            return true;
    }
    return fields_have(name, message->field, message->n_field, symbol) ||
           fields_have(name, message->extension, message->n_extension, symbol);
}

static bool service_has(const char *package,
                        const Google__Protobuf__ServiceDescriptorProto *service, const char *symbol)
{
    char name[NAME_BYTES_MAX];

    if (joins_to(package, service->name, symbol))
        return true;
    if (!join(package, service->name, name))
        return false;
    for (size_t i = 0; i < service->n_method; i++) {
        if (joins_to(name, service->method[i]->name, symbol))
            return true;
    }
    return false;
}

static bool file_has(const Google__Protobuf__FileDescriptorProto *file, const char *symbol)
{
    const char *package = file->package ? file->package : "";

    for (size_t i = 0; i < file->n_message_type; i++) {
        if (message_has(package, file->message_type[i], symbol, 0))
            return true;
    }
    for (size_t i = 0; i < file->n_enum_type; i++) {
        if (enum_has(package, file->enum_type[i], symbol))
            return true;
    }
    for (size_t i = 0; i < file->n_service; i++) {
        if (service_has(package, file->service[i], symbol))
            return true;
    }
    return fields_have(package, file->extension, file->n_extension, symbol);
}

/* The numbers by which a type is extended; list NULL: only counted. */
struct extensions {
    const char *type;
    int32_t *list;
    size_t n;
};

static void collect_fields(struct extensions *out,
                           Google__Protobuf__FieldDescriptorProto *const *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *extendee = fields[i]->extendee ? fields[i]->extendee : "";
        if (!str_eq(extendee + (extendee[0] == '.'), out->type))
            continue;
        if (out->list)
            out->list[out->n] = fields[i]->number;
        out->n++;
    }
}

static void collect_message(struct extensions *out,
                            const Google__Protobuf__DescriptorProto *message, int depth)
{
    collect_fields(out, message->extension, message->n_extension);
    for (size_t i = 0; depth < RPC_DEPTH_MAX && i < message->n_nested_type; i++)
        collect_message(out, message->nested_type[i], depth + 1);
}

static void collect_file(struct extensions *out, const Google__Protobuf__FileDescriptorProto *file)
{
    collect_fields(out, file->extension, file->n_extension);
    for (size_t i = 0; i < file->n_message_type; i++)
        collect_message(out, file->message_type[i], 0);
}

/* Counts, then lists. */
static struct extensions list_extensions(const struct rpc_reflection *self, struct arena *arena,
                                         const char *type, size_t first, size_t end)
{
    struct extensions out = {.type = type};

    for (size_t i = first; i < end; i++)
        collect_file(&out, self->files[i].proto);
    out.list = ARENA_ARRAY(arena, int32_t, out.n);
    out.n = 0;
    for (size_t i = first; i < end; i++)
        collect_file(&out, self->files[i].proto);
    return out;
}

static const struct reflection_file *find_by_name(const struct rpc_reflection *self,
                                                  const char *name)
{
    for (size_t i = 0; i < self->file_count; i++) {
        if (str_eq(self->files[i].proto->name, name))
            return &self->files[i];
    }
    return NULL;
}

static const struct reflection_file *find_by_symbol(const struct rpc_reflection *self,
                                                    const char *symbol)
{
    for (size_t i = 0; i < self->file_count; i++) {
        if (file_has(self->files[i].proto, symbol))
            return &self->files[i];
    }
    return NULL;
}

static const struct reflection_file *
find_extension(const struct rpc_reflection *self, struct arena *arena,
               const Grpc__Reflection__V1__ExtensionRequest *request)
{
    for (size_t i = 0; i < self->file_count; i++) {
        struct extensions found = list_extensions(self, arena, request->containing_type, i, i + 1);
        for (size_t j = 0; j < found.n; j++) {
            if (found.list[j] == request->extension_number)
                return &self->files[i];
        }
    }
    return NULL;
}

/* The file and, once each, all that it imports. */
static void add_file(const struct rpc_reflection *self, const struct reflection_file *file,
                     bool *seen, Grpc__Reflection__V1__FileDescriptorResponse *out)
{
    size_t index = (size_t)(file - self->files);

    if (seen[index])
        return;
    seen[index] = true;
    out->file_descriptor_proto[out->n_file_descriptor_proto++] =
        (ProtobufCBinaryData){file->bytes.len, (uint8_t *)file->bytes.data};
    for (size_t i = 0; i < file->proto->n_dependency; i++) {
        const struct reflection_file *import = find_by_name(self, file->proto->dependency[i]);
        if (import)
            add_file(self, import, seen, out);
    }
}

static void set_error(struct arena *arena, reflection_response *response, enum status status,
                      const char *message)
{
    Grpc__Reflection__V1__ErrorResponse *error = arena_alloc(arena, sizeof *error);

    grpc__reflection__v1__error_response__init(error);
    error->error_code = (int32_t)status;
    error->error_message = (char *)message;
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response->error_response = error;
}

static void set_file(const struct rpc_reflection *self, struct arena *arena,
                     reflection_response *response, const struct reflection_file *file)
{
    Grpc__Reflection__V1__FileDescriptorResponse *out;

    if (!file) {
        set_error(arena, response, STATUS_NOT_FOUND, "not found");
        return;
    }
    out = arena_alloc(arena, sizeof *out);
    grpc__reflection__v1__file_descriptor_response__init(out);
    out->file_descriptor_proto = ARENA_ARRAY(arena, ProtobufCBinaryData, self->file_count);
    add_file(self, file, ARENA_ARRAY(arena, bool, self->file_count), out);
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response->file_descriptor_response = out;
}

static void set_extensions(const struct rpc_reflection *self, struct arena *arena,
                           reflection_response *response, const char *type)
{
    Grpc__Reflection__V1__ExtensionNumberResponse *out = arena_alloc(arena, sizeof *out);
    struct extensions found;

    if (!find_by_symbol(self, type)) {
        set_error(arena, response, STATUS_NOT_FOUND, "not found");
        return;
    }
    grpc__reflection__v1__extension_number_response__init(out);
    found = list_extensions(self, arena, type, 0, self->file_count);
    out->base_type_name = (char *)type;
    out->extension_number = found.list;
    out->n_extension_number = found.n;
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
    response->all_extension_numbers_response = out;
}

static void set_services(const struct rpc_reflection *self, struct arena *arena,
                         reflection_response *response)
{
    Grpc__Reflection__V1__ListServiceResponse *out = arena_alloc(arena, sizeof *out);
    size_t n = self->server->service_count;

    grpc__reflection__v1__list_service_response__init(out);
    out->service = ARENA_ARRAY(arena, Grpc__Reflection__V1__ServiceResponse *, n);
    for (size_t i = 0; i < n; i++) {
        Grpc__Reflection__V1__ServiceResponse *service = arena_alloc(arena, sizeof *service);
        grpc__reflection__v1__service_response__init(service);
        service->name = (char *)self->server->services[i]->name;
        out->service[out->n_service++] = service;
    }
    response->message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response->list_services_response = out;
}

static void answer(const struct rpc_reflection *self, struct arena *arena,
                   reflection_request *request, reflection_response *response)
{
    response->valid_host = request->host;
    response->original_request = request;
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        set_file(self, arena, response, find_by_name(self, request->file_by_filename));
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        set_file(self, arena, response, find_by_symbol(self, request->file_containing_symbol));
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
        set_file(self, arena, response,
                 find_extension(self, arena, request->file_containing_extension));
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        set_extensions(self, arena, response, request->all_extension_numbers_of_type);
        return;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        set_services(self, arena, response);
        return;
    default:
        set_error(arena, response, STATUS_INVALID_ARGUMENT, "no request");
    }
}

/* The messages of v1alpha have the same fields: only the descriptor in their head differs, and
 * sending looks at nothing else. */
static void on_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    const struct rpc_reflection *self = userdata;
    reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    struct arena arena AUTO(arena_fini);
    uint8_t bytes[2048];
    ProtobufCMessage *request;
    size_t len = protobuf_c_message_get_packed_size(message);
    struct error err = {0};

    arena_init(&arena, 0);
    if (len > sizeof bytes) {
        error_set(&err, STATUS_INVALID_ARGUMENT, "the request is too long");
        rpc_call_fail(call, &err);
        return;
    }
    protobuf_c_message_pack(message, bytes);
    if (rpc_unpack(&grpc__reflection__v1__server_reflection_request__descriptor,
                   (struct slice){(char *)bytes, len}, false, &arena, &request,
                   &err) != STATUS_OK) {
        rpc_call_fail(call, &err);
        return;
    }
    answer(self, &arena, (reflection_request *)request, &response);
    if (rpc_call_send(call, &response.base) != STATUS_OK) {
        error_set(&err, STATUS_RESOURCE_EXHAUSTED, "too many answers wait to be read");
        rpc_call_fail(call, &err);
    }
}

static void on_end(struct rpc_call *call, void *userdata)
{
    rpc_call_finish(call);
}

static void info(struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {.on_message = on_message, .on_end = on_end};

    rpc_call_set_callbacks(call, &callbacks, rpc_call_service(call));
}

/* The set is `repeated FileDescriptorProto file = 1`: each element's bytes are taken where they
 * lie. */
static void index_files(struct rpc_reflection *self, struct slice set)
{
    const uint8_t *at = (const uint8_t *)set.data, *end = at + set.len;

    while (at < end && *at++ == 0x0a && self->file_count < FILES_MAX) {
        size_t len = 0;
        for (unsigned shift = 0; at < end && shift < 32; shift += 7) {
            uint8_t byte = *at++;
            len |= (size_t)(byte & 0x7f) << shift;
            if (!(byte & 0x80))
                break;
        }
        if (len > (size_t)(end - at))
            return;
        self->files[self->file_count].bytes = (struct slice){(const char *)at, len};
        self->files[self->file_count].proto = self->set->file[self->file_count];
        self->file_count++;
        at += len;
    }
}

void rpc_server_add_reflection(struct rpc_server *server, struct slice descriptor_set)
{
    static const struct grpc_reflection_v1_server_reflection_ops ops = {info};
    static const struct grpc_reflection_v1alpha_server_reflection_ops alpha_ops = {info};
    struct rpc_reflection *self;
    Google__Protobuf__FileDescriptorSet *set = google__protobuf__file_descriptor_set__unpack(
        NULL, descriptor_set.len, (const uint8_t *)descriptor_set.data);

    if (!set)
        return; /* it is embedded at build time: a test would have failed long before */
    self = mem_zalloc(sizeof *self);
    self->server = server;
    self->set = set;
    index_files(self, descriptor_set);
    server->reflection = self;
    rpc_server_add(server, &grpc_reflection_v1_server_reflection_desc, &ops, self);
    rpc_server_add(server, &grpc_reflection_v1alpha_server_reflection_desc, &alpha_ops, self);
}

void rpc__reflection_free(struct rpc_reflection *reflection)
{
    if (!reflection)
        return;
    google__protobuf__file_descriptor_set__free_unpacked(reflection->set, NULL);
    free(reflection);
}
