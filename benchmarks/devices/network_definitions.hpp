#pragma once
// Networks by their public definitions with random weights, as an exporter would write them.
#include <string>

#include "infer/onnx_model.hpp"

namespace isocenter::benchmarks {

/// K. He et al., "Deep residual learning for image recognition", CVPR 2016, table 1, 50 layers; a stage's stride is in
/// its first 3 x 3 convolution, batch normalisation folded. (batch, 3, 224, 224) to 1,000 scores.
infer::OnnxModel resnet50(std::int64_t batch);

/// Ö. Çiçek et al., "3D U-Net", MICCAI 2016, figure 2, with 32 to 512 channels on five levels, padded convolutions,
/// instance norm and leaky ReLU (F. Isensee et al., nnU-Net, Nature Methods 18 (2021), methods). (batch, 1, n, n, n) to
/// 4 scores.
infer::OnnxModel unet3d(std::int64_t batch, std::int64_t n);

}  // namespace isocenter::benchmarks
