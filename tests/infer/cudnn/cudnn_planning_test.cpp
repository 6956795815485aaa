// What the CUDA engine asks of cuDNN has a plan on an H100, told by cuDNN itself from the device's description.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "fixture.hpp"
#include "infer/cuda/cudnn_convolution.hpp"
#include "infer/passes.hpp"

namespace isocenter::infer::test {
namespace {

using testing::HasSubstr;

std::string h100_text() {
  std::ifstream in(data_path("h100_hand_filled.json"));
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}
std::shared_ptr<CudnnDevice> h100() {
  static const auto device = CudnnDevice::described(h100_text());
  return device;
}

Window window(std::size_t axes, std::int64_t kernel, std::int64_t stride, std::int64_t begin, std::int64_t end) {
  return {Shape(axes, kernel), Shape(axes, stride), Shape(axes, 1), Shape(axes, begin), Shape(axes, end)};
}

/// Convolution over a cube, or transposed.
CudnnProblem problem(std::size_t axes, std::int64_t ins, std::int64_t outs, std::int64_t extent, const Window& w,
                     bool transposed = false, std::int64_t groups = 1) {
  CudnnProblem p;
  p.convolution.window = w;
  p.convolution.transposed = transposed;
  p.convolution.groups = groups;
  p.x = {1, ins};
  p.w = transposed ? Shape{ins, outs / groups} : Shape{outs, ins / groups};
  p.y = {1, outs};
  for (std::size_t k = 0; k < axes; ++k) {
    p.x.push_back(extent);
    p.w.push_back(w.kernel[k]);
    p.y.push_back(transposed ? (extent - 1) * w.strides[k] + w.kernel[k] - w.pads_begin[k] - w.pads_end[k]
                             : (extent + w.pads_begin[k] + w.pads_end[k] - w.kernel[k]) / w.strides[k] + 1);
  }
  return p;
}

void expect_plan(CudnnProblem p, const char* what) {
  std::string why_not;
  const auto planned = h100()->plan(p, why_not);
  EXPECT_NE(planned, nullptr) << what << ": " << why_not;
  if (planned != nullptr) {
    EXPECT_GE(planned->workspace_bytes(), 0);
  }
}

class CudnnPlanning : public testing::TestWithParam<Fixture> {};
INSTANTIATE_TEST_SUITE_P(Fixtures, CudnnPlanning, testing::ValuesIn(fixtures),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(CudnnPlanning, EveryConvolutionOfTheNetworkHasAPlan) {
  Graph graph = load(GetParam());
  optimise(graph);
  int convolutions = 0;
  for (const auto& node : graph.nodes) {
    if (!std::holds_alternative<Convolution>(node.operation)) continue;
    ++convolutions;
    CudnnProblem p = *cudnn_problem(graph, node);
    std::string why_not;
    EXPECT_NE(plan_as_fused_as_possible(*h100(), p, why_not), nullptr) << node.name << ": " << why_not;
  }
  EXPECT_GT(convolutions, 4);
}

TEST_P(CudnnPlanning, EveryConvolutionHasAPlanForFactorsOf16BitsToo) {
  Graph graph = load(GetParam());
  optimise(graph);
  for (const ElementType storage : {ElementType::bf16, ElementType::f16})
    for (const auto& node : graph.nodes) {
      if (!std::holds_alternative<Convolution>(node.operation)) continue;
      CudnnProblem p = *cudnn_problem(graph, node);
      p.factors = p.residual = p.result = storage;
      std::string why_not;
      EXPECT_NE(plan_as_fused_as_possible(*h100(), p, why_not), nullptr)
          << node.name << " in " << name_of(storage) << ": " << why_not;
    }
}

TEST(CudnnPlanning, ConvolutionWithBiasAndReluIsOneGraphInTwoAndThreeDimensions) {
  for (const std::size_t axes : {2U, 3U}) {
    CudnnProblem p = problem(axes, 32, 64, 64, window(axes, 3, 1, 1, 1));
    expect_plan(p, "bare");
    p.convolution.bias = true;
    expect_plan(p, "bias");
    p.convolution.then = {Function::relu, 0, 0};
    expect_plan(p, "bias and ReLU");
  }
}

TEST(CudnnPlanning, TransposedGroupedStridedAndPointwiseConvolutionsHavePlans) {
  for (const std::size_t axes : {2U, 3U}) {
    expect_plan(problem(axes, 64, 32, 16, window(axes, 2, 2, 0, 0), true), "k2 s2 transposed");
    expect_plan(problem(axes, 64, 32, 16, window(axes, 3, 2, 1, 0), true), "k3 s2 transposed, output padding 1");
    expect_plan(problem(axes, 32, 32, 16, window(axes, 3, 1, 1, 1), false, 2), "two groups");
    expect_plan(problem(axes, 32, 64, 16, window(axes, 3, 2, 1, 1)), "stride 2");
    expect_plan(problem(axes, 6, 9, 16, window(axes, 1, 1, 0, 0)), "1 x 1, odd channels");
    expect_plan(problem(axes, 1, 32, 16, window(axes, 7, 1, 3, 3)), "one channel, 7 x 7");
  }
}

/// Tensor cores are chosen where TF32 is allowed, and only there.
TEST(CudnnPlanning, Tf32HasAnotherPlanThanFloat32) {
  for (const std::size_t axes : {2U, 3U}) {
    CudnnProblem p = problem(axes, 64, 64, 32, window(axes, 3, 1, 1, 1));
    std::string why_not;
    const auto exact = h100()->plan(p, why_not);
    p.tf32 = true;
    const auto rounded = h100()->plan(p, why_not);
    ASSERT_TRUE(exact != nullptr && rounded != nullptr) << why_not;
    EXPECT_NE(exact->plan_name(), rounded->plan_name()) << axes << " axes";
  }
}

TEST(CudnnPlanning, WhatCudnnDoesNotFuseIsPlannedWithoutIt) {
  CudnnProblem p = problem(3, 32, 32, 32, window(3, 3, 1, 1, 1));
  p.convolution.bias = p.convolution.residual = true;
  p.convolution.then = {Function::leaky_relu, 0.01F, 0};
  std::string why_not;
  EXPECT_NE(plan_as_fused_as_possible(*h100(), p, why_not), nullptr) << why_not;
  EXPECT_FALSE(p.convolution.residual);
  EXPECT_TRUE(p.convolution.bias);
}

TEST(CudnnPlanning, APlanThatWasKeptIsTakenAgainAndADamagedFileIsNot) {
  const auto folder = std::filesystem::temp_directory_path() / ("isocenter_plans_" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  const auto device = [&] { return CudnnDevice::described(h100_text(), folder.string()); };
  const auto first = device(), second = device(), third = device();
  CudnnProblem p = problem(2, 32, 64, 64, window(2, 3, 1, 1, 1));
  std::string why_not;
  const auto made = first->plan(p, why_not);
  ASSERT_NE(made, nullptr) << why_not;
  EXPECT_FALSE(made->was_kept());
  const auto again = second->plan(p, why_not);
  ASSERT_NE(again, nullptr) << why_not;
  EXPECT_TRUE(again->was_kept());
  EXPECT_EQ(again->workspace_bytes(), made->workspace_bytes());
  p.tf32 = true;  // another problem
  EXPECT_FALSE(second->plan(p, why_not)->was_kept());
  p.tf32 = false;
  for (const auto& file : std::filesystem::directory_iterator(folder))
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  const auto anew = third->plan(p, why_not);
  ASSERT_NE(anew, nullptr) << why_not;
  EXPECT_FALSE(anew->was_kept());
  std::filesystem::remove_all(folder);
}

/// A described device times nothing: the heuristic's plan is given, counted, and not kept as an autotuned one.
TEST(CudnnPlanning, APlanThatWasNotTimedIsNotKeptAsAutotuned) {
  const auto folder = std::filesystem::temp_directory_path() / ("isocenter_untimed_" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  const auto device = [&] { return CudnnDevice::described(h100_text(), folder.string(), PlanChoice::autotuned); };
  const auto first = device(), second = device();
  const CudnnProblem p = problem(2, 32, 64, 64, window(2, 3, 1, 1, 1));
  std::string why_not;
  for (int i = 0; i < 2; ++i) ASSERT_NE(first->plan(p, why_not), nullptr) << why_not;
  EXPECT_THAT(first->name(), testing::EndsWith("plans autotuned, 1 not timed"));
  EXPECT_THAT(second->name(), testing::EndsWith("plans autotuned"));
  EXPECT_FALSE(second->plan(p, why_not)->was_kept());
  std::filesystem::remove_all(folder);
}

TEST(CudnnPlanning, ADescriptionThatIsNoneIsRefused) {
  try {
    CudnnDevice::described("{}");
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("device's description"));
  }
}

}  // namespace
}  // namespace isocenter::infer::test
