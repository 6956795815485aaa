#!/usr/bin/env python3
"""Writes tests/dicom/data/expected_headers.txt: what pydicom reads in the headers of some files, one element a line:
file, path of keywords (or tags), values joined by backslashes, between tabulators.

    pip install pydicom
    python3 tests/dicom/make_expected_headers.py
"""
import pathlib

import pydicom
from pydicom.multival import MultiValue

DATA = pathlib.Path(__file__).resolve().parent / "data"
FILES = ["syntax/CT_small.dcm", "syntax/MR_small_implicit.dcm", "syntax/MR_small_bigendian.dcm", "syntax/image_dfl.dcm",
         "modalities/rtdose_32bit.dcm", "modalities/emr_xa10_siemens.dcm", "modalities/us_palette_rle.dcm",
         "modalities/seg_ct_fractional.dcm"]
FILES += [p.relative_to(DATA).as_posix() for p in sorted((DATA / "charset").glob("*.dcm"))]
BINARY = {"OB", "OW", "OF", "OD", "OL", "OV", "UN", "AT"}


def text(value):
    """DS and IS as they stand in the file."""
    original = getattr(value, "original_string", None)
    return original if isinstance(original, str) else str(value)


def lines(dataset, path=""):
    for element in dataset:
        if element.tag.element == 0 or element.tag.group >= 0x7FE0:
            continue
        name = path + (element.keyword if element.keyword and not element.tag.is_private else f"{int(element.tag):08x}")
        if element.VR == "SQ":
            per_frame = element.tag == 0x52009230
            for i, item in enumerate(element.value[:1] if per_frame else element.value):
                yield from lines(item, f"{name}[{i + 1}].")
        elif not set(element.VR.split(" or ")) & BINARY and not element.tag.is_private:
            if isinstance(element.value, bytes):
                continue
            values = element.value if isinstance(element.value, (MultiValue, list)) else [element.value]
            joined = "\\".join("" if v is None else text(v) for v in values).strip(" \0")
            if len(joined) < 200 and not any(c in joined for c in "\t\r\n"):
                yield name, joined


def main():
    with open(DATA / "expected_headers.txt", "w", encoding="utf-8") as out:
        for name in FILES:
            dataset = pydicom.dcmread(DATA / name, stop_before_pixels=True, force=True)
            dataset.decode()
            for path, value in lines(dataset):
                out.write(f"{name}\t{path}\t{value}\n")


if __name__ == "__main__":
    main()
