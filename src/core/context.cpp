#include "core/context.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <mutex>

#include "core/cpu_device.hpp"
#include "core/streams.hpp"
#include "core/structs.hpp"
#include "core/text.hpp"

using isocenter::ErrorCode;
using isocenter::Failure;
using isocenter::detail::Device;

namespace isocenter::detail {

void* Device::allocate(std::uint64_t bytes) const {
  void* memory = nullptr;
  const int error = type.allocate(type.user, std::max<std::uint64_t>(bytes, 1), &memory);
  if (error != 0 || memory == nullptr)
    throw Failure(ErrorCode::out_of_memory,
                  "device '" + name + "' has no " + format_bytes(bytes) + " of memory left (" +
                      type.error_text(type.user, error) + ")",
                  "close other programs, use a smaller input, or give --memory a budget so that work is tiled");
  if (const int e = type.fill_zero(type.user, memory, std::max<std::uint64_t>(bytes, 1), nullptr); e != 0)
    fail(e, "clearing memory");
  return memory;
}

void* Device::allocate_host(std::uint64_t bytes) const {
  void* memory = nullptr;
  if (type.allocate_host == nullptr || type.release_host == nullptr ||
      type.allocate_host(type.user, std::max<std::uint64_t>(bytes, 1), &memory) != 0 || memory == nullptr)
    return nullptr;
  std::memset(memory, 0, bytes);
  return memory;
}

void Device::copy(void* to, const void* from, std::uint64_t bytes, void* stream) const {
  if (const int e = type.copy(type.user, to, from, bytes, stream); e != 0) fail(e, "copying");
}

void Device::wait(void* stream, const char* node) const {
  if (const int e = type.stream_wait(type.user, stream); e != 0) fail(e, std::string("work of node '") + node + "'");
}

void Device::follow(void* stream, void* other, const char* node) const {
  if (is_cpu() || stream == other) return;
  const auto* service = static_cast<const StreamService*>(type.find(type.user, StreamService::name));
  if (service == nullptr || service->struct_size < sizeof(StreamService)) return wait(other, node);
  if (const int e = service->follow(stream, other); e != 0) fail(e, std::string("work of node '") + node + "'");
}

void Device::make_current() const {
  if (type.make_current == nullptr) return;
  if (const int e = type.make_current(type.user); e != 0) fail(e, "making it current");
}

void Device::fail(int error, const std::string& doing) const {
  throw Failure(ErrorCode::device_lost,
                "device '" + name + "': " + doing + " failed: " + type.error_text(type.user, error),
                "look at the driver's log; the session has to be prepared again");
}

void context_parallel_for(void* context, std::int64_t count, std::int64_t grain,
                          void (*body)(void*, std::int64_t, std::int64_t), void* data) {
  if (count <= 0) return;
  const auto& threads = static_cast<isocenter_context*>(context)->threads;
  if (count <= grain) return body(data, 0, count);
  struct Call {
    void (*body)(void*, std::int64_t, std::int64_t);
    void* data;
    std::mutex mutex;
    std::exception_ptr first;
  } call{body, data, {}, nullptr};
  threads.parallel_for(
      threads.user, count, std::max<std::int64_t>(grain, 1),
      [](void* c, std::int64_t begin, std::int64_t end) {
        auto& guarded_call = *static_cast<Call*>(c);
        try {
          guarded_call.body(guarded_call.data, begin, end);
        } catch (...) {
          const std::lock_guard lock(guarded_call.mutex);
          if (guarded_call.first == nullptr) guarded_call.first = std::current_exception();
        }
      },
      &call);
  if (call.first != nullptr) std::rethrow_exception(call.first);
}

}  // namespace isocenter::detail

isocenter_context::isocenter_context(const isocenter_context_options& options) {
  using namespace isocenter::detail;
  allocator = options.allocator != nullptr ? take_struct(options.allocator, "isocenter_context_options.allocator")
                                           : system_allocator();
  log = options.log;
  log_user = options.log_user;
  const char* kernels = std::getenv("ISOCENTER_KERNELS");
  if (kernels != nullptr && *kernels != '\0' && std::strcmp(kernels, "reference") != 0)
    throw Failure(ErrorCode::invalid_argument, std::string("ISOCENTER_KERNELS=") + kernels + " is not known",
                  "unset it, or set it to 'reference'");
  reference_only = kernels != nullptr && std::strcmp(kernels, "reference") == 0;
  if (options.thread_count < 0)
    throw Failure(ErrorCode::invalid_argument,
                  "thread_count = " + std::to_string(options.thread_count) + " is negative",
                  "give 0 for all cores or the number of threads");
  if (options.threads != nullptr) {
    threads = take_struct(options.threads, "isocenter_context_options.threads");
  } else {
    pool_ = std::make_unique<isocenter::detail::ThreadPool>(options.thread_count);
    threads = pool_->threads();
  }
  devices.push_back(make_cpu_device(*this));
  register_builtin_operators(this);
  if ((options.flags & ISOCENTER_CONTEXT_NO_MODULES) != 0) return;
  if (options.module_path != nullptr) {
    load_modules_in(options.module_path);
    return;
  }
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&isocenter_version), &info) != 0 && info.dli_fname != nullptr) {
    const auto folder = std::filesystem::path(info.dli_fname).parent_path() / "isocenter";
    if (std::filesystem::is_directory(folder)) load_modules_in(folder.string());
  }
}

