#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The interoperability cases on python3-grpcio: one process, several cases, a line for each, "ok NAME" or "FAILED NAME: why".

client.py --server_port=N --test_case=A,B,… [--server_host=HOST] [--use_tls=true --ca_file=FILE --server_host_override=NAME]
"""
import sys
import threading
import time

import grpc

import testing
from testing import INITIAL, SERVICE, TRAILING, BoolValue, messages_pb2

REQUEST_SIZES, RESPONSE_SIZES = (27182, 8, 1828, 45904), (31415, 9, 2653, 58979)
LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
LIMIT_S = 10
SOAK_CALLS, SOAK_LATENCY_S = 25, 2
TEST_MESSAGE = "This is a test message"
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"


class Failure(Exception):
    pass


def expect(right, what):
    if not right:
        raise Failure(what)


class Peer:
    """The methods of the service; responses come as (message, was it compressed)."""

    def __init__(self, flags):
        self.flags = flags
        self.channel = self.connect()
        self.methods()

    def connect(self):
        address, options = f"{self.flags['server_host']}:{self.flags['server_port']}", [testing.RAW]
        if not self.flags["use_tls"]:
            return grpc.insecure_channel(address, options=options)
        if self.flags["server_host_override"]:
            options.append(("grpc.ssl_target_name_override", self.flags["server_host_override"]))
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(testing.read(self.flags["ca_file"])), options=options)

    def methods(self):
        def method(make, name, response, service=SERVICE):
            return make(f"/{service}/{name}", lambda message: message.SerializeToString(), testing.unpacker(response))

        out = messages_pb2.StreamingOutputCallResponse
        channel = self.channel
        self.empty = method(channel.unary_unary, "EmptyCall", testing.Empty)
        self.unary = method(channel.unary_unary, "UnaryCall", messages_pb2.SimpleResponse)
        self.output = method(channel.unary_stream, "StreamingOutputCall", out)
        self.input = method(channel.stream_unary, "StreamingInputCall", messages_pb2.StreamingInputCallResponse)
        self.duplex = method(channel.stream_stream, "FullDuplexCall", out)
        self.half_duplex = method(channel.stream_stream, "HalfDuplexCall", out)
        self.unimplemented = method(channel.unary_unary, "UnimplementedCall", testing.Empty)
        self.nobody = method(channel.unary_unary, "UnimplementedCall", testing.Empty, "grpc.testing.UnimplementedService")


def asking(request_bytes, *sizes, **more):
    return messages_pb2.StreamingOutputCallRequest(
        payload=testing.Payload(body=bytes(request_bytes)),
        response_parameters=[messages_pb2.ResponseParameters(size=size) for size in sizes], **more)


def large_request(**more):
    return messages_pb2.SimpleRequest(response_size=LARGE_RESPONSE, payload=testing.Payload(body=bytes(LARGE_REQUEST)), **more)


def expect_payload(received, size, packed=None):
    message, was_packed = received
    expect(message.payload.body == bytes(size), f"{len(message.payload.body)} bytes, not {size} zeros")
    expect(packed is None or packed == was_packed, "compressed" if was_packed else "not compressed")


def expect_status(fn, code, details=None):
    try:
        fn()
    except grpc.RpcError as error:
        expect(error.code() == code, f"{error.code()} ({error.details()}), not {code}")
        expect(details is None or error.details() == details, f"message {error.details()!r}")
        return
    raise Failure(f"OK, not {code}")


def empty_unary(peer):
    expect(peer.empty(testing.Empty(), timeout=LIMIT_S)[0] == testing.Empty(), "not empty")


def large_unary(peer):
    expect_payload(peer.unary(large_request(), timeout=LIMIT_S), LARGE_RESPONSE)


def client_streaming(peer):
    requests = (messages_pb2.StreamingInputCallRequest(payload=testing.Payload(body=bytes(size))) for size in REQUEST_SIZES)
    total = peer.input(requests, timeout=LIMIT_S)[0].aggregated_payload_size
    expect(total == sum(REQUEST_SIZES), f"{total} bytes")


def server_streaming(peer):
    received = list(peer.output(asking(0, *RESPONSE_SIZES), timeout=LIMIT_S))
    expect(len(received) == len(RESPONSE_SIZES), f"{len(received)} responses")
    for response, size in zip(received, RESPONSE_SIZES):
        expect_payload(response, size)


class Turns:
    """A request iterator that gives what is put, until it is ended."""

    def __init__(self):
        self.next, self.ready = None, threading.Semaphore(0)

    def __iter__(self):
        return self

    def __next__(self):
        self.ready.acquire()
        if self.next is None:
            raise StopIteration
        return self.next

    def put(self, request):
        self.next = request
        self.ready.release()


def ping_pong(peer):
    turns = Turns()
    call = peer.duplex(turns, timeout=LIMIT_S)
    for request_bytes, size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        turns.put(asking(request_bytes, size))
        expect_payload(next(call), size)
    turns.put(None)
    expect(list(call) == [] and call.code() == grpc.StatusCode.OK, "no clean end")


def half_duplex(peer):
    received = list(peer.half_duplex((asking(0, size) for size in RESPONSE_SIZES), timeout=LIMIT_S))
    expect([len(message.payload.body) for message, _ in received] == list(RESPONSE_SIZES), "other responses")


def empty_stream(peer):
    call = peer.duplex(iter(()), timeout=LIMIT_S)
    expect(list(call) == [] and call.code() == grpc.StatusCode.OK, "no clean end")


def custom_metadata(peer):
    sent = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
    response, unary = peer.unary.with_call(large_request(), metadata=sent, timeout=LIMIT_S)
    expect_payload(response, LARGE_RESPONSE)
    duplex = peer.duplex(iter([asking(LARGE_REQUEST, LARGE_RESPONSE)]), metadata=sent, timeout=LIMIT_S)
    expect_payload(next(duplex), LARGE_RESPONSE)
    expect(list(duplex) == [], "more than one response")
    for call in unary, duplex:
        expect(sent[0] in call.initial_metadata(), f"initial metadata {call.initial_metadata()}")
        expect(sent[1] in call.trailing_metadata(), f"trailing metadata {call.trailing_metadata()}")


def status_code_and_message(peer):
    status = messages_pb2.EchoStatus(code=2, message=TEST_MESSAGE)
    expect_status(lambda: peer.unary(messages_pb2.SimpleRequest(response_status=status), timeout=LIMIT_S),
                  grpc.StatusCode.UNKNOWN, TEST_MESSAGE)
    expect_status(lambda: list(peer.duplex(iter([asking(0, response_status=status)]), timeout=LIMIT_S)),
                  grpc.StatusCode.UNKNOWN, TEST_MESSAGE)


def special_status_message(peer):
    status = messages_pb2.EchoStatus(code=2, message=SPECIAL_MESSAGE)
    expect_status(lambda: peer.unary(messages_pb2.SimpleRequest(response_status=status), timeout=LIMIT_S),
                  grpc.StatusCode.UNKNOWN, SPECIAL_MESSAGE)


def unimplemented_method(peer):
    expect_status(lambda: peer.unimplemented(testing.Empty(), timeout=LIMIT_S), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(peer):
    expect_status(lambda: peer.nobody(testing.Empty(), timeout=LIMIT_S), grpc.StatusCode.UNIMPLEMENTED)


def cancel_after_begin(peer):
    call = peer.input.future(Turns(), timeout=LIMIT_S)
    call.cancel()
    expect(call.cancelled() and call.code() == grpc.StatusCode.CANCELLED, f"{call.code()}")


def cancel_after_first_response(peer):
    turns = Turns()
    call = peer.duplex(turns, timeout=LIMIT_S)
    turns.put(asking(REQUEST_SIZES[0], RESPONSE_SIZES[0]))
    expect_payload(next(call), RESPONSE_SIZES[0])
    call.cancel()
    expect_status(lambda: list(call), grpc.StatusCode.CANCELLED)


def timeout_on_sleeping_server(peer):
    empty_unary(peer)  # so that it is not the connecting that takes too long
    turns = Turns()
    turns.put(asking(REQUEST_SIZES[0]))
    expect_status(lambda: list(peer.duplex(turns, timeout=0.001)), grpc.StatusCode.DEADLINE_EXCEEDED)


def client_compressed_unary(peer):
    lie = large_request(expect_compressed=BoolValue(value=True))
    expect_status(lambda: peer.unary(lie, timeout=LIMIT_S), grpc.StatusCode.INVALID_ARGUMENT)
    for packed in True, False:
        request = large_request(expect_compressed=BoolValue(value=packed))
        how = grpc.Compression.Gzip if packed else None
        expect_payload(peer.unary(request, timeout=LIMIT_S, compression=how), LARGE_RESPONSE)


def client_compressed_streaming(peer):
    """grpcio compresses all requests of a call or none, so there is a call for each kind."""
    def call(size, says, how):
        request = messages_pb2.StreamingInputCallRequest(
            payload=testing.Payload(body=bytes(size)), expect_compressed=BoolValue(value=says))
        return peer.input(iter([request, request]), timeout=LIMIT_S, compression=how)[0].aggregated_payload_size

    expect_status(lambda: call(27182, True, None), grpc.StatusCode.INVALID_ARGUMENT)
    expect(call(27182, True, grpc.Compression.Gzip) == 2 * 27182, "compressed: another size")
    expect(call(45904, False, None) == 2 * 45904, "not compressed: another size")


def server_compressed_unary(peer):
    for packed in True, False:
        request = large_request(response_compressed=BoolValue(value=packed))
        expect_payload(peer.unary(request, timeout=LIMIT_S), LARGE_RESPONSE, packed)


def server_compressed_streaming(peer):
    request = asking(0, 31415, 92653)
    request.response_parameters[0].compressed.value = True
    request.response_parameters[1].compressed.value = False
    received = list(peer.output(request, timeout=LIMIT_S))
    expect(len(received) == 2, f"{len(received)} responses")
    expect_payload(received[0], 31415, True)
    expect_payload(received[1], 92653, False)


def soak(peer, reconnects):
    for _ in range(SOAK_CALLS):
        begin = time.monotonic()
        if reconnects:
            peer.channel.close()
            peer = Peer(peer.flags)
        large_unary(peer)
        expect(time.monotonic() - begin < SOAK_LATENCY_S, "a call took too long")
    if reconnects:
        peer.channel.close()


def rpc_soak(peer):
    soak(peer, False)


def channel_soak(peer):
    soak(Peer(peer.flags), True)


CASES = {case.__name__: case for case in (
    empty_unary, large_unary, client_streaming, server_streaming, ping_pong, half_duplex, empty_stream, custom_metadata,
    status_code_and_message, special_status_message, unimplemented_method, unimplemented_service, cancel_after_begin,
    cancel_after_first_response, timeout_on_sleeping_server, client_compressed_unary, server_compressed_unary,
    client_compressed_streaming, server_compressed_streaming, rpc_soak, channel_soak)}


def main():
    flags = testing.flags(server_host="127.0.0.1", server_port="", test_case="", use_tls=False, ca_file="", server_host_override="")
    peer, failed = Peer(flags), False
    for name in flags["test_case"].split(","):
        try:
            CASES[name](peer)
            print("ok", name, flush=True)
        except (Failure, grpc.RpcError, KeyError) as error:
            failed = True
            print(f"FAILED {name}:", repr(error).replace("\n", " "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
