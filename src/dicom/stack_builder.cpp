#include "stack_builder.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace isocenter::detail::dicom {
namespace {

constexpr double same_direction = 2e-4;  // 0.08 mm over 400 mm: far below a pixel, far above six rounded digits
constexpr double same_spacing_mm = 1e-5;

class StackBuilder {
 public:
  StackBuilder(const std::vector<Image>& images, std::vector<Finding>& findings)
      : images_(images), findings_(findings) {}

  std::vector<Stack> build(const std::vector<int>& members) {
    std::vector<Slice> volumes, localisers, placeless;
    for (const int m : members) {
      const Image& image = images_[static_cast<std::size_t>(m)];
      for (int f = 0; f < static_cast<int>(image.frames.size()); ++f) {
        const Slice slice{m, f, 0};
        const bool placed = has_place(frame(slice));
        (!placed ? placeless : image.localiser ? localisers : volumes).push_back(slice);
      }
    }
    if (!localisers.empty()) note_localisers(localisers, volumes.empty());
    std::vector<Stack> stacks = by_plane(volumes, false);
    for (Stack& s : by_plane(localisers, true)) stacks.push_back(std::move(s));
    if (!placeless.empty()) {
      Stack s;
      s.slices = placeless;
      stacks.push_back(std::move(s));
    }
    return stacks;
  }

 private:
  const Image& image(const Slice& s) const { return images_[static_cast<std::size_t>(s.image)]; }
  const Frame& frame(const Slice& s) const { return image(s).frames[static_cast<std::size_t>(s.frame)]; }

  static bool has_place(const Frame& f) {
    return f.position && f.row_direction && f.column_direction && f.row_spacing_mm > 0 && f.column_spacing_mm > 0;
  }

  void add(FindingCode code, Severity severity, const std::string& what, const std::string& fix,
           const Attribute* a = nullptr) {
    findings_.push_back({code, severity, what, fix, "", a == nullptr ? "" : text(*a), "", "", 0});
  }

  void note_localisers(const std::vector<Slice>& localisers, bool alone) {
    add(FindingCode::localiser_set_aside, Severity::note,
        std::to_string(localisers.size()) +
            (localisers.size() == 1 ? " image is a localiser" : " images are localisers") +
            (alone ? "" : " and was set aside"),
        alone ? "name the series to load them all the same" : "nothing; the other images are used",
        &attribute::image_type);
  }

  bool same_grid(const Slice& a, const Slice& b) const {
    const PixelFormat &p = image(a).format, &q = image(b).format;
    const Frame &f = frame(a), &g = frame(b);
    return p.rows == q.rows && p.columns == q.columns &&
           std::fabs(f.row_spacing_mm - g.row_spacing_mm) < same_spacing_mm &&
           std::fabs(f.column_spacing_mm - g.column_spacing_mm) < same_spacing_mm;
  }
  bool same_orientation(const Slice& a, const Slice& b) const {
    const Frame &f = frame(a), &g = frame(b);
    return largest_component(*f.row_direction - *g.row_direction) < same_direction &&
           largest_component(*f.column_direction - *g.column_direction) < same_direction;
  }

