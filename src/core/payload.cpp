#include "core/payload.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <isocenter/dense.hpp>

#include "core/structs.hpp"

using isocenter::ErrorCode;
using isocenter::Failure;

namespace isocenter::detail {
namespace {
constexpr std::array<const char*, 9> kinds = {"",         "volume",    "projections",  "k_space", "channel_data",
                                              "sinogram", "list_mode", "segmentation", "frames"};
constexpr std::array<const char*, 9> dtypes = {"",      "uint8",   "int8",    "uint16",   "int16",
                                               "int32", "float32", "float64", "complex64"};
constexpr std::array<std::size_t, 9> dtype_sizes = {0, 1, 1, 2, 2, 4, 4, 8, 8};

}  // namespace

const char* kind_name(int kind) { return kind >= 1 && kind <= 8 ? kinds[static_cast<std::size_t>(kind)] : "unknown"; }

std::string kind_names(std::uint32_t mask) {
  std::string all;
  for (std::size_t k = 1; k < kinds.size(); ++k)
    if ((mask >> k & 1U) != 0) all += (all.empty() ? "" : " or ") + std::string(kinds[k]);
  return (mask & 0x1FEU) == 0x1FEU ? "any payload" : all;
}

std::size_t dtype_size(int dtype) {
  return dtype >= 1 && dtype <= 8 ? dtype_sizes[static_cast<std::size_t>(dtype)] : 0;
}
const char* dtype_name(int dtype) {
  return dtype >= 1 && dtype <= 8 ? dtypes[static_cast<std::size_t>(dtype)] : "unknown";
}

std::int64_t element_count(const isocenter_tensor& t) {
  std::int64_t n = 1;
  for (int i = 0; i < t.rank; ++i) n *= t.shape[i];
  return n;
}

std::string shape_text(const isocenter_tensor& t) {
  std::string text = dtype_name(t.dtype);
  for (int i = 0; i < t.rank; ++i) text += (i == 0 ? " " : " x ") + std::to_string(t.shape[i]);
  return text + " (" + t.axes + ")";
}

}  // namespace isocenter::detail

isocenter_payload::isocenter_payload(int payload_kind)
    : kind(payload_kind), attributes(std::make_shared<const isocenter::detail::Attributes>()) {
  geometry = isocenter_geometry{sizeof(isocenter_geometry), 0, {0, 0, 0}, {1, 0, 0, 0, 1, 0, 0, 0, 1}, {1, 1, 1}, 0, 0};
}

isocenter_payload::~isocenter_payload() {
  for (auto& t : tensors) free_tensor(t);
  if (released_ != nullptr) released_(released_user_);
}

void isocenter_payload::free_tensor(NamedTensor& t) noexcept {
  if (!t.owned || device == nullptr) return;
  if (t.fast_for != nullptr)
    t.fast_for->release_host(t.view.data);
  else
    device->release(t.view.data);
}

void isocenter_payload::last_released() noexcept {
  if (pool != nullptr) {
    count_.store(1, std::memory_order_relaxed);
    pool->give_back(this);
  } else {
    delete this;
  }
}

isocenter_payload::NamedTensor* isocenter_payload::find(std::string_view name) {
  const auto at = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  return at == tensors.end() ? nullptr : &*at;
}

