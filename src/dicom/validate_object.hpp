#pragma once
// Whether a DICOM file keeps to the standard where a program can tell: its form, the values of every attribute, the
// attributes that its modules require. No DCMTK in here.
#include <string>
#include <vector>

#include "workers.hpp"

namespace isocenter::detail::dicom {

struct Violation {
  bool error = true;      ///< else a warning
  std::string attribute;  ///< "PatientName (0010,0010)", with its path in sequences; "" for the file
  std::string what;
  std::string fix;
};

/// Of one file:
/// - it is a PS3.10 file whose meta information names what the data set is, and it parses to its end;
/// - each value fits its VR and multiplicity (PS3.5 section 6.2, PS3.6), names and texts the character set;
/// - attributes of type 1 have a value, of type 2 are there (PS3.5 section 7.4), for the modules of the SOP class
/// (PS3.3
///   annex A) that this knows: unconditional attributes only;
/// - PixelData has the length that Rows, Columns, ... say.
/// Modules of SOP classes that are not known are not checked, which a warning says.
std::vector<Violation> validate_object(const std::string& path);

/// SOP classes whose modules validate_object knows: name and UID.
std::vector<std::pair<std::string, std::string>> validated_classes();

struct ValidatedFile {
  std::string path;
  std::vector<Violation> violations;
};
/// Every file of a folder and its folders, or one file; in order of their paths.
std::vector<ValidatedFile> validate_folder(const std::string& path, const Workers& workers);

std::string to_json(const std::vector<ValidatedFile>& files);
std::string to_lines(const std::vector<ValidatedFile>& files);

}  // namespace isocenter::detail::dicom
