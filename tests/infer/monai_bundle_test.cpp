// monai_bundle on bundles that the test writes in the layout of MONAI's bundle specification. The network is one
// convolution whose class 1 wins where its input is above a limit, so that labels are known without any network
// library. Against MONAI itself: tests/interop/monai_bundles.py.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <isocenter/infer/monai_bundle.hpp>
#include <map>

#include "device_test.hpp"
#include "infer/bundle_grid.hpp"
#include "infer/bundle_values.hpp"
#include "model_file.hpp"

namespace isocenter::testing {
namespace {

using namespace infer::test;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// Class 1 where the input is above `limit`.
std::string above(float limit) { return convolution({-1, 1}, 2, 1, {limit, -limit}); }

/// A bundle's folder, which goes with the test.
class BundleFolder {
 public:
  BundleFolder() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("isocenter_bundle_test_" + std::to_string(::getpid()) + "_" + std::to_string(count++));
    write("models/model.onnx", above(0.5F));
    set("preprocessing", R"([{"_target_": "LoadImaged", "keys": "image"}, )" + orientation + ", " + ct + "]");
    set("inferer", sliding);
    set("postprocessing", "[" + softmax + ", " + invert + ", " + argmax + "]");
    metadata(R"({"version": "0.3.1", "network_data_format": {"inputs": {"image": {"num_channels": 1}},
                "outputs": {"pred": {"num_channels": 2, "channel_def": {"0": "background", "1": "spleen"}}}}})");
  }
  ~BundleFolder() { std::filesystem::remove_all(path_); }
  operator std::string() const { return path_.string(); }

  /// One top-level entry of inference.json, a line each, from line 2 on in the order of their names.
  BundleFolder& set(const std::string& key, const std::string& json) {
    entries_[key] = json;
    std::string text = "{";
    for (const auto& [name, value] : entries_) text += (text.size() > 1 ? ",\n\"" : "\n\"") + name + "\": " + value;
    write("configs/inference.json", text + "\n}\n");
    return *this;
  }
  BundleFolder& before(const std::string& transforms) { return set("preprocessing", "[" + transforms + "]"); }
  BundleFolder& after(const std::string& transforms) { return set("postprocessing", "[" + transforms + "]"); }
  BundleFolder& metadata(const std::string& json) { return write("configs/metadata.json", json); }
  BundleFolder& write(const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return *this;
  }
  BundleFolder& remove(const std::string& name) {
    std::filesystem::remove(path_ / name);
    return *this;
  }

  static inline const std::string orientation = R"({"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"})";
  static inline const std::string ct =
      R"({"_target_": "ScaleIntensityRanged", "keys": ["image"], "a_min": -100, "a_max": 300, "b_min": 0, "b_max": 1,
 "clip": true})";
  static inline const std::string sliding =
      R"({"_target_": "SlidingWindowInferer", "roi_size": [8, 6, 5], "sw_batch_size": 4, "overlap": 0.5,
 "mode": "gaussian"})";
  static inline const std::string softmax = R"({"_target_": "Activationsd", "keys": "pred", "softmax": true})";
  static inline const std::string invert =
      R"({"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image",
 "nearest_interp": false})";
  static inline const std::string argmax = R"({"_target_": "AsDiscreted", "keys": "pred", "argmax": true})";

 private:
  std::filesystem::path path_;
  std::map<std::string, std::string> entries_;
};

std::string refusal(const BundleFolder& bundle) {
  return error_of(
      [&] { apply<MonaiBundle>(context(), {.path = bundle}, volume(std::vector<float>(9 * 7 * 8), 9, 7, 8)); });
}

ISOCENTER_DEVICE_SUITE(MonaiBundleTest);

TEST_P(MonaiBundleTest, LabelsEachVoxelWhateverWayTheVolumeLies) {
  const BundleFolder bundle;
  const auto v = noise(13 * 9 * 11);
  for (const bool turned : {false, true}) {
    Volume in = volume(v, 13, 9, 11, {1, 2, 3});
    Geometry g = in.geometry();
    if (turned) {
      const double direction[9] = {0, 0, -1, -1, 0, 0, 0, 1, 0};
      std::copy(direction, direction + 9, g.direction);
      in.set_geometry(g);
    }
    const Payload out = apply<MonaiBundle>(context(), {.path = bundle}, in, options());
    const auto labels = values<std::uint8_t>(out, "labels");
    for (std::size_t i = 0; i < v.size(); ++i)
      ASSERT_TRUE(std::fabs(v[i] - 100) < 0.01F || labels[i] == (v[i] > 100 ? 1 : 0)) << i;
    EXPECT_EQ(out.text("labels.names"), "background\\spleen");
  }
}

