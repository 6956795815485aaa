#!/usr/bin/env bash
# Formats the C++ and CUDA sources with clang-format and the repository's .clang-format.
#
#   scripts/format.sh            every tracked source
#   scripts/format.sh FILE...    these files
#   scripts/format.sh --check    changes nothing; fails and names what is not formatted
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

check=false
if [[ "${1:-}" == --check ]]; then
  check=true
  shift
fi
command -v clang-format >/dev/null || fail "clang-format is not installed. Run scripts/install-deps.sh checks"
if (($# > 0)); then
  files=("$@")
else
  mapfile -t files < <(git ls-files '*.hpp' '*.cpp' '*.h' '*.c' '*.cu' '*.cuh' '*.inl')
fi
if $check; then
  bad=()
  for file in "${files[@]}"; do
    # Its output counts: --dry-run of version 14 complains of namespace comments that it leaves as they are.
    [[ ! -f "$file" ]] || clang-format "$file" | cmp -s - "$file" || bad+=("$file")
  done
  if ((${#bad[@]} > 0)); then
    printf '%s\n' "${bad[@]}"
    fail "${#bad[@]} of ${#files[@]} files are not formatted. Fix: scripts/format.sh"
  fi
  note "formatting: all ${#files[@]} files are as clang-format wants them"
else
  printf '%s\0' "${files[@]}" | xargs -0 -n 20 -P "$(jobs)" clang-format -i
  note "formatted ${#files[@]} files"
fi
