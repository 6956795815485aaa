#pragma once
#include <isocenter/dicom/dicom_series_sink.hpp>
#include <isocenter/dicom/object_parameters.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class DicomFrameCompression { none, rle, jpeg };

/// Colour pictures as one Multi-frame True Color Secondary Capture object (PS3.3 A.8.5) that viewers play as a cine.
///
/// | port  | payload | shape                  | unit |
/// |-------|---------|------------------------|------|
/// | input | Frames  | n × height × width × 3 | sRGB |
///
/// All items' frames, in order, become one object. FrameTime comes from the frames' time step unless frames_per_second
/// is set. Patient and study are those of the source that the "dicom.*" attributes carry, with references to its
/// images. rle is lossless, jpeg (baseline) is not and says so in the object. Memory: all frames as they are written.
///
/// Errors: bad_data without frames or a rate; unsupported beyond 65535 pixels, or 4 GiB uncompressed; io_error with the
/// path. The file appears whole or not at all; a cancelled session leaves none.
struct DicomSecondaryCaptureSink {
  static constexpr const char* name = "dicom_secondary_capture_sink";
  static constexpr const char* module = "dicom";
  static constexpr const char* summary = "Colour frames into a multi-frame DICOM secondary capture with cine timing.";
  static constexpr const char* help = "Frames are compressed on all cores as they come.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    DicomFrameCompression compression = DicomFrameCompression::jpeg;
    std::int64_t jpeg_quality = 90;
    double frames_per_second = 0;
    std::string series_description = "Rendered by Isocenter";
    std::int64_t series_number = 1003;
    DicomDerivation derivation = DicomDerivation::volume_rendering;
    std::string derivation_description;
    std::string manufacturer = "Isocenter";
    std::string model_name = "Isocenter SDK";
    std::string device_serial_number = "1";
    static constexpr const char* compressions[] = {"none", "rle", "jpeg"};
    static constexpr auto describe() {
      return std::tuple_cat(
          std::tuple{
              param(&Params::path, "path", "File to write.", isocenter::required | isocenter::path),
              choice(&Params::compression, "compression", compressions,
                     "none, rle (lossless) or jpeg (baseline, lossy)."),
              param(&Params::jpeg_quality, "jpeg_quality", Unit::none, 1, 100, "100 is the best."),
              param(&Params::frames_per_second, "frames_per_second", Unit::hz, 0, 240,
                    "How fast it plays; 0: as the frames' time step says."),
          },
          series_parameters<Params>(),
          std::tuple{
              choice(&Params::derivation, "derivation", dicom_derivation_choices, "DerivationCodeSequence."),
              param(&Params::derivation_description, "derivation_description",
                    "DerivationDescription, at most 1024 characters; empty: the operators of the provenance."),
          },
          equipment_parameters<Params>());
    }
  };
  struct Ports {
    In<Frames> input{"input", "The pictures."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
