// A chest CT from its DICOM folder to a segmentation, a picture of it and a DICOM SEG that refers to the source.
// Wires are typed: a wrong one does not compile. The larger pipeline is examples/pipelines/ct_study.yaml.
#include <filesystem>
#include <isocenter/denoise/non_local_means.hpp>
#include <isocenter/dicom/dicom_seg_sink.hpp>
#include <isocenter/dicom/dicom_series_source.hpp>
#include <isocenter/infer/segment_volume.hpp>
#include <isocenter/io/png_sink.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/render/volume_render.hpp>

namespace ic = isocenter;

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::fprintf(stderr, "usage: 02_study_pipeline DICOM_FOLDER MODEL.onnx OUTPUT_FOLDER\n");
    return 2;
  }
  const std::string folder = argv[1], model = argv[2], output = argv[3];
  std::filesystem::create_directories(output);

  const ic::Context context;
  ic::Pipeline pipeline(context);
  const auto series = pipeline.add<ic::DicomSeriesSource>("series", {.path = folder});
  const auto denoise = pipeline.add<ic::NonLocalMeans>("denoise", {.search_radius = 2});
  const auto segment = pipeline.add<ic::SegmentVolume>("segment", {.model = model});
  const auto render = pipeline.add<ic::VolumeRender>(
      "render", {.preset = ic::TransferPreset::ct_chest, .width = 320, .height = 320, .frames = 1});
  const auto picture = pipeline.add<ic::PngSink>("picture", {.path = output + "/chest.png"});
  const auto seg = pipeline.add<ic::DicomSegSink>("seg", {.path = output + "/chest_seg.dcm"});
  pipeline.connect(series.output, denoise.input);
  pipeline.connect(denoise.output, segment.input);
  pipeline.connect(denoise.output, render.input);
  pipeline.connect(segment.output, render.segmentation);
  pipeline.connect(segment.output, seg.input);
  pipeline.connect(render.output, picture.input);

  ic::Session session = pipeline.prepare({.device = "best", .memory_bytes = std::uint64_t{8} << 30});
  session.run();
  std::printf("wrote %s/chest.png and %s/chest_seg.dcm\n", output.c_str(), output.c_str());
  return 0;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "02_study_pipeline: %s\n", e.what());
  return 1;
}
