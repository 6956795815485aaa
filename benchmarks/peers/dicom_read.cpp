// The time of dicom_series_source from a folder to one volume in memory, for dicom_read.py.
//   peer_dicom_read FOLDER REPEATS THREADS     prints the best time in s, then min, max and sum of the voxels
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <isocenter/dicom/dicom_series_source.hpp>
#include <isocenter/isocenter.hpp>

namespace ic = isocenter;

int main(int count, char** arguments) {
  if (count != 4) return 2;
  try {
    isocenter_context_options options{};
    options.struct_size = sizeof options;
    options.thread_count = std::atoi(arguments[3]);
    const ic::Context context(options);
    double best = 1e30, sum = 0;
    float low = 0, high = 0;
    for (int i = 0; i < std::atoi(arguments[2]); ++i) {
      const auto begin = std::chrono::steady_clock::now();
      ic::Pipeline pipeline(context);
      const auto source = pipeline.add<ic::DicomSeriesSource>("study", {.path = arguments[1]});
      pipeline.add_output("volume", source.output);
      ic::Session session = pipeline.prepare();
      session.start();
      const auto item = session.pull("volume");
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      best = std::min(best, took.count());
      if (!item) session.wait();
      const ic::Volume volume(*item);
      const auto voxels = volume.values();
      low = *std::min_element(voxels.begin(), voxels.end());
      high = *std::max_element(voxels.begin(), voxels.end());
      sum = 0;
      for (const float v : voxels) sum += static_cast<double>(v);
    }
    std::printf("%.6f %g %g %.0f\n", best, static_cast<double>(low), static_cast<double>(high), sum);
  } catch (const ic::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
