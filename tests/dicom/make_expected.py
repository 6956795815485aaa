#!/usr/bin/env python3
"""Writes tests/dicom/data/expected_values.txt: what pydicom and its codecs make of each file, as float32 real values.

    pip install pydicom pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg pylibjpeg-rle pyjpegls
    python3 tests/dicom/make_expected.py [--check]

A line a file: path, frames x rows x columns, smallest and largest value, CRC-32 of the float32 bytes (little endian,
x fastest); for colour frames x rows x columns x 3 and the CRC-32 of the RGB bytes. Rescale is done in float64 and
rounded once. --check compares instead of writing.
"""
import pathlib
import sys
import zlib

import numpy as np
import pydicom

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from dicom_read import scaling, theirs  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent / "data"
CHEST = ROOT.parents[2] / "phantoms" / "ct_chest_lidc-idri-0314"
# Lossy JPEG: decoders differ by a grey level, so only the lossless files have one right answer.
LOSSY = {"modalities/ect_2frames_jpegext_no_bot.dcm", "syntax/SC_rgb_dcmtk__eb_cy_s2.dcm",
         "syntax/HTJ2K_08_RGB.dcm", "syntax/JPEG2000.dcm"}


def line_of(path):
    kind, values, _ = theirs(path)
    shape = "x".join(str(n) for n in values.shape)
    return f"{path.relative_to(ROOT)} {shape} {values.min():.9g} {values.max():.9g} {zlib.crc32(values.tobytes()):08x}"


def volume_line(folder):
    """All slices of an axial series stacked by z: the same line for a volume."""
    slices = sorted((pydicom.dcmread(p) for p in folder.glob("*.dcm")), key=lambda ds: float(ds.ImagePositionPatient[2]))
    values = np.stack(
        [ds.pixel_array.astype(np.float64) * scaling(ds, 0)[0] + scaling(ds, 0)[1] for ds in slices]
    ).astype("<f4")
    shape = "x".join(str(n) for n in values.shape)
    return f"{folder.name} {shape} {values.min():.9g} {values.max():.9g} {zlib.crc32(values.tobytes()):08x}"


def main():
    lines = []
    for path in sorted(ROOT.rglob("*")):
        name = str(path.relative_to(ROOT))
        if path.is_dir() or path.suffix in {".md", ".txt"} or name.startswith("malformed/") or name in LOSSY:
            continue
        try:
            lines.append(line_of(path))
        except (AttributeError, NotImplementedError, RuntimeError, ValueError) as error:
            print(f"left out {name}: {error}".splitlines()[0], file=sys.stderr)
    lines.append(volume_line(CHEST))
    text = "\n".join(lines) + "\n"
    target = ROOT / "expected_values.txt"
    if "--check" in sys.argv:
        if target.read_text() != text:
            sys.exit(f"{target} is not what pydicom {pydicom.__version__} gives")
        return
    target.write_text(text)


if __name__ == "__main__":
    main()
