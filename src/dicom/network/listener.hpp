#pragma once
// C-ECHO and C-STORE as provider: what arrives goes into an inbox and is acknowledged when it is durable.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "inbox.hpp"
#include "peer.hpp"

struct T_ASC_Network;

namespace isocenter::detail::dicom {

struct ListenerOptions {
  std::string ae_title = "ISOCENTER";
  int port = 11112;                      ///< 0 takes a free one
  std::vector<std::string> calling_aes;  ///< who may call; empty: anyone
  bool any_called_ae = false;            ///< answer to other titles than ours, too
  int associations = 16;                 ///< at once; further peers wait for a place
  int timeout_s = 30;                    ///< silence within an association that ends it
  int series_idle_s = 60;                ///< a series is whole when nothing came for so long
  long max_pdu = 131072;
  std::uint64_t max_instance_bytes = std::uint64_t{2} << 30U;
  JournalSize journal{.segments = 0};  ///< of the inbox
  TlsFiles tls;
};

/// What a listener tells. Texts never hold the patient's data.
struct ListenerEvent {
  enum class Kind { instance, series, refused, association_failed };
  Kind kind = Kind::instance;
  std::string text;   ///< refused, association_failed: one sentence with the peer, what and why
  std::string path;   ///< instance: the file; series: its folder
  InstanceName name;  ///< instance, series
  int instances = 0;  ///< series: how many came since it was last said to be whole
};

/// Which series are whole: no association that brought some of it is open, or nothing came for a while.
class SeriesWatch {
 public:
  using Clock = std::chrono::steady_clock;
  struct Whole {
    InstanceName name;
    int instances = 0;
  };
  void arrived(const InstanceName& name, std::uint64_t association, Clock::time_point now);
  std::vector<Whole> association_ended(std::uint64_t association);
  std::vector<Whole> idle_since(Clock::time_point limit);

 private:
  struct Series {
    InstanceName name;
    int instances = 0;
    Clock::time_point last;
    std::set<std::uint64_t> open;
  };
  std::map<std::string, Series> series_;  ///< by study and series UID
};

/// Serves from its construction to its destruction, each association on a thread of its own.
class Listener {
 public:
  /// Throws Failure when the port cannot be had, TLS files do not fit, or the inbox is not ours.
  Listener(const ListenerOptions& options, const std::string& inbox_folder);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  /// Aborts what is open; what was acknowledged stays.
  ~Listener();

  int port() const { return port_; }
  /// The oldest event; nothing when none came in time.
  std::optional<ListenerEvent> next(std::chrono::milliseconds timeout);
  std::uint64_t accepted() const { return accepted_; }

 private:
  friend class Conversation;
  void serve();
  void tell(ListenerEvent event);
  void tell_whole(const std::vector<SeriesWatch::Whole>& whole);

  ListenerOptions options_;
  Inbox inbox_;
  T_ASC_Network* network_ = nullptr;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> associations_{0}, accepted_{0};
  std::mutex mutex_;
  std::condition_variable told_;
  std::deque<ListenerEvent> events_;
  SeriesWatch watch_;
  std::vector<std::thread> threads_;
};

}  // namespace isocenter::detail::dicom
