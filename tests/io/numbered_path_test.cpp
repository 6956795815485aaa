#include "io/numbered_path.hpp"

#include "io_test.hpp"

namespace isocenter::detail::io {
namespace {
using io_test::expect_failure;

TEST(NumberedPath, PutsTheNumberWhereThePatternSays) {
  EXPECT_EQ(NumberedPath("a_%04d.png").at(7), "a_0007.png");
  EXPECT_EQ(NumberedPath("a_%d.png").at(12345), "a_12345.png");
  EXPECT_EQ(NumberedPath("a_%02d.png").at(123), "a_123.png");
  EXPECT_EQ(NumberedPath("50%%_%d.png").at(1), "50%_1.png");
  EXPECT_FALSE(NumberedPath("plain.png").has_number());
}

TEST(NumberedPath, RefusesOtherPercentSigns) {
  for (const char* pattern : {"50%.png", "%s.png", "%d_%d.png", "%0999d.png", "%10d.png", "a%"})
    expect_failure([&] { NumberedPath path(pattern); }, ErrorCode::invalid_argument, {pattern, "%04d"});
}

TEST(NumberedPath, WithoutANumberItServesOnce) {
  const NumberedPath path("plain.png");
  EXPECT_EQ(path.at_only(0, "frame"), "plain.png");
  expect_failure([&] { path.at_only(1, "frame"); }, ErrorCode::invalid_argument, {"second frame", "plain.png"});
}

}  // namespace
}  // namespace isocenter::detail::io
