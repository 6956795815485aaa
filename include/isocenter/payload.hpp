#pragma once
// Payloads: what travels between operators. Reference-counted handles; copying one copies the handle, not the data.
#include <array>
#include <cstdint>
#include <isocenter/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace isocenter::inline v1 {

enum class DType : std::int32_t {
  uint8 = ISOCENTER_UINT8,
  int8 = ISOCENTER_INT8,
  uint16 = ISOCENTER_UINT16,
  int16 = ISOCENTER_INT16,
  int32 = ISOCENTER_INT32,
  float32 = ISOCENTER_FLOAT32,
  float64 = ISOCENTER_FLOAT64,
  complex64 = ISOCENTER_COMPLEX64
};

constexpr std::size_t size_of(DType type) {
  constexpr std::size_t sizes[] = {0, 1, 1, 2, 2, 4, 4, 8, 8};
  return sizes[static_cast<int>(type)];
}

template <class T>
constexpr DType dtype_of() {
  using U = std::remove_const_t<T>;
  if constexpr (std::is_same_v<U, std::uint8_t>) return DType::uint8;
  if constexpr (std::is_same_v<U, std::int8_t>) return DType::int8;
  if constexpr (std::is_same_v<U, std::uint16_t>) return DType::uint16;
  if constexpr (std::is_same_v<U, std::int16_t>) return DType::int16;
  if constexpr (std::is_same_v<U, std::int32_t>) return DType::int32;
  if constexpr (std::is_same_v<U, float>) return DType::float32;
  if constexpr (std::is_same_v<U, double>) return DType::float64;
}

/// A tensor's shape and place; it does not own. Shape is slowest axis first.
struct TensorView : isocenter_tensor {
  TensorView() : isocenter_tensor{} { struct_size = sizeof(isocenter_tensor); }
  DType type() const { return static_cast<DType>(dtype); }
  std::int64_t count() const {
    std::int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= shape[i];
    return n;
  }
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(count()) * size_of(type()); }
  /// The extent of an axis by its letter; 1 where there is no such axis.
  std::int64_t extent(char axis) const {
    for (int i = 0; i < rank; ++i)
      if (axes[i] == axis) return shape[i];
    return 1;
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  /// Elements of a dense tensor in host memory.
  template <class T>
  std::span<T> span() const {
    if (dtype_of<T>() != type())
      detail::raise(ErrorCode::invalid_argument,
                    "the tensor holds another element type. Fix: ask for the tensor's own type.");
    return {static_cast<T*>(data), static_cast<std::size_t>(count())};
  }
};

/// Describes a dense tensor: axes "zyx" with shape {nz, ny, nx}.
inline TensorView tensor(DType type, std::string_view axes, std::initializer_list<std::int64_t> shape,
                         void* data = nullptr) {
  TensorView t;
  t.dtype = static_cast<std::int32_t>(type);
  t.rank = static_cast<std::int32_t>(shape.size());
  if (axes.size() != shape.size() || axes.size() > ISOCENTER_MAX_RANK)
    detail::raise(ErrorCode::invalid_argument,
                  "a tensor has as many axis letters as extents, at most 6. Fix: check the axes.");
  std::size_t i = 0;
  for (const std::int64_t n : shape) {
    t.axes[i] = axes[i];
    t.shape[i++] = n;
  }
  t.data = data;
  return t;
}

