#pragma once
// An instance as C-STORE hands it over: an encoded data set and what names it.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace isocenter::detail::dicom {

/// What identifies an instance and says how its data set is encoded.
struct InstanceName {
  std::string sop_class, sop_instance_uid, transfer_syntax;
  std::string study_uid, series_uid;
};

/// Reads StudyInstanceUID, SeriesInstanceUID, SOPClassUID and SOPInstanceUID from the beginning of a data set; nothing
/// after them is looked at. Throws Failure(bad_data) with keyword, tag and value for what is missing or no UID, and
/// Failure(unsupported) for an unknown transfer syntax and for a deflated one, whose nesting nobody can check.
InstanceName name_of(std::span<const std::uint8_t> data_set, const std::string& transfer_syntax);

/// Preamble and file meta information (PS3.10 section 7.1), explicit little endian, to stand before the data set.
std::vector<std::uint8_t> file_head(const InstanceName& name, const std::string& source_ae);

/// The name of an instance in a DICOM file, from its head alone. Throws Failure with the path.
InstanceName name_of_file(const std::string& path);

}  // namespace isocenter::detail::dicom