TEST_P(MonaiBundleTest, ResamplesToTheBundlesSpacingAndBack) {
  // A ramp along x: linear interpolation keeps it, so that the border between the labels stays where it is.
  BundleFolder bundle;
  bundle.before(BundleFolder::orientation +
                R"(, {"_target_": "Spacingd", "keys": "image", "pixdim": [1.0, 1.0, 1.5], "mode": ["bilinear"]}, )" +
                BundleFolder::ct);
  std::vector<float> v;
  for (int i = 0; i < 21 * 8 * 9; ++i) v.push_back(static_cast<float>(i % 21) * 20.0F - 103.0F);
  const auto labels = values<std::uint8_t>(
      apply<MonaiBundle>(context(), {.path = bundle}, volume(v, 21, 8, 9, {2, 1, 0.5}), options()), "labels");
  for (std::size_t i = 0; i < v.size(); ++i) ASSERT_EQ(labels[i], v[i] > 100 ? 1 : 0) << i;
}

TEST_P(MonaiBundleTest, TakesSpacingAndWindowInTheOrderOfMonaisAxes) {
  BundleFolder bundle;
  bundle.before(BundleFolder::orientation +
                R"(, {"_target_": "Spacingd", "keys": "image", "pixdim": [1.0, 2.0, 1.5], "mode": "bilinear"})");
  Pipeline pipeline(context());
  const auto node = pipeline.add<MonaiBundle>("segment", {.path = bundle});
  pipeline.connect(pipeline.add_input("in", volume(std::vector<float>(21 * 8 * 9), 21, 8, 9, {2, 1, 0.5})), node.input);
  pipeline.add_output("out", node.output);
  const std::string report = pipeline.prepare(options()).report();
  // R: 20 * 2 / 1 + 1 = 41; A: 7 * 1 / 2 + 1 = 4.5, halves to the even 4, the window's 6; S: 8 * 0.5 / 1.5 + 1 = 3.7,
  // the window's 5.
  EXPECT_THAT(report, AllOf(HasSubstr("5 x 6 x 41"), HasSubstr("5 x 6 x 8"), HasSubstr("LPS taken as RAS")));
}

/// Class 1 is what lies below a limit: all of the volume around the foreground, which a crop leaves to class 0.
TEST_P(MonaiBundleTest, CropsToTheForegroundOfEachVolumeAndPutsItsLabelsBack) {
  if (GetParam() != "cpu") GTEST_SKIP() << "the foreground is looked for in host memory";
  constexpr int nx = 19, ny = 13, nz = 11;
  struct Box {
    int first[3], last[3];
  };
  const Box boxes[] = {{{3, 2, 4}, {14, 8, 9}}, {{0, 0, 0}, {18, 12, 10}}, {{7, 5, 6}, {7, 5, 6}}};
  for (const int margin : {0, 2})
    for (const bool nearest : {false, true}) {
      BundleFolder bundle;
      bundle.write("models/model.onnx", convolution({1, -1}, 2, 1, {-50, 50}));
      bundle.before(BundleFolder::orientation + R"(, {"_target_": "CropForegroundd", "keys": "image", "source_key": )" +
                    R"("image", "allow_smaller": true, "margin": )" + std::to_string(margin) +
                    R"(}, {"_target_": "DivisiblePadd", "keys": "image", "k": 4})");
      std::string invert = BundleFolder::invert;
      if (nearest) invert.replace(invert.find("false"), 5, "true");
      bundle.after(BundleFolder::softmax + ", " + invert + ", " + BundleFolder::argmax);
      Pipeline pipeline(context());
      std::vector<Volume> volumes;
      for (const Box& box : boxes) {
        std::vector<float> v(nx * ny * nz, -10.0F);
        for (int z = box.first[2]; z <= box.last[2]; ++z)
          for (int y = box.first[1]; y <= box.last[1]; ++y)
            for (int x = box.first[0]; x <= box.last[0]; ++x)
              v[static_cast<std::size_t>((z * ny + y) * nx + x)] = (x + 2 * y + 3 * z) % 5 == 0 ? 20.0F : 80.0F;
        volumes.push_back(volume(v, nx, ny, nz));
      }
      const auto node = pipeline.add<MonaiBundle>("segment", {.path = bundle});
      pipeline.connect(pipeline.add_input("in", volumes[0]), node.input);
      pipeline.add_output("out", node.output);
      Session session = pipeline.prepare(options());
      session.start();
      for (std::size_t n = 0; n < volumes.size(); ++n) {
        session.push("in", volumes[n]);
        const auto labels = values<std::uint8_t>(*session.pull("out"), "labels");
        for (int i = 0; i < nx * ny * nz; ++i) {
          const int at[3] = {i % nx, i / nx % ny, i / nx / ny};
          bool inside = true;
          for (int k = 0; k < 3; ++k)
            inside = inside && at[k] >= boxes[n].first[k] - margin && at[k] <= boxes[n].last[k] + margin;
          const float v = volumes[n].values()[static_cast<std::size_t>(i)];
          ASSERT_EQ(labels[static_cast<std::size_t>(i)], inside && v < 50 ? 1 : 0)
              << "volume " << n << ", margin " << margin << ", voxel " << at[0] << ", " << at[1] << ", " << at[2];
        }
      }
      session.end_input("in");
    }
}

