// Random numbers against the published known answers, Poisson counts against their moments.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "phantom/poisson.hpp"
#include "phantom/raw_data.hpp"
#include "test_launcher.hpp"

namespace isocenter::testing {
namespace {

using namespace isocenter::detail;

struct KnownAnswer {
  std::uint32_t counter[4], key[2], out[4];
};

TEST(Philox, GivesTheKnownAnswersOfItsAuthors) {
  // Random123, kat_vectors, philox4x32 10 rounds.
  const KnownAnswer answers[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const KnownAnswer& a : answers) {
    Philox random(0, 0);
    std::copy_n(a.counter, 4, random.counter);
    std::copy_n(a.key, 2, random.key);
    std::uint32_t out[4];
    random.block(out);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(out[i], a.out[i]);
  }
}

TEST(Poisson, HasTheMeanAndVarianceThatItShouldHave) {
  for (const double mean : {0.3, 4.0, 9.99, 10.01, 37.0, 2000.0, 1e6}) {
    const int n = 40000;
    double sum = 0.0, squares = 0.0, cubes = 0.0;
    for (int i = 0; i < n; ++i) {
      Philox random(99, static_cast<std::uint64_t>(i));
      const double k = poisson(mean, random);
      ASSERT_EQ(k, std::floor(k));
      ASSERT_GE(k, 0.0);
      const double d = k - mean;
      sum += d;
      squares += d * d;
      cubes += d * d * d;
    }
    const double sigma = std::sqrt(mean / n);
    EXPECT_NEAR(sum / n, 0.0, 5 * sigma) << mean;
    EXPECT_NEAR(squares / n / mean, 1.0, 5 * std::sqrt((2.0 + 1.0 / mean) / n)) << mean;
    EXPECT_NEAR(cubes / n / std::pow(mean, 1.5), 1.0 / std::sqrt(mean), 5 * std::sqrt((15.0 + 40.0 / mean) / n))
        << "skewness at " << mean;
  }
  Philox random(1, 1);
  EXPECT_EQ(poisson(0.0, random), 0.0);
}

TEST(PhotonNoise, DependsOnTheElementAndNotOnThreadsOrPieces) {
  std::vector<float> whole(5000), pieces(5000), other(5000);
  for (std::size_t i = 0; i < whole.size(); ++i)
    whole[i] = pieces[i] = other[i] = static_cast<float>(0.001 * static_cast<double>(i));
  add_photon_noise(launcher_with(1), whole, 1e4, 5, 700);
  add_photon_noise(launcher_with(3), std::span(pieces).first(1234), 1e4, 5, 700);
  add_photon_noise(launcher_with(2), std::span(pieces).subspan(1234), 1e4, 5, 700 + 1234);
  add_photon_noise(launcher_with(2), other, 1e4, 6, 700);
  EXPECT_EQ(whole, pieces);
  EXPECT_NE(whole, other);
}

TEST(PhotonNoise, HasTheVarianceOfALogarithmOfCounts) {
  const double photons = 1e4, p = 2.0;  // mean count 1353: the variance of ln n is 1 / mean to first order
  std::vector<float> values(40000, static_cast<float>(p));
  add_photon_noise(launcher_with(2), values, photons, 3, 0);
  double sum = 0.0, squares = 0.0;
  for (const float v : values) sum += v - p, squares += (v - p) * (v - p);
  const double count = photons * std::exp(-p), n = static_cast<double>(values.size());
  EXPECT_NEAR(squares / n * count, 1.0, 0.04);
  EXPECT_NEAR(sum / n, 0.5 / count, 5 / std::sqrt(count * n));
}

TEST(PhotonNoise, IsFiniteWhereNothingIsCounted) {
  std::vector<float> values(100, 60.0F);
  add_photon_noise(launcher_with(1), values, 1e5, 3, 0);
  for (const float v : values) EXPECT_FLOAT_EQ(v, static_cast<float>(std::log(1e5)));
}

}  // namespace
}  // namespace isocenter::testing
