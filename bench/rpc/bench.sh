#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench.sh [BIN] [calls|tls|streams|instructions|idle|flood]…: lib/rpc beside gRPC C++ in one run, the two servers taking turns under the
# same load. BIN holds the rpc_bench_* programs of a release build (ninja -C build/release rpc_bench). calls, tls: unary echo at 1×1,
# 1×100 and 8×100 from three clients; streams: messages of one stream, and large messages; instructions: callgrind, two loads
# subtracted; idle: 10,000 connections; flood: a good client beside a bad one. Without a word: all. ROUNDS (3) runs each, the median is
# shown; SECONDS_EACH (1). Installs libgrpc++-dev and protobuf-compiler-grpc when they are missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$here/../../build/release/bin
if [ -d "${1:-}" ]; then
    bin=$1
    shift
fi
bin=$(cd "$bin" && pwd)
rounds=${ROUNDS:-3}
seconds=${SECONDS_EACH:-1}
tmp=$(mktemp -d)
trap 'for pid in $(jobs -p); do kill "$pid" 2>/dev/null || true; done; rm -rf "$tmp"' EXIT

# ---- what runs ----
build_cpp() {
    cpp=$(dirname "$bin")/rpc-bench-cpp
    mkdir -p "$cpp"
    if ! command -v grpc_cpp_plugin >/dev/null; then
        sudo=$(command -v sudo || true)
        $sudo apt-get install -y --no-install-recommends libgrpc++-dev protobuf-compiler-grpc >&2
    fi
    protoc -I"$here" --cpp_out="$cpp" --grpc_out="$cpp" --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" echo.proto
    for program in server client; do
        [ "$cpp/$program" -nt "$here/cpp/$program.cc" ] && continue
        # shellcheck disable=SC2046
        g++ -O2 -I"$cpp" -o "$cpp/$program" "$here/cpp/$program.cc" "$cpp/echo.pb.cc" "$cpp/echo.grpc.pb.cc" \
            $(pkg-config --cflags --libs grpc++ protobuf)
    done
}
declare -A pid address
start() { # name program…
    name=$1
    shift
    : >"$tmp/$name"
    "$@" >"$tmp/$name" &
    pid[$name]=$!
    until [ -s "$tmp/$name" ]; do sleep 0.05; done
    address[$name]=$(cat "$tmp/$name")
}
stop() {
    kill "${pid[$1]}"
    wait "${pid[$1]}" 2>/dev/null || true
}
cpu_ns() { # of all threads of a process
    cat /proc/"$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}
make_body() { # the 107 bytes of the other clients' request: prefix, id, 62 bytes of payload
    { printf '\000\000\000\000\146\012\0440199c0de-0000-7000-8000-000000000002\022\076' && head -c 62 /dev/zero; } >"$tmp/body"
}
make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
}
h2load_run() { # server connections outstanding scheme calls
    before=$(cpu_ns "${pid[$1]}")
    h2load -n "$5" -c "$2" -m "$3" -d "$tmp/body" -H content-type:application/grpc -H te:trailers \
        "$4://${address[$1]}/plankton.bench.Echo/Unary" >"$tmp/h2load"
    after=$(cpu_ns "${pid[$1]}")
    awk -v cpu=$((after - before)) -v n="$5" '
        function us(text) { return text ~ /us$/ ? text + 0 : text ~ /ms$/ ? text * 1000 : text * 1000000 }
        /^finished in/ { rate = $4 }
        /^requests:/ { failed = n - $8 }
        /^time for request:/ { mean = us($6); max = us($5) }
        END { printf "rate=%.0f p50=%.0f p99=- server_us=%.3f client_us=- mb_s=- failed=%d\n", rate, mean, cpu / n / 1000, failed }' \
        "$tmp/h2load"
}

