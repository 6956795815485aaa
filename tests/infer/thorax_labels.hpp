#pragma once
// The project's own network on chests that it was not trained on (their seeds; models/thorax_segmentation).
#include <gtest/gtest.h>

#include <isocenter/infer/segment_volume.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_volume.hpp>

#include "device_test.hpp"

namespace isocenter::infer::test {

inline std::string thorax_model() {
  return std::string(ISOCENTER_SOURCE_DIR) + "/models/thorax_segmentation/thorax_segmentation.onnx";
}

inline PhantomVolume::Params chest_of(std::uint32_t seed) {
  PhantomVolume::Params chest;
  chest.phantom = PhantomKind::moving_thorax;
  chest.seed = seed;
  chest.nx = 112;
  chest.ny = chest.nz = 96;
  chest.spacing_mm = {3};
  chest.centre_mm = {0, 10, -40};
  return chest;
}

struct ThoraxLabels {
  std::vector<std::uint8_t> truth, found;
};
inline ThoraxLabels label_chest(std::uint32_t seed, const SegmentVolume::Params& params) {
  Pipeline pipeline(isocenter::testing::context());
  const auto phantom = pipeline.add<PhantomVolume>("phantom", chest_of(seed));
  const auto network = pipeline.add<SegmentVolume>("network", params);
  pipeline.connect(phantom.output, network.input);
  pipeline.add_output("truth", phantom.labels);
  pipeline.add_output("found", network.output);
  Session session = pipeline.prepare();
  session.start();
  const auto truth = session.pull("truth"), found = session.pull("found");
  EXPECT_TRUE(truth && found);
  const auto labels = [](const Payload& p) {
    const auto s = p.tensor("labels").span<std::uint8_t>();
    return std::vector<std::uint8_t>(s.begin(), s.end());
  };
  return {labels(*truth), labels(*found)};
}

/// 2 |a and b| / (|a| + |b|) of one label.
inline double dice(const ThoraxLabels& labels, int label) {
  double both = 0, sum = 0;
  for (std::size_t i = 0; i < labels.truth.size(); ++i) {
    both += labels.truth[i] == label && labels.found[i] == label ? 1 : 0;
    sum += (labels.truth[i] == label ? 1 : 0) + (labels.found[i] == label ? 1 : 0);
  }
  return 2 * both / sum;
}

}  // namespace isocenter::infer::test
