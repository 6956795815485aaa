#!/usr/bin/env python3
"""A CT of 400 slices of 512 x 512 from local files to one volume: ours beside SimpleITK (GDCM), dcm2niix and pydicom.

    pip install SimpleITK pydicom pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg pylibjpeg-rle pyjpegls numpy
    python3 benchmarks/peers/dicom_read.py build/release/bin/peer_dicom_read [SLICES] [REPEATS]

The slices are those of phantoms/ct_chest_lidc-idri-0314, over and over at new positions, uncompressed, RLE, JPEG-LS and
JPEG 2000 (all lossless). Every tool runs REPEATS times on the same files (in the page cache) and the best time counts;
smallest, largest and sum of the voxels have to agree. dcm2niix also writes its volume to disk, which the others do not.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless, generate_uid

CHEST = pathlib.Path(__file__).resolve().parents[2] / "phantoms" / "ct_chest_lidc-idri-0314"
SYNTAXES = {"uncompressed": None, "RLE": RLELossless, "JPEG-LS": JPEGLSLossless, "JPEG 2000": JPEG2000Lossless}


def write_series(folder, slices, syntax):
    """Each source slice is compressed once; copies differ in position, number and UID."""
    series, made = generate_uid(), []
    for path in sorted(CHEST.glob("*.dcm")):
        ds = pydicom.dcmread(path)
        ds.decompress()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        if syntax is not None:
            ds.compress(syntax)
        made.append(ds)
        if len(made) == slices:
            break
    for i in range(slices):
        ds = made[i % len(made)]
        ds.SeriesInstanceUID = ds.FrameOfReferenceUID = series
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.InstanceNumber = i + 1
        x, y = ds.ImagePositionPatient[:2]
        ds.ImagePositionPatient = [x, y, float(i)]
        ds.SliceLocation = float(i)
        ds.save_as(folder / f"{i:04d}.dcm")


def ours(tool, folder, repeats, threads):
    words = subprocess.run([tool, str(folder), str(repeats), str(threads)], check=True, capture_output=True, text=True)
    seconds, *check = (float(w) for w in words.stdout.split())
    return seconds, check


def best_of(repeats, read, array_of=lambda volume: volume):
    best, check = 1e30, None
    for _ in range(repeats):
        begin = time.perf_counter()
        volume = read()
        best = min(best, time.perf_counter() - begin)
        if volume is not None:
            voxels = array_of(volume)
            check = [float(voxels.min()), float(voxels.max()), float(voxels.sum(dtype=np.float64))]
    return best, check


def simple_itk(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    reader.SetOutputPixelType(sitk.sitkFloat32)
    return reader.Execute()


def with_pydicom(folder):
    slices = sorted((pydicom.dcmread(p) for p in folder.iterdir()), key=lambda ds: float(ds.ImagePositionPatient[2]))
    volume = np.empty((len(slices), slices[0].Rows, slices[0].Columns), np.float32)
    for k, ds in enumerate(slices):
        volume[k] = ds.pixel_array * np.float32(ds.RescaleSlope) + np.float32(ds.RescaleIntercept)
    return volume


def dcm2niix(folder, repeats):
    """Seconds; not a number where it is missing or was built without the codec (Debian's has no JPEG-LS)."""
    def convert():
        out = tempfile.mkdtemp()
        try:
            subprocess.run(["dcm2niix", "-z", "n", "-b", "n", "-o", out, str(folder)], check=True, capture_output=True)
        finally:
            shutil.rmtree(out)
    try:
        return best_of(repeats, convert)[0]
    except (OSError, subprocess.CalledProcessError):
        return float("nan")


def main():
    if len(sys.argv) not in (2, 3, 4):
        sys.exit(__doc__)
    tool = sys.argv[1]
    slices = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    version = sitk.Version.VersionString()
    print(f"{slices} slices, best of {repeats}; SimpleITK {version}, pydicom {pydicom.__version__}")
    print(f"{'':14}{'ours':>9}{'1 thread':>9}{'SimpleITK':>10}{'dcm2niix':>9}{'pydicom':>9}  ours / fastest other")
    for name, syntax in SYNTAXES.items():
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            write_series(folder, slices, syntax)
            all_threads, check = ours(tool, folder, repeats, 0)
            one_thread, _ = ours(tool, folder, repeats, 1)
            itk, itk_check = best_of(repeats, lambda: simple_itk(folder), sitk.GetArrayViewFromImage)
            nii = dcm2niix(folder, repeats)
            pyd, pyd_check = best_of(repeats, lambda: with_pydicom(folder))
            for other in (itk_check, pyd_check):
                if not np.allclose(check, other, rtol=1e-9):
                    sys.exit(f"{name}: the volumes differ: {check} and {other}")
            fastest = min(t for t in (itk, nii, pyd) if t == t)
            print(f"{name:14}{all_threads:9.3f}{one_thread:9.3f}{itk:10.3f}{nii:9.3f}{pyd:9.3f}"
                  f"  {fastest / all_threads:5.2f} x", flush=True)


if __name__ == "__main__":
    main()