void isocenter_payload::set_tensor(const std::string& name, const isocenter_tensor& tensor) {
  const auto refuse = [&](const std::string& why) {
    throw Failure(ErrorCode::invalid_argument, "tensor '" + name + "' " + why,
                  "give a known dtype, rank 1 to 6, one letter an axis and positive extents");
  };
  if (isocenter::detail::dtype_size(tensor.dtype) == 0) refuse("has unknown dtype " + std::to_string(tensor.dtype));
  if (tensor.rank < 1 || tensor.rank > ISOCENTER_MAX_RANK) refuse("has rank " + std::to_string(tensor.rank));
  if (strnlen(tensor.axes, sizeof tensor.axes) != static_cast<std::size_t>(tensor.rank))
    refuse("has rank " + std::to_string(tensor.rank) + " and another number of axis letters");
  std::uint64_t count = 1;
  bool no_strides = true;
  for (int i = 0; i < tensor.rank; ++i) {
    if (tensor.shape[i] < 1)
      refuse("has extent " + std::to_string(tensor.shape[i]) + " along axis '" + tensor.axes[i] + "'");
    if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(tensor.shape[i]), &count) || count >> 48 != 0)
      refuse("has more than 2^48 elements");
    no_strides = no_strides && tensor.strides[i] == 0;
  }
  NamedTensor* t = find(name);
  if (t == nullptr) t = &tensors.emplace_back();
  free_tensor(*t);
  t->name = name;
  t->view = tensor;
  t->view.struct_size = sizeof tensor;
  t->owned = false;
  t->fast_for = nullptr;
  if (no_strides)
    for (std::int64_t i = tensor.rank - 1, s = 1; i >= 0; s *= tensor.shape[i--]) t->view.strides[i] = s;
}

void isocenter_payload::set_attribute(const std::string& key, std::variant<std::string, std::vector<double>> value) {
  auto copy = std::make_shared<isocenter::detail::Attributes>(*attributes);
  (*copy)[key] = std::move(value);
  attributes = std::move(copy);
}

void isocenter_payload::remove_attribute(const std::string& key) {
  auto copy = std::make_shared<isocenter::detail::Attributes>(*attributes);
  copy->erase(key);
  attributes = std::move(copy);
}

isocenter_payload* isocenter_payload::copy_description() const {
  auto copy = std::make_unique<isocenter_payload>(kind);
  for (const auto& t : tensors) {
    isocenter_tensor view = t.view;
    view.data = nullptr;
    std::fill(std::begin(view.strides), std::end(view.strides), 0);
    copy->set_tensor(t.name, view);
  }
  copy->geometry = geometry;
  copy->attributes = attributes;
  copy->sequence = sequence;
  copy->time_s = time_s;
  return copy.release();
}

std::uint64_t isocenter_payload::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& t : tensors)
    sum += static_cast<std::uint64_t>(isocenter::detail::element_count(t.view)) *
           isocenter::detail::dtype_size(t.view.dtype);
  return sum;
}

void isocenter_payload::allocate(isocenter_context* owner, const isocenter::detail::Device& on,
                                 const isocenter::detail::Device* fast_for) {
  for (const auto& t : tensors)
    if (t.view.data != nullptr && !on.is_cpu() && device != &on)
      throw Failure(ErrorCode::invalid_state, "tensor '" + t.name + "' has host memory already",
                    "allocate a description without data, or copy the payload to the device");
  context = isocenter::detail::Ref<isocenter_context>::share(owner);
  device = &on;
  for (auto& t : tensors) {
    if (t.view.data != nullptr) continue;
    const std::uint64_t size = static_cast<std::uint64_t>(isocenter::detail::element_count(t.view)) *
                               isocenter::detail::dtype_size(t.view.dtype);
    t.view.data = fast_for == nullptr ? nullptr : fast_for->allocate_host(size);
    t.fast_for = t.view.data == nullptr ? nullptr : fast_for;
    if (t.view.data == nullptr) t.view.data = on.allocate(size);
    t.owned = true;
  }
}

void isocenter_payload::copy_data_from(const isocenter_payload& from, void* stream) {
  require_same_shape(from, "copying a payload");
  const bool from_host = from.device == nullptr || from.device->is_cpu();
  const isocenter::detail::Device& mover = from_host ? *device : *from.device;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const isocenter_tensor& source = from.tensors[i].view;
    if (!isocenter::detail::is_dense(source))
      throw Failure(ErrorCode::unsupported, "tensor '" + tensors[i].name + "' is not dense",
                    "copy it into a dense tensor (last axis fastest) first");
    mover.copy(tensors[i].view.data, source.data,
               static_cast<std::uint64_t>(isocenter::detail::element_count(source)) *
                   isocenter::detail::dtype_size(source.dtype),
               stream);
  }
  sequence = from.sequence;
  time_s = from.time_s;
}

