#include "infer/bundle_recipe.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <isocenter/describe.hpp>
#include <isocenter/error.hpp>
#include <set>

#include "infer/bundle_call.hpp"
#include "infer/bundle_metadata.hpp"
#include "infer/orientation.hpp"

namespace isocenter::infer {
namespace {

namespace fs = std::filesystem;
using Kind = BundleValue::Kind;
using isocenter::detail::to_parameter_text;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& w : words) text += (text.empty() ? "" : ", ") + w;
  return text;
}

/// The ONNX file of a bundle: models/model.onnx, or the only one there.
std::string model_file(const fs::path& folder) {
  const fs::path models = folder / "models";
  std::vector<std::string> found, other;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(models, error)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".onnx") found.push_back(entry.path().string());
    if (extension == ".ts" || extension == ".pt" || extension == ".pth")
      other.push_back(entry.path().filename().string());
  }
  std::sort(found.begin(), found.end());
  std::sort(other.begin(), other.end());
  if (const std::string usual = (models / "model.onnx").string();
      std::find(found.begin(), found.end(), usual) != found.end())
    return usual;
  if (found.size() == 1) return found[0];
  const std::string fix =
      "export it with MONAI: python -m monai.bundle onnx_export network_def --filepath models/model.onnx --ckpt_file "
      "models/model.pt --meta_file configs/metadata.json --config_file configs/inference.json";
  if (found.empty() && !other.empty())
    throw Failure(ErrorCode::unsupported, "'" + models.string() + "' holds " + joined(other) + " and no ONNX file",
                  fix);
  if (found.empty()) throw Failure(ErrorCode::not_found, "'" + models.string() + "' holds no ONNX file", fix);
  throw Failure(ErrorCode::bad_data, "'" + models.string() + "' holds " + std::to_string(found.size()) + " ONNX files",
                "name the one that is meant model.onnx");
}

class Reader {
 public:
  Reader(const BundleFile& file, BundleRecipe& recipe) : file_(file), recipe_(recipe) {}

  void read() {
    for (const auto& transform : transforms("preprocessing", true)) read_before(transform);
    read_inferer();
    for (const auto& transform : transforms("postprocessing", false)) read_after(transform);
    if (!discrete_)
      throw Failure(ErrorCode::unsupported,
                    file_.place(file_.root()) + ": postprocessing makes no labels: it has no AsDiscreted",
                    "add AsDiscreted with argmax or threshold, or use network_inference for scores");
    const bool moved = cropped_ || std::any_of(recipe_.steps.begin(), recipe_.steps.end(), [](const BundleStep& s) {
                         return s.kind == BundleStep::Kind::spacing || s.kind == BundleStep::Kind::resize;
                       });
    if (moved && !recipe_.inverted)
      throw Failure(
          ErrorCode::unsupported,
          file_.place(file_.root()) + ": postprocessing has no Invertd, so that labels would lie on the network's grid",
          "add Invertd with transform @preprocessing");
    if (foreground_ && *std::min_element(recipe_.window.begin(), recipe_.window.end()) <= 0)
      throw Failure(ErrorCode::unsupported,
                    file_.place(file_.root()) +
                        ": CropForegroundd leaves a volume of unknown extent, and the network " +
                        "is planned for windows of a fixed one",
                    "give a SlidingWindowInferer whose roi_size has three numbers above 0");
  }

 private:
  /// The calls of a Compose, those that are disabled left out.
  std::vector<BundleValue> transforms(const std::string& key, bool needed) {
    const BundleValue* entry = file_.root().find(key);
    if (entry == nullptr) {
      if (!needed) return {};
      throw Failure(ErrorCode::bad_data, file_.place(file_.root()) + ": there is no '" + key + "'",
                    "give the bundle's configuration for inference");
    }
    BundleValue list = file_.resolved(*entry);
    if (list.is(Kind::map)) {
      const BundleValue whole = list;
      const BundleCall compose(file_, whole);
      if (compose.name() != "Compose")
        file_.refuse(list, "'" + key + "' is " + compose.name() + ", and Compose is needed",
                     "put the transforms into a Compose");
      list = compose.value("transforms");
      compose.ignore({"map_items", "unpack_items", "log_stats", "lazy", "overrides"});
      compose.finish();
    }
    if (!list.is(Kind::list)) file_.refuse(list, "'" + key + "' holds no list of transforms", "give a list");
    std::vector<BundleValue> calls;
    for (const BundleValue& item : list.items) {
      BundleValue call = file_.resolved(item);
      if (!BundleCall(file_, call).disabled()) calls.push_back(std::move(call));
    }
    return calls;
  }

