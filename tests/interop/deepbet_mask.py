"""The brain mask of examples/pipelines/mr_brain.yaml beside deepbet's own, on the bundled head.

    pip install deepbet==1.0.2 pydicom pyjpegls scipy    (deepbet brings PyTorch; customtkinter is not needed)
    python deepbet_mask.py ISOCENTER [--deepbet FOLDER]

ISOCENTER is the command. --deepbet: a folder with deepbet's wheel unpacked, in place of the installed one. Prints both
volumes and the Dice coefficient; ends with 1 when that is below 0.99.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import nibabel
import numpy as np
import pydicom

ROOT = pathlib.Path(__file__).resolve().parents[2]
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_series(folder):
    """The series as NIfTI has it, and the z of its slices in the patient: values i, j, k = column, row, slice."""
    slices = [pydicom.dcmread(f) for f in folder.glob("*.dcm")]
    row, column = np.split(np.array(slices[0].ImageOrientationPatient, float), 2)
    normal = np.cross(row, column)
    slices.sort(key=lambda s: np.dot(normal, np.array(s.ImagePositionPatient, float)))
    position = [np.array(s.ImagePositionPatient, float) for s in slices]
    down, across = [float(v) for v in slices[0].PixelSpacing]
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * across, column * down
    affine[:3, 2] = (position[-1] - position[0]) / (len(slices) - 1)
    affine[:3, 3] = position[0]
    values = np.stack([s.pixel_array.T.astype(np.float32) for s in slices], axis=2)
    return nibabel.Nifti1Image(values, LPS_TO_RAS @ affine), position


def read_mask(file, position):
    """The frames of a DICOM SEG in the order of the series' slices."""
    segmentation = pydicom.dcmread(file)
    frames = segmentation.pixel_array
    mask = np.zeros((frames.shape[2], frames.shape[1], len(position)), bool)
    for frame, groups in zip(frames, segmentation.PerFrameFunctionalGroupsSequence):
        at = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        away = [np.linalg.norm(at - p) for p in position]
        assert min(away) < 0.01, "a frame lies on no slice of the series"
        mask[:, :, int(np.argmin(away))] = frame.T > 0
    return mask


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("isocenter", type=pathlib.Path)
    parser.add_argument("--deepbet", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.deepbet:
        sys.path.insert(0, str(arguments.deepbet))
    from deepbet.bet import BrainExtraction

    study = ROOT / "phantoms" / "mr_head_studyforrest"
    image, position = read_series(study)
    _, reference, _ = BrainExtraction(no_gpu=True).run(image)
    reference = np.asarray(reference.dataobj) > 0

    with tempfile.TemporaryDirectory() as folder:
        pipeline = ROOT / "examples" / "pipelines" / "mr_brain.yaml"
        command = [arguments.isocenter, "run", pipeline, "--input", study, "--output", pathlib.Path(folder) / "out"]
        small = ["--set", "fine.slice_mm=2", "--set", "orbit.frames=2", "--quiet"]  # the pictures do not matter here
        subprocess.run([*command, *small], check=True, stdout=subprocess.DEVNULL)
        ours = read_mask(pathlib.Path(folder) / "out" / "brain.dcm", position)

    voxel = abs(np.linalg.det(image.affine[:3, :3])) / 1000
    dice = 2 * (ours & reference).sum() / (ours.sum() + reference.sum())
    print(f"deepbet {reference.sum()} voxels, {reference.sum() * voxel:.1f} ml; ours {ours.sum()} voxels, "
          f"{ours.sum() * voxel:.1f} ml; {(ours != reference).sum()} differ; Dice {dice:.6f}")
    return 0 if dice >= 0.99 else 1


if __name__ == "__main__":
    sys.exit(main())
