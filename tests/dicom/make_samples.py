#!/usr/bin/env python3
"""Writes the small objects under tests/dicom/data that no public collection has: made here, so that what is in them is
known in closed form.

    pip install pydicom numpy
    python3 tests/dicom/make_samples.py
"""
import pathlib
import shutil
import tempfile

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.fileset import FileSet
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

DATA = pathlib.Path(__file__).resolve().parent / "data"
ROOT = "2.25.123456789"


def new_object(sop_class, modality, number):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{ROOT}.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2.{number}"
    ds.FrameOfReferenceUID = f"{ROOT}.3"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, number, 1
    ds.PatientName, ds.PatientID = "Sample^Made", "made"
    return ds


def items(*datasets):
    return Sequence(datasets)


def item(**values):
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def save(ds, name):
    (DATA / name).parent.mkdir(exist_ok=True)
    ds.save_as(DATA / name, enforce_file_format=True)


def pixels(ds, rows, columns, samples, bits, data):
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated = rows, columns, samples, bits
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, 0
    ds.PhotometricInterpretation = "RGB" if samples == 3 else "MONOCHROME2"
    if samples == 3:
        ds.PlanarConfiguration = 0
    ds.PixelData = data


def slide(sparse, number):
    """50 x 30 pixels in tiles of 16 x 16: red 3 x, green 5 y, blue x ^ y. The sparse one has its tiles in an order of
    its own and lacks the tile at column 2, row 1."""
    y, x = np.mgrid[0:32, 0:64]
    whole = np.stack([3 * x, 5 * y, x ^ y], -1).astype(np.uint8)
    places = [(tx, ty) for ty in range(2) for tx in range(4)]
    if sparse:
        places = [places[i] for i in (5, 0, 7, 2, 1, 4, 3)]
    ds = new_object("1.2.840.10008.5.1.4.1.1.77.1.6", "SM", number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.TotalPixelMatrixColumns, ds.TotalPixelMatrixRows = 50, 30
    ds.DimensionOrganizationType = "TILED_SPARSE" if sparse else "TILED_FULL"
    ds.NumberOfFrames = len(places)
    tiles = [whole[16 * ty:16 * ty + 16, 16 * tx:16 * tx + 16] for tx, ty in places]
    pixels(ds, 16, 16, 3, 8, b"".join(t.tobytes() for t in tiles))
    ds.SharedFunctionalGroupsSequence = items(
        item(PixelMeasuresSequence=items(item(PixelSpacing=[0.01, 0.01], SliceThickness=0.001))))
    if sparse:
        ds.PerFrameFunctionalGroupsSequence = items(*(
            item(PlanePositionSlideSequence=items(
                item(ColumnPositionInTotalImagePixelMatrix=16 * tx + 1, RowPositionInTotalImagePixelMatrix=16 * ty + 1,
                     XOffsetInSlideCoordinateSystem=0.16 * tx, YOffsetInSlideCoordinateSystem=0.16 * ty,
                     ZOffsetInSlideCoordinateSystem=0)))
            for tx, ty in places))
    return ds


def structure_set():
    """A square with a square hole in two planes, a triangle, and a point."""
    def square(a, b, z):
        return [a, a, z, b, a, z, b, b, z, a, b, z]
    ds = new_object("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT", 30)
    ds.StructureSetLabel = "made"
    names = ["ring", "triangle", "marker"]
    ds.StructureSetROISequence = items(*(
        item(ROINumber=i + 1, ReferencedFrameOfReferenceUID=ds.FrameOfReferenceUID, ROIName=name,
             ROIGenerationAlgorithm="MANUAL") for i, name in enumerate(names)))

    def contour(kind, points):
        return item(ContourGeometricType=kind, NumberOfContourPoints=len(points) // 3, ContourData=points)
    contours = [
        [contour("CLOSED_PLANAR", p) for z in (0, 4) for p in (square(-20, 20, z), square(-8, 8, z))],
        [contour("CLOSED_PLANAR", [-30, -30, 8, 10, -30, 8, -10, 12.5, 8])],
        [contour("POINT", [1, 2, 3])],
    ]
    ds.ROIContourSequence = items(*(
        item(ReferencedROINumber=i + 1, ROIDisplayColor=[255, 40 * i, 0], ContourSequence=items(*c))
        for i, c in enumerate(contours)))
    return ds


def file_lists():
    """A DICOMDIR of three files of data/syntax, which are not copied beside it, and a list that names them."""
    names = ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm"]
    fs = FileSet()
    for name in names:
        fs.add(DATA / "syntax" / name)
    with tempfile.TemporaryDirectory() as folder:
        fs.write(folder)
        (DATA / "file_lists").mkdir(exist_ok=True)
        shutil.copyfile(pathlib.Path(folder) / "DICOMDIR", DATA / "file_lists" / "DICOMDIR")
    (DATA / "file_lists" / "list.txt").write_text("".join(f"../syntax/{n}\n" for n in names))


def main():
    save(slide(sparse=True, number=10), "slides/sparse_without_one_tile.dcm")
    save(slide(sparse=False, number=11), "slides/full.dcm")
    save(structure_set(), "structures/ring_triangle_point.dcm")
    file_lists()


if __name__ == "__main__":
    main()
