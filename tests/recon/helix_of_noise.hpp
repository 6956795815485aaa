#pragma once
// Scans of a helix whose readings are white noise, so that every one of them counts.
#include <isocenter/phantom/phantom_projections.hpp>

#include "device_test.hpp"
#include "phantom/poisson.hpp"

namespace isocenter::testing {

struct HelixOfNoise {
  static constexpr int rows = 7, columns = 33;
  static constexpr std::uint64_t view_bytes = rows * columns * 4;

  double way = 1, turn = 1;  ///< the signs of the table's and the gantry's motion
  PhantomDetector detector = PhantomDetector::flat;
  int views = 303;
  double pitch = 0.8, turns = 6.2;

  Payload scan() const {
    PhantomProjections::Params p;
    p.phantom = PhantomKind::shepp_logan_modified;
    p.orbit = PhantomOrbit::helix;
    p.detector = detector;
    p.columns = columns;
    p.rows = rows;
    p.source_to_isocenter_mm = 400;
    p.source_to_detector_mm = 800;
    p.column_step_mm = 12;
    p.row_step_mm = 16;
    p.views = views;
    p.arc_deg = turn * turns * 360;
    p.pitch = pitch * way;
    Pipeline pipeline(context());
    pipeline.add_output("out", pipeline.add<PhantomProjections>("scan", p).output);
    Session session = pipeline.prepare();
    session.start();
    const Projections views_of_noise(context().copy_to(*session.pull("out"), "cpu"));
    detail::Philox random(7, 0);
    for (float& reading : views_of_noise.views().span<float>()) reading = static_cast<float>(random.uniform(0, 1));
    return views_of_noise;
  }
};

}  // namespace isocenter::testing
