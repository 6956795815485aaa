#!/usr/bin/env python3
"""Writes tests/dicom/data/frames: X-ray, gamma camera, ultrasound and visible light objects of a few pixels, of kinds that
no public collection has small and free. Pixels are closed forms; tests/dicom/frame_kinds_test.cpp repeats them.

    pip install pydicom numpy pyjpegls imagecodecs
    python3 tests/dicom/make_frame_samples.py
"""
import imagecodecs
import numpy as np
import pydicom
import pydicom.encaps
from make_samples import grey, item, items, new_object, pixels, save


def counting(frames, rows, columns, top):
    """Frame n has 100 n + 10 y + x, at most `top`."""
    n, y, x = np.mgrid[0:frames, 0:rows, 0:columns]
    return np.minimum(100 * n + 10 * y + x, top)


def grey_frames(ds, data, stored, bits=16, is_signed=0):
    grey(ds, data, bits, is_signed)
    ds.BitsStored, ds.HighBit, ds.NumberOfFrames = stored, stored - 1, data.shape[0]


def pointer(ds, *tags):
    ds.FrameIncrementPointer = list(tags)


def xa():
    """A turn from RAO 45 to LAO 45 in steps given for each frame, with a cranial tilt that grows by 10 degrees a frame."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.12.1", "XA", 70)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    grey_frames(ds, counting(3, 6, 8, 4095), 12)
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LIN", 1
    ds.PositionerMotion, ds.PositionerPrimaryAngle, ds.PositionerSecondaryAngle = "DYNAMIC", -45, 0
    ds.PositionerPrimaryAngleIncrement, ds.PositionerSecondaryAngleIncrement = [0, 45, 90], 10
    ds.DistanceSourceToDetector, ds.DistanceSourceToPatient = 1200, 800
    ds.EstimatedRadiographicMagnificationFactor, ds.ImagerPixelSpacing = 1.5, [0.4, 0.3]
    ds.KVP, ds.ImageAndFluoroscopyAreaDoseProduct = 80, 12.5
    ds.FrameTime = 40
    pointer(ds, 0x00181063)
    ds.WindowCenter, ds.WindowWidth = 128, 256
    return ds


def xrf():
    """Three frames at 0, 100 and 350 ms, one of 8 bits a sample."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.12.2", "RF", 71)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    grey_frames(ds, counting(3, 4, 5, 255), 8, 8)
    ds.PixelIntensityRelationship, ds.FrameTimeVector, ds.ImagerPixelSpacing = "DISP", [0, 100, 250], [0.5, 0.5]
    pointer(ds, 0x00181065)
    return ds


def enhanced_xa():
    """Angles and windows frame by frame, distances shared."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.12.1.1", "XA", 72)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "", "NONE"]
    grey_frames(ds, counting(2, 4, 6, 65535), 16)
    ds.SharedFunctionalGroupsSequence = items(item(
        XRayGeometrySequence=items(item(DistanceSourceToIsocenter=750, DistanceSourceToDetector=1000)),
        FramePixelDataPropertiesSequence=items(item(ImagerPixelSpacing=[0.2, 0.2], PixelIntensityRelationship="LOG",
                                                    PixelIntensityRelationshipSign=-1))))
    ds.PerFrameFunctionalGroupsSequence = items(*(
        item(PositionerPositionSequence=items(item(PositionerPrimaryAngle=a, PositionerSecondaryAngle=b)),
             FrameVOILUTSequence=items(item(WindowCenter=64, WindowWidth=128)))
        for a, b in [(90, 0), (0, 90)]))
    return ds


def radiograph(sop_class, modality, number, stored):
    ds = new_object(sop_class, modality, number)
    ds.ImageType = ["DERIVED", "PRIMARY"]
    grey(ds, counting(1, 4, 5, 65535)[0])
    ds.BitsStored, ds.HighBit = stored, stored - 1
    return ds


def cr():
    """An imaging plate's signal, rescaled to density: 0.05 s - 0.5."""
    ds = radiograph("1.2.840.10008.5.1.4.1.1.1", "CR", 73, 10)
    ds.PhotometricInterpretation = "MONOCHROME1"
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 0.05, -0.5, "OD"
    ds.WindowCenter, ds.WindowWidth = 0.5, 2
    ds.ImagerPixelSpacing, ds.ViewPosition, ds.PatientOrientation = [0.1, 0.2], "PA", ["L", "F"]
    ds.PlateType, ds.Sensitivity, ds.BodyPartExamined = "ST-VI", 210, "CHEST"
    ds.ExposureIndex, ds.TargetExposureIndex, ds.DeviationIndex = 250, 200, 0.97
    return ds


