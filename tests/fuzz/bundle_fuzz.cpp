// Any bytes as a MONAI bundle: configs/inference.json (or YAML) up to the first zero byte, then configs/metadata.json.
// What is wrong with them has to come back as an Error, in bounded memory and time.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <isocenter/error.hpp>

#include "fuzz/memory_file.hpp"
#include "infer/bundle_recipe.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using isocenter::testing::MemoryFile;
  static const isocenter::testing::NameFolder folder;
  static const std::uint8_t nothing = 0;
  static const MemoryFile network(&nothing, 1);
  const std::uint8_t* const end = std::find(bytes, bytes + count, std::uint8_t{0});
  const MemoryFile configuration(bytes, static_cast<std::size_t>(end - bytes));
  const bool described = end != bytes + count;
  const MemoryFile metadata(end + (described ? 1 : 0),
                            static_cast<std::size_t>(bytes + count - end) - (described ? 1 : 0));
  folder.place(network, "models/model.onnx");
  const auto path = folder.place(configuration, "configs/inference.json");
  const auto description = folder.place(metadata, "configs/metadata.json");
  if (!described) std::filesystem::remove(description);
  try {
    isocenter::infer::read_bundle(path.parent_path().parent_path().string());
  } catch (const isocenter::Error&) {
  }
  return 0;
}
