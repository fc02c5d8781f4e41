#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# GET of a task through the gateway, beside the same call by gRPC: requests a second, latency, and CPU of the gateway for one request.
# bench.sh BIN_DIR [requests]. Needs h2load (nghttp2-client).
set -eu
bin=$1
requests=${2:-100000}
id=0199c0de-0000-7000-8000-000000000002
tmp=$(mktemp -d)
"$bin/gateway-bench-backend" 127.0.0.1:0 >"$tmp/backend" &
backend=$!
trap 'kill $backend ${gateway:-} 2>/dev/null; rm -rf "$tmp"' EXIT
until [ -s "$tmp/backend" ]; do sleep 0.02; done
target=$(cat "$tmp/backend")
"$bin/plankton-gateway" --listen 127.0.0.1:0 --ops-listen "" --controller "$target" --logger "$target" --log-format json 2>"$tmp/log" &
gateway=$!
until grep -q service.ready "$tmp/log"; do sleep 0.02; done
base=http://$(sed -n 's/.*"gateway.listening","address":"\([^"]*\)".*/\1/p' "$tmp/log")

cpu_us() { # of a process so far
    awk '{print int(($14 + $15) * 10000)}' "/proc/$1/stat"
}
measure() { # name, process, h2load options…
    name=$1 process=$2
    shift 2
    before=$(cpu_us "$process")
    h2load -n "$requests" "$@" >"$tmp/out"
    after=$(cpu_us "$process")
    awk -v name="$name" -v cpu=$((after - before)) -v n="$requests" '
        /^finished in/ { rate = $4 }
        /^requests:/ { bad = $10 + $12 + $14 }
        /^status codes:/ { ok = $3 }
        /^time for request:/ { mean = $6; max = $5 }
        END { printf "%-22s %9.0f /s  mean %8s  max %8s  cpu %6.2f us  2xx %d\n", name, rate, mean, max, cpu / n, ok }' "$tmp/out"
}
# The id as field 1 of GetTaskRequest: the 5-byte prefix, then the message.
printf '\000\000\000\000\046\012\044%s' "$id" >"$tmp/body"
http="--h1 -H authorization:Bearer_x"
grpc="-d $tmp/body -H content-type:application/grpc -H te:trailers"
# shellcheck disable=SC2086
{
    measure "gateway 1x1" "$gateway" $http -c1 -m1 "$base/api/v1/tasks/$id"
    measure "gateway 8x1" "$gateway" $http -c8 -m1 "$base/api/v1/tasks/$id"
    measure "gateway 64x1" "$gateway" $http -c64 -m1 "$base/api/v1/tasks/$id"
    measure "gateway 8x16" "$gateway" $http -c8 -m16 "$base/api/v1/tasks/$id"
    measure "gRPC 1x1" "$backend" $grpc -c1 -m1 "http://$target/plankton.v1.TaskController/GetTask"
    measure "gRPC 8x16" "$backend" $grpc -c8 -m16 "http://$target/plankton.v1.TaskController/GetTask"
}
