#pragma once
// The operators over DICOMweb; see isocenter/dicom/dicomweb_find.hpp and its neighbours.
#include <isocenter/dicom/dicomweb_fetch.hpp>
#include <isocenter/dicom/dicomweb_find.hpp>
#include <isocenter/dicom/dicomweb_send.hpp>
#include <isocenter/dicom/dicomweb_source.hpp>

#include "series_volumes.hpp"
#include "web/web_client.hpp"
#include "web/web_retrieve.hpp"

namespace isocenter::detail::dicom {

/// From parameters with the members that web_parameters describes. Throws Failure with the parameter that is wrong.
template <class P>
WebPeer web_peer_of(const P& p, std::int64_t attempts) {
  WebPeer peer;
  peer.url = p.url;
  peer.token_file = p.token_file;
  peer.token_variable = p.token_variable;
  peer.tls = {p.tls_certificate, p.tls_key, p.tls_authorities};
  peer.timeout_s = static_cast<int>(p.timeout_s);
  peer.attempts = static_cast<int>(attempts);
  require_valid(peer);
  return peer;
}

/// Throws Failure(invalid_argument) unless it is a UID or "*".
void require_transfer_syntax(const std::string& text);

class DicomwebFindOperator : public OperatorBase<DicomwebFind> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

class DicomwebFetchOperator : public OperatorBase<DicomwebFetch> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  void fetch_instances(WebClient& client, const RunContext& run) const;
  int fetch_files(WebClient& client) const;
};

class DicomwebSendOperator : public OperatorBase<DicomwebSend> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;
};

class DicomwebSourceOperator : public OperatorBase<DicomwebSource> {
 public:
  void plan(PlanContext& plan) override;
  void run(const RunContext& run) override;

 private:
  std::string fetch(WebClient& client, const WebResource& series) const;

  SeriesVolumes volumes_;
  std::vector<WebResource> series_;
  std::string first_;  ///< the folder of the series that preparing fetched
  std::size_t next_ = 0;
};

}  // namespace isocenter::detail::dicom
