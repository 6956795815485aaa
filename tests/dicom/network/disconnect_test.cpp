// A peer that disconnects at each message: a proxy between a sender and a receiver that cuts the connection before and
// within every PDU, either way.
#include <thread>

#include "cutting_proxy.hpp"
#include "dicom/network/listener.hpp"
#include "dicom/network/outbox.hpp"
#include "network_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;
using namespace std::chrono_literals;
using ::testing::SizeIs;

ListenerOptions receiver() {
  ListenerOptions o;
  o.ae_title = "STORE";
  o.port = 0;
  o.associations = 2;
  o.timeout_s = 5;
  return o;
}

/// UIDs of the same length for every round: so the cuts of one fit the others.
std::string round_prefix(int round) { return "1.2.826.0.1.3680043.8.498." + std::to_string(100 + round); }

TEST(Disconnect, AtAnyMessageLosesNothingAndKeepsNoHalfInstance) {
  const TemporaryFolder folder;
  Listener listener(receiver(), folder / "inbox");
  int round = 0;
  const auto outbox_of_round = [&](std::vector<std::string>& files) {
    files = write_ct_series(folder / ("ct" + std::to_string(round)), 2, 16, round_prefix(round));
    auto outbox = std::make_unique<Outbox>(folder / ("out" + std::to_string(round)));
    outbox->put(files);
    return outbox;
  };
  std::vector<std::string> files;
  std::vector<std::size_t> cuts[2];
  {
    CuttingProxy proxy(listener.port(), never_cut, never_cut);
    ASSERT_EQ(deliver(*outbox_of_round(files), loopback(proxy.port()), 1).delivered, 2);
    std::this_thread::sleep_for(100ms);
    for (std::size_t way = 0; way < 2; ++way) cuts[way] = cuts_of(proxy.carried(way));
  }
  ASSERT_GE(cuts[0].size(), 12U);  // up: request, two times command and data set, release
  ASSERT_GE(cuts[1].size(), 9U);   // down: acceptance, two answers
  for (std::size_t way = 0; way < 2; ++way)
    for (const std::size_t cut : cuts[way]) {
      SCOPED_TRACE((way == 0 ? "up after " : "down after ") + std::to_string(cut));
      ++round;
      const auto before = listener.accepted();
      const auto outbox = outbox_of_round(files);
      {
        CuttingProxy proxy(listener.port(), way == 0 ? cut : never_cut, way == 1 ? cut : never_cut);
        const auto first = deliver(*outbox, loopback(proxy.port()), 1);
        EXPECT_EQ(first.delivered + first.left, 2);
        EXPECT_LE(first.delivered, static_cast<std::int64_t>(listener.accepted() - before));  // nothing is made up
        EXPECT_TRUE(first.left == 0 || proxy.has_cut());
      }
      const auto second = deliver(*outbox, loopback(listener.port()), 1);
      EXPECT_EQ(second.left, 0) << ::testing::PrintToString(second.complaints);
      EXPECT_EQ(listener.accepted() - before, 2U);  // each was kept once
      const std::string prefix = round_prefix(round), series = folder / ("inbox/" + prefix + ".1/" + prefix + ".2");
      ASSERT_THAT(dicom_files(series), SizeIs(2));
      for (int i = 0; i < 2; ++i)
        EXPECT_TRUE(same_data_set(files[static_cast<std::size_t>(i)], series + "/" + instance_uid(i, prefix) + ".dcm"));
    }
}

}  // namespace
}  // namespace isocenter::test
