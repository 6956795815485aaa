// What is looked at on request, and what is refused before it runs out of memory.
#include <gmock/gmock.h>

#include <cstdio>
#include <isocenter/infer/network_inference.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_volume.hpp>

#include "device_test.hpp"
#include "fixture.hpp"
#include "infer/onednn_steps.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A convolution, the square root of what it gives, and a convolution of that.
OnnxModel roots() {
  using namespace tiny;
  const auto conv = [](const std::string& in, const std::string& out, float weight) {
    return node("Conv", {in, out + "w"}, out) +
           initialiser(out + "w", {16, 16, 1, 1}, floats(std::vector<float>(256, weight)));
  };
  const std::string bytes = model(conv("x", "a", 1) + node("Sqrt", {"a"}, "b") + conv("b", "y", 1) +
                                  port(11, "x", {1, 16, 5, 7}) + port(12, "y", {1, 16, 5, 7}));
  return parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "roots", "");
}

std::string error_of_run(Precision precision, const std::vector<float>& x) {
  Runner runner(plan_cpu(lower(roots(), {}), {.precision = precision}));
  runner.executor().check_numbers();
  try {
    runner.run(x);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(CheckNumbers, NamesTheNodeThatGivesTheFirstNaNOrTheInput) {
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    if (precision == Precision::bfloat16 && !onednn_has_bfloat16()) continue;
    std::vector<float> x(16 * 35, 1.0F);
    EXPECT_EQ(error_of_run(precision, x), "no error");
    for (std::size_t c = 0; c < 16; ++c) x[c * 35 + 2 * 7 + 3] = -1.0F;
    EXPECT_THAT(error_of_run(precision, x), AllOf(HasSubstr("what node 'the_Sqrt' (Sqrt) gives is not a number"),
                                                  HasSubstr("of 1 x 16 x 5 x 7"), HasSubstr("(0, 0, 2, 3)")));
    x[4 * 35 + 34] = NAN;
    EXPECT_THAT(error_of_run(precision, x),
                AllOf(HasSubstr("the input 'x' is not a number"), HasSubstr("(0, 4, 4, 6)")));
  }
}

/// Plans the fixture network for a window under a budget; the error, or "".
std::string error_of_window(const std::vector<double>& window, std::uint64_t budget) {
  Pipeline pipeline(isocenter::testing::context());
  PhantomVolume::Params phantom;
  phantom.nx = phantom.ny = phantom.nz = 64;
  phantom.spacing_mm = {4};
  NetworkInference::Params params;
  params.model = data_path("unet3d.onnx");
  params.window = window;
  const auto volume = pipeline.add<PhantomVolume>("volume", phantom);
  const auto network = pipeline.add<NetworkInference>("network", params);
  pipeline.connect(volume.output, network.input);
  pipeline.add_output("output", network.output);
  SessionOptions options;
  options.memory_bytes = budget;
  try {
    pipeline.prepare(options);
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

TEST(WindowMemory, AWindowThatDoesNotFitIsRefusedWithOneThatDoes) {
  const std::uint64_t budget = 34 << 20;
  const std::string error = error_of_window({64, 64, 64}, budget);
  EXPECT_THAT(error, AllOf(HasSubstr("a window of 64 x 64 x 64 needs"), HasSubstr("and of the budget "),
                           HasSubstr(" MB are left on 'cpu'. Fix: raise the budget to ")));
  std::vector<double> window(3);
  const std::size_t at = error.find("window = ");
  ASSERT_NE(at, std::string::npos) << error;
  ASSERT_EQ(std::sscanf(error.c_str() + at, "window = %lf x %lf x %lf would fit", &window[0], &window[1], &window[2]),
            3);
  EXPECT_EQ(error_of_window(window, budget), "");
  EXPECT_EQ(error_of_window({64, 64, 64}, std::uint64_t{1} << 32), "");
}

}  // namespace
}  // namespace isocenter::infer::test
