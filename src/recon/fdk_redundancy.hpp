#pragma once
// How much a view and a ray count: a view its share of the arc; a ray as much as leaves 1 for its line, when a short
// scan or a displaced detector measures some lines twice and others once.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "recon/circular_orbit.hpp"

namespace isocenter::detail {

/// What of the circle the views cover, each reaching half a step beyond itself.
struct ScanArc {
  bool full = true;
  double begin_rad = 0;  ///< as Orbit::angle_rad
  double length_rad = 0;
  std::int64_t last_view = 0;  ///< the one after which nothing comes (short scan)
};

/// A short scan is one whose widest gap is more than three times its second widest.
ScanArc find_scan_arc(const Orbit& orbit);

/// Each view's share of the arc: half the angle between its two neighbours among `members` (indices into the orbit),
/// at the arc's ends all that is left. They add up to the arc. Throws Failure when a gap is wider than
/// largest_gap_rad; `what` names the set ("the scan", "phase 3 of 10").
std::vector<double> angular_weights(const Orbit& orbit, const ScanArc& arc, std::span<const std::int64_t> members,
                                    double largest_gap_rad, const std::string& what);

/// Throws Failure, which names the missing angle, when a short scan is shorter than 180 degrees and the fan.
void check_short_scan(const ScanArc& arc, double half_fan_rad);

/// Parker's squared sines (Med. Phys. 9 (1982) 254), with the arc's own overscan in place of the fan's half angle, so
/// that all of a longer arc is used: Silver, Med. Phys. 27 (2000) 773; Wesarg, Ebert and Bortfeld, Med. Phys. 29 (2002)
/// 372. `beta_rad` is the source's angle from the arc's begin, `gamma_rad` the ray's from the central one, both
/// counter-clockwise. The weights of a line's two rays add up to 1.
double parker_weight(double beta_rad, double gamma_rad, double arc_rad);

/// Wang's sine (Med. Phys. 29 (2002) 1634), for a detector that reaches further on the positive side: 0 up to
/// -overlap, rising to 2 at overlap. The weights of a line's two rays add up to 2.
double displaced_weight(double gamma_rad, double overlap_rad);

}  // namespace isocenter::detail
