#pragma once
// QIDO-RS: what a DICOMweb service has (PS3.18 section 8.3 and 10.6).
#include <string>
#include <vector>

#include "../network/query.hpp"
#include "web_client.hpp"

namespace isocenter::detail::dicom {

/// Throws Failure(bad_data) unless the answer says that it is JSON.
void require_json(const WebAnswer& answer);

enum class WebLevel { study, series, instance };

/// The answers, each in the DICOM JSON model as find() of query.hpp gives them. Keys with a value have to match; those
/// without are asked for (includefield). Asks page by page until one is empty; fuzzy matching is off. Throws Failure:
/// invalid_argument for a key that is no attribute, bad_data for more than `most` answers or a service that gives the
/// same page again, and as WebClient::request.
std::vector<std::string> web_find(WebClient& client, WebLevel level, const std::vector<QueryKey>& keys,
                                  std::size_t most);

}  // namespace isocenter::detail::dicom
