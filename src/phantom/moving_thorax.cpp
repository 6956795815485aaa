// The chest, painted from the outside in: what is listed later covers what is listed earlier.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "phantom/poisson.hpp"
#include "phantom/thorax_anatomy.hpp"

namespace isocenter::detail {

namespace {

constexpr double pi = std::numbers::pi;
constexpr Vector3 up = {0, 0, 1};

using detail::operator*;  // of matrices

Vector3 operator+(const Vector3& a, const Vector3& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }
Vector3 operator*(double s, const Vector3& a) { return {s * a[0], s * a[1], s * a[2]}; }
Vector3 apply(const Matrix3& m, const Vector3& v) {
  return {m[0] * v[0] + m[1] * v[1] + m[2] * v[2], m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
          m[6] * v[0] + m[7] * v[1] + m[8] * v[2]};
}
Vector3 mirror(const Vector3& v, double side) { return {side * v[0], v[1], v[2]}; }

Matrix3 inverse(const Matrix3& m) {
  Matrix3 r = {m[4] * m[8] - m[5] * m[7], m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4],
               m[5] * m[6] - m[3] * m[8], m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5],
               m[3] * m[7] - m[4] * m[6], m[1] * m[6] - m[0] * m[7], m[0] * m[4] - m[1] * m[3]};
  const double determinant = m[0] * r[0] + m[1] * r[3] + m[2] * r[6];
  for (double& x : r) x /= determinant;
  return r;
}

/// The solid after x -> m x. An ellipsoid's half axes become conjugate half diameters, which serve as well.
Primitive transform(Primitive s, const Matrix3& m) {
  const Matrix3 back = inverse(m);
  const Vector3 centre = apply(m, {s.centre_mm[0], s.centre_mm[1], s.centre_mm[2]});
  double to_unit[9] = {}, normal[3] = {};
  for (int k = 0; k < 3; ++k) {
    s.centre_mm[k] = centre[static_cast<std::size_t>(k)];
    const double* h = s.half_axis_mm + 3 * k;
    const Vector3 half = apply(m, {h[0], h[1], h[2]});
    for (int j = 0; j < 3; ++j) {
      s.half_axis_mm[3 * k + j] = half[static_cast<std::size_t>(j)];
      for (int i = 0; i < 3; ++i)
        to_unit[3 * k + j] += s.to_unit[3 * k + i] * back[static_cast<std::size_t>(3 * i + j)];
      normal[k] += s.cut_normal[j] * back[static_cast<std::size_t>(3 * j + k)];
    }
  }
  std::copy_n(to_unit, 9, s.to_unit);
  std::copy_n(normal, 3, s.cut_normal);  // cut_low <= normal · (x - centre) <= cut_high holds for any length
  return s;
}

/// Where everything is at one moment.
struct Moment {
  double breath;         ///< 0 exhaled, 1 inhaled
  double breath_before;  ///< a tenth of a period earlier
  double beat;           ///< what the heart's axes are multiplied with
  double dome_mm;        ///< how far the diaphragm is down
  double lesion_mm;      ///< how far the lesion is down

  Moment(const ThoraxParams& p, double t)
      : breath(breathing(t, p.breathing_period_s)),
        breath_before(breathing(t - 0.1 * p.breathing_period_s, p.breathing_period_s)),
        beat(1.0),
        dome_mm(p.diaphragm_mm * breath),
        lesion_mm(p.lesion_motion_mm * breath) {
    if (p.heart_period_s > 0.0) {
      const double s = std::sin(pi * t / p.heart_period_s);
      beat = 1.0 - p.heart_beat * s * s;
    }
  }
};

Vector3 lesion_at(const Anatomy& a, const Moment& now) {
  return a.lesion_mm + Vector3{0, -3.0 * now.breath_before, -now.lesion_mm};
}

class Chest {
 public:
  Chest(const Anatomy& anatomy, const Moment& now, std::vector<Primitive>* list)
      : a_(anatomy), now_(now), list_(*list) {}

  void build() {
    skin_and_muscle();
    shoulder_bones();
    ribs();
    lungs();
    lung_vessels();
    mediastinum();
    diaphragm();
    heart();
    great_vessels();
    airways();
    spine();
    sternum();
    ball(lesion_at(a_, now_), {a_.lesion_radius_mm, a_.lesion_radius_mm, a_.lesion_radius_mm}, a_.lesion, label_lesion);
    for (Primitive& s : list_) s = transform(s, a_.body);
  }

 private:
  void add(const Primitive& s) { list_.push_back(s); }
  void ball(const Vector3& centre, const Vector3& half, double value, Label label, const Matrix3& turn = no_turn) {
    add(make_solid(Solid::ellipsoid, centre, half, turn, value, label));
  }
  /// Rods through the points with rounded joints.
  void tube(std::initializer_list<Vector3> points, double radius, double value, Label label) {
    const Vector3* before = nullptr;
    for (const Vector3& p : points) {
      if (before != nullptr) {
        add(make_rod(*before, p, radius, value, label));
        ball(p, {radius, radius, radius}, value, label);
      }
      before = &p;
    }
  }

