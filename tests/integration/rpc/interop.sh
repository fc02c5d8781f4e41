#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# interop.sh BIN_DIR: lib/rpc as server under a stock gRPC client, and as client of a stock gRPC server.
set -eu
/usr/bin/python3 -c 'import grpc' 2>/dev/null || { echo "python3-grpcio is not installed: skipped"; exit 77; }
bin=$1
here=$(dirname "$0")
work=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT

mkfifo "$work/address"
"$bin/rpc_echo_server" 127.0.0.1:0 >"$work/address" &
server=$!
read -r address <"$work/address"
/usr/bin/python3 "$here/echo_peer.py" client "$address"
kill -TERM $server
wait $server

mkfifo "$work/stdin"
/usr/bin/python3 "$here/echo_peer.py" server <"$work/stdin" >"$work/address" &
server=$!
exec 3>"$work/stdin"
read -r address <"$work/address"
"$bin/rpc_echo_client" "$address"
exec 3>&-
wait $server