/// Voxel (i, j, k) has its centre at origin + direction · (spacing ∘ (i, j, k)) in the DICOM patient frame (LPS), mm.
struct Geometry : isocenter_geometry {
  Geometry()
      : isocenter_geometry{sizeof(isocenter_geometry), 0, {0, 0, 0}, {1, 0, 0, 0, 1, 0, 0, 0, 1}, {1, 1, 1}, 0, 0} {}
  Geometry(std::array<double, 3> spacing, std::array<double, 3> origin) : Geometry() {
    for (int i = 0; i < 3; ++i) {
      spacing_mm[i] = spacing[static_cast<std::size_t>(i)];
      origin_mm[i] = origin[static_cast<std::size_t>(i)];
    }
  }
  /// Spacing with the grid's centre at the patient frame's origin.
  static Geometry centred(std::int64_t nx, std::int64_t ny, std::int64_t nz, std::array<double, 3> spacing) {
    return {spacing,
            {-0.5 * static_cast<double>(nx - 1) * spacing[0], -0.5 * static_cast<double>(ny - 1) * spacing[1],
             -0.5 * static_cast<double>(nz - 1) * spacing[2]}};
  }
  /// The unit vector of voxel axis 0 (x), 1 (y) or 2 (z).
  std::array<double, 3> axis(int i) const { return {direction[i], direction[3 + i], direction[6 + i]}; }
  std::array<double, 3> position_mm(double i, double j, double k) const {
    std::array<double, 3> p{};
    for (std::size_t r = 0; r < 3; ++r)
      p[r] = origin_mm[r] + direction[3 * r] * spacing_mm[0] * i + direction[3 * r + 1] * spacing_mm[1] * j +
             direction[3 * r + 2] * spacing_mm[2] * k;
    return p;
  }
};

class Context;

