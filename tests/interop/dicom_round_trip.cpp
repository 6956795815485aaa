// Reads a series and writes all that the dicom module can write of it, for dicom_round_trip.py to look at with other
// people's eyes. Which voxels are labelled is a function of their place in the patient, so that the script needs no
// geometry of ours to know where the labels have to be.
//
//   dicom_round_trip isocenter_dicom.so SERIES OUT cx cy cz r1 r2
//
//   dicom_round_trip isocenter_dicom.so PET_SERIES OUT ACQUISITION
//
// Label 1 ("lung") within r1 mm of (cx, cy, cz), label 2 ("lesion") within r2 < r1. Of a PET series the Enhanced
// PET object with these statements, and reports: of the boxes [2, 6] x [3, 5] x [1, 4] and [0, 1]^3 in voxels, of
// [2, 6] x [3, 5] in slice 2, of no box, and of classes: slice k is a lesion with the probability (k + 1) / 10.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <isocenter/dicom/dicom_classification_sink.hpp>
#include <isocenter/dicom/dicom_detections_sink.hpp>
#include <isocenter/dicom/dicom_encapsulated_pdf_sink.hpp>
#include <isocenter/dicom/dicom_parametric_map_sink.hpp>
#include <isocenter/dicom/dicom_presentation_state_sink.hpp>
#include <isocenter/dicom/dicom_report_sink.hpp>
#include <isocenter/dicom/dicom_secondary_capture_sink.hpp>
#include <isocenter/dicom/dicom_seg_sink.hpp>
#include <isocenter/dicom/dicom_series_sink.hpp>
#include <isocenter/dicom/dicom_series_source.hpp>
#include <isocenter/dicom/dicom_structure_set_sink.hpp>
#include <isocenter/dicom/segment_measurements.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/volume/detections.hpp>

namespace ic = isocenter;

namespace {

constexpr const char* lesion_of_lung =
    "lesion = 49755003^SCT^Morphologically Abnormal Structure / 52988006^SCT^Lesion / 39607008^SCT^Lung";

ic::Volume read(const ic::Context& context, const std::string& path) {
  ic::Pipeline pipeline(context);
  const auto source = pipeline.add<ic::DicomSeriesSource>("study", {.path = path});
  pipeline.add_output("volume", source.output);
  ic::Session session = pipeline.prepare();
  session.start();
  auto item = session.pull("volume");
  if (!item) session.wait();
  return ic::Volume(context.copy_to(*item, "cpu"));
}

template <class Op, class P>
void write(const ic::Context& context, const typename Op::Params& params, const P& payload) {
  ic::Pipeline pipeline(context);
  const auto input = pipeline.add_input("input", P(payload.description()));
  const auto sink = pipeline.add<Op>("sink", params);
  pipeline.connect(input, sink.input);
  ic::Session session = pipeline.prepare();
  session.start();
  session.push("input", payload);
  session.end_input("input");
  session.wait();
}

ic::Segmentation spheres(const ic::Context& context, const ic::Volume& v, const double* centre, double r1, double r2) {
  ic::Segmentation s = ic::Segmentation::describe(v.nx(), v.ny(), v.nz(), v.geometry());
  context.allocate(s);
  std::uint8_t* label = s.labels().span<std::uint8_t>().data();
  for (int k = 0; k < v.nz(); ++k)
    for (int j = 0; j < v.ny(); ++j)
      for (int i = 0; i < v.nx(); ++i) {
        const auto p = v.geometry().position_mm(i, j, k);
        const double d = std::hypot(p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]);
        *label++ = d < r2 ? 2 : d < r1 ? 1 : 0;
      }
  s.inherit_attributes(v);
  s.set_text("labels.names", "background\\lung\\lesion");
  const double colours[] = {0, 0, 0, 0.2, 0.6, 1, 1, 0, 0};
  s.set_numbers("labels.colours", colours);
  return s;
}

