/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROTOGLUE_GLUE_H
#define PROTOGLUE_GLUE_H
/*
 * protoglue reads a FileDescriptorSet and writes, for each .proto file named, <stem>.rpc.h and
 * <stem>.rpc.c: a struct of typed handlers per service, the method tables of lib/rpc, and wrappers
 * that save users every cast. Names follow protoc-c: package and service in lower case joined by
 * "_", e.g. plankton_v1_task_controller_submit_task.
 */
#include <stdio.h>
#include "base/macros.h"
#include "google/protobuf/descriptor.pb-c.h"

#define GLUE_NAME_BYTES 256

struct glue_method {
    const Google__Protobuf__MethodDescriptorProto *proto;
    char name[GLUE_NAME_BYTES];   /* plankton_v1_task_controller_submit_task */
    char field[GLUE_NAME_BYTES];  /* submit_task */
    char input[GLUE_NAME_BYTES];  /* Plankton__V1__SubmitTaskRequest */
    char output[GLUE_NAME_BYTES]; /* Plankton__V1__Task */
    unsigned access;              /* bits (1 << role), from option plankton.v1.access */
    bool idempotent;              /* the http rule is GET */
    bool rejects_unknown;         /* unknown fields of the request are refused */
    char input_desc[GLUE_NAME_BYTES], output_desc[GLUE_NAME_BYTES];
};

/* "SubmitTask" -> "submit_task", "PlanAPI" -> "plan_api": the rule of protoc-c. */
void glue_lower(const char *camel, char out[GLUE_NAME_BYTES]);
/* ".plankton.v1.Task" -> "Plankton__V1__Task" */
void glue_type(const char *full_name, char out[GLUE_NAME_BYTES]);
/* ".plankton.v1.TaskList" -> "plankton__v1__task_list__descriptor" */
void glue_descriptor(const char *full_name, char out[GLUE_NAME_BYTES]);
/* Package and service: "plankton_v1_task_controller". */
void glue_service(const Google__Protobuf__FileDescriptorProto *file,
                  const Google__Protobuf__ServiceDescriptorProto *service,
                  char out[GLUE_NAME_BYTES]);
void glue_method(const char *service_name, const Google__Protobuf__MethodDescriptorProto *proto,
                 struct glue_method *ret);
/* Fills access, idempotent and rejects_unknown; ends the program when the product's own method has
 * no access.
 */
void glue_read_options(const Google__Protobuf__FileDescriptorProto *file,
                       struct glue_method *method);
/* The file that defines a message type, or NULL. */
const char *glue_file_of(const Google__Protobuf__FileDescriptorSet *set, const char *full_name);
/* "plankton/v1/task.proto" -> "plankton/v1/task" */
void glue_stem(const char *file_name, char out[GLUE_NAME_BYTES]);

void glue_write_header(FILE *out, const Google__Protobuf__FileDescriptorSet *set,
                       const Google__Protobuf__FileDescriptorProto *file);
void glue_write_source(FILE *out, const Google__Protobuf__FileDescriptorProto *file);

#endif
