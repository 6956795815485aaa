// What this module adds to a context.
#include "infer/calibrate_network.hpp"
#include "infer/classify_image.hpp"
#include "infer/detect_objects.hpp"
#include "infer/mask_volume.hpp"
#include "infer/model_inspect.hpp"
#include "infer/monai_bundle.hpp"
#include "infer/network_inference.hpp"
#include "infer/segment_volume.hpp"

ISOCENTER_MODULE(isocenter::infer::CalibrateNetworkOperator, isocenter::infer::ClassifyImageOperator,
                 isocenter::infer::DetectObjectsOperator, isocenter::infer::MaskVolumeOperator,
                 isocenter::infer::ModelInspectOperator, isocenter::infer::MonaiBundleOperator,
                 isocenter::infer::SegmentVolumeOperator, isocenter::infer::NetworkInferenceOperator)
