#!/usr/bin/env bash
# Runs Isocenter's CUDA tests, the benchmarks, the examples and compute-sanitizer on this machine's GPU.
#
#   ./run.sh [options] [RESULTS] [STEP...]
#     RESULTS           a folder to write to (default results)
#     STEP              tests benchmarks examples memcheck racecheck (default: all, in this order)
#     --budget SECONDS  what all steps together may take (default 540); each has its own limit, too
#     --rehearse        without a GPU: the same steps on the CPU, to try this script; proves nothing of CUDA
#
# RESULTS holds few files: summary.txt has a line for each program (passed, FAILED, STOPPED at its time limit, or not
# run, and why) and is written as the steps end; devices_bench.json, networks_bench.json and, where PyTorch is installed,
# networks_peer.json the figures; ct_methods.log CT beside ASTRA's and RTK's CUDA code, where they and NumPy are installed
# (pip install astra-toolbox itk-rtk-cuda124); machine.txt what ran here; all.tar.gz every log and test report. Exit code:
# 0 only when everything ran and passed on a GPU; 1 when something failed, stopped or hung; 2 for wrong arguments; 3
# without a GPU.
# shellcheck disable=SC2317  # steps are called by name
set -uo pipefail
usage() { sed -n '2,15s/^# \{0,1\}//p' "$0"; }
wrong() { printf 'run.sh: %s\n' "$*" >&2 && exit 2; }

all_steps=(tests benchmarks examples memcheck racecheck)
budget=540 rehearse=false results="" steps=()
while (($# > 0)); do
  case "$1" in
    -h | --help) usage && exit 0 ;;
    --budget) [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || wrong "--budget needs a number of seconds" ; budget="$2" && shift ;;
    --rehearse) rehearse=true ;;
    -*) wrong "unknown option '$1'. See run.sh --help" ;;
    *)
      if [[ " ${all_steps[*]} " == *" $1 "* ]]; then steps+=("$1")
      elif [[ -z "$results" ]]; then results="$1"
      else wrong "there is no step '$1'. Steps: ${all_steps[*]}"; fi
      ;;
  esac
  shift
done
((${#steps[@]} > 0)) || steps=("${all_steps[@]}")
results="$(realpath -m "${results:-results}")"
mkdir -p "$results" || wrong "the folder '$results' cannot be made"
cd "$(dirname "$0")" || exit 1
summary="$results/summary.txt"
logs="$(mktemp -d)"
: >"$summary"
failures=0 ran=0

say() { printf '%s\n' "$*" | tee -a "$summary"; }
left() { echo $((budget - SECONDS)); }
# Whatever happens, what there is so far is packed.
pack() {
  cp "$logs"/{devices_bench.json,networks_bench.json,networks_peer.json,ct_methods.log} "$results/" 2>/dev/null
  tar -czf "$results/all.tar.gz" -C "$logs" . 2>/dev/null
  rm -rf "$logs"
}
trap pack EXIT
trap 'say "interrupted"; exit 1' INT TERM

# NVIDIA's libraries: the bundle's, a toolkit's, or those of PyPI's nvidia-* packages.
found="$PWD/lib:$PWD/lib/cuda:${CUDA_HOME:-/usr/local/cuda}/lib64"
for folder in $(python3 -c 'import glob, site
for s in site.getsitepackages() + [site.getusersitepackages()]:
    print("\n".join(glob.glob(s + "/nvidia/*/lib")))' 2>/dev/null); do
  found="$found:$folder"
done

{
  date -u '+%Y-%m-%d %H:%M UTC'
  cat built-from.txt
  timeout 30 nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv
  uname -sr
  grep -m 1 'model name' /proc/cpuinfo
  nproc
} >"$results/machine.txt" 2>&1

# launch NAME LIMIT COMMAND...: starts it beside the others with a time limit, its output in NAME.log.
launch() {
  local name="$1" limit="$2" most
  shift 2
  most="$(left)"
  if ((most < 5)); then
    say "$(printf '%-36s not run: the budget of %d s is spent' "$name" "$budget")"
    failures=$((failures + 1))
    return
  fi
  ((limit <= most)) || limit=$most
  echo "$limit" >"$logs/$name.limit"
  (
    began=$SECONDS
    code=0
    env LD_LIBRARY_PATH="$found${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" timeout -k 5 "$limit" "$@" >"$logs/$name.log" 2>&1 || code=$?
    echo "$code $((SECONDS - began))" >"$logs/$name.done.part"
    mv "$logs/$name.done.part" "$logs/$name.done"
  ) &
  launched+=("$name")
}
# Waits for everything launched and writes its lines. A program that does not even die (a driver that hangs) is left
# behind 15 s after its limit.
collect() {
  local name code took limit verdict since=$SECONDS
  for name in "${launched[@]}"; do
    limit="$(cat "$logs/$name.limit")"
    while [[ ! -f "$logs/$name.done" ]] && ((SECONDS - since < limit + 15)); do sleep 0.1; done
    code=hung took=$((SECONDS - since))
    if [[ -f "$logs/$name.done" ]]; then read -r code took <"$logs/$name.done"; fi
    verdict="passed"
    case "$code" in
      0) ran=$((ran + 1)) ;;
      77) verdict="not run: $(tail -n 1 "$logs/$name.log")" ;;
      124 | 137) verdict="STOPPED at its limit of $limit s, after $(grep -c '\[       OK \]' "$logs/$name.log") tests" ;;
      hung) verdict="HUNG: still there 15 s after its limit of $limit s" ;;
      *) verdict="FAILED with exit code $code: $(grep -m 1 -E 'FAILED|ERROR SUMMARY|rror:' "$logs/$name.log" | cut -c 1-160)" ;;
    esac
    case "$verdict" in FAILED* | STOPPED* | HUNG*) failures=$((failures + 1)) ;; esac
    say "$(printf '%-36s %s (%d s)' "$name" "$verdict" "$took")"
  done
  launched=()
}
launched=()

