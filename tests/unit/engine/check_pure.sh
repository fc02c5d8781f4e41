#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check_pure.sh NM ARCHIVE: fails when the library refers to anything but memory, text and its own layers.
# The list says what is allowed, so that whatever is new is seen.
set -eu
undefined=$("$1" -u "$2" | awk '$1 == "U" {print $2}' | sort -u)
defined=$("$1" --defined-only "$2" | awk 'NF == 3 {print $3}' | sort -u)
bad=$(printf '%s\n' "$undefined" | grep -vxF "$defined" | grep -vxE \
    '(arena|buf|heap|map|mem|text|error|id|hash|json|plan|cel|status)_[a-z0-9_]+|json_object_[a-z_]+|free|qsort|mem(cpy|set|cmp|move)|str(n?len|n?cmp|r?chr)|__(mem|str)[a-z]+_chk|__assert_fail|__stack_chk_fail|__(asan|ubsan|sanitizer|gcov|llvm)_[a-z0-9_]+|_GLOBAL_OFFSET_TABLE_' || true)
if [ -n "$bad" ]; then
    echo "the engine refers to: $bad" >&2
    exit 1
fi
echo "the engine is pure: $(printf '%s\n' "$undefined" | wc -l) outside symbols, all of memory, text and its layers"
