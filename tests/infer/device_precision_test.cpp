// On every device a network of all that its library may run gives what the plain loops give, within what each precision
// rounds.
#include <gmock/gmock.h>

#include <isocenter/infer/network_inference.hpp>

#include "device_test.hpp"
#include "model_file.hpp"
#include "transformer_models.hpp"

namespace isocenter::testing {
namespace {

using namespace infer;
using namespace infer::test;

ISOCENTER_DEVICE_SUITE(DevicePrecisionTest);

TEST_P(DevicePrecisionTest, ANetworkOfAllThatALibraryRunsAgreesWithPlainLoops) {
  const ModelFile file(one_of_each());
  const std::vector<float> slice = spread_numbers(64, 9);
  const std::vector<float> expected = Runner(plan_cpu(graph_of(one_of_each()), {.reference = true})).run(slice);
  std::vector<std::pair<Precision, double>> bounds{{Precision::float32, 1e-4}};
  if (GetParam() != "cpu")
    bounds.insert(bounds.end(), {{Precision::tf32, 0.01}, {Precision::bfloat16, 0.05}, {Precision::float16, 0.01}});
  for (const auto& [precision, bound] : bounds) {
    const auto got = values<float>(
        apply<NetworkInference>(context(), {.model = file, .window = {8, 8, 1}, .overlap = 0, .precision = precision},
                                volume(slice, 8, 8, 1), options()),
        "voxels");
    EXPECT_LT(relative_error(got, expected), bound) << network_precisions[static_cast<std::size_t>(precision)];
  }
}

}  // namespace
}  // namespace isocenter::testing