# The tests that run on a device carry its name, "cuda_0".
on_gpu='*cuda*:*Cuda*:*CUDA*:*Cudnn*'
if $rehearse; then on_gpu='*cpu*'; else export ISOCENTER_REQUIRE_CUDA=1; fi
gpu_programs() {
  local program list
  for program in bin/*_tests; do
    list="$(LD_LIBRARY_PATH="$found" timeout 60 "$program" --gtest_list_tests --gtest_filter="$on_gpu" 2>/dev/null)"
    if [[ "$list" == *$'\n  '* ]]; then echo "$program"; fi
  done
}

run_tests() {
  local program name
  for program in "${programs[@]}"; do
    name="$(basename "$program")"
    launch "$name" 180 "$program" --gtest_filter="$on_gpu" "--gtest_output=json:$logs/$name.json"
  done
  collect
}
# One after the other: they are timed.
run_benchmarks() {
  launch devices_bench 150 bin/devices_bench "--benchmark_out=$logs/devices_bench.json" --benchmark_out_format=json \
    --benchmark_min_time=0.3
  collect
  local small=()
  if $rehearse; then small=(--small); fi
  if [[ -x bin/networks_bench ]]; then
    launch networks_bench 120 bin/networks_bench "${small[@]}" "$logs/networks_bench.json"
    collect
    if $rehearse; then small=(--rehearse); fi
    launch networks_peer 120 python3 networks_peer.py "${small[@]}" "$logs/networks_peer.json"
    collect
  fi
  if [[ ! -x bin/ct_methods ]]; then
    say "$(printf '%-36s not run: it is not in the bundle' ct_methods)"
  elif ! python3 -c 'import numpy' 2>/dev/null; then
    say "$(printf '%-36s not run: NumPy is not installed' ct_methods)"
  elif $rehearse; then
    launch ct_methods 60 python3 ct_methods.py bin/ct_methods 48
  else
    launch ct_methods 90 python3 ct_methods.py bin/ct_methods 256 --check --device cuda:0
  fi
  collect
}
run_examples() {
  local program
  for program in bin/0*; do
    [[ ! -x "$program" ]] || launch "example_$(basename "$program")" 30 "$program"
  done
  collect
}
# Under compute-sanitizer everything is many times slower: each program's tests are dealt out to several processes.
under_sanitizer() {
  local tool="$1" limit="$2" program name sanitizer shard shards
  shift 2
  sanitizer="$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer" 2>/dev/null || true)"
  if [[ -z "$sanitizer" ]]; then
    say "$(printf '%-36s not run: compute-sanitizer is not installed' "$tool")"
    return
  fi
  shards=$(($(nproc) / ${#programs[@]}))
  ((shards >= 1)) || shards=1
  for program in "${programs[@]}"; do
    name="$(basename "$program")"
    for ((shard = 0; shard < shards; ++shard)); do
      launch "${tool}_${name}_$((shard + 1))_of_$shards" "$limit" \
        env GTEST_TOTAL_SHARDS="$shards" GTEST_SHARD_INDEX="$shard" "$sanitizer" --tool "$tool" "$@" --error-exitcode 9 \
        "$program" --gtest_filter="$on_gpu"
    done
  done
  collect
}
run_memcheck() { under_sanitizer memcheck 120 --leak-check no; }
run_racecheck() { under_sanitizer racecheck 90; }

if ! $rehearse; then
  # Example 04 says why a GPU cannot be used, in the library's own words, and then exits with 77.
  probe="$(LD_LIBRARY_PATH="$found" timeout 60 bin/04_custom_cuda_operator 2>&1)"
  case $? in
    0) ;;
    77) say "nothing was run: ${probe##*$'\n'}" && exit 3 ;;
    124) say "nothing was run: the GPU did not answer within 60 s" && exit 1 ;;
    *) say "the first program on the GPU FAILED, going on all the same: ${probe##*$'\n'}" && failures=1 ;;
  esac
fi
mapfile -t programs < <(gpu_programs)
((${#programs[@]} > 0)) || { say "nothing was run: the bundle holds no test for a GPU" && exit 1; }

for step in "${steps[@]}"; do "run_$step"; done
say "$ran passed, $failures did not, in $SECONDS s; results are in $results"
exit $((failures > 0 ? 1 : 0))
