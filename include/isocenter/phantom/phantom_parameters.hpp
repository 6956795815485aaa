#pragma once
// What phantom_volume and phantom_projections have in common: which phantom, how large, how it moves.
#include <isocenter/describe.hpp>

namespace isocenter::inline v1 {

enum class PhantomKind { shepp_logan, shepp_logan_modified, water_cylinder, moving_thorax };
inline constexpr const char* phantom_kinds[] = {"shepp_logan", "shepp_logan_modified", "water_cylinder",
                                                "moving_thorax"};

/// The parameters of struct P that choose the phantom; P has members of these names.
template <class P>
constexpr auto phantom_parameters() {
  return std::tuple{
      choice(&P::phantom, "phantom", phantom_kinds,
             "Which phantom. shepp_logan: the 3-D head with its original contrast of 1 to 2 % (Shepp and Logan 1974; "
             "Kak and Slaney 1988); shepp_logan_modified: with Toft's contrast of 10 to 20 %; water_cylinder; "
             "moving_thorax: a breathing chest."),
      param(&P::radius_mm, "radius_mm", Unit::mm, 0.1, 10000,
            "shepp_logan: the table's length 1 (the head reaches to 0.92 of it); water_cylinder: its radius."),
      param(&P::height_mm, "height_mm", Unit::mm, 0.1, 100000, "water_cylinder: its height along z."),
      param(&P::seed, "seed", Unit::none, 0, 9e15,
            "moving_thorax: 0 is the standard chest; every other number is another patient."),
      param(&P::breathing_period_s, "breathing_period_s", Unit::s, 0.1, 1000,
            "moving_thorax: one breath; exhaled at the start of each."),
      param(&P::diaphragm_mm, "diaphragm_mm", Unit::mm, 0, 60, "moving_thorax: how far the diaphragm goes down."),
      param(&P::lesion_motion_mm, "lesion_motion_mm", Unit::mm, 0, 60, "moving_thorax: how far the lesion goes down."),
      param(&P::lesion_radius_mm, "lesion_radius_mm", Unit::mm, 0.5, 60,
            "moving_thorax: the lesion's radius; times 0.5 to 1.5 with a seed."),
      param(&P::heart_period_s, "heart_period_s", Unit::s, 0, 100,
            "moving_thorax: one heart beat; 0: the heart stands still."),
      param(&P::mu_water_per_mm, "mu_water_per_mm", Unit::per_mm, 1e-6, 10,
            "Linear attenuation of water, which turns relative values into 1/mm; the default is water at 60 keV "
            "(NISTIR 5632)."),
  };
}

}  // namespace isocenter::inline v1
