#!/usr/bin/env python3
"""Objects that Isocenter writes, as pydicom and highdicom see them: where voxels lie, what they are worth, what refers
to what. dicom_round_trip.py PROGRAM MODULE DATA; exit code 0 when everything holds."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

import highdicom as hd
import numpy as np
import pydicom

PROGRAM, MODULE, DATA = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])


def affine(ds):
    """Pixel (column, row) of an image to the patient, from its own attributes alone (PS3.3 equation C.7.6.2.1-1)."""
    row, column = np.array(ds.ImageOrientationPatient[:3], float), np.array(ds.ImageOrientationPatient[3:], float)
    origin = np.array(ds.ImagePositionPatient, float)
    down, across = float(ds.PixelSpacing[0]), float(ds.PixelSpacing[1])
    y, x = np.mgrid[0 : ds.Rows, 0 : ds.Columns]
    return origin + across * x[..., None] * row + down * y[..., None] * column


def real_values(ds):
    return ds.pixel_array * float(ds.get("RescaleSlope", 1)) + float(ds.get("RescaleIntercept", 0))


def oblique_ct(folder):
    """An anisotropic double-oblique CT, made here: no geometry of Isocenter's is involved."""
    a, b = 0.45, -0.6
    row = np.array([np.cos(a), np.sin(a), 0])
    column = np.array([-np.sin(a) * np.cos(b), np.cos(a) * np.cos(b), np.sin(b)])
    normal = np.cross(row, column)
    series, study, frame_of_reference = (pydicom.uid.generate_uid() for _ in range(3))
    folder.mkdir()
    for k in range(9):
        ds = pydicom.Dataset()
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        ds.SOPClassUID = pydicom.uid.CTImageStorage
        ds.SOPInstanceUID = pydicom.uid.generate_uid()
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame_of_reference
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Größe^Öde", "P-7", "19600229", "O"
        ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20200102", "101112", "S1", "A1"
        ds.ReferringPhysicianName, ds.Manufacturer, ds.Modality, ds.SeriesNumber = "Ref^Phys", "Maker", "CT", 3
        ds.ImageType, ds.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], 100 - k
        ds.KVP, ds.AcquisitionNumber, ds.PatientPosition, ds.PositionReferenceIndicator = 120, 1, "HFS", ""
        position = np.array([-31.7, 12.4, 88.8]) + 2.7 * k * normal
        ds.ImagePositionPatient = [f"{v:.10g}" for v in position]
        ds.ImageOrientationPatient = [f"{v:.10g}" for v in (*row, *column)]
        ds.PixelSpacing, ds.SliceThickness = [0.9, 1.3], 2.5
        ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 29, 23, 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
        ds.PixelData = np.random.default_rng(k).integers(0, 4096, (29, 23), np.uint16).tobytes()
        ds.save_as(folder / f"{k}.dcm", enforce_file_format=True)


