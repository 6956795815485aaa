#include "infer/classify_image.hpp"

#include <algorithm>

#include "core/launcher.hpp"
#include "infer/caffe/caffe_model.hpp"
#include "infer/network_plan.hpp"
#include "infer/network_run.hpp"
#include "infer/threads.hpp"

namespace isocenter::infer {
namespace {

namespace kernels = isocenter::detail;

constexpr std::int64_t most_numbers = 10'000'000;  // of scores: attributes of a payload hold them

std::int64_t padded(std::int64_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace

void ClassifyImageOperator::plan(PlanContext& plan) {
  const PayloadRef in = plan.input("input");
  on_cpu_ = plan.on_cpu();
  std::string digest;
  model_ = read_model(params.model, &digest);
  card_ = read_model_card(model_.metadata, model_.source);
  images_.choose(in, params, model_, card_);
  scores_.choose_activation(params, model_, card_);
  choose_batch();
  plan_executor(plan, digest);
  scores_.choose(params, model_, card_, classes_, images_.images());
  images_.plan(plan);
  plan_items(plan);
  plan_scratch(plan);
  scores_.describe(plan, in, images_.size(), model_.source, digest);
  state_network(plan, model_, digest, executor_->summary());
  images_.state_facts(plan);
  state_batch(plan);
  scores_.state_facts(plan);
  model_ = {};  // the weights are in the executor now
}

/// As few runs as the images need, of as equal sizes as can be; or an image of each of several items.
void ClassifyImageOperator::choose_batch() {
  const bool items = params.stream_batch > 1;
  const int images = images_.images();
  const OnnxPort& port = model_.inputs[0];
  if ((items || params.batch > 1) && (*port.shape)[0].extent == 1)
    throw Failure(ErrorCode::unsupported,
                  model_.source + (items ? ": stream_batch = " : ": batch = ") +
                      std::to_string(items ? params.stream_batch : params.batch) + ", and the input '" + port.name +
                      "' of the model takes 1 item",
                  "export the model with a free batch axis, or leave it at 1");
  if (items && images > 1)
    throw Failure(ErrorCode::invalid_argument,
                  "stream_batch = " + std::to_string(params.stream_batch) +
                      " is for items that are one image each, and each of these has " + std::to_string(images),
                  "set batch instead, for the images of an item");
  const int runs = (images + params.batch - 1) / params.batch;
  batch_ = items ? params.stream_batch : (images + runs - 1) / runs;
}

void ClassifyImageOperator::plan_executor(PlanContext& plan, const std::string& digest) {
  if (on_cpu_) launcher_ = cpu_launcher(std::max(1, plan.launcher().concurrency));
  NetworkOptions network{.precision = params.precision, .digest = digest, .engine = params.engine, .on_grid = false};
  const auto shape = [&](int count) { return Shape{count, images_.channels(), images_.crop()[1], images_.crop()[0]}; };
  executor_ = plan_network(plan, model_, shape(batch_), network);
  rest_ = nullptr;
  if (const int left = params.stream_batch > 1 ? 1 : images_.images() % batch_; left > 0) {
    network.beside = &executor_->summary();
    rest_ = plan_network(plan, model_, shape(left), network);
  }
  for (Executor* each : {executor_.get(), rest_.get()})
    if (params.check_numbers && each != nullptr) each->check_numbers();
  classes_ = classes_of(executor_->outputs()[0]);
}

int ClassifyImageOperator::classes_of(const Port& out) const {
  const std::int64_t count = element_count(out.shape) / batch_;
  if (out.type != ElementType::f32 || out.shape.size() < 2 || out.shape[0] != batch_ || out.shape[1] != count ||
      count < 1 || count > 1'000'000)
    throw Failure(ErrorCode::unsupported,
                  model_.source + ": output '" + out.name + "' is " + to_text(out.shape) + " of " + name_of(out.type) +
                      (batch_ == 1 ? std::string(" for one image") : " for " + std::to_string(batch_) + " images") +
                      ", and one float32 score for each class is needed",
                  "use a network for classification; network_inference gives a score for each pixel");
  if (count * images_.images() > most_numbers)
    throw Failure(ErrorCode::unsupported,
                  std::to_string(images_.images()) + " images of " + std::to_string(count) + " classes are more than " +
                      std::to_string(most_numbers) + " scores",
                  "give fewer images at a time");
  return static_cast<int>(count);
}

void ClassifyImageOperator::plan_items(PlanContext& plan) {
  if (params.stream_batch > 1)
    items_.plan(plan, batch_, images_.image_floats() * static_cast<std::int64_t>(sizeof(float)),
                {executor_->outputs()[0]}, {rest_->outputs()[0]});
}

void ClassifyImageOperator::plan_scratch(PlanContext& plan) {
  const std::int64_t scores =
      padded(static_cast<std::int64_t>(images_.images()) * classes_ * static_cast<std::int64_t>(sizeof(float)));
  logits_at_ = images_.lay_out(arena_bytes());
  plan.scratch(static_cast<std::uint64_t>(logits_at_ + scores));
  plan.host_scratch(static_cast<std::uint64_t>(2 * scores));
}

std::int64_t ClassifyImageOperator::arena_bytes() const {
  return std::max(executor_->summary().arena_bytes, rest_ == nullptr ? 0 : rest_->summary().arena_bytes);
}

void ClassifyImageOperator::state_batch(PlanContext& plan) const {
  const int left = params.stream_batch > 1 ? 1 : images_.images() % batch_;
  if (batch_ > 1)
    plan.fact(params.stream_batch > 1 ? "stream_batch" : "batch",
              std::to_string(batch_) + (left == 0 ? "" : ", at last " + std::to_string(left)));
}

const kernels::Launcher& ClassifyImageOperator::launcher(const RunContext& run) {
  if (!on_cpu_) launcher_ = kernels::launcher_of(run);
  return launcher_;
}

void ClassifyImageOperator::bind(std::byte* scratch) {
  if (bound_ == scratch) return;
  executor_->bind(bound_ = scratch);
  if (rest_ != nullptr) rest_->bind(scratch);
}

void ClassifyImageOperator::run(const RunContext& run) {
  const kernels::Launcher& l = launcher(run);
  auto* scratch = run.scratch<std::byte>();
  const bool batches = params.stream_batch > 1;
  if (batches && run.part() < 0) {
    images_.take(run);
    return images_.prepare(l, scratch, 0, reinterpret_cast<float*>(items_.take()));
  }
  bind(scratch);
  const std::int64_t count = static_cast<std::int64_t>(images_.images()) * classes_;
  const auto bytes = static_cast<std::uint64_t>(count) * sizeof(float);
  auto* logits = run.host_scratch<float>();
  float* by_class = logits + padded(static_cast<std::int64_t>(bytes)) / static_cast<std::int64_t>(sizeof(float));
  if (batches)
    run.copy(logits, items_.give(run, scratch, *executor_, *rest_, l.stream), bytes);
  else
    run_images(run, scratch, logits);
  run.wait();
  scores_.rate({logits, static_cast<std::size_t>(count)}, by_class);
  run.copy(run.output("output").tensor("voxels").as<float>(), by_class, bytes);
  run.wait();
  scores_.tell(run);
}

/// All images of an item; `logits` is in host memory.
void ClassifyImageOperator::run_images(const RunContext& run, std::byte* scratch, float* logits) {
  const kernels::Launcher& l = launcher_;
  images_.take(run);
  const std::int64_t images = images_.images(), bytes = classes_ * static_cast<std::int64_t>(sizeof(float));
  for (std::int64_t image = 0, count = 0; image < images; image += count) {
    run.check_cancelled();
    count = std::min<std::int64_t>(batch_, images - image);
    Executor& network = count == batch_ ? *executor_ : *rest_;
    auto* to = reinterpret_cast<float*>(scratch + network.inputs()[0].offset);
    for (std::int64_t i = 0; i < count; ++i) images_.prepare(l, scratch, image + i, to + i * images_.image_floats());
    run_network(run, network, scratch, l.stream);
    run.copy(scratch + logits_at_ + image * bytes, scratch + network.outputs()[0].offset,
             static_cast<std::uint64_t>(bytes * count));
    run.progress(static_cast<double>(image + count) / static_cast<double>(images));
  }
  run.copy(logits, scratch + logits_at_, static_cast<std::uint64_t>(bytes * images));
}

}  // namespace isocenter::infer
