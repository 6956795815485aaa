#pragma once
// The DICOM attributes that this module names, by keyword and tag (PS3.6 chapter 6).
#include <cstdint>
#include <cstdio>
#include <string>

namespace isocenter::detail::dicom {

struct Attribute {
  std::uint16_t group;
  std::uint16_t element;
  const char* keyword;
};

/// "PixelSpacing (0028,0030)", as every message names an attribute.
inline std::string text(const Attribute& a) {
  char tag[16];
  std::snprintf(tag, sizeof tag, " (%04x,%04x)", a.group, a.element);
  return std::string(a.keyword) + tag;
}

namespace attribute {
inline constexpr Attribute transfer_syntax_uid{0x0002, 0x0010, "TransferSyntaxUID"};
inline constexpr Attribute specific_character_set{0x0008, 0x0005, "SpecificCharacterSet"};
inline constexpr Attribute image_type{0x0008, 0x0008, "ImageType"};
inline constexpr Attribute sop_class_uid{0x0008, 0x0016, "SOPClassUID"};
inline constexpr Attribute sop_instance_uid{0x0008, 0x0018, "SOPInstanceUID"};
inline constexpr Attribute modality{0x0008, 0x0060, "Modality"};
inline constexpr Attribute series_description{0x0008, 0x103E, "SeriesDescription"};
inline constexpr Attribute slice_thickness{0x0018, 0x0050, "SliceThickness"};
inline constexpr Attribute inversion_time{0x0018, 0x0082, "InversionTime"};
inline constexpr Attribute echo_time{0x0018, 0x0081, "EchoTime"};
inline constexpr Attribute echo_numbers{0x0018, 0x0086, "EchoNumbers"};
inline constexpr Attribute spacing_between_slices{0x0018, 0x0088, "SpacingBetweenSlices"};
inline constexpr Attribute trigger_time{0x0018, 0x1060, "TriggerTime"};
inline constexpr Attribute gantry_detector_tilt{0x0018, 0x1120, "GantryDetectorTilt"};
inline constexpr Attribute convolution_kernel{0x0018, 0x1210, "ConvolutionKernel"};
inline constexpr Attribute diffusion_b_value{0x0018, 0x9087, "DiffusionBValue"};
inline constexpr Attribute diffusion_gradient_orientation{0x0018, 0x9089, "DiffusionGradientOrientation"};
inline constexpr Attribute nominal_cardiac_phase{0x0020, 0x9241, "NominalPercentageOfCardiacPhase"};
inline constexpr Attribute nominal_respiratory_phase{0x0020, 0x9245, "NominalPercentageOfRespiratoryPhase"};
inline constexpr Attribute study_instance_uid{0x0020, 0x000D, "StudyInstanceUID"};
inline constexpr Attribute series_instance_uid{0x0020, 0x000E, "SeriesInstanceUID"};
inline constexpr Attribute series_number{0x0020, 0x0011, "SeriesNumber"};
inline constexpr Attribute acquisition_number{0x0020, 0x0012, "AcquisitionNumber"};
inline constexpr Attribute instance_number{0x0020, 0x0013, "InstanceNumber"};
inline constexpr Attribute image_position_patient{0x0020, 0x0032, "ImagePositionPatient"};
inline constexpr Attribute image_orientation_patient{0x0020, 0x0037, "ImageOrientationPatient"};
inline constexpr Attribute frame_of_reference_uid{0x0020, 0x0052, "FrameOfReferenceUID"};
inline constexpr Attribute temporal_position_identifier{0x0020, 0x0100, "TemporalPositionIdentifier"};
inline constexpr Attribute stack_id{0x0020, 0x9056, "StackID"};
inline constexpr Attribute temporal_position_index{0x0020, 0x9128, "TemporalPositionIndex"};
inline constexpr Attribute samples_per_pixel{0x0028, 0x0002, "SamplesPerPixel"};
inline constexpr Attribute photometric_interpretation{0x0028, 0x0004, "PhotometricInterpretation"};
inline constexpr Attribute planar_configuration{0x0028, 0x0006, "PlanarConfiguration"};
inline constexpr Attribute number_of_frames{0x0028, 0x0008, "NumberOfFrames"};
inline constexpr Attribute rows{0x0028, 0x0010, "Rows"};
inline constexpr Attribute columns{0x0028, 0x0011, "Columns"};
inline constexpr Attribute pixel_spacing{0x0028, 0x0030, "PixelSpacing"};
inline constexpr Attribute bits_allocated{0x0028, 0x0100, "BitsAllocated"};
inline constexpr Attribute bits_stored{0x0028, 0x0101, "BitsStored"};
inline constexpr Attribute high_bit{0x0028, 0x0102, "HighBit"};
inline constexpr Attribute pixel_representation{0x0028, 0x0103, "PixelRepresentation"};
inline constexpr Attribute rescale_intercept{0x0028, 0x1052, "RescaleIntercept"};
inline constexpr Attribute rescale_slope{0x0028, 0x1053, "RescaleSlope"};
inline constexpr Attribute rescale_type{0x0028, 0x1054, "RescaleType"};
inline constexpr Attribute modality_lut_sequence{0x0028, 0x3000, "ModalityLUTSequence"};
inline constexpr Attribute red_palette_descriptor{0x0028, 0x1101, "RedPaletteColorLookupTableDescriptor"};
inline constexpr Attribute green_palette_descriptor{0x0028, 0x1102, "GreenPaletteColorLookupTableDescriptor"};
inline constexpr Attribute blue_palette_descriptor{0x0028, 0x1103, "BluePaletteColorLookupTableDescriptor"};
inline constexpr Attribute red_palette_data{0x0028, 0x1201, "RedPaletteColorLookupTableData"};
inline constexpr Attribute green_palette_data{0x0028, 0x1202, "GreenPaletteColorLookupTableData"};
inline constexpr Attribute blue_palette_data{0x0028, 0x1203, "BluePaletteColorLookupTableData"};
inline constexpr Attribute segmented_red_palette_data{0x0028, 0x1221, "SegmentedRedPaletteColorLookupTableData"};
inline constexpr Attribute segmented_green_palette_data{0x0028, 0x1222, "SegmentedGreenPaletteColorLookupTableData"};
inline constexpr Attribute segmented_blue_palette_data{0x0028, 0x1223, "SegmentedBluePaletteColorLookupTableData"};
inline constexpr Attribute lut_descriptor{0x0028, 0x3002, "LUTDescriptor"};
inline constexpr Attribute modality_lut_type{0x0028, 0x3004, "ModalityLUTType"};
inline constexpr Attribute lut_data{0x0028, 0x3006, "LUTData"};
inline constexpr Attribute window_center{0x0028, 0x1050, "WindowCenter"};
inline constexpr Attribute window_width{0x0028, 0x1051, "WindowWidth"};
inline constexpr Attribute voi_lut_function{0x0028, 0x1056, "VOILUTFunction"};
inline constexpr Attribute voi_lut_sequence{0x0028, 0x3010, "VOILUTSequence"};
inline constexpr Attribute frame_time{0x0018, 0x1063, "FrameTime"};
inline constexpr Attribute frame_time_vector{0x0018, 0x1065, "FrameTimeVector"};
inline constexpr Attribute distance_source_to_detector{0x0018, 0x1110, "DistanceSourceToDetector"};
inline constexpr Attribute distance_source_to_patient{0x0018, 0x1111, "DistanceSourceToPatient"};
inline constexpr Attribute imager_pixel_spacing{0x0018, 0x1164, "ImagerPixelSpacing"};
inline constexpr Attribute positioner_primary_angle{0x0018, 0x1510, "PositionerPrimaryAngle"};
inline constexpr Attribute positioner_secondary_angle{0x0018, 0x1511, "PositionerSecondaryAngle"};
inline constexpr Attribute positioner_primary_increment{0x0018, 0x1520, "PositionerPrimaryAngleIncrement"};
inline constexpr Attribute positioner_secondary_increment{0x0018, 0x1521, "PositionerSecondaryAngleIncrement"};
inline constexpr Attribute cine_rate{0x0018, 0x0040, "CineRate"};
inline constexpr Attribute recommended_display_frame_rate{0x0008, 0x2144, "RecommendedDisplayFrameRate"};
inline constexpr Attribute grid_frame_offset_vector{0x3004, 0x000C, "GridFrameOffsetVector"};
inline constexpr Attribute dose_grid_scaling{0x3004, 0x000E, "DoseGridScaling"};
inline constexpr Attribute dose_units{0x3004, 0x0002, "DoseUnits"};
inline constexpr Attribute real_world_value_slope{0x0040, 0x9225, "RealWorldValueSlope"};
inline constexpr Attribute real_world_value_intercept{0x0040, 0x9224, "RealWorldValueIntercept"};
inline constexpr Attribute code_value{0x0008, 0x0100, "CodeValue"};
inline constexpr Attribute energy_window_vector{0x0054, 0x0010, "EnergyWindowVector"};
inline constexpr Attribute detector_vector{0x0054, 0x0020, "DetectorVector"};
inline constexpr Attribute phase_vector{0x0054, 0x0030, "PhaseVector"};
inline constexpr Attribute rotation_vector{0x0054, 0x0050, "RotationVector"};
inline constexpr Attribute rr_interval_vector{0x0054, 0x0060, "RRIntervalVector"};
inline constexpr Attribute time_slot_vector{0x0054, 0x0070, "TimeSlotVector"};
inline constexpr Attribute slice_vector{0x0054, 0x0080, "SliceVector"};
inline constexpr Attribute angular_view_vector{0x0054, 0x0090, "AngularViewVector"};
inline constexpr Attribute time_slice_vector{0x0054, 0x0100, "TimeSliceVector"};
inline constexpr Attribute units{0x0054, 0x1001, "Units"};
inline constexpr Attribute pixel_data{0x7FE0, 0x0010, "PixelData"};
inline constexpr Attribute float_pixel_data{0x7FE0, 0x0008, "FloatPixelData"};
inline constexpr Attribute double_float_pixel_data{0x7FE0, 0x0009, "DoubleFloatPixelData"};
}  // namespace attribute
}  // namespace isocenter::detail::dicom
