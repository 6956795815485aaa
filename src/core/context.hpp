#pragma once
// What a context holds: devices, modules, operators, and what the embedder brought.
#include <deque>
#include <isocenter/error.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/ref_counted.hpp"
#include "core/thread_pool.hpp"

namespace isocenter::detail {

/// A device with its functions; the CPU is one as well.
struct Device {
  isocenter_device_type type{};
  std::string name, kind, description;
  bool is_cpu() const { return type.find == nullptr; }
  isocenter_device_info info() const {
    return {sizeof(isocenter_device_info), type.index,       name.c_str(), kind.c_str(),
            description.c_str(),           type.memory_bytes};
  }
  /// Zeroed memory; throws out_of_memory with the device and the size.
  void* allocate(std::uint64_t bytes) const;
  void release(void* memory) const { type.release(type.user, memory); }
  /// Zeroed host memory that copies to and from this device fast; null when there is none left. Of a device.
  void* allocate_host(std::uint64_t bytes) const;
  void release_host(void* memory) const { type.release_host(type.user, memory); }
  void copy(void* to, const void* from, std::uint64_t bytes, void* stream) const;
  void wait(void* stream, const char* node) const;
  /// What comes to `stream` begins when all that `other` has is done: by the device's service "streams", or by waiting.
  void follow(void* stream, void* other, const char* node) const;
  void make_current() const;
  [[noreturn]] void fail(int error, const std::string& doing) const;
};

/// An operator as the context keeps it: structures of this library's own length.
struct OperatorEntry {
  isocenter_operator_type type{};
  std::vector<isocenter_parameter> parameters;
  std::vector<isocenter_port> ports;
};

struct Module {
  std::string name, path, reason;
  bool loaded = false;
};

}  // namespace isocenter::detail

struct isocenter_context final : isocenter::detail::RefCounted {
  explicit isocenter_context(const isocenter_context_options& options);
  ~isocenter_context() override;

  isocenter_allocator allocator{};
  isocenter_threads threads{};
  void (*log)(void*, std::int32_t, const char*) = nullptr;
  void* log_user = nullptr;
  bool reference_only = false;
  std::vector<std::unique_ptr<isocenter::detail::Device>> devices;  // [0] is the CPU
  std::vector<const isocenter_operator_type*> operators;            // in the order of module, then name
  std::vector<isocenter::detail::Module> modules;
  std::vector<std::string> missing_devices;  // "cuda: no driver ..."
  isocenter_communicator communicator{};     // ranks = 0: none

  const isocenter::detail::Device& cpu() const { return *devices.front(); }
  const isocenter::detail::Device& find_device(const std::string& name, std::string* why = nullptr) const;
  /// The one for this process among those of its machine; null where there is none. `place` gets words on that.
  const isocenter::detail::Device* device_of_type(const std::string& type, std::string* place) const;
  const isocenter_operator_type* find_operator(const std::string& name) const;
  void load_module(const std::string& path);
  void load_modules_in(const std::string& folder);
  void register_operator(const isocenter_operator_type* given);
  void register_device(const isocenter_device_type& type);
  std::vector<std::string> operator_names() const;

 private:
  std::unique_ptr<isocenter::detail::ThreadPool> pool_;            ///< null when the embedder brought threads
  std::deque<isocenter::detail::OperatorEntry> operator_entries_;  // what `operators` points to
};

namespace isocenter::detail {
/// parallel_for over a context's threads; an exception of a body is rethrown when all ranges are done.
void context_parallel_for(void* context, std::int64_t count, std::int64_t grain,
                          void (*body)(void*, std::int64_t, std::int64_t), void* data);
/// Registers the operators that are part of this library (written by CMake from the modules that are built).
void register_builtin_operators(isocenter_context* context);
}  // namespace isocenter::detail
