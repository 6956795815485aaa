// The operators in a pipeline, loaded as the run-time module that they are.
#include <gmock/gmock.h>

#include <fstream>
#include <isocenter/dicom/dicom_deidentify.hpp>
#include <isocenter/dicom/dicom_inspect.hpp>
#include <isocenter/dicom/dicom_secondary_capture_sink.hpp>
#include <isocenter/dicom/dicom_seg_sink.hpp>
#include <isocenter/dicom/dicom_series_sink.hpp>
#include <isocenter/dicom/dicom_series_source.hpp>
#include <isocenter/isocenter.hpp>

#include "dicom/synthetic_series.hpp"
#include "dicom/validate.hpp"

namespace {

namespace ic = isocenter;
namespace fs = std::filesystem;
using namespace isocenter::testing;
using ::testing::HasSubstr;

ic::Context context_with_dicom() {
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  ic::Context context(options);
  context.load_module(std::string(ISOCENTER_MODULE_DIR) + "/isocenter_dicom.so");
  return context;
}

const ic::Context& context() {
  static const ic::Context c = context_with_dicom();
  return c;
}

const fs::path chest = fs::path(ISOCENTER_SOURCE_DIR) / "phantoms" / "ct_chest_lidc-idri-0314";

/// The source's volume, owned by the caller.
ic::Volume load_series(const ic::DicomSeriesSource::Params& params) {
  ic::Pipeline pipeline(context());
  const auto source = pipeline.add<ic::DicomSeriesSource>("study", params);
  pipeline.add_output("volume", source.output);
  ic::Session session = pipeline.prepare();
  session.start();
  auto item = session.pull("volume");
  if (!item) session.wait();
  return ic::Volume(context().copy_to(*item, "cpu"));
}

template <class Op, class P>
void write(const typename Op::Params& params, const P& payload) {
  ic::Pipeline pipeline(context());
  const auto input = pipeline.add_input("input", P(payload.description()));
  const auto sink = pipeline.add<Op>("sink", params);
  pipeline.connect(input, sink.input);
  ic::Session session = pipeline.prepare();
  session.start();
  session.push("input", payload);
  session.end_input("input");
  session.wait();
}

TEST(DicomOperators, TheChestComesWithItsGeometryUnitAndAttributes) {
  const ic::Volume v = load_series({.path = chest.string()});
  EXPECT_EQ(v.nx(), 512);
  EXPECT_EQ(v.nz(), 60);
  EXPECT_EQ(v.unit(), "HU");
  const ic::Geometry g = v.geometry();
  EXPECT_NEAR(g.spacing_mm[0], 0.78125, 1e-9);
  EXPECT_NEAR(g.spacing_mm[2], 4.0, 1e-4);
  EXPECT_NEAR(g.origin_mm[2], -651.800049, 1e-6);
  EXPECT_EQ(v.text("dicom.Modality"), "CT");
  EXPECT_EQ(v.numbers("dicom.ImagePositionPatient").size(), 180U);
  EXPECT_FALSE(v.text("dicom.context").empty());
  const auto values = v.values();
  EXPECT_EQ(*std::min_element(values.begin(), values.end()), -1000);
  EXPECT_EQ(*std::max_element(values.begin(), values.end()), 1927);
}

TEST(DicomOperators, AFaultIsRefusedWhilePlanningAndNamesTheNode) {
  const ScratchFolder folder;
  write_series(folder.path(), 5);
  fs::remove(folder / "s001.dcm");
  ic::Pipeline pipeline(context());
  pipeline.add<ic::DicomSeriesSource>("study", {.path = folder.string()});
  pipeline.add_output("volume", "study", "output");
  try {
    pipeline.prepare();
    FAIL();
  } catch (const ic::Error& e) {
    EXPECT_EQ(e.code(), ic::ErrorCode::bad_data);
    EXPECT_THAT(e.what(), HasSubstr("'study'"));
    EXPECT_THAT(e.what(), HasSubstr("1 slice is missing at -7.5 mm"));
  }
}

TEST(DicomOperators, RemediesAreChosenByParameter) {
  const ScratchFolder folder;
  write_series(folder.path(), 5);
  fs::remove(folder / "s001.dcm");
  EXPECT_EQ(load_series({.path = folder.string(), .uneven_spacing = ic::DicomFault::remedy}).nz(), 5);
}

TEST(DicomOperators, WarningsAboutTheFolderStandInTheReport) {
  const ScratchFolder folder;
  write_series(folder.path(), 3);
  std::ofstream(folder / "empty.dcm").close();
  ic::Pipeline pipeline(context());
  pipeline.add<ic::DicomSeriesSource>("study", {.path = folder.string()});
  pipeline.add_output("volume", "study", "output");
  EXPECT_THAT(pipeline.prepare().report(), HasSubstr("'empty.dcm': the file is empty"));
}

TEST(DicomOperators, InspectGivesItsReportAsFacts) {
  const ScratchFolder folder;
  write_series(folder.path(), 3);
  ic::Pipeline pipeline(context());
  pipeline.add<ic::DicomInspect>("inspect", {.path = folder.string()});
  ic::Session session = pipeline.prepare();
  const std::string report = session.report();
  EXPECT_THAT(report, HasSubstr("dicom.report.text"));
  EXPECT_THAT(report, HasSubstr("stack 1: 3 images, 7 x 6 x 3"));
  session.run();
}

TEST(DicomOperators, NothingIsPrintedWhateverTheFilesHold) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  for (const char* folder : {"malformed", "syntax", "modalities", "series_problems"}) {
    ic::Pipeline pipeline(context());
    pipeline.add<ic::DicomInspect>("inspect", {.path = (fs::path(ISOCENTER_TEST_DATA) / folder).string()});
    pipeline.prepare();
  }
  const ScratchFolder out;
  const fs::path mr = fs::path(ISOCENTER_TEST_DATA) / "series_problems" / "mr_hitachi_oblique";
  write<ic::DicomSeriesSink>({.path = (out / "out").string()}, load_series({.path = mr.string()}));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(DicomOperators, AVolumeGoesOutAndComesBackWithItsPatient) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.set = {{0x00100030, "19700101"}};
  write_series(folder / "in", 4, 0, 2, s);
  const ic::Volume v = load_series({.path = (folder / "in").string()});
  write<ic::DicomSeriesSink>({.path = (folder / "out").string(), .derivation = ic::DicomDerivation::smoothing}, v);
  for (const auto& entry : fs::directory_iterator(folder / "out")) EXPECT_EQ(validation_errors(entry.path()), "");
  const ic::Volume again = load_series({.path = (folder / "out").string()});
  EXPECT_TRUE(std::equal(v.values().begin(), v.values().end(), again.values().begin(), again.values().end()));
  EXPECT_EQ(again.text("dicom.StudyInstanceUID"), "1.2.3");
  EXPECT_NE(again.text("dicom.SeriesInstanceUID"), v.text("dicom.SeriesInstanceUID"));
}

