#pragma once
// Connected parts of a label map: a forest of voxels, one tree for each part, rooted at the part's first voxel in
// memory.
//
// Roots only ever get smaller parents, so every order of the unions, on any number of threads, ends with the same
// roots. Union-find without locks, halving paths on the way: R. J. Anderson and H. Woll, "Wait-free parallel algorithms
// for the union-find problem", STOC 1991, section 3; on GPUs as in J. Jaiganesh and M. Burtscher, "A high-performance
// connected components implementation for GPUs", HPDC 2018, section 3.
#include <cstdint>

#include "core/launch.hpp"
#include "volume/shared_counters.hpp"
#include "volume/zero.hpp"

namespace isocenter::detail {

/// Which voxels belong together.
enum class PartRule {
  equal_labels,  ///< neighbours with the same label above 0
  any_label,     ///< neighbours with labels above 0
  background,    ///< neighbours with label 0
  outside        ///< neighbours with labels other than PartGrid::label
};

/// One frame, at most 2^31 - 2 voxels, x fastest.
struct PartGrid {
  int nx, ny, nz;
  const std::uint8_t* labels;
  PartRule rule;
  int label = 0;  ///< of the rule outside

  ISOCENTER_HD int voxels() const { return nx * ny * nz; }
  ISOCENTER_HD int at(int x, int y, int z) const { return (z * ny + y) * nx + x; }
  ISOCENTER_HD bool belongs(int i) const {
    return rule == PartRule::outside ? labels[i] != label : (labels[i] == 0) == (rule == PartRule::background);
  }
  /// For two voxels that are neighbours, the first of which belongs to a part.
  ISOCENTER_HD bool together(int i, int j) const {
    return rule == PartRule::any_label || rule == PartRule::outside ? belongs(j) : labels[j] == labels[i];
  }
};

/// The root of i's tree.
ISOCENTER_HD int find_root(std::int32_t* parent, int i) {
  int up = shared_load(parent + i);
  while (up != i) {
    const int above = shared_load(parent + up);
    if (above != up) shared_store(parent + i, above);
    i = up;
    up = above;
  }
  return i;
}

ISOCENTER_HD void join_trees(std::int32_t* parent, int a, int b) {
  a = find_root(parent, a);
  b = find_root(parent, b);
  while (a != b) {
    const int high = a > b ? a : b, low = a > b ? b : a;
    const int seen = shared_replace(parent + high, high, low);
    if (seen == high) return;
    a = find_root(parent, seen);  // another thread hung it elsewhere meanwhile
    b = find_root(parent, low);
  }
}

/// x, y, z: voxels. Rows first: each voxel hangs below its left neighbour, or below the first of the run.
struct StartPartsKernel {
  static constexpr const char* name = "volume/start_parts";
  PartGrid grid;
  std::int32_t* parent;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int i = grid.at(x, y, z);
      const bool joined = x > 0 && grid.belongs(i) && grid.together(i, i - 1);
#if defined(__CUDA_ARCH__)
      parent[i] = joined ? i - 1 : i;
#else
      parent[i] = joined ? parent[i - 1] : i;  // one thread goes through a row, in order
#endif
    }
  }
};

/// x, y, z: voxels. Joins each with its neighbours in the rows before it. `connectivity`: 6 by faces, 18 by edges too,
/// 26 by corners too; in single slices (flat) 4 by edges for 6, 8 else.
struct JoinPartsKernel {
  static constexpr const char* name = "volume/join_parts";
  PartGrid grid;
  std::int32_t* parent;
  int connectivity;
  bool flat;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int i = grid.at(x, y, z);
      if (!grid.belongs(i)) continue;
      const bool edges = connectivity > 6;
      join_row(i, x, y - 1, z, edges);
      if (flat) continue;
      join_row(i, x, y, z - 1, edges);
      if (!edges) continue;
      join_row(i, x, y - 1, z - 1, connectivity == 26);
      join_row(i, x, y + 1, z - 1, connectivity == 26);
    }
  }

 private:
  /// The row's voxel beside x and, where `wide`, the two next to that one. What a neighbour in i's own row or in the
  /// other row joins already is left to it.
  ISOCENTER_HD void join_row(int i, int x, int y, int z, bool wide) const {
    if (y < 0 || y >= grid.ny || z < 0) return;
    const int beside = grid.at(x, y, z);
    const bool left = x > 0 && grid.together(i, i - 1);
    if (grid.together(i, beside)) {
      if (!(left && grid.together(i, beside - 1))) join_trees(parent, i, beside);
      return;
    }
    if (!wide) return;
    if (x > 0 && !left && grid.together(i, beside - 1)) join_trees(parent, i, beside - 1);
    if (x + 1 < grid.nx && grid.together(i, beside + 1) && !grid.together(i, i + 1)) join_trees(parent, i, beside + 1);
  }
};

