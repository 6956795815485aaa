#pragma once
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// A PDF file as a DICOM object of the patient and study that a payload comes from (PS3.3 A.45.1).
///
/// | port  | payload                       | shape | unit |
/// |-------|-------------------------------|-------|------|
/// | input | Volume, Segmentation or Frames | any   | any  |
///
/// Of the payload only its "dicom.*" attributes are used. The document is not looked into and is kept byte for byte;
/// BurnedInAnnotation (0028,0301) is YES unless the source says otherwise, for documents name patients.
///
/// Errors: not_found or io_error for the document; bad_data when it is no PDF; io_error with the path.
struct DicomEncapsulatedPdfSink {
  static constexpr const char* name = "dicom_encapsulated_pdf_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "A PDF file into a DICOM object of the source's patient and study.";
  static constexpr const char* help = "One object for each item; the document is read when the item comes.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string series_description = "Document by Isocenter";
    std::int64_t series_number = 1009;
    std::string document;
    std::string title = "Report";
    std::string manufacturer = "Isocenter";
    std::string model_name = "Isocenter SDK";
    std::string device_serial_number = "1";
    static constexpr auto describe() {
      return std::tuple_cat(
          std::tuple{
              param(&Params::path, "path", "File to write; %02d is the item's number.",
                    isocenter::required | isocenter::path),
          },
          series_parameters<Params>(),
          std::tuple{
              param(&Params::document, "document", "The PDF file.", isocenter::required | isocenter::path),
              param(&Params::title, "title", "DocumentTitle, at most 1024 characters."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<AnyOf<Volume, Segmentation, Frames>> input{"input", "Whose document it is."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
