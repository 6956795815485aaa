#!/usr/bin/env python3
"""Every DICOM file below the given folders: our pixels beside pydicom's, bit by bit where the compression is lossless.

    pip install pydicom pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg pylibjpeg-rle pyjpegls
    python3 tests/interop/dicom_read.py build/release/bin/dicom_read FOLDER...

Without a folder: the test files of the pydicom package. Prints a line for each file that differs or that only one of the
two reads, and a summary; ends with 1 when a lossless file differs, or a file that pydicom reads is refused and not in
EXPECTED_REFUSALS. Lossy files may differ by LOSSY grey levels for most pixels: decoders round differently.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pydicom
from pydicom.pixels import apply_color_lut

LOSSY_SYNTAXES = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.53",
                  "1.2.840.10008.1.2.4.55", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91",
                  "1.2.840.10008.1.2.4.203"}
LOSSY = 3
# Broken: pydicom gives some picture, we give the reason.
EXPECTED_REFUSALS = {
    "SC_rgb_jpeg.dcm": "the file meta information says explicit, the data set is implicit",
}


def scaling(ds, frame):
    """Slope and intercept of a frame: dose, real world values of a parametric map, functional groups, the image."""
    if ds.get("Modality") == "RTDOSE":
        return float(ds.get("DoseGridScaling", 1)), 0.0
    places = []
    if "PerFrameFunctionalGroupsSequence" in ds:
        places.append(ds.PerFrameFunctionalGroupsSequence[frame])
    if "SharedFunctionalGroupsSequence" in ds:
        places.append(ds.SharedFunctionalGroupsSequence[0])
    parametric = ds.get("SOPClassUID") == "1.2.840.10008.5.1.4.1.1.30"
    for groups in places:
        if parametric and "RealWorldValueMappingSequence" in groups:
            item = groups.RealWorldValueMappingSequence[0]
            if "RealWorldValueSlope" in item:
                return float(item.RealWorldValueSlope), float(item.RealWorldValueIntercept)
        if not parametric and "PixelValueTransformationSequence" in groups:
            item = groups.PixelValueTransformationSequence[0]
            return float(item.RescaleSlope), float(item.RescaleIntercept)
    if parametric or places:
        return 1.0, 0.0
    return float(ds.get("RescaleSlope") or 1), float(ds.get("RescaleIntercept") or 0)


def theirs(path):
    ds = pydicom.dcmread(path, force=True)
    pixels = ds.pixel_array
    colour = ds.SamplesPerPixel == 3 or ds.PhotometricInterpretation == "PALETTE COLOR"
    frames = int(ds.get("NumberOfFrames") or 1)
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, ds)
        bits = ds.RedPaletteColorLookupTableDescriptor[2]
    else:
        bits = ds.get("BitsStored", 8)
    if colour:
        pixels = pixels.reshape(frames, ds.Rows, ds.Columns, 3)
        return "rgb", (pixels >> (bits - 8) if bits > 8 else pixels).astype(np.uint8), ds
    pixels = pixels.reshape(frames, ds.Rows, ds.Columns)
    if "ModalityLUTSequence" in ds:
        from pydicom.pixels import apply_modality_lut
        return "values", apply_modality_lut(pixels, ds).astype("<f4"), ds
    values = [(p.astype(np.float64) * s + i).astype("<f4") for n, p in enumerate(pixels) for s, i in [scaling(ds, n)]]
    return "values", np.stack(values), ds


def ours(tool, path, out):
    reply = subprocess.run([tool, str(path), out], capture_output=True, text=True)
    if reply.returncode != 0:
        return "crash", None, f"exit {reply.returncode} {reply.stderr.strip()[-200:]}"
    kind, *rest = reply.stdout.strip().split(" ")
    if kind == "no":
        return "no", None, " ".join(rest)
    n, rows, columns = (int(v) for v in rest)
    data = np.fromfile(out, dtype=np.uint8 if kind == "rgb" else "<f4")
    return kind, data.reshape((n, rows, columns, 3) if kind == "rgb" else (n, rows, columns)), ""


def main():
    tool = sys.argv[1]
    folders = sys.argv[2:] or [str(pathlib.Path(pydicom.__file__).parent / "data" / "test_files")]
    same = close = neither = refused = more = bad = 0
    out = tempfile.NamedTemporaryFile(suffix=".raw").name
    for path in sorted(p for f in folders for p in pathlib.Path(f).rglob("*") if p.is_file()):
        try:
            kind, expected, ds = theirs(path)
            reason = ""
        except Exception as error:  # whatever pydicom cannot read is no truth to compare with
            kind, expected, ds, reason = "no", None, None, str(error).splitlines()[0][:90] if str(error) else "error"
        our_kind, found, why = ours(tool, path, out)
        name = path.name
        if our_kind == "crash":
            bad += 1
            print(f"CRASH {name}: {why}")
        elif kind == "no" and our_kind == "no":
            neither += 1
        elif kind == "no":
            more += 1
            print(f"only ours {name}: pydicom says {reason}")
        elif our_kind == "no":
            refused += 1
            if name not in EXPECTED_REFUSALS:
                bad += 1
            print(f"refused {name}: {why} ({EXPECTED_REFUSALS.get(name, 'NOT EXPECTED')})")
        elif expected.shape == found.shape and np.array_equal(expected, found, equal_nan=expected.dtype.kind == "f"):
            same += 1
        else:
            lossy = str(ds.file_meta.get("TransferSyntaxUID", "")) in LOSSY_SYNTAXES
            differ = np.abs(expected.astype(float) - found.astype(float)) if expected.shape == found.shape else None
            text = f"{expected.shape} and {found.shape}" if differ is None else (
                f"largest {differ.max():g}, 99.9 % within {np.percentile(differ, 99.9):g}")
            if lossy and differ is not None and np.percentile(differ, 99.9) <= LOSSY:
                close += 1
            else:
                bad += 1
                print(f"DIFFERS {name} ({ds.file_meta.get('TransferSyntaxUID')}): {text}")
    pathlib.Path(out).unlink(missing_ok=True)
    print(f"equal bit by bit {same}, lossy and close {close}, only ours {more}, refused {refused}, neither {neither}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