/// x, y, z: voxels. Every voxel's parent becomes its root.
struct FlattenPartsKernel {
  static constexpr const char* name = "volume/flatten_parts";
  PartGrid grid;
  std::int32_t* parent;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int i = grid.at(x, y, z);
      if (grid.belongs(i)) shared_store(parent + i, find_root(parent, i));
    }
  }
};

/// x, y, z: voxels. From here on a root's entry is -1 - (what is counted or noted of its part), all others' their root.
struct MarkRootsKernel {
  static constexpr const char* name = "volume/mark_roots";
  PartGrid grid;
  std::int32_t* parent;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int i = grid.at(x, y, z);
      if (parent[i] == i) parent[i] = -1;
    }
  }
};

/// The root of a voxel after MarkRootsKernel.
ISOCENTER_HD int marked_root(const std::int32_t* parent, int i) {
  const int up = shared_load(parent + i);
  return up < 0 ? i : up;
}

/// x, y, z: voxels. Counts each part's voxels, run by run.
struct CountPartsKernel {
  static constexpr const char* name = "volume/count_parts";
  PartGrid grid;
  std::int32_t* parent;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int i = grid.at(x, y, z);
      if (!grid.belongs(i) || (x > 0 && grid.together(i, i - 1))) continue;
      int length = 1;
      while (x + length < grid.nx && grid.together(i, i + length)) ++length;
      shared_add(parent + marked_root(parent, i), -length);
    }
  }
};

/// Larger parts come first, of two of the same size the one whose first voxel comes first.
ISOCENTER_HD unsigned long long part_rank(const std::int32_t* parent, int root) {
  const auto size = static_cast<unsigned>(-1 - parent[root]);
  return (static_cast<unsigned long long>(size) << 32) | (0xFFFFFFFFU - static_cast<unsigned>(root));
}

/// x, y, z: voxels. limit[label]: the highest rank below above[label] (below everything where `above` is null); with
/// any_label all parts are of label 1.
struct NextPartKernel {
  static constexpr const char* name = "volume/next_part";
  PartGrid grid;
  const std::int32_t* parent;
  const unsigned long long* above;
  unsigned long long* limit;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int i = grid.at(x, y, z);
      if (!grid.belongs(i) || parent[i] >= 0) continue;
      const int label = grid.rule == PartRule::any_label ? 1 : grid.labels[i];
      const unsigned long long rank = part_rank(parent, i);
      if (above == nullptr || rank < above[label]) shared_maximum(limit + label, rank);
    }
  }
};

/// x, y, z: voxels. Keeps the labels of parts of at least `smallest` voxels whose rank reaches limit[label] (any, where
/// `limit` is null). `out` may be the labels themselves.
struct KeepPartsKernel {
  static constexpr const char* name = "volume/keep_parts";
  PartGrid grid;
  const std::int32_t* parent;
  const unsigned long long* limit;
  int smallest;
  std::uint8_t* out;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int i = grid.at(x, y, z);
      const int label = grid.labels[i];
      bool kept = label != 0;
      if (kept) {
        const int root = marked_root(parent, i);
        const int slot = grid.rule == PartRule::any_label ? 1 : label;
        kept = -1 - parent[root] >= smallest && (limit == nullptr || part_rank(parent, root) >= limit[slot]);
      }
      out[i] = static_cast<std::uint8_t>(kept ? label : 0);
    }
  }
};

/// What is noted of a part of the background: nothing yet, the one label around it, or that it is no hole.
inline constexpr int no_hole = 256;

