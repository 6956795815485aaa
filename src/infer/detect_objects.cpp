#include "infer/detect_objects.hpp"

#include <cmath>

#include "core/launcher.hpp"
#include "infer/image.hpp"
#include "volume/detected_boxes.hpp"

namespace isocenter::infer {

namespace kernels = isocenter::detail;

void DetectObjectsOperator::plan(PlanContext& plan) {
  const PayloadRef in = plan.input("input");
  read_input(in);
  VolumeNetworkOptions options{params.model,     params.window,    static_cast<double>(params.overlap),
                               params.intensity, params.precision, params.engine,
                               params.batch};
  options.stream_batch = params.stream_batch;
  options.kept_bytes = std::int64_t{params.keep_plans_mb} << 20;
  options.gives_tables = true;
  options.fit = static_cast<ImageFit>(params.fit);
  options.planes = coloured_ ? 3 : 1;
  options.pad = params.pad;
  options.antialias = params.antialias;
  options.mean = params.mean;
  options.deviation = params.deviation;
  options.bytes = coloured_;
  network_.plan(plan, shape_, options);
  if (params.check_numbers) network_.check_numbers();

  std::vector<std::string> names = class_names();
  const int named = static_cast<int>(names.size());
  const auto plan_table = [&](BoxTable& table, std::int64_t count) {
    table.plan(params, network_.network_for(count).outputs(), params.model, network_.window(), network_.flat(), count,
               named);
  };
  plan_table(table_, network_.batch());
  if (const std::int64_t left = network_.windows() % network_.batch(); left > 0) plan_table(rest_, left);
  if (params.stream_batch > 1) network_.plan_items(plan, table_.ports(), rest_.ports());
  for (int c = 0; c < table_.classes() && named == 0; ++c) names.push_back("class " + std::to_string(c));
  kernels::describe_boxes(plan.output("output"), in, extent_, names, network_.flat() ? 2 : 3);

  std::int64_t scratch = network_.scratch_bytes();
  if (coloured_) {
    plan.require_kernel<kernels::ImagePlanesKernel>();
    scratch += shape_.frame_voxels() * network_.planes() * static_cast<std::int64_t>(sizeof(float));
  }
  plan.scratch(static_cast<std::uint64_t>(scratch));
  labels_at_ = (std::max(table_.bytes(), rest_.bytes()) + 255) / 256 * 256;
  plan.host_scratch(static_cast<std::uint64_t>(labels_at_ + shape_.frame_voxels()));
  boxes_.reserve(static_cast<std::size_t>(params.candidates_at_most));
  values_.reserve(kernels::numbers_a_box * static_cast<std::size_t>(params.most));
  scores_.assign(static_cast<std::size_t>(table_.classes()), 0);
  plan.declare_host_memory(boxes_.capacity() * sizeof(kernels::ScoredBox) + values_.capacity() * sizeof(double));
  plan.metric("objects", "1", 1);
}

void DetectObjectsOperator::read_input(const PayloadRef& in) {
  coloured_ = in.kind() == ISOCENTER_FRAMES;
  if (!coloured_) {
    shape_ = kernels::grid_shape(in, "input", "voxels", DType::float32);
    if (shape_.has_time)
      throw Failure(ErrorCode::unsupported, "input 'input' has a time axis, and boxes of one time point are found",
                    "give one time point at a time");
  } else {
    const TensorView t = in.tensor("pixels");
    if (std::string_view(t.axes) != "nyxc" || t.type() != DType::uint8 || t.shape[3] != 3 ||
        *std::max_element(t.shape, t.shape + 3) > 65535)
      throw Failure(ErrorCode::bad_data,
                    std::string("input 'input' has the axes '") + t.axes + "' with " + std::to_string(t.extent('c')) +
                        " channels, and 8-bit pictures 'nyxc' of 3, of up to 65535 along each axis, are needed",
                    "give colour pictures as dicom_frames_source gives them");
    shape_ = {static_cast<int>(t.shape[2]), static_cast<int>(t.shape[1]), static_cast<int>(t.shape[0])};
    shape_.geometry = in.geometry();
  }
  extent_ = {shape_.nx, shape_.ny, shape_.nz};
}

/// None where nobody names them.
std::vector<std::string> DetectObjectsOperator::class_names() const {
  const std::vector<std::string> names =
      params.names.empty() ? network_.card().class_names : kernels::split_names(params.names);
  kernels::check_class_names(names, params.names.empty() ? params.model + ": the metadata 'isocenter.class_names'"
                                                         : "names = '" + params.names + "'");
  return names;
}

/// Pictures as the slices of a volume, their colours taking turns.
const float* DetectObjectsOperator::planes(const RunContext& run, std::byte* scratch) const {
  const PayloadRef in = run.input("input");
  if (!coloured_) return in.tensor("voxels").as<const float>();
  const std::int64_t pixels = static_cast<std::int64_t>(shape_.nx) * shape_.ny;
  kernels::ImagePlanesKernel kernel{};
  kernel.colour = in.tensor("pixels").as<const std::uint8_t>();
  kernel.out = reinterpret_cast<float*>(scratch + network_.scratch_bytes());
  const float* const first = kernel.out;
  kernel.nx = shape_.nx;
  kernel.ny = shape_.ny;
  kernel.luma = network_.planes() == 1;
  kernel.low = -INFINITY;
  kernel.high = INFINITY;
  kernel.a = 1;
  const kernels::Launcher l = kernels::launcher_of(run);
  for (int image = 0; image < shape_.nz; ++image) {
    kernels::launch(l, kernel, shape_.nx, shape_.ny, network_.planes());
    kernel.colour += 3 * pixels;
    kernel.out += network_.planes() * pixels;
  }
  return first;
}

/// What the network gave for `count` windows, to candidates on the volume's grid.
void DetectObjectsOperator::read_windows(const RunContext& run, std::int64_t first, std::int64_t count) {
  const BoxTable& table = table_for(count);
  const auto* scratch = run.scratch<std::byte>();
  auto* values = run.host_scratch<std::byte>();
  for (const Port& p : table.ports()) {
    const std::int64_t bytes = element_count(p.shape) * bytes_of(p.type);
    run.copy(values, scratch + p.offset, static_cast<std::uint64_t>(bytes));
    values += bytes;
  }
  find_boxes(run, table, first, count);
}

/// Of the tables in host memory, as soon as they are there.
void DetectObjectsOperator::find_boxes(const RunContext& run, const BoxTable& table, std::int64_t first,
                                       std::int64_t count) {
  const auto* values = run.host_scratch<std::byte>();
  run.wait();
  for (std::int64_t item = 0; item < count; ++item)
    table.read(values, {item, first + item}, scores_, [&](kernels::ScoredBox box) {
      network_.to_volume(first + item, box.low, box.high);
      for (std::size_t k = 0; k < 3; ++k) {
        box.low[k] = std::clamp(box.low[k], 0.0, static_cast<double>(extent_[k]));
        box.high[k] = std::clamp(box.high[k], 0.0, static_cast<double>(extent_[k]));
      }
      box.row += (first + item) * 1'000'000'000;  // an earlier window's is better where scores are equal
      if (box.has_volume()) kernels::add_candidate(boxes_, box, static_cast<std::size_t>(params.candidates_at_most));
    });
}

void DetectObjectsOperator::run(const RunContext& run) {
  auto* scratch = run.scratch<std::byte>();
  const bool batches = params.stream_batch > 1;
  if (batches && run.part() < 0) return network_.take_item(run, scratch, planes(run, scratch));
  boxes_.clear();
  if (batches) {
    run.copy(run.host_scratch<std::byte>(), network_.item_outputs(run, scratch),
             static_cast<std::uint64_t>(rest_.bytes()));
    find_boxes(run, rest_, 0, 1);
  } else {
    network_.begin_frame(run, scratch, planes(run, scratch));
    const std::int64_t windows = network_.windows();
    for (std::int64_t first = 0; first < windows;) {
      const std::int64_t count = network_.run_batch(run, scratch, first);
      read_windows(run, first, count);
      first += count;
      run.progress(static_cast<double>(first) / static_cast<double>(windows));
    }
  }
  kernels::suppress_boxes(boxes_, params.overlap_above, static_cast<std::size_t>(params.most),
                          params.overlap_of == BoxOverlap::of_smaller);
  auto* labels = reinterpret_cast<std::uint8_t*>(run.host_scratch<std::byte>() + labels_at_);
  const PayloadRef output = run.output("output");
  kernels::give_boxes(boxes_, shape_.geometry, {extent_, network_.flat() ? 2 : 3, params.outline}, values_, output,
                      labels);
  run.copy(output.tensor("labels").as<std::uint8_t>(), labels, static_cast<std::uint64_t>(shape_.frame_voxels()));
  run.wait();
  run.metric("objects", static_cast<double>(boxes_.size()));
}

}  // namespace isocenter::infer
