#include "required_attributes.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>

namespace isocenter::detail::dicom {
namespace {

using Attributes = std::vector<RequiredAttribute>;

Attributes module(const char* name, const std::vector<DcmTagKey>& with_value, const std::vector<DcmTagKey>& there) {
  Attributes all;
  for (const DcmTagKey& tag : with_value) all.push_back({tag, 1, name});
  for (const DcmTagKey& tag : there) all.push_back({tag, 2, name});
  return all;
}

Attributes together(const std::vector<Attributes>& modules) {
  Attributes all;
  for (const Attributes& m : modules) all.insert(all.end(), m.begin(), m.end());
  return all;
}

std::vector<ObjectRequirements> make() {
  // Sections of PS3.3 in the names.
  const Attributes common = together({
      module("Patient C.7.1.1", {}, {DCM_PatientName, DCM_PatientID, DCM_PatientBirthDate, DCM_PatientSex}),
      module("General Study C.7.2.1", {DCM_StudyInstanceUID},
             {DCM_StudyDate, DCM_StudyTime, DCM_ReferringPhysicianName, DCM_StudyID, DCM_AccessionNumber}),
      module("SOP Common C.12.1", {DCM_SOPClassUID, DCM_SOPInstanceUID}, {}),
      module("General Series C.7.3.1", {DCM_Modality, DCM_SeriesInstanceUID}, {DCM_SeriesNumber}),
  });
  const Attributes equipment = module("General Equipment C.7.5.1", {}, {DCM_Manufacturer});
  const Attributes enhanced_equipment =
      module("Enhanced General Equipment C.7.5.2",
             {DCM_Manufacturer, DCM_ManufacturerModelName, DCM_DeviceSerialNumber, DCM_SoftwareVersions}, {});
  const Attributes frame =
      module("Frame of Reference C.7.4.1", {DCM_FrameOfReferenceUID}, {DCM_PositionReferenceIndicator});
  const Attributes image = module("General Image C.7.6.1", {}, {DCM_InstanceNumber});
  const Attributes plane =
      module("Image Plane C.7.6.2", {DCM_PixelSpacing, DCM_ImageOrientationPatient, DCM_ImagePositionPatient},
             {DCM_SliceThickness});
  const Attributes pixel = module("Image Pixel C.7.6.3",
                                  {DCM_SamplesPerPixel, DCM_PhotometricInterpretation, DCM_Rows, DCM_Columns,
                                   DCM_BitsAllocated, DCM_BitsStored, DCM_HighBit, DCM_PixelRepresentation},
                                  {});
  const Attributes groups = module("Multi-frame Functional Groups C.7.6.16",
                                   {DCM_SharedFunctionalGroupsSequence, DCM_PerFrameFunctionalGroupsSequence,
                                    DCM_InstanceNumber, DCM_ContentDate, DCM_ContentTime, DCM_NumberOfFrames},
                                   {});
  const Attributes dimensions =
      module("Multi-frame Dimension C.7.6.17", {DCM_DimensionOrganizationSequence, DCM_DimensionIndexSequence}, {});
  const Attributes enhanced_image =
      module("Enhanced CT/MR Image C.8.15.2, C.8.13.1",
             {DCM_ImageType, DCM_PixelPresentation, DCM_VolumetricProperties, DCM_VolumeBasedCalculationTechnique,
              DCM_ContentQualification, DCM_BurnedInAnnotation, DCM_LossyImageCompression, DCM_PresentationLUTShape},
             {});
  const Attributes acquisition_context = module("Acquisition Context C.7.6.14", {}, {DCM_AcquisitionContextSequence});
  const Attributes enhanced_pet = together(
      {module("Enhanced PET Isotope C.8.22.4", {DCM_RadiopharmaceuticalInformationSequence}, {}),
       module("Enhanced PET Acquisition C.8.22.2",
              {DCM_TableMotion, DCM_TimeOfFlightInformationUsed, DCM_ViewCodeSequence}, {}),
       module("Enhanced PET Corrections C.8.22.6",
              {DCM_CountsSource, DCM_DecayCorrected, DCM_AttenuationCorrected, DCM_ScatterCorrected,
               DCM_DeadTimeCorrected, DCM_GantryMotionCorrected, DCM_PatientMotionCorrected,
               DCM_CountLossNormalizationCorrected, DCM_RandomsCorrected, DCM_NonUniformRadialSamplingCorrected,
               DCM_SensitivityCalibrated, DCM_DetectorNormalizationCorrection},
              {})});
  const Attributes legacy_converted =  // A.70, A.71, A.72
      together({common, frame, equipment, pixel, groups, acquisition_context, enhanced_image});
  const Attributes content = module("Content Identification C.12.4", {DCM_InstanceNumber, DCM_ContentLabel},
                                    {DCM_ContentDescription, DCM_ContentCreatorName});

  return {
      {"CT Image Storage", "1.2.840.10008.5.1.4.1.1.2",
       together({common, frame, equipment, image, plane, pixel,
                 module("CT Image C.8.2.1", {DCM_ImageType, DCM_RescaleIntercept, DCM_RescaleSlope},
                        {DCM_KVP, DCM_AcquisitionNumber})})},
      {"MR Image Storage", "1.2.840.10008.5.1.4.1.1.4",
       together({common, frame, equipment, image, plane, pixel,
                 module("MR Image C.8.3.1", {DCM_ImageType, DCM_ScanningSequence, DCM_SequenceVariant},
                        {DCM_ScanOptions, DCM_MRAcquisitionType, DCM_EchoTime, DCM_EchoTrainLength})})},
      {"Positron Emission Tomography Image Storage", "1.2.840.10008.5.1.4.1.1.128",
       together({common, frame, equipment, image, plane, pixel,
                 module("PET Series C.8.9.1",
                        {DCM_SeriesDate, DCM_SeriesTime, DCM_Units, DCM_CountsSource, DCM_SeriesType,
                         DCM_NumberOfSlices, DCM_DecayCorrection},
                        {DCM_CorrectedImage, DCM_CollimatorType}),
                 module("PET Isotope C.8.9.2", {}, {DCM_RadiopharmaceuticalInformationSequence}),
                 module("PET Image C.8.9.4",
                        {DCM_ImageType, DCM_RescaleIntercept, DCM_RescaleSlope, DCM_FrameReferenceTime, DCM_ImageIndex},
                        {DCM_AcquisitionDate, DCM_AcquisitionTime, DCM_ActualFrameDuration})})},
      {"Enhanced CT Image Storage", "1.2.840.10008.5.1.4.1.1.2.1",
       together({common, frame, enhanced_equipment, pixel, groups, dimensions, acquisition_context, enhanced_image})},
      {"Enhanced MR Image Storage", "1.2.840.10008.5.1.4.1.1.4.1",
       together({common, frame, enhanced_equipment, pixel, groups, dimensions, acquisition_context, enhanced_image})},
      {"Enhanced PET Image Storage", "1.2.840.10008.5.1.4.1.1.130",
       together({common, frame, enhanced_equipment, pixel, groups, dimensions, acquisition_context, enhanced_image,
                 enhanced_pet})},
      {"Legacy Converted Enhanced CT Image Storage", "1.2.840.10008.5.1.4.1.1.2.2", legacy_converted},
      {"Legacy Converted Enhanced MR Image Storage", "1.2.840.10008.5.1.4.1.1.4.4", legacy_converted},
      {"Legacy Converted Enhanced PET Image Storage", "1.2.840.10008.5.1.4.1.1.128.1", legacy_converted},
      {"Segmentation Storage", "1.2.840.10008.5.1.4.1.1.66.4",
       together({common, enhanced_equipment, pixel, groups, dimensions, content,
                 module("Segmentation Image C.8.20.2",
                        {DCM_ImageType, DCM_SegmentationType, DCM_SegmentSequence, DCM_LossyImageCompression}, {})})},
      {"Parametric Map Storage", "1.2.840.10008.5.1.4.1.1.30",
       together({common, enhanced_equipment, groups, dimensions, acquisition_context, content,
                 module("Parametric Map Image C.8.32.2",
                        {DCM_ImageType, DCM_Rows, DCM_Columns, DCM_BitsAllocated, DCM_ContentQualification,
                         DCM_BurnedInAnnotation, DCM_RecognizableVisualFeatures, DCM_LossyImageCompression,
                         DCM_PresentationLUTShape},
                        {})})},
      {"RT Structure Set Storage", "1.2.840.10008.5.1.4.1.1.481.3",
       together({common, equipment, module("RT Series C.8.8.1", {}, {DCM_OperatorsName}),
                 module("Structure Set C.8.8.5", {DCM_StructureSetLabel}, {DCM_StructureSetDate, DCM_StructureSetTime}),
                 module("ROI Contour C.8.8.6", {DCM_ROIContourSequence}, {}),
                 module("RT ROI Observations C.8.8.8", {DCM_RTROIObservationsSequence}, {})})},
      {"Comprehensive 3D SR Storage", "1.2.840.10008.5.1.4.1.1.88.34",
       together(
           {common, equipment, module("SR Document Series C.17.1", {}, {DCM_ReferencedPerformedProcedureStepSequence}),
            module("SR Document General C.17.2",
                   {DCM_InstanceNumber, DCM_CompletionFlag, DCM_VerificationFlag, DCM_ContentDate, DCM_ContentTime},
                   {DCM_PerformedProcedureCodeSequence}),
            module("SR Document Content C.17.3", {DCM_ValueType, DCM_ConceptNameCodeSequence, DCM_ContinuityOfContent},
                   {})})},
      {"Grayscale Softcopy Presentation State Storage", "1.2.840.10008.5.1.4.1.1.11.1",
       together({common, equipment, content,
                 module("Presentation State Identification C.11.10",
                        {DCM_PresentationCreationDate, DCM_PresentationCreationTime}, {}),
                 module("Presentation State Relationship C.11.11", {DCM_ReferencedSeriesSequence}, {}),
                 module("Displayed Area C.10.4", {DCM_DisplayedAreaSelectionSequence}, {})})},
      {"Encapsulated PDF Storage", "1.2.840.10008.5.1.4.1.1.104.1",
       together({common, equipment,
                 module("Encapsulated Document C.24.2",
                        {DCM_InstanceNumber, DCM_BurnedInAnnotation, DCM_EncapsulatedDocument,
                         DCM_MIMETypeOfEncapsulatedDocument},
                        {DCM_ContentDate, DCM_ContentTime, DCM_AcquisitionDateTime, DCM_DocumentTitle,
                         DCM_ConceptNameCodeSequence})})},
      {"Multi-frame True Color Secondary Capture Image Storage", "1.2.840.10008.5.1.4.1.1.7.4",
       together({common, image, pixel, module("SC Equipment C.8.6.1", {DCM_ConversionType}, {}),
                 module("Multi-frame C.7.6.6", {DCM_NumberOfFrames, DCM_FrameIncrementPointer}, {}),
                 module("SC Multi-frame Image C.8.6.3", {DCM_BurnedInAnnotation}, {})})},
  };
}

}  // namespace

const std::vector<ObjectRequirements>& all_requirements() {
  static const std::vector<ObjectRequirements> all = make();
  return all;
}

const ObjectRequirements* requirements_of(const std::string& sop_class_uid) {
  for (const ObjectRequirements& r : all_requirements())
    if (sop_class_uid == r.uid) return &r;
  return nullptr;
}

}  // namespace isocenter::detail::dicom