/// x, y, z: voxels. Notes for each part of the background (or of what is outside of a label) which label is around it:
/// no_hole where it reaches the border (in single slices, `flat`, the slice's) or touches two labels by faces.
struct NoteHolesKernel {
  static constexpr const char* name = "volume/note_holes";
  PartGrid grid;
  std::int32_t* parent;
  bool flat;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int i = grid.at(x, y, z);
      if (!grid.belongs(i)) continue;
      const int plane = grid.nx * grid.ny;
      if (x == 0 || y == 0 || x + 1 == grid.nx || y + 1 == grid.ny || (!flat && (z == 0 || z + 1 == grid.nz))) {
        note_label(i, no_hole);
        continue;
      }
      note(i, i - 1);
      note(i, i + 1);
      note(i, i - grid.nx);
      note(i, i + grid.nx);
      if (flat) continue;
      note(i, i - plane);
      note(i, i + plane);
    }
  }

 private:
  ISOCENTER_HD void note(int i, int neighbour) const {
    if (!grid.belongs(neighbour)) note_label(i, grid.labels[neighbour]);
  }
  ISOCENTER_HD void note_label(int i, int found) const {
    std::int32_t* const entry = parent + marked_root(parent, i);
    for (int old = shared_load(entry);;) {
      const int known = -1 - old;
      if (known == no_hole || known == found) return;
      const int seen = shared_replace(entry, old, -1 - (known == 0 ? found : no_hole));
      if (seen == old) return;
      old = seen;
    }
  }
};

/// x, y, z: voxels. Holes get the label around them. `out` may be the labels themselves: a hole's voxels are decided by
/// what was noted.
struct FillHolesKernel {
  static constexpr const char* name = "volume/fill_holes";
  PartGrid grid;
  const std::int32_t* parent;
  std::uint8_t* out;

  template <class Lanes>
  ISOCENTER_HD void operator()(Lanes, int x0, int y, int z) const {
    for (int x = x0; x < x0 + Lanes::width; ++x) {
      const int i = grid.at(x, y, z);
      int label = grid.labels[i];
      if (grid.belongs(i)) {
        const int around = -1 - parent[marked_root(parent, i)];
        if (around != no_hole) label = around;
      }
      out[i] = static_cast<std::uint8_t>(label);
    }
  }
};

/// Finds the parts: `parent` holds voxels() numbers; afterwards as MarkRootsKernel says, with nothing counted yet.
inline void find_parts(const Launcher& launcher, const PartGrid& g, std::int32_t* parent, int connectivity, bool flat) {
  launch(launcher, StartPartsKernel{g, parent}, g.nx, g.ny, g.nz);
  launch(launcher, JoinPartsKernel{g, parent, connectivity, flat}, g.nx, g.ny, g.nz);
  launch(launcher, FlattenPartsKernel{g, parent}, g.nx, g.ny, g.nz);
  launch(launcher, MarkRootsKernel{g, parent}, g.nx, g.ny, g.nz);
}

/// In plan(): every kernel that find_parts launches, and keep_parts.
template <class Plan>
void require_found_parts(const Plan& plan) {
  plan.template require_kernel<StartPartsKernel>();
  plan.template require_kernel<JoinPartsKernel>();
  plan.template require_kernel<FlattenPartsKernel>();
  plan.template require_kernel<MarkRootsKernel>();
}
template <class Plan>
void require_parts(const Plan& plan) {
  require_found_parts(plan);
  plan.template require_kernel<ZeroKernel>();
  plan.template require_kernel<CountPartsKernel>();
  plan.template require_kernel<NextPartKernel>();
  plan.template require_kernel<KeepPartsKernel>();
}

/// For each label the `keep` largest parts (all, where 0) of at least `smallest` voxels. `limits` holds keep * 256
/// numbers. `out` may be the labels themselves.
inline void keep_parts(const Launcher& launcher, const PartGrid& g, std::int32_t* parent, int connectivity, int keep,
                       int smallest, unsigned long long* limits, std::uint8_t* out) {
  if (keep > 0) launch(launcher, ZeroKernel{reinterpret_cast<std::uint32_t*>(limits)}, keep * 512, 1, 1);
  find_parts(launcher, g, parent, connectivity, false);
  launch(launcher, CountPartsKernel{g, parent}, g.nx, g.ny, g.nz);
  for (int k = 0; k < keep; ++k)
    launch(launcher, NextPartKernel{g, parent, k == 0 ? nullptr : limits + 256 * (k - 1), limits + 256 * k}, g.nx, g.ny,
           g.nz);
  launch(launcher, KeepPartsKernel{g, parent, keep == 0 ? nullptr : limits + 256 * (keep - 1), smallest, out}, g.nx,
         g.ny, g.nz);
}

}  // namespace isocenter::detail
