// X-ray, gamma camera and visible light objects (make_frame_samples.py) through the operators: values, pictures,
// angles, index vectors, volumes and typed headers against closed forms and the standard's definitions.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <isocenter/dicom/dicom_frames_source.hpp>
#include <isocenter/dicom/dicom_header.hpp>
#include <isocenter/dicom/dicom_projections_source.hpp>
#include <isocenter/dicom/dicom_series_source.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/recon/acquisition.hpp>
#include <iterator>
#include <optional>

#include "dicom/synthetic_series.hpp"

namespace {

namespace ic = isocenter;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string data = std::string(ISOCENTER_TEST_DATA) + "/frames/";

ic::Context context_with_dicom() {
  isocenter_context_options options{};
  options.struct_size = sizeof options;
  options.flags = ISOCENTER_CONTEXT_NO_MODULES;
  ic::Context context(options);
  context.load_module(std::string(ISOCENTER_MODULE_DIR) + "/isocenter_dicom.so");
  return context;
}

struct Result {
  ic::Payload payload;
  std::string report;
};

/// What an operator with one output makes.
template <class Operator>
Result output_of(const typename Operator::Params& params) {
  ic::Context context = context_with_dicom();
  ic::Pipeline pipeline(context);
  const auto node = pipeline.add<Operator>("node", params);
  pipeline.add_output("out", node.output);
  ic::Session session = pipeline.prepare();
  session.start();
  const std::optional<ic::Payload> made = session.pull("out");
  if (!made) session.wait();  // throws the item's error
  return {context.copy_to(made.value(), "cpu"), session.report()};
}

Result values_of(const std::string& name, std::int64_t first = 1, std::int64_t count = 0) {
  return output_of<ic::DicomProjectionsSource>({.path = data + name, .first_frame = first, .frames = count});
}
Result pictures_of(const std::string& name) { return output_of<ic::DicomFramesSource>({.path = data + name}); }

template <class F>
std::string refusal_of(F&& f) {
  try {
    f();
  } catch (const ic::Error& e) {
    return e.what();
  }
  return "(not refused)";
}

std::vector<double> numbers(const Result& r, const char* name) {
  const auto n = r.payload.numbers(name);
  return {n.begin(), n.end()};
}

/// Frame n of every sample has 100 n + 10 y + x, but no more than its format holds.
int stored(int n, int y, int x) { return 100 * n + 10 * y + x; }

void expect_values(const Result& r, int frames, int rows, int columns, double slope, double intercept, int first = 0) {
  const ic::TensorView views = ic::Projections(r.payload).views();
  ASSERT_EQ(views.extent('n'), frames);
  ASSERT_EQ(views.extent('v'), rows);
  ASSERT_EQ(views.extent('u'), columns);
  const auto values = views.span<float>();
  std::size_t i = 0;
  for (int n = 0; n < frames; ++n)
    for (int y = 0; y < rows; ++y)
      for (int x = 0; x < columns; ++x)
        ASSERT_FLOAT_EQ(values[i++], static_cast<float>(slope * stored(first + n, y, x) + intercept))
            << n << " " << y << " " << x;
}

TEST(DicomFrameKinds, AnAngiographyHasItsValuesTimesAndTheAnglesOfEachFrame) {
  const Result r = values_of("xa.dcm");
  expect_values(r, 3, 6, 8, 1, 0);
  EXPECT_THAT(numbers(r, "dicom.PositionerPrimaryAngle"), ElementsAre(-45, 0, 45)) << "an offset for each frame";
  EXPECT_THAT(numbers(r, "dicom.PositionerSecondaryAngle"), ElementsAre(0, 10, 20)) << "one increment for all steps";
  EXPECT_THAT(numbers(r, "dicom.frame_times_s"), ElementsAre(0, 0.04, 0.08));
  EXPECT_THAT(r.report, HasSubstr("ImagerPixelSpacing (0018,1164)"));
  const ic::Geometry g = r.payload.geometry();
  EXPECT_DOUBLE_EQ(g.spacing_mm[0], 0.3);
  EXPECT_DOUBLE_EQ(g.spacing_mm[1], 0.4);
  const auto x = ic::DicomHeader(r.payload).xray();
  EXPECT_EQ(x.intensity_relationship, "LIN");
  EXPECT_EQ(x.intensity_sign, 1);
  EXPECT_EQ(x.source_to_detector_mm, 1200);
  EXPECT_EQ(x.source_to_patient_mm, 800);
  EXPECT_EQ(x.magnification, 1.5);
  EXPECT_EQ(x.primary_angle_deg, -45);
  EXPECT_EQ(x.dose_area_product_dgy_cm2, 12.5);
}

/// Where a point of the patient, mm from the isocentre, is seen: columns and rows from the picture's centre.
std::array<double, 2> seen(const Result& r, std::size_t view, const ic::Vector3& point, double columns, double rows) {
  const auto p = detector_point(ic::views_of(r.payload)[view], ic::Beam::cone, ic::DetectorShape::flat, point);
  return {p.column - 0.5 * (columns - 1), p.row - 0.5 * (rows - 1)};
}

TEST(DicomFrameKinds, TheViewsOfAnAngiographyLieAsTheStandardDefinesItsAngles) {
  // PS3.3 C.8.7.5.1.2: 0 / 0 has the patient face the detector, +90 is the left side, +90 of the second the head.
  const Result r = values_of("xa.dcm");
  const auto views = ic::views_of(r.payload);
  ASSERT_EQ(views.size(), 3U);
  for (std::size_t n = 0; n < 3; ++n) {
    const ic::View& v = views[n];
    const double alpha = (-45.0 + 45.0 * static_cast<double>(n)) * M_PI / 180;
    const double beta = 10.0 * static_cast<double>(n) * M_PI / 180;
    const ic::Vector3 centre = v.element_mm(3.5, 2.5);
    EXPECT_NEAR(centre[0], 400 * std::cos(beta) * std::sin(alpha), 1e-9) << "left of the isocentre";
    EXPECT_NEAR(centre[1], -400 * std::cos(beta) * std::cos(alpha), 1e-9) << "before the chest";
    EXPECT_NEAR(centre[2], 400 * std::sin(beta), 1e-9) << "towards the head";
    for (std::size_t k = 0; k < 3; ++k) EXPECT_NEAR(v.source_mm[k], -2 * centre[k], 1e-9);
    EXPECT_DOUBLE_EQ(v.time_s, 0.04 * static_cast<double>(n));
    EXPECT_NEAR(seen(r, n, {0, 0, 0}, 8, 6)[0], 0, 1e-9);
  }
  const Result e = values_of("enhanced_xa.dcm");
  EXPECT_THAT(numbers(e, "dicom.PositionerPrimaryAngle"), ElementsAre(90, 0)) << "of the frames' functional groups";
  // From the left side: the back on the right, the head above. Magnified by 1000 / 750 in pixels of 0.2 mm.
  const double scale = 1000.0 / 750 / 0.2;
  EXPECT_NEAR(seen(e, 0, {0, 3, 0}, 6, 4)[0], 3 * scale, 1e-9);
  EXPECT_NEAR(seen(e, 0, {0, 0, 3}, 6, 4)[1], -3 * scale, 1e-9);
  // From above the head: the left on the right, the chest below.
  EXPECT_NEAR(seen(e, 1, {3, 0, 0}, 6, 4)[0], 3 * scale, 1e-9);
  EXPECT_NEAR(seen(e, 1, {0, -3, 0}, 6, 4)[1], 3 * scale, 1e-9);
}

/// The values of a sample whose data set was changed.
template <class Edit>
Result values_after(const char* name, const Edit& edit) {
  const ic::testing::ScratchFolder folder;
  const std::string path = (folder / name).string();
  DcmFileFormat file;
  EXPECT_TRUE(file.loadFile(OFFilename((data + name).c_str())).good());
  edit(*file.getDataset());
  EXPECT_TRUE(file.saveFile(OFFilename(path.c_str())).good());
  return output_of<ic::DicomProjectionsSource>({.path = path});
}

TEST(DicomFrameKinds, FramesWhoseAnglesAreNotKnownHaveNoneAndNoViews) {
  const auto without = [](const DcmTagKey& tag) { return [tag](DcmItem& d) { d.findAndDeleteElement(tag); }; };
  const auto with = [](const DcmTagKey& tag, const char* value) {
    return [tag, value](DcmItem& d) { EXPECT_TRUE(d.putAndInsertString(tag, value).good()); };
  };
  const auto expect_none = [](const Result& r, const char* angle, const char* reason) {
    EXPECT_THAT(numbers(r, angle), ::testing::IsEmpty());
    EXPECT_TRUE(ic::views_of(r.payload).empty());
    EXPECT_THAT(r.report, HasSubstr(reason));
  };
  const char *primary = "dicom.PositionerPrimaryAngle", *secondary = "dicom.PositionerSecondaryAngle";
  expect_none(values_after("xa.dcm", without(DCM_PositionerPrimaryAngleIncrement)), primary,
              "none: PositionerPrimaryAngle (0018,1510) is that of the first frame, and "
              "PositionerPrimaryAngleIncrement (0018,1520) cannot be used for the others");
  expect_none(values_after("xa.dcm", with(DCM_PositionerSecondaryAngleIncrement, "")), secondary,
              "PositionerSecondaryAngleIncrement (0018,1521) is missing and PositionerMotion (0018,1500) = 'DYNAMIC'");
  expect_none(values_after("xa.dcm", with(DCM_PositionerPrimaryAngleIncrement, "0\\45")), primary,
              "PositionerPrimaryAngleIncrement (0018,1520) has 2 values");
  const auto still = [](const char* motion) {
    return [motion](DcmItem& d) {
      d.findAndDeleteElement(DCM_PositionerPrimaryAngleIncrement);
      d.findAndDeleteElement(DCM_PositionerSecondaryAngleIncrement);
      d.putAndInsertString(DCM_PositionerMotion, motion);
    };
  };
  expect_none(values_after("xa.dcm", still("")), primary, "PositionerMotion (0018,1500) = '' is not STATIC");
  const Result r = values_after("xa.dcm", still("STATIC"));
  EXPECT_THAT(numbers(r, primary), ElementsAre(-45, -45, -45));
  EXPECT_EQ(ic::views_of(r.payload).size(), 3U);
}

TEST(DicomFrameKinds, APictureBesideTheCentralRayOrAslantToItHasNoViews) {
  const auto field = [](const char* origin, float rows_mm) {
    return [origin, rows_mm](DcmItem& d) {
      DcmItem *shared = nullptr, *item = nullptr;
      ASSERT_TRUE(d.findOrCreateSequenceItem(DCM_SharedFunctionalGroupsSequence, shared).good());
      ASSERT_TRUE(shared->findOrCreateSequenceItem(DCM_FieldOfViewSequence, item).good());
      item->putAndInsertString(DCM_FieldOfViewOrigin, origin);
      const Float32 shown[2] = {rows_mm, 400}, whole[2] = {300, 400};
      item->putAndInsertFloat32Array(DCM_FieldOfViewDimensionsInFloat, shown, 2);
      d.putAndInsertFloat32Array(DCM_PhysicalDetectorSize, whole, 2);
    };
  };
  EXPECT_EQ(ic::views_of(values_after("enhanced_xa.dcm", field("0\\0", 300)).payload).size(), 2U) << "all of it";
  for (const auto& r :
       {values_after("enhanced_xa.dcm", field("0\\0", 200)), values_after("enhanced_xa.dcm", field("16\\0", 300)),
        values_after("xa.dcm", [](DcmItem& d) { d.putAndInsertString(DCM_FieldOfViewOrigin, "0\\0"); })}) {
    EXPECT_TRUE(ic::views_of(r.payload).empty());
    EXPECT_THAT(r.report, HasSubstr("none: FieldOfViewOrigin (0018,7030) = "));
  }
  for (const DcmTagKey& tag : {DCM_DetectorPrimaryAngle, DCM_DetectorSecondaryAngle}) {
    const auto tilted = [&](const char* angle) {
      return values_after("xa.dcm", [&](DcmItem& d) { d.putAndInsertString(tag, angle); });
    };
    EXPECT_EQ(ic::views_of(tilted("0.0").payload).size(), 3U);
    const Result r = tilted("-5");
    EXPECT_TRUE(ic::views_of(r.payload).empty());
    EXPECT_THAT(r.report, HasSubstr("aryAngle (0018,153"));
    EXPECT_THAT(r.report, HasSubstr(" = -5 says that the beam meets the detector aslant"));
  }
}

TEST(DicomFrameKinds, ThePartOfADetectorLiesWhereItsOriginAndTheIsocentresProjectionSay) {
  // Pixels of 2 x 2 elements: pixel (0, 0) is made of the elements in rows 100 and 101, columns 40 and 41. The
  // isocentre is seen between the rows 105 and 106, that is on the border of the pixels' rows 2 and 3, and between
  // columns 41 and 42.
  const auto with = [](const char* elements_mm) {
    return values_after("enhanced_xa.dcm", [&](DcmItem& d) {
      DcmItem *shared = nullptr, *item = nullptr;
      ASSERT_TRUE(d.findOrCreateSequenceItem(DCM_SharedFunctionalGroupsSequence, shared).good());
      ASSERT_TRUE(shared->findOrCreateSequenceItem(DCM_FieldOfViewSequence, item).good());
      item->putAndInsertString(DCM_FieldOfViewOrigin, "100\\40");
      const Float32 isocentre[2] = {105.5F, 41.5F};
      d.putAndInsertFloat32Array(DCM_PositionOfIsocenterProjection, isocentre, 2);
      d.putAndInsertString(DCM_DetectorElementSpacing, elements_mm);
    });
  };
  const Result r = with("0.1\\0.1");
  ASSERT_EQ(ic::views_of(r.payload).size(), 2U);
  for (const std::size_t view : {0, 1}) {
    EXPECT_NEAR(seen(r, view, {0, 0, 0}, 6, 4)[0], 0.5 - 2.5, 1e-9);
    EXPECT_NEAR(seen(r, view, {0, 0, 0}, 6, 4)[1], 2.5 - 1.5, 1e-9);
  }
  EXPECT_NEAR(seen(r, 0, {0, 3, 0}, 6, 4)[0], -2 + 3 * 1000.0 / 750 / 0.2, 1e-9);
  for (const char* nothing : {"", "0\\0.1", "0.1"}) EXPECT_TRUE(ic::views_of(with(nothing).payload).empty()) << nothing;
}

TEST(DicomFrameKinds, FluoroscopyHasTheTimesOfItsVectorAndNoViewsWithoutAngles) {
  const Result r = values_of("xrf.dcm", 2, 2);
  expect_values(r, 2, 4, 5, 1, 0, 1);
  EXPECT_THAT(numbers(r, "dicom.frame_times_s"), ElementsAre(0.1, 0.35)) << "of the frames that were asked for";
  EXPECT_TRUE(ic::views_of(r.payload).empty());
  EXPECT_THAT(r.report, HasSubstr("none: PositionerPrimaryAngle (0018,1510) is missing"));
  EXPECT_THAT(refusal_of([] { values_of("xrf.dcm", 3, 2); }), HasSubstr("'xrf.dcm' has 3"));
}

TEST(DicomFrameKinds, RadiographsHaveTheirRescaledValuesAndTypedHeaders) {
  const Result cr = values_of("cr.dcm");
  expect_values(cr, 1, 4, 5, 0.05, -0.5);
  EXPECT_EQ(cr.payload.text("unit"), "OD");
  const auto c = ic::DicomHeader(cr.payload).xray();
  EXPECT_EQ(c.view_position, "PA");
  EXPECT_EQ(c.patient_orientation, "L\\F");
  EXPECT_EQ(c.plate_type, "ST-VI");
  EXPECT_EQ(c.sensitivity, "210.0");
  EXPECT_EQ(c.exposure_index, 250);
  EXPECT_EQ(c.deviation_index, 0.97);
  EXPECT_EQ(c.imager_row_spacing_mm, 0.1);
  EXPECT_EQ(c.imager_column_spacing_mm, 0.2);
  const Result dx = values_of("dx.dcm");
  expect_values(dx, 1, 4, 5, 1, 0);
  const auto d = ic::DicomHeader(dx.payload).xray();
  EXPECT_EQ(d.presentation_intent, "FOR PRESENTATION");
  EXPECT_EQ(d.presentation_lut_shape, "INVERSE");
  EXPECT_EQ(d.intensity_sign, -1);
  EXPECT_EQ(d.laterality, "U");
  EXPECT_EQ(d.detector_type, "SCINTILLATOR");
  const Result mg = values_of("mg.dcm");
  EXPECT_THAT(mg.report, HasSubstr("none: PositionerType (0018,1508) = MAMMOGRAPHIC counts angles otherwise"));
  const auto m = ic::DicomHeader(mg.payload).xray();
  EXPECT_EQ(m.view_position, "MLO");
  EXPECT_EQ(m.laterality, "R");
  EXPECT_EQ(m.body_part_thickness_mm, 52);
  EXPECT_EQ(m.compression_force_n, 98);
  EXPECT_EQ(m.entrance_dose_mgy, 6.5);
  EXPECT_EQ(m.target, "RHODIUM");
}

/// What a viewer shows of stored value s.
int shown(double s, double (*display)(double)) {
  return static_cast<int>(std::floor(255 * std::fmin(1.0, std::fmax(0.0, display(s))) + 0.5));
}

TEST(DicomFrameKinds, PicturesOfXraysAreShownAsTheyAsk) {
  struct Shown {
    const char* file;
    int rows, columns;
    double (*display)(double stored);  ///< PS3.3 C.11.2.1
  };
  const Shown all[] = {
      {"xa.dcm", 6, 8, [](double s) { return (s - 127.5) / 255 + 0.5; }},
      {"enhanced_xa.dcm", 4, 6, [](double s) { return (s - 63.5) / 127 + 0.5; }},  // the window of a frame's own group
      {"cr.dcm", 4, 5, [](double s) { return 1 - (0.05 * s - 0.5 + 0.5); }},       // (x - 0) / 1 + 0.5, MONOCHROME1
      {"dx.dcm", 4, 5, [](double s) { return 1 - 25 * std::fmin(s, 9) / 255; }},
      {"mg.dcm", 4, 5, [](double s) { return 1 / (1 + std::exp(-4 * (s - 20) / 40)); }},
  };
  for (const Shown& s : all) {
    const Result r = pictures_of(s.file);
    const auto rgb = ic::Frames(r.payload).pixels().span<std::uint8_t>();
    for (int y = 0; y < s.rows; ++y)
      for (int x = 0; x < s.columns; ++x)
        ASSERT_NEAR(rgb[static_cast<std::size_t>(3 * (y * s.columns + x))], shown(stored(0, y, x), s.display), 0)
            << s.file << " " << y << " " << x;
  }
  EXPECT_DOUBLE_EQ(pictures_of("mg.dcm").payload.geometry().spacing_mm[0], 0.07) << "ImagerPixelSpacing";
}

TEST(DicomFrameKinds, AGammaCamerasFramesHaveTheirIndicesAndItsHeaderIsTyped) {
  const Result r = values_of("nm_static.dcm");
  expect_values(r, 4, 4, 5, 1, 0);
  EXPECT_THAT(numbers(r, "dicom.EnergyWindowVector"), ElementsAre(1, 1, 2, 2));
  EXPECT_THAT(numbers(r, "dicom.DetectorVector"), ElementsAre(1, 2, 1, 2));
  EXPECT_THAT(numbers(pictures_of("nm_static.dcm"), "dicom.DetectorVector"), ElementsAre(1, 2, 1, 2));
  EXPECT_DOUBLE_EQ(r.payload.geometry().spacing_mm[0], 4);
  const auto n = ic::DicomHeader(r.payload).nuclear_medicine();
  EXPECT_EQ(n.kind, "STATIC");
  ASSERT_EQ(n.energy_windows.size(), 2U);
  EXPECT_EQ(n.energy_windows[1].name, "scatter");
  EXPECT_EQ(n.energy_windows[1].lower_kev, 108);
  EXPECT_EQ(n.energy_windows[1].upper_kev, 126);
  EXPECT_EQ(n.detectors, 2);
  EXPECT_EQ(n.frame_duration_ms, 60000);
  EXPECT_EQ(n.counts, 12345);
  EXPECT_EQ(n.collimator, "PARA");
  const Result dynamic = values_of("nm_dynamic.dcm");
  EXPECT_THAT(numbers(dynamic, "dicom.PhaseVector"), ElementsAre(1, 1, 2));
  EXPECT_THAT(numbers(dynamic, "dicom.TimeSliceVector"), ElementsAre(1, 2, 1));
}

TEST(DicomFrameKinds, TheViewsOfAGammaCameraHaveTheAngleOfTheirDetector) {
  // PS3.3 C.8.4.12: clockwise decreases the angle; each detector begins where it stands.
  const Result r = values_of("nm_tomo.dcm");
  expect_values(r, 6, 4, 5, 1, 0);
  EXPECT_THAT(numbers(r, "dicom.AngularViewVector"), ElementsAre(1, 2, 3, 1, 2, 3));
  EXPECT_THAT(numbers(r, "dicom.detector_angle_deg"), ElementsAre(0, -30, -60, 180, 150, 120));
  const auto n = ic::DicomHeader(r.payload).nuclear_medicine();
  EXPECT_EQ(n.views_in_rotation, 3);
  EXPECT_EQ(n.rotation_direction, "CW");
  EXPECT_EQ(n.angular_step_deg, 30);
}

TEST(DicomFrameKinds, ReconstructedSlicesOfAGammaCameraAreAVolumeByTheSignOfTheirSpacing) {
  // Rows along (0.8, 0.6, 0), columns along (0, 0, -1): the normal is (-0.6, 0.8, 0); SpacingBetweenSlices = -2.5.
  const Result r = output_of<ic::DicomSeriesSource>({.path = data + "nm_recon.dcm"});
  const ic::Volume v(r.payload);
  ASSERT_EQ(v.nz(), 3);
  const ic::Geometry g = v.geometry();
  EXPECT_NEAR(g.spacing_mm[2], 2.5, 1e-9);
  for (int z = 0; z < 3; ++z) {  // the third frame lies lowest along the normal
    const auto p = g.position_mm(0, 0, z);
    EXPECT_NEAR(p[0], 10 + 0.6 * 2.5 * (2 - z), 1e-9);
    EXPECT_NEAR(p[1], 20 - 0.8 * 2.5 * (2 - z), 1e-9);
    EXPECT_NEAR(p[2], 30, 1e-9);
    for (int y = 0; y < 4; ++y)
      for (int x = 0; x < 5; ++x)
        ASSERT_FLOAT_EQ(v.values()[static_cast<std::size_t>((z * 4 + y) * 5 + x)],
                        static_cast<float>(0.5 * stored(2 - z, y, x) + 1));
  }
}

TEST(DicomFrameKinds, TimeSlotsOfAGatedReconstructionAreTheFourthAxis) {
  EXPECT_THAT(refusal_of([] { output_of<ic::DicomSeriesSource>({.path = data + "nm_recon_gated.dcm"}); }),
              HasSubstr("TimeSlotVector (0054,0070) = 1"));
  const Result r = output_of<ic::DicomSeriesSource>(
      {.path = data + "nm_recon_gated.dcm", .fourth_axis = ic::DicomFourthAxis::cardiac_phase, .time_step_s = 0.05});
  const ic::Volume v(r.payload);
  ASSERT_EQ(v.nt(), 2);
  ASSERT_EQ(v.nz(), 3);
  EXPECT_EQ(r.payload.text("volume.fourth_axis"), "TimeSlotVector (0054,0070)");
  EXPECT_THAT(numbers(r, "volume.fourth_axis_values"), ElementsAre(1, 2));
  EXPECT_FLOAT_EQ(v.values()[0], 0.5F * 200 + 1);       // slot 1, its third frame
  EXPECT_FLOAT_EQ(v.values()[3 * 20], 0.5F * 500 + 1);  // slot 2
}

TEST(DicomFrameKinds, AVectorThatHasNotAnEntryForEachFrameIsNamed) {
  const ic::testing::ScratchFolder folder;
  const auto changed = [&](const std::string& from, const std::string& what, const std::string& to) {
    const std::string file = (folder / from).string();
    std::ifstream in(data + from, std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(in), {}};
    const std::size_t at = bytes.find(what);
    EXPECT_NE(at, std::string::npos);
    std::ofstream(file, std::ios::binary) << bytes.replace(at, to.size(), to);
    return file;
  };
  const std::string slices("\x54\x00\x80\x00US\x06\x00\x01\x00\x02\x00\x03\x00", 14);
  const std::string zero("\x54\x00\x80\x00US\x06\x00\x00\x00\x02\x00\x03\x00", 14);
  const std::string nm = changed("nm_recon.dcm", slices, zero);
  EXPECT_THAT(refusal_of([&] { output_of<ic::DicomSeriesSource>({.path = nm}); }),
              HasSubstr("SliceVector (0054,0080) = '0\\2\\3' is not whole numbers from 1"));
  const std::string xa = changed("xa.dcm", "45.0\\90.0", "45.0.90.0");
  const Result r = output_of<ic::DicomProjectionsSource>({.path = xa});
  EXPECT_THAT(r.report, HasSubstr("PositionerPrimaryAngleIncrement (0018,1520) has 2 values"));
}

TEST(DicomFrameKinds, ColourAndPalettesAreNoValues) {
  EXPECT_THAT(refusal_of([] { values_of("vl_microscopic.dcm"); }), HasSubstr("a colour image"));
}

TEST(DicomFrameKinds, VisibleLightIsShownInItsColours) {
  for (const char* file : {"vl_endoscopic.dcm", "vl_microscopic.dcm", "vl_photographic.dcm"}) {
    const bool ybr = std::string(file) == "vl_endoscopic.dcm";
    const Result r = pictures_of(file);
    const auto rgb = ic::Frames(r.payload).pixels().span<std::uint8_t>();
    for (int y = 0; y < 4; ++y)
      for (int x = 0; x < 6; ++x) {
        const double a = 10 * x, b = 20 * y, c = 30;
        // PS3.3 C.7.6.3.1.2
        const double expected[3] = {ybr ? a + 1.402 * (c - 128) : a,
                                    ybr ? a - 0.344136 * (b - 128) - 0.714136 * (c - 128) : b,
                                    ybr ? a + 1.772 * (b - 128) : c};
        for (std::size_t k = 0; k < 3; ++k)
          ASSERT_EQ(rgb[static_cast<std::size_t>(3 * (6 * y + x)) + k],
                    static_cast<int>(std::floor(std::fmin(255.0, std::fmax(0.0, expected[k])) + 0.5)))
              << file << " " << y << " " << x << " " << k;
      }
  }
}

}  // namespace
