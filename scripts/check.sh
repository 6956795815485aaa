#!/usr/bin/env bash
# Everything that a change is held to before it is submitted.
#
#   scripts/check.sh               shell, spelling, format, clang-tidy on changed files, the test suite
#   scripts/check.sh STEP...       any of: shell spelling format tidy test embedded asan tsan
#   BASE=main scripts/check.sh tidy   changed files are counted from BASE (default: the last commit)
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

check_shell() {
  local files
  mapfile -t files < <(git ls-files '*.sh' .ci/run)
  shellcheck -x "${files[@]}" && note "shellcheck: ${#files[@]} scripts are clean"
}
check_spelling() {
  local files
  mapfile -t files < <(git ls-files '*.md' '*.hpp' '*.cpp' '*.h' '*.c' '*.cu' '*.cuh' '*.py' '*.sh' '*.cmake' '*.yaml' '*CMakeLists.txt')
  codespell --ignore-words scripts/spelling.txt "${files[@]}" && note "codespell: ${#files[@]} files are clean"
}
check_format() { scripts/format.sh --check; }
check_tidy() {
  local base="${BASE:-HEAD~1}" database="" files preset
  for preset in release dev embedded; do
    [[ -n "$database" || ! -f "build/$preset/compile_commands.json" ]] || database="build/$preset"
  done
  [[ -n "$database" ]] || fail "clang-tidy needs a configured build. Run scripts/test.sh first"
  mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- 'src/*.cpp' 'kernels/*.cpp' 'apps/*.cpp' 'examples/*.cpp')
  if ((${#files[@]} == 0)); then
    note "clang-tidy: no source has changed since $base"
    return
  fi
  note "clang-tidy: ${#files[@]} files changed since $base"
  printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(jobs)" clang-tidy -p "$database" --quiet --extra-arg=-Wno-unknown-warning-option --warnings-as-errors='*'
}
check_test() { scripts/test.sh release; }
check_embedded() { scripts/test.sh embedded; }
check_asan() { scripts/test.sh asan; }
check_tsan() { scripts/test.sh tsan; }

case "${1:-}" in
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 0 ;;
esac
steps=("$@")
((${#steps[@]} > 0)) || steps=(shell spelling format tidy test)
for step in "${steps[@]}"; do
  declare -F "check_$step" >/dev/null ||
    fail "there is no step '$step'. Steps: shell spelling format tidy test embedded asan tsan"
done
scripts/install-deps.sh build checks
failed=()
for step in "${steps[@]}"; do
  say "$step"
  ( "check_$step" ) || failed+=("$step")
done
if ((${#failed[@]} > 0)); then fail "failed: ${failed[*]}"; fi
note "passed: ${steps[*]}"
