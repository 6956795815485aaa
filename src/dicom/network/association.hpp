#pragma once
// One association that we open: negotiated, used, and released, or aborted when something threw.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/dimse.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "peer.hpp"

namespace isocenter::detail::dicom {

/// What we ask the peer to accept: a SOP class in one of these transfer syntaxes.
struct ContextProposal {
  std::string sop_class;
  std::vector<std::string> syntaxes;
  bool peer_sends = false;  ///< role reversed: the peer sends us instances of it (C-GET)
};

/// More than an association can carry (PS3.8 section 9.3.2.2: odd numbers up to 255).
inline constexpr std::size_t most_contexts = 128;

/// Implicit and explicit little endian, in that order of trust: every peer has the first.
std::vector<std::string> uncompressed_syntaxes();

/// Takes DCMTK's own words off the terminal, and sees to its data dictionary. Thread-safe; called by Association and
/// Listener.
void use_dcmnet();

/// While it lives, what DCMTK's parser logs on this thread stays off the terminal (see DcmtkLog of toolkit.hpp, whose
/// mark this is); for threads of ours.
class QuietThread {
 public:
  QuietThread();
  QuietThread(const QuietThread&) = delete;
  QuietThread& operator=(const QuietThread&) = delete;
  ~QuietThread();
};

/// Throws Failure with one sentence that names the peer, what was being done, and the reason: io_error for what the
/// network did, unsupported and invalid_argument for what the peer refused, bad_data for what it said.
[[noreturn]] void fail_with(const Peer& peer, const std::string& doing, const OFCondition& condition);
/// The same, or bad_data when the peer sent on this association what is not taken.
[[noreturn]] void fail_with(T_ASC_Association* association, const Peer& peer, const std::string& doing,
                            const OFCondition& condition);

/// Sends what we write at once, and acknowledges what comes at once: DCMTK writes a message in small pieces, and each
/// costs 40 ms when one end collects pieces (RFC 896) while the other one delays its acknowledgement (RFC 1122,
/// 4.2.3.2). The latter holds until we send something; call it again then.
void hurry(T_ASC_Association* association);

class Association {
 public:
  /// Connects and negotiates; throws Failure when the peer cannot be reached, rejects us, or accepts no context.
  Association(const Peer& peer, const std::vector<ContextProposal>& proposals);
  Association(const Association&) = delete;
  Association& operator=(const Association&) = delete;
  /// Aborts unless it was released: the peer must not take half a conversation for a whole one.
  ~Association();

  /// The accepted presentation context for a SOP class, in `syntax` unless that is empty; 0 for none.
  T_ASC_PresentationContextID context(const std::string& sop_class, const std::string& syntax = "") const;
  /// The same; throws Failure(unsupported) instead of 0.
  T_ASC_PresentationContextID require_context(const std::string& sop_class, const std::string& what) const;

  /// C-ECHO (PS3.7 section 9.1.5).
  void echo();
  /// The peer agrees to the end. Failing to hear its answer is no error: nothing is outstanding.
  void release();

  DIC_US next_message() { return association_->nextMsgID++; }
  T_ASC_Association* get() { return association_; }
  const Peer& peer() const { return peer_; }

 private:
  void destroy();

  Peer peer_;
  T_ASC_Network* network_ = nullptr;
  T_ASC_Association* association_ = nullptr;
};

/// "0xa700, out of resources": a DIMSE status in words (PS3.7 annex C, PS3.4).
std::string status_text(std::uint16_t status);

}  // namespace isocenter::detail::dicom
