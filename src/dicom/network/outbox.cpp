#include "outbox.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <system_error>
#include <thread>

#include "association.hpp"
#include "durable.hpp"

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

constexpr std::size_t order_digits = 12;
constexpr unsigned long long last_order = 999'999'999'999;

/// "000000000012_1.2.3.dcm": what put() calls a file. Others in the folder are not ours.
bool is_queued(const std::string& name) {
  return name.size() > order_digits + 5 && name[order_digits] == '_' && name.ends_with(".dcm") &&
         std::all_of(name.begin(), name.begin() + order_digits, [](char c) { return c >= '0' && c <= '9'; });
}

/// Whatever comes after the last number has that too: in no order of its own, and not out of sight.
std::string order_text(unsigned long long number) {
  std::string digits = std::to_string(std::min(number, last_order));
  return digits.insert(0, order_digits - digits.size(), '0');
}

std::string base_name(const std::string& path) { return fs::path(path).filename().string(); }

}  // namespace

/// One pass over what waits: what may have been sent before is looked up, the rest is carried.
class Outbox::Round {
 public:
  Round(Outbox& outbox, Carrier& carrier, const std::function<bool()>& stop, Delivery& delivery,
        const std::function<void(const Delivery&)>& progress)
      : outbox_(outbox), carrier_(carrier), stop_(stop), delivery_(delivery), progress_(progress) {}

  void go() {
    behind_ = outbox_.next_number();
    if (!resolve_uncertain()) return;
    queue_ = read_names("queue");
    std::vector<std::thread> threads;
    threads.reserve(static_cast<std::size_t>(carrier_.lanes()));
    try {
      for (int i = 0; i < carrier_.lanes(); ++i)
        threads.emplace_back([this] {
          const QuietThread quiet;
          while (carry_some()) continue;
        });
    } catch (const std::system_error& e) {  // those that were started end, and another round tries again
      const std::lock_guard lock(mutex_);
      judge({"a thread that sends from '" + outbox_.folder_ + "' cannot be started: " + e.what() +
                 ". Fix: use fewer associations, or raise the limit of threads (ulimit -u)",
             true});
    }
    for (std::thread& thread : threads) thread.join();
    // Whatever failed: an instance that fails in every round does not keep the others from being committed.
    if (carrier_.commits() && !hopeless && !stop_()) commit_delivered();
  }

  bool failed = false, hopeless = false;
  double wait_s = 0;      ///< what the peer asks to wait
  std::int64_t done = 0;  ///< delivered, committed or refused in this round, less what has to be sent again

 private:
  void judge(const Attempt& attempt) {
    if (!attempt.complaint.empty()) complain(delivery_, attempt.complaint);
    failed = failed || attempt.failed || attempt.hopeless;
    hopeless = hopeless || attempt.hopeless;
    wait_s = std::max(wait_s, attempt.wait_s);
  }

  /// The files in a folder with their names. One that has become unreadable as an instance goes to failed/, and does
  /// not hold up the others.
  std::vector<Outgoing> read_names(const char* state) {
    std::vector<Outgoing> files;
    for (const std::string& name : outbox_.names_in(state)) {
      Outgoing file{outbox_.place(state, name), {}};
      try {
        file.name = name_of_file(file.path);
        files.push_back(std::move(file));
      } catch (const Error& e) {
        if (e.code() != ErrorCode::bad_data) throw;
        settle(file, {StoreAnswer::Outcome::refused, e.what()});
      }
    }
    return files;
  }

  bool resolve_uncertain() {
    const std::vector<Outgoing> files = read_names("sending");
    if (files.empty()) return true;
    judge(carrier_.look_up(files, [&](const Outgoing& file) {
      ++delivery_.found_there;
      leave(file);
    }));
    if (failed) return false;
    for (const std::string& name : outbox_.names_in("sending")) put_last(outbox_.place("sending", name));
    return true;
  }

  std::string move(const std::string& path, const char* state) const {
    std::string to = outbox_.place(state, base_name(path));
    rename_file(path, to);
    return to;
  }

  /// Into the queue behind all others: what the peer does not take, or does not answer for, keeps none of them waiting.
  void put_last(const std::string& path) {
    const std::string uid_dcm = base_name(path).substr(order_digits);
    rename_file(path, outbox_.place("queue", order_text(behind_++) + uid_dcm));
  }

  /// False when there is nothing left to do for this thread.
  bool carry_some() {
    std::vector<Outgoing> files;
    try {
      {
        const std::lock_guard lock(mutex_);
        if (failed || stop_() || next_ == queue_.size()) return false;
        const auto waiting = std::span(queue_).subspan(next_);
        files.assign(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(carrier_.load(waiting)));
        next_ += files.size();
      }
      carry(files);
    } catch (const std::exception& e) {
      const std::lock_guard lock(mutex_);
      judge({e.what(), true});
    }
    return true;
  }

  void carry(std::vector<Outgoing>& files) {
    for (Outgoing& file : files) file.path = move(file.path, "sending");
    flush_folder(outbox_.folder_ + "/sending");
    std::size_t settled = 0;
    const Trip trip = carrier_.carry(
        files,
        [&](const Outgoing& file, const StoreAnswer& answer) {
          const std::lock_guard lock(mutex_);
          ++settled;
          settle(file, answer);
        },
        stop_);
    for (std::size_t i = trip.offered; i < files.size(); ++i) move(files[i].path, "queue");
    const std::lock_guard lock(mutex_);
    judge(trip);
    failed = failed || settled < trip.offered;
    if (trip.offered < files.size()) next_ = queue_.size();  // they are in their turn when the queue is read anew
  }

