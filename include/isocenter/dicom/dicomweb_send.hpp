#pragma once
#include <isocenter/dicom/delivery_parameters.hpp>
#include <isocenter/dicom/web_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Sends DICOM files to a DICOMweb service (STOW-RS, PS3.18 section 10.5) by way of an outbox on disk, as dicom_send
/// does: what was put there is sent after a crash or when the server is back, and once, as far as QIDO-RS tells what is
/// there. See docs/dicom/web.md.
///
/// Metrics: delivered, found_there, refused, left. Errors: bad_data for a path that holds no DICOM file; io_error when
/// instances are left, with the first reason.
struct DicomwebSend {
  static constexpr const char* name = "dicomweb_send";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary =
      "Sends DICOM files to a DICOMweb service (STOW-RS), durably: after a crash too, and once.";
  static constexpr const char* help =
      "Files that the server refuses for good lie in the outbox's folder failed, each with the reason beside it.";
  static constexpr bool host_only = true;
  struct Params : WebParameters, OutboxParameters {
    std::int64_t batch = 50;
    static constexpr auto describe() {
      return std::tuple_cat(web_parameters<Params>(), outbox_parameters<Params>(),
                            std::tuple{param(&Params::batch, "batch", Unit::none, 1, 10000,
                                             "How many instances in one request, up to 128 MiB.")},
                            retry_parameters<Params>());
    }
  };
  struct Ports {
    static constexpr auto describe() { return std::tuple{}; }
  };
};

}  // namespace isocenter::inline v1
