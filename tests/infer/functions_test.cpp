// Elementwise functions and element types against the C library and the compiler.
#include "infer/functions.hpp"

#include "fixture.hpp"
#include "infer/reference.hpp"

namespace isocenter::infer::test {
namespace {

/// The distance from the exact value, in units of the last place of float32.
double ulps(float actual, double exact) {
  const auto nearest = static_cast<float>(exact);
  if (std::isinf(nearest) || std::isnan(nearest))
    return actual == nearest || (std::isnan(actual) && std::isnan(nearest)) ? 0 : 1e9;
  const double unit = std::max(1.4e-45, static_cast<double>(std::nextafter(std::fabs(nearest), INFINITY)) -
                                            std::fabs(static_cast<double>(nearest)));
  return std::fabs(static_cast<double>(actual) - exact) / unit;
}

TEST(Functions, ExpTanhAndSigmoidStayWithinFourUlp) {
  for (float x = -87.0F; x < 88.0F; x += 0.0137F) {
    const double d = static_cast<double>(x);
    EXPECT_LT(ulps(isocenter::detail::exp_of(x), std::exp(d)), 4) << x;
    EXPECT_LT(ulps(isocenter::detail::tanh_of(x * 0.1F), std::tanh(static_cast<double>(x * 0.1F))), 4) << x;
    EXPECT_LT(ulps(isocenter::detail::sigmoid_of(x), 1 / (1 + std::exp(-d))), 4) << x;
  }
}

TEST(Functions, ErfStaysWithinThreeUlpAndKeepsItsLimits) {
  using isocenter::detail::erf_of;
  for (float x = -5.0F; x < 5.0F; x += 0.00037F) EXPECT_LT(ulps(erf_of(x), std::erf(static_cast<double>(x))), 3) << x;
  for (float x = 1e-30F; x < 1.0F; x *= 1.7F) EXPECT_LT(ulps(erf_of(x), std::erf(static_cast<double>(x))), 3) << x;
  EXPECT_EQ(erf_of(0.0F), 0.0F);
  EXPECT_EQ(erf_of(INFINITY), 1.0F);
  EXPECT_EQ(erf_of(-INFINITY), -1.0F);
  EXPECT_TRUE(std::isnan(erf_of(NAN)));
}

TEST(Functions, ExpKeepsItsLimits) {
  using isocenter::detail::exp_of;
  EXPECT_EQ(exp_of(-1e30F), 0.0F);
  EXPECT_EQ(exp_of(-INFINITY), 0.0F);
  EXPECT_EQ(exp_of(INFINITY), INFINITY);
  EXPECT_EQ(exp_of(0.0F), 1.0F);
  EXPECT_TRUE(std::isnan(exp_of(NAN)));
}

TEST(Functions, RegistersGiveTheBitsOfSingleLanes) {
  using isocenter::detail::float8;
  for (int f = 0; f < static_cast<int>(Function::logical_not); ++f)
    for (float x = -9.0F; x < 9.0F; x += 0.61F) {
      float8 pack;
      for (int k = 0; k < 8; ++k) pack[k] = x + 0.07F * static_cast<float>(k);
      const float8 together = isocenter::detail::apply_unary(static_cast<Function>(f), 0.7F, 1.3F, pack);
      for (int k = 0; k < 8; ++k) {
        const float one = isocenter::detail::apply_unary(static_cast<Function>(f), 0.7F, 1.3F, pack[k]);
        EXPECT_TRUE(together[k] == one || (std::isnan(one) && std::isnan(together[k])))
            << "function " << f << " of " << pack[k];
      }
    }
}

TEST(Functions, FollowTheFloat64Reference) {
  for (int f = 0; f < static_cast<int>(Function::logical_not); ++f)
    for (float x = -6.0F; x < 6.0F; x += 0.173F) {
      const double exact = apply_real(static_cast<Function>(f), static_cast<double>(0.7F), static_cast<double>(1.3F),
                                      static_cast<double>(x), 0, 0);
      const float got = isocenter::detail::apply_unary(static_cast<Function>(f), 0.7F, 1.3F, x);
      if (std::isnan(exact))
        EXPECT_TRUE(std::isnan(got)) << f << " of " << x;
      else
        EXPECT_NEAR(static_cast<double>(got), exact, 3e-6 * std::max(1.0, std::fabs(exact)))
            << "function " << f << " of " << x;
    }
}

TEST(ElementTypes, HalfPrecisionAgreesWithTheCompilerForEveryBitPattern) {
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    _Float16 half;
    std::memcpy(&half, &bits, sizeof half);
    const float value = half_to_float(bits);
    if (std::isnan(value)) continue;
    ASSERT_EQ(value, static_cast<float>(half)) << i;
    ASSERT_EQ(float_to_half(value), bits) << i;
    const float between = value * 1.0003F;  // rounds up or down
    const auto rounded = static_cast<_Float16>(between);
    std::uint16_t expected = 0;
    std::memcpy(&expected, &rounded, sizeof expected);
    ASSERT_EQ(float_to_half(between), expected) << between;
  }
}

TEST(ElementTypes, IntegersSaturateFromRealsAndWrapFromIntegers) {
  Array a(ElementType::i8, {1});
  a.set_real(0, 1000);
  EXPECT_EQ(a.integer(0), 127);
  a.set_integer(0, 130);
  EXPECT_EQ(a.integer(0), -126);
}

}  // namespace
}  // namespace isocenter::infer::test
