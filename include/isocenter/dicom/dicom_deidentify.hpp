#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class DicomDates { remove, shift, keep };

/// De-identifies a folder of DICOM files by the Basic Application Level Confidentiality Profile (PS3.15 annex E) with
/// options. No ports: running a pipeline of this one node writes the folder.
///
/// Every file is rewritten under a name that says nothing. UIDs, patients and shifted dates are mapped by the key
/// alone, so that what belonged together still does, in this run and in every other with that key; without a key one is
/// made up and forgotten, and nobody can map back. Private attributes go, in nested sequences too. Files that are no
/// DICOM, DICOMDIRs and encapsulated documents are left out, and the report names them.
///
/// The report is JSON: profile, options, files written and left out, for each attribute what was done and how often,
/// warnings (burned-in text). It holds no value that was removed. docs/dicom/deidentification.md has the rest.
///
/// Errors: not_found or io_error with the path; invalid_argument when the output folder is not empty or lies in the
/// input, the key file has less than 16 bytes, or rectangles do not parse; unsupported or bad_data with the file when
/// pixels cannot be blanked. The folder appears whole or not at all.
struct DicomDeidentify {
  static constexpr const char* name = "dicom_deidentify";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "De-identifies a folder of DICOM files by PS3.15 annex E, with a report.";
  static constexpr const char* help =
      "dates = shift moves each patient's dates by a number of days of its own; blank = x y width height; ... blanks "
      "rectangles of pixels in every image.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string output;
    std::string report;
    std::string key_file;
    DicomDates dates = DicomDates::remove;
    bool retain_uids = false;
    bool retain_device = false;
    bool retain_institution = false;
    bool retain_patient_characteristics = false;
    bool clean_descriptors = false;
    bool clean_ultrasound = false;
    std::string blank;
    static constexpr const char* date_choices[] = {"remove", "shift", "keep"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "Folder with DICOM files (searched with its folders), or one file.",
                isocenter::required | isocenter::path),
          param(&Params::output, "output", "Folder to write, new or empty.", isocenter::required | isocenter::path),
          param(&Params::report, "report", "JSON file to write; empty: none.", isocenter::path),
          param(&Params::key_file, "key_file",
                "File whose bytes, 16 or more, are the key; empty: a random key, forgotten.", isocenter::path),
          choice(&Params::dates, "dates", date_choices, "Dates and times: removed, shifted by patient, or kept."),
          param(&Params::retain_uids, "retain_uids", "Retain UIDs Option."),
          param(&Params::retain_device, "retain_device", "Retain Device Identity Option."),
          param(&Params::retain_institution, "retain_institution", "Retain Institution Identity Option."),
          param(&Params::retain_patient_characteristics, "retain_patient_characteristics",
                "Retain Patient Characteristics Option."),
          param(&Params::clean_descriptors, "clean_descriptors",
                "Clean Descriptors Option: keeps known words of anatomy and technique."),
          param(&Params::clean_ultrasound, "clean_ultrasound",
                "Clean Pixel Data Option: blanks all outside of the ultrasound regions."),
          param(&Params::blank, "blank", "Clean Pixel Data Option: rectangles to blank: x y width height; ..."),
      };
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
