#pragma once
// A folder of authorities in the place of the one that libcurl was built to trust.
#include <string>

namespace isocenter::test {

/// For connections that are made from now on; "" for libcurl's own.
void set_system_authorities(const std::string& folder);

}  // namespace isocenter::test
