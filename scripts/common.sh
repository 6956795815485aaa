# shellcheck shell=bash
# Sourced by the other scripts: where the repository is, how messages look, how many jobs this machine can carry.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root" || exit 1

# ccache then finds what another clone of the repository compiled.
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$root}" CCACHE_NOHASHDIR="${CCACHE_NOHASHDIR:-1}"

say() { printf '\n==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
fail() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Compile jobs: as many as there are cores, but no more than memory carries at 1.5 GiB a job.
jobs() {
  local cores memory_kib limit
  cores="$(nproc)"
  memory_kib="$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)"
  limit="$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)"
  if [[ "$limit" =~ ^[0-9]+$ ]] && ((limit / 1024 < memory_kib)); then memory_kib=$((limit / 1024)); fi
  local carried=$((memory_kib / (1536 * 1024)))
  if ((carried < 1)); then carried=1; fi
  echo $((carried < cores ? carried : cores))
}

# nvcc's path: on PATH, or where NVIDIA's packages put it. Empty without a CUDA toolkit.
nvcc_path() {
  command -v nvcc || ls -d "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" 2>/dev/null || true
}

presets() { sed -n 's/.*"name": "\([a-z]*\)", "configurePreset".*/\1/p' CMakePresets.json | sort -u | tr '\n' ' '; }

# Configures a preset: configure_preset <preset> [-D...]
configure_preset() {
  local preset="$1"
  shift
  local settings=()
  if [[ "$preset" != embedded ]]; then
    local nvcc
    nvcc="$(nvcc_path)"
    if [[ -n "$nvcc" ]]; then
      note "CUDA: compiled with $nvcc ($("$nvcc" --version | sed -n 's/.*release \([0-9.]*\).*/\1/p'))"
      settings=("-DCMAKE_CUDA_COMPILER=$nvcc")
      # Compile for the GPUs of this machine; without one, for the default architecture.
      local architectures
      architectures="$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d '. ' | sort -u | paste -sd ';' || true)"
      if [[ "$architectures" =~ ^[0-9][0-9\;]*$ ]]; then settings+=("-DISOCENTER_CUDA_ARCHITECTURES=$architectures"); fi
    else
      note "CUDA: off, no nvcc was found on PATH or under ${CUDA_HOME:-/usr/local/cuda}"
      settings=(-DISOCENTER_WITH_CUDA=OFF)
    fi
  fi
  # Warnings are errors where we choose the compiler; elsewhere a newer one may know new warnings. With a sanitizer's
  # instrumentation GCC warns of what it does not say otherwise, and often wrongly.
  if [[ "${CI:-}" == true && "$preset" != *san ]]; then settings+=(-DISOCENTER_WERROR=ON); fi
  # Benchmarks are built, so that they do not rot between the days on which they are run.
  if [[ "${CI:-}" == true && "$preset" == release ]]; then settings+=(-DISOCENTER_WITH_BENCHMARKS=ON); fi
  local log="build/$preset-configure.log"
  mkdir -p build
  if ! cmake --preset "$preset" "${settings[@]}" "$@" >"$log" 2>&1; then
    cat "$log" >&2
    fail "configuring preset '$preset' failed; what CMake said stands above"
  fi
  grep -E '^-- Isocenter' "$log" | sed 's/^-- /    /' || true
}

# Builds a preset (or some of its targets): build_preset <preset> [target...]
build_preset() {
  local preset="$1" parallel
  shift
  parallel="$(jobs)"
  note "building build/$preset with $parallel jobs"
  cmake --build "build/$preset" --parallel "$parallel" ${1:+--target "$@"}
}

# Other people's Python readers, for the interoperability tests: build/python-tools, made once. Sets python_settings to
# what CMake is told of them; to an empty ISOCENTER_TEST_PYTHON when PyPI cannot be reached.
python_tools() {
  python_environment
  python_settings=("-DISOCENTER_TEST_PYTHON=$test_python")
  [[ -n "$test_python" ]] || return 0
  local packages
  packages="$("$test_python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')"
  python_settings+=("-DISOCENTER_ONNX_NODE_TESTS=$packages/onnx/backend/test/data/node")
  # cuDNN Frontend is headers alone; where there is no cuDNN, networks on CUDA stay off and configure says so.
  if [[ -f "$packages/include/cudnn_frontend.h" ]]; then
    python_settings+=("-DISOCENTER_CUDNN_FRONTEND_INCLUDE=$packages/include")
  fi
}
python_environment() {
  local venv=build/python-tools wanted=scripts/python-tools.txt python=/usr/bin/python3
  [[ -x "$python" ]] || python="$(command -v python3 || true)"
  test_python="$root/$venv/bin/python3"
  if [[ -f "$venv/made-from.txt" ]] && cmp -s "$wanted" "$venv/made-from.txt" && "$test_python" -c '' 2>/dev/null; then
    note "Python readers: build/python-tools is up to date"
    return
  fi
  mkdir -p build
  note "Python readers: installing $(grep -c '==' "$wanted") packages into build/python-tools"
  rm -rf "$venv"
  if "$python" -m venv "$venv" >build/python-tools.log 2>&1 &&
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps -r "$wanted" \
      >>build/python-tools.log 2>&1; then
    cp "$wanted" "$venv/made-from.txt"
  else
    rm -rf "$venv"
    test_python=""
    note "Python readers: off, PyPI was not reached (build/python-tools.log); tests with pydicom, highdicom, onnx are not run"
  fi
}
