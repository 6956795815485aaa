// Boxes of a detector, and classes of images, in structured reports: valid, and what was found.
#include <gmock/gmock.h>

#include <isocenter/dicom/dicom_classification_sink.hpp>
#include <isocenter/dicom/dicom_detections_sink.hpp>
#include <isocenter/dicom/dicom_parametric_map_sink.hpp>
#include <isocenter/dicom/dicom_series_sink.hpp>
#include <isocenter/dicom/dicom_series_source.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/volume/detections.hpp>

#include "dicom/segment_codes.hpp"
#include "dicom/synthetic_series.hpp"
#include "dicom/validate.hpp"
#include "dicom/validate_object.hpp"
#include "dicom/write_detections.hpp"
#include "dicom/written_objects.hpp"

namespace {

using namespace isocenter::testing;
using isocenter::Failure;
using ::testing::AllOf;
using ::testing::HasSubstr;

DetectionsToWrite two_boxes(bool planar) {
  DetectionsToWrite d;
  d.classes.resize(2);
  for (std::size_t i = 0; i < 2; ++i) {
    d.classes[i].label = static_cast<int>(i) + 1;
    d.classes[i].name = i == 0 ? "lesion" : "nodule";
    find_segment_codes(d.classes[i].name, d.classes[i]);
  }
  d.classes[1].anatomy = Code{"39607008", "SCT", "Lung"};
  d.planar = planar;
  const double numbers[28] = {2, 0.875, 1,  2, 3, 4,   0,   0, 0,    5,   0, 0, 0, 6,
                              1, 0.25,  -7, 0, 9, 0.6, 0.8, 0, -0.8, 0.6, 0, 0, 0, 1};
  d.boxes = boxes_of(numbers, 2);
  return d;
}

/// All items of a content tree with a concept, depth first.
void find_content(DcmItem& item, const std::string& code, std::vector<DcmItem*>& found) {
  for (unsigned long i = 0;; ++i) {
    DcmItem* child = nullptr;
    if (item.findAndGetSequenceItem(DCM_ContentSequence, child, static_cast<long>(i)).bad()) return;
    DcmItem* name = nullptr;
    OFString value;
    if (child->findAndGetSequenceItem(DCM_ConceptNameCodeSequence, name).good())
      name->findAndGetOFString(DCM_CodeValue, value);
    if (value == code.c_str()) found.push_back(child);
    find_content(*child, code, found);
  }
}

std::vector<float> points(DcmItem& item) {
  const Float32* numbers = nullptr;
  unsigned long count = 0;
  EXPECT_TRUE(item.findAndGetFloat32Array(DCM_GraphicData, numbers, &count).good());
  return {numbers, numbers + count};
}

TEST(DicomDetections, AReportOfBoxesIsValidAndSaysWhereTheyAreAndHowCertain) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  for (const bool planar : {false, true}) {
    const fs::path file = folder / (planar ? "planar.dcm" : "volume.dcm");
    write_detections(file.string(), two_boxes(planar), source.metadata, description());
    EXPECT_EQ(validation_errors(file), "");
    for (const Violation& v : validate_object(file.string())) EXPECT_FALSE(v.error) << v.attribute << ' ' << v.what;
    EXPECT_EQ(value(file, DCM_StudyInstanceUID), source.metadata.study_uid);
    DcmFileFormat format;
    ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
    std::vector<DcmItem*> regions, certainties;
    find_content(*format.getDataset(), planar ? "111030" : "121231", regions);
    find_content(*format.getDataset(), "111012", certainties);
    ASSERT_EQ(regions.size(), planar ? 2U : 4U);
    ASSERT_EQ(certainties.size(), 2U);
    const float z = planar ? 6.0F : 3.0F;  // the middle of the box, or its first face
    EXPECT_EQ(points(*regions[0]), (std::vector<float>{1, 2, z, 5, 2, z, 5, 7, z, 1, 7, z, 1, 2, z}));
    if (!planar) {
      EXPECT_EQ(points(*regions[1]), (std::vector<float>{1, 2, 9, 5, 2, 9, 5, 7, 9, 1, 7, 9, 1, 2, 9}));
    }
    OFString frame, certainty;
    regions[0]->findAndGetOFString(DCM_ReferencedFrameOfReferenceUID, frame);
    EXPECT_EQ(frame.c_str(), source.metadata.frame_of_reference_uid);
    DcmItem* measured = nullptr;
    ASSERT_TRUE(certainties[0]->findAndGetSequenceItem(DCM_MeasuredValueSequence, measured).good());
    measured->findAndGetOFString(DCM_NumericValue, certainty);
    EXPECT_EQ(certainty, "87.5");
  }
}

