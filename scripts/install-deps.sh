#!/usr/bin/env bash
# Installs what Isocenter is built and tested with, on Debian 12 and Ubuntu 24.04; only what is missing.
#
#   scripts/install-deps.sh                 everything
#   scripts/install-deps.sh embedded        core, phantom, recon, denoise, render and volume, and their tests
#   scripts/install-deps.sh GROUP...        any of: build embedded dicom io itk infer mpi apps test checks
#   scripts/install-deps.sh --list [GROUP]  names the packages and installs nothing
#
# CUDA is used where it is installed; this script never installs it.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

declare -A packages=(
  [build]="cmake ninja-build g++ ccache git ca-certificates"
  [embedded]="cmake ninja-build g++ ccache libtbb-dev libeigen3-dev libgtest-dev libgmock-dev"
  [dicom]="libdcmtk-dev libopenjp2-7-dev libcharls-dev libcurl4-openssl-dev nlohmann-json3-dev libopenh264-dev libde265-dev"
  [io]="libpng-dev zlib1g-dev libvpx-dev"
  [itk]="libinsighttoolkit5-dev zlib1g-dev"
  [infer]="libdnnl-dev libprotobuf-dev protobuf-compiler libonnx-dev libyaml-cpp-dev"
  [mpi]="libopenmpi-dev openmpi-bin"
  [apps]="libcli11-dev libyaml-cpp-dev nlohmann-json3-dev"
  # What tests hold us to: other people's readers and checkers, a second compiler, a second ABI reader.
  [test]="libinsighttoolkit5-dev libbenchmark-dev libdlpack-dev libwebm-dev dcmtk openssl orthanc orthanc-dicomweb dicom3tools libpixelmed-java default-jre-headless ffmpeg clang libclang-rt-dev abigail-tools binutils python3 python3-venv python3-pip"
  # What scripts/check.sh wants beyond that.
  [checks]="clang-format clang-tidy codespell shellcheck"
)
everything=(build embedded dicom io itk infer mpi apps test)

list_only=false
groups=()
for argument in "$@"; do
  case "$argument" in
    --list) list_only=true ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *)
      [[ -n "${packages[$argument]:-}" ]] ||
        fail "there is no group '$argument'. Groups: ${!packages[*]}"
      groups+=("$argument")
      ;;
  esac
done
((${#groups[@]} > 0)) || groups=("${everything[@]}")

wanted=()
for group in "${groups[@]}"; do
  read -ra names <<<"${packages[$group]}"
  wanted+=("${names[@]}")
done
mapfile -t wanted < <(printf '%s\n' "${wanted[@]}" | sort -u)

if $list_only; then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi
command -v dpkg-query >/dev/null || fail "this machine has no dpkg. Install by other means: ${wanted[*]}"

# dpkg-query fails when it has never heard of one of them; what it knows of the others still counts.
known="$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)"
installed="$(sed -n 's/ installed$//p' <<<"$known")"
mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}") <(sort -u <<<"$installed"))
if ((${#missing[@]} == 0)); then
  note "dependencies: all ${#wanted[@]} packages are installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null ||
    fail "these packages are missing and this user is neither root nor has sudo: ${missing[*]}"
  as_root=(sudo)
fi
say "Installing ${#missing[@]} packages: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
# A release of the distribution may lack one; what needs it is then off, and configure says so.
offered=()
for name in "${missing[@]}"; do
  if [[ "$(apt-cache policy "$name")" =~ Candidate:\ [0-9] ]]; then
    offered+=("$name")
  else
    note "this distribution has no package '$name'; what needs it is left out"
  fi
done
((${#offered[@]} > 0)) || exit 0
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${offered[@]}"