/// Of each label its probability: 1 within, 0.5 in the background for label 1.
ic::Volume probabilities(const ic::Context& context, const ic::Segmentation& s) {
  const ic::TensorView labels = s.labels();
  const std::int64_t n = labels.count();
  ic::Volume v{ic::Payload(ISOCENTER_VOLUME)};
  v.set_tensor("voxels",
               ic::tensor(ic::DType::float32, "czyx", {3, labels.extent('z'), labels.extent('y'), labels.extent('x')}));
  v.set_geometry(s.geometry());
  v.set_text("unit", "1");
  context.allocate(v);
  float* p = v.values().data();
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t i = 0; i < n; ++i) {
      const int label = labels.as<std::uint8_t>()[i];
      *p++ = label == c ? 1.0F : c == 1 && label == 0 ? 0.5F : 0.0F;
    }
  v.inherit_attributes(s);
  return v;
}

/// segment_measurements into dicom_report_sink.
void report(const ic::Context& context, const std::string& out, const ic::Segmentation& s, const ic::Volume& v) {
  ic::Pipeline pipeline(context);
  const auto segments = pipeline.add_input("segments", ic::Segmentation(s.description()));
  const auto values = pipeline.add_input("values", ic::Volume(v.description()));
  const auto measured = pipeline.add<ic::SegmentMeasurements>("measure", {});
  const auto sink =
      pipeline.add<ic::DicomReportSink>("report", {.path = out + "/sr.dcm", .segmentation_path = out + "/sr_seg.dcm"});
  pipeline.connect(segments, measured.segmentation);
  pipeline.connect(values, measured.volume);
  pipeline.connect(measured.output, sink.input);
  ic::Session session = pipeline.prepare();
  session.start();
  session.push("segments", s);
  session.push("values", v);
  session.end_input("segments");
  session.end_input("values");
  session.wait();
}

/// A detector's table of boxes with their scores into dicom_detections_sink.
void report_boxes(const ic::Context& context, const std::string& path, const ic::Volume& v,
                  const ic::Detections::Params& found, const std::vector<float>& numbers) {
  const int columns = 2 * found.dimensions + 1;
  ic::Volume table{ic::Payload(ISOCENTER_VOLUME)};
  table.set_tensor(
      "voxels", ic::tensor(ic::DType::float32, "yx", {static_cast<std::int64_t>(numbers.size()) / columns, columns}));
  table.set_geometry(ic::Geometry());
  context.allocate(table);
  std::copy(numbers.begin(), numbers.end(), table.values().data());
  ic::Pipeline pipeline(context);
  const auto boxes = pipeline.add<ic::Detections>("boxes", found);
  const auto sink = pipeline.add<ic::DicomDetectionsSink>("report", {.path = path, .codes = lesion_of_lung});
  pipeline.connect(pipeline.add_input("volume", ic::Volume(v.description())), boxes.volume);
  pipeline.connect(pipeline.add_input("table", ic::Volume(table.description())), boxes.candidates);
  pipeline.connect(boxes.output, sink.input);
  ic::Session session = pipeline.prepare();
  session.start();
  session.push("volume", v);
  session.push("table", table);
  session.end_input("volume");
  session.end_input("table");
  session.wait();
}

/// What classify_image gives, for dicom_classification_sink.
ic::Volume classes(const ic::Context& context, const ic::Volume& v) {
  std::vector<double> scores;
  for (int k = 0; k < v.nz(); ++k) scores.insert(scores.end(), {0.1 * (k + 1), 1 - 0.1 * (k + 1)});
  ic::Volume c{ic::Payload(ISOCENTER_VOLUME)};
  c.set_tensor("voxels", ic::tensor(ic::DType::float32, "czyx", {2, v.nz(), 1, 1}));
  c.set_geometry(v.geometry());
  c.set_text("unit", "1");
  context.allocate(c);
  for (std::size_t i = 0; i < scores.size(); ++i)
    c.values()[i % 2 * (scores.size() / 2) + i / 2] = static_cast<float>(scores[i]);
  c.inherit_attributes(v);
  c.set_text("labels.names", "lesion\\lung");
  c.set_numbers("classification.scores", scores);
  c.set_text("classification.scale", "softmax");
  c.set_text("classification.model", "findings.onnx");
  c.set_text("classification.model_sha256", std::string(64, 'a'));
  return c;
}

