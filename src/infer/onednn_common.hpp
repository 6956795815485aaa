#pragma once
// What the units that call oneDNN (2.6 or 3.x) share: its steps, and the descriptions of convolutions and products.
#include <dnnl.hpp>
#include <vector>

#include "infer/step.hpp"

namespace isocenter::infer::onednn {

using dnnl::memory;
using Tag = memory::format_tag;

dnnl::engine& cpu_engine();
memory::dims to_dims(const Shape& shape);
memory::dims dims_of(const memory::desc& desc);
memory::data_type type_of(ElementType storage);
memory::desc channels_last(const Shape& shape, ElementType storage);
/// A matrix operand of the output's rank: leading axes of extent 1 added, the last two swapped where asked.
memory::desc matrix(const Shape& shape, std::size_t rank, bool transpose, ElementType storage);
/// The weights as oneDNN sees them, (groups,) out, in, kernel..., over ONNX's memory.
memory::desc onnx_weights(const Convolution& conv, const Shape& shape, memory::data_type type = memory::data_type::f32);

struct Argument {
  int index;
  memory::desc desc;
  Slot slot;
};

/// The primitive with its arguments, executed at every run.
void add_step(StepBuilder& builder, const dnnl::primitive& primitive, std::vector<Argument> arguments);
void add_scratchpad(StepBuilder& builder, int node_index, const memory::desc& desc, std::vector<Argument>& arguments);
/// Brings a constant into the form a primitive asks for, once.
Slot prepare(StepBuilder& builder, const Array& array, const memory::desc& from, const memory::desc& to);

/// `factor`: for oneDNN 2, what the activation's result is multiplied by.
dnnl::primitive_attr attributes(const Activation& then, bool add_to_output, float factor = 1.0F);
/// Adds the step that brings a residual to where a primitive adds it, the output, unless it lies there.
void add_residual(StepBuilder& builder, ValueId residual, ValueId output);

/// Of a convolution, transposed or not.
struct Shapes {
  memory::desc x, weights, bias, y;
  memory::dims strides, dilations, begin, end;
};
/// Weights in whatever order the primitive likes best.
Shapes shapes_of(const Graph& graph, const Node& node, const Convolution& conv, ElementType x,
                 memory::data_type weights, ElementType y);

#if DNNL_VERSION_MAJOR >= 3
template <class Primitive>
typename Primitive::primitive_desc describe(dnnl::algorithm algorithm, const Shapes& s,
                                            const dnnl::primitive_attr& attr) {
  return {cpu_engine(), dnnl::prop_kind::forward_inference,
          algorithm,    s.x,
          s.weights,    s.bias,
          s.y,          s.strides,
          s.dilations,  s.begin,
          s.end,        attr};
}
#else
template <class Primitive>
typename Primitive::primitive_desc describe(dnnl::algorithm algorithm, const Shapes& s,
                                            const dnnl::primitive_attr& attr) {
  const typename Primitive::desc desc(dnnl::prop_kind::forward_inference, algorithm, s.x, s.weights, s.bias, s.y,
                                      s.strides, s.dilations, s.begin, s.end);
  return {desc, attr, cpu_engine()};
}
#endif

dnnl::matmul::primitive_desc describe_product(const memory::desc& a, const memory::desc& weights,
                                              const memory::desc& bias, const memory::desc& y,
                                              const dnnl::primitive_attr& attr);

}  // namespace isocenter::infer::onednn