  void skin_and_muscle() {
    const auto trunk = [&](double inset, double value) {
      ball({0, 10, -80}, {174 - inset, 122 - inset, 420 - inset}, value, label_soft_tissue);
      add(make_solid(Solid::cylinder, {0, 12, 210}, {64 - 0.4 * inset, 62 - 0.4 * inset, 120}, no_turn, value,
                     label_soft_tissue));
      for (const double side : {-1.0, 1.0})
        ball({side * 108, 14, 138}, {62 - inset, 66 - inset, 66 - inset}, value, label_soft_tissue);
    };
    trunk(0.0, a_.fat);
    trunk(a_.fat_mm, a_.muscle);
  }

  void shoulder_bones() {
    for (const double side : {-1.0, 1.0}) {
      ball(mirror({106, 68, 66}, side), {36, 4.5, 58}, a_.bone, label_bone,
           turn_around(2, -side * 0.68) * turn_around(0, -0.12));
      tube({mirror({20, -66, 118}, side), mirror({75, -50, 128}, side), mirror({128, 8, 142}, side)}, 6.5, a_.bone,
           label_bone);
    }
  }

  /// A flat ellipsoid, tilted forwards and down, that reaches `outside_mm` beyond the inner wall: with the cavity
  /// painted over it only a rounded rim is left, which is a pair of ribs.
  Primitive rib_disc(double height_mm, double outside_mm, double half_thickness_mm, double value, Label label) const {
    const double s = std::sin(a_.rib_tilt_rad), c = std::cos(a_.rib_tilt_rad);
    const Vector3 half = cavity_half_mm + outside_mm * Vector3{1, 1, 1};
    // The plane -s y + c (z - height) = 0 in coordinates in which the outer ellipsoid is the unit ball.
    const double ny = -s * half[1], nz = c * half[2], n = std::hypot(ny, nz);
    const double d = (c * (height_mm - cavity_centre_mm[2]) + s * cavity_centre_mm[1]) / n;
    const double radius = std::sqrt(std::max(0.0, 1.0 - d * d));
    const Vector3 centre = cavity_centre_mm + Vector3{0, half[1] * d * ny / n, half[2] * d * nz / n};
    const double along = radius * std::hypot(half[1] * nz / n, half[2] * ny / n);
    return make_solid(Solid::ellipsoid, centre, {half[0] * radius, along, half_thickness_mm},
                      turn_around(0, a_.rib_tilt_rad), value, label);
  }

  void ribs() {
    for (int rib = 1; rib <= 12; ++rib) {
      const double height = 142.0 - 24.5 * rib;
      const bool floating = rib > 10, reaches_sternum = rib <= 8;
      const double front = floating ? 10.0 : -58.0;  // where bone ends, as y in the patient
      const Primitive bone = rib_disc(height, 9.0, 15.0, a_.bone, label_bone);
      add(cut(bone, {0, 1, 0}, front - bone.centre_mm[1], 1e9));
      if (!reaches_sternum) continue;
      const Primitive cartilage = rib_disc(height, 9.0, 13.0, a_.cartilage, label_soft_tissue);
      add(cut(cartilage, {0, 1, 0}, -1e9, front - cartilage.centre_mm[1]));
    }
    // Muscles beside the spine: the ribs begin at the transverse processes.
    ball({0, 99, -60}, {38, 17, 210}, a_.muscle, label_soft_tissue);
  }

  void lungs() {
    ball(cavity_centre_mm, cavity_half_mm, a_.soft, label_soft_tissue);
    // The same tissue takes more room when inhaled.
    const double value = a_.lung * (1.0 - 0.12 * now_.breath);
    ball(cavity_centre_mm, cavity_half_mm + Vector3{-3, -3, -3}, value, label_lung);
  }

  /// How a point in the lung moves: all of the diaphragm's way at its domes, nothing at the apex.
  Vector3 breathed(const Vector3& p) const {
    return p + Vector3{0, 0, -now_.dome_mm * std::clamp((120.0 - p[2]) / 200.0, 0.0, 1.0)};
  }

  void branch(Philox& random, const Vector3& from, const Vector3& direction, double length, double radius, int depth) {
    const Vector3 to = from + length * direction;
    if (cavity_level(to) > 0.95 || to[2] < std::min(a_.right_dome_mm, a_.left_dome_mm)) return;
    add(make_rod(breathed(from), breathed(to), radius, a_.blood, label_lung));
    if (depth == 0) return;
    for (int child = 0; child < 2; ++child) {
      Vector3 turned = direction;
      for (double& x : turned) x += random.uniform(-0.65, 0.65);
      turned = (1.0 / std::sqrt(dot3(turned.data(), turned.data()))) * turned;
      branch(random, to, turned, length * random.uniform(0.65, 0.9), radius * 0.68, depth - 1);
    }
  }

