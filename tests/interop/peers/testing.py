# SPDX-License-Identifier: Apache-2.0
"""What client.py and server.py share: the messages, built by protoc at start so that nothing generated is checked in, and flags."""
import gzip
import os
import subprocess
import sys
import tempfile

PROTO_ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto")
with tempfile.TemporaryDirectory() as work:
    subprocess.run(["protoc", "-I", PROTO_ROOT, "--python_out", work, "grpc/testing/empty.proto", "grpc/testing/messages.proto"],
                   check=True)
    # not as a package: its name would be taken for that of grpcio
    sys.path[:0] = [work, os.path.join(work, "grpc", "testing")]
    import empty_pb2  # noqa: E402
    import messages_pb2  # noqa: E402
Empty, BoolValue, Payload = empty_pb2.Empty, messages_pb2.BoolValue, messages_pb2.Payload

SERVICE = "grpc.testing.TestService"
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
# Messages reach the program as they are on the wire: that shows whether they are compressed. No message of these types begins so.
RAW = ("grpc.per_message_decompression", 0)
GZIP_MAGIC = b"\x1f\x8b"


def flags(**known):
    """--name=value for the names that are known, with their defaults; "true" and "false" become bools."""
    for word in sys.argv[1:]:
        name, _, value = word.removeprefix("--").partition("=")
        if name not in known or not word.startswith("--"):
            sys.exit(f"unknown flag {word}")
        known[name] = {"true": True, "false": False, "": True}.get(value, value)
    return known


def read(path):
    with open(path, "rb") as file:
        return file.read()


def unpacker(kind):
    """From bytes as they came to (message, was it compressed)."""
    def unpack(data):
        packed = data.startswith(GZIP_MAGIC)
        return kind.FromString(gzip.decompress(data) if packed else data), packed
    return unpack
