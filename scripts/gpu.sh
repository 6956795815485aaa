#!/usr/bin/env bash
# Makes a folder that runs Isocenter's CUDA tests and benchmarks on any machine with an NVIDIA GPU: nothing needs to be
# installed there but the driver (and glibc as new as this machine's).
#
#   scripts/gpu.sh [options]
#     --arch LIST       what nvcc compiles for, as in CMAKE_CUDA_ARCHITECTURES (default 90: H100, H200)
#     --output FOLDER   the bundle (default out/gpu-bundle)
#     --no-cuda-libs    leaves NVIDIA's libraries out; there they come from a CUDA toolkit or PyPI's nvidia-* packages
#
# There: BUNDLE/run.sh [RESULTS], see BUNDLE/run.sh --help. Commit what it measured under benchmarks/results/ with the
# device's name and the date, and correct docs/gpu-status.md.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

arch=90 bundle=out/gpu-bundle cuda_libs=true
while (($# > 0)); do
  case "$1" in
    --arch) arch="$2" && shift 2 ;;
    --output) bundle="$2" && shift 2 ;;
    --no-cuda-libs) cuda_libs=false && shift ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) fail "unknown option '$1'. See scripts/gpu.sh --help" ;;
  esac
done
nvcc="$(nvcc_path)"
[[ -n "$nvcc" ]] || fail "no nvcc was found on PATH or under ${CUDA_HOME:-/usr/local/cuda}. Install a CUDA toolkit (12 or later)"

say "1/3 Building for $arch"
scripts/install-deps.sh build embedded infer test
build=build/gpu
mkdir -p build
python_tools
cmake --preset cuda -B "$build" "${python_settings[@]}" "-DCMAKE_CUDA_COMPILER=$nvcc" "-DISOCENTER_CUDA_ARCHITECTURES=$arch" \
  -DISOCENTER_WITH_DICOM=OFF -DISOCENTER_WITH_IO=OFF -DISOCENTER_WITH_APPS=OFF -DISOCENTER_TEST_ROOT=. \
  -DISOCENTER_TEST_MODULE_DIR=lib/isocenter >build/gpu-configure.log 2>&1 ||
  { cat build/gpu-configure.log >&2 && fail "configuring failed; what CMake said stands above"; }
grep -E '^-- Isocenter' build/gpu-configure.log | sed 's/^-- /    /' || true
cmake --build "$build" --parallel "$(jobs)"

say "2/3 Collecting programs, modules and the libraries they need"
rm -rf "$bundle"
mkdir -p "$bundle/bin" "$bundle/lib/isocenter" "$bundle/lib/cuda"
for program in "$build"/bin/*_tests "$build"/bin/*_bench "$build"/examples/04_* "$build"/examples/05_*; do
  [[ ! -x "$program" ]] || cp "$program" "$bundle/bin/"
done
cp -P "$build"/lib/libisocenter.so* "$bundle/lib/"
cp -r "$build"/lib/isocenter/. "$bundle/lib/isocenter/"
mapfile -t modules < <(find "$bundle/lib/isocenter" -name '*.so')
# Everything that ldd names, less the C library and the driver, which belong to the machine; and the parts of cuDNN, which
# it loads by itself.
LD_LIBRARY_PATH="$root/$build/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
  ldd "$bundle"/bin/* "${modules[@]}" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  while read -r library; do
    case "$(basename "$library")" in
      libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux* | libcuda.so.* | libnvidia* | libisocenter*) ;;
      libcudnn.so.*) if $cuda_libs; then cp -L "${library%/*}"/libcudnn*.so."${library##*.so.}" "$bundle/lib/cuda/"; fi ;;
      libcu* | libnv*) if $cuda_libs; then cp -L "$library" "$bundle/lib/cuda/"; fi ;;
      *) cp -L "$library" "$bundle/lib/" ;;
    esac
  done
strip --strip-unneeded "$bundle"/bin/* "${modules[@]}" "$bundle"/lib/libisocenter.so.*.* 2>/dev/null || true
for room in core phantom recon denoise render infer; do
  if [[ -d "tests/$room/data" ]]; then
    mkdir -p "$bundle/tests/$room"
    cp -r "tests/$room/data" "$bundle/tests/$room/"
  fi
done
cp scripts/gpu_run.sh "$bundle/run.sh"
{
  echo "commit $(git rev-parse HEAD 2>/dev/null || echo unknown)$(git diff --quiet HEAD 2>/dev/null || echo ' with changes')"
  echo "compiled for $arch with $("$nvcc" --version | sed -n 's/.*\(release [0-9.]*\).*/nvcc \1/p')"
} >"$bundle/built-from.txt"

say "3/3 Done"
note "$bundle ($(du -sh "$bundle" | cut -f1), $(find "$bundle/bin" -type f | wc -l) programs)"
note "copy it to a machine with a GPU and run there: $(basename "$bundle")/run.sh results"
