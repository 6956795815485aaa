#pragma once
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Values of CID 7203 (PS3.16): what was done to the source images.
enum class DicomDerivation {
  none,
  smoothing,
  spatial_resampling,
  multiplanar_reformatting,
  segmentation,
  volume_rendering,
  maximum_intensity_projection
};
inline constexpr const char* dicom_derivation_choices[] = {
    "none",         "smoothing",        "spatial_resampling",          "multiplanar_reformatting",
    "segmentation", "volume_rendering", "maximum_intensity_projection"};

/// Lossless compression of written pixels: PS3.5 annexes A.4.2 (RLE), A.4.3 (JPEG-LS) and A.4.4 (JPEG 2000).
enum class DicomLosslessCompression { none, rle, jpeg_ls, jpeg_2000 };
inline constexpr const char* dicom_lossless_choices[] = {"none", "rle", "jpeg_ls", "jpeg_2000"};

enum class DicomSeriesForm { classic, enhanced, legacy_converted };

/// A volume as a derived DICOM series: CT, MR or PET Image Storage, one file a slice, DERIVED\SECONDARY; or one
/// Enhanced CT, MR or PET object of all slices; or one Legacy Converted Enhanced CT, MR or PET object, where the
/// source is classic and each slice lies where one of its images does.
///
/// | port  | payload | shape        | unit                                        |
/// |-------|---------|--------------|---------------------------------------------|
/// | input | Volume  | nz × ny × nx | HU without a DICOM source; any where it has |
///
/// Patient, study and frame of reference are those of the source that the volume's "dicom.*" attributes carry, in its
/// character set; without a source they are new or empty. UIDs are new (2.25 and a UUID). Each slice names the source
/// images that it shows. Values are stored in 16 bits: steps of 1 HU for CT, else as fine as the range allows
/// (PET without an intercept, PS3.3 C.8.9.4). The provenance stands in ContributingEquipmentSequence (0018,a001).
///
/// Enhanced PET (PS3.3 A.56) needs facts of the injection and the acquisition that classic images have no place for:
/// `acquisition` states what the source does not have, for example "TableMotion = STATIC;
/// TimeOfFlightInformationUsed = TRUE; AdministrationRouteCodeSequence = 47625008^SCT^Intravenous route".
///
/// Errors: invalid_argument when the folder is not empty, and for a statement that cannot be read or that the source
/// makes too; unsupported for other modalities, for 4-D, for PET as enhanced with the attribute that is neither in the
/// source nor stated, and for a grid or source that is not classic images' as legacy_converted; bad_data with the voxel
/// when a value is not finite; io_error with the path (disk full, ...). The folder appears whole or not at all.
struct DicomSeriesSink {
  static constexpr const char* name = "dicom_series_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "A volume into a folder, as a derived DICOM series that refers to its source.";
  static constexpr const char* help =
      "One series for each item. With several items the path numbers them: phase_%02d gives phase_00, phase_01, ...";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series_description = "Derived by Isocenter";
    std::int64_t series_number = 1001;
    DicomDerivation derivation = DicomDerivation::none;
    std::string derivation_description;
    double rescale_slope = 0;
    DicomSeriesForm form = DicomSeriesForm::classic;
    std::string acquisition;
    DicomLosslessCompression compression = DicomLosslessCompression::none;
    std::string manufacturer = "Isocenter";
    std::string model_name = "Isocenter SDK";
    std::string device_serial_number = "1";
    static constexpr const char* forms[] = {"classic", "enhanced", "legacy_converted"};
    static constexpr auto describe() {
      return std::tuple_cat(
          std::tuple{
              param(&Params::path, "path", "Folder that is new or empty; %02d is the item's number.",
                    isocenter::required | isocenter::path),
          },
          series_parameters<Params>(),
          std::tuple{
              choice(&Params::derivation, "derivation", dicom_derivation_choices, "DerivationCodeSequence."),
              param(&Params::derivation_description, "derivation_description",
                    "DerivationDescription, at most 1024 characters; empty: the operators of the provenance."),
              param(&Params::rescale_slope, "rescale_slope", Unit::none, 0, 1e6,
                    "Step between stored values; 0: 1 for HU, else as fine as 16 bits allow."),
              choice(&Params::form, "form", forms,
                     "classic: a file for each slice; enhanced: one multi-frame object; legacy_converted: one for "
                     "classic sources."),
              param(&Params::acquisition, "acquisition",
                    "Enhanced PET: what the source does not say of its acquisition: Keyword = value; ..."),
              choice(&Params::compression, "compression", dicom_lossless_choices,
                     "Lossless compression of the pixels."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<Volume> input{"input", "What is written."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
