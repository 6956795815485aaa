// The denoiser of models/ct_denoiser on a chest that it was not trained on: better than non-local means at the strength
// that suits this very chest best, by PSNR and SSIM, as its card says.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <isocenter/denoise/non_local_means.hpp>
#include <isocenter/infer/network_inference.hpp>
#include <isocenter/isocenter.hpp>
#include <isocenter/phantom/phantom_projections.hpp>
#include <isocenter/recon/compare_volumes.hpp>
#include <isocenter/recon/fbp_reconstruction.hpp>
#include <isocenter/volume/scale_intensity.hpp>

#include "device_test.hpp"

namespace isocenter::testing {
namespace {

struct Measures {
  double psnr_db, ssim;
};

/// Of the node's metric in the report; there is one value.
double metric(const std::string& report, const std::string& node, const std::string& name) {
  const std::size_t at = report.find("\"name\":\"" + node + "\"");
  const std::size_t metric = report.find("\"" + name + "\":", at), values = report.find('[', metric);
  if (at == std::string::npos || metric == std::string::npos || values == std::string::npos) {
    ADD_FAILURE() << node << " has no " << name;
    return 0;
  }
  return std::stod(report.substr(values + 1));
}

/// One scan of training_set.yaml, seed 100001, half of its slices.
PhantomProjections::Params scan(double photons) {
  PhantomProjections::Params p;
  p.phantom = PhantomKind::moving_thorax;
  p.seed = 100001;
  p.beam = PhantomBeam::parallel;
  p.arc_deg = 180;
  p.views = 480;
  p.columns = 304;
  p.column_step_mm = 1.4;
  p.rows = 6;
  p.row_step_mm = 3;
  p.seconds = 0;
  p.photons = photons;
  p.noise_seed = 1;
  return p;
}

TEST(Denoiser, IsBetterThanNonLocalMeansAtTheirBestStrengthOnAHeldOutChest) {
  Pipeline pipeline(context());
  const auto window = [] {
    ScaleIntensity::Params p;  // 400 HU of soft tissue, to which values are held
    p.low = p.from = -160;
    p.high = p.to = 240;
    return p;
  };
  const auto clean = pipeline.add<FbpReconstruction>("clean");
  pipeline.connect(pipeline.add<PhantomProjections>("clean_lines", scan(0)).output, clean.input);
  const auto noisy = pipeline.add<FbpReconstruction>("noisy");
  pipeline.connect(pipeline.add<PhantomProjections>("noisy_lines", scan(20000)).output, noisy.input);
  const auto truth = pipeline.add<ScaleIntensity>("truth", window());
  pipeline.connect(clean.output, truth.input);

  std::vector<std::string> nodes;
  const auto compare = [&](const std::string& name, const Out<Volume>& of) {
    const auto held = pipeline.add<ScaleIntensity>(name + "_held", window());
    pipeline.connect(of, held.input);
    const auto node = pipeline.add<CompareVolumes>(name);
    pipeline.connect(held.output, node.input);
    pipeline.connect(truth.output, node.truth);
    nodes.push_back(name);
  };
  compare("as_it_is", noisy.output);
  NetworkInference::Params network;
  network.model = std::string(ISOCENTER_SOURCE_DIR) + "/models/ct_denoiser/ct_denoiser.onnx";
  const auto denoised = pipeline.add<NetworkInference>("network", network);
  pipeline.connect(noisy.output, denoised.input);
  compare("by_network", denoised.output);
  for (const float strength : {1.2F, 1.6F, 2.0F, 2.6F}) {
    const std::string name = "means_" + std::to_string(std::lround(10 * strength));
    NonLocalMeans::Params p;
    p.strength = strength;
    const auto means = pipeline.add<NonLocalMeans>(name, p);
    pipeline.connect(noisy.output, means.input);
    compare("by_" + name, means.output);
  }
  Session session = pipeline.prepare();
  session.start();
  session.wait();
  const std::string report = session.report();
  std::vector<Measures> found;
  for (const std::string& node : nodes)
    found.push_back({metric(report, node, "psnr_db"), metric(report, node, "ssim")});
  for (std::size_t i = 0; i < nodes.size(); ++i)
    std::printf("%s: PSNR %.2f dB, SSIM %.4f\n", nodes[i].c_str(), found[i].psnr_db, found[i].ssim);
  const Measures as_it_is = found[0], by_network = found[1];
  double psnr = 0, ssim = 0;
  for (std::size_t i = 2; i < found.size(); ++i) {
    psnr = std::max(psnr, found[i].psnr_db);
    ssim = std::max(ssim, found[i].ssim);
  }
  // The strengths enclose the best one.
  EXPECT_GT(psnr, std::max(found[2].psnr_db, found.back().psnr_db));
  EXPECT_GT(psnr, as_it_is.psnr_db + 4);
  EXPECT_GT(by_network.psnr_db, psnr);
  EXPECT_GT(by_network.ssim, ssim);
}

}  // namespace
}  // namespace isocenter::testing
