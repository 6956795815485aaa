#pragma once
// Pipelines from files, typed: header-only over <isocenter/yaml.h>; link isocenter::yaml. Format: docs/pipelines.md.
//
//   ic::Context context;
//   ic::Pipeline pipeline = ic::load_pipeline(context, "study.yaml", {{"input", "scan/"}, {"output", "out/"}});
//   pipeline.prepare({.device = "best"}).run();
#include <isocenter/yaml.h>

#include <isocenter/pipeline.hpp>
#include <map>

namespace isocenter::inline v1 {

/// A pipeline file: read, its structure checked, its ${variables} put in. build() makes the pipeline.
/// Errors name file:line:column: not_found and io_error when it cannot be read, invalid_argument or not_found when it
/// is wrong, unsupported when a device that it names is not there.
class PipelineFile {
 public:
  using Variables = std::map<std::string, std::string>;

  explicit PipelineFile(const std::string& path, const Variables& variables = {}) {
    const Lists lists(variables);
    detail::call([&](auto* e) {
      return isocenter_yaml_open(path.c_str(), lists.names.data(), lists.values.data(), lists.count(), &handle_, e);
    });
  }
  /// From memory. Messages call it `source`; relative paths in it are relative to `folder`.
  static PipelineFile parse(const std::string& text, const Variables& variables = {},
                            const std::string& source = "pipeline", const std::string& folder = ".") {
    const Lists lists(variables);
    PipelineFile file;
    detail::call([&](auto* e) {
      return isocenter_yaml_parse(text.c_str(), source.c_str(), folder.c_str(), lists.names.data(), lists.values.data(),
                                  lists.count(), &file.handle_, e);
    });
    return file;
  }
  PipelineFile(const PipelineFile&) = delete;
  PipelineFile& operator=(const PipelineFile&) = delete;
  PipelineFile(PipelineFile&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  PipelineFile& operator=(PipelineFile&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~PipelineFile() { isocenter_yaml_release(handle_); }
  isocenter_yaml_file* get() const { return handle_; }

  std::string name() const { return info().name; }
  std::string description() const { return info().description; }
  std::vector<isocenter_yaml_node_info> nodes() const {
    std::vector<isocenter_yaml_node_info> all(info().node_count);
    for (std::uint32_t i = 0; i < all.size(); ++i) {
      all[i].struct_size = sizeof all[i];
      detail::call([&](auto* e) { return isocenter_yaml_node(handle_, i, &all[i], e); });
    }
    return all;
  }
  /// Ways in, which the program adds with Pipeline::add_input before build().
  std::vector<std::string> inputs() const { return names(info().input_count, isocenter_yaml_input); }
  /// Ways out, which the program pulls.
  std::vector<std::string> outputs() const { return names(info().output_count, isocenter_yaml_output); }
  bool uses(const std::string& variable) const { return isocenter_yaml_uses(handle_, variable.c_str()) != 0; }
  /// Goes before the value in the file.
  void set(const std::string& node, const std::string& parameter, const std::string& value) {
    detail::call(
        [&](auto* e) { return isocenter_yaml_set(handle_, node.c_str(), parameter.c_str(), value.c_str(), e); });
  }
  /// Adds everything to a pipeline that is empty but for the file's ways in.
  void build(Pipeline& pipeline) const {
    detail::call([&](auto* e) { return isocenter_yaml_build(handle_, pipeline.context().get(), pipeline.get(), e); });
  }

 private:
  struct Lists {
    explicit Lists(const Variables& variables) {
      for (const auto& [name, value] : variables) {
        names.push_back(name.c_str());
        values.push_back(value.c_str());
      }
    }
    std::uint32_t count() const { return static_cast<std::uint32_t>(names.size()); }
    std::vector<const char*> names, values;
  };

  PipelineFile() = default;
  isocenter_yaml_info info() const {
    isocenter_yaml_info i{};
    i.struct_size = sizeof i;
    detail::call([&](auto* e) { return isocenter_yaml_describe(handle_, &i, e); });
    return i;
  }
  template <class F>
  std::vector<std::string> names(std::uint32_t count, F&& at) const {
    std::vector<std::string> all;
    for (std::uint32_t i = 0; i < count; ++i) {
      const char* name = nullptr;
      at(handle_, i, &name);
      all.emplace_back(name);
    }
    return all;
  }

  isocenter_yaml_file* handle_ = nullptr;
};

/// The pipeline of a file that has no ways in.
inline Pipeline load_pipeline(const Context& context, const std::string& path,
                              const PipelineFile::Variables& variables = {}) {
  const PipelineFile file(path, variables);
  Pipeline pipeline(context);
  file.build(pipeline);
  return pipeline;
}

}  // namespace isocenter::inline v1
