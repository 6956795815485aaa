#pragma once
#include <isocenter/infer/network_precision.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class ImageInterpolation { model, bilinear, bicubic };
enum class ClassScale { model, none, softmax, sigmoid };

/// Classifies images by a trained network (ResNet, DenseNet, EfficientNet, VGG, ...): radiographs, slices, pathology.
///
/// | port   | payload          | shape                     | unit                                      |
/// |--------|------------------|---------------------------|-------------------------------------------|
/// | input  | Volume or Frames | zyx: z images; nyxc: n    | what the network was trained on           |
/// | output | Volume           | czyx: classes x images x 1 x 1 | 1 with softmax or sigmoid, else none |
///
/// Each image by itself: intensity scale, resized (separable, widened where it shrinks, so that nothing between two
/// samples is lost), the middle cut out (zeros beyond the image), (value - mean) / deviation for each channel, network,
/// softmax or sigmoid. This is torchvision's Resize (antialias), CenterCrop and Normalize on float32 images; on 8-bit
/// ones torchvision also rounds to whole values after resizing. One channel becomes three by repeating it, three become
/// one by 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601-7, 2.5.1).
///
/// The output is a voxel as large as the image for each image, at its middle, so that ensemble and scores_to_labels
/// take it. Attributes: "labels.names" (as of Segmentation), "classification.scores" (one number for each class,
/// classes fastest, image after image), "classification.top" (the `top` best classes of each image, best first; the
/// first of equals), "classification.scale" ("none", "softmax", "sigmoid"), "classification.model" (the file's name)
/// and "classification.model_sha256": dicom_classification_sink writes a report of them. The node's metrics: top_class
/// and top_score
/// (`top` of each image) and, with up to 32 classes, "score NAME" with a number for each image.
/// Errors: everything that is wrong with the model file; unsupported for a network that does not take one image of one
/// or three channels or does not give one score for each class; invalid_argument where nobody states the image's size
/// or the activation; bad_data where names or means are not as many as classes or channels.
struct ClassifyImage {
  static constexpr const char* name = "classify_image";
  static constexpr const char* module = "infer";
  static constexpr const char* summary = "Classifies images by a trained network (ONNX).";
  static constexpr const char* help =
      "The steps before the network come from the model's metadata (docs/infer/models.md) where they are not set. "
      "ImageNet's are resize: 256, crop: 224, 224, mean: 0.485, 0.456, 0.406, deviation: 0.229, 0.224, 0.225.";
  struct Params {
    std::string model;
    std::string intensity;
    std::vector<double> resize;
    std::vector<double> crop;
    ImageInterpolation interpolation = ImageInterpolation::model;
    std::vector<double> mean;
    std::vector<double> deviation;
    ClassScale activation = ClassScale::model;
    std::int64_t top = 5;
    std::string names;
    NetworkPrecision precision = NetworkPrecision::float32;
    bool check_numbers = false;
    std::string engine;
    int batch = 1;
    int stream_batch = 1;
    static constexpr const char* interpolations[] = {"model", "bilinear", "bicubic"};
    static constexpr const char* scales[] = {"model", "none", "softmax", "sigmoid"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::model, "model", "The ONNX file, or a Caffe .prototxt with its .caffemodel beside it.",
                required | path),
          param(&Params::intensity, "intensity",
                "none, or clip LOW HIGH scale FROM TO; empty: what the model states, else clip 0 255 scale 0 1 for "
                "Frames and none for a Volume."),
          param(&Params::resize, "resize", Unit::px, 1, 4096,
                "The shorter side after resizing, or x, y; empty: the model's, else the image stays as it is."),
          param(&Params::crop, "crop", Unit::px, 1, 4096,
                "x, y of the middle part that the network sees; empty: the model's, else its input's own size."),
          choice(&Params::interpolation, "interpolation", interpolations,
                 "Between pixels; model: what the model states, else bilinear."),
          param(&Params::mean, "mean", Unit::none, -1e6, 1e6,
                "Taken off each channel, one number or three; empty: the model's, else 0."),
          param(&Params::deviation, "deviation", Unit::none, 1e-6, 1e6,
                "Each channel is divided by it, one number or three; empty: the model's, else 1."),
          choice(&Params::activation, "activation", scales,
                 "softmax: one class of all; sigmoid: each by itself; none: the network's own numbers."),
          param(&Params::top, "top", Unit::none, 1, 100, "How many of the best classes are named for each image."),
          param(&Params::names, "names", "The classes' names, '/' between them; empty: the model's."),
          choice(&Params::precision, "precision", network_precisions,
                 "What the network computes in; the CPU has float32, bfloat16 and, after calibrate_network, int8."),
          param(&Params::check_numbers, "check_numbers",
                "Look at all values after every node, and name the node that gives the first NaN; slow."),
          param(
              &Params::engine, "engine",
              "Another engine for the network: its name or its shared object (isocenter/infer/engine.h); empty: ours."),
          param(&Params::batch, "batch", Unit::none, 1, 256,
                "Images of an item that the network takes at once, at most; the arena grows with it."),
          param(&Params::stream_batch, "stream_batch", Unit::none, 1, 256,
                "Items of the stream that the network takes at once, each of one image; an item waits for the others."),
      };
    }
  };
  struct Ports {
    In<AnyOf<Volume, Frames>> input{"input", "The images."};
    Out<Volume> output{"output", "A score for each class and image."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
