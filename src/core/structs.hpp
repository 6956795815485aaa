#pragma once
// Structures of the C ABI, in and out, with a message when their size cannot be right. struct_size.hpp has the rules.
#include <isocenter/error.hpp>
#include <isocenter/struct_size.hpp>

namespace isocenter::detail {

// `where`, a const char* or a string, begins a message. It is put together in the failing case alone, so that calls of
// the steady state allocate nothing.

template <class T>
[[noreturn]] void refuse_struct_size(std::uint32_t struct_size, const std::string& where) {
  throw Failure(ErrorCode::invalid_argument,
                where + ": struct_size = " + std::to_string(struct_size) + " of " + StructVersion<T>::name +
                    " is outside [" + std::to_string(StructVersion<T>::first_size) + ", " +
                    std::to_string(largest_struct_size) + "]",
                std::string("set it to sizeof(") + StructVersion<T>::name + ") before the call");
}

template <class T, class Text>
void require_struct(const T* pointer, const Text& where) {
  if (pointer == nullptr)
    throw Failure(ErrorCode::invalid_argument,
                  std::string(where) + ": the pointer to " + StructVersion<T>::name + " is NULL",
                  "give the address of one");
}

/// Fills a caller's structure; `where` begins the message when that cannot be.
template <class T>
void give_struct(const T& from, T* to, const char* where) {
  require_struct(to, where);
  if (!copy_out(from, to)) refuse_struct_size<T>(to->struct_size, where);
}

/// Reads a caller's structure of any version.
template <class T, class Text>
T take_struct(const T* from, const Text& where) {
  require_struct(from, where);
  T taken{};
  switch (copy_in(from, taken)) {
    case CopiedIn::yes:
      break;
    case CopiedIn::size_is_not_possible:
      refuse_struct_size<T>(from->struct_size, where);
    case CopiedIn::unknown_field_is_set:
      throw Failure(ErrorCode::unsupported,
                    std::string(where) + ": " + StructVersion<T>::name +
                        " has struct_size = " + std::to_string(from->struct_size) + " and sets a field that version " +
                        isocenter_version() + " of the library does not know",
                    "install the version that the caller was built for, or leave the new fields zero");
  }
  return taken;
}

}  // namespace isocenter::detail
