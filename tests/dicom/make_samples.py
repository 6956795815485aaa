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
import pydicom.encaps
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


def grey(ds, data, bits=16, is_signed=0):
    pixels(ds, *data.shape[-2:], 1, bits, data.astype("<u2" if bits == 16 else np.uint8).tobytes())
    ds.PixelRepresentation = is_signed


def modality_lut():
    """Stored 0 ... 19; the table has entries for 5 ... 12."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.1", "CR", 40)
    grey(ds, np.arange(20).reshape(4, 5))
    ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing = [0, 0, 0], [1, 0, 0, 0, 1, 0], [1, 1]
    lut = item(LUTDescriptor=[8, 5, 16], ModalityLUTType="OD",
               LUTData=np.array([10, 20, 40, 80, 160, 320, 640, 1280], "<u2").tobytes())
    lut["LUTDescriptor"].VR, lut["LUTData"].VR = "US", "OW"
    ds.ModalityLUTSequence = items(lut)
    return ds


def segmented_palette():
    """Red: 10 values as they are, a line to 65535. Green: two values, a line up and a line down, then all
    three again by reference. Blue: one value as it is, one flat line."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.7", "OT", 41)
    grey(ds, np.arange(256).reshape(16, 16), 8)
    ds.PhotometricInterpretation = "PALETTE COLOR"
    red = [0, 10] + [1000 * i for i in range(10)] + [1, 246, 65535]
    green = [0, 2, 0, 1000, 1, 62, 63000, 1, 64, 0, 2, 3, 0, 0]
    blue = [0, 1, 30000, 1, 255, 30000]
    for colour, words in ("Red", red), ("Green", green), ("Blue", blue):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        ds[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
        setattr(ds, f"Segmented{colour}PaletteColorLookupTableData", np.array(words, "<u2").tobytes())
    return ds


def philips_scale():
    """RescaleSlope 2, RescaleIntercept 3, private scale slope 0.25: stored s is (2 s + 3) / (2 * 0.25)."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.4", "MR", 42)
    grey(ds, np.arange(20).reshape(4, 5))
    ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing = [0, 0, 0], [1, 0, 0, 0, 1, 0], [1, 1]
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 2, 3, "normalized"
    ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.25)
    return ds


def pet(units, number):
    """80 kg, 200 MBq of a half-life of 6000 s at 10:00:00, scanned at 11:40:00; in CNTS with Philips' own factor."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.128", "PT", number)
    grey(ds, np.arange(20).reshape(4, 5))
    ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing = [0, 0, 0], [1, 0, 0, 0, 1, 0], [1, 1]
    ds.SeriesDate = ds.AcquisitionDate = "20260310"
    ds.SeriesTime = ds.AcquisitionTime = "114000"
    ds.PatientWeight, ds.RescaleIntercept, ds.RescaleSlope = 80, 0, 2
    ds.Units, ds.DecayCorrection, ds.CorrectedImage = units, "START", ["DECY", "ATTN"]
    ds.RadiopharmaceuticalInformationSequence = items(item(
        RadiopharmaceuticalStartTime="100000", RadionuclideTotalDose=2e8, RadionuclideHalfLife=6000))
    if units == "CNTS":
        ds.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, "DS", "0.000551")
    return ds


def ultrasound():
    """Two regions beside each other: a sector in cm, a spectrum in s and cm/s."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.6.1", "US", 43)
    grey(ds, np.arange(64).reshape(4, 16), 8)

    def region(fmt, data, box, units, delta):
        r = item(RegionSpatialFormat=fmt, RegionDataType=data, RegionFlags=0, RegionLocationMinX0=box[0],
                 RegionLocationMinY0=box[1], RegionLocationMaxX1=box[2], RegionLocationMaxY1=box[3],
                 PhysicalUnitsXDirection=units[0], PhysicalUnitsYDirection=units[1], PhysicalDeltaX=delta[0],
                 PhysicalDeltaY=delta[1])
        return r
    ds.SequenceOfUltrasoundRegions = items(region(1, 1, (0, 0, 7, 3), (3, 3), (0.05, 0.0625)),
                                           region(3, 3, (8, 0, 15, 3), (4, 7), (0.002, -1.5)))
    return ds


def multi_frame(sop_class, modality, number):
    """Four frames of 4 x 5, stored 100 z + 10 y + x, in the order z = 3, 1, 0, 2; rescaled by 2 s - 5 - z; planes 2.5 mm
    apart, rows along (0.8, 0.6, 0), columns along (0, 0, -1)."""
    ds = new_object(sop_class, modality, number)
    y, x = np.mgrid[0:4, 0:5]
    order = [3, 1, 0, 2]
    grey(ds, np.concatenate([100 * z + 10 * y + x for z in order]))
    ds.Rows, ds.NumberOfFrames = 4, 4
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.SharedFunctionalGroupsSequence = items(item(
        PixelMeasuresSequence=items(item(PixelSpacing=[0.5, 0.25], SliceThickness=2.5)),
        PlaneOrientationSequence=items(item(ImageOrientationPatient=[0.8, 0.6, 0, 0, 0, -1]))))
    normal = np.cross([0.8, 0.6, 0], [0, 0, -1])
    ds.PerFrameFunctionalGroupsSequence = items(*(
        item(PlanePositionSequence=items(item(ImagePositionPatient=[
                 round(float(v), 6) for v in np.array([10, 20, 30]) + 2.5 * z * normal])),
             PixelValueTransformationSequence=items(item(RescaleSlope=2, RescaleIntercept=-5 - z, RescaleType="US")))
        for z in order))
    return ds


def document():
    ds = new_object("1.2.840.10008.5.1.4.1.1.104.1", "DOC", 60)
    ds.DocumentTitle, ds.MIMETypeOfEncapsulatedDocument = "Findings", "application/pdf"
    ds.EncapsulatedDocument = b"%PDF-1.4\n%%EOF\n"
    return ds


def video():
    """No codestream worth the name: what matters is that its syntax is named."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.77.1.1.1", "ES", 61)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    pixels(ds, 4, 4, 3, 8, pydicom.encaps.encapsulate([b"\0\0\1\x09\x10\0"]))
    ds["PixelData"].is_undefined_length = True
    ds.PhotometricInterpretation, ds.NumberOfFrames = "YBR_PARTIAL_420", 25
    return ds


def file_lists():
    """A DICOMDIR of three files of data/syntax, which are not copied beside it, and a list that names them."""
    names = ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm"]
    fs = FileSet()
    fs.UID = f"{ROOT}.70"
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
    save(modality_lut(), "values/modality_lut.dcm")
    save(segmented_palette(), "values/segmented_palette.dcm")
    save(philips_scale(), "values/philips_scale.dcm")
    save(pet("BQML", 44), "values/pet_bqml.dcm")
    save(pet("CNTS", 45), "values/pet_philips_counts.dcm")
    save(ultrasound(), "values/ultrasound_regions.dcm")
    save(multi_frame("1.2.840.10008.5.1.4.1.1.130", "PT", 50), "values/enhanced_pet.dcm")
    save(multi_frame("1.2.840.10008.5.1.4.1.1.128.1", "PT", 51), "values/legacy_enhanced_pet.dcm")
    save(multi_frame("1.2.840.10008.5.1.4.1.1.2.2", "CT", 52), "values/legacy_enhanced_ct.dcm")
    save(multi_frame("1.2.840.10008.5.1.4.1.1.4.4", "MR", 53), "values/legacy_enhanced_mr.dcm")
    save(document(), "values/document.dcm")
    save(video(), "values/video_mpeg2.dcm")
    file_lists()


if __name__ == "__main__":
    main()
