#pragma once
// A step that is one launch of a kernel.
#include <algorithm>
#include <array>

#include "infer/along_axis.hpp"
#include "infer/step.hpp"
#include "infer/storage.hpp"

namespace isocenter::infer {

/// `bind` writes the pointers.
template <class K, class Bind>
class KernelStep final : public Step {
 public:
  KernelStep(K kernel, std::array<std::int64_t, 3> n, Bind bind) : kernel_(kernel), n_(n), bind_(std::move(bind)) {}
  void bind(const Addresses& addresses) override { bind_(kernel_, addresses); }
  void run(const isocenter::detail::Launcher& launcher) override {
    launch(launcher, kernel_, static_cast<int>(n_[0]), static_cast<int>(n_[1]), static_cast<int>(n_[2]));
  }

 private:
  K kernel_;
  std::array<std::int64_t, 3> n_;
  Bind bind_;
};

template <class K, class Bind>
void add_step(StepBuilder& b, const K& kernel, std::array<std::int64_t, 3> n, Bind bind) {
  b.steps.push_back(std::make_unique<KernelStep<K, Bind>>(kernel, n, std::move(bind)));
}

/// The launch of a kernel that counts `count` elements, 32 in a row.
inline std::array<std::int64_t, 3> count_elements(std::int64_t count) {
  constexpr std::int64_t row = isocenter::detail::columns_in_row;
  return {std::min(count, row), (count + row - 1) / row, 1};
}

/// Calls make with a value of the type that stands for the storage.
template <class Make>
void with_storage(ElementType storage, Make make) {
  if (storage == ElementType::bf16)
    make(isocenter::detail::bfloat16{});
  else if (storage == ElementType::f16)
    make(isocenter::detail::float16{});
  else
    make(float{});
}

/// The same for two storages, which have not different kinds of 16 bits.
template <class Make>
void with_storages(ElementType in, ElementType out, Make make) {
  const auto choose = [&](auto narrow) {
    using Narrow = decltype(narrow);
    const bool wide_in = bytes_of(in) != 2, wide_out = bytes_of(out) != 2;
    if (wide_in && wide_out)
      make(float{}, float{});
    else if (wide_in)
      make(float{}, Narrow{});
    else if (wide_out)
      make(Narrow{}, float{});
    else
      make(Narrow{}, Narrow{});
  };
  if (in == ElementType::f16 || out == ElementType::f16)
    choose(isocenter::detail::float16{});
  else
    choose(isocenter::detail::bfloat16{});
}

}  // namespace isocenter::infer
