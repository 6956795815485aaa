#pragma once
// The DICOM JSON model (PS3.18 annex F): data sets from text, and back.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace isocenter::detail::dicom {

struct JsonLimits {
  int depth = 100;                      ///< of arrays and objects within one another; three for each sequence
  std::size_t most_values = 4'000'000;  ///< in one data set
  std::size_t most_data_sets = 1'000'000;
};

/// Gives the bytes behind a BulkDataURI: explicit little endian, as PS3.18 section 8.7.3.2 has them. May throw.
using BulkFetch = std::function<std::vector<std::uint8_t>(const std::string& uri)>;

/// The data sets of an array (or of one object), in UTF-8, one after the other in `take`. Attributes of every value
/// representation; InlineBinary; PersonName with its three components; those of file meta information (group 0002) are
/// left out. A BulkDataURI is resolved with `bulk`, and without it the attribute is empty. `where` begins each message.
///
/// Throws Failure(bad_data): no JSON, not the model, with the attribute's keyword and tag and what is wrong; too deep
/// or too large.
void read_json_model(const std::string& text, const std::string& where,
                     const std::function<void(std::unique_ptr<DcmDataset>)>& take, const BulkFetch& bulk = {},
                     const JsonLimits& limits = {});

/// The same objects as text, one after the other: checked in the same way, and as they came, a BulkDataURI too; a
/// SpecificCharacterSet (0008,0005), of an item too, is that of this text, which some servers forget.
void read_json_texts(const std::string& text, const std::string& where, const std::function<void(std::string)>& take,
                     const JsonLimits& limits = {});

/// One object of the model, in UTF-8 (the data set is converted). Throws Failure(unsupported) for what DCMTK cannot
/// write so: numbers that are none (NaN), text that is not of its character set.
std::string json_text(DcmDataset& data_set);

}  // namespace isocenter::detail::dicom