class RoundTrip:
    """The tests, for one series. Subclasses say which."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.scratch.name)
        cls.prepare(root)
        cls.source = sorted(
            (pydicom.dcmread(p) for p in cls.series.iterdir()), key=lambda ds: float(np.dot(cls.normal(ds), ds.ImagePositionPatient))
        )
        points = np.stack([affine(ds) for ds in cls.source])
        cls.centre = points.reshape(-1, 3).mean(0) + [1.1, -0.7, 0.4]
        distance = np.linalg.norm(points - cls.centre, axis=-1)
        r1, r2 = np.quantile(distance, 0.4), np.quantile(distance, 0.05)
        cls.lung, cls.lesion = (distance < r1) & (distance >= r2), distance < r2
        numbers = [repr(float(v)) for v in (*cls.centre, r1, r2)]
        cls.out = root / "out"
        cls.out.mkdir()
        subprocess.run([PROGRAM, MODULE, cls.series, cls.out, *numbers], check=True)
        cls.seg = hd.seg.segread(cls.out / "seg.dcm")

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @staticmethod
    def normal(ds):
        return np.cross(np.array(ds.ImageOrientationPatient[:3], float), np.array(ds.ImageOrientationPatient[3:], float))

    def test_segmentation_frames_lie_where_the_labels_were(self):
        """Each frame by its own PlanePosition and the shared orientation and spacing, as any viewer would place it."""
        shared = self.seg.SharedFunctionalGroupsSequence[0]
        seen = 0
        for frame, groups in enumerate(self.seg.PerFrameFunctionalGroupsSequence):
            plane = pydicom.Dataset()
            plane.Rows, plane.Columns = self.seg.Rows, self.seg.Columns
            plane.ImageOrientationPatient = shared.PlaneOrientationSequence[0].ImageOrientationPatient
            plane.PixelSpacing = shared.PixelMeasuresSequence[0].PixelSpacing
            plane.ImagePositionPatient = groups.PlanePositionSequence[0].ImagePositionPatient
            points = affine(plane)
            nearest = min(self.source, key=lambda ds: np.abs(affine(ds) - points).max())
            self.assertLess(np.abs(affine(nearest) - points).max(), 1e-4)
            number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
            expected = (self.lung, self.lesion)[number - 1][self.source.index(nearest)]
            np.testing.assert_array_equal(self.seg.pixel_array[frame].astype(bool), expected)
            seen += int(expected.sum())
        self.assertEqual(seen, int(self.lung.sum() + self.lesion.sum()))

    def test_segmentation_is_found_by_source_instance(self):
        pixels = self.seg.get_pixels_by_source_instance(
            [ds.SOPInstanceUID for ds in self.source], ignore_spatial_locations=True, assert_missing_frames_are_empty=True
        )
        np.testing.assert_array_equal(pixels[..., 0].astype(bool), self.lung)
        np.testing.assert_array_equal(pixels[..., 1].astype(bool), self.lesion)

    def test_segmentation_is_a_volume_in_the_source_frame(self):
        volume = self.seg.get_volume(combine_segments=True)
        self.assertEqual(volume.frame_of_reference_uid, self.source[0].get("FrameOfReferenceUID", volume.frame_of_reference_uid))
        index = np.argwhere(volume.array > 0)
        points = volume.map_indices_to_reference(index)
        labelled = np.stack([affine(ds) for ds in self.source])[self.lung | self.lesion]
        order = lambda p: p[np.lexsort(np.round(p, 3).T)]
        np.testing.assert_allclose(order(points), order(labelled), atol=1e-3)

    def test_segments_are_described(self):
        lung, lesion = self.seg.SegmentSequence
        self.assertEqual(lung.SegmentedPropertyTypeCodeSequence[0].CodeValue, "39607008")
        self.assertEqual(lesion.SegmentLabel, "lesion")
        self.assertEqual(self.seg.segmentation_type, hd.seg.SegmentationTypeValues.BINARY)
        red = hd.color.CIELabColor.from_rgb(255, 0, 0) if hasattr(hd.color.CIELabColor, "from_rgb") else None
        if red is not None:
            for ours, theirs in zip(lesion.RecommendedDisplayCIELabValue, red.value):
                self.assertLess(abs(ours - theirs), 700)

    def test_patient_and_study_are_the_sources(self):
        derived = pydicom.dcmread(self.out / "series" / "IM00001.dcm")
        for ds in (self.seg, derived, pydicom.dcmread(self.out / "sc_rle.dcm")):
            for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
                            "StudyID", "AccessionNumber", "ReferringPhysicianName", "SpecificCharacterSet"):
                if keyword in self.source[0]:
                    self.assertEqual(ds[keyword].value, self.source[0][keyword].value, keyword)

    def test_derived_series_has_the_values_and_places_of_its_source(self):
        derived = {ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID: ds
                   for ds in map(pydicom.dcmread, (self.out / "series").iterdir())}
        self.assertEqual(set(derived), {ds.SOPInstanceUID for ds in self.source})
        for ds in self.source:
            other = derived[ds.SOPInstanceUID]
            self.assertLess(np.abs(affine(other) - affine(ds)).max(), 1e-4)
            np.testing.assert_allclose(real_values(other), real_values(ds), atol=0.51 * float(other.RescaleSlope))
            self.assertEqual(other.SourceImageSequence[0].ReferencedSOPInstanceUID, ds.SOPInstanceUID)
            self.assertEqual(list(other.ImageType[:2]), ["DERIVED", "SECONDARY"])

    def test_secondary_captures_decode_to_their_pictures(self):
        y, x = np.mgrid[0:37, 0:51]
        expected = np.stack([np.stack([5 * x, 6 * y, np.full_like(x, 60 * n)], -1) for n in range(4)]).astype(np.uint8)
        for name in ("none", "rle"):
            ds = pydicom.dcmread(self.out / f"sc_{name}.dcm")
            np.testing.assert_array_equal(ds.pixel_array, expected)
            self.assertEqual(float(ds.FrameTime), 40)
        ds = pydicom.dcmread(self.out / "sc_jpeg.dcm")
        self.assertEqual(ds.PhotometricInterpretation, "YBR_FULL_422")
        try:
            pixels = pydicom.pixels.pixel_array(ds)  # as RGB
        except RuntimeError as error:
            self.skipTest(f"no JPEG plugin for pydicom: {error}")
        self.assertLess(np.abs(pixels.astype(int) - expected).mean(), 2.5)


    def test_enhanced_objects_lie_and_read_as_their_source(self):
        for name in ("rle", "jpeg_ls", "jpeg_2000"):
            ds = pydicom.dcmread(self.out / f"enhanced_{name}" / "IM00001.dcm")
            shared = ds.SharedFunctionalGroupsSequence[0]
            rescale = shared.PixelValueTransformationSequence[0]
            try:
                pixels = ds.pixel_array
            except (RuntimeError, AttributeError) as error:
                print(f"{name}: no plugin for pydicom: {error}")
                continue
            for frame, groups in enumerate(ds.PerFrameFunctionalGroupsSequence):
                plane = pydicom.Dataset()
                plane.Rows, plane.Columns = ds.Rows, ds.Columns
                plane.ImageOrientationPatient = shared.PlaneOrientationSequence[0].ImageOrientationPatient
                plane.PixelSpacing = shared.PixelMeasuresSequence[0].PixelSpacing
                plane.ImagePositionPatient = groups.PlanePositionSequence[0].ImagePositionPatient
                source = min(self.source, key=lambda s: np.abs(affine(s) - affine(plane)).max())
                self.assertLess(np.abs(affine(source) - affine(plane)).max(), 1e-4)
                values = pixels[frame] * float(rescale.RescaleSlope) + float(rescale.RescaleIntercept)
                np.testing.assert_allclose(values, real_values(source), atol=0.51 * float(rescale.RescaleSlope))

    def test_a_legacy_converted_object_has_each_images_values_and_place(self):
        image = hd.legacy.lceread(self.out / "legacy_converted" / "IM00001.dcm")
        shared = image.SharedFunctionalGroupsSequence[0]
        slope = float(shared.PixelValueTransformationSequence[0].RescaleSlope)
        pixels = image.get_pixels_by_legacy_source_instance([s.SOPInstanceUID for s in self.source])
        for values, source in zip(pixels, self.source):
            np.testing.assert_allclose(values, real_values(source), atol=0.51 * slope)
        by_uid = {s.SOPInstanceUID: s for s in self.source}
        for groups in image.PerFrameFunctionalGroupsSequence:
            source = by_uid[groups.ConversionSourceAttributesSequence[0].ReferencedSOPInstanceUID]
            np.testing.assert_allclose(np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float),
                                       np.array(source.ImagePositionPatient, float), atol=1e-4)

    def test_fractional_segmentation_holds_the_probabilities(self):
        seg = hd.seg.segread(self.out / "fractional.dcm")
        self.assertEqual(seg.segmentation_type, hd.seg.SegmentationTypeValues.FRACTIONAL)
        pixels = seg.get_pixels_by_source_instance(
            [ds.SOPInstanceUID for ds in self.source], ignore_spatial_locations=True,
            assert_missing_frames_are_empty=True, rescale_fractional=True)
        expected = np.where(self.lung, 1.0, np.where(self.lesion, 0.0, 0.5))
        np.testing.assert_allclose(pixels[..., 0], expected, atol=0.5 / 255 + 1e-6)
        np.testing.assert_allclose(pixels[..., 1], self.lesion, atol=1e-6)

    def test_structure_set_contours_hold_the_source_voxels(self):
        """Each contour's points go into its source image's pixels by that image's own attributes; the even-odd rule."""
        ds = pydicom.dcmread(self.out / "rtss.dcm")
        by_uid = {s.SOPInstanceUID: k for k, s in enumerate(self.source)}
        self.assertEqual([r.ROIName for r in ds.StructureSetROISequence], ["lung", "lesion"])
        for region, expected in zip(ds.ROIContourSequence, (self.lung, self.lesion)):
            mask = np.zeros_like(expected)
            for contour in region.ContourSequence:
                k = by_uid[contour.ContourImageSequence[0].ReferencedSOPInstanceUID]
                image = self.source[k]
                points = np.array(contour.ContourData, float).reshape(-1, 3) - np.array(image.ImagePositionPatient, float)
                self.assertEqual(len(points), contour.NumberOfContourPoints)
                row, column = np.array(image.ImageOrientationPatient[:3], float), np.array(image.ImageOrientationPatient[3:], float)
                self.assertLess(np.abs(points @ np.cross(row, column)).max(), 1e-3)
                x, y = points @ row / float(image.PixelSpacing[1]), points @ column / float(image.PixelSpacing[0])
                inside = np.zeros(mask.shape[1:], bool)
                v, u = np.mgrid[0 : mask.shape[1], 0 : mask.shape[2]]
                for a in range(len(x)):
                    b = a - 1
                    crosses = (y[a] > v) != (y[b] > v)
                    with np.errstate(divide="ignore", invalid="ignore"):
                        inside ^= crosses & (u < x[a] + (v - y[a]) * (x[b] - x[a]) / (y[b] - y[a]))
                mask[k] |= inside
            np.testing.assert_array_equal(mask, expected)

    def test_parametric_map_has_the_values_themselves(self):
        ds = pydicom.dcmread(self.out / "map.dcm")
        stack = np.stack([real_values(s) for s in self.source])
        for frame, groups in enumerate(ds.PerFrameFunctionalGroupsSequence):
            position = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
            k = int(np.argmin([np.abs(np.array(s.ImagePositionPatient, float) - position).max() for s in self.source]))
            np.testing.assert_allclose(ds.pixel_array[frame], stack[k], rtol=1e-6)

    def test_report_measures_what_numpy_does(self):
        report = hd.sr.srread(self.out / "sr.dcm")
        groups = report.content.get_volumetric_roi_measurement_groups()
        self.assertEqual(len(groups), 2)
        stack = np.stack([real_values(s) for s in self.source])
        positions = [np.array(s.ImagePositionPatient, float) for s in self.source]
        first = self.source[0]
        step = np.linalg.norm(positions[-1] - positions[0]) / (len(positions) - 1)
        voxel = float(first.PixelSpacing[0]) * float(first.PixelSpacing[1]) * step
        seg = hd.seg.segread(self.out / "sr_seg.dcm")
        for group, name, mask in zip(groups, ("lung", "lesion"), (self.lung, self.lesion)):
            self.assertEqual(group.tracking_identifier, name)
            self.assertEqual(group.reference_type, pydicom.sr.codedict.codes.DCM.ReferencedSegment)
            self.assertEqual(group.referenced_segment.referenced_sop_instance_uid, seg.SOPInstanceUID)
            values = stack[mask]
            found = [m.value for m in group.get_measurements()]
            expected = [voxel * mask.sum(), values.mean(), values.std(ddof=1), values.min(), values.max()]
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)

    def test_presentation_state_anchors_its_text_in_the_slice_of_the_point(self):
        ds = pydicom.dcmread(self.out / "pr.dcm")
        annotation = ds.GraphicAnnotationSequence[0]
        image = next(s for s in self.source if s.SOPInstanceUID == annotation.ReferencedImageSequence[0].ReferencedSOPInstanceUID)
        x, y = annotation.TextObjectSequence[0].AnchorPoint
        row, column = np.array(image.ImageOrientationPatient[:3], float), np.array(image.ImageOrientationPatient[3:], float)
        point = (np.array(image.ImagePositionPatient, float) + (x - 0.5) * float(image.PixelSpacing[1]) * row
                 + (y - 0.5) * float(image.PixelSpacing[0]) * column)
        off = self.centre - point
        self.assertLess(np.abs(off - np.dot(off, np.cross(row, column)) * np.cross(row, column)).max(), 1e-3)
        distances = [abs(np.dot(self.centre - np.array(s.ImagePositionPatient, float), np.cross(row, column))) for s in self.source]
        self.assertIs(image, self.source[int(np.argmin(distances))])

    def test_document_is_the_file(self):
        ds = pydicom.dcmread(self.out / "pdf.dcm")
        self.assertEqual(ds.EncapsulatedDocument[: ds.EncapsulatedDocumentLength], (self.out / "a.pdf").read_bytes())
        self.assertEqual(ds.MIMETypeOfEncapsulatedDocument, "application/pdf")


