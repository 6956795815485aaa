#pragma once
// Attributes that the modules of PS3.3 require without a condition. Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctagkey.h>

#include <string>
#include <vector>

namespace isocenter::detail::dicom {

struct RequiredAttribute {
  DcmTagKey tag;
  int type;  ///< 1: with a value; 2: there
  const char* module;
};

struct ObjectRequirements {
  const char* name;
  const char* uid;
  std::vector<RequiredAttribute> attributes;
};

/// The SOP classes that are known; made once.
const std::vector<ObjectRequirements>& all_requirements();
/// Null for a class that is not known.
const ObjectRequirements* requirements_of(const std::string& sop_class_uid);

}  // namespace isocenter::detail::dicom
