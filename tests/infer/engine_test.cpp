// Another engine behind the operators: what it gets, what becomes of what it gives, and what is said of one that is not
// right. A real one passes the operators' own tests: tests/infer/CMakeLists.txt.
#include <gmock/gmock.h>

#include <isocenter/infer/network_inference.hpp>
#include <isocenter/isocenter.hpp>

#include "device_test.hpp"
#include "infer/engine_executor.hpp"
#include "model_file.hpp"

namespace isocenter::testing {
namespace {

using namespace infer::test;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

NetworkInference::Params doubling(const std::string& model) {
  NetworkInference::Params params;
  params.model = model;
  params.window = {8, 8, 8};
  params.overlap = 0.5F;
  params.engine = ISOCENTER_DOUBLING_ENGINE;
  return params;
}
std::string refusal(const NetworkInference::Params& params, Volume in = volume(noise(512), 8, 8, 8)) {
  return error_of([&] { apply<NetworkInference>(context(), params, in); });
}

TEST(Engine, RunsInsideWindowsAsOursDoes) {
  const ModelFile file(identity());
  const auto v = noise(19 * 11 * 9);
  const auto got = values<float>(apply<NetworkInference>(context(), doubling(file), volume(v, 19, 11, 9)), "voxels");
  for (std::size_t i = 0; i < v.size(); ++i) ASSERT_NEAR(got[i], 2 * v[i], 4e-4F) << i;
}

TEST(Engine, IsNamedInTheReportWithItsPrecision) {
  const ModelFile file(identity());
  Pipeline pipeline(context());
  const auto network = pipeline.add<NetworkInference>("network", doubling(file));
  const auto in = pipeline.add_input("in", volume(noise(512), 8, 8, 8));
  pipeline.connect(in, network.input);
  pipeline.add_output("out", network.output);
  const std::string report = pipeline.prepare().report();
  EXPECT_THAT(report, AllOf(HasSubstr("doubling of 'x' on cpu"), HasSubstr("float32")));
}

TEST(Engine, RefusesAPlanOrARunInItsOwnWords) {
  const ModelFile file(identity());
  NetworkInference::Params params = doubling(file);
  auto v = noise(512);
  v[77] = -999.0F;
  EXPECT_THAT(refusal(params, volume(v, 8, 8, 8)),
              AllOf(HasSubstr("cannot run"), EndsWith("there is a -999. Fix: leave the volume out.")));
  params.precision = NetworkPrecision::bfloat16;
  EXPECT_THAT(refusal(params), AllOf(HasSubstr("cannot plan"), HasSubstr("it doubles in float32 alone. Fix: look at")));
}

TEST(Engine, OneThatIsNotThereOrNotForThisVersionIsRefused) {
  const ModelFile file(identity());
  NetworkInference::Params params = doubling(file);
  params.engine = "teleport";
  EXPECT_THAT(refusal(params), AllOf(HasSubstr("engine = 'teleport'"), HasSubstr("isocenter_engine_teleport.so")));
  params.engine = ISOCENTER_LATER_ENGINE;
  EXPECT_THAT(refusal(params), HasSubstr("another version of the interface"));
  params.engine = ISOCENTER_NO_ENGINE;
  EXPECT_THAT(refusal(params), HasSubstr("exports no isocenter_get_inference_engine"));
  params.engine = std::string(file);
  EXPECT_THAT(refusal(params), HasSubstr("does not load"));
}

TEST(Engine, ACaffeNetworkOrAChangedFileIsNotGivenToIt) {
  infer::OnnxModel model;
  model.source = "net.prototxt";
  model.layer_types = {"ReLU"};
  EXPECT_THAT(error_of([&] { infer::plan_with_engine(model, {1}, {.engine = ISOCENTER_DOUBLING_ENGINE}); }),
              HasSubstr("is a Caffe network"));
  const ModelFile file(identity());
  model = infer::read_onnx(file);
  EXPECT_THAT(
      error_of([&] {
        infer::plan_with_engine(model, {1, 1, 4, 4, 4}, {.engine = ISOCENTER_DOUBLING_ENGINE, .digest = "another"});
      }),
      HasSubstr("changed while it was read"));
}

}  // namespace
}  // namespace isocenter::testing