TEST(DicomOperators, ProvenanceBeyondAsciiLeavesTheCharacterSetAlone) {
  const ScratchFolder folder;
  SyntheticSlice s;
  s.set = {{0x00080005, "ISO_IR 100"}, {0x00100010, "M\xFCller"}};
  const fs::path in = folder /
                      "Gr\xC3\xB6\xC3\x9F"
                      "e";  // in the provenance by the source's path
  write_series(in, 2, 0, 2, s);
  ic::Pipeline pipeline(context());
  const auto source = pipeline.add<ic::DicomSeriesSource>("study", {.path = in.string()});
  const auto sink = pipeline.add<ic::DicomSeriesSink>("sink", {.path = (folder / "out").string()});
  pipeline.connect(source.output, sink.input);
  pipeline.prepare().run();
  std::ifstream file(folder / "out" / "IM00001.dcm", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(bytes, HasSubstr("ISO_IR 100"));
  EXPECT_THAT(bytes, HasSubstr("M\xFCller"));
  EXPECT_THAT(bytes, HasSubstr("Gr\\u00f6\\u00dfe"));
  EXPECT_EQ(validation_errors(folder / "out" / "IM00001.dcm"), "");
}

TEST(DicomOperators, ASegmentationOfTheChestIsValid) {
  const ScratchFolder folder;
  const ic::Volume v = load_series({.path = chest.string()});
  ic::Segmentation s = ic::Segmentation::describe(v.nx(), v.ny(), v.nz(), v.geometry());
  context().allocate(s);
  const auto hu = v.values();
  const auto labels = s.labels().span<std::uint8_t>();
  for (std::size_t i = 0; i < hu.size(); ++i) labels[i] = hu[i] > 300 ? 2 : hu[i] < -700 ? 1 : 0;
  s.inherit_attributes(v);
  s.set_text("labels.names", "background\\lung\\bone\\lesion");
  const double colours[] = {0, 0, 0, 0.4, 0.7, 1, 1, 1, 0.8, 1, 0, 0};
  s.set_numbers("labels.colours", colours);
  write<ic::DicomSegSink>({.path = (folder / "seg.dcm").string()}, s);
  EXPECT_EQ(validation_errors(folder / "seg.dcm"), "");
}

TEST(DicomOperators, ALabelWithoutACodeIsRefusedUntilItHasOne) {
  const ScratchFolder folder;
  ic::Segmentation s = ic::Segmentation::describe(4, 3, 2, ic::Geometry({1, 1, 1}, {0, 0, 0}));
  context().allocate(s);
  s.labels().span<std::uint8_t>()[5] = 1;
  s.set_text("labels.names", "background\\thingamajig");
  const std::string path = (folder / "seg.dcm").string();
  try {
    write<ic::DicomSegSink>({.path = path}, s);
    FAIL();
  } catch (const ic::Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("no coded concept is known for label 1, 'thingamajig'"));
  }
  write<ic::DicomSegSink>(
      {.path = path, .codes = "thingamajig = 49755003^SCT^Morphologically Abnormal Structure / 4147007^SCT^Mass"}, s);
  EXPECT_EQ(validation_errors(path), "");
}