isocenter_context::~isocenter_context() = default;

const Device* isocenter_context::device_of_type(const std::string& type, std::string* place) const {
  std::vector<const Device*> all;
  for (const auto& d : devices)
    if (d->kind == type) all.push_back(d.get());
  if (all.empty()) return nullptr;
  const auto& c = communicator;
  const auto rank = static_cast<std::size_t>(c.local_ranks > 0 ? c.local_rank : c.rank);
  if (c.ranks > 1)
    *place = ", for process " + std::to_string(rank) + " of " +
             std::to_string(c.local_ranks > 0 ? c.local_ranks : c.ranks) + " on this machine";
  return all[c.ranks > 1 ? rank % all.size() : 0];
}

const Device& isocenter_context::find_device(const std::string& name, std::string* why) const {
  const std::string missing = isocenter::detail::join(missing_devices, "; ");
  const auto gpu = std::find_if(devices.begin(), devices.end(), [](const auto& d) { return !d->is_cpu(); });
  const bool best = name == "best";
  std::vector<std::string> names;
  for (const auto& d : devices) {
    if (d->name == name) {
      if (why != nullptr) *why = name + " was asked for (" + d->description + ")";
      return *d;
    }
    names.push_back(d->name);
  }
  std::string place;
  const Device* chosen = device_of_type(best && gpu != devices.end() ? (*gpu)->kind : name, &place);
  if (best && chosen == nullptr) {
    chosen = &cpu();
    place = "; no GPU: " + (missing.empty() ? "no device module is installed" : missing);
  }
  if (chosen != nullptr) {
    if (why != nullptr) *why = name + " is " + chosen->name + " (" + chosen->description + ")" + place;
    return *chosen;
  }
  if (gpu != devices.end()) names.push_back((*gpu)->kind);
  throw Failure(ErrorCode::not_found,
                "there is no device '" + name + "'" + (missing.empty() ? "" : " (" + missing + ")"),
                "use one of: " + isocenter::detail::join(names) + ", best");
}

std::vector<std::string> isocenter_context::operator_names() const {
  std::vector<std::string> names;
  for (const auto* o : operators) names.emplace_back(o->name);
  return names;
}

const isocenter_operator_type* isocenter_context::find_operator(const std::string& name) const {
  for (const auto* o : operators)
    if (name == o->name) return o;
  return nullptr;
}

namespace {

/// Copies an array whose elements may be of another version's length: the first one's struct_size is the stride.
template <class T>
std::vector<T> take_array(const T* first, std::uint32_t count, const std::string& where) {
  std::vector<T> all;
  const auto* bytes = reinterpret_cast<const unsigned char*>(first);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string which = where + "[" + std::to_string(i) + "]";
    const T* element =
        first == nullptr ? nullptr : reinterpret_cast<const T*>(bytes + std::size_t{i} * first->struct_size);
    all.push_back(isocenter::detail::take_struct(element, which));
    if (element->struct_size != first->struct_size)
      throw Failure(ErrorCode::invalid_argument,
                    which + ": struct_size = " + std::to_string(element->struct_size) + ", and that of the first is " +
                        std::to_string(first->struct_size),
                    "set struct_size of every element to the same sizeof");
  }
  return all;
}

}  // namespace

void isocenter_context::register_operator(const isocenter_operator_type* given) {
  isocenter::detail::OperatorEntry entry;
  entry.type = isocenter::detail::take_struct(given, "isocenter_register_operator");
  const isocenter_operator_type* type = &entry.type;
  if (type->name == nullptr || type->module == nullptr || type->create == nullptr || type->plan == nullptr ||
      type->run == nullptr || type->destroy == nullptr)
    throw Failure(ErrorCode::invalid_argument, "an operator type lacks a name or a function",
                  "fill name, module, create, plan, run and destroy");
  if (find_operator(type->name) != nullptr)
    throw Failure(ErrorCode::invalid_argument, std::string("operator '") + type->name + "' is registered already",
                  "give it a name of its own; a maker's prefix helps");
  const std::string where = std::string("operator '") + type->name + "': ";
  entry.parameters = take_array(type->parameters, type->parameter_count, where + "parameters");
  entry.ports = take_array(type->ports, type->port_count, where + "ports");
  for (const auto& port : entry.ports)
    if (port.kinds == 0)
      throw Failure(ErrorCode::invalid_argument,
                    std::string("port '") + port.name + "' of operator '" + type->name + "' has no payload kind",
                    "set at least one bit of kinds");
  operators.reserve(operators.size() + 1);  // so that insert below cannot fail and leave an entry alone
  const auto at = std::find_if(operators.begin(), operators.end(), [&](const auto* o) {
    const int m = std::strcmp(o->module, type->module);
    return m > 0 || (m == 0 && std::strcmp(o->name, type->name) > 0);
  });
  auto& kept = operator_entries_.emplace_back(std::move(entry));
  kept.type.parameters = kept.parameters.data();
  kept.type.ports = kept.ports.data();
  operators.insert(at, &kept.type);
}