  void spatial(const BundleCall& call, bool resamples) {
    if (resamples && resampled_) call.refuse("is a second change of the grid", "keep one Spacingd or Resized");
    if (cropped_ && resamples) call.refuse("stands behind a crop", "put the crop behind it");
    if (padded_ && resamples) call.refuse("stands behind padding", "put padding last");
    resampled_ = resampled_ || resamples;
    moved_ = true;
  }

  void read_before(const BundleValue& value) {
    const BundleCall call(file_, value);
    const std::string& name = call.name();
    static const std::set<std::string> plain = {"LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "ToTensord",
                                                "ToDeviced",  "CastToTyped",         "Identityd"};
    if (plain.count(name) != 0) return;  // what they do is done when the volume is read
    if (name == "AddChanneld") return;
    call.one_key();
    BundleStep step{};
    if (name == "Orientationd") {
      if (moved_ || !recipe_.orientation.empty())
        call.refuse("stands behind another change of the grid", "put one Orientationd first");
      recipe_.orientation = call.text("axcodes");
      if (!are_axes(recipe_.orientation))
        call.refuse("'axcodes' is '" + recipe_.orientation + "'", "one each of L R, P A and S I is allowed, as RAS");
      call.ignore({"as_closest_canonical", "labels", "lazy"});
      call.require_false({"as_closest_canonical"});
    } else if (name == "Spacingd") {
      spatial(call, true);
      step.kind = BundleStep::Kind::spacing;
      step.spacing_mm = call.triple("pixdim");
      for (const double mm : step.spacing_mm)
        if (!(mm <= 1000)) call.refuse("'pixdim' holds " + to_parameter_text(mm), "at most 1000 mm are allowed");
      for (double& mm : step.spacing_mm) mm = std::max(mm, 0.0);
      call.require_text("mode", {"bilinear"}, "bilinear");
      call.require_text("padding_mode", {"border"}, "border");
      call.require_false({"diagonal", "align_corners", "scale_extent", "recompute_affine"});
      call.ignore({"dtype", "ensure_same_shape", "lazy"});
      recipe_.steps.push_back(step);
    } else if (name == "Resized") {
      spatial(call, true);
      step.kind = BundleStep::Kind::resize;
      step.size = call.extents("spatial_size", 1);
      call.require_text("mode", {"trilinear"}, "area");
      call.require_text("size_mode", {"all"}, "all");
      call.require_false({"align_corners", "anti_aliasing"});
      call.ignore({"anti_aliasing_sigma", "dtype", "lazy"});
      recipe_.steps.push_back(step);
    } else if (name == "DivisiblePadd" || name == "SpatialPadd") {
      read_padding(call, step);
    } else if (name == "CenterSpatialCropd") {
      if (padded_) call.refuse("stands behind padding", "put padding last");
      cropped_ = moved_ = true;
      step.kind = BundleStep::Kind::crop;
      step.size = call.extents("roi_size", -1);
      call.ignore({"lazy"});
      recipe_.steps.push_back(step);
    } else if (name == "CropForegroundd") {
      read_foreground(call, step);
    } else {
      read_scaling(call, step);
    }
    call.finish();
  }

  void read_padding(const BundleCall& call, BundleStep step) {
    spatial(call, false);
    padded_ = true;
    const bool to_size = call.name() == "SpatialPadd";
    step.kind = to_size ? BundleStep::Kind::pad_to : BundleStep::Kind::pad;
    step.size = to_size ? call.extents("spatial_size", -1) : call.extents("k", 1);
    call.require_text("mode", {"constant"}, "constant");
    call.require_text("method", {"symmetric", "end"}, "symmetric");
    step.at_end = call.text("method", "symmetric") == "end";
    call.ignore({"lazy"});
    recipe_.steps.push_back(step);
  }