/// Class 1 everywhere but where the crop took voxels away; MONAI's centre of n voxels is n / 2, and half of the part
/// lies before it. Orientationd turns x and y round.
TEST_P(MonaiBundleTest, CutsOutTheCentreAndPutsItsLabelsBack) {
  BundleFolder bundle;
  bundle.write("models/model.onnx", convolution({1, -1}, 2, 1, {-50, 50}));
  for (const bool padded : {false, true}) {
    const std::string pads =
        R"(, {"_target_": "SpatialPadd", "keys": "image", "spatial_size": [7, 3, 20], "method": "end"},
 {"_target_": "DivisiblePadd", "keys": "image", "k": 4})";
    bundle.before(BundleFolder::orientation +
                  R"(, {"_target_": "CenterSpatialCropd", "keys": "image", "roi_size": [5, 4, 40]})" +
                  (padded ? pads : ""));
    bundle.set("inferer", R"({"_target_": "SimpleInferer"})");
    Pipeline pipeline(context());
    const auto node = pipeline.add<MonaiBundle>("segment", {.path = bundle});
    const Volume in = volume(std::vector<float>(13 * 9 * 11), 13, 9, 11);
    pipeline.connect(pipeline.add_input("in", in), node.input);
    pipeline.add_output("out", node.output);
    // k, j, i: 11, 4 and 5 voxels; to 20, 4 and 7, then to 20, 4 and 8.
    EXPECT_THAT(pipeline.prepare(options()).report(), HasSubstr(padded ? "20 x 4 x 8" : "11 x 4 x 5"));
    const auto labels = values<std::uint8_t>(apply<MonaiBundle>(context(), {.path = bundle}, in, options()), "labels");
    for (int i = 0; i < 13 * 9 * 11; ++i) {
      const int x = 12 - i % 13, y = 8 - i / 13 % 9;  // R and A
      ASSERT_EQ(labels[static_cast<std::size_t>(i)], x >= 4 && x < 9 && y >= 2 && y < 6 ? 1 : 0) << x << ' ' << y;
    }
  }
}

/// Seven volumes with foregrounds of their own, three at once; the last one is left by the stream's end.
TEST_P(MonaiBundleTest, ItemsOfAStreamThatRunTogetherAreLabelledAsEachAlone) {
  if (GetParam() != "cpu") GTEST_SKIP() << "the foreground is looked for in host memory";
  BundleFolder bundle;
  bundle.write("models/model.onnx", convolution({1, -1}, 2, 1, {-50, 50}));
  bundle.before(BundleFolder::orientation + R"(, {"_target_": "CropForegroundd", "keys": "image"})");
  bundle.set("inferer", R"({"_target_": "SlidingWindowInferer", "roi_size": [10, 9, 8]})");
  std::vector<Volume> items;
  for (int n = 0; n < 7; ++n) {
    std::vector<float> v(9 * 8 * 7, -10.0F);
    for (int z = n % 3; z < 6; ++z)
      for (int y = 1; y < 8 - n % 4; ++y)
        for (int x = n; x < 9; ++x)
          v[static_cast<std::size_t>((z * 8 + y) * 9 + x)] = (x + y + z) % 3 == 0 ? 20.0F : 80.0F;
    items.push_back(volume(v, 9, 8, 7));
  }
  MonaiBundle::Params params{.path = bundle};
  params.stream_batch = 3;
  std::size_t came = 0;
  run_stream<MonaiBundle>(context(), params, items, options(), [&](std::size_t n, const Payload& out) {
    const auto labels = values<std::uint8_t>(out, "labels");
    for (std::size_t i = 0; i < labels.size(); ++i)
      ASSERT_EQ(labels[i], items[n].values()[i] == 20 ? 1 : 0) << "item " << n << ", voxel " << i;
    ++came;
  });
  EXPECT_EQ(came, 7U);
  bundle.set("inferer", R"({"_target_": "SlidingWindowInferer", "roi_size": [10, 9, 4]})");
  EXPECT_THAT(error_of([&] { apply<MonaiBundle>(context(), params, items[0], options()); }),
              AllOf(HasSubstr("stream_batch = 3"), HasSubstr("each of these has 2")));
}