  /// The peer has it.
  void leave(const Outgoing& file) const {
    if (carrier_.commits())
      move(file.path, "uncommitted");
    else
      ::unlink(file.path.c_str());
  }

  void commit_delivered() {
    const std::vector<Outgoing> files = read_names("uncommitted");
    if (files.empty()) return;
    judge(carrier_.commit(
        files, outbox_.folder_ + "/requests",
        [&](const Outgoing& file, const std::string& why_not) {
          if (why_not.empty()) {
            ++delivery_.committed;
            ++done;
            ::unlink(file.path.c_str());
          } else {
            complain(delivery_, "instance " + file.name.sop_instance_uid + " is not committed: " + why_not +
                                    ". Fix: look into the peer's log; it is sent again");
            --done;
            failed = true;
            move(file.path, "queue");
          }
          if (progress_) progress_(delivery_);
        },
        stop_));
  }

  /// Beside an instance that is set aside; that it cannot be written keeps no instance back.
  void write_reason(const std::string& path, const std::string& reason) {
    const std::string line = reason + "\n";
    try {
      write_file(path, {}, {reinterpret_cast<const std::uint8_t*>(line.data()), line.size()});
    } catch (const Error& e) {
      complain(delivery_, e.what());
    }
  }

  void settle(const Outgoing& file, const StoreAnswer& answer) {
    if (!answer.text.empty()) complain(delivery_, answer.text);
    switch (answer.outcome) {
      case StoreAnswer::Outcome::stored:
        ++delivery_.delivered;
        leave(file);
        break;
      case StoreAnswer::Outcome::try_later:
        put_last(file.path);
        failed = true;
        return;
      case StoreAnswer::Outcome::refused:
        ++delivery_.refused;
        write_reason(outbox_.place("failed", base_name(file.path)) + ".txt", answer.text);
        move(file.path, "failed");
        break;
    }
    ++done;
    if (progress_) progress_(delivery_);
  }

  Outbox& outbox_;
  Carrier& carrier_;
  const std::function<bool()>& stop_;
  Delivery& delivery_;
  const std::function<void(const Delivery&)>& progress_;
  std::mutex mutex_;
  std::vector<Outgoing> queue_;
  std::size_t next_ = 0;           ///< of the queue
  unsigned long long behind_ = 0;  ///< the number of what is put last
};

Outbox::Outbox(const std::string& folder) : folder_(folder) {
  use_dcmnet();
  std::error_code error;
  for (const char* state : {".incoming", "queue", "sending", "uncommitted", "failed"})
    make_durable_folders(folder_ + "/" + state);
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

unsigned long long Outbox::next_number() const {
  unsigned long long number = 0;
  for (const char* state : {"queue", "sending", "uncommitted"})
    for (const std::string& name : names_in(state))
      number = std::max(number, std::stoull(name.substr(0, order_digits)) + 1);
  return number;
}

void Outbox::put(const std::vector<std::string>& paths) {
  std::vector<InstanceName> names;
  names.reserve(paths.size());
  for (const std::string& path : paths) names.push_back(name_of_file(path));
  const unsigned long long number = next_number();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string file = order_text(number + i) + "_" + names[i].sop_instance_uid + ".dcm";
    write_durable(place(".incoming", file), {}, bytes_of(paths[i]));
    rename_file(place(".incoming", file), place("queue", file));
  }
  flush_folder(folder_ + "/queue");
}

Outbox::Delivery Outbox::deliver(Carrier& carrier, const DeliveryOptions& options, const std::function<bool()>& stop,
                                 const std::function<void(const Delivery&)>& progress) {
  Delivery delivery;
  double pause_s = options.first_pause_s;
  const auto left = [&] {
    return waiting() + (carrier.commits() ? static_cast<std::int64_t>(names_in("uncommitted").size()) : 0);
  };
  for (int failures = 0; left() > 0 && !stop();) {
    Round round(*this, carrier, stop, delivery, progress);
    round.go();
    if (!round.failed) continue;
    failures = round.done > 0 ? 1 : failures + 1;
    if (round.done > 0) pause_s = options.first_pause_s;
    if (round.hopeless || (options.attempts > 0 && failures >= options.attempts)) break;
    using Clock = std::chrono::steady_clock;
    const double wait_s = std::max(pause_s, std::min(round.wait_s, options.longest_pause_s));
    const auto until =
        Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(wait_s));
    while (Clock::now() < until && !stop()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    pause_s = std::min(options.longest_pause_s, pause_s * 2);
  }
  delivery.left = left();
  if (const std::size_t kept = names_in("uncommitted").size(); kept > 0 && !carrier.commits())
    complain(delivery, std::to_string(kept) + " instances in '" + folder_ +
                           "/uncommitted' were delivered, and their storage commitment is not asked for now. Fix: send "
                           "with commit.");
  return delivery;
}

}  // namespace isocenter::detail::dicom
