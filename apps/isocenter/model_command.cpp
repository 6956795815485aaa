// isocenter model inspect: what a trained network's file holds, costs and lacks.
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.hpp"

namespace isocenter::command {
namespace {

struct Options {
  std::string path;
  std::vector<std::string> shapes;
  bool json = false;
};

/// The infer module does the work while model_inspect is planned; what it found are the node's facts.
ExitCode inspect(const Globals& globals, const Options& o) {
  if (!std::filesystem::is_regular_file(o.path))
    throw Exit(exit_input,
               (std::filesystem::exists(o.path) ? "'" + o.path + "' is no file" : "there is no file '" + o.path + "'") +
                   ". Fix: give an ONNX model, or a Caffe .prototxt.");
  const Context context = make_context(globals);
  if (isocenter_operator_find(context.get(), "model_inspect") == nullptr)
    throw Exit(exit_usage, "this installation has no infer module. Fix: see 'isocenter modules' for the reason.");
  Pipeline pipeline(context);
  pipeline.add("inspect", "model_inspect");
  pipeline.set("inspect", "model", o.path);
  std::string shapes;
  for (const auto& shape : o.shapes) shapes += (shapes.empty() ? "" : ",") + shape;
  pipeline.set("inspect", "shapes", shapes);
  Session session;
  try {
    session = pipeline.prepare();
  } catch (const Error& e) {
    throw Exit(exit_code(e.code(), e.what(), {Origin::Phase::planning, true}), e.what());
  }
  const auto facts = nlohmann::json::parse(session.report()).at("nodes").at(0).at("facts");
  const auto report = facts.at("model.report").get<std::string>();
  std::cout << (o.json ? report + "\n" : facts.at("model.report.text").get<std::string>());
  return nlohmann::json::parse(report).at("unsupported").empty() ? exit_ok : exit_input;
}

}  // namespace

void add_model(CLI::App& app, const Globals& globals, Action& action) {
  auto* model = app.add_subcommand("model", "Trained networks: what a file holds");
  model->require_subcommand(1);
  auto o = std::make_shared<Options>();
  auto* sub = model->add_subcommand("inspect", "Shows a network's inputs, operators, cost and what is not supported");
  sub->add_option("FILE", o->path, "An ONNX model, or a Caffe .prototxt")->required()->type_name("");
  sub->add_option("--shape", o->shapes, "The shape of an input that the file leaves free; repeatable")
      ->type_name("INPUT=1x1x96x96x96")
      ->allow_extra_args(false);
  sub->add_flag("--json", o->json, "As JSON");
  sub->footer(
      "Example:\n  isocenter model inspect unet.onnx --shape input=1x1x96x96x96\n\n"
      "Ends with 0 when every operator is supported on the CPU, else with 3.");
  sub->fallthrough();
  sub->callback([o, &globals, &action] { action = [o, &globals] { return inspect(globals, *o); }; });
}

}  // namespace isocenter::command