TEST(DicomDetections, AReportWithoutABoxIsValidToo) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  DetectionsToWrite none = two_boxes(false);
  none.boxes.clear();
  write_detections((folder / "none.dcm").string(), none, source.metadata, description());
  EXPECT_EQ(validation_errors(folder / "none.dcm"), "");
}

TEST(DicomDetections, RefusesScoresThatAreNoProbabilitiesAndVolumesWithoutAFrameOfReference) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  DetectionsToWrite d = two_boxes(false);
  d.boxes[1].score = 1.5;
  const auto error = [&](const SourceMetadata& metadata) -> std::string {
    try {
      write_detections((folder / "bad.dcm").string(), d, metadata, description());
    } catch (const Failure& e) {
      return e.what();
    }
    return {};
  };
  EXPECT_THAT(error(source.metadata), HasSubstr("box 2 has the score 1.5"));
  EXPECT_THAT(error({}), HasSubstr("FrameOfReferenceUID (0020,0052)"));
  EXPECT_FALSE(fs::exists(folder / "bad.dcm"));
  const double label[14] = {3, 0.5};
  EXPECT_THROW(boxes_of(label, 2), Failure);
  EXPECT_THROW(boxes_of({label, 13}, 2), Failure);
}

namespace ic = isocenter;

const ic::Context& module() {
  static const ic::Context context = [] {
    isocenter_context_options options{};
    options.struct_size = sizeof options;
    options.flags = ISOCENTER_CONTEXT_NO_MODULES;
    ic::Context c(options);
    c.load_module(std::string(ISOCENTER_MODULE_DIR) + "/isocenter_dicom.so");
    return c;
  }();
  return context;
}

ic::Volume filled(const char* axes, std::initializer_list<std::int64_t> shape, const std::vector<float>& values) {
  ic::Volume v{ic::Payload(ISOCENTER_VOLUME)};
  v.set_tensor("voxels", ic::tensor(ic::DType::float32, axes, shape));
  v.set_geometry(ic::Geometry());
  v.set_text("unit", "");
  module().allocate(v);
  std::copy(values.begin(), values.end(), v.values().begin());
  return v;
}

TEST(DicomDetections, APipelineLeadsFromADetectorsTableToTheReport) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  ic::Pipeline pipeline(module());
  ic::DicomSeriesSource::Params series;
  series.path = folder / "in";
  const auto source = pipeline.add<ic::DicomSeriesSource>("series", series);
  const ic::Volume table = filled("yx", {2, 7}, {1, 2, 1, 4, 5, 3, 0.75F, 1, 2, 1, 4, 5, 3, 0.625F});
  ic::Detections::Params found;
  found.names = "lesion";
  const auto boxes = pipeline.add<ic::Detections>("detections", found);
  ic::DicomDetectionsSink::Params to;
  to.path = folder / "boxes.dcm";
  const auto sink = pipeline.add<ic::DicomDetectionsSink>("report", to);
  pipeline.connect(source.output, boxes.volume);
  pipeline.connect(pipeline.add_input("table", ic::Volume(table.description())), boxes.candidates);
  pipeline.connect(boxes.output, sink.input);
  ic::Session session = pipeline.prepare();
  session.start();
  session.push("table", table);
  session.end_input("table");
  session.wait();
  EXPECT_EQ(validation_errors(folder / "boxes.dcm"), "");
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename((folder / "boxes.dcm").c_str())).good());
  std::vector<DcmItem*> regions;
  find_content(*format.getDataset(), "121231", regions);
  ASSERT_EQ(regions.size(), 2U);
  // The first voxel's corner is half a voxel before its centre: equation C.7.6.2.1-1 of PS3.3.
  const Source loaded(folder / "in");
  const auto corner = loaded.volume.geometry.position_mm(0.5, 1.5, 0.5);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(points(*regions[0])[i], corner[i], 1e-4);
  const auto opposite = loaded.volume.geometry.position_mm(3.5, 4.5, 2.5);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(points(*regions[1])[6 + i], opposite[i], 1e-4);
}

