// Sending through an outbox's folders; see web_store.hpp and, for the folders, ../network/outbox.hpp.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "../network/durable.hpp"
#include "web_query.hpp"
#include "web_status.hpp"
#include "web_store.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t most_complaints = 1000;

class WebDelivery {
 public:
  WebDelivery(const Outbox& outbox, std::string folder, WebClient& client, const WebDeliveryOptions& options,
              const std::function<void(const Outbox::Delivery&)>& progress)
      : outbox_(outbox),
        folder_(std::move(folder)),
        client_(client),
        options_(options),
        progress_(progress),
        batch_(options.batch) {}

  /// One batch, after what an earlier one left in doubt. False when something failed.
  bool round() {
    if (!resolve_uncertain()) return false;
    std::vector<Outgoing> files = next_batch();
    if (files.empty()) return true;
    for (Outgoing& file : files) move(file, "sending");
    flush_folder(folder_ + "/sending");
    std::vector<StoreAnswer> answers;
    try {
      answers = web_store(client_, files);
    } catch (const WebFailure& e) {
      complain(e.what());
      after_s = e.after_s;
      return not_taken(e, files);
    }
    bool all = true;
    for (std::size_t i = 0; i < files.size(); ++i) all = settle(files[i], answers[i]) && all;
    if (progress_) progress_(result);
    return all;
  }

  void complain(const std::string& text) {
    if (result.complaints.size() < most_complaints) result.complaints.push_back(text);
  }

  Outbox::Delivery result;
  bool hopeless = false;  ///< further attempts would fare no better
  double after_s = 0;     ///< how long the server asked to wait

 private:
  std::string place(const std::string& state, const std::string& path) const {
    return folder_ + "/" + state + "/" + fs::path(path).filename().string();
  }
  void move(Outgoing& file, const char* state) const {
    const std::string to = place(state, file.path);
    rename_file(file.path, to);
    file.path = to;
  }

  /// The file with its name. One that has become unreadable as an instance goes to failed/, and does not hold up the
  /// others: false.
  bool read_name(Outgoing& file) {
    try {
      file.name = name_of_file(file.path);
      return true;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::bad_data) throw;
      settle(file, {StoreAnswer::Outcome::refused, e.what()});
      return false;
    }
  }

  std::vector<Outgoing> next_batch() {
    std::vector<Outgoing> files;
    std::uint64_t bytes = 0;
    for (const std::string& name : outbox_.names_in("queue")) {
      Outgoing file{folder_ + "/queue/" + name, {}};
      const std::uint64_t size = fs::file_size(file.path);
      if (!files.empty() && bytes + size > options_.batch_bytes) break;
      if (!read_name(file)) continue;
      bytes += size;
      files.push_back(std::move(file));
      if (static_cast<int>(files.size()) >= batch_) break;
    }
    return files;
  }

  /// An answer counts when it names the instance: a server may leave out of account what it is asked to match.
  bool is_there(const InstanceName& name) {
    try {
      const std::vector<std::string> answers = web_find(client_, WebLevel::instance,
                                                        {{"StudyInstanceUID", name.study_uid},
                                                         {"SeriesInstanceUID", name.series_uid},
                                                         {"SOPInstanceUID", name.sop_instance_uid}},
                                                        1000);
      return std::any_of(answers.begin(), answers.end(), [&](const std::string& answer) {
        const auto object = nlohmann::json::parse(answer);  // web_find has checked it
        const auto uid = object.find("00080018");
        return uid != object.end() &&
               uid->value("Value", nlohmann::json::array()) == nlohmann::json::array({name.sop_instance_uid});
      });
    } catch (const WebFailure& e) {
      if (e.status == 404) return false;  // some have nothing at a study's address before they have the study
      throw;
    }
  }

  bool resolve_uncertain() {
    bool searchable = true;
    for (const std::string& name : outbox_.names_in("sending")) {
      Outgoing file{folder_ + "/sending/" + name, {}};
      if (!read_name(file)) continue;
      bool there = false;
      try {
        there = searchable && is_there(file.name);
      } catch (const WebFailure& e) {
        if (e.status != 405 && e.status != 501) {
          complain(e.what());
          return false;
        }
        searchable = false;
        complain(
            "instances may have been sent before, and " + client_.peer().url +
            " offers no QIDO-RS to look them up: they are sent again. Fix: have the server answer queries, and none "
            "is sent twice.");
      } catch (const Error& e) {
        if (e.code() == ErrorCode::cancelled) throw;
        complain(e.what());
        return false;
      }
      if (there) {
        ++result.found_there;
        ::unlink(file.path.c_str());
      } else {
        move(file, "queue");
      }
    }
    return true;
  }

  /// The request as a whole was refused, or it is not known what became of it: then the files stay in sending/.
  bool not_taken(const WebFailure& e, std::vector<Outgoing>& files) {
    const bool too_much = e.status == 413 || e.status == 400 || e.status == 415;
    if (too_much && files.size() == 1) {
      settle(files.front(), {StoreAnswer::Outcome::refused, e.what()});
      return true;
    }
    const bool certain = e.status >= 400 && e.status < 500;
    if (certain || e.status == 503 || e.status == 501)
      for (Outgoing& file : files) move(file, "queue");
    if (too_much) {
      batch_ = static_cast<int>(files.size() + 1) / 2;
      return true;
    }
    hopeless = (certain && e.status != 408 && e.status != 429) || e.status == 501;
    return false;
  }

  bool settle(Outgoing& file, const StoreAnswer& answer) {
    if (!answer.text.empty()) complain(answer.text);
    switch (answer.outcome) {
      case StoreAnswer::Outcome::stored:
        ++result.delivered;
        ::unlink(file.path.c_str());
        return true;
      case StoreAnswer::Outcome::try_later:
        move(file, "queue");
        return false;
      default:
        ++result.refused;
        std::ofstream(place("failed", file.path) + ".txt") << answer.text << "\n";
        move(file, "failed");
        return true;
    }
  }

  const Outbox& outbox_;
  std::string folder_;
  WebClient& client_;
  const WebDeliveryOptions& options_;
  const std::function<void(const Outbox::Delivery&)>& progress_;
  int batch_;
};

}  // namespace

Outbox::Delivery web_deliver(const Outbox& outbox, const std::string& folder, WebClient& client,
                             const WebDeliveryOptions& options,
                             const std::function<void(const Outbox::Delivery&)>& progress) {
  WebDelivery delivery(outbox, folder, client, options, progress);
  double pause_s = options.first_pause_s;
  int failures = 0;
  while (outbox.waiting() > 0 && !client.stop()() && !delivery.hopeless) {
    const std::int64_t before = delivery.result.delivered;
    delivery.after_s = 0;
    bool good = false;
    try {
      good = delivery.round();
    } catch (const Error& e) {
      if (e.code() == ErrorCode::cancelled) break;
      delivery.complain(e.what());
    }
    if (good) continue;
    const bool some = delivery.result.delivered > before;
    failures = some ? 1 : failures + 1;
    if (some) pause_s = options.first_pause_s;
    if (delivery.hopeless || (options.attempts > 0 && failures >= options.attempts)) break;
    using Clock = std::chrono::steady_clock;
    const double wait_s = std::min(delivery.after_s, options.longest_pause_s);
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                          std::chrono::duration<double>(std::max(pause_s, wait_s)));
    while (Clock::now() < until && !client.stop()()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    pause_s = std::min(options.longest_pause_s, pause_s * 2);
  }
  delivery.result.left = outbox.waiting();
  return delivery.result;
}

}  // namespace isocenter::detail::dicom
