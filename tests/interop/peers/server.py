#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""grpc.testing.TestService on python3-grpcio. Prints its address, serves until its input ends.

server.py [--port=N] [--use_tls=true --tls_cert_file=FILE --tls_key_file=FILE]
"""
import concurrent.futures
import sys
import time

import grpc

import testing
from testing import INITIAL, SERVICE, TRAILING, messages_pb2

THREADS = 16


def echo_metadata(context):
    sent = dict(context.invocation_metadata())
    if INITIAL in sent:
        context.send_initial_metadata(((INITIAL, sent[INITIAL]),))
    if TRAILING in sent:
        context.set_trailing_metadata(((TRAILING, sent[TRAILING]),))


def end_as_asked(request, context):
    if request.HasField("response_status"):
        context.abort(list(grpc.StatusCode)[request.response_status.code], request.response_status.message)


def check_compression(request, packed, context):
    if request.HasField("expect_compressed") and request.expect_compressed.value != packed:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the request is not compressed as it says")


def empty_call(request, context):
    echo_metadata(context)
    return testing.Empty()


def unary_call(received, context):
    request, packed = received
    if request.response_compressed.value:
        context.set_compression(grpc.Compression.Gzip)
    echo_metadata(context)
    check_compression(request, packed, context)
    end_as_asked(request, context)
    return messages_pb2.SimpleResponse(payload=testing.Payload(body=bytes(request.response_size)))


def responses(request, context):
    for asked in request.response_parameters:
        time.sleep(asked.interval_us / 1e6)
        if asked.HasField("compressed") and not asked.compressed.value:
            context.disable_next_message_compression()
        yield messages_pb2.StreamingOutputCallResponse(payload=testing.Payload(body=bytes(asked.size)))


def streaming_output_call(request, context):
    if any(asked.compressed.value for asked in request.response_parameters):
        context.set_compression(grpc.Compression.Gzip)
    echo_metadata(context)
    end_as_asked(request, context)
    yield from responses(request, context)


def streaming_input_call(requests, context):
    total = 0
    for request, packed in requests:
        check_compression(request, packed, context)
        total += len(request.payload.body)
    return messages_pb2.StreamingInputCallResponse(aggregated_payload_size=total)


def full_duplex_call(requests, context):
    echo_metadata(context)
    for request in requests:
        end_as_asked(request, context)
        yield from responses(request, context)


def half_duplex_call(requests, context):
    for request in list(requests):
        yield from responses(request, context)


def handlers():
    def plain(kind):
        return lambda data: testing.unpacker(kind)(data)[0]

    def pack(message):
        return message.SerializeToString()

    asking = plain(messages_pb2.StreamingOutputCallRequest)
    return grpc.method_handlers_generic_handler(SERVICE, {
        "EmptyCall": grpc.unary_unary_rpc_method_handler(empty_call, plain(testing.Empty), pack),
        "UnaryCall": grpc.unary_unary_rpc_method_handler(
            unary_call, testing.unpacker(messages_pb2.SimpleRequest), pack),
        "StreamingOutputCall": grpc.unary_stream_rpc_method_handler(streaming_output_call, asking, pack),
        "StreamingInputCall": grpc.stream_unary_rpc_method_handler(
            streaming_input_call, testing.unpacker(messages_pb2.StreamingInputCallRequest), pack),
        "FullDuplexCall": grpc.stream_stream_rpc_method_handler(full_duplex_call, asking, pack),
        "HalfDuplexCall": grpc.stream_stream_rpc_method_handler(half_duplex_call, asking, pack),
    })


def main():
    flags = testing.flags(port="0", use_tls=False, tls_cert_file="", tls_key_file="")
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(THREADS), options=[testing.RAW])
    server.add_generic_rpc_handlers((handlers(),))
    address = "127.0.0.1:" + flags["port"]
    if flags["use_tls"]:
        pair = (testing.read(flags["tls_key_file"]), testing.read(flags["tls_cert_file"]))
        port = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port(address)
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
