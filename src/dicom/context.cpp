#include "context.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcelem.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcostrmb.h>

#include <isocenter/error.hpp>
#include <vector>

#include "source_metadata.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

struct Carried {
  DcmTagKey tag;
  unsigned part;
};

const Carried carried[] = {
    {DCM_SpecificCharacterSet, patient_and_study},
    {DCM_TimezoneOffsetFromUTC, patient_and_study},
    {DCM_StudyInstanceUID, patient_and_study},
    {DCM_StudyDate, patient_and_study},
    {DCM_StudyTime, patient_and_study},
    {DCM_StudyID, patient_and_study},
    {DCM_AccessionNumber, patient_and_study},
    {DCM_IssuerOfAccessionNumberSequence, patient_and_study},
    {DCM_ReferringPhysicianName, patient_and_study},
    {DCM_ReferringPhysicianIdentificationSequence, patient_and_study},
    {DCM_ConsultingPhysicianName, patient_and_study},
    {DCM_ConsultingPhysicianIdentificationSequence, patient_and_study},
    {DCM_StudyDescription, patient_and_study},
    {DCM_PhysiciansOfRecord, patient_and_study},
    {DCM_PhysiciansOfRecordIdentificationSequence, patient_and_study},
    {DCM_NameOfPhysiciansReadingStudy, patient_and_study},
    {DCM_PhysiciansReadingStudyIdentificationSequence, patient_and_study},
    {DCM_RequestingService, patient_and_study},
    {DCM_RequestingServiceCodeSequence, patient_and_study},
    {DCM_ReferencedStudySequence, patient_and_study},
    {DCM_ProcedureCodeSequence, patient_and_study},
    {DCM_ReasonForPerformedProcedureCodeSequence, patient_and_study},
    {DCM_AdmittingDiagnosesDescription, patient_and_study},
    {DCM_AdmittingDiagnosesCodeSequence, patient_and_study},
    {DCM_AdmissionID, patient_and_study},
    {DCM_IssuerOfAdmissionIDSequence, patient_and_study},
    {DCM_ServiceEpisodeID, patient_and_study},
    {DCM_ServiceEpisodeDescription, patient_and_study},
    {DCM_LongitudinalTemporalInformationModified, patient_and_study},
    {DCM_FrameOfReferenceUID, frame_of_reference},
    {DCM_PositionReferenceIndicator, frame_of_reference},
    {DCM_Manufacturer, source_equipment},
    {DCM_InstitutionName, source_equipment},
    {DCM_InstitutionAddress, source_equipment},
    {DCM_InstitutionalDepartmentName, source_equipment},
    {DCM_StationName, source_equipment},
    {DCM_ManufacturerModelName, source_equipment},
    {DCM_DeviceSerialNumber, source_equipment},
    {DCM_SoftwareVersions, source_equipment},
    {DCM_BodyPartExamined, series_of_source},
    {DCM_Laterality, series_of_source},
    {DCM_PatientPosition, series_of_source},
    {DCM_ProtocolName, series_of_source},
    {DCM_AcquisitionNumber, ct_acquisition | mr_acquisition},
    {DCM_AcquisitionDate, ct_acquisition | mr_acquisition | pet_acquisition},
    {DCM_AcquisitionTime, ct_acquisition | mr_acquisition | pet_acquisition},
    {DCM_ContrastBolusAgent, ct_acquisition | mr_acquisition},
    {DCM_ContrastBolusRoute, ct_acquisition | mr_acquisition},
    {DCM_ScanOptions, ct_acquisition | mr_acquisition},
    {DCM_IrradiationEventUID, ct_acquisition},
    {DCM_KVP, ct_acquisition},
    {DCM_DataCollectionDiameter, ct_acquisition},
    {DCM_ReconstructionDiameter, ct_acquisition},
    {DCM_DistanceSourceToDetector, ct_acquisition},
    {DCM_DistanceSourceToPatient, ct_acquisition},
    {DCM_TableHeight, ct_acquisition},
    {DCM_RotationDirection, ct_acquisition},
    {DCM_ExposureTime, ct_acquisition},
    {DCM_XRayTubeCurrent, ct_acquisition},
    {DCM_Exposure, ct_acquisition},
    {DCM_FilterType, ct_acquisition},
    {DCM_GeneratorPower, ct_acquisition},
    {DCM_FocalSpots, ct_acquisition},
    {DCM_ConvolutionKernel, ct_acquisition},
    {DCM_ScanningSequence, mr_acquisition},
    {DCM_SequenceVariant, mr_acquisition},
    {DCM_SequenceName, mr_acquisition},
    {DCM_MRAcquisitionType, mr_acquisition},
    {DCM_RepetitionTime, mr_acquisition},
    {DCM_EchoTime, mr_acquisition},
    {DCM_EchoTrainLength, mr_acquisition},
    {DCM_EchoNumbers, mr_acquisition},
    {DCM_InversionTime, mr_acquisition},
    {DCM_FlipAngle, mr_acquisition},
    {DCM_NumberOfAverages, mr_acquisition},
    {DCM_ImagingFrequency, mr_acquisition},
    {DCM_ImagedNucleus, mr_acquisition},
    {DCM_MagneticFieldStrength, mr_acquisition},
    {DCM_PatientOrientationCodeSequence, pet_acquisition},
    {DCM_PatientGantryRelationshipCodeSequence, pet_acquisition},
    {DCM_SeriesDate, pet_acquisition},
    {DCM_SeriesTime, pet_acquisition},
    {DCM_Units, pet_acquisition},
    {DCM_SUVType, pet_acquisition},
    {DCM_CountsSource, pet_acquisition},
    {DCM_SeriesType, pet_acquisition},
    {DCM_CorrectedImage, pet_acquisition},
    {DCM_DecayCorrection, pet_acquisition},
    {DCM_CollimatorType, pet_acquisition},
    {DCM_ReprojectionMethod, pet_acquisition},
    {DCM_RandomsCorrectionMethod, pet_acquisition},
    {DCM_AttenuationCorrectionMethod, pet_acquisition},
    {DCM_ScatterCorrectionMethod, pet_acquisition},
    {DCM_ReconstructionMethod, pet_acquisition},
    {DCM_RadiopharmaceuticalInformationSequence, pet_acquisition},
    {DCM_FrameReferenceTime, pet_acquisition},
    {DCM_ActualFrameDuration, pet_acquisition},
    {DCM_DecayFactor, pet_acquisition},
    {DCM_DoseCalibrationFactor, pet_acquisition},
    {DCM_TableMotion, enhanced_pet},
    {DCM_TimeOfFlightInformationUsed, enhanced_pet},
    {DCM_ViewCodeSequence, enhanced_pet},
    {DCM_SliceProgressionDirection, enhanced_pet},
    {DCM_RelatedSeriesSequence, enhanced_pet},
    {DCM_CardiacSynchronizationTechnique, enhanced_pet},
    {DCM_RespiratoryMotionCompensationTechnique, enhanced_pet},
    {DCM_DecayCorrected, enhanced_pet},
    {DCM_AttenuationCorrected, enhanced_pet},
    {DCM_ScatterCorrected, enhanced_pet},
    {DCM_DeadTimeCorrected, enhanced_pet},
    {DCM_GantryMotionCorrected, enhanced_pet},
    {DCM_PatientMotionCorrected, enhanced_pet},
    {DCM_CountLossNormalizationCorrected, enhanced_pet},
    {DCM_RandomsCorrected, enhanced_pet},
    {DCM_NonUniformRadialSamplingCorrected, enhanced_pet},
    {DCM_SensitivityCalibrated, enhanced_pet},
    {DCM_DetectorNormalizationCorrection, enhanced_pet},
    {DCM_DecayCorrectionDateTime, enhanced_pet},
    {DCM_AttenuationCorrectionSource, enhanced_pet},
    {DCM_AttenuationCorrectionTemporalRelationship, enhanced_pet},
    {DCM_LossyImageCompression, image_history},
    {DCM_LossyImageCompressionRatio, image_history},
    {DCM_LossyImageCompressionMethod, image_history},
    {DCM_BurnedInAnnotation, image_history},
    {DCM_RecognizableVisualFeatures, image_history},
    {DCM_WindowCenter, display},
    {DCM_WindowWidth, display},
};