void isocenter_context::register_device(const isocenter_device_type& type) {
  auto device = std::make_unique<Device>();
  device->type = type;
  device->name = type.name;
  device->kind = type.type;
  device->description = type.description;
  device->type.name = device->name.c_str();
  device->type.type = device->kind.c_str();
  device->type.description = device->description.c_str();
  if (type.find == nullptr)
    throw Failure(ErrorCode::invalid_argument, "device '" + device->name + "' has no find function",
                  "only the CPU is without one");
  devices.push_back(std::move(device));
}

void isocenter_context::load_module(const std::string& path) {
  isocenter::detail::Module module;
  module.path = path;
  module.name = std::filesystem::path(path).stem().string();
  if (module.name.rfind("isocenter_", 0) == 0) module.name = module.name.substr(10);
  const auto refuse = [&](const std::string& reason) { module.reason = reason; };
  // Never closed again: third-party libraries keep static state that does not survive it.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    refuse(reason == nullptr ? "it cannot be loaded" : reason);
  } else {
    const auto* abi = static_cast<const std::uint32_t*>(dlsym(library, ISOCENTER_MODULE_ABI));
    using Register = isocenter_status (*)(isocenter_context*, isocenter_error*);
    const auto entry = reinterpret_cast<Register>(dlsym(library, ISOCENTER_MODULE_REGISTER));
    if (abi == nullptr || entry == nullptr) {
      refuse("it is no Isocenter module: " ISOCENTER_MODULE_REGISTER " or " ISOCENTER_MODULE_ABI " is not exported");
    } else if (*abi != ISOCENTER_VERSION_MAJOR) {
      refuse("it was built for version " + std::to_string(*abi) + " of the ABI, this library has " +
             std::to_string(ISOCENTER_VERSION_MAJOR));
    } else {
      isocenter_error error{sizeof error, ISOCENTER_OK, {}};
      if (entry(this, &error) == ISOCENTER_OK)
        module.loaded = true;
      else
        refuse(error.message);
    }
  }
  modules.push_back(module);
  if (log != nullptr)
    log(log_user, module.loaded ? ISOCENTER_LOG_DEBUG : ISOCENTER_LOG_INFO,
        ("module " + module.name + (module.loaded ? " loaded" : " not loaded: " + module.reason)).c_str());
  if (module.loaded) return;
  const std::size_t fix = module.reason.find(". Fix: ");  // a module that refuses brings its own
  throw Failure(ErrorCode::not_found, "module '" + path + "' was not loaded: " + module.reason.substr(0, fix),
                fix == std::string::npos ? "check the file and the libraries that it needs"
                                         : isocenter::detail::without_full_stop(module.reason.substr(fix + 7)));
}

void isocenter_context::load_modules_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".so" && entry.path().filename().string().rfind("isocenter_", 0) == 0)
      paths.push_back(entry.path().string());
  if (error)
    throw Failure(ErrorCode::io_error, "module folder '" + folder + "' cannot be read: " + error.message(),
                  "give module_path a folder that exists");
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    try {
      load_module(path);
    } catch (const Failure&) {
      // Kept in `modules` with its reason: a missing GPU driver must not keep the CPU from working.
    }
  }
}

// ---- C ABI ----

using isocenter::detail::copy_text;
using isocenter::detail::give_struct;
using isocenter::detail::guarded;
using isocenter::detail::take_struct;

static void require_index(std::size_t index, std::size_t count, const char* of) {
  if (index < count) return;
  throw Failure(
      ErrorCode::not_found,
      std::string("there is no ") + of + " " + std::to_string(index) + ": the context has " + std::to_string(count),
      "count from 0 to one less");
}

