#pragma once
// The payload behind the handle: tensors, geometry and attributes, with memory of its own or of somebody else's.
#include <isocenter/error.hpp>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/context.hpp"
#include "core/ref_counted.hpp"

namespace isocenter::detail {

using Attributes = std::map<std::string, std::variant<std::string, std::vector<double>>, std::less<>>;

const char* kind_name(int kind);
/// "volume or segmentation" for a port's mask.
std::string kind_names(std::uint32_t mask);
std::size_t dtype_size(int dtype);
const char* dtype_name(int dtype);
std::int64_t element_count(const isocenter_tensor& t);
/// "float32 60 x 512 x 512 (zyx)"
std::string shape_text(const isocenter_tensor& t);

/// Where a session's payload goes when its last user released it.
class PayloadPool {
 public:
  virtual ~PayloadPool() = default;
  virtual void give_back(isocenter_payload* payload) noexcept = 0;
};

}  // namespace isocenter::detail

struct isocenter_payload final : isocenter::detail::RefCounted {
  explicit isocenter_payload(int payload_kind);
  ~isocenter_payload() override;

  struct NamedTensor {
    std::string name;
    isocenter_tensor view{};
    bool owned = false;
    const isocenter::detail::Device* fast_for = nullptr;  // owned host memory that is this device's: release_host
  };

  int kind;
  std::vector<NamedTensor> tensors;
  isocenter_geometry geometry{};
  std::shared_ptr<const isocenter::detail::Attributes> attributes;
  std::int64_t sequence = 0;
  double time_s = 0;
  isocenter::detail::Ref<isocenter_context> context;  // keeps the device alive while memory is held
  const isocenter::detail::Device* device = nullptr;  // null: host memory of the caller's, or none
  isocenter::detail::PayloadPool* pool = nullptr;     // set for a session's buffers

  NamedTensor* find(std::string_view name);
  const NamedTensor* find(std::string_view name) const { return const_cast<isocenter_payload*>(this)->find(name); }
  void set_tensor(const std::string& name, const isocenter_tensor& tensor);
  void set_attribute(const std::string& key, std::variant<std::string, std::vector<double>> value);
  void remove_attribute(const std::string& key);
  isocenter_payload* copy_description() const;
  std::uint64_t bytes() const;
  /// `fast_for`: where `on` is the CPU, in host memory that copies fast to and from that device, as far as it has any.
  void allocate(isocenter_context* owner, const isocenter::detail::Device& on,
                const isocenter::detail::Device* fast_for = nullptr);
  /// Copies the data of a payload with the same description; enqueued on `stream` of a GPU that is part of it.
  void copy_data_from(const isocenter_payload& from, void* stream);
  /// Throws when tensors differ in name, type or shape; `where` starts the sentence.
  /// Fails, naming "what 'name'", when other is not of this description's shape; allocates nothing when it is.
  void require_same_shape(const isocenter_payload& other, const char* what, std::string_view name = {}) const;
  void own(void (*released)(void*), void* user);

 private:
  void last_released() noexcept override;
  void free_tensor(NamedTensor& tensor) noexcept;
  void (*released_)(void*) = nullptr;
  void* released_user_ = nullptr;
};
