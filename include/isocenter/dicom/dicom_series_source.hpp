#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class DicomFault { refuse, remedy };
enum class DicomFourthAxis { none, any, time, echo, b_value, cardiac_phase, inversion_time };
enum class DicomSuv { none, body_weight };
enum class DicomVendorScale { none, philips };

/// One volume from a folder (or one file) of DICOM images: CT, MR, PET and others with a place in the patient, classic
/// or enhanced multi-frame.
///
/// | port   | payload | shape        | unit                                           |
/// |--------|---------|--------------|------------------------------------------------|
/// | output | Volume  | nz × ny × nx | HU for CT; RescaleType, Units, DoseUnits; "a.u." |
///
/// Planning reads all headers in parallel, groups images into series and stacks, and orders slices by their position
/// along the normal (never by number). Running decodes in parallel straight into the volume: slope · stored + intercept
/// of each slice (PS3.3 C.11.1.1.2), in double, rounded once. Geometry is DICOM's patient frame: the origin is the
/// centre of the first voxel, z runs along row × column. What is no regular volume is refused with the reason unless
/// the parameter for its remedy allows it; warnings about the folder are in the report. What is read:
/// docs/dicom/support.md. Memory beyond the volume: for each thread one compressed and one decompressed slice.
///
/// fourth_axis makes nt × nz × ny × nx of stacks that share a grid, in the order of the attribute's value; attributes
/// "volume.fourth_axis" and "volume.fourth_axis_values" say along what. suv: weight / dose decayed to the scan's start
/// (QIBA's vendor-neutral rule), the attributes used are in the facts.
///
/// Attributes that the DICOM sinks need, all beginning with "dicom.": see docs/dicom/README.md.
///
/// Errors: not_found; invalid_argument when the choice of series or stack is open; bad_data with the positions, files
/// or attributes that are wrong.
struct DicomSeriesSource {
  static constexpr const char* name = "dicom_series_source";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "A volume from a folder of DICOM images, in HU where it is CT.";
  static constexpr const char* help =
      "See dicom_inspect for what a folder holds. Remedies: duplicates = keep_first takes the image with the lowest "
      "number; uneven_spacing = resample interpolates linearly along the normal, over missing slices too; gantry_tilt "
      "= "
      "shear shifts slices (bilinear) onto a straight grid; bad_files = skip does without them; missing_rescale = "
      "identity takes stored values.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series;
    std::int64_t stack = 0;
    DicomFault duplicates = DicomFault::refuse;
    DicomFault uneven_spacing = DicomFault::refuse;
    DicomFault gantry_tilt = DicomFault::refuse;
    DicomFault bad_files = DicomFault::refuse;
    DicomFault missing_rescale = DicomFault::refuse;
    DicomFourthAxis fourth_axis = DicomFourthAxis::none;
    double time_step_s = 0;
    DicomSuv suv = DicomSuv::none;
    DicomVendorScale vendor_scale = DicomVendorScale::none;
    static constexpr const char* axis_choices[] = {"none",    "any",           "time",          "echo",
                                                   "b_value", "cardiac_phase", "inversion_time"};
    static constexpr const char* suv_choices[] = {"none", "body_weight"};
    static constexpr const char* vendor_choices[] = {"none", "philips"};
    static constexpr const char* duplicate_choices[] = {"refuse", "keep_first"};
    static constexpr const char* spacing_choices[] = {"refuse", "resample"};
    static constexpr const char* tilt_choices[] = {"refuse", "shear"};
    static constexpr const char* file_choices[] = {"refuse", "skip"};
    static constexpr const char* rescale_choices[] = {"refuse", "identity"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path",
                "Folder with DICOM files (searched with its folders), one file, a DICOMDIR, or a .txt with a path a "
                "line.",
                isocenter::required | isocenter::path),
          param(&Params::series, "series", "SeriesNumber or SeriesInstanceUID; empty: the only one there is."),
          param(&Params::stack, "stack", Unit::none, 0, 1e6,
                "Which of the series' stacks, as dicom_inspect numbers them; 0: the only one."),
          choice(&Params::duplicates, "duplicates", duplicate_choices, "More than one image at a position."),
          choice(&Params::uneven_spacing, "uneven_spacing", spacing_choices, "Missing slices or uneven steps."),
          choice(&Params::gantry_tilt, "gantry_tilt", tilt_choices, "A sheared stack."),
          choice(&Params::bad_files, "bad_files", file_choices, "Files of the series that cannot be used."),
          choice(&Params::missing_rescale, "missing_rescale", rescale_choices,
                 "CT or PET images without RescaleSlope and RescaleIntercept."),
          choice(&Params::fourth_axis, "fourth_axis", axis_choices,
                 "Stacks of one grid that differ in this alone become one 4-D volume; any: whatever tells them apart."),
          param(&Params::time_step_s, "time_step_s", Unit::s, 0, 1e6,
                "Between two values of the fourth axis; 0: from TriggerTime or RepetitionTime, else 1 for each value."),
          choice(&Params::suv, "suv", suv_choices, "PET values as standardised uptake by body weight, g/ml."),
          choice(&Params::vendor_scale, "vendor_scale", vendor_choices,
                 "philips: MR values in the scanner's floating point scale, by the private MRScaleSlope."),
      };
    }
  };
  struct Ports {
    Out<Volume> output{"output", "The series as a volume."};
    static constexpr auto describe() { return std::tuple{&Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
