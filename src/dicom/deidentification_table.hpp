#pragma once
// The actions of PS3.15 table E.1-1. No DCMTK in here.
#include <cstdint>
#include <span>

namespace isocenter::detail::dicom {

inline constexpr const char* profile_edition = "PS3.15 2024b, with the attributes that 2026c adds";

/// Of the basic profile: x remove, z empty, d a dummy value, u another UID. Where the table leaves a choice by the type
/// that the attribute has in its IOD, the letters of all choices.
enum class ProfileAction : std::uint8_t { x, z, d, u, zd, xz, xd, xzd, xzu };

struct ProfileRow {
  std::uint32_t tag;
  ProfileAction basic;
  /// What options do to the attribute: u kept with retain UIDs; v kept and V cleaned with retain device identity; t
  /// kept or shifted with retain longitudinal temporal information; c cleaned with clean descriptors; i kept with
  /// retain institution identity; p kept and P cleaned with retain patient characteristics; g cleaned with clean
  /// graphics; s cleaned with clean structured content.
  const char* options;
};

/// All rows with a tag of their own, by tag. The four others (curves 50xx, overlay data and comments 60xx, private
/// groups) are removals and stand in deidentify.cpp.
std::span<const ProfileRow> profile_rows();
/// The row of a tag; null when the profile leaves the attribute alone.
const ProfileRow* profile_row(std::uint32_t tag);

}  // namespace isocenter::detail::dicom
