#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// What a folder of DICOM files holds, and what is wrong with it. No ports: a pipeline of this one node is prepared,
/// and its facts "dicom.report" (JSON) and "dicom.report.text" (lines for people) read from the session's report.
///
/// A bad file is a finding and costs no other file. Codes of findings are stable: docs/dicom/README.md lists them.
/// The patient's data are in the report only where header or attributes ask for them; dicom_header.hpp says what they
/// are and how an attribute is named.
/// Cost: the headers of all files up to their pixel data, read in parallel while planning.
///
/// Errors: not_found or io_error for the path itself.
struct DicomInspect {
  static constexpr const char* name = "dicom_inspect";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Reports which DICOM series a folder holds and what is wrong with them.";
  static constexpr const char* help = "The report is in the node's facts: dicom.report (JSON) and dicom.report.text.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    bool header = false;
    std::string attributes;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path",
                "Folder (searched with its folders), one file, a DICOMDIR, or a .txt with a path a line.",
                isocenter::required | isocenter::path),
          param(&Params::header, "header", "Patient, study, equipment, acquisition, ... of each series' first slice."),
          param(&Params::attributes, "attributes",
                "Attributes of each series' first slice, by keyword or tag between spaces: KVP 0018,1150."),
      };
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