  std::vector<Stack> by_plane(const std::vector<Slice>& slices, bool localiser) {
    std::vector<std::vector<Slice>> groups;
    std::vector<Slice> orientations;
    for (const Slice& s : slices) {
      const auto fits = [&](const auto& g) { return same_orientation(g.front(), s) && same_grid(g.front(), s); };
      const auto group = std::find_if(groups.begin(), groups.end(), fits);
      if (group != groups.end()) {
        group->push_back(s);
        continue;
      }
      groups.push_back({s});
      if (std::none_of(orientations.begin(), orientations.end(),
                       [&](const Slice& o) { return same_orientation(o, s); }))
        orientations.push_back(s);
    }
    if (orientations.size() > 1 && !localiser)
      add(FindingCode::mixed_orientations, Severity::warning,
          "the series holds images of " + std::to_string(orientations.size()) + " orientations by " +
              text(attribute::image_orientation_patient),
          "choose one of its stacks with the parameter stack", &attribute::image_orientation_patient);
    std::vector<Stack> stacks;
    for (auto& g : groups) {
      const std::string label = groups.size() == 1 ? "" : orientations.size() > 1 ? orientation(g[0]) : grid(g[0]);
      auto parts = by_frame_of_reference(std::move(g));
      for (auto& h : parts) {
        const std::string frame_label = parts.size() == 1 ? ""
                                                          : text(attribute::frame_of_reference_uid) + " = " +
                                                                image(h.front()).frame_of_reference_uid;
        sort_along_normal(h);
        split(std::move(h), 0, {join(label, frame_label), {}}, localiser, stacks);
      }
    }
    return stacks;
  }

  std::vector<std::vector<Slice>> by_frame_of_reference(std::vector<Slice> group) {
    std::map<std::string, std::vector<Slice>> parts;
    for (const Slice& s : group) parts[image(s).frame_of_reference_uid].push_back(s);
    if (parts.size() == 1) return {std::move(group)};
    if (parts.size() == group.size()) {
      add(FindingCode::mixed_frames_of_reference, Severity::warning,
          "each of " + std::to_string(group.size()) +
              " images names a frame of reference of its own, where a series shall have one (PS3.3 C.7.4.1); they were "
              "taken as one",
          "check that de-identification keeps FrameOfReferenceUID (0020,0052) consistent",
          &attribute::frame_of_reference_uid);
      return {std::move(group)};
    }
    add(FindingCode::mixed_frames_of_reference, Severity::warning,
        "the series holds images of " + std::to_string(parts.size()) + " frames of reference by " +
            text(attribute::frame_of_reference_uid),
        "choose one of its stacks with the parameter stack", &attribute::frame_of_reference_uid);
    std::vector<std::vector<Slice>> groups;
    groups.reserve(parts.size());
    for (auto& [uid, part] : parts) groups.push_back(std::move(part));
    return groups;
  }

  void sort_along_normal(std::vector<Slice>& slices) const {
    const Vec3 normal = cross(*frame(slices.front()).row_direction, *frame(slices.front()).column_direction);
    for (Slice& s : slices) s.offset_mm = dot(*frame(s).position, normal);
    std::sort(slices.begin(), slices.end(), [](const Slice& a, const Slice& b) { return a.offset_mm < b.offset_mm; });
    for (auto begin = slices.begin(); begin != slices.end();) {
      auto end = begin + 1;
      while (end != slices.end() && share_plane(*(end - 1), *end)) ++end;
      std::sort(begin, end, [&](const Slice& a, const Slice& b) { return order_in_plane(a) < order_in_plane(b); });
      begin = end;
    }
  }
  std::pair<int, int> order_in_plane(const Slice& s) const { return {image(s).instance_number, frame(s).number}; }

  static bool share_plane(const Slice& a, const Slice& b) { return b.offset_mm - a.offset_mm < same_plane_mm; }
  static std::size_t shared_planes(const std::vector<Slice>& sorted) {
    std::size_t n = 0;
    for (std::size_t i = 1; i < sorted.size(); ++i) n += share_plane(sorted[i - 1], sorted[i]);
    return n;
  }

  /// What told a group of slices apart so far.
  struct Label {
    std::string text;
    std::vector<Split> splits;

    Label with(const std::string& more, std::size_t discriminator, const std::string& value) const {
      Label l{join(text, more), splits};
      l.splits.push_back({discriminator, value});
      return l;
    }
  };