# ---- tables: lines of "LOAD SERVER key=value…", medians by awk ----
medians() {
    awk '
        { key = $1 " " $2; if (!(key in seen)) { seen[key] = 1; order[++n] = key }
          for (i = 3; i <= NF; i++) { split($i, kv, "="); values[key, kv[1]] = values[key, kv[1]] " " kv[2] } }
        function median(text, v, k, i, j, t) {
            k = split(text, v, " ")
            for (i = 2; i <= k; i++) for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
            return v[int((k + 1) / 2)] }
        END {
            printf "%-22s %-6s %9s %8s %8s %10s %10s %8s %s\n", "load", "server", "/s", "p50 us", "p99 us", "server us", "client us", "MB/s", "failed"
            for (i = 1; i <= n; i++) { split(order[i], part, " ")
                printf "%-22s %-6s %9s %8s %8s %10s %10s %8s %s\n", part[1], part[2], median(values[order[i], "rate"]),
                    median(values[order[i], "p50"]), median(values[order[i], "p99"]), median(values[order[i], "server_us"]),
                    median(values[order[i], "client_us"]), median(values[order[i], "mb_s"]), median(values[order[i], "failed"])
                cpu[part[1], part[2]] = median(values[order[i], "server_us"]); rate[part[1], part[2]] = median(values[order[i], "rate"]) }
            for (i = 1; i <= n; i++) { split(order[i], part, " ")
                if (part[2] == "ours" && ((part[1], "c++") in cpu) && cpu[part[1], "ours"] > 0)
                    printf "%-22s gRPC C++ takes %.1f times the server CPU; ours does %.1f times the calls\n", part[1],
                        cpu[part[1], "c++"] / cpu[part[1], "ours"], rate[part[1], "ours"] / rate[part[1], "c++"] } }' "$1"
}
measure() { # table label server command…
    table=$1 label=$2 server=$3
    shift 3
    echo "$label $server $("$@" | tail -n 1)" >>"$table"
}

calls() { # http|https
    ours_tls=() cpp_tls=() ours_ca=() cpp_ca=()
    if [ "$1" = https ]; then
        make_certificate
        ours_tls=("$tmp/cert.pem" "$tmp/key.pem") cpp_tls=("$tmp/cert.pem" "$tmp/key.pem")
        ours_ca=("--ca=$tmp/cert.pem") cpp_ca=("--ca=$tmp/cert.pem")
    fi
    start ours "$bin/rpc_bench_server" 127.0.0.1:0 "${ours_tls[@]}"
    start c++ "$cpp/server" 0 "${cpp_tls[@]}"
    for ((round = 0; round < rounds; round++)); do
        for load in "1 1 10000" "1 100 60000" "8 100 100000"; do
            read -r c m n <<<"$load"
            for server in ours c++; do
                options=("${address[$server]}" "--pid=${pid[$server]}" "--connections=$c" "--outstanding=$m" "--seconds=$seconds")
                measure "$tmp/$1" "lib/rpc:${c}x$m" "$server" "$bin/rpc_bench_client" "${options[@]}" "${ours_ca[@]}"
                measure "$tmp/$1" "grpc-c++:${c}x$m" "$server" "$cpp/client" "${options[@]}" "${cpp_ca[@]}"
                measure "$tmp/$1" "h2load:${c}x$m" "$server" h2load_run "$server" "$c" "$m" "$1" "$n"
            done
        done
    done
    stop ours
    stop c++
    sort -s -k1,1 "$tmp/$1" >"$tmp/$1.sorted"
    echo "== unary echo, $1; h2load's p50 is a mean"
    medians "$tmp/$1.sorted"
}

streams() {
    start ours "$bin/rpc_bench_server"
    start c++ "$cpp/server"
    for ((round = 0; round < rounds; round++)); do
        for server in ours c++; do
            options=("${address[$server]}" "--pid=${pid[$server]}" "--seconds=$seconds")
            for client in lib/rpc grpc-c++; do
                program=$bin/rpc_bench_client
                [ $client = grpc-c++ ] && program=$cpp/client
                measure "$tmp/streams" "$client:stream" "$server" "$program" "${options[@]}" --mode=stream --outstanding=100
                measure "$tmp/streams" "$client:1MB" "$server" "$program" "${options[@]}" --bytes=1000000 --outstanding=4
            done
        done
    done
    stop ours
    stop c++
    sort -s -k1,1 "$tmp/streams" >"$tmp/streams.sorted"
    echo "== messages of one stream, 100 in flight; unary echo of 1 MB, 4 in flight"
    medians "$tmp/streams.sorted"
}