class ObliqueCt(RoundTrip, unittest.TestCase):
    @classmethod
    def prepare(cls, root):
        cls.series = root / "ct"
        oblique_ct(cls.series)


class RealObliqueMr(RoundTrip, unittest.TestCase):
    @classmethod
    def prepare(cls, root):
        cls.series = DATA / "series_problems" / "mr_hitachi_oblique"


class Pet(unittest.TestCase):
    """An oblique PET series as Enhanced PET, and a detector's boxes in it."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.scratch.name)
        oblique_ct(root / "pet")
        code = lambda value, meaning: hd.sr.CodedConcept(value, "SCT", meaning)
        cls.source = []
        for path in (root / "pet").iterdir():
            ds = pydicom.dcmread(path)
            ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = pydicom.uid.PositronEmissionTomographyImageStorage
            ds.Modality, ds.Units, ds.CountsSource, ds.DecayCorrection = "PT", "BQML", "EMISSION", "ADMIN"
            ds.SeriesType, ds.CorrectedImage = ["WHOLE BODY", "IMAGE"], ["DECY", "RADL", "DCAL"]
            ds.SeriesDate, ds.SeriesTime, ds.AcquisitionDate, ds.AcquisitionTime = "20260310", "113000", "20260310", "113100"
            ds.RescaleSlope, ds.RescaleIntercept, ds.BitsStored, ds.HighBit = 2.5, 0, 16, 15
            drug = pydicom.Dataset()
            drug.RadiopharmaceuticalStartTime, drug.RadionuclideTotalDose = "100000", 3.5e8
            drug.RadionuclideHalfLife, drug.RadionuclidePositronFraction = 6586.2, 0.967
            drug.RadionuclideCodeSequence = [code("77004003", "^18^Fluorine")]
            drug.RadiopharmaceuticalCodeSequence = [code("35321007", "Fluorodeoxyglucose F^18^")]
            ds.RadiopharmaceuticalInformationSequence = [drug]
            ds.save_as(path)
            cls.source.append(ds)
        cls.source.sort(key=lambda ds: float(np.dot(RoundTrip.normal(ds), ds.ImagePositionPatient)))
        cls.out = root / "out"
        cls.out.mkdir()
        statements = (
            "TableMotion = STATIC; TimeOfFlightInformationUsed = FALSE; "
            "AdministrationRouteCodeSequence = 47625008^SCT^Intravenous route; "
            "ViewCodeSequence = 399089007^SCT^Oblique axial"
        )
        subprocess.run([PROGRAM, MODULE, root / "pet", cls.out, statements], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_enhanced_pet_has_the_values_and_places_of_its_source(self):
        image = hd.imread(self.out / "enhanced" / "IM00001.dcm")
        self.assertEqual(image.SOPClassUID, pydicom.uid.EnhancedPETImageStorage)
        volume = image.get_volume(apply_real_world_transform=True)
        slope = image.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0].RealWorldValueSlope
        index = np.stack(np.meshgrid(*map(np.arange, volume.spatial_shape), indexing="ij"), -1).reshape(-1, 3)
        ours = volume.map_indices_to_reference(index)
        theirs = np.stack([affine(ds) for ds in self.source]).reshape(-1, 3)
        values = np.stack([real_values(ds) for ds in self.source]).reshape(-1)
        order = lambda p: np.lexsort(np.round(p, 2).T)
        np.testing.assert_allclose(ours[order(ours)], theirs[order(theirs)], atol=1e-3)
        np.testing.assert_allclose(volume.array.reshape(-1)[order(ours)], values[order(theirs)], atol=0.51 * slope)
        unit = image.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0].MeasurementUnitsCodeSequence[0]
        self.assertEqual(unit.CodeValue, "Bq/ml")

    def test_enhanced_pet_says_what_the_source_and_the_statements_said(self):
        ds = pydicom.dcmread(self.out / "enhanced" / "IM00001.dcm")
        drug = ds.RadiopharmaceuticalInformationSequence[0]
        self.assertEqual(drug.RadiopharmaceuticalStartDateTime, "20260310100000")
        self.assertEqual(ds.DecayCorrectionDateTime, "20260310100000")
        self.assertEqual(float(drug.RadionuclideHalfLife), 6586.2)
        self.assertEqual(drug.AdministrationRouteCodeSequence[0].CodeValue, "47625008")
        self.assertEqual((ds.TableMotion, ds.TimeOfFlightInformationUsed), ("STATIC", "FALSE"))
        self.assertEqual((ds.DecayCorrected, ds.NonUniformRadialSamplingCorrected, ds.AttenuationCorrected), ("YES", "YES", "NO"))

    def test_boxes_lie_around_their_voxels(self):
        report = hd.sr.srread(self.out / "boxes.dcm")
        groups = report.content.get_volumetric_roi_measurement_groups()
        self.assertEqual(len(groups), 2)
        points = np.stack([affine(ds) for ds in self.source])  # z, y, x
        x, y, z = points[0, 0, 1] - points[0, 0, 0], points[0, 1, 0] - points[0, 0, 0], points[1, 0, 0] - points[0, 0, 0]
        for group, low, high, certainty in zip(groups, ((2, 3, 1), (0, 0, 0)), ((6, 5, 4), (1, 1, 1)), (87.5, 62.5)):
            surface = group.roi
            corners = np.concatenate(surface.graphic_data)
            at = lambda i, j, k: points[0, 0, 0] + (i - 0.5) * x + (j - 0.5) * y + (k - 0.5) * z
            expected = {tuple(np.round(at(i, j, k), 2)) for i in (low[0], high[0]) for j in (low[1], high[1]) for k in (low[2], high[2])}
            self.assertEqual({tuple(np.round(c, 2)) for c in corners}, expected)
            self.assertEqual(surface.frame_of_reference_uid, self.source[0].FrameOfReferenceUID)
            self.assertEqual([m.value for m in group.get_measurements()], [certainty])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