void isocenter_payload::require_same_shape(const isocenter_payload& other, const char* what,
                                           std::string_view name) const {
  const auto refuse = [&](const std::string& why) {
    const std::string where = name.empty() ? what : std::string(what) + " '" + std::string(name) + "'";
    throw Failure(ErrorCode::invalid_argument, where + ": " + why,
                  "prepare the pipeline for this payload's description");
  };
  if (kind != other.kind)
    refuse(std::string("a ") + isocenter::detail::kind_name(other.kind) + " came where a " +
           isocenter::detail::kind_name(kind) + " was planned");
  if (tensors.size() != other.tensors.size()) refuse("the payload has another number of tensors than was planned");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto &a = tensors[i].view, &b = other.tensors[i].view;
    const bool same = tensors[i].name == other.tensors[i].name && a.dtype == b.dtype && a.rank == b.rank &&
                      std::equal(a.shape, a.shape + a.rank, b.shape) && std::strcmp(a.axes, b.axes) == 0;
    if (!same)
      refuse("tensor '" + other.tensors[i].name + "' is " + isocenter::detail::shape_text(b) + ", planned was '" +
             tensors[i].name + "' " + isocenter::detail::shape_text(a));
  }
}

void isocenter_payload::own(void (*released)(void*), void* user) {
  if (released_ != nullptr)
    throw Failure(ErrorCode::invalid_state, "the payload has an owner already", "give one owner for all its tensors");
  released_ = released;
  released_user_ = user;
}

// ---- C ABI ----

using isocenter::detail::give_struct;
using isocenter::detail::guarded;
using isocenter::detail::take_struct;

