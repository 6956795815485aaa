#include "outbox.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <thread>

#include "durable.hpp"
#include "query.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t most_complaints = 1000;

std::vector<std::uint8_t> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) fail_io(path, "be read", errno);
  return bytes;
}

void complain(Outbox::Delivery& delivery, const std::string& text) {
  if (delivery.complaints.size() < most_complaints) delivery.complaints.push_back(text);
}

/// "000000000012_1.2.3.dcm": what put() calls a file. Others in the folder are not ours.
bool is_queued(const std::string& name) {
  return name.size() > 17 && name[12] == '_' && name.ends_with(".dcm") &&
         std::all_of(name.begin(), name.begin() + 12, [](char c) { return c >= '0' && c <= '9'; });
}

std::string base_name(const std::string& path) { return fs::path(path).filename().string(); }

}  // namespace

/// What the associations of one round share.
struct Outbox::Round {
  std::mutex mutex;
  std::vector<Outgoing> queue;  ///< the next at the end
  Delivery* delivery = nullptr;
  const std::function<bool()>* stop = nullptr;
  const std::function<void(const Delivery&)>* progress = nullptr;
  std::int64_t done = 0;  ///< delivered or refused in this round
  bool failed = false;
};

Outbox::Outbox(const std::string& folder) : folder_(folder) {
  use_dcmnet();
  std::error_code error;
  for (const char* state : {".incoming", "queue", "sending", "failed"}) make_durable_folders(folder_ + "/" + state);
  lock_ = lock_folder(folder_);
  if (lock_ < 0)
    throw Failure(ErrorCode::invalid_state, "another process sends from '" + folder_ + "'",
                  "end that one, or choose another folder");
  for (const auto& left : fs::directory_iterator(folder_ + "/.incoming", error)) fs::remove(left.path(), error);
  flush_folder(folder_);
}

Outbox::~Outbox() { ::close(lock_); }

std::vector<std::string> Outbox::names_in(const char* state) const {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_ + "/" + state))
    if (is_queued(entry.path().filename().string())) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::int64_t Outbox::waiting() const {
  return static_cast<std::int64_t>(names_in("queue").size() + names_in("sending").size());
}

void Outbox::put(const std::vector<std::string>& paths) {
  std::vector<InstanceName> names;
  for (const std::string& path : paths) names.push_back(name_of_file(path));
  unsigned long long number = 0;
  for (const char* state : {"queue", "sending"})
    for (const std::string& name : names_in(state)) number = std::max(number, std::stoull(name.substr(0, 12)) + 1);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    char order[24];
    std::snprintf(order, sizeof order, "%012llu", number + i);
    const std::string file = std::string(order) + "_" + names[i].sop_instance_uid + ".dcm";
    write_durable(place(".incoming", file), {}, bytes_of(paths[i]));
    rename_file(place(".incoming", file), place("queue", file));
  }
  flush_folder(folder_ + "/queue");
}

bool Outbox::resolve_uncertain(const Peer& peer, Delivery& delivery) {
  const std::vector<std::string> names = names_in("sending");
  if (names.empty()) return true;
  std::unique_ptr<Association> association;
  try {
    association = std::make_unique<Association>(peer, std::vector{find_proposal(QueryModel::study_root)});
  } catch (const Error& e) {
    if (e.code() != ErrorCode::unsupported) {
      complain(delivery, e.what());
      return false;
    }
    complain(delivery, std::to_string(names.size()) + " instances may have been sent before, and " + peer.name() +
                           " offers no C-FIND to look them up: they are sent again. Fix: let our AE title query the "
                           "peer, and none is sent twice.");
  }
  try {
    for (const std::string& file : names) {
      std::size_t there = 0;
      if (association != nullptr) {
        const InstanceName name = name_of_file(place("sending", file));
        const auto query = make_query("IMAGE", {{"StudyInstanceUID", name.study_uid},
                                                {"SeriesInstanceUID", name.series_uid},
                                                {"SOPInstanceUID", name.sop_instance_uid}});
        there = count_matches(*association, *query);
      }
      if (there > 0) {
        ++delivery.found_there;
        ::unlink(place("sending", file).c_str());
      } else {
        rename_file(place("sending", file), place("queue", file));
      }
    }
    if (association != nullptr) association->release();
  } catch (const Error& e) {
    complain(delivery, e.what());
    return false;
  }
  return true;
}

