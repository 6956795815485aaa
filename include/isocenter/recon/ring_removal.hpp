#pragma once
#include <isocenter/operator.hpp>

namespace isocenter::inline v1 {

/// Takes the stripes that detector columns with wrong gain leave in sinograms, and so the rings out of images.
///
/// | port   | payload     | shape                  | unit     |
/// |--------|-------------|------------------------|----------|
/// | input  | Projections | views × rows × columns | 1        |
/// | output | Projections | as input               | as input |
///
/// Method: Vo, Atwood and Drakopoulos, Optics Express 26 (2018) 28396, algorithm 3: in the sinogram of each detector
/// row every column is sorted over the views, a median over `window` columns smooths equal ranks, and each value goes
/// back to its view. Stripes up to half the window wide vanish, whatever they do with intensity; what an object has
/// between columns mostly stays, since it comes at other ranks. Needs all views of a scan in one item, over a half or
/// full turn. Border: the outermost column repeated. Memory: two floats for each element of as many detector rows as
/// fit into 256 MiB (or a quarter of what the budget leaves). Cost: views · log²(views) / 4 exchanges and window² / 2
/// for each column and element. Errors: bad_data for fewer than 3 views, and for a reading that is not finite, with its
/// place; invalid_argument for an even window, or one wider than the detector.
struct RingRemoval {
  static constexpr const char* name = "ring_removal";
  static constexpr const char* module = "recon";
  static constexpr const char* summary = "Takes stripes out of sinograms (rings out of images) by sorting.";
  static constexpr const char* help = "Vo 2018, sorting and a median over detector columns. CPU and CUDA.";
  struct Params {
    std::int64_t window = 21;
    static constexpr auto describe() {
      return std::tuple{param(&Params::window, "window", Unit::px, 3, 41,
                              "Columns of the median, an odd number: twice the widest stripe and more.")};
    }
  };
  struct Ports {
    In<Projections> input{"input", "Line integrals, all views of a scan."};
    Out<Projections> output{"output", "The same without stripes."};
    static constexpr auto describe() { return std::tuple{&Ports::input, &Ports::output}; }
  };
};

}  // namespace isocenter::inline v1