  void read_foreground(const BundleCall& call, BundleStep step) {
    if (foreground_) call.refuse("is the second one", "keep one");
    if (cropped_) call.refuse("stands behind CenterSpatialCropd", "put it before");
    if (padded_) call.refuse("stands behind padding", "put padding last");
    foreground_ = cropped_ = moved_ = true;
    step.kind = BundleStep::Kind::foreground;
    const double margin = call.number("margin", 0.0);
    if (!(margin >= 0 && margin <= 65535) || margin != std::floor(margin))
      call.refuse("'margin' is " + to_parameter_text(margin), "whole numbers from 0 to 65535 are allowed");
    step.margin = static_cast<int>(margin);
    if (!call.flag("allow_smaller", false) && step.margin > 0)
      call.refuse("would pad beyond the volume's border, since 'allow_smaller' is not true",
                  "set allow_smaller to true, or margin to 0");
    call.require_null({"select_fn", "channel_indices"});
    if (call.number("k_divisible", 1.0) != 1) call.refuse("'k_divisible' is not 1", "put DivisiblePadd behind it");
    call.ignore({"source_key", "mode", "start_coord_key", "end_coord_key", "lazy"});
    recipe_.steps.push_back(step);
  }

  void read_scaling(const BundleCall& call, BundleStep step) {
    const std::string& name = call.name();
    if (name == "ScaleIntensityRanged") {
      step.kind = BundleStep::Kind::scale_range;
      step.low = call.number("a_min");
      step.high = call.number("a_max");
      if (!(step.low < step.high)) call.refuse("'a_min' is not below 'a_max'", "give the lower end first");
      step.from = call.number("b_min", 0.0);
      step.to = call.number("b_max", 1.0);
      step.clip = call.flag("clip", false);
    } else if (name == "ScaleIntensityd") {
      step.kind = BundleStep::Kind::percentiles;
      step.low = 0;
      step.high = 100;
      step.from = call.number("minv", 0.0);
      step.to = call.number("maxv", 1.0);
      call.require_null({"factor"});
      call.require_false({"channel_wise"});
    } else if (name == "ScaleIntensityRangePercentilesd") {
      step.kind = BundleStep::Kind::percentiles;
      step.low = call.number("lower");
      step.high = call.number("upper");
      if (!(step.low >= 0 && step.low < step.high && step.high <= 100))
        call.refuse("'lower' and 'upper' are " + std::to_string(step.low) + " and " + std::to_string(step.high),
                    "0 <= lower < upper <= 100 is allowed");
      step.from = call.number("b_min");
      step.to = call.number("b_max");
      step.clip = call.flag("clip", false);
      call.require_false({"relative"});
      call.ignore({"channel_wise"});  // there is one channel
    } else if (name == "NormalizeIntensityd") {
      step.kind = BundleStep::Kind::z_score;
      step.nonzero = call.flag("nonzero", false);
      call.ignore({"channel_wise"});
      call.require_null({"subtrahend", "divisor"});
    } else {
      call.refuse("is not among the transforms that are read before a network",
                  "LoadImaged, EnsureChannelFirstd, EnsureTyped, Orientationd, Spacingd, Resized, CropForegroundd, "
                  "CenterSpatialCropd, SpatialPadd, DivisiblePadd, ScaleIntensityd, ScaleIntensityRanged, "
                  "ScaleIntensityRangePercentilesd and NormalizeIntensityd are");
    }
    if (cropped_ && step.kind != BundleStep::Kind::scale_range)
      call.refuse("stands behind a crop and would measure what that leaves", "put it before");
    if (padded_) call.refuse("stands behind padding, whose zeros it would change or measure", "put padding last");
    call.ignore({"dtype"});
    recipe_.steps.push_back(step);
  }

