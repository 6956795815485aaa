#!/usr/bin/env bash
# Builds Isocenter and runs its main jobs on input that the repository bundles. Installs what is missing; run again,
# it only does what has changed.
#
#   scripts/demo.sh                      all three jobs
#   scripts/demo.sh study|brain|thorax   one of them
#
# Results: out/demo/ct_study, out/demo/mr_brain and out/demo/moving_thorax.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

case "${1:-}" in
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 0 ;;
  "") jobs_wanted=(study brain thorax) ;;
  study | brain | thorax) jobs_wanted=("$1") ;;
  *) fail "there is no job '$1'. Jobs: study brain thorax" ;;
esac
study=phantoms/ct_chest_lidc-idri-0314
command=build/release/bin/isocenter

say "1/5 Dependencies"
scripts/install-deps.sh build embedded dicom io infer apps

say "2/5 Configuring and building"
# The tests stay as they are configured: scripts/test.sh uses the same build.
configure_preset release
build_preset release isocenter_command
for module in dicom infer io; do
  [[ -e "build/release/lib/isocenter/isocenter_$module.so" ]] ||
    fail "the module '$module' was not built; build/release-configure.log says what it lacks"
done

run_job() {
  local name="$1"
  shift
  rm -rf "out/demo/$name"
  "$command" run "examples/pipelines/$name.yaml" --output "out/demo/$name" "$@"
}
for job in "${jobs_wanted[@]}"; do
  case "$job" in
    study)
      say "3/5 A stored study: chest CT as DICOM, denoised, segmented, rendered"
      run_job ct_study --input "$study"
      ;;
    brain)
      say "4/5 A real network: a head in MR as DICOM, its brain found by two networks, rendered"
      run_job mr_brain --input phantoms/mr_head_studyforrest
      ;;
    thorax)
      say "5/5 A moving patient: raw projections, sorted by breathing phase, reconstructed, rendered"
      run_job moving_thorax
      ;;
  esac
done

say "Done. What to look at:"
for job in "${jobs_wanted[@]}"; do
  case "$job" in
    study)
      note "out/demo/ct_study/view_3d.png      the chest with its segmentation in 3-D; axial, coronal, sagittal beside it"
      note "out/demo/ct_study/orbit.webm       the same, turning: open it in a browser"
      note "out/demo/ct_study/segmentation.dcm a DICOM SEG that refers to the source series; denoised/ is the derived series"
      ;;
    brain)
      note "out/demo/mr_brain/orbit.webm       the brain, turning; view_3d.png, axial, coronal, sagittal beside it"
      note "out/demo/mr_brain/brain.dcm        a DICOM SEG that refers to the source series"
      ;;
    thorax)
      note "out/demo/moving_thorax/breathing.webm  the breathing chest, from 2-D projections: open it in a browser"
      ;;
  esac
done
note "report.json beside each: what was read, each node's time, memory and parameters, and for the phantom its error"
