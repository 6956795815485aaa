// isocenter operators, describe, devices, modules: what this installation has.
#include <iostream>
#include <set>

#include "command.hpp"
#include "core/text.hpp"
#include "operator_text.hpp"

namespace isocenter::command {
namespace {

std::vector<const isocenter_operator_type*> operators(const Context& context) {
  std::vector<const isocenter_operator_type*> all;
  for (std::uint32_t i = 0; i < isocenter_operator_count(context.get()); ++i)
    all.push_back(isocenter_operator_at(context.get(), i));
  return all;
}

std::string missing_modules(const Context& context) {
  std::string text;
  for (const auto& m : modules(context))
    if (m.loaded == 0) text += std::string("module ") + m.name + " is not loaded: " + m.reason + "\n";
  return text;
}

ExitCode list_operators(const Globals& globals, bool json) {
  const Context context = make_context(globals);
  if (json) {
    auto all = nlohmann::ordered_json::array();
    for (const auto* type : operators(context)) all.push_back(to_json(*type));
    std::cout << all.dump(2) << "\n";
    return exit_ok;
  }
  std::size_t width = 0;
  for (const auto* type : operators(context)) width = std::max(width, std::string_view(type->name).size());
  std::string module;
  for (const auto* type : operators(context)) {
    if (module != type->module) std::cout << (module.empty() ? "" : "\n") << type->module << "\n";
    module = type->module;
    const std::string name = type->name;
    std::cout << "  " << name << std::string(width - name.size() + 2, ' ') << type->summary << "\n";
  }
  std::cerr << missing_modules(context);
  return exit_ok;
}

ExitCode describe(const Globals& globals, const std::string& name, bool json, bool markdown) {
  const Context context = make_context(globals);
  const auto* type = isocenter_operator_find(context.get(), name.c_str());
  if (type == nullptr) {
    std::vector<std::string> names;
    for (const auto* t : operators(context)) names.emplace_back(t->name);
    std::cerr << missing_modules(context);
    throw Exit(exit_usage, "there is no operator '" + name + "'" + detail::did_you_mean(name, names) +
                               ". Fix: list them with 'isocenter operators'.");
  }
  std::cout << (json ? to_json(*type).dump(2) + "\n" : markdown ? to_markdown(*type) : to_text(*type));
  return exit_ok;
}

ExitCode list_devices(const Globals& globals) {
  const Context context = make_context(globals);
  for (const auto& d : context.devices())
    std::cout << d.name << "  " << d.description << ", " << detail::format_bytes(d.memory_bytes) << "\n";
  std::string why;
  context.find_device("best", &why);
  std::cout << why << "\n";
  return exit_ok;
}

ExitCode list_modules(const Globals& globals) {
  const Context context = make_context(globals);
  std::set<std::string> run_time, built_in;
  for (const auto& m : modules(context)) run_time.insert(m.name);
  for (const auto* type : operators(context))
    if (run_time.count(type->module) == 0) built_in.insert(type->module);
  for (const auto& name : built_in) std::cout << name << "  built in\n";
  for (const auto& m : modules(context))
    std::cout << m.name << (m.loaded != 0 ? "  loaded from " : "  not loaded: ") << (m.loaded != 0 ? m.path : m.reason)
              << "\n";
  return exit_ok;
}

}  // namespace

void add_operators(CLI::App& app, const Globals& globals, Action& action) {
  auto json = std::make_shared<bool>(false);
  auto* sub = app.add_subcommand("operators", "Lists the operators by module");
  sub->add_flag("--json", *json, "Everything about all of them, as JSON");
  sub->footer("Examples:\n  isocenter operators\n  isocenter operators --json | python3 -m json.tool");
  sub->callback([json, &globals, &action] { action = [json, &globals] { return list_operators(globals, *json); }; });
}

void add_describe(CLI::App& app, const Globals& globals, Action& action) {
  struct Options {
    std::string name;
    bool json = false, markdown = false;
  };
  auto o = std::make_shared<Options>();
  auto* sub = app.add_subcommand("describe", "Shows an operator's ports and parameters: unit, range, default, help");
  sub->add_option("OPERATOR", o->name, "The operator's name")->required()->type_name("");
  auto* json = sub->add_flag("--json", o->json, "As JSON");
  sub->add_flag("--markdown", o->markdown, "As a page of the reference")->excludes(json);
  sub->footer("Examples:\n  isocenter describe phantom_volume\n  isocenter describe phantom_volume --json");
  sub->callback(
      [o, &globals, &action] { action = [o, &globals] { return describe(globals, o->name, o->json, o->markdown); }; });
}

void add_devices(CLI::App& app, const Globals& globals, Action& action) {
  auto* sub = app.add_subcommand("devices", "Lists the devices, what 'best' is, and why the rest are not there");
  sub->footer("Example:\n  isocenter devices");
  sub->callback([&globals, &action] { action = [&globals] { return list_devices(globals); }; });
}

void add_modules(CLI::App& app, const Globals& globals, Action& action) {
  auto* sub = app.add_subcommand("modules", "Lists the modules, and why those that are not loaded are not");
  sub->footer("Examples:\n  isocenter modules\n  isocenter --module build/libacme.so modules");
  sub->callback([&globals, &action] { action = [&globals] { return list_modules(globals); }; });
}

}  // namespace isocenter::command
