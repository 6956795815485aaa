// Which tensors are dense, for all who read one row after the other.
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <isocenter/dense.hpp>

namespace isocenter::testing {
namespace {

bool is_dense(std::initializer_list<std::int64_t> shape, std::initializer_list<std::int64_t> strides) {
  isocenter_tensor t{};
  t.struct_size = sizeof t;
  t.rank = static_cast<std::int32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), t.shape);
  std::copy(strides.begin(), strides.end(), t.strides);
  return detail::is_dense(t);
}

TEST(Dense, IsATensorWhoseElementsLieOneAfterTheOther) {
  EXPECT_TRUE(is_dense({4, 3, 5}, {15, 5, 1}));
  EXPECT_TRUE(is_dense({4, 3, 5}, {0, 0, 0})) << "a description";
  EXPECT_TRUE(is_dense({1, 3, 5}, {99, 5, 1})) << "nothing steps along an axis of one element";
  EXPECT_TRUE(is_dense({4, 1, 5}, {5, 0, 1}));
  EXPECT_FALSE(is_dense({4, 3, 5}, {20, 5, 1})) << "a part of a larger one";
  EXPECT_FALSE(is_dense({4, 3, 5}, {15, 6, 1})) << "every axis counts, not the first alone";
  EXPECT_FALSE(is_dense({4, 3, 5}, {15, 5, 2}));
  EXPECT_FALSE(is_dense({4, 3, 5}, {1, 4, 12})) << "first axis fastest";
  EXPECT_FALSE(is_dense({4, 3, 5}, {0, 5, 1})) << "one slice, four times";
  EXPECT_FALSE(is_dense({4, 3, 5}, {-15, 5, 1}));
}

}  // namespace
}  // namespace isocenter::testing