/// Any payload. The typed ones below add their kind's tensor.
class Payload {
 public:
  static constexpr std::uint32_t kinds = ~0U;
  Payload() = default;
  explicit Payload(int kind) {
    detail::call([&](auto* e) { return isocenter_payload_create(kind, &handle_, e); });
  }
  /// Takes over one reference.
  static Payload adopt(isocenter_payload* handle) {
    Payload p;
    p.handle_ = handle;
    return p;
  }
  /// Adds a reference.
  static Payload share(const isocenter_payload* handle) {
    auto* h = const_cast<isocenter_payload*>(handle);
    if (h != nullptr) isocenter_payload_retain(h);
    return adopt(h);
  }
  Payload(const Payload& other) : handle_(other.handle_) {
    if (handle_ != nullptr) isocenter_payload_retain(handle_);
  }
  Payload(Payload&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Payload& operator=(Payload other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Payload() { isocenter_payload_release(handle_); }

  explicit operator bool() const { return handle_ != nullptr; }
  isocenter_payload* get() const { return handle_; }
  int kind() const { return isocenter_payload_kind(handle_); }
  const char* device() const { return isocenter_payload_device(handle_); }

  TensorView tensor(const char* name) const {
    TensorView t;
    detail::call([&](auto* e) { return isocenter_payload_tensor(handle_, name, &t, e); });
    return t;
  }
  void set_tensor(const char* name, const TensorView& t) {
    detail::call([&](auto* e) { return isocenter_payload_set_tensor(handle_, name, &t, e); });
  }
  Geometry geometry() const {
    Geometry g;
    detail::call([&](auto* e) { return isocenter_payload_geometry(handle_, &g, e); });
    return g;
  }
  void set_geometry(const Geometry& g) {
    detail::call([&](auto* e) { return isocenter_payload_set_geometry(handle_, &g, e); });
  }
  /// The attribute's text; "" when there is none.
  std::string text(const char* key) const {
    const char* t = isocenter_payload_text(handle_, key);
    return t == nullptr ? std::string() : std::string(t);
  }
  void set_text(const char* key, const std::string& value) {
    detail::call([&](auto* e) { return isocenter_payload_set_text(handle_, key, value.c_str(), e); });
  }
  /// The attribute's numbers; empty when there are none.
  std::span<const double> numbers(const char* key) const {
    std::size_t n = 0;
    const double* p = isocenter_payload_numbers(handle_, key, &n);
    return {p, n};
  }
  void set_numbers(const char* key, std::span<const double> values) {
    detail::call([&](auto* e) { return isocenter_payload_set_numbers(handle_, key, values.data(), values.size(), e); });
  }
  std::int64_t sequence() const {
    std::int64_t n = 0;
    double t = 0;
    isocenter_payload_position(handle_, &n, &t);
    return n;
  }
  double time_s() const {
    std::int64_t n = 0;
    double t = 0;
    isocenter_payload_position(handle_, &n, &t);
    return t;
  }
  void set_position(std::int64_t sequence, double time_s) { isocenter_payload_set_position(handle_, sequence, time_s); }
  /// The same shapes, geometry and attributes without data.
  Payload description() const {
    isocenter_payload* copy = nullptr;
    detail::call([&](auto* e) { return isocenter_payload_copy_description(handle_, &copy, e); });
    return adopt(copy);
  }
  /// Copies every attribute of `other` that is not there yet.
  void inherit_attributes(const Payload& other) {
    for (std::uint32_t i = 0; i < isocenter_payload_attribute_count(other.get()); ++i) {
      const char* key = isocenter_payload_attribute_key(other.get(), i);
      if (isocenter_payload_text(handle_, key) != nullptr || !numbers(key).empty()) continue;
      if (const char* text = isocenter_payload_text(other.get(), key); text != nullptr)
        set_text(key, text);
      else
        set_numbers(key, other.numbers(key));
    }
  }

 protected:
  isocenter_payload* handle_ = nullptr;
};

}  // namespace isocenter::inline v1

namespace isocenter::detail {
/// A payload of one kind, convertible from Payload with a check.
template <int Kind>
class TypedPayload : public Payload {
 public:
  static constexpr int kind_value = Kind;
  static constexpr std::uint32_t kinds = 1U << Kind;
  TypedPayload() = default;
  TypedPayload(Payload p) : Payload(std::move(p)) {
    if (handle_ != nullptr && kind() != Kind)
      raise(ErrorCode::invalid_argument, "the payload is of another kind. Fix: check which port it came from.");
  }
};
}  // namespace isocenter::detail

namespace isocenter::inline v1 {

/// CT, MR, PET, ... voxels, float32, axes "zyx" or "tzyx".
class Volume : public detail::TypedPayload<ISOCENTER_VOLUME> {
 public:
  using TypedPayload::TypedPayload;
  /// A description; allocate() or a session gives it memory.
  static Volume describe(std::int64_t nx, std::int64_t ny, std::int64_t nz, const Geometry& geometry,
                         const char* unit) {
    Volume v{Payload(ISOCENTER_VOLUME)};
    v.set_tensor("voxels", isocenter::tensor(DType::float32, "zyx", {nz, ny, nx}));
    v.set_geometry(geometry);
    v.set_text("unit", unit);
    return v;
  }
  static Volume describe(std::int64_t nx, std::int64_t ny, std::int64_t nz, std::int64_t nt, const Geometry& geometry,
                         const char* unit) {
    Volume v = describe(nx, ny, nz, geometry, unit);
    v.set_tensor("voxels", isocenter::tensor(DType::float32, "tzyx", {nt, nz, ny, nx}));
    return v;
  }
  /// A volume over memory of the caller's, which must outlive it: nx·ny·nz floats, x fastest.
  static Volume wrap(float* voxels, std::int64_t nx, std::int64_t ny, std::int64_t nz, const Geometry& geometry,
                     const char* unit) {
    Volume v = describe(nx, ny, nz, geometry, unit);
    v.set_tensor("voxels", isocenter::tensor(DType::float32, "zyx", {nz, ny, nx}, voxels));
    return v;
  }
  /// Takes the voxels over: x fastest, nx·ny·nz of them.
  static Volume own(std::vector<float> voxels, std::int64_t nx, std::int64_t ny, std::int64_t nz,
                    const Geometry& geometry, const char* unit) {
    if (static_cast<std::int64_t>(voxels.size()) != nx * ny * nz)
      detail::raise(ErrorCode::invalid_argument, "the number of voxels is not nx * ny * nz. Fix: check the extents.");
    auto* held = new std::vector<float>(std::move(voxels));
    Volume v = wrap(held->data(), nx, ny, nz, geometry, unit);
    detail::call([&](auto* e) {
      return isocenter_payload_set_owner(
          v.get(), [](void* p) { delete static_cast<std::vector<float>*>(p); }, held, e);
    });
    return v;
  }
  TensorView voxels() const { return Payload::tensor("voxels"); }
  std::span<float> values() const { return voxels().span<float>(); }
  std::int64_t nx() const { return voxels().extent('x'); }
  std::int64_t ny() const { return voxels().extent('y'); }
  std::int64_t nz() const { return voxels().extent('z'); }
  std::int64_t nt() const { return voxels().extent('t'); }
  std::string unit() const { return text("unit"); }
};

/// Line integrals (or counts) on a flat or curved detector, float32, axes "nvu". The views' geometry is the attribute
/// "acquisition.views", see isocenter/recon/acquisition.hpp.
class Projections : public detail::TypedPayload<ISOCENTER_PROJECTIONS> {
 public:
  using TypedPayload::TypedPayload;
  static Projections describe(std::int64_t views, std::int64_t rows, std::int64_t columns) {
    Projections p{Payload(ISOCENTER_PROJECTIONS)};
    p.set_tensor("views", isocenter::tensor(DType::float32, "nvu", {views, rows, columns}));
    return p;
  }
  TensorView views() const { return Payload::tensor("views"); }
};

/// One label a voxel, uint8, axes "zyx" or "tzyx". Attributes: "labels.names" (backslash-separated, entry i names label
/// i, entry 0 the background), "labels.colours" (three sRGB numbers in [0, 1] for each label).
class Segmentation : public detail::TypedPayload<ISOCENTER_SEGMENTATION> {
 public:
  using TypedPayload::TypedPayload;
  static Segmentation describe(std::int64_t nx, std::int64_t ny, std::int64_t nz, const Geometry& geometry) {
    Segmentation s{Payload(ISOCENTER_SEGMENTATION)};
    s.set_tensor("labels", isocenter::tensor(DType::uint8, "zyx", {nz, ny, nx}));
    s.set_geometry(geometry);
    return s;
  }
  TensorView labels() const { return Payload::tensor("labels"); }
};

/// Colour pictures, uint8 sRGB, axes "nyxc", row 0 at the top. geometry().time_step_s is the time between two frames.
class Frames : public detail::TypedPayload<ISOCENTER_FRAMES> {
 public:
  using TypedPayload::TypedPayload;
  static Frames describe(std::int64_t count, std::int64_t height, std::int64_t width, double period_s) {
    Frames f{Payload(ISOCENTER_FRAMES)};
    f.set_tensor("pixels", isocenter::tensor(DType::uint8, "nyxc", {count, height, width, 3}));
    Geometry g;
    g.time_step_s = period_s;
    f.set_geometry(g);
    return f;
  }
  TensorView pixels() const { return Payload::tensor("pixels"); }
};

class KSpace : public detail::TypedPayload<ISOCENTER_K_SPACE> {
 public:
  using TypedPayload::TypedPayload;
};
class ChannelData : public detail::TypedPayload<ISOCENTER_CHANNEL_DATA> {
 public:
  using TypedPayload::TypedPayload;
};
class Sinogram : public detail::TypedPayload<ISOCENTER_SINOGRAM> {
 public:
  using TypedPayload::TypedPayload;
};
class ListMode : public detail::TypedPayload<ISOCENTER_LIST_MODE> {
 public:
  using TypedPayload::TypedPayload;
};
/// A port that takes several kinds: In<AnyOf<Volume, Segmentation>>.
template <class... P>
class AnyOf : public Payload {
 public:
  static constexpr std::uint32_t kinds = (P::kinds | ...);
  AnyOf() = default;
  AnyOf(Payload p) : Payload(std::move(p)) {}
};

}  // namespace isocenter::inline v1