extern "C" {

const char* isocenter_version(void) { return ISOCENTER_VERSION_TEXT; }

isocenter_status isocenter_context_create(const isocenter_context_options* options, isocenter_context** context,
                                          isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const isocenter_context_options none{sizeof none, 0, nullptr, nullptr, 0, nullptr, nullptr, nullptr};
    *context = new isocenter_context(take_struct(options != nullptr ? options : &none, "isocenter_context_create"));
    return ISOCENTER_OK;
  });
}
void isocenter_context_retain(isocenter_context* context) { context->retain(); }
void isocenter_context_release(isocenter_context* context) {
  if (context != nullptr) context->release();
}
isocenter_status isocenter_context_load_module(isocenter_context* context, const char* path, isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    context->load_module(path);
    return ISOCENTER_OK;
  });
}
uint32_t isocenter_context_module_count(const isocenter_context* context) {
  return static_cast<uint32_t>(context->modules.size());
}
isocenter_status isocenter_context_module(const isocenter_context* context, uint32_t index, isocenter_module_info* info,
                                          isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    require_index(index, context->modules.size(), "module");
    const auto& m = context->modules[index];
    give_struct({sizeof *info, m.loaded ? 1 : 0, m.name.c_str(), m.path.c_str(), m.reason.c_str()}, info,
                "isocenter_context_module");
    return ISOCENTER_OK;
  });
}
uint32_t isocenter_context_device_count(const isocenter_context* context) {
  return static_cast<uint32_t>(context->devices.size());
}
isocenter_status isocenter_context_device(const isocenter_context* context, uint32_t index, isocenter_device_info* info,
                                          isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    require_index(index, context->devices.size(), "device");
    give_struct(context->devices[index]->info(), info, "isocenter_context_device");
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_context_find_device(const isocenter_context* context, const char* name,
                                               isocenter_device_info* info, char* why, size_t why_capacity,
                                               isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    std::string reason;
    give_struct(context->find_device(name, &reason).info(), info, "isocenter_context_find_device");
    copy_text(reason, why, why_capacity);
    return ISOCENTER_OK;
  });
}
isocenter_status isocenter_register_operator(isocenter_context* context, const isocenter_operator_type* type,
                                             isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    context->register_operator(type);
    return ISOCENTER_OK;
  });
}
uint32_t isocenter_operator_count(const isocenter_context* context) {
  return static_cast<uint32_t>(context->operators.size());
}
const isocenter_operator_type* isocenter_operator_at(const isocenter_context* context, uint32_t index) {
  return index < context->operators.size() ? context->operators[index] : nullptr;
}
const isocenter_operator_type* isocenter_operator_find(const isocenter_context* context, const char* name) {
  return context->find_operator(name);
}
// The context's own copies have this library's length.
const isocenter_parameter* isocenter_operator_parameter(const isocenter_operator_type* type, uint32_t index) {
  return index < type->parameter_count ? &type->parameters[index] : nullptr;
}
const isocenter_port* isocenter_operator_port(const isocenter_operator_type* type, uint32_t index) {
  return index < type->port_count ? &type->ports[index] : nullptr;
}
isocenter_status isocenter_register_device(isocenter_context* context, const isocenter_device_type* type,
                                           isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    context->register_device(take_struct(type, "isocenter_register_device"));
    return ISOCENTER_OK;
  });
}
void isocenter_report_missing_device(isocenter_context* context, const char* type, const char* reason) {
  context->missing_devices.push_back(std::string(type) + ": " + reason);
}
isocenter_status isocenter_register_communicator(isocenter_context* context, const isocenter_communicator* communicator,
                                                 isocenter_error* error) {
  return guarded(error, [&]() -> isocenter_status {
    const auto taken = take_struct(communicator, "isocenter_register_communicator");
    if (context->communicator.ranks > 0)
      throw Failure(ErrorCode::invalid_state,
                    std::string("the context has the communicator '") + context->communicator.name + "' already",
                    "register one");
    if (taken.ranks < 1 || taken.rank < 0 || taken.rank >= taken.ranks)
      throw Failure(ErrorCode::invalid_argument,
                    "communicator: rank = " + std::to_string(taken.rank) + " of " + std::to_string(taken.ranks),
                    "count ranks from 0");
    if (taken.local_ranks < 0 || taken.local_ranks > taken.ranks ||
        (taken.local_ranks > 0 && (taken.local_rank < 0 || taken.local_rank >= taken.local_ranks)))
      throw Failure(ErrorCode::invalid_argument,
                    "communicator: local_rank = " + std::to_string(taken.local_rank) + " of " +
                        std::to_string(taken.local_ranks) + ", among " + std::to_string(taken.ranks) + " ranks",
                    "count the ranks of this machine from 0, or set local_ranks to 0");
    context->communicator = taken;
    return ISOCENTER_OK;
  });
}
const isocenter_communicator* isocenter_context_communicator(const isocenter_context* context) {
  return context->communicator.ranks > 1 ? &context->communicator : nullptr;
}

}  // extern "C"
