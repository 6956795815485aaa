// Padding that differs at the two ends of an axis, against sums written out here. (The committed networks pad evenly.)
#include <gmock/gmock.h>

#include "fixture.hpp"
#include "tiny_model.hpp"

namespace isocenter::infer::test {
namespace {

using namespace tiny;

struct Padding {
  const char* name;
  std::vector<std::uint64_t> pads;  ///< ONNX: begin y, begin x, end y, end x; empty: by `automatic`
  const char* automatic;
  int begin_y, begin_x;  ///< what the sums below take
  int out_y, out_x;
};

/// Input 5 x 6, kernel 2 x 4: SAME needs 1 row and 3 columns more. ONNX operator Conv, attribute auto_pad: the extra
/// one goes to the end with SAME_UPPER and to the beginning with SAME_LOWER.
const Padding paddings[] = {
    {"ends", {0, 1, 1, 2}, "", 0, 1, 5, 6},
    {"begins", {2, 3, 0, 1}, "", 2, 3, 6, 7},
    {"same upper", {}, "SAME_UPPER", 0, 1, 5, 6},
    {"same lower", {}, "SAME_LOWER", 1, 2, 5, 6},
};

TEST(Padding, OfEachEndIsThatOfTheModel) {
  const std::vector<float> weights = {1, -2, 3, 0.5F, -1, 4, 0.25F, 2};
  std::vector<float> x;
  for (int i = 0; i < 30; ++i) x.push_back(static_cast<float>((i * 7) % 11) - 4.0F);
  for (const Padding& p : paddings) {
    const std::string attribute =
        p.pads.empty() ? field(5, field(1, "auto_pad") + number(20, 3) + field(4, p.automatic)) : ints("pads", p.pads);
    const std::string bytes = model(
        node("Conv", {"x", "w", "b"}, "y", attribute) + initialiser("w", {1, 1, 2, 4}, floats(weights)) +
        initialiser("b", {1}, floats({0.75F})) + port(11, "x", {1, 1, 5, 6}) + port(12, "y", {1, 1, p.out_y, p.out_x}));
    const OnnxModel parsed = parse_onnx({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, "pad", "");
    for (const CpuOptions& engine : {CpuOptions{}, CpuOptions{.library = false}, CpuOptions{.reference = true}}) {
      Runner runner(plan_cpu(lower(parsed, {.input_shapes = {{"x", {1, 1, 5, 6}}}}), engine));
      EXPECT_THAT(runner.executor().outputs()[0].shape, ::testing::ElementsAre(1, 1, p.out_y, p.out_x)) << p.name;
      const auto got = runner.run(x);
      for (int v = 0; v < p.out_y; ++v)
        for (int u = 0; u < p.out_x; ++u) {
          double sum = 0.75;
          for (int j = 0; j < 2; ++j)
            for (int i = 0; i < 4; ++i) {
              const int row = v + j - p.begin_y, column = u + i - p.begin_x;
              if (row >= 0 && row < 5 && column >= 0 && column < 6)
                sum += static_cast<double>(weights[static_cast<std::size_t>(4 * j + i)]) *
                       static_cast<double>(x[static_cast<std::size_t>(6 * row + column)]);
            }
          EXPECT_NEAR(static_cast<double>(got[static_cast<std::size_t>(v * p.out_x + u)]), sum, 1e-5)
              << p.name << " at " << u << ", " << v;
        }
    }
  }
}

}  // namespace
}  // namespace isocenter::infer::test
