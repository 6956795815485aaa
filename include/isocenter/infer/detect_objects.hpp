#pragma once
#include <isocenter/infer/network_precision.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class DetectorTable { scores, objectness, label, apart, selected };
enum class DetectorBox { corners, centre };
enum class DetectorScale { none, sigmoid, softmax };
enum class DetectorFit { windows, letterbox, stretch };
enum class BoxOverlap { of_union, of_smaller };

/// Finds objects by a trained network that gives a table of boxes with scores (YOLO, SSD, RetinaNet, DETR, ...).
///
/// | port   | payload          | shape                                        | unit                                |
/// |--------|------------------|----------------------------------------------|-------------------------------------|
/// | input  | Volume or Frames | zyx; nyxc: n pictures                        | what the network was trained on     |
/// | output | Segmentation     | as input, nyx of pictures                    | uint8: the class of the box around it |
///
/// The network takes (n, channels, z, y, x) or, slice by slice, (n, channels, y, x), of one channel or three; a volume
/// fills three channels alike, pictures become one channel by 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601-7, 2.5.1).
/// How an image comes to the network's window is `fit`: windows slides overlapping windows over the volume, at the
/// model's spacing and axes where it states them (as segment_volume); letterbox scales a slice until it fits, in the
/// middle, with `pad` around it (Redmon's darknet and the YOLO family since); stretch scales each axis by itself.
/// Scaling is linear, widened where it shrinks unless `antialias` is false. Then come the intensity scale and
/// (value - mean) / deviation of each channel.
///
/// What the network gives (`table`), with a box of 2 numbers for each axis (`box`: corners, or centre and extent):
/// scores: a table whose rows are a box and a score for each class (YOLOv8, v11); objectness: box, objectness, scores,
/// which are multiplied (YOLOv5, v7, YOLOX); label: box, score, class (suppression in the model, YOLOv10); apart: two
/// outputs, boxes and scores (RetinaNet, SSD, DETR); selected: three, boxes, scores and what ONNX NonMaxSuppression
/// selects of them, rows of -1 left out. A table may lie either way round: rows last or first. Position i of the window
/// covers i to i + 1. Of all windows and slices together the `candidates_at_most` with the best scores come to a greedy
/// suppression, class by class: a score has to be above `score_above`, and a box falls when it shares more than
/// `overlap_above` with a better one. With overlap_of: smaller the shared part is measured on the smaller box, so that
/// a piece of an object at a window's border falls too. Boxes are cut to the volume.
///
/// The output's labels and its attributes "detections.names", "detections.dimensions" (2 for a network of slices) and
/// "detections.boxes" are those of the operator detections: dicom_detections_sink writes them. The node's metric
/// `objects` is their number.
/// Memory: the network's arena, the volume at the network's spacing where that is another one, pictures as float32, and
/// the tables of a batch in host memory; with stream_batch the windows and tables of its items. Boxes are sorted and
/// suppressed on the host, on CUDA too. Errors: everything that is wrong with the model file; unsupported for outputs
/// of other shapes than `table` says; bad_data with the window and the row of a number that is not finite.
struct DetectObjects {
  static constexpr const char* name = "detect_objects";
  static constexpr const char* module = "infer";
  static constexpr const char* summary = "Finds objects by a trained network (ONNX) that gives boxes with scores.";
  static constexpr const char* help =
      "dicom_detections_sink writes the boxes as a structured report. A detector that gives distances for each voxel "
      "is run by network_inference and read by detections.";
  struct Params {
    std::string model;
    DetectorTable table = DetectorTable::scores;
    DetectorBox box = DetectorBox::centre;
    bool slowest_first = false;
    bool fractions = false;
    DetectorScale activation = DetectorScale::none;
    int background = -1;
    std::string outputs;
    std::string names;
    DetectorFit fit = DetectorFit::windows;
    std::vector<double> window;
    float overlap = 0.25F;
    std::string intensity;
    double pad = 0;
    bool antialias = true;
    std::vector<double> mean;
    std::vector<double> deviation;
    double score_above = 0.5;
    double overlap_above = 0.5;
    BoxOverlap overlap_of = BoxOverlap::of_union;
    int most = 100;
    int candidates_at_most = 10000;
    bool outline = false;
    NetworkPrecision precision = NetworkPrecision::float32;
    bool check_numbers = false;
    std::string engine;
    int batch = 1;
    int keep_plans_mb = 0;
    int stream_batch = 1;
    static constexpr const char* tables[] = {"scores", "objectness", "label", "apart", "selected"};
    static constexpr const char* boxes[] = {"corners", "centre"};
    static constexpr const char* scales[] = {"none", "sigmoid", "softmax"};
    static constexpr const char* fits[] = {"windows", "letterbox", "stretch"};
    static constexpr const char* overlaps[] = {"union", "smaller"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::model, "model", "The ONNX file, or a Caffe .prototxt with its .caffemodel beside it.",
                required | path),
          choice(&Params::table, "table", tables,
                 "What the network gives: box and scores; box, objectness and scores; box, score and class; boxes and "
                 "scores apart; or with what NonMaxSuppression selected."),
          choice(&Params::box, "box", boxes, "corners: low and high corner; centre: centre and extent."),
          param(&Params::slowest_first, "slowest_first", "A box's numbers are z, y, x (or y, x), and not x, y, z."),
          param(&Params::fractions, "fractions", "A box's numbers are parts of the window, and not pixels."),
          choice(&Params::activation, "activation", scales, "What the network's scores go through first."),
          param(&Params::background, "background", Unit::none, -1, 254,
                "The network's class that is no object, counted from 0; -1: all are."),
          param(&Params::outputs, "outputs",
                "Names of the outputs that are read, boxes/scores/selected; empty: the model's, in its order."),
          param(&Params::names, "names",
                "Names of the classes without the background, '/' between them; empty: the model's."),
          choice(&Params::fit, "fit", fits, "How an image comes to the network's window."),
          param(&Params::window, "window", Unit::px, 1, 4096,
                "x, y, z of the network's input; empty: the model's own. z is 1 for a network of slices."),
          param(&Params::overlap, "overlap", Unit::none, 0, 0.9,
                "fit = windows: part of a window that its neighbour covers too; objects should be smaller than it."),
          param(&Params::intensity, "intensity",
                "none, z_score, or clip LOW HIGH scale FROM TO; empty: what the model states, else clip 0 255 scale "
                "0 1 for Frames and none for a Volume."),
          param(&Params::pad, "pad", Unit::none, -1e6, 1e6,
                "fit = letterbox: the image's value around it, before the intensity scale; YOLO's is 114."),
          param(&Params::antialias, "antialias", "false: between the two nearest pixels, as OpenCV scales."),
          param(&Params::mean, "mean", Unit::none, -1e6, 1e6,
                "Taken off each channel, one number or three; empty: the model's, else 0."),
          param(&Params::deviation, "deviation", Unit::none, 1e-6, 1e6,
                "Each channel is divided by it, one number or three; empty: the model's, else 1."),
          param(&Params::score_above, "score_above", Unit::none, -1e6, 1e6, "A detection's score is above this."),
          param(&Params::overlap_above, "overlap_above", Unit::none, 0, 1,
                "A box falls that shares a larger part than this with a better one of its class; 1: none does."),
          choice(&Params::overlap_of, "overlap_of", overlaps,
                 "The shared part is the intersection over the union, or over the smaller box."),
          param(&Params::most, "most", Unit::none, 1, 10000, "At most so many detections, the best."),
          param(&Params::candidates_at_most, "candidates_at_most", Unit::none, 1, 1000000,
                "So many candidates, the best, come to the suppression; it takes the square of their number."),
          param(&Params::outline, "outline", "Labels in the outermost voxels of a box alone, for pictures."),
          choice(&Params::precision, "precision", network_precisions,
                 "What the network computes in; the CPU has float32, bfloat16 and, after calibrate_network, int8."),
          param(&Params::check_numbers, "check_numbers",
                "Look at all values after every node, and name the node that gives the first NaN; slow."),
          param(
              &Params::engine, "engine",
              "Another engine for the network: its name or its shared object (isocenter/infer/engine.h); empty: ours."),
          param(&Params::batch, "batch", Unit::none, 1, 256,
                "Windows (slices) that the network takes at once, at most; the arena grows with it."),
          param(&Params::keep_plans_mb, "keep_plans_mb", Unit::none, 0, 65536,
                "Megabytes of weights of plans that wait in the process, on the CPU, for a session of the same network "
                "and window; 0: this session's goes with it."),
          param(
              &Params::stream_batch, "stream_batch", Unit::none, 1, 256,
              "Items of the stream that the network takes at once, each of one window; an item waits for the others."),
      };
    }
  };
  struct Ports {
    In<AnyOf<Volume, Frames>> input{"input", "What is looked at."};
    Out<Segmentation> output{"output", "The boxes, and labels in them."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
