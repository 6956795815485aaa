#pragma once
// A network planned for one device: its memory is known before it runs, and running allocates nothing.
#include <isocenter/error.hpp>
#include <isocenter/infer/network_precision.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "infer/graph.hpp"

namespace isocenter::infer {

/// One input or output as it lies in the arena: float32 and others dense, last axis fastest.
struct Port {
  std::string name;
  ElementType type;
  Shape shape;
  std::int64_t offset;  ///< bytes from the arena's start
};

/// What a plan came to, for reports.
struct PlanSummary {
  std::int64_t arena_bytes = 0;
  std::int64_t constant_bytes = 0;       ///< weights in the form that they run in, tables
  bool shared_constants = false;         ///< they were there already, from another plan
  const void* constants = nullptr;       ///< where they lie: the same for plans that share them; null: not known
  bool kept = false;                     ///< planned by a session that ended (plan_cache.hpp)
  std::int64_t sum_of_values_bytes = 0;  ///< what the arena would be without overlapped lifetimes
  int nodes = 0, reorders = 0;
  std::vector<std::string> reference_nodes;  ///< nodes in plain loops: correct, and slow
  std::string engine, precision;
};

using Precision = NetworkPrecision;

class Executor {
 public:
  virtual ~Executor() = default;
  virtual const std::vector<Port>& inputs() const = 0;
  virtual const std::vector<Port>& outputs() const = 0;
  virtual const PlanSummary& summary() const = 0;
  /// Gives the executor its arena: arena_bytes on its device, 256-byte aligned. Cheap; done again when the arena moves.
  virtual void bind(std::byte* arena) = 0;
  /// One inference on what lies at the inputs' places; enqueues on `stream`, on the CPU it returns when done. The
  /// inputs' memory may be overwritten. Not for two threads at once.
  virtual void run(void* stream) = 0;
  /// Words at `offset` of the arena in which a device notes what is wrong with a run's data, and the memory here that
  /// they are copied to before check_notes() (network_run.hpp). None: run() itself fails by the data.
  struct Notes {
    std::int64_t offset = 0;
    std::span<std::int64_t> words;
  };
  virtual Notes notes() { return {}; }
  /// Throws bad_data by what was noted.
  virtual void check_notes() const {}
  /// From now on each run looks for what is not a number in the inputs and after every node, and fails with bad_data
  /// where the first is. On the CPU; others refuse it.
  virtual void check_numbers() {
    throw Failure(ErrorCode::unsupported, "check_numbers looks into the values of the CPU's own engine alone",
                  "run this node on \"cpu\", without another engine");
  }
  /// From now on each run notes where the values lie that int8 needs ranges of. Float32 on the CPU; others refuse it.
  virtual void record_ranges() {
    throw Failure(ErrorCode::unsupported, "ranges for int8 are recorded by the CPU's own engine alone",
                  "run this node on \"cpu\", without another engine");
  }
  /// What was noted, as metadata for the model (calibration.hpp); at most 100 - percentile % of each value lies
  /// outside.
  virtual std::string recorded_ranges(double) const { return {}; }
};

struct CpuOptions {
  Precision precision = Precision::float32;
  int threads = 0;         ///< 0: all that the process may use
  bool optimise = true;    ///< false: no fusion, for tests
  bool reference = false;  ///< true: plain loops only, for tests
  /// What the graph was made from: the file's digest and the inputs' shapes. Plans of the same share their weights;
  /// empty: this one does not.
  std::string weights_key;
  bool library = true;  ///< false: kernels of ours only, as on a device without a plan for a node, for tests
};

/// Plans a graph for the CPU. Errors: unsupported, where this processor does not compute in the precision asked for.
std::unique_ptr<Executor> plan_cpu(Graph graph, const CpuOptions& options);

}  // namespace isocenter::infer