/// What classify_image would give for the series' slices: softmax over lesion and nodule.
ic::Volume classified(const ic::Volume& series, const std::vector<double>& scores) {
  const std::int64_t images = static_cast<std::int64_t>(scores.size()) / 2;
  ic::Volume v = filled("czyx", {2, images, 1, 1}, std::vector<float>(scores.size()));
  v.set_geometry(series.geometry());
  v.inherit_attributes(series);
  v.set_text("labels.names", "lesion\\normal");
  v.set_numbers("classification.scores", scores);
  v.set_text("classification.scale", "softmax");
  v.set_text("classification.model", "findings.onnx");
  v.set_text("classification.model_sha256", std::string(64, 'a'));
  return v;
}
ic::Volume read_series(const fs::path& folder) {
  ic::Pipeline pipeline(module());
  ic::DicomSeriesSource::Params series;
  series.path = folder;
  pipeline.add_output("volume", pipeline.add<ic::DicomSeriesSource>("series", series).output);
  ic::Session session = pipeline.prepare();
  session.start();
  return ic::Volume(module().copy_to(*session.pull("volume"), "cpu"));
}
void write_classes(const ic::DicomClassificationSink::Params& params, const ic::Volume& v) {
  ic::Pipeline pipeline(module());
  const auto sink = pipeline.add<ic::DicomClassificationSink>("report", params);
  pipeline.connect(pipeline.add_input("input", ic::Volume(v.description())), sink.input);
  ic::Session session = pipeline.prepare();
  session.start();
  session.push("input", v);
  session.end_input("input");
  session.wait();
}

TEST(DicomClassification, AReportNamesTheClassItsCertaintyItsImageAndTheNetwork) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const Source source(folder / "in");
  const ic::Volume series = read_series(folder / "in");
  std::vector<double> scores;  // the second image is a lesion, none else is certain of anything
  for (std::int64_t i = 0; i < series.nz(); ++i) {
    const double lesion = i == 1 ? 0.875 : 0.625;
    scores.insert(scores.end(), {lesion, 1 - lesion});
  }
  ic::DicomClassificationSink::Params params;
  params.path = folder / "classes.dcm";
  params.score_from = 0.75;
  params.codes = "normal = 404684003^SCT^Finding / 17621005^SCT^Normal";
  write_classes(params, classified(series, scores));
  const fs::path file = params.path;
  EXPECT_EQ(validation_errors(file), "");
  for (const Violation& v : validate_object(file.string())) EXPECT_FALSE(v.error) << v.attribute << ' ' << v.what;
  EXPECT_EQ(value(file, DCM_StudyInstanceUID), source.metadata.study_uid);
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  const auto items = [&](const char* code) {
    std::vector<DcmItem*> found;
    find_content(*format.getDataset(), code, found);
    return found;
  };
  const auto text = [](DcmItem* item, const DcmTagKey& sequence, const DcmTagKey& tag) {
    OFString value;
    DcmItem* inner = item;
    if (sequence != DCM_Item) {
      EXPECT_TRUE(item->findAndGetSequenceItem(sequence, inner).good());
    }
    inner->findAndGetOFStringArray(tag, value);
    return std::string(value.c_str());
  };
  ASSERT_EQ(items("125007").size(), 1U);
  ASSERT_EQ(items("121071").size(), 1U);
  EXPECT_EQ(text(items("121071")[0], DCM_ConceptCodeSequence, DCM_CodeValue), "52988006");
  EXPECT_EQ(text(items("111012")[0], DCM_MeasuredValueSequence, DCM_NumericValue), "87.5");
  EXPECT_EQ(text(items("111001")[0], DCM_Item, DCM_TextValue), "findings.onnx");
  EXPECT_EQ(text(items("111003")[0], DCM_Item, DCM_TextValue), "SHA-256 " + std::string(64, 'a'));
  ASSERT_EQ(items("121112").size(), 1U);
  EXPECT_EQ(text(items("121112")[0], DCM_ReferencedSOPSequence, DCM_ReferencedSOPInstanceUID),
            source.metadata.slices[1].sop_instance_uid);
  params.score_from = 0.1;
  params.most = 2;
  write_classes(params, classified(series, scores));
  EXPECT_EQ(validation_errors(file), "");
  ASSERT_TRUE(format.loadFile(OFFilename(file.c_str())).good());
  EXPECT_EQ(items("125007").size(), scores.size());
}

TEST(DicomClassification, WarnsOfImagesThatNoImageOfTheSourceLiesNear) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const ic::Volume series = read_series(folder / "in");
  const auto warnings = [&](double away_mm) {
    ic::Volume v = classified(series, {0.75, 0.25, 0.75, 0.25});
    ic::Geometry g = v.geometry();
    const auto normal = g.axis(2);
    for (std::size_t i = 0; i < 3; ++i) g.origin_mm[i] += away_mm * normal[i];
    v.set_geometry(g);
    ic::DicomClassificationSink::Params params;
    params.path = folder / "classes.dcm";
    params.codes = "normal = 404684003^SCT^Finding / 17621005^SCT^Normal";
    ic::Pipeline pipeline(module());
    pipeline.connect(pipeline.add_input("input", ic::Volume(v.description())),
                     pipeline.add<ic::DicomClassificationSink>("report", params).input);
    return pipeline.prepare().report();
  };
  EXPECT_THAT(warnings(0), ::testing::Not(HasSubstr("names no source image")));
  // The series has four slices, the volume two: by 3.5 steps the first lies near the last slice, and the second beyond.
  EXPECT_THAT(warnings(3.5 * series.geometry().spacing_mm[2]),
              HasSubstr("1 of 2 images, the first of them image 2, lie farther than a slice from every image of the"));
}

