// The ONNX project's backend node tests, as folders: <case>/model.onnx and
// <case>/test_data_set_0/{input,output}_<i>.pb.
//
//   onnx_node_test FOLDER [--known PASS_LIST] [--list] [--verbose]
//
// FOLDER is onnx/backend/test/data/node of PyPI's onnx 1.22.0. Prints "N passed, N failed, N not applicable" and exits
// with 0 unless a case of the pass list no longer passes. Not applicable: a case with an operator, element type or kind
// of input (text, sequence, optional) outside those that are supported. An input that decides a shape is given when the
// network is planned, as an embedder would.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <map>
#include <set>

#include "infer/lower.hpp"
#include "node_executor.hpp"

namespace fs = std::filesystem;
using namespace isocenter::infer;

namespace {

enum class Outcome { passed, failed, not_applicable };

std::vector<std::byte> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  std::vector<std::byte> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

std::vector<Array> read_tensors(const fs::path& folder, const char* kind) {
  std::vector<Array> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / (std::string(kind) + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(path)) return tensors;
    tensors.push_back(parse_tensor(read_file(path), path.filename().string()));
  }
}

/// NumPy's assert_allclose with the tolerances of ONNX's own runner: rtol 1e-3, atol 1e-7.
bool close(const Array& expected, const std::byte* actual, ElementType type, std::string& why) {
  double worst = 0;
  for (std::int64_t i = 0; i < expected.count(); ++i) {
    const double e = expected.real(i), a = read_real(type, actual, i);
    if (std::isnan(e) ? std::isnan(a) : (e == a || std::fabs(e - a) <= 1e-7 + 1e-3 * std::fabs(e))) continue;
    worst = std::max(worst, std::fabs(e - a));
    why = "element " + std::to_string(i) + " is " + std::to_string(a) + ", expected " + std::to_string(e);
  }
  return why.empty();
}

/// With `trained`, every input but the first is constant, as weights are in a model: this takes other ways through the
/// planner than inputs do.
std::unique_ptr<Executor> plan(const OnnxModel& model, const std::map<std::string, Array>& given, bool trained) {
  LowerOptions options;
  for (std::size_t i = 1; trained && i < model.inputs.size(); ++i)
    options.constant_inputs[model.inputs[i].name] = given.at(model.inputs[i].name);
  for (const auto& port : model.inputs)
    if (options.constant_inputs.count(port.name) == 0) options.input_shapes[port.name] = given.at(port.name).shape();
  for (std::size_t attempt = 0;; ++attempt) {
    try {
      return plan_graph(lower(model, options));
    } catch (const isocenter::Failure& e) {
      // "... depends on the input 'a', 'b'": those decide a shape.
      const std::string text = e.what();
      const std::size_t list = text.find("depends on the input ");
      if (list == std::string::npos || attempt > model.inputs.size()) throw;
      for (const auto& [name, array] : given)
        if (text.find("'" + name + "'", list) != std::string::npos) {
          options.input_shapes.erase(name);
          options.constant_inputs[name] = array;
        }
    }
  }
}

/// The port's shape, for a non-maximum suppression on live data less the rows of -1 behind those that are selected.
Shape found_shape(const OnnxModel& model, const Port& port, const std::byte* data) {
  Shape shape = port.shape;
  const bool selects = std::any_of(model.nodes.begin(), model.nodes.end(),
                                   [](const OnnxNode& node) { return node.op_type == "NonMaxSuppression"; });
  while (selects && shape[0] > 0 && read_integer(port.type, data, (shape[0] - 1) * shape[1]) < 0) --shape[0];
  return shape;
}