# Calls of malloc and its like in a callgrind file, whose names are given once and then by number. Both loads are long enough for what is
# reused to have been made.
allocations() {
    awk '/^c?fn=/ { split($0, part, /[()]/); name = $2; if (name != "") names[part[2]] = name; if ($0 ~ /^cfn/) callee = names[part[2]] }
        /^calls=/ && callee ~ /^(malloc|calloc|realloc)$/ { split($1, part, "="); sum += part[2] }
        END { printf "%d\n", sum }' "$1"
}
instructions() {
    echo "== the server for one unary echo (h2load 8 x 100, callgrind, 9,600 calls subtracted from 19,200)"
    for server in ours c++; do
        program=("$bin/rpc_bench_server")
        [ $server = c++ ] && program=("$cpp/server")
        counts=() allocated=()
        for n in 9600 19200; do
            : >"$tmp/$server"
            valgrind --tool=callgrind --callgrind-out-file="$tmp/callgrind" "${program[@]}" >"$tmp/$server" 2>"$tmp/valgrind" &
            pid[$server]=$!
            until [ -s "$tmp/$server" ]; do sleep 0.2; done
            address[$server]=$(cat "$tmp/$server")
            h2load_run $server 8 100 http $n >"$tmp/run"
            stop $server
            counts+=("$(awk '/^totals:/ { print $2; exit }' "$tmp/callgrind")")
            allocated+=("$(allocations "$tmp/callgrind")")
        done
        awk -v server=$server -v i=$((counts[1] - counts[0])) -v a=$((allocated[1] - allocated[0])) \
            'BEGIN { printf "%s: %d instructions, %.2f allocations\n", server, i / 9600, a / 9600 }'
    done
}

rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
idle_one() { # label server-arguments -- client-arguments
    label=$1
    shift
    ca=()
    [ $# -gt 0 ] && ca=("--ca=$1")
    start ours "$bin/rpc_bench_server" 127.0.0.1:0 "$@"
    before=$(rss_kb "${pid[ours]}")
    mkfifo "$tmp/hold.$label"
    "$bin/rpc_bench_client" "${address[ours]}" --mode=idle --connections="${IDLE:-10000}" "${ca[@]}" <"$tmp/hold.$label" >"$tmp/opened.$label" &
    client=$!
    exec 9>"$tmp/hold.$label"
    until [ -s "$tmp/opened.$label" ]; do
        kill -0 $client || exit 1
        sleep 0.2
    done
    after=$(rss_kb "${pid[ours]}")
    exec 9>&-
    wait $client || true
    awk -v n="${IDLE:-10000}" -v kb=$((after - before)) -v label="$label" \
        'BEGIN { printf "%s: %d connections, each after one call: %.1f KB of the server each\n", label, n, kb / n }'
    stop ours
}
idle() {
    echo "== idle connections"
    ulimit -n "$(ulimit -H -n)"
    idle_one plain
    make_certificate
    idle_one tls "$tmp/cert.pem" "$tmp/key.pem"
}

flood() {
    echo "== a good client (one connection, 10 calls in flight) beside a flood of 4 connections"
    start ours "$bin/rpc_bench_server"
    options=("${address[ours]}" "--pid=${pid[ours]}" --outstanding=10 "--seconds=$seconds")
    for ((round = 0; round < rounds; round++)); do
        measure "$tmp/flood" alone ours "$bin/rpc_bench_client" "${options[@]}"
        for kind in reset ping continuation slow; do
            "$bin/rpc_bench_flood" "${address[ours]}" $kind $((seconds + 1)) >"$tmp/flooded" &
            flooding=$!
            measure "$tmp/flood" $kind ours "$bin/rpc_bench_client" "${options[@]}"
            wait $flooding
            cat "$tmp/flooded" >&2
        done
    done
    medians "$tmp/flood"
    echo "memory of the server afterwards: $(rss_kb "${pid[ours]}") KB"
    stop ours
}

make_body
build_cpp
uname -rm
grep -m1 'model name' /proc/cpuinfo || true
dpkg-query -W -f '${Package} ${Version}\n' libgrpc++-dev libnghttp2-14 libprotobuf-c1
[ $# -gt 0 ] || set -- calls tls streams instructions idle flood
for what; do
    case $what in
    calls) calls http ;;
    tls) calls https ;;
    *) $what ;;
    esac
done