  void read_inferer() {
    const BundleValue* entry = file_.root().find("inferer");
    if (entry == nullptr) return;  // MONAI's SimpleInferer
    const BundleValue value = file_.resolved(*entry);
    const BundleCall call(file_, value);
    if (call.name() == "SimpleInferer") return;
    if (call.name() != "SlidingWindowInferer" && call.name() != "SlidingWindowInfererAdapt")
      call.refuse("is not among the inferers", "SimpleInferer and SlidingWindowInferer are read");
    recipe_.window = call.extents("roi_size", -1);
    recipe_.overlap = call.number("overlap", 0.25);
    if (!(recipe_.overlap >= 0 && recipe_.overlap < 1))
      call.refuse("'overlap' is " + std::to_string(recipe_.overlap), "0 <= overlap < 1 is allowed");
    const std::string mode = call.text("mode", "constant");
    if (mode != "constant" && mode != "gaussian")
      call.refuse("'mode' is '" + mode + "'", "constant and gaussian are allowed");
    recipe_.gaussian = mode == "gaussian";
    recipe_.sigma = call.number("sigma_scale", 0.125);
    if (!(recipe_.sigma > 0 && recipe_.sigma <= 10))
      call.refuse("'sigma_scale' is " + std::to_string(recipe_.sigma), "one number above 0, at most 10, is allowed");
    call.require_text("padding_mode", {"constant"}, "constant");
    if (call.number("cval", 0.0) != 0) call.refuse("'cval' is not 0", "0 is allowed");
    call.require_false({"with_coord"});
    call.ignore({"sw_batch_size", "sw_device", "device", "progress", "cache_roi_weight_map", "cpu_thresh",
                 "buffer_steps", "buffer_dim"});
    call.finish();
  }

  void not_behind_small_objects(const BundleCall& call) const {
    if (recipe_.smallest > 0) call.refuse("stands behind RemoveSmallObjectsd", "put it before");
  }

  void read_small_objects(const BundleCall& call) {
    if (!discrete_) call.refuse("stands before AsDiscreted", "put it behind");
    if (recipe_.smallest > 0) call.refuse("is the second one", "keep one");
    const double voxels = call.number("min_size", 64.0);
    if (!(voxels >= 1 && voxels <= 2e9) || voxels != std::floor(voxels))
      call.refuse("'min_size' is " + to_parameter_text(voxels), "whole numbers from 1 to 2000000000 are allowed");
    recipe_.smallest = static_cast<int>(voxels);
    recipe_.small_connectivity = neighbours(call, 6);
    recipe_.small_of_all = !call.flag("independent_channels", true);
    call.require_false({"by_measure"});
    call.require_null({"pixdim"});
  }

  /// MONAI's connectivity: 1 by faces, 2 by edges too, 3 by corners too.
  static int neighbours(const BundleCall& call, int otherwise = 26) {
    if (!call.has("connectivity")) return otherwise;
    const double c = call.number("connectivity");
    if (c != 1 && c != 2 && c != 3) call.refuse("'connectivity' is " + to_parameter_text(c), "1, 2 or 3 is allowed");
    return c == 1 ? 6 : c == 2 ? 18 : 26;
  }

  void read_applied(const BundleCall& call) {
    if (call.has("applied_labels")) applied_.emplace_back(call.where(), call.list("applied_labels"));
  }

  /// MONAI goes through a set of small numbers, which are in order there.
  void read_filled(const BundleCall& call) {
    if (!call.has("applied_labels")) return;
    std::set<int> labels;
    for (const double label : call.list("applied_labels")) {
      if (!(label >= 0 && label <= 255) || label != std::floor(label))
        call.refuse("'applied_labels' holds " + to_parameter_text(label), "whole numbers from 1 to 255 are allowed");
      if (label > 0) labels.insert(static_cast<int>(label));
    }
    recipe_.filled_labels.assign(labels.begin(), labels.end());
    if (labels.empty()) recipe_.filled = 0;
  }

