#!/usr/bin/env bash
# headers_alone.sh INCLUDE JOBS COMPILER [FLAG...]: each public header compiles when nothing was included before it, and
# twice. Headers whose third party (ITK, CUDA) is not there are left out by name.
set -euo pipefail
include="$1" jobs="$2"
shift 2
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
check() {
  local header="$1" source
  shift
  source="$(mktemp "$work/XXXXXX.cpp")"
  printf '#include <isocenter/%s>\n#include <isocenter/%s>\nint main() { return 0; }\n' "$header" "$header" >"$source"
  "$@" -fsyntax-only "$source" || {
    printf 'isocenter/%s does not compile alone\n' "$header" >&2
    return 1
  }
}
export -f check
export work
mapfile -t headers < <(cd "$include/isocenter" && find . -name '*.h' -o -name '*.hpp' | sed 's|^\./||' | sort)
for name in ${WITHOUT_HEADERS:-}; do
  mapfile -t headers < <(printf '%s\n' "${headers[@]}" | grep -vxF "$name")
done
printf '%s\n' "${headers[@]}" | xargs -P "$jobs" -I{} bash -c 'check "$@"' check {} "$@" -I "$include" -Wall -Wextra -Werror
printf '%d public headers compile alone with %s\n' "${#headers[@]}" "$1"
