#!/usr/bin/env bash
# Writes tests/abi/isocenter-1.abi, the ABI that later builds are held to, from include/isocenter/isocenter.h.
# Run it before a release, and look at the difference: within major version 1 it may only grow.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

command -v abidw >/dev/null || fail "abidw is not installed. Run scripts/install-deps.sh test"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
tests/abi/contract.sh include cc "$work/libisocenter.so"
abidw --no-show-locs --no-corpus-path --no-comp-dir-path --type-id-style hash "$work/libisocenter.so" |
  sed "s| path='[^']*'| path='isocenter.h'|; s| comp-dir-path='[^']*'||" >tests/abi/isocenter-1.abi
note "wrote tests/abi/isocenter-1.abi ($(wc -l <tests/abi/isocenter-1.abi) lines)"
git --no-pager diff --stat -- tests/abi/isocenter-1.abi
