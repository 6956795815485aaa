#pragma once
// What operators that write DICOM objects have in common.
#include <isocenter/describe.hpp>

namespace isocenter::inline v1 {

/// The parameters of struct P that describe the new series; P has members of these names.
template <class P>
constexpr auto series_parameters() {
  return std::tuple{
      param(&P::series_description, "series_description", "SeriesDescription, at most 64 characters."),
      param(&P::series_number, "series_number", Unit::none, 0, 2147483647, "SeriesNumber."),
  };
}

/// The parameters of struct P that name the device that writes (PS3.3 C.7.5.1).
template <class P>
constexpr auto equipment_parameters() {
  return std::tuple{
      param(&P::manufacturer, "manufacturer", "Manufacturer of the device that writes."),
      param(&P::model_name, "model_name", "ManufacturerModelName."),
      param(&P::device_serial_number, "device_serial_number", "DeviceSerialNumber."),
  };
}

}  // namespace isocenter::inline v1