  void read_after(const BundleValue& value) {
    const BundleCall call(file_, value);
    const std::string& name = call.name();
    if (name == "SaveImaged" || name == "EnsureTyped" || name == "ToTensord") return;
    call.one_key();
    if (name == "Activationsd") {
      if (discrete_) call.refuse("stands behind AsDiscreted", "put it before");
      const bool softmax = call.flag("softmax", false), sigmoid = call.flag("sigmoid", false);
      if (softmax && sigmoid) call.refuse("asks for softmax and sigmoid", "choose one");
      if (recipe_.inverted && (cropped_ || !recipe_.nearest_back))
        call.refuse(cropped_ ? "stands behind an Invertd that fills with zeros what a crop took away"
                             : "stands behind an Invertd that interpolates",
                    "put it before");
      if (softmax) recipe_.activation = BundleRecipe::Activation::softmax;
      if (sigmoid) recipe_.activation = BundleRecipe::Activation::sigmoid;
      call.require_null({"other"});
    } else if (name == "Invertd") {
      if (recipe_.largest > 0) call.refuse("stands behind KeepLargestConnectedComponentd", "put it before");
      if (recipe_.filled > 0) call.refuse("stands behind FillHolesd", "put it before");
      not_behind_small_objects(call);
      if (recipe_.inverted) call.refuse("is the second one", "keep one");
      recipe_.inverted = true;
      recipe_.nearest_back = call.flag("nearest_interp", true);
      if (discrete_ && !recipe_.nearest_back)
        call.refuse("would interpolate between labels", "set nearest_interp to true, or put it before AsDiscreted");
      call.ignore({"transform", "orig_keys", "meta_keys", "orig_meta_keys", "meta_key_postfix", "to_tensor", "device",
                   "post_func", "allow_missing_keys"});
    } else if (name == "AsDiscreted") {
      if (discrete_) call.refuse("is the second one", "keep one");
      discrete_ = true;
      const bool argmax = call.flag("argmax", false);
      if (call.has("threshold")) recipe_.threshold = call.number("threshold");
      if (argmax == recipe_.threshold.has_value())
        call.refuse(argmax ? "asks for argmax and threshold" : "asks for neither argmax nor threshold",
                    "give one of them");
      call.require_null({"to_onehot", "rounding"});
    } else if (name == "KeepLargestConnectedComponentd") {
      if (!discrete_) call.refuse("stands before AsDiscreted", "put it behind");
      if (!call.flag("independent", true)) call.refuse("'independent' is false", "true is allowed");
      call.require_false({"is_onehot"});
      const double parts = call.number("num_components", 1.0);
      if (!(parts >= 1 && parts <= 16) || parts != std::floor(parts))
        call.refuse("'num_components' is " + to_parameter_text(parts), "whole numbers from 1 to 16 are allowed");
      recipe_.largest = static_cast<int>(parts);
      recipe_.connectivity = neighbours(call);
      not_behind_small_objects(call);
      read_applied(call);
    } else if (name == "FillHolesd") {
      if (!discrete_) call.refuse("stands before AsDiscreted", "put it behind");
      if (recipe_.filled > 0) call.refuse("is the second one", "keep one");
      not_behind_small_objects(call);
      recipe_.filled = neighbours(call);
      recipe_.filled_first = recipe_.largest == 0;
      read_filled(call);
    } else if (name == "RemoveSmallObjectsd") {
      read_small_objects(call);
    } else {
      call.refuse("is not among the transforms that are read behind a network",
                  "Activationsd, Invertd, AsDiscreted, KeepLargestConnectedComponentd, FillHolesd, RemoveSmallObjectsd "
                  "and SaveImaged are");
    }
    call.finish();
  }

 public:
  /// KeepLargestConnectedComponentd names all labels, or none.
  void check_applied(int labels) const {
    for (const auto& [where, list] : applied_) {
      std::set<double> named(list.begin(), list.end());
      named.erase(0);
      for (int label = 1; label < labels && !list.empty(); ++label)
        if (named.erase(label) == 0 || (label + 1 == labels && !named.empty()))
          throw Failure(ErrorCode::unsupported,
                        where + ": 'applied_labels' does not name the labels 1 to " + std::to_string(labels - 1),
                        "name them all, or leave it out");
    }
  }

 private:
  const BundleFile& file_;
  BundleRecipe& recipe_;
  bool moved_ = false, resampled_ = false, foreground_ = false, cropped_ = false, padded_ = false, discrete_ = false;
  std::vector<std::pair<std::string, std::vector<double>>> applied_;  ///< by whom, and which labels
};

}  // namespace

BundleRecipe read_bundle(const std::string& folder) {
  const fs::path configs = fs::path(folder) / "configs";
  std::string configuration;
  for (const char* name : {"inference.json", "inference.yaml", "inference.yml"})
    if (configuration.empty() && fs::exists(configs / name)) configuration = (configs / name).string();
  if (configuration.empty())
    throw Failure(ErrorCode::not_found, "'" + configs.string() + "' holds no inference.json and no inference.yaml",
                  "give the folder of a MONAI bundle, which has configs/ and models/ in it");
  BundleRecipe recipe;
  const BundleFile file(configuration);
  Reader reader(file, recipe);
  reader.read();
  if (fs::exists(configs / "metadata.json")) read_metadata(BundleFile((configs / "metadata.json").string()), recipe);
  if (recipe.output_channels > 0) reader.check_applied(std::max(2, recipe.output_channels));
  recipe.model = model_file(folder);
  return recipe;
}

}  // namespace isocenter::infer
