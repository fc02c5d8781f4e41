#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker for the task type `reverse`, on plain gRPC: no SDK, nothing but grpcio, protobuf and the .proto files.
Usage: worker.py CONTROLLER [KEY_FILE]. docs/worker-protocol.md explains each step. Results wait in memory until they
are acknowledged; a worker whose tasks have side effects keeps them on disk."""
import json, pathlib, queue, random, subprocess, sys, threading, time
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"


def load_messages(*names):  # made from the .proto files by protoc
    files = ["plankton/v1/task_worker.proto", "plankton/v1/task_logger.proto"]
    out = subprocess.check_output(["protoc", f"-I{PROTO}", "--include_imports", "--descriptor_set_out=/dev/stdout", *files])
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(out).file:
        pool.Add(file)
    make = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    return [make(pool.FindMessageTypeByName(f"plankton.v1.{name}")) for name in names]


NAMES = "WorkerMessage", "ControllerMessage", "AppendRequest", "AppendReply"
WorkerMessage, ControllerMessage, AppendRequest, AppendReply = load_messages(*NAMES)


class Worker:
    def __init__(self, controller, key):
        self.metadata = [("authorization", f"Bearer {key}")] if key else []
        self.channel = grpc.insecure_channel(controller)
        self.worker_id, self.floor, self.held, self.logger = "", {}, {}, None  # held: token → (shard, result)

    def session(self):  # one stream, until it breaks; what is held outlives it
        out, nonces, stop = queue.Queue(), {}, threading.Event()
        connect = self.channel.stream_stream("/plankton.v1.TaskWorker/Connect",
                                             WorkerMessage.SerializeToString, ControllerMessage.FromString)
        out.put(WorkerMessage(hello={"protocol": 1, "worker_id": self.worker_id, "name": "python", "version": "1",
                                     "task_types": ["reverse"], "slots": 10}))
        try:
            for message in connect(iter(out.get, None), metadata=self.metadata):
                kind = message.WhichOneof("body")
                body = getattr(message, kind) if kind else None
                if kind == "welcome":
                    self.worker_id = body.worker_id
                    self.logger = self.logger or (body.logger_address and self.open_logger(body.logger_address))
                    threading.Thread(target=self.beat, args=(out, body.heartbeat_ms / 1000, stop), daemon=True).start()
                    out.put(WorkerMessage(credit={"add": 10}))
                elif kind == "take" and body.epoch < self.floor.get(body.shard, 0):  # a deposed owner
                    out.put(WorkerMessage(held={"shard": body.shard, "epoch": body.epoch, "end": True,
                                                "floor": self.floor[body.shard]}))
                elif kind == "take":  # a new session of this shard: leases of the one before are void
                    self.floor[body.shard], nonces[body.shard] = body.epoch, random.getrandbits(64) | 1
                    mine = {token: held[1] for token, held in self.held.items() if held[0] == body.shard}
                    out.put(WorkerMessage(held={"shard": body.shard, "epoch": body.epoch, "nonce": nonces[body.shard],
                                                "tokens": list(mine), "end": True}))
                    out.put(WorkerMessage(results={"results": list(mine.values())}))
                elif kind == "leases":
                    for lease in body.leases:
                        if nonces.get(lease.shard) == lease.nonce:
                            self.held[lease.token] = (lease.shard, {"token": lease.token, **self.execute(lease)})
                            out.put(WorkerMessage(results={"results": [self.held[lease.token][1]]}))
                    out.put(WorkerMessage(credit={"add": len(body.leases)}))
                elif kind == "acks":  # recorded, or not ours any more: both are forgotten
                    for token in [*body.recorded, *body.stale]:
                        self.held.pop(token, None)
        finally:
            stop.set(), out.put(None)

    def beat(self, out, seconds, stop):
        while not stop.wait(seconds):
            out.put(WorkerMessage(heartbeat={"running": 0}))

    def open_logger(self, address):
        lines = queue.Queue()
        append = grpc.insecure_channel(address).stream_stream("/plankton.v1.TaskLogger/Append",
                                                              AppendRequest.SerializeToString, AppendReply.FromString)
        requests = (AppendRequest(number=i + 1, blocks=[block]) for i, block in enumerate(iter(lines.get, None)))
        threading.Thread(target=lambda: list(append(requests, metadata=self.metadata)), daemon=True).start()
        return lines

    def execute(self, lease):
        text = json.loads(lease.parameters.text or "{}").get("text")
        if not isinstance(text, str):
            return {"failure": {"code": "BAD_INPUT", "message": "parameters.text must be a string", "non_retryable": True}}
        line = f"reversing {len(text)} characters".encode()
        if self.logger:
            self.logger.put({"token": lease.token, "first_seq": 1, "base_unix_us": time.time_ns() // 1000, "text": line,
                             "length": [len(line)], "dt_us": [0], "stream_level": b"\x20", "step": lease.step})
        return {"output": {"text": json.dumps({"text": text[::-1]})}, "last_log_seq": 1 if self.logger else 0}


if __name__ == "__main__":
    worker = Worker(sys.argv[1], len(sys.argv) > 2 and open(sys.argv[2]).read().strip())
    while True:
        try:
            worker.session()
        except grpc.RpcError as error:
            print("disconnected:", error.details(), flush=True)
        time.sleep(random.uniform(0.2, 0.5))
