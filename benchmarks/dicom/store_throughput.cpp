// How many CT instances a second become durable: eight associations on loopback, sender and receiver in this process.
//
//   store_throughput [ROUNDS]
//
// The inbox lies in the folder for temporary files (TMPDIR), whose disk is what is measured. Each round has: the disk's
// own flushes alone, our inbox with its journal, our inbox without one, and DCMTK's storescp (which flushes nothing),
// all fed by the same senders with the same files. Beside our figures: the milliseconds of processor time that an
// instance took, of sender and receiver together, which bound the rate where the disk does not; a machine that is busy
// with other work changes them less than the rates. See docs/dicom/network.md.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "dicom/network/inbox.hpp"
#include "dicom/network/listener.hpp"
#include "dicom/network/network_test.hpp"
#include "dicom/network/store.hpp"

namespace {

using namespace isocenter::detail::dicom;
using namespace isocenter::test;
using Clock = std::chrono::steady_clock;

constexpr std::size_t associations = 8;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Writes and flushes one block again and again.
double flushes_per_second(const TemporaryFolder& folder) {
  const int file = ::open((folder / "flushes").c_str(), O_RDWR | O_CREAT | O_TRUNC, 0666);
  const std::vector<char> block(4096);
  constexpr int count = 200;
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i)
    if (::pwrite(file, block.data(), block.size(), 0) < 0 || ::fdatasync(file) != 0) std::abort();
  const double s = seconds_since(start);
  ::close(file);
  return count / s;
}

double processor_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct Rate {
  double per_second = 0;    ///< 0 when one was refused or is not there
  double processor_ms = 0;  ///< of this process, for each
};

/// Sends all files.
Rate send(const std::vector<std::string>& files, const Peer& peer) {
  std::atomic<std::size_t> refused{0};
  std::vector<std::thread> senders;
  const double processor = processor_seconds();
  const auto start = Clock::now();
  for (std::size_t k = 0; k < associations; ++k)
    senders.emplace_back([&, k] {
      std::vector<Outgoing> mine;
      for (std::size_t i = k; i < files.size(); i += associations) mine.push_back({files[i], name_of_file(files[i])});
      Association association(peer, proposals_for(mine));
      for (const Outgoing& file : mine)
        if (store(association, file).outcome != StoreAnswer::Outcome::stored) ++refused;
      association.release();
    });
  for (std::thread& sender : senders) sender.join();
  const auto count = static_cast<double>(files.size());
  return {refused > 0 ? 0 : count / seconds_since(start), 1e3 * (processor_seconds() - processor) / count};
}

// What was received stays until the end: ext4 searches long for new files' places just after many were removed.

Rate to_us(const std::string& inbox, const std::vector<std::string>& files, const JournalSize& journal) {
  ListenerOptions options;
  options.ae_title = "STORE";
  options.port = 0;
  options.journal = journal;
  Rate rate;
  {
    const Listener listener(options, inbox);
    rate = send(files, loopback(listener.port()));
  }
  if (dicom_files(inbox).size() != files.size()) rate.per_second = 0;
  return rate;
}

Rate to_storescp(const std::string& there, const std::vector<std::string>& files) {
  std::filesystem::create_directories(there);
  const int port = free_port();
  Rate rate;
  {
    const Program storescp({"storescp", "--fork", "-aet", "STORE", "-od", there, std::to_string(port)}, there + ".log");
    if (wait_for_port(port)) rate = send(files, loopback(port));
  }
  return rate;
}

}  // namespace

int main(int argc, char** argv) {
  const TemporaryFolder folder;
  const auto files = write_ct_series(folder / "ct", 800, 512);
  bool whole = true;
  std::printf("%zu instances of 512 x 512 over %zu associations, a second:\n", files.size(), associations);
  std::printf("%8s %8s %14s %18s %8s\n", "load", "flushes", "journal", "no journal", "storescp");
  for (int round = 0; round < (argc > 1 ? std::atoi(argv[1]) : 3); ++round) {
    double load = 0;
    ::getloadavg(&load, 1);
    const std::string number = std::to_string(round);
    const double flushes = flushes_per_second(folder);
    const Rate journal = to_us(folder / ("journal" + number), files, {}),
               each = to_us(folder / ("none" + number), files, {.segments = 0}),
               dcmtk = to_storescp(folder / ("storescp" + number), files);
    std::printf("%8.1f %8.0f %6.0f (%.2f ms) %8.0f (%.2f ms) %8.0f\n", load, flushes, journal.per_second,
                journal.processor_ms, each.per_second, each.processor_ms, dcmtk.per_second);
    std::fflush(stdout);
    whole = whole && journal.per_second > 0 && each.per_second > 0;
  }
  return whole ? 0 : 1;
}
