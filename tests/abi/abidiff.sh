#!/usr/bin/env bash
# abidiff.sh BASELINE LIBRARY INCLUDE CC: what the last release offered is still there and means the same. New functions
# are allowed. A field added at the end of a structure is too, but must be looked at: it fails until the baseline is
# written anew. Anything else needs a new name.
#
# Types are compared on the contract alone (contract.py): the library's own debugging information would bring in all of
# what is behind it. The library itself must then define every function of the baseline.
set -euo pipefail
baseline="$1" library="$2" include="$3" cc="$4"
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"$here/contract.sh" "$include" "$cc" "$work/libcontract.so"
compare() {
  local status=0
  abidiff --no-added-syms "$@" || status=$?
  if ((status != 0)); then
    printf 'the ABI differs from %s (abidiff gave %d).\n' "$(basename "$baseline")" "$status"
    printf 'Fix: undo it, or offer it under a new name. When a structure only grew at its end, or before the first\n'
    printf 'release: scripts/update-abi-baseline.sh\n'
    exit 1
  fi >&2
}
compare "$baseline" "$work/libcontract.so"
# The library, read without types: only what it defines counts.
comm -23 <(sed -n "s/.*<elf-symbol name='\([^']*\)'.*/\1/p" "$baseline" | sort -u) \
  <(nm -D --defined-only "$library" | awk '{sub(/@.*/, "", $3); print $3}' | sort -u) >"$work/lost"
if [[ -s "$work/lost" ]]; then
  printf '%s no longer defines:\n' "$(basename "$library")" >&2
  cat "$work/lost" >&2
  exit 1
fi
echo "the ABI is that of the baseline, or adds to it"