extern "C" {

isocenter_status isocenter_payload_create(int32_t kind, isocenter_payload** payload, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    if (kind < ISOCENTER_VOLUME || kind > ISOCENTER_FRAMES)
      throw Failure(ErrorCode::invalid_argument, "payload kind " + std::to_string(kind) + " is not known",
                    "use one of the kinds of isocenter.h, 1 to 8");
    *payload = new isocenter_payload(kind);
    return ISOCENTER_OK;
  });
}
void isocenter_payload_retain(isocenter_payload* payload) { payload->retain(); }
void isocenter_payload_release(isocenter_payload* payload) {
  if (payload != nullptr) payload->release();
}
int32_t isocenter_payload_kind(const isocenter_payload* payload) { return payload->kind; }
isocenter_status isocenter_payload_copy_description(const isocenter_payload* payload, isocenter_payload** copy,
                                                    isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    *copy = payload->copy_description();
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_payload_set_tensor(isocenter_payload* payload, const char* name,
                                              const isocenter_tensor* tensor, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    payload->set_tensor(name, take_struct(tensor, "isocenter_payload_set_tensor"));
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_payload_tensor(const isocenter_payload* payload, const char* name, isocenter_tensor* tensor,
                                          isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    if (const auto* t = payload == nullptr ? nullptr : payload->find(name); t != nullptr) {
      give_struct(t->view, tensor, "isocenter_payload_tensor");
      return ISOCENTER_OK;
    }
    throw Failure(ErrorCode::not_found,
                  payload == nullptr ? std::string("there is no payload to take tensor '") + name + "' from"
                                     : std::string("a ") + isocenter::detail::kind_name(payload->kind) +
                                           " payload has no tensor '" + name + "'",
                  "check the port's kind of payload");
  });
}
isocenter_status isocenter_payload_set_owner(isocenter_payload* payload, void (*released)(void* user), void* user,
                                             isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    payload->own(released, user);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_payload_set_device(isocenter_payload* payload, isocenter_context* context,
                                              const char* device, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const auto& on = context->find_device(device);
    for (const auto& t : payload->tensors)
      if (t.owned && payload->device != &on)
        throw Failure(ErrorCode::invalid_state, "tensor '" + t.name + "' has memory on '" + payload->device->name + "'",
                      "only data set from outside can be declared; copy the payload instead");
    payload->context = isocenter::detail::Ref<isocenter_context>::share(context);
    payload->device = &on;
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_payload_allocate(isocenter_payload* payload, isocenter_context* context, const char* device,
                                            isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    payload->allocate(context, context->find_device(device));
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_payload_copy_to(const isocenter_payload* payload, isocenter_context* context,
                                           const char* device, isocenter_payload** copy, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const auto& on = context->find_device(device);
    auto made = isocenter::detail::Ref<isocenter_payload>::adopt(payload->copy_description());
    made->allocate(context, on);
    made->copy_data_from(*payload, nullptr);
    const bool from_host = payload->device == nullptr || payload->device->is_cpu();
    (from_host ? on : *payload->device).wait(nullptr, "copy");
    *copy = made.detach();
    return ISOCENTER_OK;
  });
}
const char* isocenter_payload_device(const isocenter_payload* payload) {
  return payload->device == nullptr ? "cpu" : payload->device->name.c_str();
}
isocenter_status isocenter_payload_set_geometry(isocenter_payload* payload, const isocenter_geometry* geometry,
                                                isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const isocenter_geometry taken = take_struct(geometry, "isocenter_payload_set_geometry");
    for (const double s : taken.spacing_mm)
      if (!(s > 0.0))
        throw Failure(ErrorCode::bad_data, "voxel spacing " + std::to_string(s) + " mm is not positive",
                      "check PixelSpacing (0028,0030) and the slice positions of the series");
    payload->geometry = taken;
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_payload_geometry(const isocenter_payload* payload, isocenter_geometry* geometry,
                                            isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    give_struct(payload->geometry, geometry, "isocenter_payload_geometry");
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_payload_set_text(isocenter_payload* payload, const char* key, const char* text,
                                            isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    if (text == nullptr)
      payload->remove_attribute(key);
    else
      payload->set_attribute(key, std::string(text));
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_payload_set_numbers(isocenter_payload* payload, const char* key, const double* numbers,
                                               size_t count, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    if (count == 0)
      payload->remove_attribute(key);
    else
      payload->set_attribute(key, std::vector<double>(numbers, numbers + count));
    return ISOCENTER_OK;
  });
}
const char* isocenter_payload_text(const isocenter_payload* payload, const char* key) {
  const auto at = payload->attributes->find(std::string_view(key));
  if (at == payload->attributes->end()) return nullptr;
  const auto* text = std::get_if<std::string>(&at->second);
  return text == nullptr ? nullptr : text->c_str();
}
const double* isocenter_payload_numbers(const isocenter_payload* payload, const char* key, size_t* count) {
  *count = 0;
  const auto at = payload->attributes->find(std::string_view(key));
  if (at == payload->attributes->end()) return nullptr;
  const auto* numbers = std::get_if<std::vector<double>>(&at->second);
  if (numbers == nullptr) return nullptr;
  *count = numbers->size();
  return numbers->data();
}
uint32_t isocenter_payload_attribute_count(const isocenter_payload* payload) {
  return static_cast<uint32_t>(payload->attributes->size());
}
const char* isocenter_payload_attribute_key(const isocenter_payload* payload, uint32_t index) {
  if (index >= payload->attributes->size()) return nullptr;
  auto at = payload->attributes->begin();
  std::advance(at, index);
  return at->first.c_str();
}
void isocenter_payload_set_position(isocenter_payload* payload, int64_t sequence, double time_s) {
  payload->sequence = sequence;
  payload->time_s = time_s;
}
void isocenter_payload_position(const isocenter_payload* payload, int64_t* sequence, double* time_s) {
  *sequence = payload->sequence;
  *time_s = payload->time_s;
}

}  // extern "C"
