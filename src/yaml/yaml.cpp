// The C ABI of the loader.
#include <isocenter/yaml.h>

#include <algorithm>
#include <filesystem>

#include "core/structs.hpp"
#include "core/text.hpp"
#include "yaml/build.hpp"
#include "yaml/document.hpp"

using isocenter::ErrorCode;
using isocenter::Failure;
using isocenter::detail::guarded;
namespace yaml = isocenter::detail::yaml;

namespace isocenter::detail {
ISOCENTER_STRUCT_VERSION(isocenter_yaml_info, description);
ISOCENTER_STRUCT_VERSION(isocenter_yaml_node_info, place);
}  // namespace isocenter::detail

struct isocenter_yaml_file {
  yaml::Document document;
  std::vector<yaml::Override> overrides;
};

namespace {

yaml::Variables variables_of(const char* const* names, const char* const* values, uint32_t count) {
  yaml::Variables all;
  for (uint32_t i = 0; i < count; ++i) all[names[i]] = values[i];
  return all;
}

}  // namespace

extern "C" {

isocenter_status isocenter_yaml_open(const char* path, const char* const* names, const char* const* values,
                                     uint32_t variable_count, isocenter_yaml_file** file, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const std::string text = yaml::read_text_file(path);
    const std::string folder = std::filesystem::absolute(path).parent_path().string();
    *file = new isocenter_yaml_file{
        yaml::read_document(text, path, folder, variables_of(names, values, variable_count)), {}};
    return ISOCENTER_OK;
  });
}

isocenter_status isocenter_yaml_parse(const char* text, const char* source, const char* folder,
                                      const char* const* names, const char* const* values, uint32_t variable_count,
                                      isocenter_yaml_file** file, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    *file = new isocenter_yaml_file{
        yaml::read_document(text, source, folder, variables_of(names, values, variable_count)), {}};
    return ISOCENTER_OK;
  });
}

void isocenter_yaml_release(isocenter_yaml_file* file) { delete file; }

isocenter_status isocenter_yaml_describe(const isocenter_yaml_file* file, isocenter_yaml_info* info,
                                         isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const auto& d = file->document;
    isocenter::detail::give_struct(
        {sizeof *info, static_cast<uint32_t>(d.nodes.size()), static_cast<uint32_t>(d.inputs.size()),
         static_cast<uint32_t>(d.outputs.size()), d.name.c_str(), d.description.c_str()},
        info, "isocenter_yaml_describe");
    return ISOCENTER_OK;
  });
}

isocenter_status isocenter_yaml_node(const isocenter_yaml_file* file, uint32_t index, isocenter_yaml_node_info* info,
                                     isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const auto& nodes = file->document.nodes;
    if (index >= nodes.size())
      throw Failure(ErrorCode::not_found,
                    "there is no node " + std::to_string(index) + ": " + file->document.source + " has " +
                        std::to_string(nodes.size()),
                    "count from 0 to one less");
    const auto& node = nodes[index];
    isocenter::detail::give_struct({sizeof *info, static_cast<uint32_t>(node.inputs.size()), node.name.text.c_str(),
                                    node.operator_name.text.c_str(), node.place_text.c_str()},
                                   info, "isocenter_yaml_node");
    return ISOCENTER_OK;
  });
}

isocenter_status isocenter_yaml_input(const isocenter_yaml_file* file, uint32_t index, const char** name) {
  if (index >= file->document.inputs.size()) return ISOCENTER_NOT_FOUND;
  *name = file->document.inputs[index].text.c_str();
  return ISOCENTER_OK;
}

isocenter_status isocenter_yaml_output(const isocenter_yaml_file* file, uint32_t index, const char** name) {
  if (index >= file->document.outputs.size()) return ISOCENTER_NOT_FOUND;
  *name = file->document.outputs[index].to.text.c_str();
  return ISOCENTER_OK;
}

int32_t isocenter_yaml_uses(const isocenter_yaml_file* file, const char* variable) {
  return file->document.used_variables.count(variable) != 0 ? 1 : 0;
}

isocenter_status isocenter_yaml_set(isocenter_yaml_file* file, const char* node, const char* parameter,
                                    const char* value, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    std::vector<std::string> names;
    for (const auto& n : file->document.nodes) names.push_back(n.name.text);
    if (std::find(names.begin(), names.end(), node) == names.end())
      throw Failure(
          ErrorCode::not_found,
          file->document.source + " has no node '" + node + "'" + isocenter::detail::did_you_mean(node, names),
          "use one of: " + isocenter::detail::join(names));
    file->overrides.push_back({node, parameter, value});
    return ISOCENTER_OK;
  });
}

isocenter_status isocenter_yaml_build(const isocenter_yaml_file* file, isocenter_context* context,
                                      isocenter_pipeline* pipeline, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    yaml::build(file->document, file->overrides, context, pipeline);
    return ISOCENTER_OK;
  });
}

}  // extern "C"
