#pragma once
#include <isocenter/operator.hpp>

/// An operator that only this project knows.
struct Doubling {
  static constexpr const char* name = "doubling";
  static constexpr const char* module = "consumer";
  static constexpr const char* summary = "Doubles every voxel.";
  struct Params {
    static constexpr auto describe() { return std::tuple{}; }
  };
  struct Ports {
    isocenter::In<isocenter::Volume> input{"input", "Any volume."};
    isocenter::Out<isocenter::Volume> output{"output", "The volume, doubled."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};
