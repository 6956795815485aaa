#!/usr/bin/env bash
# Makes a folder that runs Isocenter's CUDA tests and benchmarks on any machine with an NVIDIA GPU: nothing needs to be
# installed there but the driver (and glibc as new as this machine's).
#
#   scripts/gpu.sh [options]
#     --arch LIST       what nvcc compiles for, as in CMAKE_CUDA_ARCHITECTURES (default 90: H100, H200)
#     --output FOLDER   the bundle (default out/gpu-bundle)
#     --slim            leaves NVIDIA's libraries out (there they come from a CUDA toolkit or PyPI's nvidia-* packages)
#                       and packs the bundle into one file as well, BUNDLE.tar.xz of some 28 MB
#
# There: BUNDLE/run.sh [RESULTS], see BUNDLE/run.sh --help. Commit what it measured under benchmarks/results/ with the
# device's name and the date, and correct docs/gpu-status.md.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

arch=90 bundle=out/gpu-bundle slim=false
while (($# > 0)); do
  case "$1" in
    --arch) arch="$2" && shift 2 ;;
    --output) bundle="$2" && shift 2 ;;
    --slim) slim=true && shift ;;
    -h | --help) sed -n '2,13s/^# \{0,1\}//p' "$0" && exit 0 ;;
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
  -DISOCENTER_WITH_DICOM=OFF -DISOCENTER_WITH_IO=OFF -DISOCENTER_WITH_ITK=OFF -DISOCENTER_WITH_APPS=OFF \
  -DISOCENTER_TEST_ROOT=. -DISOCENTER_TEST_MODULE_DIR=lib/isocenter >build/gpu-configure.log 2>&1 ||
  { cat build/gpu-configure.log >&2 && fail "configuring failed; what CMake said stands above"; }
grep -E '^-- Isocenter' build/gpu-configure.log | sed 's/^-- /    /' || true
# What the bundle needs, and nothing else: fuzzers, the CPU's peers and benchmarks stay here.
targets=(isocenter_cuda isocenter_infer isocenter_infer_cuda devices_bench networks_bench ct_methods 04_custom_cuda_operator 05_embedding)
for name in recon denoise render volume infer infer_cudnn; do targets+=("${name}_tests"); done
mapfile -t known < <(cmake --build "$build" --target help | sed -n 's/^\([a-z0-9_]*\): phony$/\1/p' | sort -u)
mapfile -t targets < <(comm -12 <(printf '%s\n' "${targets[@]}" | sort -u) <(printf '%s\n' "${known[@]}"))
cmake --build "$build" --parallel "$(jobs)" --target "${targets[@]}"

say "2/3 Collecting programs, modules and the libraries they need"
rm -rf "$bundle"
bundle="$(realpath -m "$bundle")"
mkdir -p "$bundle/bin" "$bundle/lib/isocenter" "$bundle/lib/cuda"
for target in "${targets[@]}"; do
  for program in "$build/bin/$target" "$build/examples/$target"; do
    if [[ -x "$program" ]]; then cp "$program" "$bundle/bin/"; fi
  done
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
      libcudnn.so.*) if ! $slim; then cp -L "${library%/*}"/libcudnn*.so."${library##*.so.}" "$bundle/lib/cuda/"; fi ;;
      libcu* | libnv*) if ! $slim; then cp -L "$library" "$bundle/lib/cuda/"; fi ;;
      *) cp -L "$library" "$bundle/lib/" ;;
    esac
  done
strip --strip-unneeded "$bundle"/bin/* "${modules[@]}" "$bundle"/lib/libisocenter.so.*.* 2>/dev/null || true
for room in recon denoise render volume infer; do
  if [[ -d "tests/$room/data" ]]; then
    mkdir -p "$bundle/tests/$room"
    cp -r "tests/$room/data" "$bundle/tests/$room/"
  fi
done
mkdir -p "$bundle/models/thorax_segmentation"
cp models/thorax_segmentation/*.onnx "$bundle/models/thorax_segmentation/"
cp scripts/gpu_run.sh "$bundle/run.sh"
cp benchmarks/devices/networks_peer.py benchmarks/peers/ct_methods.py "$bundle/"
# Nothing but the C library, the driver and (when slim) NVIDIA's libraries may come from elsewhere.
strays="$(LD_LIBRARY_PATH="$bundle/lib:$bundle/lib/cuda:${CUDA_HOME:-/usr/local/cuda}/lib64" \
  ldd "$bundle"/bin/* "${modules[@]}" "$bundle"/lib/*.so* "$bundle"/lib/cuda/*.so* 2>/dev/null |
  awk '$2 == "=>" {print $1, $3}' | sort -u | grep -v " $bundle/" |
  grep -vE '^(libc|libm|libdl|libpthread|librt|ld-linux[^ ]*|libcuda)\.so' || true)"
if $slim; then strays="$(grep -vE '^lib(cu|nv)[^ ]* /' <<<"$strays" || true)"; fi
[[ -z "$strays" ]] || fail "the bundle lacks libraries that its programs need: $strays"
{
  echo "commit $(git rev-parse HEAD 2>/dev/null || echo unknown)$(git diff --quiet HEAD 2>/dev/null || echo ' with changes')"
  echo "compiled for $arch with $("$nvcc" --version | sed -n 's/.*\(release [0-9.]*\).*/nvcc \1/p')"
} >"$bundle/built-from.txt"

say "3/3 Done"
note "$bundle ($(du -sh "$bundle" | cut -f1), $(find "$bundle/bin" -type f | wc -l) programs)"
if $slim; then
  tar -C "$(dirname "$bundle")" --use-compress-program='xz -T0' -cf "$bundle.tar.xz" "$(basename "$bundle")"
  note "$bundle.tar.xz ($(du -sh "$bundle.tar.xz" | cut -f1))"
  note "copy it to a machine with a GPU and run there: tar xJf $(basename "$bundle").tar.xz && $(basename "$bundle")/run.sh results"
else
  note "copy it to a machine with a GPU and run there: $(basename "$bundle")/run.sh results"
fi
