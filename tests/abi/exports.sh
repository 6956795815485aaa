#!/usr/bin/env bash
# exports.sh LIBRARY HEADER: the library exports exactly the functions that the header declares, and nothing else.
# exports.sh LIBRARY NAME...: or exactly these names. The name of a symbol version (type A) is none.
set -euo pipefail
library="$1"
shift
exported="$(nm -D --defined-only "$library" | awk '$2 != "A" {sub(/@.*/, "", $3); print $3}' | sort)"
if [[ -f "$1" ]]; then
  allowed="$(python3 "$(dirname "$0")/contract.py" --names "$1" | sort)"
else
  allowed="$(printf '%s\n' "$@" | sort)"
fi
if ! difference="$(diff <(echo "$allowed") <(echo "$exported"))"; then
  printf '%s does not export what was promised (< promised, > exported):\n%s\n' "$library" "$difference" >&2
  exit 1
fi
printf '%s exports %d symbols, all as promised\n' "$(basename "$library")" "$(wc -l <<<"$exported")"
