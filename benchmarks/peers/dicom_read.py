#!/usr/bin/env python3
"""A CT of 400 slices of 512 x 512 from local files to one volume: ours beside SimpleITK (GDCM), dcm2niix, DCMTK and pydicom.

    pip install SimpleITK pydicom pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg pylibjpeg-rle pyjpegls numpy
    python3 benchmarks/peers/dicom_read.py build/release/bin [SLICES] [REPEATS] [SYNTAX]     prints a table in Markdown

The slices are those of phantoms/ct_chest_lidc-idri-0314, over and over at new positions, uncompressed, RLE, JPEG-LS and
JPEG 2000 (all lossless), or SYNTAX of these alone. Every tool runs REPEATS times on the same files (in the page cache) and
the best time counts; smallest, largest and sum of the voxels have to agree. dcm2niix also writes its volume to disk, which the others do not.
Every tool may use all cores: ours does, SimpleITK where its codec does, DCMTK by files dealt out to threads in
dicom_read_dcmtk.cpp, the others are single-threaded.
The second line of a syntax is the mean processor time of a reading, user and system, of all threads: other programs on the
same cores change it less.
"""
import os
import pathlib
import re
import resource
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


def program(tool, folder, repeats, threads):
    """Seconds and [min, max, sum]; not a number where the program cannot read the files."""
    words = subprocess.run([tool, str(folder), str(repeats), str(threads)], capture_output=True, text=True)
    if words.returncode:
        return float("nan"), None
    seconds, *check = (float(w) for w in words.stdout.split())
    return seconds, check


def with_processor_time(repeats, measure):
    """What measure() gives, and the processor seconds of each of its repeats, child processes included."""
    def spent():
        both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(u.ru_utime + u.ru_stime for u in both)
    begin = spent()
    result = measure()
    return result, (spent() - begin) / repeats


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
    """Seconds, and no check; not a number where it is missing or was built without the codec (Debian's has no JPEG-LS)."""
    def convert():
        out = tempfile.mkdtemp()
        try:
            subprocess.run(["dcm2niix", "-z", "n", "-b", "n", "-o", out, str(folder)], check=True, capture_output=True)
        finally:
            shutil.rmtree(out)
    try:
        return best_of(repeats, convert)
    except (OSError, subprocess.CalledProcessError):
        return float("nan"), None


def machine():
    name = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{name.group(1) if name else 'unknown processor'}, {os.cpu_count()} cores"


def version_of(command):
    try:
        text = subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        return "missing"
    found = re.search(r"v?(\d+\.\d+\.[\w.]+)", text)
    return found.group(1) if found else "?"


def main():
    if len(sys.argv) not in (2, 3, 4, 5) or sys.argv[4:] not in ([], *([name] for name in SYNTAXES)):
        sys.exit(__doc__)
    tool, dcmtk = (str(pathlib.Path(sys.argv[1]) / name) for name in ("peer_dicom_read", "peer_dicom_read_dcmtk"))
    slices = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    cores = os.cpu_count()
    print(f"{slices} slices of 512 x 512, best of {repeats}, seconds. {machine()}; load {os.getloadavg()[0]:.1f} at the start.")
    print(f"SimpleITK {sitk.Version.VersionString()}, dcm2niix {version_of(['dcm2niix', '-v'])}, "
          f"DCMTK {version_of(['dcmdump', '--version'])}, pydicom {pydicom.__version__}.\n")
    print(f"| | ours, {cores} threads | ours, 1 thread | SimpleITK | dcm2niix | DCMTK, 1 thread | DCMTK, {cores} threads | pydicom "
          "| fastest tool / ours | DCMTK with threads / ours |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, syntax in SYNTAXES.items():
        if sys.argv[4:] not in ([], [name]):
            continue
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            write_series(folder, slices, syntax)
            measured = [with_processor_time(repeats, measure) for measure in (
                lambda: program(tool, folder, repeats, 0),
                lambda: program(tool, folder, repeats, 1),
                lambda: best_of(repeats, lambda: simple_itk(folder), sitk.GetArrayViewFromImage),
                lambda: dcm2niix(folder, repeats),
                lambda: program(dcmtk, folder, repeats, 1),
                lambda: program(dcmtk, folder, repeats, cores),
                lambda: best_of(repeats, lambda: with_pydicom(folder)))]
            times = [result[0] for result, _ in measured]
            check, _, itk_check, _, dcmtk_check, _, pyd_check = (result[1] for result, _ in measured)
            for other in (itk_check, pyd_check, dcmtk_check):
                if other is not None and not np.allclose(check, other, rtol=1e-9):
                    sys.exit(f"{name}: the volumes differ: {check} and {other}")
            processor = [spent if t == t else t for t, (_, spent) in zip(times, measured)]
            for title, row in ((name, times), (f"{name}, processor", processor)):
                ours, dcmtk_all = row[0], row[5]
                fastest = min(t for t in (row[2], row[3], row[4], row[6]) if t == t)
                cells = [f"{t:.3f}" if t == t else "-" for t in row]
                cells += [f"{t / ours:.2f}" if t == t else "-" for t in (fastest, dcmtk_all)]
                print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
    print(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
