#pragma once
// Coded concepts for the names of labels.
#include <string>
#include <vector>

#include "write_segmentation.hpp"

namespace isocenter::detail::dicom {

/// Category, type and anatomy for a label's name ("lungs", "Left lung", "lesion"; case, '_' and '-' do not matter),
/// from PS3.16 CID 7150 (categories), 7191, 7192 and 7194 (property types). False when the name is in no list.
bool find_segment_codes(const std::string& name, Segment& segment);

/// Codes that a user gives for labels:
///   lesion = 49755003^SCT^Morphologically Abnormal Structure / 27925004^SCT^Nodule / 39607008^SCT^Lung; ...
/// name = category / type, and the anatomic region where there is one. Fills the segments of those names.
/// Throws Failure(invalid_argument) with the part that is wrong, or for a name that no segment has.
void apply_segment_codes(const std::string& text, std::vector<Segment>& segments);

/// Codes for segments by their names and by what a user gives. Throws Failure(invalid_argument) for one without a code.
void complete_codes(const std::string& codes, std::vector<Segment>& segments);

/// "value^scheme^meaning". Throws Failure(invalid_argument) with the parameter's text it stands in.
Code parse_code(const std::string& text, const std::string& parameter);

/// Labels 1, 2, ... as the attributes labels.names and labels.colours list them, with their codes. Throws Failure:
/// bad_data without names, invalid_argument for a label without a code.
std::vector<Segment> segments_of(const Payload& input, const std::string& codes);

}  // namespace isocenter::detail::dicom
