#pragma once
// What the dicom operators share: workers, and what the sinks ask of their inputs and parameters.
#include <isocenter/dicom/dicom_series_sink.hpp>
#include <isocenter/operator.hpp>
#include <string>

#include "core/dense_input.hpp"
#include "output_description.hpp"
#include "workers.hpp"

namespace isocenter::detail::dicom {

/// What to do about a tensor that has other axes than zyx, or another type.
const char* fix_for_slices(const TensorView& tensor);

/// A dense tensor with the axes zyx of a type, its extents within DICOM's; `what` says in an error what is needed.
TensorView planned_slices(const Payload& payload, const char* name, DType type, const char* what);

/// An extent as an int in [1, 65535] (Rows, Columns) or more for slices; throws unsupported otherwise.
int extent(const TensorView& tensor, char axis, const char* what, std::int64_t longest);

/// A code of CID 7203; no value for none.
Code derivation_code(DicomDerivation derivation);

/// "bilateral_denoise, volume_render": the operators in a provenance text.
std::string operators_of(const std::string& provenance);

/// Parameters common to the sinks, checked against the longest values that DICOM allows (PS3.5 table 6.2-1).
struct SinkTexts {
  std::string series_description, derivation_description, manufacturer, model_name, device_serial_number;
  std::int64_t series_number = 0;
};
/// Throws Failure(invalid_argument) with the parameter's name.
OutputDescription describe_output(const SinkTexts& texts, DicomDerivation derivation, const Payload& input);

/// Throws Failure(invalid_argument) when `text` is longer than `limit` characters or holds a backslash or a control
/// character.
void require_short(const char* parameter, const std::string& text, std::size_t limit);

}  // namespace isocenter::detail::dicom
