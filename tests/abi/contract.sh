#!/usr/bin/env bash
# contract.sh INCLUDE CC OUTPUT: compiles the contract of isocenter.h into a shared object with debugging information.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
source="$(mktemp --suffix=.c)"
trap 'rm -f "$source"' EXIT
python3 "$here/contract.py" "$1/isocenter/isocenter.h" >"$source"
"$2" -std=c99 -g -fPIC -shared -I "$1" "$source" -o "$3" -Wl,-soname,libisocenter.so.1
