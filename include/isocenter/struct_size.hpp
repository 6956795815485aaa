#pragma once
// The sizes of the structures that cross the binary border. A caller and a library that were compiled at different
// times may know different lengths of one structure: each sets struct_size to its own sizeof, fields are only ever
// added at the end, and every structure goes through copy_out or copy_in below.
#include <isocenter/isocenter.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace isocenter::detail {

/// The name of a structure, and its size when it was first published: what every caller has at least.
template <class T>
struct StructVersion;

#define ISOCENTER_STRUCT_VERSION(Type, last_field_at_first)                       \
  template <>                                                                     \
  struct StructVersion<Type> {                                                    \
    static constexpr const char* name = #Type;                                    \
    static constexpr std::size_t first_size =                                     \
        offsetof(Type, last_field_at_first) + sizeof(Type{}.last_field_at_first); \
    static_assert(first_size % alignof(Type) == 0, #Type                          \
                  " had padding behind its last field, where a new \
field would not change its size");                                                \
  }

ISOCENTER_STRUCT_VERSION(isocenter_error, message);
ISOCENTER_STRUCT_VERSION(isocenter_allocator, release);
ISOCENTER_STRUCT_VERSION(isocenter_threads, parallel_for);
ISOCENTER_STRUCT_VERSION(isocenter_context_options, module_path);
ISOCENTER_STRUCT_VERSION(isocenter_module_info, reason);
ISOCENTER_STRUCT_VERSION(isocenter_device_info, memory_bytes);
ISOCENTER_STRUCT_VERSION(isocenter_tensor, data);
ISOCENTER_STRUCT_VERSION(isocenter_geometry, time_step_s);
ISOCENTER_STRUCT_VERSION(isocenter_parameter, help);
ISOCENTER_STRUCT_VERSION(isocenter_port, help);
ISOCENTER_STRUCT_VERSION(isocenter_operator_type, destroy);
ISOCENTER_STRUCT_VERSION(isocenter_launcher, reserved);
ISOCENTER_STRUCT_VERSION(isocenter_session_options, progress_user);
ISOCENTER_STRUCT_VERSION(isocenter_item_error, message);
ISOCENTER_STRUCT_VERSION(isocenter_device_type, make_current);
ISOCENTER_STRUCT_VERSION(isocenter_communicator, leave);

/// No structure comes near it: a larger struct_size was never set.
constexpr std::uint32_t largest_struct_size = 65536;

/// Whether struct_size can be the sizeof of T in some version.
template <class T>
constexpr bool struct_size_is_possible(std::uint32_t struct_size) noexcept {
  return struct_size >= StructVersion<T>::first_size && struct_size <= largest_struct_size;
}

/// Fills a caller's structure: of `from` as many bytes as the caller has, zeros in fields that only the caller knows.
/// struct_size stays as the caller set it. When it is not possible, nothing is written and the answer is false.
/// Never inlined: a compiler that sees where `to` points holds it to this library's length.
template <class T>
__attribute__((noinline)) bool copy_out(const T& from, T* to) noexcept {
  const std::uint32_t size = to->struct_size;
  if (!struct_size_is_possible<T>(size)) return false;
  constexpr std::size_t head = sizeof from.struct_size;
  auto* bytes = reinterpret_cast<unsigned char*>(to);
  std::memcpy(bytes + head, reinterpret_cast<const unsigned char*>(&from) + head,
              std::min<std::size_t>(size, sizeof(T)) - head);
  if (size > sizeof(T)) std::memset(bytes + sizeof(T), 0, size - sizeof(T));
  return true;
}

enum class CopiedIn { yes, size_is_not_possible, unknown_field_is_set };

/// Reads a caller's structure: fields that the caller does not know are zero, which stands for their default; fields
/// that only the caller knows must be zero. The copy's struct_size is that of this library.
template <class T>
CopiedIn copy_in(const T* from, T& to) noexcept {
  const std::uint32_t size = from->struct_size;
  if (!struct_size_is_possible<T>(size)) return CopiedIn::size_is_not_possible;
  const auto* bytes = reinterpret_cast<const unsigned char*>(from);
  for (std::size_t i = sizeof(T); i < size; ++i)
    if (bytes[i] != 0) return CopiedIn::unknown_field_is_set;
  T copy{};
  std::memcpy(&copy, bytes, std::min<std::size_t>(size, sizeof(T)));
  copy.struct_size = sizeof(T);
  to = copy;
  return CopiedIn::yes;
}

}  // namespace isocenter::detail
