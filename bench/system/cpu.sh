#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cpu.sh [BIN]: CPU time a task of each process of a fresh system (`plankton up`), over RUNS runs of `plankton bench tasks` with TASKS
# tasks each, and what PostgreSQL did for them. CPU time is the scheduler's account in nanoseconds, so that it may be compared on a
# machine that is busy with other work, where rates may not. PROFILE=FILE records all processes with perf meanwhile.
set -eu
bin=${1:-$(dirname "$0")/../../build/release/bin}
bin=$(cd "$bin" && pwd)
dir=$(mktemp -d)
tasks=${TASKS:-80000}
port=${PORT:-28180}
cd "$dir"

stop() {
    "$bin/plankton" stop >/dev/null 2>&1 || true
    if [ -e .plankton/postgres ]; then
        cluster=$(readlink -f .plankton/postgres)
        rm -rf "$cluster" "/tmp/plankton-$(id -u)-$(basename "$cluster")"
    fi
    rm -rf "$dir"
}
trap stop EXIT

"$bin/plankton" up --port "$port" --detach >/dev/null
launcher=$(sed 's/.*"pid":\([0-9]*\).*/\1/' .plankton/endpoints.json)
services() { cat "/proc/$launcher/task/$launcher/children"; }
database=$(for pid in $(services); do tr '\0' '\n' <"/proc/$pid/environ"; done | sed -n 's/^PLANKTON_CONTROLLER_DATABASE=//p')
postmaster=$(head -n 1 "$(readlink -f .plankton/postgres)"/*/postmaster.pid)
query() { psql "$database" -qAtX -c "$1"; }

# One line a process: its name with its pid, and the nanoseconds that all its threads have run.
snapshot() {
    for pid in $(services) $(cat "/proc/$postmaster/task/$postmaster/children"); do
        ns=$(cat "/proc/$pid"/task/*/schedstat 2>/dev/null | awk '{ s += $1 } END { printf "%.0f", s }') || continue
        name=$(tr '\0' ' ' <"/proc/$pid/cmdline" | awk '{ sub(".*/", "", $1); print ($1 == "postgres:" ? $1 "_" $2 "_" $3 : $1) }') || continue
        echo "$name:$pid $ns"
    done | sort
}

wal() { query "select pg_current_wal_insert_lsn() - '0/0', (select sum(wal_fpi) from pg_stat_wal)"; }

run() {
    snapshot >before
    wal_before=$(wal)
    TIMEFORMAT='%U %S'
    { time "$bin/plankton" bench tasks --tasks "$tasks" -o json >result; } 2>client
    snapshot >after
    wal_after=$(wal)
    tail -n 1 result
    awk '{ printf "%-36s %6.2f us/task\n", "client", ($1 + $2) * 1e6 / n }' n="$tasks" client
    join before after | awk '
        { us = ($3 - $2) / 1000 / n; sum += us; if (us >= 0.05) printf "%-36s %6.2f us/task\n", $1, us }
        $1 ~ /^postgres/ { postgres += us }
        END { printf "%-36s %6.2f us/task\n%-36s %6.2f us/task\n", "postgres in all", postgres, "all but the client", sum }' n="$tasks"
    echo "$wal_before|$wal_after" | awk -F '|' '{ printf "%-36s %6.0f bytes/task, %d whole pages\n", "wal", ($3 - $1) / n, $4 - $2 }' n="$tasks"
}

"$bin/plankton" bench tasks --tasks 20000 >/dev/null
if [ -n "${PROFILE:-}" ]; then
    perf record -q -o "$PROFILE" -F 2500 -e cpu-clock -g -p \
        "$(echo $(services) $(cat "/proc/$postmaster/task/$postmaster/children") | tr ' ' ',')" &
    profiler=$!
fi
for _ in $(seq "${RUNS:-3}"); do run; done
if [ -n "${PROFILE:-}" ]; then kill -INT "$profiler"; wait "$profiler" || true; fi
query "select relname, 'rows', n_tup_ins, 'updated', n_tup_upd, 'hot', n_tup_hot_upd from pg_stat_user_tables
       where n_tup_ins + n_tup_upd > 1000 order by n_tup_ins desc" | tr '|' ' '
query "select 'journal rows written', max(sum) from (select sum(seq) from shard) s" | tr '|' ' '
