#include "core/slab_join.hpp"

#include <cstring>
#include <isocenter/slabs.hpp>

#include "core/processes.hpp"

namespace isocenter::detail {

namespace {

struct Shape {
  std::uint64_t slice_bytes = 0;
  std::int64_t frames = 1, height = 0;
};

/// What a process says before each slab that it sends.
struct SlabHeader {
  std::int64_t item, first, height, frames;
  std::uint64_t slice_bytes;
};

class SlabJoin {
 public:
  SlabJoin(isocenter_session& session, SessionNode& node, const isocenter_payload& slabs)
      : node_(node),
        session_(session),
        others_(isocenter_context_communicator(session.context.get())),
        slabs_(slabs_of(Payload::share(&slabs))),
        shape_(shape_of(slabs)) {
    if (others_ != nullptr) channel_ = Channel(*others_);
    node.declared_bytes += channel_.bytes();
  }

  bool gives() const { return others_ == nullptr || others_->rank == 0; }
  std::int64_t count() const { return static_cast<std::int64_t>(slabs_.first.size()); }
  std::int64_t ranks() const { return others_ == nullptr ? 1 : others_->ranks; }
  std::int64_t whole() const { return slabs_.whole; }

  void run() {
    const auto* from = static_cast<const std::byte*>(node_.inputs[0].current->tensors.front().view.data);
    const std::int64_t part = node_.sequence % count();
    const SlabHeader own{node_.sequence / count(), slabs_.first[static_cast<std::size_t>(part)], shape_.height,
                         shape_.frames, shape_.slice_bytes};
    if (!gives()) return send(own, from);
    auto* to = static_cast<std::byte*>(node_.outputs[0]->current->tensors.front().view.data);
    for (std::int64_t t = 0; t < own.frames; ++t)
      std::memcpy(to + offset(own, t), from + static_cast<std::uint64_t>(t) * bytes(own), bytes(own));
    if (part + 1 < count() || others_ == nullptr) return;
    for (std::int32_t rank = 1; rank < others_->ranks; ++rank) take_all_of(rank, own.item, to);
  }

 private:
  static Shape shape_of(const isocenter_payload& slabs) {
    const isocenter_tensor& t = slabs.tensors.front().view;
    const std::string_view axes = t.axes;
    if (slabs.tensors.size() != 1 || (axes != "zyx" && axes != "tzyx"))
      throw Failure(ErrorCode::invalid_argument,
                    "slabs with " + std::to_string(slabs.tensors.size()) + " tensors, the first with the axes '" +
                        std::string(axes) + "', cannot be joined",
                    "give slabs one tensor with the axes zyx or tzyx");
    const bool time = t.rank == 4;
    Shape s;
    s.frames = time ? t.shape[0] : 1;
    s.height = t.shape[time ? 1 : 0];
    s.slice_bytes = dtype_size(t.dtype) * static_cast<std::uint64_t>(t.shape[t.rank - 2] * t.shape[t.rank - 1]);
    return s;
  }

  static std::uint64_t bytes(const SlabHeader& h) { return static_cast<std::uint64_t>(h.height) * h.slice_bytes; }
  std::uint64_t offset(const SlabHeader& h, std::int64_t frame) const {
    return static_cast<std::uint64_t>(frame * slabs_.whole + h.first) * h.slice_bytes;
  }

  void send(const SlabHeader& header, const std::byte* from) {
    const std::int64_t about[2] = {count(), static_cast<std::int64_t>(planned_bytes())};
    if (header.first == slabs_.first.front()) give(about, sizeof about);
    give(&header, sizeof header);
    give(from, static_cast<std::uint64_t>(header.frames) * bytes(header));
  }

