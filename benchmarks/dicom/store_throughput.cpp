// How many CT instances a second become durable: eight associations on loopback, sender and receiver in this process.
// The inbox lies in the folder for temporary files (TMPDIR), whose disk is what is measured. See docs/dicom/network.md.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "dicom/network/inbox.hpp"
#include "dicom/network/listener.hpp"
#include "dicom/network/network_test.hpp"
#include "dicom/network/outbox.hpp"

int main() {
  using namespace isocenter::detail::dicom;
  using namespace isocenter::test;
  constexpr std::size_t associations = 8;
  const TemporaryFolder folder;
  const auto files = write_ct_series(folder / "ct", 800, 512);
  ListenerOptions options;
  options.ae_title = "STORE";
  options.port = 0;
  Listener listener(options, folder / "inbox");
  std::atomic<std::size_t> refused{0};
  std::vector<std::thread> senders;
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t k = 0; k < associations; ++k)
    senders.emplace_back([&, k] {
      std::vector<Outgoing> mine;
      for (std::size_t i = k; i < files.size(); i += associations) mine.push_back({files[i], name_of_file(files[i])});
      Association association(loopback(listener.port()), proposals_for(mine));
      for (const Outgoing& file : mine)
        if (store(association, file).outcome != StoreAnswer::Outcome::stored) ++refused;
      association.release();
    });
  for (std::thread& sender : senders) sender.join();
  const double s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::size_t kept = dicom_files(folder / "inbox").size();
  std::printf("%zu instances of 512 x 512 over %zu associations in %.2f s: %.0f a second; %zu refused, %zu kept\n",
              files.size(), associations, s, static_cast<double>(files.size()) / s, refused.load(), kept);
  return refused == 0 && kept == files.size() ? 0 : 1;
}
