#!/usr/bin/env bash
# Builds Isocenter and runs its test suite. Installs what is missing; run again, it only does what has changed.
#
#   scripts/test.sh                       everything that this machine can build (preset release)
#   scripts/test.sh PRESET                dev, embedded, asan, tsan, cuda: see CMakePresets.json
#   scripts/test.sh PRESET CTEST_ARGS...  e.g. scripts/test.sh release -R abi
#
# With an NVIDIA GPU the tests run on it too. ISOCENTER_REQUIRE_CUDA=1 turns a missing GPU into a failure.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

case "${1:-}" in
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 0 ;;
esac
preset="${1:-release}"
shift || true
grep -q "\"name\": \"$preset\"" CMakePresets.json || fail "there is no preset '$preset'. Presets: $(presets)"

say "1/4 Dependencies"
options=()
if [[ "$preset" == embedded ]]; then
  scripts/install-deps.sh embedded
else
  scripts/install-deps.sh
  python_tools
  options=("${python_settings[@]}")
fi

say "2/4 Configuring preset '$preset'"
configure_preset "$preset" "${options[@]}"

say "3/4 Building"
build_preset "$preset"

say "4/4 Testing"
ctest --preset "$preset" --parallel "$(jobs)" "$@" || {
  status=$?
  note "some tests failed; their output stands above, and in build/$preset/Testing/Temporary/LastTest.log"
  exit "$status"
}
