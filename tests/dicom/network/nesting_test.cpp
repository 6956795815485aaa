// Sequences nested deeper than a stack has room for, from a peer.
#include "dicom/network/nesting.hpp"

#include "dicom/network/listener.hpp"
#include "dicom/network/stored_instance.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::HasSubstr;

constexpr const char* implicit = "1.2.840.10008.1.2";
constexpr const char* explicit_little = "1.2.840.10008.1.2.1";

void put(std::vector<std::uint8_t>& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

enum class Lengths { defined, undefined };

/// ReferencedImageSequence (0008,1140) within itself, `depth` times.
std::vector<std::uint8_t> nested(int depth, bool with_vr, Lengths lengths, const char* vr = "SQ") {
  const std::uint64_t head = with_vr ? 12 : 8, level = head + 8;
  std::vector<std::uint8_t> out;
  for (int i = 0; i < depth; ++i) {
    const std::uint64_t inside = level * static_cast<std::uint64_t>(depth - i - 1);
    put(out, 0x11400008, 4);
    if (with_vr) {
      put(out, static_cast<std::uint8_t>(vr[0]), 1);
      put(out, static_cast<std::uint8_t>(vr[1]), 3);
    }
    put(out, lengths == Lengths::undefined ? 0xffffffff : inside + 8, 4);
    put(out, 0xe000fffe, 4);
    put(out, lengths == Lengths::undefined ? 0xffffffff : inside, 4);
  }
  return out;
}

TEST(Nesting, IsTakenDownTo64LevelsAndRefusedBeyond) {
  for (const Lengths lengths : {Lengths::defined, Lengths::undefined}) {
    EXPECT_EQ(error_of([&] { require_shallow(nested(64, false, lengths), implicit); }), "");
    EXPECT_EQ(error_of([&] { require_shallow(nested(64, true, lengths), explicit_little); }), "");
    EXPECT_THAT(error_of([&] { require_shallow(nested(65, false, lengths), implicit); }),
                HasSubstr("nested more than 64 levels deep. Fix: "));
    EXPECT_THAT(error_of([&] { require_shallow(nested(65, true, lengths), explicit_little); }),
                HasSubstr("nested more than 64 levels deep"));
  }
}

TEST(Nesting, IsSeenWithinAValueOfUnknownVr) {
  auto bytes = nested(1, true, Lengths::undefined, "UN");
  const auto inside = nested(70, false, Lengths::undefined);
  for (const std::uint8_t byte : inside) bytes.push_back(byte);
  EXPECT_THAT(error_of([&] { require_shallow(bytes, explicit_little); }), HasSubstr("nested more than"));
}

TEST(Nesting, OfAMillionLevelsDoesNotEndTheProcess) {
  for (const Lengths lengths : {Lengths::defined, Lengths::undefined})
    EXPECT_THAT(error_of([&] { name_of(nested(1000000, false, lengths), implicit); }), HasSubstr("nested more than"));
}

TEST(Nesting, SideBySideIsNoNesting) {
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 1000; ++i) {
    for (const std::uint8_t byte : nested(1, true, Lengths::defined)) bytes.push_back(byte);
  }
  EXPECT_EQ(error_of([&] { require_shallow(bytes, explicit_little); }), "");
}

}  // namespace
}  // namespace isocenter::test