ic::Frames pictures(const ic::Context& context, const ic::Volume& v) {
  ic::Frames f = ic::Frames::describe(4, 37, 51, 0.04);
  context.allocate(f);
  std::uint8_t* p = f.pixels().span<std::uint8_t>().data();
  for (int n = 0; n < 4; ++n)
    for (int y = 0; y < 37; ++y)
      for (int x = 0; x < 51; ++x) {
        *p++ = static_cast<std::uint8_t>(5 * x);
        *p++ = static_cast<std::uint8_t>(6 * y);
        *p++ = static_cast<std::uint8_t>(60 * n);
      }
  f.inherit_attributes(v);
  return f;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 9 && argc != 5) {
    std::fprintf(stderr,
                 "usage: dicom_round_trip MODULE SERIES OUT cx cy cz r1 r2, or MODULE SERIES OUT ACQUISITION\n");
    return 2;
  }
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  ic::Context context(options);
  context.load_module(argv[1]);
  const std::string out = argv[3];
  const ic::Volume volume = read(context, argv[2]);
  if (argc == 5) {
    write<ic::DicomSeriesSink>(
        context, {.path = out + "/enhanced", .form = ic::DicomSeriesForm::enhanced, .acquisition = argv[4]}, volume);
    report_boxes(context, out + "/boxes.dcm", volume, {.names = "lesion"},
                 {0, 0, 0, 1, 1, 1, 0.625F, 2, 3, 1, 6, 5, 4, 0.875F});
    report_boxes(context, out + "/planar.dcm", volume, {.names = "lesion", .dimensions = 2, .slice = 2},
                 {2, 3, 6, 5, 0.75F});
    report_boxes(context, out + "/none.dcm", volume, {.names = "lesion"}, {0, 0, 0, 1, 1, 1, 0.25F});
    write<ic::DicomClassificationSink>(context, {.path = out + "/classes.dcm", .codes = lesion_of_lung},
                                       classes(context, volume));
    return 0;
  }
  const double centre[] = {std::atof(argv[4]), std::atof(argv[5]), std::atof(argv[6])};
  write<ic::DicomSeriesSink>(context, {.path = out + "/series"}, volume);
  for (const auto& [name, compression] : {std::pair{"rle", ic::DicomLosslessCompression::rle},
                                          std::pair{"jpeg_ls", ic::DicomLosslessCompression::jpeg_ls},
                                          std::pair{"jpeg_2000", ic::DicomLosslessCompression::jpeg_2000}})
    write<ic::DicomSeriesSink>(
        context, {.path = out + "/enhanced_" + name, .form = ic::DicomSeriesForm::enhanced, .compression = compression},
        volume);
  write<ic::DicomSeriesSink>(
      context, {.path = out + "/legacy_converted", .form = ic::DicomSeriesForm::legacy_converted}, volume);
  const ic::Segmentation segments = spheres(context, volume, centre, std::atof(argv[7]), std::atof(argv[8]));
  write<ic::DicomSegSink>(context, {.path = out + "/seg.dcm"}, segments);
  write<ic::DicomSegSink>(context, {.path = out + "/fractional.dcm"}, probabilities(context, segments));
  write<ic::DicomStructureSetSink>(context, {.path = out + "/rtss.dcm"}, segments);
  write<ic::DicomParametricMapSink>(context, {.path = out + "/map.dcm"}, volume);
  write<ic::DicomPresentationStateSink>(
      context,
      {.path = out + "/pr.dcm", .annotations = std::string(argv[4]) + " " + argv[5] + " " + argv[6] + " = the centre"},
      volume);
  report(context, out, segments, volume);
  std::ofstream(out + "/a.pdf") << "%PDF-1.4\n%%EOF\n";
  write<ic::DicomEncapsulatedPdfSink>(context, {.path = out + "/pdf.dcm", .document = out + "/a.pdf"}, volume);
  const ic::Frames frames = pictures(context, volume);
  for (const auto& [name, compression] :
       {std::pair{"none", ic::DicomFrameCompression::none}, std::pair{"rle", ic::DicomFrameCompression::rle},
        std::pair{"jpeg", ic::DicomFrameCompression::jpeg}})
    write<ic::DicomSecondaryCaptureSink>(context, {.path = out + "/sc_" + name + ".dcm", .compression = compression},
                                         frames);
  return 0;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "dicom_round_trip: %s\n", e.what());
  return 1;
}
