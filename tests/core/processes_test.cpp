// Which device a process gets among those that run together on a machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <isocenter/struct_size.hpp>

#include "device_test.hpp"
#include "in_process_ranks.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Context context_with_cards(int cards) {
  isocenter_context_options o{};
  o.struct_size = sizeof o;
  o.flags = ISOCENTER_CONTEXT_NO_MODULES;
  o.thread_count = 1;
  Context made(o);
  for (int i = 0; i < cards; ++i) {
    const std::string name = "card:" + std::to_string(i);
    isocenter_device_type t{};
    t.struct_size = sizeof t;
    t.index = i;
    t.name = name.c_str();
    t.type = "card";
    t.description = "a card";
    t.memory_bytes = 1000;
    t.find = [](void*, const char*) -> const void* { return nullptr; };
    detail::call([&](auto* e) { return isocenter_register_device(made.get(), &t, e); });
  }
  return made;
}

std::string chosen(const Context& in, const char* name, std::string* why = nullptr) {
  return in.find_device(name, why).name;
}

TEST(Processes, EachOfAMachineGetsADeviceOfTheTypeCountedAround) {
  InProcessRanks ranks(6);
  for (int rank = 0; rank < 6; ++rank) {
    const Context in = context_with_cards(2);
    ranks.join(in, rank, rank % 3, 3);  // two machines with three of them each
    std::string why;
    const std::string card = "card:" + std::to_string(rank % 3 % 2);
    EXPECT_EQ(chosen(in, "card", &why), card);
    EXPECT_EQ(why, "card is " + card + " (a card), for process " + std::to_string(rank % 3) + " of 3 on this machine");
    EXPECT_EQ(chosen(in, "best", &why), card);
    EXPECT_THAT(why, HasSubstr("best is " + card));
    EXPECT_EQ(chosen(in, "card:1"), "card:1");
    EXPECT_EQ(chosen(in, "cpu"), "cpu");
  }
}

TEST(Processes, OfWhichItIsNotKnownWhereTheyAreAreTakenToBeOnOneMachine) {
  InProcessRanks ranks(4);
  const Context in = context_with_cards(3);
  ranks.join(in, 2);
  EXPECT_EQ(chosen(in, "card"), "card:2");
}

TEST(Processes, ThatAreAloneGetTheFirstDeviceOfAType) {
  const Context in = context_with_cards(2);
  std::string why;
  EXPECT_EQ(chosen(in, "card", &why), "card:0");
  EXPECT_EQ(why, "card is card:0 (a card)");
  EXPECT_THAT(error_of([&] { in.find_device("cuda"); }),
              HasSubstr("there is no device 'cuda'. Fix: use one of: cpu, card:0, card:1, card, best"));
  const Context none = context_with_cards(0);
  EXPECT_EQ(chosen(none, "best", &why), "cpu");
  EXPECT_THAT(why, HasSubstr("no GPU: no device module is installed"));
  EXPECT_THAT(error_of([&] { none.find_device("card"); }),
              HasSubstr("there is no device 'card'. Fix: use one of: cpu, best"));
}

TEST(Processes, ACommunicatorSaysWhatCanBe) {
  isocenter_communicator c{};
  c.struct_size = sizeof c;
  c.ranks = 4;
  c.name = "test";
  c.local_rank = 2;
  c.local_ranks = 2;
  const auto give = [&](const isocenter_communicator& given) {
    const Context in = context_with_cards(3);
    detail::call([&](auto* e) { return isocenter_register_communicator(in.get(), &given, e); });
    return chosen(in, "card");
  };
  EXPECT_THAT(error_of([&] { give(c); }), AllOf(HasSubstr("local_rank = 2 of 2, among 4 ranks"), HasSubstr("Fix:")));
  c.local_ranks = 5;
  EXPECT_THAT(error_of([&] { give(c); }), HasSubstr("local_rank = 2 of 5, among 4 ranks"));
  c.local_ranks = 3;
  EXPECT_EQ(give(c), "card:2");
  // One of the first version ends before these fields.
  c.rank = 1;
  c.struct_size = detail::StructVersion<isocenter_communicator>::first_size;
  EXPECT_EQ(give(c), "card:1");
}

}  // namespace
}  // namespace isocenter::testing
