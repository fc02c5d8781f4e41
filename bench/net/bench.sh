#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench.sh [BIN] [COUNT]: memory of an idle TLS connection and the price of handshakes, with certificates on P-256 and RSA. BIN holds
# net_tls_bench of a release build (ninja -C build/release net_tls_bench).
set -euo pipefail
bin=${1:-build/release/bin} count=${2:-10000}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ulimit -n "$(ulimit -H -n)"
certificate() { # kind newkey-arguments…
    openssl req -x509 "${@:2}" -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout "$tmp/$1.key" \
        -out "$tmp/$1.pem" 2>/dev/null
}
certificate p256 -newkey ec -pkeyopt ec_paramgen_curve:P-256
certificate rsa2048 -newkey rsa:2048
for kind in p256 rsa2048; do
    files=("$tmp/$kind.pem" "$tmp/$kind.key" "$tmp/$kind.pem")
    for mutual in "" mutual; do
        echo "== $kind $mutual"
        "$bin/net_tls_bench" idle "${files[@]}" "$count" $mutual
        "$bin/net_tls_bench" full "${files[@]}" 5000 $mutual
        "$bin/net_tls_bench" resumed "${files[@]}" 5000 $mutual
    done
done