  void split(std::vector<Slice> sorted, std::size_t first_key, const Label& label, bool localiser,
             std::vector<Stack>& stacks) const {
    const std::size_t shared = shared_planes(sorted);
    for (std::size_t k = first_key; shared > 0 && k < discriminator_count; ++k) {
      std::map<std::string, std::vector<Slice>> parts;
      for (const Slice& s : sorted) parts[frame(s).discriminator[k]].push_back(s);
      std::size_t left = 0;
      for (const auto& [value, part] : parts) left += shared_planes(part);
      if (parts.size() < 2 || left >= shared) continue;
      for (auto& [value, part] : parts)
        split(std::move(part), k + 1,
              label.with(text(discriminators[k]) + " = " + (value.empty() ? "(none)" : value), k, value), localiser,
              stacks);
      return;
    }
    if (shared > 0 && split_by_order(sorted, label, localiser, stacks)) return;
    stacks.push_back(stack(std::move(sorted), label, localiser));
  }

  /// Each plane holds the same number of frames, told apart by InstanceNumber alone: repetitions.
  bool split_by_order(const std::vector<Slice>& sorted, const Label& label, bool localiser,
                      std::vector<Stack>& stacks) const {
    std::vector<std::vector<Slice>> planes;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (i == 0 || !share_plane(sorted[i - 1], sorted[i])) planes.emplace_back();
      planes.back().push_back(sorted[i]);
    }
    const std::size_t count = planes.front().size();
    if (planes.size() < 2) return false;
    for (auto& plane : planes) {
      if (plane.size() != count) return false;
      std::set<std::pair<int, int>> orders;
      for (const Slice& s : plane) orders.insert(order_in_plane(s));
      if (orders.size() != count) return false;
      std::sort(plane.begin(), plane.end(),
                [&](const Slice& a, const Slice& b) { return order_in_plane(a) < order_in_plane(b); });
    }
    for (std::size_t r = 0; r < count; ++r) {
      std::vector<Slice> repetition;
      repetition.reserve(planes.size());
      for (const auto& plane : planes) repetition.push_back(plane[r]);
      const std::string number = std::to_string(r + 1);
      stacks.push_back(stack(std::move(repetition),
                             label.with("repetition " + number + " of " + std::to_string(count) + " by " +
                                            text(attribute::instance_number),
                                        discriminator_count, number),
                             localiser));
    }
    return true;
  }

  /// What tells a stack from its siblings, as the attributes say it.
  std::string orientation(const Slice& s) const {
    const Vec3 r = *frame(s).row_direction, c = *frame(s).column_direction;
    std::string values;
    for (const double v : {r.x, r.y, r.z, c.x, c.y, c.z}) values += (values.empty() ? "" : "\\") + number(v);
    return text(attribute::image_orientation_patient) + " = " + values;
  }
  std::string grid(const Slice& s) const {
    const PixelFormat& p = image(s).format;
    return text(attribute::rows) + " = " + std::to_string(p.rows) + ", " + text(attribute::columns) + " = " +
           std::to_string(p.columns) + ", " + text(attribute::pixel_spacing) + " = " + number(frame(s).row_spacing_mm) +
           "\\" + number(frame(s).column_spacing_mm);
  }
  static std::string number(double v) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.6g", v == 0 ? 0.0 : v);
    return digits;
  }
  static std::string join(const std::string& a, const std::string& b) {
    return a.empty() ? b : b.empty() ? a : a + ", " + b;
  }
  static Stack stack(std::vector<Slice> slices, const Label& label, bool localiser) {
    Stack s;
    s.slices = std::move(slices);
    s.has_geometry = true;
    s.localiser = localiser;
    s.told_apart_by = label.text;
    s.splits = label.splits;
    return s;
  }

  const std::vector<Image>& images_;
  std::vector<Finding>& findings_;
};

}  // namespace

std::vector<Stack> build_stacks(const std::vector<Image>& images, const std::vector<int>& members,
                                std::vector<Finding>& findings) {
  return StackBuilder(images, findings).build(members);
}

}  // namespace isocenter::detail::dicom