TEST(DicomClassification, RefusesScoresThatAreNoProbabilitiesAndClassesWithoutACode) {
  const ScratchFolder folder;
  write_oblique(folder / "in");
  const ic::Volume series = read_series(folder / "in");
  ic::DicomClassificationSink::Params params;
  params.path = folder / "classes.dcm";
  const auto error = [&](const ic::Volume& v) -> std::string {
    try {
      write_classes(params, v);
    } catch (const ic::Error& e) {
      return e.what();
    }
    return {};
  };
  EXPECT_THAT(error(classified(series, {0.5, 0.5})), HasSubstr("label 1, 'normal'"));
  params.codes = "normal = 404684003^SCT^Finding / 17621005^SCT^Normal";
  EXPECT_THAT(error(classified(series, {1.5, 0.5})), HasSubstr("image 1 has the score 1.5"));
  ic::Volume v = classified(series, {0.5, 0.5});
  v.set_text("classification.scale", "none");
  EXPECT_THAT(error(v), HasSubstr("set activation of classify_image"));
  EXPECT_THAT(error(series), HasSubstr("put the node classify_image before this one"));
  EXPECT_FALSE(fs::exists(params.path));
}

TEST(DicomParametricMap, HoldsTheChannelThatWasAskedFor) {
  const ScratchFolder folder;
  std::vector<float> values(2 * 2 * 3 * 4);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.01F * static_cast<float>(i);
  const ic::Volume probabilities = filled("czyx", {2, 2, 3, 4}, values);
  const auto write = [&](int channel) {
    ic::DicomParametricMapSink::Params params;
    params.path = folder / "map.dcm";
    params.unit_code = "1^UCUM^no units";
    params.channel = channel;
    ic::Pipeline pipeline(module());
    const auto sink = pipeline.add<ic::DicomParametricMapSink>("map", params);
    pipeline.connect(pipeline.add_input("input", ic::Volume(probabilities.description())), sink.input);
    ic::Session session = pipeline.prepare();
    session.start();
    session.push("input", probabilities);
    session.end_input("input");
    session.wait();
  };
  write(1);
  EXPECT_EQ(validation_errors(folder / "map.dcm"), "");
  DcmFileFormat format;
  ASSERT_TRUE(format.loadFile(OFFilename((folder / "map.dcm").c_str())).good());
  const Float32* floats = nullptr;
  unsigned long count = 0;
  ASSERT_TRUE(format.getDataset()->findAndGetFloat32Array(DCM_FloatPixelData, floats, &count).good());
  EXPECT_TRUE(std::equal(values.begin() + 24, values.end(), floats, floats + count));
  const auto error = [&](int channel) -> std::string {
    try {
      write(channel);
    } catch (const ic::Error& e) {
      return e.what();
    }
    return {};
  };
  EXPECT_THAT(error(2),
              AllOf(HasSubstr("channel = 2 of a volume with 2 channels"), HasSubstr("Fix: set channel to 0 ... 1")));
  EXPECT_THAT(error(-1),
              AllOf(HasSubstr("the volume has 2 channels (axes czyx)"), HasSubstr("Fix: set channel to 0 ... 1;")));
}

TEST(DicomSinks, SayOfChannelsThatOneHasToBeSelectedAndOfTimesThatOneHasToBeGiven) {
  const ScratchFolder folder;
  const auto error = [&](const char* axes) -> std::string {
    ic::DicomSeriesSink::Params params;
    params.path = folder / "out";
    ic::Pipeline pipeline(module());
    pipeline.connect(pipeline.add_input("input", ic::Volume(filled(axes, {2, 2, 3, 4}, {}).description())),
                     pipeline.add<ic::DicomSeriesSink>("series", params).input);
    try {
      pipeline.prepare();
    } catch (const ic::Error& e) {
      return e.what();
    }
    return {};
  };
  EXPECT_THAT(error("czyx"), AllOf(HasSubstr("axes 'czyx'"), HasSubstr("Fix: put the node select_channel before")));
  EXPECT_THAT(error("tzyx"), AllOf(HasSubstr("axes 'tzyx'"), HasSubstr("Fix: give one time point at a time")));
}

}  // namespace
