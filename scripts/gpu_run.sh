#!/usr/bin/env bash
# Runs Isocenter's CUDA tests, compute-sanitizer and the benchmarks on this machine's GPU.
#
#   ./run.sh [RESULTS] [STEP...]     RESULTS: a folder to write to (default results)
#                                    STEP: tests sanitizer benchmarks examples (default: all)
#
# RESULTS/summary.txt has a line for each program: passed, failed or not run, and why. The exit code is 0 only when
# nothing failed and a GPU was there.
# shellcheck disable=SC2317  # steps are called by name
set -uo pipefail
case "${1:-}" in
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 0 ;;
esac
results="$(realpath -m "${1:-results}")"
shift || true
steps=("$@")
((${#steps[@]} > 0)) || steps=(tests sanitizer benchmarks examples)
cd "$(dirname "$0")" || exit 1
mkdir -p "$results"
summary="$results/summary.txt"
: >"$summary"
failures=0

# NVIDIA's libraries: the bundle's, a toolkit's, or those of PyPI's nvidia-* packages.
found="$PWD/lib:$PWD/lib/cuda:${CUDA_HOME:-/usr/local/cuda}/lib64"
for folder in $(python3 -c 'import glob, site
for s in site.getsitepackages() + [site.getusersitepackages()]:
    print("\n".join(glob.glob(s + "/nvidia/*/lib")))' 2>/dev/null); do
  found="$found:$folder"
done
export LD_LIBRARY_PATH="$found${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export ISOCENTER_REQUIRE_CUDA=1

{
  date -u '+%Y-%m-%d %H:%M UTC'
  cat built-from.txt
  nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv
  uname -sr
  nproc
} >"$results/machine.txt" 2>&1 || true

# attempt NAME SECONDS COMMAND...: runs it, keeps its output in NAME.log, writes a line of the summary.
attempt() {
  local name="$1" limit="$2" began=$SECONDS code=0
  shift 2
  timeout "$limit" "$@" >"$results/$name.log" 2>&1 || code=$?
  local verdict="passed"
  case "$code" in
    0) ;;
    77) verdict="not run: $(tail -n 1 "$results/$name.log")" ;;
    124) verdict="FAILED: stopped after $limit s" ;;
    *) verdict="FAILED with exit code $code" ;;
  esac
  [[ "$verdict" != FAILED* ]] || failures=$((failures + 1))
  printf '%-40s %s (%d s)\n' "$name" "$verdict" $((SECONDS - began)) | tee -a "$summary"
}

# The tests that run on a device carry its name, "cuda_0".
on_gpu='*cuda*:*Cuda*:*CUDA*:*Cudnn*'

has_gpu_tests() { "$1" --gtest_list_tests --gtest_filter="$on_gpu" 2>/dev/null | grep -q '^  '; }

run_tests() {
  local program name
  for program in bin/*_tests; do
    has_gpu_tests "$program" || continue
    name="$(basename "$program")"
    attempt "$name" 900 "$program" --gtest_filter="$on_gpu" "--gtest_output=json:$results/$name.json"
  done
}
run_sanitizer() {
  local program name sanitizer
  sanitizer="$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer" 2>/dev/null || true)"
  if [[ -z "$sanitizer" ]]; then
    echo "sanitizer: not run, compute-sanitizer is not installed" | tee -a "$summary"
    return
  fi
  for program in bin/*_tests; do
    has_gpu_tests "$program" || continue
    name="$(basename "$program")"
    attempt "memcheck_$name" 900 "$sanitizer" --tool memcheck --leak-check no --error-exitcode 9 \
      "$program" --gtest_filter="$on_gpu"
    attempt "racecheck_$name" 900 "$sanitizer" --tool racecheck --error-exitcode 9 \
      "$program" --gtest_filter="$on_gpu"
  done
}
run_benchmarks() {
  local program name
  for program in bin/*_bench; do
    [[ -x "$program" ]] || continue
    name="$(basename "$program")"
    attempt "$name" 900 "$program" "--benchmark_out=$results/$name.json" --benchmark_out_format=json
  done
}
run_examples() {
  local program
  for program in bin/0*; do
    [[ ! -x "$program" ]] || attempt "example_$(basename "$program")" 120 "$program"
  done
}

for step in "${steps[@]}"; do
  declare -F "run_$step" >/dev/null || {
    echo "there is no step '$step'. Steps: tests sanitizer benchmarks examples" >&2
    exit 2
  }
  "run_$step"
done
[[ -s "$summary" ]] || {
  echo "nothing was run: the bundle holds no program for ${steps[*]}" | tee -a "$summary"
  failures=1
}
echo "results are in $results"
exit $((failures > 0 ? 1 : 0))
