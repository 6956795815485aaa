#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The document in a DICOM object as a file of its own: Encapsulated PDF, CDA, STL, OBJ, MTL (PS3.3 A.45, A.85, A.104)
/// and whatever else has EncapsulatedDocument (0042,0011). No ports: a pipeline of this one node is run.
///
/// The bytes are passed through as they are; EncapsulatedDocumentLength (0042,0015) says where padding begins. Where it
/// is absent, one closing zero byte of a PDF, CDA, OBJ or MTL document is padding (PS3.3 C.24.2), and of others nothing
/// is. The ending of `document` has to be that of MIMETypeOfEncapsulatedDocument (0042,0012); a type without an ending
/// here takes any other. The file appears whole or not at all, and replaces one of the same name. Memory: one megabyte.
///
/// Errors: not_found; bad_data when there is no document, or its length contradicts its bytes; invalid_argument for an
/// ending of another type; io_error with the path.
struct DicomDocument {
  static constexpr const char* name = "dicom_document";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "The document in a DICOM object (PDF, CDA, STL, ...) as a file.";
  static constexpr const char* help = "Facts: mime_type, title, bytes.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string document;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "The DICOM file.", isocenter::required | isocenter::path),
          param(&Params::document, "document", "The file to write: .pdf, .xml, .stl, .obj, .mtl, ...",
                isocenter::required | isocenter::path),
      };
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
