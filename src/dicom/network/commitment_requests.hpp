#pragma once
// The storage commitments that were asked for and whose report may come yet, in a file: whoever goes on after a process
// was killed takes the report of what that one had asked for.
#include <cstdint>
#include <string>
#include <vector>

namespace isocenter::detail::dicom {

class CommitmentRequests {
 public:
  /// What the file says; no file: nothing was asked for. An empty path: it is not kept. Throws Failure: io_error for
  /// the disk, bad_data when the file holds something else.
  explicit CommitmentRequests(const std::string& path);

  /// Before the peer is asked under this transaction UID. Durable.
  void ask(const std::string& transaction);
  /// The peer said that it will report on the latest one, which may be settled already. Durable.
  void accept();
  /// The latest one is settled.
  void clear();

  /// Whether it was asked for here, by whichever process.
  bool has(const std::string& transaction) const;
  bool is_latest(const std::string& transaction) const { return !all_.empty() && all_.back().uid == transaction; }
  /// How long ago the latest one was asked for, if the peer said that it will report on it; negative if not.
  double seconds_since_accepted() const;

 private:
  struct Request {
    std::string uid;
    std::int64_t asked_at_s = 0;  ///< since 1970
    bool accepted = false;
  };
  void keep() const;

  std::string path_;
  std::vector<Request> all_;  ///< the latest ones, in their turn
};

}  // namespace isocenter::detail::dicom