TEST_P(MonaiBundleTest, KeepsTheLargestPart) {
  BundleFolder bundle;
  bundle.after(BundleFolder::argmax +
               R"(, {"_target_": "monai.transforms.KeepLargestConnectedComponentd", "keys": "pred",
                     "applied_labels": [1], "connectivity": 1})");
  std::vector<float> v(10 * 3 * 1, -100);
  for (const std::size_t i : {0, 1, 2, 4, 5, 6, 7, 18}) v[i] = 200;
  EXPECT_THAT(
      values<std::uint8_t>(apply<MonaiBundle>(context(), {.path = bundle}, volume(v, 10, 3, 1), options()), "labels"),
      ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
}

TEST_P(MonaiBundleTest, FillsHolesAsMonaiDoes) {
  // A shell of 5 x 5 x 5 around a cavity of 3 x 3 x 3, open at a corner, where only corners touch; and a closed one.
  std::vector<float> v(13 * 7 * 7, -100);
  const auto at = [](std::size_t x, std::size_t y, std::size_t z) { return (z * 7 + y) * 13 + x; };
  for (const std::size_t from : {1, 7})
    for (std::size_t z = 1; z < 6; ++z)
      for (std::size_t y = 1; y < 6; ++y)
        for (std::size_t x = from; x < from + 5; ++x)
          if (x == from || x == from + 4 || y == 1 || y == 5 || z == 1 || z == 5) v[at(x, y, z)] = 200;
  v[at(1, 1, 1)] = -100;
  const auto filled = [&](const std::string& more) {
    BundleFolder bundle;
    bundle.after(BundleFolder::argmax + R"(, {"_target_": "FillHolesd", "keys": "pred")" + more + "}");
    const auto labels =
        values<std::uint8_t>(apply<MonaiBundle>(context(), {.path = bundle}, volume(v, 13, 7, 7), options()), "labels");
    return std::count(labels.begin(), labels.end(), 1);
  };
  // monai.transforms.FillHoles 1.5.2 on the same labels.
  EXPECT_EQ(filled(""), 222);
  EXPECT_EQ(filled(R"(, "connectivity": 1, "applied_labels": [1])"), 249);
}

TEST_P(MonaiBundleTest, FillsHolesOfSeveralLabelsOneAfterTheOtherAsMonaiDoes) {
  // A shell of label 1 around label 2, and one of label 2 around label 1: classes from 0, 100 and 300 HU.
  std::vector<float> v(13 * 7 * 7, -100);
  const auto at = [](std::size_t x, std::size_t y, std::size_t z) { return (z * 7 + y) * 13 + x; };
  for (const std::size_t from : {1, 7})
    for (std::size_t z = 1; z < 6; ++z)
      for (std::size_t y = 1; y < 6; ++y)
        for (std::size_t x = from; x < from + 5; ++x)
          if (x == from || x == from + 4 || y == 1 || y == 5 || z == 1 || z == 5)
            v[at(x, y, z)] = from == 1 ? 100.0F : 300.0F;
  v[at(3, 3, 3)] = 300;
  for (const std::size_t x : {8, 9, 10}) v[at(x, 3, 3)] = 100;
  const auto filled = [&](const std::string& more) {
    BundleFolder bundle;
    bundle.write("models/model.onnx", convolution({0, 1, 2}, 3, 1, {0, -0.25F, -1})).metadata("{}");
    bundle.after(BundleFolder::argmax + R"(, {"_target_": "FillHolesd", "keys": "pred")" + more + "}");
    const auto labels =
        values<std::uint8_t>(apply<MonaiBundle>(context(), {.path = bundle}, volume(v, 13, 7, 7), options()), "labels");
    return std::array{std::count(labels.begin(), labels.end(), 1), std::count(labels.begin(), labels.end(), 2)};
  };
  // monai.transforms.FillHoles 1.5.2 on the same labels.
  EXPECT_THAT(filled(""), ElementsAre(125, 125));
  EXPECT_THAT(filled(R"(, "applied_labels": [2])"), ElementsAre(98, 126));
  EXPECT_THAT(filled(R"(, "applied_labels": [1])"), ElementsAre(128, 98));
}

