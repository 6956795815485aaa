#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Whether DICOM files keep to the standard where a program can tell. No ports: a pipeline of this one node is
/// prepared, and its facts "dicom.validation" (JSON: for each file its violations) and "dicom.validation.text" read
/// from the session's report.
///
/// For each file: meta information that names what the data set is; values that fit their representation, multiplicity
/// and character set (PS3.5 section 6.2, PS3.6); attributes that the modules of its SOP class require without a
/// condition (PS3.3; docs/dicom/conformance.md lists the classes); the length of native pixels. Conditions between
/// attributes are not checked.
///
/// Errors: not_found for the path itself.
struct DicomValidate {
  static constexpr const char* name = "dicom_validate";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Reports where DICOM files break the standard.";
  static constexpr const char* help =
      "The report is in the node's facts: dicom.validation (JSON) and dicom.validation.text.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    static constexpr auto describe() {
      return std::tuple{param(&Params::path, "path", "Folder (searched with its folders), or one file.",
                              isocenter::required | isocenter::path)};
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
