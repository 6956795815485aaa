#include "infer/bundle_metadata.hpp"

#include <cmath>
#include <isocenter/describe.hpp>
#include <isocenter/error.hpp>

namespace isocenter::infer {
namespace {

using Kind = BundleValue::Kind;
using isocenter::detail::to_parameter_text;

/// Names and numbers of the input: modality, value_range, spatial_shape. Words like "16*n" fit any number here.
void read_image(const BundleFile& file, const BundleValue& image, BundleRecipe& recipe) {
  if (const BundleValue* modality = image.find("modality")) recipe.modality = modality->text;
  const auto numbers_of = [&](const char* key) {
    std::vector<double> numbers;
    const BundleValue* list = image.find(key);
    if (list == nullptr || !list->is(Kind::list)) return numbers;
    for (const BundleValue& item : list->items) numbers.push_back(item.is(Kind::number) ? item.number : 0);
    return numbers;
  };
  if (const auto range = numbers_of("value_range"); range.size() == 2) {
    if (!(range[0] < range[1]))
      file.refuse(
          image,
          "'value_range' of image goes from " + to_parameter_text(range[0]) + " to " + to_parameter_text(range[1]),
          "give the lower end first");
    recipe.value_range = {range[0], range[1]};
  }
  if (const auto shape = numbers_of("spatial_shape"); shape.size() == 3)
    for (std::size_t k = 0; k < 3; ++k)
      recipe.spatial_shape[k] = shape[k] >= 1 && shape[k] <= 65535 ? static_cast<int>(shape[k]) : 0;
}

/// What inference.json and metadata.json say differently of the network's input.
void compare(BundleRecipe& recipe) {
  const auto list = [](const auto& v) {
    std::string text;
    for (const auto x : v) text += (text.empty() ? "" : ", ") + to_parameter_text(x);
    return text;
  };
  bool differs = false;
  for (std::size_t k = 0; k < 3; ++k)
    differs =
        differs || (recipe.window[k] > 0 && recipe.spatial_shape[k] > 0 && recipe.window[k] != recipe.spatial_shape[k]);
  if (differs)
    recipe.contradictions.push_back("roi_size of the inferer is " + list(recipe.window) +
                                    ", and spatial_shape of image in metadata.json is " + list(recipe.spatial_shape));
  const BundleStep* scaled = nullptr;
  for (const BundleStep& step : recipe.steps) {
    if (step.kind == BundleStep::Kind::scale_range || step.kind == BundleStep::Kind::percentiles) scaled = &step;
    if (step.kind == BundleStep::Kind::z_score) scaled = nullptr;
  }
  if (scaled != nullptr && recipe.value_range &&
      (scaled->from != (*recipe.value_range)[0] || scaled->to != (*recipe.value_range)[1]))
    recipe.contradictions.push_back("preprocessing scales to " + list(std::array{scaled->from, scaled->to}) +
                                    ", and value_range of image in metadata.json is " + list(*recipe.value_range));
}

}  // namespace

void read_metadata(const BundleFile& file, BundleRecipe& recipe) {
  if (const BundleValue* version = file.root().find("version")) recipe.version = version->text;
  const auto inside = [&](std::initializer_list<const char*> path) -> const BundleValue* {
    const BundleValue* at = &file.root();
    for (const char* part : path)
      if (at = at->find(part); at == nullptr) return nullptr;
    return at;
  };
  const auto count = [&](const BundleValue* v) {
    if (v == nullptr) return 0;
    if (!v->is(Kind::number) || v->number != std::floor(v->number) || v->number < 1 || v->number > 1e6)
      throw Failure(ErrorCode::bad_data, file.place(*v) + ": 'num_channels' is no whole number above 0",
                    "correct the file");
    return static_cast<int>(v->number);
  };
  if (const BundleValue* image = inside({"network_data_format", "inputs", "image"})) read_image(file, *image, recipe);
  compare(recipe);
  const BundleValue* in = inside({"network_data_format", "inputs", "image", "num_channels"});
  recipe.input_channels = count(in);
  if (recipe.input_channels > 1)
    file.refuse(*in,
                "the network takes " + std::to_string(recipe.input_channels) + " channels, and one volume is given",
                "use a bundle for one channel");
  const BundleValue* out = inside({"network_data_format", "outputs", "pred", "num_channels"});
  recipe.output_channels = count(out);
  const BundleValue* names = inside({"network_data_format", "outputs", "pred", "channel_def"});
  if (names == nullptr) return;
  recipe.labels.resize(names->entries.size());
  for (const auto& [key, name] : names->entries) {
    const std::size_t at = key.size() == 1 || key.size() == 2 || key.size() == 3
                               ? static_cast<std::size_t>(std::atoi(key.c_str()))
                               : names->entries.size();
    if (at >= recipe.labels.size() || !recipe.labels[at].empty() || (at == 0 && key != "0"))
      throw Failure(ErrorCode::bad_data, file.place(name) + ": channel_def does not number its channels 0, 1, 2, ...",
                    "correct the file");
    recipe.labels[at] = name.text;
  }
  if (out != nullptr && recipe.labels.size() != static_cast<std::size_t>(recipe.output_channels) &&
      !(recipe.output_channels == 1 && recipe.labels.size() == 2))
    throw Failure(ErrorCode::bad_data,
                  file.place(*names) + ": channel_def names " + std::to_string(recipe.labels.size()) +
                      " channels, and num_channels is " + std::to_string(recipe.output_channels),
                  "correct one of them");
}

}  // namespace isocenter::infer