void Outbox::send_batch(const Peer& peer, std::vector<Outgoing> batch, Round& round) {
  std::size_t next = 0;  // the first that was not offered to the peer
  const auto put_back = [&](const Outgoing& file) { rename_file(file.path, place("queue", base_name(file.path))); };
  for (Outgoing& file : batch) {
    const std::string to = place("sending", base_name(file.path));
    rename_file(file.path, to);
    file.path = to;
  }
  try {
    flush_folder(folder_ + "/sending");
    Association association(peer, proposals_for(batch));
    while (next < batch.size() && !(*round.stop)()) {
      const Outgoing& file = batch[next++];
      const StoreAnswer answer = store(association, file);
      const std::lock_guard lock(round.mutex);
      if (!answer.text.empty()) complain(*round.delivery, answer.text);
      if (answer.outcome == StoreAnswer::Outcome::try_later) {
        put_back(file);
        round.failed = true;
        break;
      }
      ++round.done;
      if (answer.outcome == StoreAnswer::Outcome::stored) {
        ++round.delivery->delivered;
        ::unlink(file.path.c_str());
      } else {
        ++round.delivery->refused;
        const std::string kept = place("failed", base_name(file.path));
        std::ofstream(kept + ".txt") << answer.text << "\n";
        rename_file(file.path, kept);
      }
      if (*round.progress) (*round.progress)(*round.delivery);
    }
    association.release();
  } catch (const Error& e) {
    const std::lock_guard lock(round.mutex);
    complain(*round.delivery, e.what());
    round.failed = true;
  }
  for (; next < batch.size(); ++next) put_back(batch[next]);
}

Outbox::Delivery Outbox::deliver(const Peer& peer, const DeliveryOptions& options, const std::function<bool()>& stop,
                                 const std::function<void(const Delivery&)>& progress) {
  require_valid(peer);
  Delivery delivery;
  double pause_s = options.first_pause_s;
  for (int failures = 0; waiting() > 0 && !stop();) {
    Round round;
    round.delivery = &delivery;
    round.stop = &stop;
    round.progress = &progress;
    round.failed = !resolve_uncertain(peer, delivery);
    if (!round.failed) {
      for (const std::string& file : names_in("queue"))
        round.queue.push_back({place("queue", file), name_of_file(place("queue", file))});
      std::reverse(round.queue.begin(), round.queue.end());
      std::vector<std::thread> threads;
      for (int i = 0; i < std::max(1, options.associations); ++i)
        threads.emplace_back([&] {
          const QuietThread quiet;
          for (;;) {
            std::vector<Outgoing> batch;
            {
              const std::lock_guard lock(round.mutex);
              if (round.failed || stop()) return;
              // An association carries 128 presentation contexts; two for each instance are the most it can need.
              const auto most = static_cast<std::size_t>(std::clamp(options.batch, 1, 10000));
              std::vector<Outgoing> one;
              while (!round.queue.empty() && batch.size() < most) {
                batch.push_back(round.queue.back());
                if (proposals_for(batch).size() > most_contexts) {
                  batch.pop_back();
                  break;
                }
                round.queue.pop_back();
              }
            }
            if (batch.empty()) return;
            try {
              send_batch(peer, std::move(batch), round);
            } catch (const std::exception& e) {
              const std::lock_guard lock(round.mutex);
              complain(delivery, e.what());
              round.failed = true;
            }
          }
        });
      for (std::thread& thread : threads) thread.join();
    }
    if (!round.failed) continue;
    failures = round.done > 0 ? 1 : failures + 1;
    if (round.done > 0) pause_s = options.first_pause_s;
    if (options.attempts > 0 && failures >= options.attempts) break;
    using Clock = std::chrono::steady_clock;
    const auto until =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(pause_s));
    while (Clock::now() < until && !stop()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    pause_s = std::min(options.longest_pause_s, pause_s * 2);
  }
  delivery.left = waiting();
  return delivery;
}

}  // namespace isocenter::detail::dicom