  void take_all_of(std::int32_t rank, std::int64_t item, std::byte* to) {
    std::int64_t about[2];
    take(rank, about, sizeof about);
    held_[static_cast<std::size_t>(rank)] = static_cast<double>(about[1]);
    for (std::int64_t part = 0; part < about[0]; ++part) {
      SlabHeader h;
      take(rank, &h, sizeof h);
      if (h.item != item || h.frames != shape_.frames || h.slice_bytes != shape_.slice_bytes || h.first < 0 ||
          h.first + h.height > slabs_.whole)
        throw Failure(ErrorCode::bad_data,
                      "rank " + std::to_string(rank) + " sent slices " + std::to_string(h.first) + " to " +
                          std::to_string(h.first + h.height - 1) + " of volume " + std::to_string(h.item) +
                          " where slices of volume " + std::to_string(item) + " with " + std::to_string(slabs_.whole) +
                          " were due",
                      "start all ranks with the same pipeline and the same input");
      for (std::int64_t t = 0; t < h.frames; ++t) take(rank, to + offset(h, t), bytes(h));
    }
    held_[0] = static_cast<double>(planned_bytes());
    if (rank + 1 == others_->ranks)
      for (Metric& m : node_.metrics) {
        m.values = held_;
        m.set = true;
      }
  }

  std::uint64_t planned_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& n : session_.nodes) sum += n->bytes();
    return sum;
  }

  static std::int32_t stop(void* session) { return static_cast<isocenter_session*>(session)->stopping() ? 1 : 0; }
  void give(const void* data, std::uint64_t bytes) {
    call([&](auto* e) { return others_->send(others_->user, channel_.number(), 0, data, bytes, stop, &session_, e); });
  }
  void take(std::int32_t rank, void* data, std::uint64_t bytes) {
    call([&](auto* e) {
      return others_->receive(others_->user, channel_.number(), rank, data, bytes, stop, &session_, e);
    });
  }

  SessionNode& node_;
  isocenter_session& session_;
  const isocenter_communicator* others_;
  Channel channel_;
  Slabs slabs_;
  Shape shape_;
  std::vector<double> held_ = std::vector<double>(static_cast<std::size_t>(ranks()), 0.0);
};

const isocenter_port ports[] = {{sizeof(isocenter_port), 0, 0, ~0U, "input", ""},
                                {sizeof(isocenter_port), 0, 1, ~0U, "output", ""}};
const isocenter_operator_type join_type = [] {
  isocenter_operator_type t{};
  t.struct_size = sizeof t;
  t.name = "join_slabs";
  t.module = "core";
  t.version = "1.0.0";
  t.summary = t.help = "";
  t.ports = ports;
  t.port_count = 2;
  t.run = [](void* instance, const isocenter_run*, isocenter_error* error) {
    return guarded(error, [&]() -> isocenter_status {
      static_cast<SlabJoin*>(instance)->run();
      return ISOCENTER_OK;
    });
  };
  t.destroy = [](void* p) { delete static_cast<SlabJoin*>(p); };
  return t;
}();

}  // namespace

bool find_slabs(const isocenter_payload& description) { return description.attributes->count(slabs_attribute) > 0; }

void plan_slab_join(isocenter_session& session, SessionNode& node, const isocenter_payload& slabs, OutputPort& out) {
  node.type = &join_type;
  auto* join = new SlabJoin(session, node, slabs);
  node.instance = join;
  node.gather = join->count();
  node.gives_nothing = !join->gives();
  out.description = Ref<isocenter_payload>::adopt(slabs.copy_description());
  isocenter_tensor whole = slabs.tensors.front().view;
  whole.shape[whole.rank - 3] = join->whole();
  whole.data = nullptr;
  for (auto& s : whole.strides) s = 0;
  out.description->set_tensor(slabs.tensors.front().name, whole);
  out.description->remove_attribute(slabs_attribute);
  node.facts.emplace_back("slabs", std::to_string(join->count()) + " in this process");
  if (join->ranks() > 1 && join->gives())
    node.metrics.push_back(
        {"planned_bytes_of_rank", "B", std::vector<double>(static_cast<std::size_t>(join->ranks())), false});
}

}  // namespace isocenter::detail
