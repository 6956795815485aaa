// Payloads: shapes, attributes, ownership, geometry, DLPack.
#include <gmock/gmock.h>
#if __has_include(<dlpack/dlpack.h>)
#include <isocenter/interop/dlpack.hpp>
#endif

#include "core/test_operators.hpp"
#include "device_test.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PayloadTest, RefusesTensorsThatCannotBe) {
  Payload p(ISOCENTER_VOLUME);
  const auto message = [&](std::initializer_list<std::int64_t> shape) {
    return error_of([&] {
      p.set_tensor("voxels", tensor(DType::float32, std::string_view("zyx").substr(0, shape.size()), shape));
    });
  };
  EXPECT_THAT(message({1, 0, 3}), AllOf(HasSubstr("'voxels'"), HasSubstr("extent 0 along axis 'y'")));
  EXPECT_THAT(message({1LL << 40, 1LL << 40, 1}), HasSubstr("more than 2^48 elements"));
  EXPECT_THAT(error_of([&] { p.tensor("pixels"); }), HasSubstr("a volume payload has no tensor 'pixels'"));
  EXPECT_THAT(error_of([] { Payload(9); }), HasSubstr("kind 9"));
}

TEST(PayloadTest, RefusesASpacingThatIsNotPositive) {
  Volume v = Volume::describe(2, 2, 2, Geometry(), "HU");
  Geometry g;
  g.spacing_mm[2] = 0;
  EXPECT_THAT(error_of([&] { v.set_geometry(g); }), HasSubstr("not positive"));
}

TEST(PayloadTest, AWrongKindIsRefusedByTheTypedFace) {
  const Payload volume = Volume::describe(2, 2, 2, Geometry(), "HU");
  EXPECT_THAT(error_of([&] { Segmentation s(volume); }), HasSubstr("another kind"));
}

TEST(PayloadTest, AttributesAreCopiedWithADescriptionAndDoNotChangeIt) {
  Volume v = Volume::describe(2, 3, 4, Geometry({1, 2, 3}, {4, 5, 6}), "HU");
  v.set_numbers("list", std::array<double, 2>{1.5, -2});
  Payload copy = v.description();
  copy.set_text("unit", "SUV");
  copy.set_text("extra", "e");
  EXPECT_EQ(v.unit(), "HU");
  EXPECT_EQ(v.text("extra"), "");
  EXPECT_THAT(copy.numbers("list"), ElementsAre(1.5, -2));
  EXPECT_EQ(copy.geometry().spacing_mm[2], 3);
  EXPECT_EQ(Volume(copy).nz(), 4);
}

TEST(PayloadTest, PlacesVoxelsInThePatientFrame) {
  Geometry g({2, 3, 4}, {10, 20, 30});
  // x runs towards +y of the patient, y towards -x, z stays.
  const double turned[9] = {0, -1, 0, 1, 0, 0, 0, 0, 1};
  std::copy(std::begin(turned), std::end(turned), g.direction);
  EXPECT_THAT(g.position_mm(1, 0, 0), ElementsAre(10, 22, 30));
  EXPECT_THAT(g.position_mm(0, 1, 0), ElementsAre(7, 20, 30));
  EXPECT_THAT(g.position_mm(0, 0, 1), ElementsAre(10, 20, 34));
  EXPECT_THAT(g.axis(0), ElementsAre(0, 1, 0));
}

TEST(PayloadTest, AllocatedMemoryIsZeroAndAligned) {
  const Context context = test_context();
  Payload v = Volume::describe(5, 6, 7, Geometry(), "HU");
  context.allocate(v);
  const TensorView t = v.tensor("voxels");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.data) % 256, 0U);
  for (const float x : t.span<float>()) ASSERT_EQ(x, 0.0F);
  EXPECT_STREQ(v.device(), "cpu");
}

#if __has_include(<dlpack/dlpack.h>)
TEST(DlpackTest, SharesMemoryBothWaysAndKeepsItAlive) {
  const Context context = test_context();
  Volume v = Volume::own({1, 2, 3, 4, 5, 6}, 3, 2, 1, Geometry(), "HU");
  DLManagedTensor* out = to_dlpack(v, "voxels");
  const float* data = v.values().data();
  v = Volume();  // only the DLPack tensor holds it now
  EXPECT_EQ(out->dl_tensor.data, data);
  EXPECT_EQ(out->dl_tensor.ndim, 3);
  EXPECT_EQ(out->dl_tensor.shape[2], 3);
  EXPECT_EQ(out->dl_tensor.strides[1], 3);
  EXPECT_EQ(out->dl_tensor.device.device_type, kDLCPU);
  Payload back(ISOCENTER_VOLUME);
  from_dlpack(context, back, "voxels", "zyx", out);
  EXPECT_THAT(Volume(back).values(), ElementsAre(1, 2, 3, 4, 5, 6));
}
#endif

}  // namespace
}  // namespace isocenter::testing
