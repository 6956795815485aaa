#include <algorithm>
#include <isocenter/error.hpp>

#include "image_header.hpp"
#include "number_text.hpp"

namespace isocenter::detail::io {
namespace {

TextHeader read_fields(const std::filesystem::path& path) {
  return TextHeader(path, [](TextHeader& header, std::string_view line) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return line.empty();
    const std::string key(TextHeader::trimmed(line.substr(0, equals)));
    header.set(key, line.substr(equals + 1));
    return key != "ElementDataFile";
  });
}

bool is_true(const std::string& text) { return !text.empty() && (text[0] == 'T' || text[0] == 't' || text[0] == '1'); }

VoxelType voxel_type_of(const TextHeader& fields) {
  const std::string name = fields.required("ElementType");
  const std::pair<const char*, VoxelType> known[] = {
      {"MET_UCHAR", VoxelType::uint8},     {"MET_CHAR", VoxelType::int8},     {"MET_USHORT", VoxelType::uint16},
      {"MET_SHORT", VoxelType::int16},     {"MET_UINT", VoxelType::uint32},   {"MET_INT", VoxelType::int32},
      {"MET_ULONG", VoxelType::uint32},    {"MET_LONG", VoxelType::int32},    {"MET_ULONG_LONG", VoxelType::uint64},
      {"MET_LONG_LONG", VoxelType::int64}, {"MET_FLOAT", VoxelType::float32}, {"MET_DOUBLE", VoxelType::float64}};
  for (const auto& [text, type] : known)
    if (name == text) return type;
  fields.fail(ErrorCode::unsupported, "holds voxels of ElementType = " + name.substr(0, 40) + ", which is not read",
              "save it with integers of 8 to 64 bits, float or double");
}

/// What this reader would have to guess or to compute is refused.
void require_plain(const TextHeader& fields) {
  if (const std::int64_t channels = fields.integer("ElementNumberOfChannels", 1); channels != 1)
    fields.fail(ErrorCode::unsupported, "has " + std::to_string(channels) + " numbers for each voxel, and 1 is read",
                "save each component as a file of its own");
  if (const std::string binary = fields.get("BinaryData"); !binary.empty() && !is_true(binary))
    fields.fail(ErrorCode::unsupported, "holds its voxels as text (BinaryData = " + binary + ")",
                "save it with binary data");
  const std::pair<const char*, double> neutral[] = {{"ElementToIntensityFunctionSlope", 1},
                                                    {"ElementToIntensityFunctionOffset", 0}};
  for (const auto& [key, value] : neutral)
    if (const std::string text = fields.get(key); !text.empty() && fields.numbers(key, text, 1)[0] != value)
      fields.fail(ErrorCode::unsupported, std::string("scales its values (") + key + " = " + text + ")",
                  "save it with the values themselves");
  if (const std::string unit = fields.get("DistanceUnits"); !unit.empty() && unit != "mm" && unit != "?")
    fields.fail(ErrorCode::unsupported, "gives lengths in DistanceUnits = " + unit, "save it in mm");
}

/// TransformMatrix holds the direction of x, then of y, ...; time must not mix with space.
void read_geometry(const TextHeader& fields, std::size_t axes, ImageHeader& header) {
  Geometry& g = header.geometry;
  const std::string spacing = fields.get_any({"ElementSpacing", "ElementSize"});
  const std::string origin = fields.get_any({"Offset", "Position", "Origin"});
  const std::string matrix = fields.get_any({"TransformMatrix", "Rotation", "Orientation"});
  header.has_orientation = !matrix.empty();
  const auto steps = spacing.empty() ? std::vector<double>(axes, 1) : fields.numbers("ElementSpacing", spacing, axes);
  const auto start = origin.empty() ? std::vector<double>(axes, 0) : fields.numbers("Offset", origin, axes);
  for (std::size_t i = 0; i < 3; ++i) {
    g.spacing_mm[i] = steps[i];
    g.origin_mm[i] = start[i];
  }
  if (axes == 4) {
    g.time_step_s = steps[3];
    g.time_origin_s = start[3];
  }
  if (matrix.empty()) return;
  const auto m = fields.numbers("TransformMatrix", matrix, axes * axes);
  for (std::size_t axis = 0; axis < axes; ++axis)
    for (std::size_t row = 0; row < axes; ++row) {
      const double v = m[axis * axes + row];
      if (axis < 3 && row < 3)
        g.direction[3 * row + axis] = v;
      else if (v != (axis == row ? 1 : 0))
        fields.fail(ErrorCode::unsupported, "has a TransformMatrix that mixes time with space",
                    "make its fourth row and column those of the identity");
    }
}

}  // namespace

ImageHeader read_meta_header(const std::filesystem::path& path) {
  const TextHeader fields = read_fields(path);
  const std::int64_t axes = fields.integer("NDims", 0);
  fields.required("NDims");
  if (axes != 3 && axes != 4)
    fields.fail(ErrorCode::unsupported, "has " + std::to_string(axes) + " axes, and 3 (x y z) or 4 (x y z t) are read",
                "save it as a volume; one slice is a volume with nz = 1");
  ImageHeader header;
  header.size = fields.integers("DimSize", static_cast<std::size_t>(axes));
  header.type = voxel_type_of(fields);
  require_plain(fields);
  read_geometry(fields, static_cast<std::size_t>(axes), header);

  const std::string name = fields.required("ElementDataFile");
  if (name == "LIST" || name.rfind("LIST ", 0) == 0 || name.find('%') != std::string::npos)
    fields.fail(ErrorCode::unsupported,
                "spreads its voxels over several files (ElementDataFile = " + name.substr(0, 80) + ")",
                "save it as one .mha file");
  const bool is_local = TextHeader::lower(name) == "local";
  const std::int64_t header_bytes = fields.integer("HeaderSize", 0);
  header.data.file = is_local ? path : path.parent_path() / name;
  header.data.offset = is_local ? fields.end() : static_cast<std::uint64_t>(std::max<std::int64_t>(header_bytes, 0));
  header.data_are_at_the_end = !is_local && header_bytes == -1;
  header.data.is_compressed = is_true(fields.get("CompressedData"));
  header.data.is_big_endian = is_true(fields.get_any({"BinaryDataByteOrderMSB", "ElementByteOrderMSB"}));
  return header;
}

}  // namespace isocenter::detail::io