Outcome run_planned(const OnnxModel& model, const std::map<std::string, Array>& given,
                    const std::vector<Array>& outputs, bool trained, std::string& why) {
  try {
    const auto executor = plan(model, given, trained);
    std::vector<std::byte> memory(static_cast<std::size_t>(executor->summary().arena_bytes) + 256);
    auto* arena = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 255) / 256 * 256);
    executor->bind(arena);
    for (const auto& port : executor->inputs()) {
      const Array& value = given.at(port.name);
      if (value.type() != port.type) return why = "input type differs", Outcome::failed;
      std::memcpy(arena + port.offset, value.data(), static_cast<std::size_t>(value.bytes()));
    }
    executor->run(nullptr);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Port& port = executor->outputs().at(i);
      const Shape shape = found_shape(model, port, arena + port.offset);
      if (shape != outputs[i].shape())
        return why = "shape " + to_text(shape) + ", expected " + to_text(outputs[i].shape()), Outcome::failed;
      if (port.type != outputs[i].type())
        return why = std::string("type ") + name_of(port.type) + ", expected " + name_of(outputs[i].type()),
               Outcome::failed;
      if (!close(outputs[i], arena + port.offset, port.type, why)) return Outcome::failed;
    }
    if (!executor->summary().reference_nodes.empty()) why = "in plain loops";
    return Outcome::passed;
  } catch (const std::exception& e) {
    why = e.what();
    return Outcome::failed;
  }
}

Outcome run_case(const fs::path& folder, std::string& why) {
  OnnxModel model;
  std::vector<Array> inputs, outputs;
  try {
    model = read_onnx((folder / "model.onnx").string());
    inputs = read_tensors(folder / "test_data_set_0", "input");
    outputs = read_tensors(folder / "test_data_set_0", "output");
    if (const auto unknown = unsupported_operators(model); !unknown.empty())
      throw isocenter::Failure(isocenter::ErrorCode::unsupported, unknown[0], "");
  } catch (const isocenter::Error& e) {
    why = e.what();
    return e.code() == isocenter::ErrorCode::unsupported || e.code() == isocenter::ErrorCode::bad_data
               ? Outcome::not_applicable
               : Outcome::failed;
  }
  std::map<std::string, Array> given;
  for (std::size_t i = 0; i < model.inputs.size(); ++i) given[model.inputs[i].name] = inputs.at(i);
  const Outcome outcome = run_planned(model, given, outputs, false, why);
  if (outcome == Outcome::passed) why.clear();
  return outcome == Outcome::passed && inputs.size() > 1 ? run_planned(model, given, outputs, true, why) : outcome;
}

std::set<std::string> read_list(const std::string& path) {
  std::set<std::string> names;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line[0] != '#') names.insert(line);
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder, known_path;
  bool list = false, verbose = false;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--known" && i + 1 < argc)
      known_path = argv[++i];
    else if (arg == "--list")
      list = true;
    else if (arg == "--verbose")
      verbose = true;
    else
      folder = arg;
  }
  if (folder.empty() || !fs::is_directory(folder)) {
    std::fprintf(stderr, "usage: onnx_node_test FOLDER [--known PASS_LIST] [--list] [--verbose]\n");
    return 2;
  }
  std::vector<fs::path> cases;
  for (const auto& entry : fs::directory_iterator(folder))
    if (fs::exists(entry.path() / "model.onnx")) cases.push_back(entry.path());
  std::sort(cases.begin(), cases.end());
  std::set<std::string> known = known_path.empty() ? std::set<std::string>{} : read_list(known_path);
  int count[3] = {0, 0, 0};
  for (const auto& path : cases) {
    std::string why;
    const Outcome outcome = run_case(path, why);
    ++count[static_cast<int>(outcome)];
    const std::string name = path.filename().string();
    if (outcome == Outcome::passed) known.erase(name);
    if (list && outcome == Outcome::passed) std::printf("%s\n", name.c_str());
    if (outcome == Outcome::failed || verbose)
      std::fprintf(stderr, "%s %s: %s\n",
                   outcome == Outcome::failed ? "FAILED" : (outcome == Outcome::passed ? "passed" : "not applicable"),
                   name.c_str(), why.c_str());
  }
  for (const auto& name : known) std::fprintf(stderr, "NO LONGER PASSES %s\n", name.c_str());
  std::printf("%d passed, %d failed, %d not applicable\n", count[0], count[1], count[2]);
  return known.empty() ? 0 : 1;
}
