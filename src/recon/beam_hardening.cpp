#include "recon/beam_hardening.hpp"

#include <cmath>
#include <isocenter/recon/beam_hardening.hpp>

#include "core/builtin.hpp"
#include "core/launcher.hpp"
#include "recon/correction_input.hpp"
#include "recon/spectrum.hpp"

namespace isocenter::detail {

class BeamHardeningOperator : public OperatorBase<BeamHardening> {
 public:
  void plan(PlanContext& plan) override {
    const PayloadRef input = plan.input("input");
    shape_ = projection_shape(input, "input");
    check_line_integrals(input, "input");
    PayloadRef output = plan.output("output");
    const int given = (params.coefficients.empty() ? 0 : 1) + (params.energies_kev.empty() ? 0 : 1) +
                      (params.kilovolts > 0.0 ? 1 : 0);
    if (given != 1)
      throw Failure(ErrorCode::invalid_argument,
                    std::to_string(given) + " of coefficients, energies_kev and kilovolts are set",
                    "set exactly one: measured coefficients, a spectrum, or the tube's voltage");
    double limit = params.largest_integral > 0.0 ? params.largest_integral : 1e30;
    std::vector<double> c = params.coefficients;
    if (c.empty()) {
      const Spectrum s = spectrum();
      const double mu = reference_per_mm(s);
      double residual = 0.0;
      c = water_polynomial(s, mu, static_cast<int>(params.degree), params.largest_path_mm, &residual);
      limit = polychromatic_water(s, params.largest_path_mm);
      output.set_numbers("mu_water_per_mm", {&mu, 1});
      plan.fact("beam_hardening.mu_water_per_mm", to_parameter_text(mu));
      plan.fact("beam_hardening.largest_error", to_parameter_text(residual));
    }
    output.like(input, "views");
    make_kernel(c, limit);
    plan.fact("beam_hardening.coefficients", to_parameter_text(c));
    plan.require_kernel<BeamHardeningKernel>();
  }

  void run(const RunContext& run) override {
    kernel_.in = run.input("input").tensor("views").as<const float>();
    kernel_.out = run.output("output").tensor("views").as<float>();
    launch(launcher_of(run), kernel_, shape_.columns, shape_.rows, shape_.views);
  }

 private:
  Spectrum spectrum() const {
    if (params.kilovolts > 0.0) {
      if (params.kilovolts < 20.0)
        throw Failure(ErrorCode::invalid_argument,
                      "kilovolts = " + text_of(params.kilovolts) + ", and 20 to 400 are allowed",
                      "give the tube's voltage in kV");
      return tube_spectrum(params.kilovolts, params.aluminium_mm);
    }
    if (params.weights.size() != params.energies_kev.size())
      throw Failure(ErrorCode::invalid_argument,
                    "there are " + std::to_string(params.energies_kev.size()) + " energies_kev and " +
                        std::to_string(params.weights.size()) + " weights",
                    "give one weight for each energy");
    double sum = 0.0;
    for (const double w : params.weights) sum += w;
    if (!(sum > 0.0))
      throw Failure(ErrorCode::invalid_argument, "all weights are 0", "give the detector's signal from each energy");
    return given_spectrum(params.energies_kev, params.weights);
  }

  double reference_per_mm(const Spectrum& s) const {
    if (params.reference_kev <= 0.0) return first_water_per_mm(s);
    if (params.reference_kev < lowest_kev)
      throw Failure(ErrorCode::invalid_argument,
                    "reference_kev = " + text_of(params.reference_kev) + " keV, and 10 to 400 are allowed",
                    "give an energy of the spectrum, or 0");
    return water_per_mm(params.reference_kev);
  }

  void make_kernel(const std::vector<double>& c, double limit) {
    if (c.size() > BeamHardeningKernel::most)
      throw Failure(ErrorCode::invalid_argument,
                    "there are " + std::to_string(c.size()) + " coefficients, and at most 8 are allowed",
                    "fit a polynomial of a lower degree");
    kernel_ = {};
    kernel_.columns = shape_.columns;
    kernel_.rows = shape_.rows;
    kernel_.degree = static_cast<int>(c.size());
    kernel_.limit = static_cast<float>(limit);
    double slope = 0.0;
    for (std::size_t i = 0; i < c.size(); ++i) {
      kernel_.coefficients[i] = static_cast<float>(c[i]);
      slope += static_cast<double>(i + 1) * c[i] * (limit < 1e29 ? std::pow(limit, static_cast<double>(i)) : 0.0);
    }
    if (!(c[0] > 0.0))
      throw Failure(ErrorCode::invalid_argument,
                    "the first of the coefficients is " + text_of(c[0]) + ", and a number above 0 is needed",
                    "give c1, c2, ... of c1 p + c2 p^2 + ..., without a constant; c1 is near 1");
    if (limit < 1e29 && !(slope > 0.0))
      throw Failure(ErrorCode::invalid_argument,
                    "the polynomial of the coefficients falls at largest_integral = " + text_of(limit),
                    "fit it again, or lower largest_integral to where it still rises");
    kernel_.slope_at_limit = static_cast<float>(slope);
  }

  ProjectionShape shape_;
  BeamHardeningKernel kernel_{};
};

}  // namespace isocenter::detail

ISOCENTER_BUILTIN_OPERATOR(beam_hardening, BeamHardeningOperator)