TEST(DicomOperators, FramesOfSeveralItemsBecomeOneCapture) {
  const ScratchFolder folder;
  const fs::path file = folder / "sc.dcm";
  ic::Frames f = ic::Frames::describe(3, 20, 30, 0.04);
  context().allocate(f);
  ic::Pipeline pipeline(context());
  const auto input = pipeline.add_input("input", ic::Frames(f.description()));
  const auto sink = pipeline.add<ic::DicomSecondaryCaptureSink>("sink", {.path = file.string()});
  pipeline.connect(input, sink.input);
  ic::Session session = pipeline.prepare();
  session.start();
  for (int i = 0; i < 2; ++i) session.push("input", f);
  session.end_input("input");
  session.wait();
  EXPECT_EQ(validation_errors(file), "");
}

TEST(DicomOperators, ACancelledCaptureLeavesNoFile) {
  const ScratchFolder folder;
  ic::Frames f = ic::Frames::describe(1, 20, 30, 0.04);
  context().allocate(f);
  {
    ic::Pipeline pipeline(context());
    const auto input = pipeline.add_input("input", ic::Frames(f.description()));
    const auto sink = pipeline.add<ic::DicomSecondaryCaptureSink>("sink", {.path = (folder / "sc.dcm").string()});
    pipeline.connect(input, sink.input);
    ic::Session session = pipeline.prepare();
    session.start();
    session.push("input", f);
    session.cancel();
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(DicomOperators, AnOutputFolderThatIsNotEmptyIsRefusedWhilePlanning) {
  const ScratchFolder folder;
  write_series(folder.path(), 2);
  const ic::Volume v = load_series({.path = folder.string()});
  try {
    write<ic::DicomSeriesSink>({.path = folder.string()}, v);
    FAIL();
  } catch (const ic::Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("is not empty"));
  }
}

TEST(DicomOperators, TextsLongerThanDicomAllowsNameTheParameter) {
  const ScratchFolder folder;
  write_series(folder / "in", 2);
  const ic::Volume v = load_series({.path = (folder / "in").string()});
  try {
    write<ic::DicomSeriesSink>({.path = (folder / "out").string(), .series_description = std::string(65, 'x')}, v);
    FAIL();
  } catch (const ic::Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("series_description has 65 characters, DICOM allows 64"));
  }
}

TEST(DicomOperators, APipelineOfOneNodeDeidentifiesAFolderAndReports) {
  const ScratchFolder folder;
  write_series(folder / "in", 3);
  ic::Pipeline pipeline(context());
  pipeline.add<ic::DicomDeidentify>("deidentify", {.path = (folder / "in").string(),
                                                   .output = (folder / "out").string(),
                                                   .report = (folder / "report.json").string()});
  pipeline.prepare().run();
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "out"), {}), 3);
  std::ifstream file(folder / "report.json");
  EXPECT_THAT(std::string((std::istreambuf_iterator<char>(file)), {}), HasSubstr("\"files_written\": 3"));
  EXPECT_EQ(load_series({.path = (folder / "out").string()}).nz(), 3);
}

TEST(DicomOperators, DeidentifyingRefusesAKeyThatCanBeGuessedAndAnOutputInTheInput) {
  const ScratchFolder folder;
  write_series(folder / "in", 1);
  const auto error = [&](const ic::DicomDeidentify::Params& params) -> std::string {
    try {
      ic::Pipeline pipeline(context());
      pipeline.add<ic::DicomDeidentify>("deidentify", params);
      pipeline.prepare();
    } catch (const ic::Error& e) {
      return e.what();
    }
    return {};
  };
  const auto with_key = [&](std::size_t bytes) {
    std::ofstream(folder / "key") << std::string(bytes, 'k');
    return error({.path = folder / "in", .output = folder / "out", .key_file = folder / "key"});
  };
  EXPECT_THAT(with_key(15), HasSubstr("/key' has 15 bytes, and a key has at least 16. Fix: "));
  EXPECT_EQ(with_key(16), "");
  EXPECT_THAT(error({.path = folder / "in", .output = folder / "out", .key_file = folder / "none"}),
              HasSubstr("/none' cannot be read. Fix: "));
  for (const char* inside : {"in/out", "in/a/../b/out", "out/../in/out"})
    EXPECT_THAT(error({.path = folder / "in", .output = folder / inside}), HasSubstr("lies in the input")) << inside;
  EXPECT_EQ(error({.path = folder / "in", .output = folder / "in2"}), "");
}

}  // namespace
