#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stock gRPC peer (python3-grpcio) for lib/rpc.

echo_peer.py client ADDRESS   calls rpc_echo_server and checks every answer
echo_peer.py server           prints its address and serves until its input ends, for rpc_echo_client
The messages are built from the .proto file by protoc at start, so nothing generated is checked in.
"""
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import threading
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
PROTO_ROOT = os.path.join(HERE, "..", "..", "proto")
WORK = tempfile.TemporaryDirectory()
subprocess.run(["protoc", "-I", PROTO_ROOT, "--python_out", WORK.name, "plankton/test/echo.proto"], check=True)
sys.path.insert(0, WORK.name)
from plankton.test import echo_pb2  # noqa: E402

NAME = "/plankton.test.Echo/"
Request, Reply = echo_pb2.EchoRequest, echo_pb2.EchoReply
failures = 0


def expect(right, what):
    global failures
    failures += not right
    print("ok" if right else "FAILED", what, flush=True)


class Stub:
    def __init__(self, channel):
        pack, unpack = Request.SerializeToString, Reply.FromString
        self.unary = channel.unary_unary(NAME + "Unary", pack, unpack)
        self.missing = channel.unary_unary(NAME + "Missing", pack, unpack)
        self.server_stream = channel.unary_stream(NAME + "ServerStream", pack, unpack)
        self.client_stream = channel.stream_unary(NAME + "ClientStream", pack, unpack)
        self.bidi = channel.stream_stream(NAME + "Bidi", pack, unpack)
        self.raw = channel.unary_unary(NAME + "Unary", None, None)
        self.health = channel.unary_unary("/grpc.health.v1.Health/Check", None, None)
        self.watch = channel.unary_stream("/grpc.health.v1.Health/Watch", None, None)


def code_of(fn):
    try:
        fn()
        return grpc.StatusCode.OK, ""
    except grpc.RpcError as error:
        return error.code(), error.details()


def check_unary(stub):
    expect(stub.unary(Request(text="grüße")).text == "grüße", "unary")
    expect(stub.unary(Request()).text == "", "empty message")
    big = os.urandom(3 << 20)
    expect(stub.unary(Request(payload=big)).payload == big, "3 MiB each way")
    expect(code_of(lambda: stub.missing(Request()))[0] == grpc.StatusCode.UNIMPLEMENTED, "unimplemented")
    code, _ = code_of(lambda: stub.unary(Request(payload=b"x" * (5 << 20))))
    expect(code == grpc.StatusCode.RESOURCE_EXHAUSTED, "5 MiB is refused")
    code, text = code_of(lambda: stub.unary(Request(fail_with=5, text="nö 100% \n")))
    expect((code, text) == (grpc.StatusCode.NOT_FOUND, "nö 100% \n"), "status and message")
    begin = time.monotonic()
    code, _ = code_of(lambda: stub.unary(Request(delay_ms=5000), timeout=0.2))
    expect(code == grpc.StatusCode.DEADLINE_EXCEEDED and time.monotonic() - begin < 2, "deadline")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: stub.unary(Request(text=str(i))).text, range(500)))
    expect(answers == [str(i) for i in range(500)], "500 calls at once")


def check_metadata(stub):
    reply, call = stub.unary.with_call(
        Request(), metadata=(("x-echo", "some text"), ("x-echo-bin", b"\xab\xab\x01")))
    expect(("x-echo", "some text") in call.initial_metadata(), "initial metadata")
    expect(("x-echo-bin", b"\xab\xab\x01") in call.trailing_metadata(), "binary trailer")
    try:
        stub.unary(Request(fail_with=9, text="details"))
    except grpc.RpcError as error:
        details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
        expect(b"TEST_REASON" in details and b"plankton" in details and b"RetryInfo" in details, "rich error")


def check_streams(stub):
    replies = list(stub.server_stream(Request(text="x", count=1000)))
    expect([r.number for r in replies] == list(range(1, 1001)), "server stream of 1,000")
    replies = list(stub.server_stream(Request(count=50, reply_bytes=100000)))
    expect(sum(len(r.payload) for r in replies) == 5000000, "server stream of 5 MB")
    total = stub.client_stream(Request(payload=b"x" * 100000) for _ in range(100)).total_bytes
    expect(total == 10000000, "client stream of 10 MB")
    ping = threading.Semaphore(1)

    def requests():
        for i in range(100):
            ping.acquire()
            yield Request(text=str(i))

    seen = []
    for reply in stub.bidi(requests()):
        seen.append(reply.text)
        ping.release()
    expect(seen == [str(i) for i in range(100)], "ping-pong")
    call = stub.bidi(iter([Request(text="a"), Request(fail_with=10, text="stop")]))
    code, text = code_of(lambda: list(call))
    expect((code, text) == (grpc.StatusCode.ABORTED, "stop"), "status in the middle of a stream")
    call = stub.server_stream(Request(count=1000000, reply_bytes=1000))
    next(call)
    call.cancel()
    expect(code_of(lambda: list(call))[0] == grpc.StatusCode.CANCELLED, "cancel")


def deep(levels):
    """A Node chain; built by hand since the protobuf library refuses to go as deep."""
    body = b""
    for _ in range(levels):
        size, head = len(body), b""
        while size > 0x7F:
            head += bytes([size & 0x7F | 0x80])
            size >>= 7
        body = b"\x0a" + head + bytes([size]) + body
    return b"\x3a" + varint(len(body)) + body


def varint(value):
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def check_bad_input(stub):
    code, text = code_of(lambda: stub.raw(deep(10000)))
    expect(code == grpc.StatusCode.INTERNAL and "deeper" in text, "10,000 levels")
    expect(code_of(lambda: stub.raw(deep(30)))[0] == grpc.StatusCode.OK, "30 levels")
    code, _ = code_of(lambda: stub.raw(b"\x0a\x03a\x00b"))
    expect(code == grpc.StatusCode.INTERNAL, "NUL in a string")
    code, _ = code_of(lambda: stub.raw(b"\x0a\x02\xc3\x28"))
    expect(code == grpc.StatusCode.INTERNAL, "bad UTF-8")
    expect(code_of(lambda: stub.raw(b"\x0a\x7f"))[0] == grpc.StatusCode.INTERNAL, "cut short")


def check_compression(stub):
    for name, coding in (("gzip", grpc.Compression.Gzip), ("deflate", grpc.Compression.Deflate)):
        expect(stub.unary(Request(text="x" * 1000), compression=coding).text == "x" * 1000, f"{name} request")
        reply = stub.unary(Request(text="y" * 1000), metadata=(("x-compress", name),))
        expect(reply.text == "y" * 1000, f"{name} answer")
        texts = [r.text for r in stub.bidi((Request(text=t) for t in ("gzip", "plain", "gzip")), compression=coding)]
        expect(texts == ["gzip", "plain", "gzip"], f"{name} stream, messages of both kinds")
    bomb = code_of(lambda: stub.unary(Request(payload=bytes(5 << 20)), compression=grpc.Compression.Gzip))
    expect(bomb[0] == grpc.StatusCode.RESOURCE_EXHAUSTED, "5 MiB in 5 KB")


def check_builtin(stub, address):
    expect(stub.health(b"") == b"\x08\x01", "health of the server")
    expect(stub.health(b"\x0a\x12plankton.test.Echo") == b"\x08\x01", "health of a service")
    expect(code_of(lambda: stub.health(b"\x0a\x01x"))[0] == grpc.StatusCode.NOT_FOUND, "health of nobody")
    watch = stub.watch(b"\x0a\x01x")
    expect(next(watch) == b"\x08\x03", "watch of nobody")
    watch.cancel()
    for version in ("v1", "v1alpha"):
        with grpc.insecure_channel(address) as channel:
            info = channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo", None, None)
            symbol = b"plankton.v1.TaskController"
            asked = [b"\x3a\x01*", b"\x22" + bytes([len(symbol)]) + symbol, b"\x22\x01x"]
            services, files, unknown = list(info(iter(asked)))
            expect(b"plankton.test.Echo" in services, f"reflection {version}: services")
            expect(b"task_controller.proto" in files and b"google/api/http.proto" in files,
                   f"reflection {version}: file and its imports")
            expect(b"\x3a" in unknown and b"not found" in unknown, f"reflection {version}: unknown symbol")


def run_client(address):
    with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
        stub = Stub(channel)
        check_unary(stub)
        check_metadata(stub)
        check_streams(stub)
        check_bad_input(stub)
        check_compression(stub)
        check_builtin(stub, address)
    return 1 if failures else 0


class Service:
    def unary(self, request, context):
        if request.fail_with:
            context.abort(list(grpc.StatusCode)[request.fail_with], request.text)
        time.sleep(request.delay_ms / 1000)
        return Reply(text=request.text, payload=request.payload, number=1)

    def server_stream(self, request, context):
        for i in range(request.count):
            yield Reply(text=request.text, number=i + 1)

    def client_stream(self, requests, context):
        return Reply(total_bytes=sum(len(r.text.encode()) + len(r.payload) for r in requests))

    def bidi(self, requests, context):
        for request in requests:
            yield Reply(text=request.text)


def run_server():
    service, unpack, pack = Service(), Request.FromString, Reply.SerializeToString
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plankton.test.Echo", {
        "Unary": grpc.unary_unary_rpc_method_handler(service.unary, unpack, pack),
        "ServerStream": grpc.unary_stream_rpc_method_handler(service.server_stream, unpack, pack),
        "ClientStream": grpc.stream_unary_rpc_method_handler(service.client_stream, unpack, pack),
        "Bidi": grpc.stream_stream_rpc_method_handler(service.bidi, unpack, pack),
    }),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(None)
    return 0


if __name__ == "__main__":
    sys.exit(run_client(sys.argv[2]) if sys.argv[1] == "client" else run_server())