  void lung_vessels() {
    Philox random(a_.vessel_seed, 1);
    for (const double side : {-1.0, 1.0})
      for (int k = 0; k < 8; ++k) {
        const double angle = 2.0 * pi * k / 8.0 + random.uniform(-0.3, 0.3);
        Vector3 direction = {side * 1.1, 0.75 * std::sin(angle), 1.05 * std::cos(angle)};
        direction = (1.0 / std::sqrt(dot3(direction.data(), direction.data()))) * direction;
        branch(random, {side * 40, 16, 18}, direction, random.uniform(30, 42), 4.0, 2);
      }
  }

  void mediastinum() {
    ball(cavity_centre_mm, {6, cavity_half_mm[1], cavity_half_mm[2]}, a_.soft, label_soft_tissue);  // the lungs meet
    ball({1, -2, 92}, {36, 56, 105}, a_.soft, label_soft_tissue);
    ball({4, 14, -70}, {34, 70, 120}, a_.soft, label_soft_tissue);
  }

  void diaphragm() {
    constexpr double height = 72.0;  // from a dome's top to the floor of the recess around it
    const double floor = std::min(a_.right_dome_mm, a_.left_dome_mm) - height + 6.0 - now_.dome_mm;
    const Primitive abdomen = make_solid(Solid::ellipsoid, cavity_centre_mm, cavity_half_mm + Vector3{-2.5, -2.5, -2.5},
                                         no_turn, 0.5 * (a_.soft + a_.fat), label_soft_tissue);
    add(cut(abdomen, up, -1e9, floor - cavity_centre_mm[2]));
    dome({-61, 4, a_.right_dome_mm - height - now_.dome_mm}, {62, 82, height}, a_.liver, label_liver);
    dome({60, 6, a_.left_dome_mm - height - now_.dome_mm}, {60, 80, height}, a_.spleen, label_soft_tissue);
  }
  void dome(const Vector3& centre, const Vector3& half, double value, Label label) {
    add(cut(make_solid(Solid::ellipsoid, centre, half, no_turn, value, label), up, 0.0, 1e9));
    add(cut(make_solid(Solid::ellipsoid, centre, {half[0], half[1], 105}, no_turn, value, label), up, -1e9, 0.0));
  }

  void heart() {
    const Vector3 centre = a_.heart_mm + Vector3{0, 0, -0.3 * now_.dome_mm};
    const double size = a_.heart_scale * now_.beat;
    // The long axis points to the left, the front and down; the chambers lie in its frame.
    const Matrix3 turn = turn_z_to({0.76, -0.46, -0.46});
    const auto chamber = [&](const Vector3& at, const Vector3& half, double value) {
      ball(centre + size * apply(turn, at), size * half, value, label_heart, turn);
    };
    ball(centre, a_.heart_scale * Vector3{51, 49, 69}, a_.fat, label_soft_tissue, turn);
    chamber({0, 0, 0}, {46, 44, 64}, a_.myocardium);
    chamber({14, 12, 10}, {19, 19, 36}, a_.blood);
    chamber({-24, -4, 6}, {13, 24, 38}, a_.blood);
    chamber({-18, 8, -38}, {17, 20, 17}, a_.blood);
    chamber({16, 10, -40}, {20, 17, 16}, a_.blood);
  }

  /// The spine's curve: the middle of the vertebral body at height z.
  Vector3 spine_at(double z) const {
    const double u = z / 160.0;
    return {0, 76.0 - a_.kyphosis_mm * u * u, z};
  }
  Matrix3 spine_turn(double z) const { return turn_z_to({0, -2.0 * a_.kyphosis_mm * z / (160.0 * 160.0), 1}); }

  void great_vessels() {
    const double b = a_.blood;
    const Vector3 down = {0, 0, -0.2 * now_.dome_mm};
    const auto below_aorta = [&](double z) { return spine_at(z) + Vector3{22, -20, 0}; };
    tube({Vector3{-2, -18, -6} + down,
          {-10, -20, 40},
          {-2, -8, 60},
          {14, 14, 64},
          {22, 40, 54},
          below_aorta(30),
          below_aorta(-40),
          below_aorta(-110),
          below_aorta(-180),
          below_aorta(-240)},
         12.5, b, label_heart);
    tube({Vector3{-26, -6, -8} + down, {-24, -12, 84}}, 9.0, b, label_heart);
    tube({Vector3{14, -34, -4} + down, {12, -14, 26}, {-36, 12, 20}}, 10.5, b, label_heart);
    tube({{12, -14, 26}, {42, 16, 26}}, 9.5, b, label_heart);
    tube({{-12, -8, 60}, {-22, -2, 120}}, 5.0, b, label_heart);
    tube({{10, 8, 68}, {20, 6, 122}}, 5.0, b, label_heart);
  }

