#pragma once
// Where DCMTK puts the data set that it receives.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcostrma.h>

#include <cstdint>
#include <new>
#include <vector>

namespace isocenter::detail::dicom {

/// Keeps bytes up to a limit. Beyond it they are taken and forgotten: DCMTK, told of a failure, waits for a further
/// piece of the message even after its last one.
class MemoryConsumer final : public DcmConsumer {
 public:
  MemoryConsumer(std::vector<std::uint8_t>& bytes, std::uint64_t limit) : bytes_(bytes), limit_(limit) {}
  /// All that came was kept.
  bool complete() const { return !full_; }
  OFBool good() const override { return OFTrue; }
  OFCondition status() const override { return EC_Normal; }
  OFBool isFlushed() const override { return OFTrue; }
  offile_off_t avail() const override { return 1 << 30; }
  offile_off_t write(const void* data, offile_off_t count) override {
    const auto* first = static_cast<const std::uint8_t*>(data);
    full_ = full_ || static_cast<std::uint64_t>(count) > limit_ - bytes_.size();
    if (full_) return count;
    try {
      bytes_.insert(bytes_.end(), first, first + count);
    } catch (const std::bad_alloc&) {
      full_ = true;
    }
    return count;
  }
  void flush() override {}

 private:
  std::vector<std::uint8_t>& bytes_;
  std::uint64_t limit_;
  bool full_ = false;
};

class MemoryStream final : public DcmOutputStream {
 public:
  explicit MemoryStream(MemoryConsumer* consumer) : DcmOutputStream(consumer) {}
};

}  // namespace isocenter::detail::dicom
