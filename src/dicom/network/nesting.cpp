#include "nesting.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcvr.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <isocenter/error.hpp>
#include <vector>

namespace isocenter::detail::dicom {
namespace {

constexpr std::uint32_t undefined_length = 0xffffffff;
constexpr std::uint32_t item = 0xfffee000, item_end = 0xfffee00d, sequence_end = 0xfffee0dd;

class Walk {
 public:
  Walk(std::span<const std::uint8_t> bytes, const std::string& syntax)
      : bytes_(bytes), big_(DcmXfer(syntax.c_str()).isBigEndian()), explicit_(DcmXfer(syntax.c_str()).isExplicitVR()) {}

  void go() {
    while (at_ + 8 <= bytes_.size()) {
      while (!open_.empty() && at_ >= open_.back().end) open_.pop_back();
      const std::uint32_t tag = tag_at(at_);
      if (tag == item_end || tag == sequence_end) {
        at_ += 8;
        if (!open_.empty()) open_.pop_back();
        continue;
      }
      if (tag == item) {
        const std::uint32_t length = number(at_ + 4, 4);
        at_ += 8;
        if (in_fragments()) {
          skip(length);
          continue;
        }
        open(length, Kind::item);
        continue;
      }
      element();
    }
  }

 private:
  enum class Kind { sequence, unknown_sequence, item, fragments };
  struct Level {
    Kind kind;
    std::uint64_t end;
  };

  std::uint32_t number(std::uint64_t at, int count) const {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i)
      value |= static_cast<std::uint32_t>(bytes_[at + static_cast<std::uint64_t>(i)])
               << (8 * (big_ ? count - 1 - i : i));
    return value;
  }
  std::uint32_t tag_at(std::uint64_t at) const { return number(at, 2) << 16U | number(at + 2, 2); }
  bool in_fragments() const { return !open_.empty() && open_.back().kind == Kind::fragments; }
  /// Within a value of unknown VR and unknown length everything is implicit (PS3.5 section 6.2.2).
  bool explicit_here() const {
    for (const Level& level : open_)
      if (level.kind == Kind::unknown_sequence) return false;
    return explicit_;
  }

  void skip(std::uint32_t length) {
    if (length == undefined_length || length > bytes_.size() - at_)
      at_ = bytes_.size();
    else
      at_ += length;
  }

  void open(std::uint32_t length, Kind kind) {
    open_.push_back({kind, length == undefined_length ? bytes_.size() + 1 : at_ + length});
    if (open_.size() > 2 * deepest_nesting_sent)  // a sequence and its item
      throw Failure(ErrorCode::bad_data,
                    "its sequences are nested more than " + std::to_string(deepest_nesting_sent) + " levels deep",
                    "have the sender check the object; real ones stay below ten");
  }

  void element() {
    const bool pixel_data = tag_at(at_) == 0x7fe00010;
    std::uint32_t length = 0;
    bool sequence = false, unknown = !explicit_here();
    if (explicit_here()) {
      const char name[3] = {static_cast<char>(bytes_[at_ + 4]), static_cast<char>(bytes_[at_ + 5]), '\0'};
      const DcmVR vr(name);
      sequence = vr.getEVR() == EVR_SQ;
      unknown = !sequence && vr.getEVR() != EVR_OB && vr.getEVR() != EVR_OW;
      const bool wide = vr.usesExtendedLengthEncoding();
      if (wide && at_ + 12 > bytes_.size()) {
        at_ = bytes_.size();
        return;
      }
      length = wide ? number(at_ + 8, 4) : number(at_ + 6, 2);
      at_ += wide ? 12 : 8;
    } else {
      length = number(at_ + 4, 4);
      at_ += 8;
    }
    // Implicit elements do not say that they are sequences: one that begins with an item may be.
    const bool begins_with_item = at_ + 8 <= bytes_.size() && tag_at(at_) == item;
    if (length == undefined_length)
      open(length, pixel_data ? Kind::fragments : sequence ? Kind::sequence : Kind::unknown_sequence);
    else if (sequence || (unknown && begins_with_item && !pixel_data))
      open(length, Kind::sequence);
    else
      skip(length);
  }

  std::span<const std::uint8_t> bytes_;
  bool big_, explicit_;
  std::uint64_t at_ = 0;
  std::vector<Level> open_;
};

}  // namespace

void require_shallow(std::span<const std::uint8_t> data_set, const std::string& transfer_syntax) {
  Walk(data_set, transfer_syntax).go();
}

}  // namespace isocenter::detail::dicom
