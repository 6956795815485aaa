#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// One channel of a network's scores, probabilities or heat maps as a volume of its own.
///
/// | port   | payload | shape                        | unit     |
/// |--------|---------|------------------------------|----------|
/// | input  | Volume  | czyx or tczyx                | any      |
/// | output | Volume  | zyx or tzyx, on the same grid | as input |
///
/// What takes volumes without channels takes it: image_sink, slice_view, volume_render, compare_volumes. The values
/// are the input's to the bit. Where the input's labels have names, one for each channel, the report names the channel.
/// Memory: none. Errors: bad_data for other axes; invalid_argument for a channel that is not there.
struct SelectChannel {
  static constexpr const char* name = "select_channel";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "One channel of scores or heat maps as a volume.";
  static constexpr const char* help = "Behind network_inference, ensemble, scores_to_labels or classify_image.";
  struct Params {
    int channel = 0;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::channel, "channel", Unit::none, 0, 65534, "Which one, counted from 0."),
      };
    }
  };
  struct Ports {
    In<Volume> input{"input", "The channels."};
    Out<Volume> output{"output", "One of them."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
