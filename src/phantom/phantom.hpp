#pragma once
// Phantoms: lists of solids, as a function of time. Values are relative to water (1 = water, 0 = air), lengths mm in
// the patient frame (LPS). 1/mm and HU come from a value r as r * mu_water and 1000 (r - 1).
#include <array>
#include <cstdint>
#include <isocenter/recon/acquisition.hpp>
#include <string>
#include <vector>

#include "phantom/segments.hpp"

namespace isocenter::detail {

/// Linear attenuation of water at 60 keV, 1/mm: 0.2059 cm²/g (Hubbell and Seltzer, NISTIR 5632) at 1 g/cm³.
constexpr double mu_water_60kev_per_mm = 0.02059;

/// Which tissue a solid is; the labels of a label volume.
enum Label : std::int32_t {
  label_background = 0,
  label_soft_tissue = 1,
  label_lung = 2,
  label_heart = 3,
  label_bone = 4,
  label_lesion = 5,
  label_liver = 6,
  label_airway = 7
};
inline constexpr std::array label_names = {"background", "soft tissue", "lung",  "heart and vessels",
                                           "bone",       "lesion",      "liver", "airway"};

using Matrix3 = std::array<double, 9>;  ///< row-major

constexpr Matrix3 no_turn = {1, 0, 0, 0, 1, 0, 0, 0, 1};
/// A turn by an angle around the patient's axis 0 (x), 1 (y) or 2 (z), right-handed.
Matrix3 turn_around(int axis, double angle_rad);
/// First b, then a.
Matrix3 operator*(const Matrix3& a, const Matrix3& b);
/// A turn that takes the z axis to this direction (any length but 0).
Matrix3 turn_z_to(const Vector3& direction);

/// A solid whose axes x, y, z are turned by `turn`.
Primitive make_solid(Solid solid, const Vector3& centre_mm, const Vector3& half_axes_mm, const Matrix3& turn,
                     double value, Label label);
/// A round rod between two points.
Primitive make_rod(const Vector3& from_mm, const Vector3& to_mm, double radius_mm, double value, Label label);
/// Keeps the part with low <= normal · (x - centre) <= high; the normal has any length but 0.
Primitive cut(Primitive solid, const Vector3& normal, double low_mm, double high_mm);

/// One state of a phantom. Those who make one replace what is in it; a list that has held the phantom before is not
/// allocated again.
struct Solids {
  std::vector<Primitive> list;
  Composition composition = Composition::additive;
  PhantomView view() const { return {list.data(), static_cast<int>(list.size()), composition}; }
};

// ---- Shepp-Logan -------------------------------------------------------------------------------------------------

enum class Contrast { original, modified };

/// The 3-D head phantom, ten ellipsoids: geometry and original contrast from Kak and Slaney, "Principles of
/// Computerized Tomographic Imaging" (1988), section 3.6, table 3.2 (errata applied), which extends Shepp and Logan,
/// "The Fourier reconstruction of a head section", IEEE Trans. Nucl. Sci. 21 (1974) 21, to three dimensions. The
/// modified contrast is Toft's ("The Radon transform", thesis, DTU 1996, table B.3) on the same ellipsoids: 1, -0.8,
/// -0.2, -0.2, then ±0.1 with the sign of the original. `radius_mm` is the length 1 of the table: the head fits into a
/// ball of 0.92 of it.
void shepp_logan(Contrast contrast, double radius_mm, Solids* solids);

/// A water cylinder along z: value 1, label soft tissue.
void water_cylinder(double radius_mm, double half_height_mm, Solids* solids);

// ---- Moving thorax -----------------------------------------------------------------------------------------------

/// A breathing (and beating) human chest, arms up, supine, at `time_s`. All motion is a closed form of the time:
///  - breathing b(t) = sin⁴(π t / breathing_period), 0 at the end of exhalation and 1 at the end of inhalation: Lujan
///  et al.,
///    Med. Phys. 26 (1999) 715, with 2n = 4, so that more time is spent near exhalation;
///  - both diaphragm domes move by -diaphragm_mm · b along z (down), the heart by 0.3 of that, the lesion by
///    lesion_motion · b(t) along z and a loop in y that lags by a tenth of a period; the chest's front does not move;
///  - the heart's half axes shrink by heart_beat · sin²(π t / heart_period).
struct ThoraxParams {
  std::uint64_t seed = 0;  ///< 0: the standard chest; else sizes, places and densities vary with it
  double breathing_period_s = 4.0;
  double diaphragm_mm = 18.0;
  double lesion_motion_mm = 14.0;  ///< along z, peak to peak
  double lesion_radius_mm = 12.0;
  double heart_period_s = 0.0;  ///< 0: the heart does not beat
  double heart_beat = 0.08;     ///< how much its half axes shrink, relative
};

/// b(t) as above, in [0, 1].
double breathing(double time_s, double period_s);

void moving_thorax(const ThoraxParams& params, double time_s, Solids* solids);

/// Where the lesion's centre is: the truth that motion tracking is held to.
Vector3 thorax_lesion_mm(const ThoraxParams& params, double time_s);

}  // namespace isocenter::detail
