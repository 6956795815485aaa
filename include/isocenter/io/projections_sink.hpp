#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Projections into a stack and a geometry file for other programs.
///
/// | port  | payload     | shape                  | unit |
/// |-------|-------------|------------------------|------|
/// | input | Projections | views × rows × columns | any  |
///
/// The stack is an image of columns × rows × views in float32, by its ending as image_sink writes it. Its spacing is
/// that of view 0, and its origin puts (0, 0) of the detector's coordinates at the detector's centre. The geometry, by
/// its ending: .xml RTK's geometry, version 3; .txt 3x4 matrices from the patient frame (LPS, mm) to elements; .csv
/// gantry angles (IEC 61217). docs/recon/geometry.md has the formats. Files appear whole or not at all.
///
/// Errors: those of image_sink; unsupported, with the view, when the format has no place for a geometry: .xml and .csv
/// need columns and rows at right angles and one spacing for all views, .txt and .csv a flat detector.
struct ProjectionsSink {
  static constexpr const char* name = "projections_sink";
  static constexpr const char* module = "io";
  static constexpr const char* summary =
      "Projections into an image stack and a geometry file (RTK XML, matrices, angles).";
  static constexpr const char* help =
      "One stack and one geometry for each item; with several items both paths number them: scan_%02d.mha.";
  static constexpr bool host_only = true;
  struct Params {
    std::string path;
    std::string geometry;
    bool compress = false;
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::path, "path", "Stack ending in .mha, .mhd, .nrrd, .nii or .nii.gz; %04d is the item's number.",
                isocenter::required | isocenter::path),
          param(
              &Params::geometry, "geometry",
              "Geometry ending in .xml (RTK), .txt (3x4 matrices) or .csv (gantry angles); %04d is the item's number.",
              isocenter::required | isocenter::path),
          param(&Params::compress, "compress", "Compress .mha, .mhd and .nrrd; .nii.gz is compressed by its name."),
      };
    }
  };
  struct Ports {
    In<Projections> input{"input", "What is written."};
    static constexpr auto describe() { return std::tuple{&Ports::input}; }
  };
};

}  // namespace isocenter::inline v1
