#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench.sh [BIN]: a fresh system (`plankton up`: private PostgreSQL with fsync on, one worker), all four measurements of
# `plankton bench`, the memory and the CPU time of each service. A line of JSON for each; gone afterwards. TASKS, LATENCY, WORKFLOWS
# and RUNS change the sizes. Nothing else should run on the machine.
set -eu
bin=${1:-$(dirname "$0")/../../build/release/bin}
bin=$(cd "$bin" && pwd)
dir=$(mktemp -d)
cd "$dir"
port=28080

stop() {
    "$bin/plankton" stop >/dev/null 2>&1 || true
    if [ -e .plankton/postgres ]; then
        cluster=$(readlink -f .plankton/postgres)
        rm -rf "$cluster" "/tmp/plankton-$(id -u)-$(basename "$cluster")"
    fi
    rm -rf "$dir"
}
trap stop EXIT

"$bin/plankton" up --port $port --detach >/dev/null
launcher=$(sed 's/.*"pid":\([0-9]*\).*/\1/' .plankton/endpoints.json)
services() { cat "/proc/$launcher/task/$launcher/children"; }
name_of() { basename "$(tr '\0' '\n' <"/proc/$1/cmdline" | head -n 1)"; }
database=$(for pid in $(services); do tr '\0' '\n' <"/proc/$pid/environ"; done | sed -n 's/^PLANKTON_CONTROLLER_DATABASE=//p')

# Proportional set size: shared pages are counted once over all. Linux has it as a sum in smaps_rollup.
memory() {
    for pid in $(services); do
        pss=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")
        ticks=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
        printf '{"service": "%s", "when": "%s", "pss_kb": %s, "cpu_s": %s}\n' "$(name_of "$pid")" "$1" "$pss" \
            "$(awk -v t="$ticks" -v hz="$(getconf CLK_TCK)" 'BEGIN { print t / hz }')"
    done
}

bench() { "$bin/plankton" bench "$@" --database "$database" -o json; }
memory idle
bench latency --n "${LATENCY:-500}"
bench tasks --tasks "${TASKS:-200000}"
bench chain --workflows 100 --concurrency 1
bench chain --workflows "${WORKFLOWS:-1000}" --concurrency 50
bench fanout --width 1000 --runs "${RUNS:-10}"
memory after