def dx():
    """For presentation: MONOCHROME1 and a shape that says the same, with a VOI LUT of 8 bits for 0 ... 9."""
    ds = radiograph("1.2.840.10008.5.1.4.1.1.1.1", "DX", 74, 12)
    ds.PhotometricInterpretation, ds.PresentationLUTShape = "MONOCHROME1", "INVERSE"
    ds.PresentationIntentType, ds.PixelIntensityRelationship = "FOR PRESENTATION", "LOG"
    ds.PixelIntensityRelationshipSign, ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = -1, 1, 0, "US"
    ds.ImagerPixelSpacing, ds.ViewPosition, ds.ImageLaterality = [0.143, 0.143], "AP", "U"
    ds.PatientOrientation, ds.DetectorType, ds.DistanceSourceToDetector = ["L", "F"], "SCINTILLATOR", 1800
    lut = item(LUTDescriptor=[10, 0, 8], LUTData=np.arange(0, 250, 25, dtype="<u2").tobytes())
    lut["LUTDescriptor"].VR, lut["LUTData"].VR = "US", "OW"
    ds.VOILUTSequence = items(lut)
    return ds


def mg():
    """For presentation, with a sigmoid."""
    ds = radiograph("1.2.840.10008.5.1.4.1.1.1.2", "MG", 75, 14)
    ds.PresentationLUTShape, ds.PresentationIntentType = "IDENTITY", "FOR PRESENTATION"
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, 0, "US"
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = 20, 40, "SIGMOID"
    ds.ImagerPixelSpacing, ds.ViewPosition, ds.ImageLaterality = [0.07, 0.07], "MLO", "R"
    ds.PatientOrientation, ds.OrganExposed, ds.BodyPartThickness, ds.CompressionForce = ["P", "FL"], "BREAST", 52, 98
    ds.EntranceDoseInmGy, ds.AnodeTargetMaterial = 6.5, "RHODIUM"
    ds.PositionerType, ds.PositionerPrimaryAngle = "MAMMOGRAPHIC", 45
    return ds


