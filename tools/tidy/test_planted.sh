#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Plants one violation at a time in a small clean tree; each must be reported, and the clean tree must pass.
set -u
tidy=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
licence='/* SPDX-License-Identifier: Apache-2.0 */'
passed=0
failed=0

clean() {
    rm -rf "$tree"
    mkdir -p "$tree/lib/base" "$tree/lib/net" "$tree/services/a/include/alpha" "$tree/services/b" \
        "$tree/services/controller/engine" "$tree/proto" "$tree/gateway"
    printf '%s\n#include <string.h>\n/* strcpy(a, b) in a comment; goto too */\nconst char *x = "goto SELECT strcpy(";\n' \
        "$licence" >"$tree/lib/base/fine.c"
    printf '%s\n#include "base/macros.h"\n#include "loop/loop.h"\n' "$licence" >"$tree/lib/net/fine.c"
    printf '%s\n' "$licence" >"$tree/services/a/include/alpha/alpha.h"
}

# expect PATH PATTERN CONTENT: the file, planted, must be complained of.
expect() {
    clean
    mkdir -p "$tree/$(dirname "$1")"
    printf '%b' "$3" >"$tree/$1"
    if "$tidy" "$tree" >"$tree/.out"; then
        echo "not seen: $1 ($2)"
        failed=$((failed + 1))
    elif ! grep -q "^$1:[0-9]*: .*$2" "$tree/.out"; then
        echo "seen as something else: $1 ($2)"
        cat "$tree/.out"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
}

clean
if "$tidy" "$tree"; then
    passed=$((passed + 1))
else
    echo "the clean tree is complained of"
    failed=$((failed + 1))
fi

c="$licence\n"
expect lib/base/a.c 'no line "SPDX' 'int x;\n'
expect lib/base/a.sql 'no line "SPDX' '-- nothing\n'
expect services/a/CMakeLists.txt 'no line "SPDX' 'project(x)\n'
expect frontend/x.svelte 'no line "SPDX' '<p></p>\n'
expect lib/base/a.c 'a tab' "$c\tint x;\n"
expect lib/base/a.c 'a space at the end' "${c}int x; \n"
expect lib/base/a.c 'strcpy: use' "${c}void f(void)\n{\n    strcpy(a, b);\n}\n"
expect lib/base/a.c 'sprintf: use' "${c}void f(void)\n{\n    sprintf (a, b);\n}\n"
expect lib/base/a.c 'goto: use' "${c}void f(void)\n{\n    goto out;\n}\n"
expect lib/base/a.c 'SQL in a literal' "${c}const char *q = \"SELECT 1\";\n"
expect lib/base/a.c 'SQL in a literal' "${c}const char *q = \"delete from t where x\";\n"
expect services/a/a.c 'the path of a method' "${c}const char *p = \"/plankton.v1.TaskController/GetTask\";\n"
expect lib/base/a.c 'finish it' "${c}/* TO""DO: later */\n"
expect docs/a.md 'finish it' "# Page\nFIX""ME\n"
expect lib/base/a.c 'may not use loop' "$c#include \"loop/loop.h\"\n"
expect lib/net/a.c 'may not use db' "$c#include \"db/db.h\"\n"
expect lib/new/a.c 'no place in the layers' "$c"
expect services/controller/engine/a.c 'may not use loop' "$c#include \"loop/loop.h\"\n"
expect services/b/a.c 'may not use alpha of services/a' "$c#include \"alpha/alpha.h\"\n"
expect gateway/a.c 'may not use db' "$c#include \"db/db.h\"\n"
expect gateway/a.c 'may be included in lib/loop only' "$c#include <uv.h>\n"
expect services/a/a.c 'may be included in lib/db only' "$c#include <libpq-fe.h>\n"
expect lib/base/util.c 'names no subject' "$c"
expect lib/base/common/x.c 'names no subject' "$c"
expect proto/a.proto 'proto3 optional' "// ${licence#/\* }\nmessage A {\n  optional string x = 1;\n}\n"

body=$(awk 'BEGIN { for (i = 0; i < 71; i++) printf "    f();\\n" }')
expect lib/base/a.c 'a function of 71 lines' "${c}void f(void)\n{\n$body}\n"
lines=$(awk 'BEGIN { for (i = 0; i < 800; i++) printf "int x;\\n" }')
expect lib/base/a.c '801 lines' "$c$lines"

echo "$passed seen, $failed missed"
[ "$failed" -eq 0 ]
