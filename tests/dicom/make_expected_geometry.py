#!/usr/bin/env python3
"""Writes tests/dicom/data/expected_geometry.txt: where pydicom finds each frame of each file with pixels. A line a frame:
file, frame from 0, ImagePositionPatient, ImageOrientationPatient, PixelSpacing (11 numbers), a dash for each that is not
there.

    pip install pydicom
    python3 tests/dicom/make_expected_geometry.py
"""
import pathlib

import pydicom

DATA = pathlib.Path(__file__).resolve().parent / "data"
FOLDERS = ["syntax", "modalities", "series_problems", "values", "slides", "frames"]
SEVERAL = 12  # frames of an object that are written


def group(frame, shared, name):
    for groups in (frame, shared):
        if groups is not None and name in groups and groups[name].value:
            return groups[name].value[0]
    return None


def numbers(dataset, keyword, count):
    value = None if dataset is None else dataset.get(keyword)
    if value is None or len(value) != count:
        return ["-"] * count
    return [f"{float(v):.9g}" for v in value]


def places(ds):
    """Position, orientation and spacing of each frame: PS3.3 C.7.6.16.2 for multi-frame objects, C.8.8.3.2 for doses."""
    shared = ds.get("SharedFunctionalGroupsSequence")
    shared = shared[0] if shared else None
    own = ds.get("PerFrameFunctionalGroupsSequence")
    count = int(ds.get("NumberOfFrames") or 1)
    enhanced = shared is not None or own is not None
    for i in range(min(count, SEVERAL)):
        frame = own[i] if own else None
        if enhanced:
            yield i, (numbers(group(frame, shared, "PlanePositionSequence"), "ImagePositionPatient", 3)
                      + numbers(group(frame, shared, "PlaneOrientationSequence"), "ImageOrientationPatient", 6)
                      + numbers(group(frame, shared, "PixelMeasuresSequence"), "PixelSpacing", 2))
            continue
        position = numbers(ds, "ImagePositionPatient", 3)
        if "SliceVector" in ds:  # a gamma camera's slices: C.8.4.11, C.8.4.15
            first = ds.DetectorInformationSequence[0]
            o = [float(v) for v in first.ImageOrientationPatient]
            normal = [o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5], o[0] * o[4] - o[1] * o[3]]
            step = float(ds.SpacingBetweenSlices) * (ds.SliceVector[i] - 1)
            position = [f"{float(p) + step * n:.9g}" for p, n in zip(first.ImagePositionPatient, normal)]
            yield i, position + numbers(first, "ImageOrientationPatient", 6) + numbers(ds, "PixelSpacing", 2)
            continue
        if ds.get("Modality") == "RTDOSE" and "-" not in position:
            o = [float(v) for v in ds.ImageOrientationPatient]
            normal = [o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5], o[0] * o[4] - o[1] * o[3]]
            step = float(ds.GridFrameOffsetVector[i]) - float(ds.GridFrameOffsetVector[0])
            position = [f"{float(p) + step * n:.9g}" for p, n in zip(position, normal)]
        elif count > 1:
            position = ["-"] * 3  # one position cannot be that of several frames
        yield i, position + numbers(ds, "ImageOrientationPatient", 6) + numbers(ds, "PixelSpacing", 2)


def main():
    with open(DATA / "expected_geometry.txt", "w", encoding="ascii") as out:
        for path in sorted(p for folder in FOLDERS for p in (DATA / folder).rglob("*") if p.is_file()):
            ds = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            if "Rows" not in ds:
                continue
            for i, values in places(ds):
                out.write(f"{path.relative_to(DATA).as_posix()} {i} {' '.join(values)}\n")


if __name__ == "__main__":
    main()