  void airways() {
    const Vector3 carina = {-2, 24, 40};
    const auto airway = [&](const Vector3& from, const Vector3& to, double radius) {
      add(make_rod(from, to, radius + 1.8, a_.soft, label_soft_tissue));
    };
    const auto lumen = [&](const Vector3& from, const Vector3& to, double radius) {
      add(make_rod(from, to, radius, a_.air, label_airway));
    };
    const Vector3 ends[] = {{0, 14, 330}, {-36, 28, 14}, {40, 30, 10}};
    const double radii[] = {9.0, 6.5, 6.0};
    for (int k = 0; k < 3; ++k) airway(carina, ends[k], radii[k]);
    ball(carina, {9, 7, 7}, a_.air, label_airway);
    for (int k = 0; k < 3; ++k) lumen(carina, ends[k], radii[k]);
    for (const double side : {-1.0, 1.0}) {
      const Vector3 hilum = side < 0 ? ends[1] : ends[2];
      for (const Vector3& way : {Vector3{20, -12, 32}, Vector3{26, -14, -6}, Vector3{20, 10, -36}})
        airway(hilum, hilum + mirror(way, side), 3.2), lumen(hilum, hilum + mirror(way, side), 3.2);
    }
  }

  void spine() {
    for (int k = -9; k <= 8; ++k) {  // no lung reaches behind a spine that bends forwards
      const Matrix3 turn = spine_turn(25.0 * k);
      add(make_solid(Solid::cylinder, spine_at(25.0 * k) + apply(turn, {0, 14, 0}), {19, 26, 13.5}, turn, a_.muscle,
                     label_soft_tissue));
    }
    for (int k = -9; k <= 8; ++k) vertebra(25.0 * k);
    for (int k = -9; k <= 8; ++k) {  // the canal runs through all arches
      const double z = 25.0 * k;
      const Matrix3 turn = spine_turn(z);
      add(make_solid(Solid::cylinder, spine_at(z) + apply(turn, {0, 21.5, 0}), {9.5, 7.5, 13.5}, turn, a_.soft,
                     label_soft_tissue));
    }
  }
  void vertebra(double z) {
    const Matrix3 turn = spine_turn(z);
    const Vector3 body = spine_at(z);
    const auto at = [&](const Vector3& offset) { return body + apply(turn, offset); };
    const double arch = 0.85 * a_.bone;
    ball(at({0, 20, 2}), {32, 5.5, 6.5}, arch, label_bone, turn);
    ball(at({0, 20, 1}), {16.5, 13, 8.5}, arch, label_bone, turn);
    ball(at({0, 36, -9}), {3.8, 6, 17}, arch, label_bone, turn * turn_around(0, 0.9));
    const auto slice = [&](const Vector3& offset, const Vector3& half, double value, Label label) {
      add(make_solid(Solid::cylinder, at(offset), half, turn, value, label));
    };
    slice({0, 0, 12.5}, {16, 13.5, 2.8}, a_.disc, label_soft_tissue);
    slice({0, 0, 0}, {17, 14.5, 10}, a_.bone, label_bone);
    slice({0, 0, 0}, {15, 12.5, 8.3}, a_.marrow, label_bone);
  }

  void sternum() {
    const Vector3 top = {0, -72, 100}, bottom = {0, -104, -48};
    const Vector3 middle = 0.5 * (top + bottom), along = top + (-1.0) * bottom;
    const double half = 0.5 * std::sqrt(dot3(along.data(), along.data()));
    for (const double inset : {0.0, 1.6})
      add(make_solid(Solid::cylinder, middle, {17 - inset, 6.5 - inset, half - inset}, turn_z_to(along),
                     inset == 0.0 ? a_.bone : a_.marrow, label_bone));
  }

  const Anatomy& a_;
  const Moment& now_;
  std::vector<Primitive>& list_;
};

}  // namespace

double breathing(double time_s, double period_s) {
  const double s = std::sin(pi * time_s / period_s);
  return s * s * s * s;
}

void moving_thorax(const ThoraxParams& params, double time_s, Solids* solids) {
  solids->list.clear();
  solids->composition = Composition::painted;
  const Anatomy anatomy = Anatomy::of(params);
  const Moment now(params, time_s);
  Chest(anatomy, now, &solids->list).build();
}

Vector3 thorax_lesion_mm(const ThoraxParams& params, double time_s) {
  const Anatomy anatomy = Anatomy::of(params);
  return apply(anatomy.body, lesion_at(anatomy, Moment(params, time_s)));
}

}  // namespace isocenter::detail
