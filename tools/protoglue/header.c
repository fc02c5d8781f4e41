/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "glue.h"

/* Includes for the message types used, each once. */
static void write_includes(FILE *out, const Google__Protobuf__FileDescriptorSet *set,
                           const Google__Protobuf__FileDescriptorProto *file)
{
    for (size_t i = 0; i < set->n_file; i++) {
        bool used = strcmp(set->file[i]->name, file->name) == 0;
        for (size_t s = 0; s < file->n_service; s++) {
            const Google__Protobuf__ServiceDescriptorProto *service = file->service[s];
            for (size_t m = 0; m < service->n_method; m++) {
                const char *in = glue_file_of(set, service->method[m]->input_type);
                const char *of = glue_file_of(set, service->method[m]->output_type);
                used |= in && strcmp(in, set->file[i]->name) == 0;
                used |= of && strcmp(of, set->file[i]->name) == 0;
            }
        }
        if (!used)
            continue;
        char stem[GLUE_NAME_BYTES];
        glue_stem(set->file[i]->name, stem);
        fprintf(out, "#include \"%s.pb-c.h\"\n", stem);
    }
}

static void write_ops(FILE *out, const char *service_name,
                      const Google__Protobuf__ServiceDescriptorProto *service)
{
    fprintf(out, "/* The handlers of %s; NULL answers UNIMPLEMENTED. */\nstruct %s_ops {\n",
            service->name, service_name);
    for (size_t i = 0; i < service->n_method; i++) {
        struct glue_method m;
        glue_method(service_name, service->method[i], &m);
        if (m.proto->client_streaming)
            fprintf(out, "    void (*%s)(struct rpc_call *call);\n", m.field);
        else
            fprintf(out, "    void (*%s)(struct rpc_call *call, const %s *request);\n", m.field,
                    m.input);
    }
    fprintf(out, "};\nextern const struct rpc_service_desc %s_desc;\n\n", service_name);
}

/* What a handler calls to answer, and what gives its messages their type. */
static void write_server_side(FILE *out, const struct glue_method *m)
{
    if (m->proto->server_streaming)
        fprintf(out,
                "MUST_USE static inline enum status %s_send(struct rpc_call *call, const %s "
                "*message)\n{\n    return rpc_call_send(call, &message->base);\n}\n",
                m->name, m->output);
    else
        fprintf(out,
                "static inline void %s_reply(struct rpc_call *call, const %s *message)\n{\n    "
                "rpc_call_reply(call, &message->base);\n}\n",
                m->name, m->output);
    if (m->proto->client_streaming)
        fprintf(out,
                "static inline const %s *%s_request_of(const ProtobufCMessage *message)\n{\n    "
                "return (const %s *)message;\n}\n",
                m->input, m->name, m->input);
}

static void write_client_unary(FILE *out, const struct glue_method *m)
{
    fprintf(out,
            "typedef void (*%s_done_fn)(const %s *response, const struct error *err, void "
            "*userdata);\n",
            m->name, m->output);
    fprintf(out,
            "static inline void %s_call(struct rpc_channel *channel, const struct "
            "rpc_call_options *options,\n    const %s *request, %s_done_fn done, void "
            "*userdata)\n{\n",
            m->name, m->input, m->name);
    /* A response begins with its ProtobufCMessage, so the two function types are called alike. */
    fprintf(out,
            "    rpc_channel_unary(channel, &%s, options, &request->base, "
            "(rpc_unary_done_fn)(void (*)(void))done, userdata);\n}\n",
            m->name);
}

static void write_client_stream(FILE *out, const struct glue_method *m)
{
    fprintf(out,
            "static inline struct rpc_call *%s_call(struct rpc_channel *channel, const struct "
            "rpc_call_options *options,\n    ",
            m->name);
    if (!m->proto->client_streaming)
        fprintf(out, "const %s *request, ", m->input);
    fprintf(out, "const struct rpc_callbacks *callbacks, void *userdata)\n{\n");
    if (m->proto->client_streaming) {
        fprintf(out,
                "    return rpc_channel_call(channel, &%s, options, callbacks, userdata);\n}\n",
                m->name);
        fprintf(out,
                "MUST_USE static inline enum status %s_write(struct rpc_call *call, const %s "
                "*message)\n{\n    return rpc_call_send(call, &message->base);\n}\n",
                m->name, m->input);
    } else {
        fprintf(out,
                "    return rpc_channel_call_with(channel, &%s, options, &request->base, "
                "callbacks, userdata);\n}\n",
                m->name);
    }
    fprintf(out,
            "static inline const %s *%s_response_of(const ProtobufCMessage *message)\n{\n    "
            "return (const %s *)message;\n}\n",
            m->output, m->name, m->output);
}

static void write_guard(FILE *out, const char *stem)
{
    for (const char *c = stem; *c; c++)
        fputc(isalnum((unsigned char)*c) ? toupper((unsigned char)*c) : '_', out);
    fputs("_RPC_H\n", out);
}

void glue_write_header(FILE *out, const Google__Protobuf__FileDescriptorSet *set,
                       const Google__Protobuf__FileDescriptorProto *file)
{
    char stem[GLUE_NAME_BYTES], service_name[GLUE_NAME_BYTES];

    glue_stem(file->name, stem);
    fprintf(out, "/* Written by protoglue from %s. */\n#ifndef ", file->name);
    write_guard(out, stem);
    fputs("#define ", out);
    write_guard(out, stem);
    fputs("#include \"rpc/rpc.h\"\n", out);
    write_includes(out, set, file);
    fputc('\n', out);
    for (size_t s = 0; s < file->n_service; s++) {
        const Google__Protobuf__ServiceDescriptorProto *service = file->service[s];
        glue_service(file, service, service_name);
        write_ops(out, service_name, service);
        for (size_t i = 0; i < service->n_method; i++) {
            struct glue_method m;
            glue_method(service_name, service->method[i], &m);
            fprintf(out, "extern const struct rpc_method %s;\n", m.name);
            write_server_side(out, &m);
            if (m.proto->client_streaming || m.proto->server_streaming)
                write_client_stream(out, &m);
            else
                write_client_unary(out, &m);
            fputc('\n', out);
        }
    }
    fputs("#endif\n", out);
}
