// Uses the installed library: every installed module loads, and an operator from this project's own module runs.
#include <isocenter/isocenter.hpp>

#include "doubling.hpp"

namespace ic = isocenter;

int main() try {
  const ic::Context context;
  bool complete = true;
  for (const std::string name : {INSTALLED_MODULES ""}) {
    bool seen = name.empty();
    for (std::uint32_t i = 0; i < isocenter_context_module_count(context.get()); ++i) {
      isocenter_module_info info{};
      info.struct_size = sizeof info;
      if (isocenter_context_module(context.get(), i, &info, nullptr) != ISOCENTER_OK) return 1;
      // The CUDA module says why it has no device where there is no driver; every other one must load.
      if (name == info.name) seen = info.loaded != 0 || name == "cuda";
      if (name == info.name && !seen) std::fprintf(stderr, "%s: %s\n", info.name, info.reason);
    }
    if (!seen) std::fprintf(stderr, "the installed module '%s' was not loaded\n", name.c_str());
    complete = complete && seen;
  }
  ic::Context own = context;
  own.load_module(DOUBLING_MODULE);
  const auto input = ic::Volume::own({21.0F, 21.0F}, 2, 1, 1, {}, "HU");
  const ic::Volume output = ic::apply<Doubling>(own, {}, input);
  if (!complete || output.values()[1] != 42.0F) return 1;
  std::printf("the consumer's own operator, in the consumer's own module, doubled 21 to 42\n");
  return 0;
} catch (const ic::Error& e) {
  std::fprintf(stderr, "consumer: %s\n", e.what());
  return 1;
}
