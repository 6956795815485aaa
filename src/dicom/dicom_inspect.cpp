#include "dicom_inspect.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctag.h>

#include <algorithm>
#include <cctype>
#include <isocenter/error.hpp>
#include <iterator>
#include <optional>
#include <sstream>

#include "inspect.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

/// "(0018,0060)", "0018,0060" or "00180060".
bool is_tag(std::string name) {
  std::erase_if(name, [](char c) { return c == '(' || c == ')' || c == ','; });
  return name.size() == 8 && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isxdigit(c); });
}

/// The first part that is none of a name as dicom_header.hpp takes it: keywords or tags, in sequences by a path of
/// either.
std::optional<std::string> unknown_part(const std::string& name) {
  std::istringstream path(name);
  for (std::string part; std::getline(path, part, '.');) {
    part = part.substr(0, part.find('['));
    DcmTag tag;
    if (!is_tag(part) && DcmTag::findTagFromName(part.c_str(), tag).bad()) return part;
  }
  return std::nullopt;
}

void require_attribute(const std::string& name) {
  if (const auto part = unknown_part(name))
    throw Failure(ErrorCode::invalid_argument,
                  "attributes has '" + name + "', and '" + *part + "' is neither a keyword of PS3.6 nor a tag",
                  "write it as KVP or as 0018,0060, within a sequence as Sequence[1].Attribute");
}

}  // namespace

void DicomInspectOperator::plan(PlanContext& plan) {
  use_dcmtk();
  for (const std::string& name : words(params.attributes)) require_attribute(name);
  const Workers workers(plan.launcher());
  Report report = inspect(params.path, workers);
  const ShownHeader shown{params.header, words(params.attributes)};
  if (shown.typed || !shown.attributes.empty()) read_series_headers(report, workers);
  plan.items(0);
  plan.fact("dicom.report", to_json(report, shown));
  plan.fact("dicom.report.text", to_lines(report, shown));
}

void DicomInspectOperator::run(const RunContext&) { throw EndOfStream{}; }

}  // namespace isocenter::detail::dicom
