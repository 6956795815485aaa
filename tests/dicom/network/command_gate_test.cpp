// What may not be parsed of a peer's commands, alone and in an association.
#include "dicom/network/command_gate.hpp"

#include "dicom/network/listener.hpp"
#include "network_test.hpp"
#include "raw_association.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using ::testing::HasSubstr;
using Bytes = std::vector<std::uint8_t>;

/// An element of a command, implicit little endian.
Bytes element(std::uint16_t group, std::uint16_t number, std::uint32_t length, const Bytes& value = {}) {
  Bytes bytes;
  for (const std::uint16_t two : {group, number}) {
    bytes.push_back(static_cast<std::uint8_t>(two & 0xffU));
    bytes.push_back(static_cast<std::uint8_t>(two >> 8U));
  }
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<std::uint8_t>(length >> (8 * i)));
  bytes.insert(bytes.end(), value.begin(), value.end());
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Bytes echo =
    element(0, 0x0002, 18, {'1', '.', '2', '.', '8', '4', '0', '.', '1', '0', '0', '0', '8', '.', '1', '.', '1', 0}) +
    element(0, 0x0100, 2, {0x30, 0}) + element(0, 0x0110, 2, {1, 0}) + element(0, 0x0800, 2, {1, 1});

/// What the gate says to a command in fragments of `size` bytes, given to it in pieces of `step`.
std::string refusal_of(const Bytes& command, std::size_t size, std::size_t step) {
  Bytes stream{1, 0, 0, 0, 0, 3, 9, 9, 9};  // a PDU of another kind, which is none of the gate's affairs
  for (std::size_t at = 0; at < command.size(); at += size) {
    const std::size_t n = std::min(size, command.size() - at);
    stream = stream + fragment(1, true, at + n == command.size(), {command.data() + at, n});
  }
  stream = stream + fragment(1, false, true, element(0x0008, 0x1140, 0xffffffff));  // a data set may have sequences
  stream = stream + fragment(1, true, true, echo);                                  // and another command follows
  CommandGate gate;
  for (std::size_t at = 0; at < stream.size(); at += step)
    gate.pass({stream.data() + at, std::min(step, stream.size() - at)});
  return gate.refusal();
}

TEST(CommandGate, PassesCommandsHoweverTheyAreCutAndNothingThatWouldNest) {
  const struct {
    Bytes command;
    const char* refusal;
  } cases[] = {
      {echo, ""},
      {echo + element(0x0008, 0x1140, 8), "(0008,1140), and only elements of group 0000"},
      {echo + element(0, 0x0902, 0xffffffff), "(0000,0902) of undefined length"},
      {echo + element(0, 0x0902, 0x7ffffffe), "(0000,0902) of 2147483646 bytes, which makes it longer than 65536"},
  };
  for (const auto& c : cases)
    for (const std::size_t size : {1U, 7U, 1000U})
      for (const std::size_t step : {1U, 5U, 100000U}) {
        const std::string said = refusal_of(c.command, size, step);
        EXPECT_TRUE(*c.refusal == '\0' ? said.empty() : said.find(c.refusal) != std::string::npos) << said;
      }
}

TEST(CommandGate, PassesCommandsOf64KiBAndNoLongerOnes) {
  const struct {
    Bytes command;
    const char* refusal;
  } cases[] = {
      {element(0, 0x1005, 34816, Bytes(34816)), ""},
      {element(0, 0x1005, 65528, Bytes(65528)), ""},
      {element(0, 0x1005, 65529, Bytes(65529)), "a command has (0000,1005) of 65529 bytes, which makes it longer than"},
      {element(0, 0x1005, 65528, Bytes(65528)) + echo, "a command has more than 65536 bytes"},
  };
  for (const auto& c : cases)
    for (const std::size_t size : {1000U, 100000U})
      for (const std::size_t step : {5U, 100000U}) {
        const std::string said = refusal_of(c.command, size, step);
        EXPECT_TRUE(*c.refusal == '\0' ? said.empty() : said.find(c.refusal) != std::string::npos) << said;
      }
}

TEST(CommandGate, RefusesCommandsWithoutEndAndFragmentsThatDoNotFit) {
  CommandGate endless;
  const Bytes some = fragment(1, true, false, Bytes(1000));  // (0000,0000), empty, again and again
  int taken = 0;
  while (taken < 1000 && endless.pass(some)) ++taken;
  EXPECT_EQ(taken, 65);
  EXPECT_THAT(endless.refusal(), HasSubstr("a command has more than 65536 bytes"));
  CommandGate short_head, long_fragment;
  EXPECT_FALSE(short_head.pass(Bytes{4, 0, 0, 0, 0, 3}));
  EXPECT_THAT(short_head.refusal(), HasSubstr("ends within the head of a fragment"));
  EXPECT_FALSE(long_fragment.pass(Bytes{4, 0, 0, 0, 0, 8, 0, 0, 0, 9, 1, 3}));
  EXPECT_THAT(long_fragment.refusal(), HasSubstr("a fragment of 9 bytes does not fit"));
}

TEST(CommandGate, KeepsAReceiverUpThatIsSentACommandOfNestedSequences) {
  const TemporaryFolder folder;
  ListenerOptions o;
  o.port = 0;
  Listener listener(o, folder / "inbox");
  Bytes nested;  // deeper than a stack
  for (int i = 0; i < 50000; ++i)
    nested = std::move(nested) + element(0x0008, 0x1140, 0xffffffff) + element(0xfffe, 0xe000, 0xffffffff);
  RawAssociation raw(listener.port(), "ISOCENTER", {"1.2.840.10008.1.1"});
  for (std::size_t at = 0; at < nested.size(); at += 8000)
    raw.send(fragment(1, true, at + 8000 == nested.size(), {nested.data() + at, 8000}));
  const auto event = listener.next(std::chrono::seconds(10));
  ASSERT_TRUE(event);
  EXPECT_THAT(event->text, HasSubstr("a command has (0008,1140), and only elements of group 0000 may be there; the "
                                     "association was aborted"));
  EXPECT_EQ(RawAssociation(listener.port(), "ISOCENTER", {"1.2.840.10008.1.1"}).receive(1), Bytes{2});
}

}  // namespace
}  // namespace isocenter::test
