#pragma once
// What the operators that prepare and correct projections ask of their inputs before they plan anything.
#include <isocenter/dense.hpp>
#include <isocenter/operator.hpp>

namespace isocenter::detail {

struct ProjectionShape {
  int views = 0, rows = 0, columns = 0;
  std::int64_t pixels() const { return static_cast<std::int64_t>(rows) * columns; }
  std::int64_t elements() const { return pixels() * views; }
};

/// The shape of an input's projections; throws when they are not dense float32 views × rows × columns.
inline ProjectionShape projection_shape(const Payload& payload, const char* port) {
  const TensorView t = payload.tensor("views");
  const std::string where = std::string("input '") + port + "'";
  if (std::string(t.axes) != "nvu")
    throw Failure(ErrorCode::bad_data, where + " has the axes '" + std::string(t.axes) + "', and 'nvu' is needed",
                  "order it as views, detector rows, detector columns, with columns fastest");
  if (t.type() != DType::float32)
    throw Failure(ErrorCode::bad_data, where + " is not float32", "convert it when it is read");
  for (int i = t.rank - 1; i >= 0; --i) {
    const std::int64_t limit = i == 0 ? 1'000'000 : 65'535;
    if (t.shape[i] < 1 || t.shape[i] > limit)
      throw Failure(ErrorCode::bad_data,
                    where + " has the extent " + std::to_string(t.shape[i]) + " along '" + t.axes[i] + "', and 1 to " +
                        std::to_string(limit) + " are allowed",
                    "check how the projections were read");
  }
  if (!is_dense(t))
    throw Failure(ErrorCode::bad_data, where + " is not dense", "copy it into a dense tensor, columns fastest");
  return {static_cast<int>(t.shape[0]), static_cast<int>(t.shape[1]), static_cast<int>(t.shape[2])};
}

/// Throws when readings that should be line integrals say that they are counts, or the other way round. An empty unit,
/// and any other, passes.
inline void check_line_integrals(const Payload& payload, const char* port) {
  if (payload.text("unit") == "counts")
    throw Failure(ErrorCode::bad_data,
                  std::string("input '") + port + "' has the unit 'counts', and line integrals are needed",
                  "put line_integrals before this node, or correct the unit of the projections");
}
inline void check_raw_counts(const Payload& payload, const char* port) {
  if (payload.text("unit") == "1")
    throw Failure(
        ErrorCode::bad_data,
        std::string("input '") + port + "' has the unit '1' of line integrals, and counts are needed",
        "give them the unit counts where they are read if they are counts; this node stands before the logarithm");
}

inline std::string text_of(const ProjectionShape& s) {
  return std::to_string(s.rows) + " rows x " + std::to_string(s.columns) + " columns";
}

/// Throws when a second input's detector differs from the first's.
inline void check_same_detector(const ProjectionShape& a, const char* port_a, const ProjectionShape& b,
                                const char* port_b) {
  if (a.rows != b.rows || a.columns != b.columns)
    throw Failure(ErrorCode::bad_data,
                  "input '" + std::string(port_a) + "' has " + text_of(a) + " and input '" + port_b + "' " + text_of(b),
                  "give both from the same detector, binned alike");
}

/// Where an element lies, for messages.
inline std::string place_of(const ProjectionShape& s, std::int64_t element) {
  return "view " + std::to_string(element / s.pixels()) + ", row " + std::to_string(element % s.pixels() / s.columns) +
         ", column " + std::to_string(element % s.columns);
}

/// A number as messages show it.
inline std::string text_of(double v) { return to_parameter_text(static_cast<float>(v)); }

/// Values in the memory of the node's device, for the host to read once the node has waited: on a device a copy at
/// `offset` of its host scratch, on the CPU the values themselves.
template <class T>
T* for_host(const RunContext& run, bool on_cpu, T* values, std::uint64_t count, std::uint64_t offset) {
  if (on_cpu || values == nullptr) return values;
  T* copy = reinterpret_cast<T*>(run.host_scratch<std::byte>() + offset);
  run.copy(copy, values, count * sizeof(T));
  return copy;
}

/// Rooms in scratch memory, one after the other, each 256-byte aligned.
class ScratchRooms {
 public:
  std::uint64_t add(std::uint64_t bytes) {
    const std::uint64_t at = bytes_;
    bytes_ += (bytes + 255) / 256 * 256;
    return at;
  }
  std::uint64_t bytes() const { return bytes_; }
  template <class T>
  static T* at(const RunContext& run, std::uint64_t offset) {
    return reinterpret_cast<T*>(run.scratch<std::byte>() + offset);
  }

 private:
  std::uint64_t bytes_ = 0;
};

}  // namespace isocenter::detail