def nuclear(number, kind, frames):
    ds = new_object("1.2.840.10008.5.1.4.1.1.20", "NM", number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
    grey_frames(ds, counting(frames, 4, 5, 65535), 16)
    ds.PixelSpacing = [4, 4]
    ds.EnergyWindowInformationSequence = items(*(
        item(EnergyWindowName=name, EnergyWindowRangeSequence=items(item(
            EnergyWindowLowerLimit=low, EnergyWindowUpperLimit=high)))
        for name, low, high in [("Tc-99m", 126, 154), ("scatter", 108, 126)]))
    ds.NumberOfEnergyWindows, ds.NumberOfDetectors = 2, 2
    ds.DetectorInformationSequence = items(item(CollimatorType="PARA", StartAngle=0),
                                           item(CollimatorType="PARA", StartAngle=180))
    return ds


def nm_static():
    ds = nuclear(80, "STATIC", 4)
    pointer(ds, 0x00540010, 0x00540020)
    ds.EnergyWindowVector, ds.DetectorVector = [1, 1, 2, 2], [1, 2, 1, 2]
    ds.ActualFrameDuration, ds.CountsAccumulated = 60000, 12345
    return ds


def nm_dynamic():
    """Two phases of two and one frames."""
    ds = nuclear(81, "DYNAMIC", 3)
    pointer(ds, 0x00540010, 0x00540020, 0x00540030, 0x00540100)
    ds.EnergyWindowVector, ds.DetectorVector, ds.PhaseVector, ds.TimeSliceVector = [1] * 3, [1] * 3, [1, 1, 2], [1, 2, 1]
    return ds


def nm_tomo():
    """Two detectors, three views each, clockwise by 30 degrees."""
    ds = nuclear(82, "TOMO", 6)
    pointer(ds, 0x00540010, 0x00540020, 0x00540050, 0x00540090)
    ds.EnergyWindowVector, ds.DetectorVector, ds.RotationVector = [1] * 6, [1, 1, 1, 2, 2, 2], [1] * 6
    ds.AngularViewVector, ds.NumberOfRotations = [1, 2, 3, 1, 2, 3], 1
    ds.RotationInformationSequence = items(item(StartAngle=0, AngularStep=30, RotationDirection="CW", ScanArc=90,
                                                NumberOfFramesInRotation=3, ActualFrameDuration=20000))
    return ds


def nm_recon(gated):
    """Slices of 100 n + 10 y + x in frame n, stacked against the normal of the first; gated: two time slots, all slices
    of the first, then all of the second."""
    slots = 2 if gated else 1
    ds = nuclear(84 if gated else 83, "RECON GATED TOMO" if gated else "RECON TOMO", 3 * slots)
    ds.SliceVector, ds.SpacingBetweenSlices = [1, 2, 3] * slots, -2.5
    ds.RescaleSlope, ds.RescaleIntercept = 0.5, 1
    ds.DetectorInformationSequence = items(item(CollimatorType="PARA", ImagePositionPatient=[10, 20, 30],
                                                ImageOrientationPatient=[0.8, 0.6, 0, 0, 0, -1]))
    if gated:
        pointer(ds, 0x00540060, 0x00540070, 0x00540080)
        ds.RRIntervalVector, ds.TimeSlotVector = [1] * 6, [1] * 3 + [2] * 3
        ds.NumberOfRRIntervals, ds.NumberOfTimeSlots = 1, 2
    else:
        pointer(ds, 0x00540080)
    return ds


def visible(sop_class, modality, number, photometric="RGB"):
    """Red 10 x, green 20 y, blue 30; YBR_FULL has these as Y, CB, CR."""
    ds = new_object(sop_class, modality, number)
    y, x = np.mgrid[0:4, 0:6]
    pixels(ds, 4, 6, 3, 8, np.stack([10 * x, 20 * y, 0 * x + 30], -1).astype(np.uint8).tobytes())
    ds.PhotometricInterpretation = photometric
    return ds


def offset_table():
    """JPEG-LS of three frames, each in two fragments, with a basic offset table."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.3.1", "US", 93)
    data = counting(3, 16, 16, 255)
    grey_frames(ds, data, 8, 8)
    ds.FrameTime = 50
    pointer(ds, 0x00181063)
    ds.compress(pydicom.uid.JPEGLSLossless, generate_instance_uid=False)
    frames = list(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=3))
    ds.PixelData = pydicom.encaps.encapsulate(frames, fragments_per_frame=2, has_bot=True)
    return ds


def high_throughput(number, syntax):
    """HTJ2K without loss, in the order RPCL with a TLM marker where the syntax asks for it (PS3.5 A.4.11)."""
    ds = new_object("1.2.840.10008.5.1.4.1.1.7.3", "OT", number)
    y, x = np.mgrid[0:37, 0:40]
    data = ((7 * x * x + 13 * y * y + 31 * x * y) % 65536).astype(np.uint16)
    grey(ds, data)
    codestream = imagecodecs.htj2k_encode(data, reversible=True, tlm=True)
    assert (imagecodecs.jpeg2k_decode(codestream) == data).all()  # by OpenJPEG what OpenJPH wrote
    cod = codestream.index(b"\xff\x52")
    assert codestream[cod + 5] == 2 and b"\xff\x55" in codestream  # RPCL, TLM
    ds.PixelData = pydicom.encaps.encapsulate([bytes(codestream)])
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = syntax
    return ds


def main():
    made = {"xa": xa(), "xrf": xrf(), "enhanced_xa": enhanced_xa(), "cr": cr(), "dx": dx(), "mg": mg(),
            "nm_static": nm_static(), "nm_dynamic": nm_dynamic(), "nm_tomo": nm_tomo(), "nm_recon": nm_recon(False),
            "nm_recon_gated": nm_recon(True),
            "vl_endoscopic": visible("1.2.840.10008.5.1.4.1.1.77.1.1", "ES", 90, "YBR_FULL"),
            "vl_microscopic": visible("1.2.840.10008.5.1.4.1.1.77.1.2", "GM", 91),
            "vl_photographic": visible("1.2.840.10008.5.1.4.1.1.77.1.4", "XC", 92)}
    made["us_offset_table"] = offset_table()
    made["htj2k_lossless"] = high_throughput(94, pydicom.uid.HTJ2KLossless)
    made["htj2k_lossless_rpcl"] = high_throughput(95, pydicom.uid.HTJ2KLosslessRPCL)
    for name, ds in made.items():
        save(ds, f"frames/{name}.dcm")


if __name__ == "__main__":
    main()
