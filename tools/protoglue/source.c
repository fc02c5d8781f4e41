/* SPDX-License-Identifier: Apache-2.0 */
#include "glue.h"

static const char *kind_of(const Google__Protobuf__MethodDescriptorProto *method)
{
    if (method->client_streaming)
        return method->server_streaming ? "RPC_BIDI" : "RPC_CLIENT_STREAM";
    return method->server_streaming ? "RPC_SERVER_STREAM" : "RPC_UNARY";
}

static void write_service(FILE *out, const Google__Protobuf__FileDescriptorProto *file,
                          const Google__Protobuf__ServiceDescriptorProto *service)
{
    char service_name[GLUE_NAME_BYTES];
    struct glue_method m;

    glue_service(file, service, service_name);
    for (size_t i = 0; i < service->n_method; i++) {
        glue_method(service_name, service->method[i], &m);
        glue_read_options(file, &m);
        fprintf(out,
                "const struct rpc_method %s = {\n"
                "    .path = \"/%s.%s/%s\",\n"
                "    .name = \"%s\",\n"
                "    .kind = %s,\n"
                "    .input = &%s,\n"
                "    .output = &%s,\n"
                "    .access = 0x%x,\n"
                "    .idempotent = %s,\n"
                "    .rejects_unknown = %s,\n"
                "    .ops_index = %zu,\n"
                "};\n",
                m.name, file->package, service->name, m.proto->name, m.proto->name,
                kind_of(m.proto), m.input_desc, m.output_desc, m.access,
                m.idempotent ? "true" : "false", m.rejects_unknown ? "true" : "false", i);
    }
    fprintf(out, "static const struct rpc_method *const %s_methods[] = {\n", service_name);
    for (size_t i = 0; i < service->n_method; i++) {
        glue_method(service_name, service->method[i], &m);
        fprintf(out, "    &%s,\n", m.name);
    }
    fprintf(out, "%s};\n", service->n_method ? "" : "    0,\n");
    fprintf(out,
            "const struct rpc_service_desc %s_desc = {\n"
            "    .name = \"%s.%s\",\n"
            "    .methods = %s_methods,\n"
            "    .method_count = %zu,\n"
            "};\n\n",
            service_name, file->package, service->name, service_name, service->n_method);
}

void glue_write_source(FILE *out, const Google__Protobuf__FileDescriptorProto *file)
{
    char stem[GLUE_NAME_BYTES];

    glue_stem(file->name, stem);
    fprintf(out, "/* Written by protoglue from %s. */\n#include \"%s.rpc.h\"\n\n", file->name,
            stem);
    for (size_t s = 0; s < file->n_service; s++)
        write_service(out, file, file->service[s]);
}
