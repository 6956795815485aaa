#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// The patient without the table, the mattress and what lies beside them: everything outside of the body becomes air.
///
/// The body is the largest connected part of what is denser than the threshold, after thin connections to anything else
/// were cut (an opening by gap_mm in each slice), grown back and with the air inside it (lungs, airways, bowel) filled
/// slice by slice.
///
/// | port   | payload | shape       | unit |
/// |--------|---------|-------------|------|
/// | input  | Volume  | zyx or tzyx | HU   |
/// | output | Volume  | as input    | HU   |
///
/// Runs on the CPU. Slices are those of the volume's x and y axes. A body that is cut off by the field of view is kept
/// as far as it is there. Cost: about ten passes. Errors: bad_data when the unit is not HU; a frame without anything
/// denser than the threshold becomes air, with a warning.
struct TableRemoval {
  static constexpr const char* name = "table_removal";
  static constexpr const char* module = "render";
  static constexpr const char* summary = "CT without the table: everything outside of the patient becomes air.";
  static constexpr const char* help =
      "Threshold, opening, largest connected part, holes filled. For pictures: nothing that hides the patient's back.";
  static constexpr bool host_only = true;
  struct Params {
    double threshold_hu = -300;
    double gap_mm = 3;
    double air_hu = -1000;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::threshold_hu, "threshold_hu", Unit::hu, -1000, 3000, "What is denser may be the patient."),
          param(&Params::gap_mm, "gap_mm", Unit::mm, 0, 20,
                "Connections thinner than twice this are cut before the largest part is looked for."),
          param(&Params::air_hu, "air_hu", Unit::hu, -10000, 10000, "The value outside of the patient."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "A CT volume."};
    Out<Volume> output{"output", "The patient alone."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