unsigned part_of(const DcmTagKey& tag) {
  // Patient (C.7.1.1), patient study (C.7.2.2) and clinical trial (C.7.1.3, C.7.2.3): all of these two groups.
  if ((tag.getGroup() == 0x0010 || tag.getGroup() == 0x0012) && tag.getElement() != 0) return patient_and_study;
  for (const Carried& c : carried)
    if (c.tag == tag) return c.part;
  return 0;
}

}  // namespace

void copy_context(DcmItem& from, DcmItem& to, unsigned parts) {
  for (unsigned long i = 0; i < from.card(); ++i) {
    DcmElement* element = from.getElement(i);
    if (element == nullptr || (part_of(element->getTag()) & parts) == 0) continue;
    element->loadAllDataIntoMemory();
    to.insert(static_cast<DcmElement*>(element->clone()), OFTrue);
  }
}

std::string to_bytes(DcmDataset& context) {
  std::vector<char> buffer(context.calcElementLength(EXS_LittleEndianExplicit, EET_ExplicitLength) + 1024);
  DcmOutputBufferStream stream(buffer.data(), static_cast<offile_off_t>(buffer.size()));
  context.transferInit();
  const OFCondition status =
      context.write(stream, EXS_LittleEndianExplicit, EET_ExplicitLength, nullptr, EGL_withoutGL);
  context.transferEnd();
  void* bytes = nullptr;
  offile_off_t count = 0;
  stream.flushBuffer(bytes, count);
  if (status.bad())
    throw Failure(ErrorCode::bad_data, std::string("the header of the source cannot be kept: ") + status.text(),
                  "export the series again from where it came");
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(count)};
}

void from_bytes(const std::string& bytes, DcmDataset& context) {
  if (bytes.empty()) return;
  DcmtkLog log;
  DcmInputBufferStream stream;
  stream.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  stream.setEos();
  context.transferInit();
  const OFCondition status = context.read(stream, EXS_LittleEndianExplicit, EGL_withoutGL);
  context.transferEnd();
  if (status.bad())
    throw Failure(ErrorCode::bad_data, std::string("the attribute dicom.context is no data set: ") + status.text(),
                  "leave attributes that begin with dicom. as the source wrote them");
}

std::string read_context(const std::string& path) {
  use_dcmtk();
  DcmtkLog log;
  DcmFileFormat format;
  const OFCondition status = format.loadFileUntilTag(OFFilename(path.c_str()), EXS_Unknown, EGL_noChange,
                                                     DCM_MaxReadLength, ERM_autoDetect, DCM_FloatPixelData);
  if (status.bad())
    throw Failure(ErrorCode::io_error, "'" + path + "' cannot be read any more: " + status.text(),
                  "leave the folder as it is while it is read");
  DcmDataset context;
  copy_context(*format.getDataset(), context, ~0U);
  return to_bytes(context);
}

}  // namespace isocenter::detail::dicom