TEST_P(MonaiBundleTest, RemovesSmallObjectsAsMonaiDoes) {
  std::vector<float> v(10 * 3 * 1, -100);
  for (const std::size_t i : {0, 1, 2, 4, 5, 6, 7, 18}) v[i] = 200;
  const auto left = [&](const std::string& more) {
    BundleFolder bundle;
    bundle.after(BundleFolder::argmax + R"(, {"_target_": "RemoveSmallObjectsd", "keys": "pred")" + more + "}");
    const auto labels =
        values<std::uint8_t>(apply<MonaiBundle>(context(), {.path = bundle}, volume(v, 10, 3, 1), options()), "labels");
    std::vector<std::size_t> at;
    for (std::size_t i = 0; i < labels.size(); ++i)
      if (labels[i] != 0) at.push_back(i);
    return at;
  };
  // MONAI 1.5.2: what is smaller than min_size goes (with scikit-image 0.26 also what is as large).
  EXPECT_THAT(left(R"(, "min_size": 4)"), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(left(R"(, "min_size": 3)"), ElementsAre(0, 1, 2, 4, 5, 6, 7));
  EXPECT_THAT(left(R"(, "min_size": 5, "connectivity": 2)"), ElementsAre(4, 5, 6, 7, 18));
  EXPECT_THAT(left(""), ElementsAre());
}

/// The session's report of a bundle whose metadata.json says this of the image.
std::string report_with(const std::string& of_image, const Volume& in) {
  BundleFolder bundle;
  bundle.metadata(R"({"network_data_format": {"inputs": {"image": {)" + of_image + "}}}}");
  Pipeline pipeline(context());
  const auto node = pipeline.add<MonaiBundle>("bundle", {.path = bundle});
  pipeline.connect(pipeline.add_input("in", Volume(in.description())), node.input);
  pipeline.add_output("out", node.output);
  return pipeline.prepare().report();
}

TEST(MonaiBundleWarnings, NameWhatMetadataAndTransformsSayDifferently) {
  Volume in = volume(std::vector<float>(9 * 7 * 8), 9, 7, 8);
  in.set_text("dicom.Modality", "MR");
  EXPECT_THAT(report_with(R"("spatial_shape": [16, 6, 5])", in),
              HasSubstr("roi_size of the inferer is 8, 6, 5, and spatial_shape of image in metadata.json is 16, 6, 5"));
  EXPECT_THAT(report_with(R"("spatial_shape": ["16*n", "*", 5])", in), Not(HasSubstr("contradicts")));
  EXPECT_THAT(report_with(R"("value_range": [-1, 1])", in),
              HasSubstr("preprocessing scales to 0, 1, and value_range of image in metadata.json is -1, 1"));
  EXPECT_THAT(report_with(R"("value_range": [0, 1])", in), Not(HasSubstr("contradicts")));
  EXPECT_THAT(report_with(R"("modality": "CT")", in),
              HasSubstr("of Modality (0008,0060) MR, and the bundle's metadata.json is for CT"));
  EXPECT_THAT(report_with(R"("modality": "MR")", in), Not(HasSubstr("0008,0060")));
}

TEST(BundleValues, FollowReferencesAndLiteralExpressions) {
  const BundleFolder folder;
  BundleFolder bundle;
  bundle.set("size", "[16, 24, 8]").set("half", "\"$@size#1 / 2\"").set("both", "\"$[@half, -1.5e0] + @size\"");
  bundle.set("flag", "\"$not @off\"").set("off", "\"$False\"").set("deep", "{\"list\": [{\"name\": \"'x'\"}]}");
  bundle.set("path", "\"@deep::list::0::name\"").set("tuple", "\"$(1, 'two')\"").set("loop", "\"@again\"");
  bundle.set("again", "\"$@loop\"").set("call", "\"$torch.device('cuda:0')\"").set("lost", "\"@size#7\"");
  const infer::BundleFile file(std::string(bundle) + "/configs/inference.json");
  const auto at = [&](const char* key) { return file.resolved(*file.root().find(key)); };
  EXPECT_EQ(at("half").number, 12);
  std::vector<double> numbers;
  for (const auto& item : at("both").items) numbers.push_back(item.number);
  EXPECT_THAT(numbers, ElementsAre(12, -1.5, 16, 24, 8));
  EXPECT_TRUE(at("flag").boolean);
  EXPECT_EQ(at("path").text, "'x'");
  EXPECT_EQ(at("tuple").items.at(1).text, "two");
  EXPECT_THAT(error_of([&] { at("loop"); }), HasSubstr("refers to itself"));
  EXPECT_THAT(error_of([&] { at("call"); }),
              AllOf(HasSubstr("configs/inference.json, line 4: '$torch.device('cuda:0')' is Python, and nothing of a "
                              "bundle is executed"),
                    HasSubstr("Fix: write its value")));
  EXPECT_THAT(error_of([&] { at("lost"); }), HasSubstr("'@size#7' refers to '7', which is not there"));
}

TEST(BundleValues, ReferencesThatDoubleAtEachStepAreRefusedBeforeTheyAreFollowed) {
  BundleFolder bundle;
  bundle.set("a00", "1");
  for (int i = 1; i < 30; ++i) {
    const auto name = [](int n) { return std::string(n < 10 ? "a0" : "a") + std::to_string(n); };
    bundle.set(name(i), "\"$@" + name(i - 1) + " + @" + name(i - 1) + "\"");
  }
  const infer::BundleFile file(std::string(bundle) + "/configs/inference.json");
  EXPECT_EQ(file.resolved(*file.root().find("a08")).number, 256);
  EXPECT_THAT(error_of([&] { file.resolved(*file.root().find("a29")); }),
              AllOf(HasSubstr("inference.json, line "), HasSubstr("100000 references")));
}

TEST(BundleGrid, HasMonaisWindowsWeightsAndSpacing) {
  // MONAI 1.5.2: dense_patch_slices with _get_scan_interval, compute_importance_map, Spacing of x^2.
  EXPECT_THAT(infer::bundle_window_starts(37, 16, 0.4), ElementsAre(0, 9, 18, 21));
  EXPECT_THAT(infer::bundle_window_starts(64, 16, 0.5), ElementsAre(0, 8, 16, 24, 32, 40, 48));
  EXPECT_THAT(infer::bundle_window_starts(50, 48, 0.25), ElementsAre(0, 2));
  EXPECT_THAT(infer::bundle_window_starts(17, 16, 0.9), ElementsAre(0, 1));
  const auto map = infer::importance_map({9, 7, 5}, true, 0.125);
  const auto weight = [&](int z, int y, int x) { return map[static_cast<std::size_t>((z * 7 + y) * 9 + x)]; };
  EXPECT_FLOAT_EQ(weight(0, 0, 0), 0.001F);
  EXPECT_FLOAT_EQ(weight(1, 3, 4), 0.27803730964660645F);
  EXPECT_FLOAT_EQ(weight(2, 3, 2), 0.20592424273490906F);
  EXPECT_FLOAT_EQ(weight(2, 2, 2), 0.10717329382896423F);
  const struct {
    int n;
    double from, to;
    int size;
    double second, middle, last;
  } cases[] = {{29, 2.3, 1.3, 51, 0.5652173757553101, 199.78260803222656, 784},
               {37, 1.1, 1.9, 22, 3.1818182468414307, 361, 1296},
               {23, 1.4, 0.7, 45, 0.5, 121, 484},
               {12, 2.0, 4.0, 6, 4, 36, 100}};
  for (const auto& c : cases) {
    const auto pairs = infer::forward(infer::spacing_change(c.n, c.from, c.to));
    ASSERT_EQ(pairs.size(), c.size);
    const auto read = [&](int i) {
      double sum = 0;
      for (std::size_t k = 0; k < 2; ++k) {
        const auto at = 2 * static_cast<std::size_t>(i) + k;
        sum += static_cast<double>(pairs.weight[at]) * pairs.index[at] * pairs.index[at];
      }
      return sum;
    };
    EXPECT_NEAR(read(1), c.second, 1e-4);
    EXPECT_NEAR(read(c.size / 2), c.middle, 1e-4);
    EXPECT_NEAR(read(c.size - 1), c.last, 1e-4);
  }
}

TEST(MonaiBundleErrors, NameFileLineTransformAndArgument) {
  const auto before = [](const std::string& transforms) { return refusal(BundleFolder().before(transforms)); };
  const auto after = [](const std::string& transforms) { return refusal(BundleFolder().after(transforms)); };
  EXPECT_THAT(before(BundleFolder::ct + R"(, {"_target_": "RandFlipd", "keys": "image"})"),
              AllOf(HasSubstr("configs/inference.json, line 7: RandFlipd is not among the transforms"),
                    HasSubstr("Fix: LoadImaged, EnsureChannelFirstd")));
  const std::string crop = R"({"_target_": "CropForegroundd", "keys": "image", "source_key": "image"})";
  EXPECT_THAT(before(crop + ", " + crop), HasSubstr("CropForegroundd is the second one"));
  EXPECT_THAT(before(crop + R"(, {"_target_": "Spacingd", "keys": "image", "pixdim": [1, 1, 1]})"),
              HasSubstr("Spacingd stands behind a crop. Fix: put the crop behind it"));
  EXPECT_THAT(before(crop + R"(, {"_target_": "NormalizeIntensityd", "keys": "image"})"),
              HasSubstr("NormalizeIntensityd stands behind a crop and would measure what that leaves"));
  const std::string centre = R"({"_target_": "CenterSpatialCropd", "keys": "image", "roi_size": 8})";
  const std::string pad = R"({"_target_": "SpatialPadd", "keys": "image", "spatial_size": [8, -1, 8]})";
  EXPECT_THAT(before(centre + ", " + crop), HasSubstr("CropForegroundd stands behind CenterSpatialCropd"));
  EXPECT_THAT(before(pad + ", " + centre), HasSubstr("CenterSpatialCropd stands behind padding"));
  EXPECT_THAT(before(pad + ", " + BundleFolder::ct), HasSubstr("ScaleIntensityRanged stands behind padding, whose"));
  EXPECT_THAT(before(R"({"_target_": "SpatialPadd", "keys": "image", "spatial_size": 8, "mode": "edge"})"),
              HasSubstr("SpatialPadd has 'mode' = 'edge'. Fix: constant is allowed"));
  EXPECT_THAT(before(R"({"_target_": "SpatialPadd", "keys": "image", "spatial_size": 8, "value": 3})"),
              HasSubstr("SpatialPadd has 'value' = 3, which is not read"));
  EXPECT_THAT(before(R"({"_target_": "CropForegroundd", "keys": "image", "margin": 3})"),
              HasSubstr("would pad beyond the volume's border"));
  EXPECT_THAT(before(R"({"_target_": "CropForegroundd", "keys": "image", "select_fn": "$f"})"), HasSubstr("is Python"));
  EXPECT_THAT(refusal(BundleFolder().before(crop).set("inferer", R"({"_target_": "SimpleInferer"})")),
              HasSubstr("CropForegroundd leaves a volume of unknown extent"));
  EXPECT_THAT(refusal(BundleFolder().before(crop).after(BundleFolder::argmax)),
              HasSubstr("postprocessing has no Invertd"));
  EXPECT_THAT(refusal(BundleFolder().before(crop)), HasSubstr("no voxel is above 0 where CropForegroundd looks"));
  EXPECT_THAT(before(R"({"_target_": "Spacingd", "keys": "image", "pixdim": [1, 1, 1], "mode": 3})"),
              HasSubstr("Spacingd has 'mode' = 3. Fix: a text is needed"));
  EXPECT_THAT(before(R"({"_target_": "Spacingd", "keys": "image", "pixdim": [1, 1, 1], "mode": "nearest"})"),
              HasSubstr("Spacingd has 'mode' = 'nearest'. Fix: bilinear is allowed"));
  EXPECT_THAT(before(R"({"_target_": "Spacingd", "keys": "image", "pixdim": [1, 1], "mode": "bilinear"})"),
              HasSubstr("has 2 numbers in 'pixdim'"));
  EXPECT_THAT(before(R"({"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": 5, "a_max": 1})"),
              HasSubstr("'a_min' is not below 'a_max'"));
  EXPECT_THAT(before(R"({"_target_": "NormalizeIntensityd", "keys": "image", "gamma": 2})"),
              HasSubstr("NormalizeIntensityd has 'gamma' = 2, which is not read. Fix: leave it out"));
  EXPECT_THAT(before(R"({"_target_": "NormalizeIntensityd", "keys": ["image", "label"]})"),
              HasSubstr("works on 2 keys"));
  EXPECT_THAT(before(R"({"_target_": "Orientationd", "keys": "image", "axcodes": "RAX"})"),
              HasSubstr("'axcodes' is 'RAX'. Fix: one each of"));
  EXPECT_THAT(before(R"({"keys": "image"})"), HasSubstr("there is no _target_"));
  EXPECT_THAT(after(BundleFolder::softmax), HasSubstr("postprocessing makes no labels"));
  EXPECT_THAT(after(R"({"_target_": "AsDiscreted", "keys": "pred", "argmax": true, "to_onehot": 2})"),
              HasSubstr("AsDiscreted has 'to_onehot' = 2. Fix: leave it out"));
  EXPECT_THAT(after(R"({"_target_": "FillHolesd", "keys": "pred"})"),
              HasSubstr("FillHolesd stands before AsDiscreted"));
  EXPECT_THAT(after(R"({"_target_": "MeanEnsembled", "keys": "pred"})"), HasSubstr("MeanEnsembled is not among"));
  EXPECT_THAT(refusal(BundleFolder().set("inferer", R"({"_target_": "SaliencyInferer"})")),
              HasSubstr("SaliencyInferer is not among the inferers"));
  EXPECT_THAT(refusal(BundleFolder().write("configs/inference.json", "{\n\"a\": [1,\n")),
              HasSubstr("inference.json, line"));
}

TEST(MonaiBundleErrors, NameASpacingThatMakesTooManyVoxels) {
  for (const char* pixdim : {"1e-9", "1e-300", "[1, 1, 1e-5]"}) {
    BundleFolder bundle;
    bundle.before(BundleFolder::orientation + R"(, {"_target_": "Spacingd", "keys": "image", "pixdim": )" + pixdim +
                  "}, " + BundleFolder::ct);
    EXPECT_THAT(refusal(bundle), AllOf(HasSubstr("voxels along its axis k"), HasSubstr("up to 65535"))) << pixdim;
  }
}

TEST(MonaiBundleErrors, NameTheBudgetThatTheWindowsWeightsDoNotFitInto) {
  const BundleFolder bundle;
  SessionOptions options;
  options.memory_bytes = 100;
  EXPECT_THAT(
      error_of([&] {
        apply<MonaiBundle>(context(), {.path = bundle}, volume(std::vector<float>(9 * 7 * 8), 9, 7, 8), options);
      }),
      AllOf(HasSubstr("the bundle's window of "), HasSubstr(" MB of weights, and of the budget "),
            HasSubstr(" MB are left on 'cpu'. Fix: raise the budget to "), HasSubstr("set a smaller roi_size")));
}

TEST(MonaiBundleErrors, NameWhatContradictsAndWhatIsMissing) {
  const std::string spacing = R"({"_target_": "Spacingd", "keys": "image", "pixdim": 2, "mode": "bilinear"})";
  EXPECT_THAT(refusal(BundleFolder().before(spacing + ", " + spacing)),
              HasSubstr("Spacingd is a second change of the grid"));
  EXPECT_THAT(refusal(BundleFolder().before(spacing).after(BundleFolder::argmax)),
              HasSubstr("postprocessing has no Invertd, so that labels would lie on the network's grid"));
  const auto metadata = [](const std::string& in, const std::string& out, const std::string& names) {
    return refusal(BundleFolder().metadata(R"({"network_data_format": {"inputs": {"image": {"num_channels": )" + in +
                                           R"(}}, "outputs": {"pred": {"num_channels": )" + out +
                                           R"(, "channel_def": )" + names + "}}}}"));
  };
  EXPECT_THAT(metadata("4", "2", "{}"), HasSubstr("metadata.json, line 1: the network takes 4 channels"));
  EXPECT_THAT(metadata("1", "3", R"({"0": "a", "1": "b", "2": "c"})"),
              HasSubstr("the model gives 2 channels, and num_channels of pred in metadata.json is 3"));
  EXPECT_THAT(metadata("1", "2", R"({"0": "a", "1": "b", "2": "c"})"),
              HasSubstr("channel_def names 3 channels, and num_channels is 2"));
  EXPECT_THAT(metadata("1", "2", R"({"0": "a", "2": "b"})"), HasSubstr("does not number its channels 0, 1, 2"));
  EXPECT_THAT(refusal(BundleFolder().after(BundleFolder::invert +
                                           R"(, {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5})")),
              HasSubstr("masks that may overlap"));
  EXPECT_THAT(refusal(BundleFolder().remove("models/model.onnx").write("models/model.ts", "x")),
              AllOf(HasSubstr("holds model.ts and no ONNX file"), HasSubstr("monai.bundle onnx_export")));
  EXPECT_THAT(refusal(BundleFolder().remove("configs/inference.json")), HasSubstr("holds no inference.json"));
}

}  // namespace
}  // namespace isocenter::testing
