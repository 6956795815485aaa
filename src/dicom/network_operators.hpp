#pragma once
// The operators over the network; see isocenter/dicom/dicom_echo.hpp and its neighbours.
#include <isocenter/dicom/dicom_echo.hpp>
#include <isocenter/dicom/dicom_fetch.hpp>
#include <isocenter/dicom/dicom_find.hpp>
#include <isocenter/dicom/dicom_receive_source.hpp>
#include <isocenter/dicom/dicom_send.hpp>
#include <memory>

#include "network/listener.hpp"
#include "network/outbox.hpp"
#include "network/peer.hpp"
#include "network/query.hpp"
#include "series_volumes.hpp"

namespace isocenter::detail::dicom {

/// From parameters with the members that tls_parameters describes.
template <class P>
TlsFiles tls_of(const P& p) {
  return {p.tls_certificate, p.tls_key, p.tls_authorities};
}

/// From parameters with the members that peer_parameters and tls_parameters describe.
template <class P>
Peer peer_of(const P& p) {
  Peer peer;
  peer.host = p.host;
  peer.port = static_cast<int>(p.port);
  peer.called_ae = p.called_ae;
  peer.calling_ae = p.calling_ae;
  peer.timeout_s = static_cast<int>(p.timeout_s);
  peer.max_pdu = static_cast<long>(p.max_pdu);
  peer.tls = tls_of(p);
  require_valid(peer);
  return peer;
}

/// "PatientID=1, StudyDate": keys separated by newlines (values may hold commas). Throws Failure(invalid_argument).
std::vector<QueryKey> query_keys(const std::string& text);
/// "STUDY"
std::string level_name(DicomQueryLevel level);
/// A query with the level's unique keys asked for, and what people want to see of it.
std::vector<QueryKey> with_usual_keys(DicomQueryModel model, DicomQueryLevel level, std::vector<QueryKey> keys);

/// A file itself, or all below a folder but DICOMDIRs; none for "". Throws Failure(not_found).
std::vector<std::string> files_below(const std::string& path);
/// What became of an outbox, as metrics, warnings and, when instances are left or were refused, a Failure.
/// The sentence says that so many instances were `undone`.
void report_delivery(const RunContext& run, const Outbox::Delivery& done, const std::string& outbox,
                     const char* undone);

class DicomEchoOperator : public OperatorBase<DicomEcho> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

class DicomFindOperator : public OperatorBase<DicomFind> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

class DicomFetchOperator : public OperatorBase<DicomFetch> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

class DicomSendOperator : public OperatorBase<DicomSend> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

/// "What. Fix: do this." as what and fix.
std::pair<std::string, std::string> what_and_fix(const std::string& text);

/// A listener and what a node does with its events.
class Reception {
 public:
  using Complain = std::function<void(const std::string& what, const std::string& fix)>;
  void open(const DicomReceiveSource::Params& params);
  void close() { listener_.reset(); }
  /// Waits for the next whole series; its folder, or "" when `give_up` says so.
  std::string next_series(const std::function<bool()>& give_up, const Complain& complain);
  std::uint64_t accepted() const { return listener_->accepted(); }

 private:
  std::unique_ptr<Listener> listener_;
};

class DicomReceiveOperator : public OperatorBase<DicomReceive> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
  void finish(bool) override { reception_.close(); }

 private:
  Reception reception_;
  std::int64_t series_ = 0;
};

class DicomReceiveSourceOperator : public OperatorBase<DicomReceiveSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
  void finish(bool) override { reception_.close(); }

 private:
  Reception reception_;
  SeriesVolumes volumes_;
  std::string first_;  ///< the series that preparing waited for
  std::int64_t series_ = 0;
};

}  // namespace isocenter::detail::dicom
