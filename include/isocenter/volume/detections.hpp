#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

enum class BoxForm { corners, centre, distances };

/// Boxes that a detector found, in the patient: those above a score that no better box overlaps.
///
/// | port       | payload      | shape                | unit                                   |
/// |------------|--------------|----------------------|----------------------------------------|
/// | volume     | Volume       | zyx: its grid counts |                                        |
/// | candidates | Volume       | yx: a row for a box; czyx: a box for a voxel | voxels, and scores |
/// | output     | Segmentation | as volume            | uint8: the class of the box around it  |
///
/// A row has the numbers of a box, two for each axis, then its score for each class. Voxel i covers i to i + 1, as
/// detectors count; corners may come in either order. A dense detector without anchors, as network_inference runs it on
/// the volume's grid, has them as channels: the distances from a voxel's centre to the box's low and high sides (form
/// distances; Tian et al., "FCOS: Fully Convolutional One-Stage Object Detection", ICCV 2019, equation 1), then the
/// scores. Of all candidates the `candidates_at_most` with the best scores are looked at. Non-maximum suppression is
/// greedy, class by class, with the limits of ONNX NonMaxSuppression: a score has to be above `score_above`, and a box
/// falls when its intersection over union with a better one of its class is above `overlap_above`; of equal scores the
/// earlier row is better. Boxes are cut to the grid; those without a volume are left out.
///
/// The output's labels are for SEG files, contours and pictures: class c is label c + 1, in the voxels whose centre a
/// box holds; the best box counts. Its attributes are the boxes themselves: "detections.names" (as labels.names),
/// "detections.dimensions" (2 or 3), and "detections.boxes" with 14 numbers for each, best first: label, score, a
/// corner in the patient frame (LPS, mm), and the edges along the voxel axes x, y, z. A 2-D box is a slice thick.
///
/// Errors: bad_data for a table of another shape, and with the row of a number that is not finite.
struct Detections {
  static constexpr const char* name = "detections";
  static constexpr const char* module = "volume";
  static constexpr const char* summary = "Boxes and scores of a detector to objects in the patient.";
  static constexpr const char* help =
      "dicom_detections_sink writes them as a structured report; dicom_seg_sink and dicom_structure_set_sink take the "
      "labels. input_extent is what the network saw where the volume was resized for it.";
  static constexpr bool host_only = true;
  struct Params {
    std::string names;
    int dimensions = 3;
    BoxForm form = BoxForm::corners;
    bool slowest_first = false;
    std::vector<double> input_extent;
    int slice = -1;
    double score_above = 0.5;
    double overlap_above = 0.5;
    int most = 100;
    int candidates_at_most = 10000;
    bool outline = false;
    static constexpr const char* forms[] = {"corners", "centre", "distances"};
    static constexpr auto describe() {
      return std::tuple{
          param(&Params::names, "names", "Names of the classes, '/' between them.", required),
          param(&Params::dimensions, "dimensions", Unit::none, 2, 3, "2: x and y alone, in the slice `slice`."),
          choice(&Params::form, "form", forms,
                 "corners: low and high corner; centre: centre and extent; distances: from a voxel's centre to both."),
          param(&Params::slowest_first, "slowest_first", "A corner is z, y, x (or y, x), and not x, y, z."),
          param(&Params::input_extent, "input_extent", Unit::px, 1, 65535,
                "x, y (and z) of the image that the network saw; empty: the volume's."),
          param(&Params::slice, "slice", Unit::none, -1, 65534,
                "Of 2-D boxes, counted from 0; -1: the volume's only one."),
          param(&Params::score_above, "score_above", Unit::none, -1e6, 1e6, "A detection's score is above this."),
          param(
              &Params::overlap_above, "overlap_above", Unit::none, 0, 1,
              "A box falls whose intersection over union with a better one of its class is above this; 1: none does."),
          param(&Params::most, "most", Unit::none, 1, 10000, "At most so many detections, the best."),
          param(&Params::candidates_at_most, "candidates_at_most", Unit::none, 1, 1000000,
                "So many candidates, the best, come to the suppression; it takes the square of their number."),
          param(&Params::outline, "outline", "Labels in the outermost voxels of a box alone, for pictures."),
      };
    }
  };
  struct Ports {
    In<Volume> volume{"volume", "What was looked at."};
    In<Volume> candidates{"candidates", "The detector's boxes with their scores."};
    Out<Segmentation> output{"output", "The boxes, and labels in them."};
    static constexpr auto describe() { return std::tuple{&Ports::volume, &Ports::candidates, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
