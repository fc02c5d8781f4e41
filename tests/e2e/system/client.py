#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A stock Python gRPC client (grpcio and the .proto files alone): submits a task and waits, saves a plan and runs it, meets an error.
Usage: client.py CONTROLLER KEY. Prints one JSON object."""
import json, pathlib, subprocess, sys
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTO = pathlib.Path(__file__).resolve().parents[3] / "proto"
out = subprocess.check_output(["protoc", f"-I{PROTO}", "-I/usr/include", "--include_imports", "--descriptor_set_out=/dev/stdout",
                               "plankton/v1/task_controller.proto", "plankton/v1/plan_api.proto"])
pool = descriptor_pool.DescriptorPool()
for file in descriptor_pb2.FileDescriptorSet.FromString(out).file:
    pool.Add(file)
make = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
channel = grpc.insecure_channel(sys.argv[1])
metadata = [("authorization", f"Bearer {sys.argv[2]}")]


def call(service, method, **fields):
    description = pool.FindServiceByName(f"plankton.v1.{service}").FindMethodByName(method)
    request, reply = make(description.input_type), make(description.output_type)
    return channel.unary_unary(f"/plankton.v1.{service}/{method}", request.SerializeToString, reply.FromString)(
        request(**fields), metadata=metadata, timeout=20)


task = call("TaskController", "SubmitTask", task={"type": "hello", "parameters": {"text": '{"name":"Python"}'}}, request_id="py-1")
again = call("TaskController", "SubmitTask", task={"type": "hello", "parameters": {"text": '{"name":"Python"}'}}, request_id="py-1")
done = call("TaskController", "WaitTask", id=task.id)
plan = call("PlanAPI", "CreatePlan", document={"text": json.dumps({"name": "from-python", "steps": [{"id": "a", "task": "noop"}]})})
run = call("PlanAPI", "StartRun", plan_id=plan.id)
try:
    call("TaskController", "GetTask", id="nonsense")
    code = "OK"
except grpc.RpcError as error:
    code = error.code().name
print(json.dumps({"same": task.id == again.id, "result": json.loads(done.result.text), "run": run.id, "error": code}))
