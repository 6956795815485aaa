#include "source_metadata.hpp"

#include <array>
#include <cstdint>

#include "header_text.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 section 4: payload attributes are UTF-8, a data set is not.
std::string to_base64(const std::string& bytes) {
  std::string text;
  text.reserve(bytes.size() / 3 * 4 + 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : base64_letters[group >> (18 - 6 * k) & 63U];
  }
  return text;
}

std::string from_base64(const std::string& text) {
  std::array<int, 256> value{};
  value.fill(-1);
  for (int i = 0; i < 64; ++i) value[static_cast<unsigned char>(base64_letters[i])] = i;
  std::string bytes;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    const int v = value[static_cast<unsigned char>(c)];
    if (v < 0) break;
    group = (group << 6U | static_cast<std::uint32_t>(v)) & 0xFFFFFFU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xFFU);
  }
  return bytes;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> values;
  if (text.empty()) return values;
  for (std::size_t begin = 0;;) {
    const std::size_t end = text.find('\\', begin);
    values.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return values;
    begin = end + 1;
  }
}

}  // namespace

SourceMetadata source_metadata(const LoadPlan& plan) {
  const auto image_of = [&](const Slice& s) -> const Image& {
    return plan.report->images[static_cast<std::size_t>(s.image)];
  };
  const Image& first = image_of(plan.planes.front());
  SourceMetadata m;
  m.context = read_context(first.path);
  m.header = header_text(first.path, first.frames[static_cast<std::size_t>(plan.planes.front().frame)].number);
  m.study_uid = first.study_uid;
  m.series_uid = first.series_uid;
  m.sop_class_uid = first.sop_class_uid;
  m.frame_of_reference_uid = first.frame_of_reference_uid;
  m.modality = first.modality;
  m.normal = plan.stack->geometry.normal;
  m.spacing_mm = plan.stack->geometry.dz_mm;
  for (const Slice& s : plan.planes) {
    const Image& image = image_of(s);
    const Frame& frame = image.frames[static_cast<std::size_t>(s.frame)];
    m.slices.push_back({image.sop_instance_uid, image.frames.size() > 1 ? frame.number + 1 : 0, *frame.position});
  }
  return m;
}

SourceMetadata metadata_of(const Image& image, const std::string& path, int frame) {
  SourceMetadata m;
  m.context = read_context(path);
  m.header = header_text(path, frame);
  m.study_uid = image.study_uid;
  m.series_uid = image.series_uid;
  m.sop_class_uid = image.sop_class_uid;
  m.frame_of_reference_uid = image.frame_of_reference_uid;
  m.modality = image.modality;
  return m;
}

void write_metadata(const SourceMetadata& m, Payload& to) {
  to.set_text("dicom.context", to_base64(m.context));
  if (!m.header.empty()) to.set_text("dicom.header", m.header);
  to.set_text("dicom.StudyInstanceUID", m.study_uid);
  to.set_text("dicom.SeriesInstanceUID", m.series_uid);
  to.set_text("dicom.SOPClassUID", m.sop_class_uid);
  to.set_text("dicom.FrameOfReferenceUID", m.frame_of_reference_uid);
  to.set_text("dicom.Modality", m.modality);
  std::string uids;
  std::vector<double> positions, frames;
  for (const SourceSlice& s : m.slices) {
    uids += (uids.empty() ? "" : "\\") + s.sop_instance_uid;
    positions.insert(positions.end(), {s.position.x, s.position.y, s.position.z});
    frames.push_back(s.frame_number);
  }
  to.set_text("dicom.SOPInstanceUIDs", uids);
  to.set_numbers("dicom.ImagePositionPatient", positions);
  to.set_numbers("dicom.FrameNumbers", frames);
  to.set_numbers("dicom.slice_normal", std::array{m.normal.x, m.normal.y, m.normal.z});
  to.set_numbers("dicom.slice_spacing_mm", std::array{m.spacing_mm});
}

SourceMetadata read_metadata(const Payload& from) {
  SourceMetadata m;
  m.series_uid = from.text("dicom.SeriesInstanceUID");
  m.context = from_base64(from.text("dicom.context"));
  m.study_uid = from.text("dicom.StudyInstanceUID");
  m.frame_of_reference_uid = from.text("dicom.FrameOfReferenceUID");
  m.sop_class_uid = from.text("dicom.SOPClassUID");
  m.modality = from.text("dicom.Modality");
  const std::vector<std::string> uids = split(from.text("dicom.SOPInstanceUIDs"));
  const auto positions = from.numbers("dicom.ImagePositionPatient");
  const auto frames = from.numbers("dicom.FrameNumbers");
  const auto normal = from.numbers("dicom.slice_normal");
  const auto spacing = from.numbers("dicom.slice_spacing_mm");
  if (positions.size() != 3 * uids.size() || frames.size() != uids.size() ||
      (!uids.empty() && (normal.size() != 3 || spacing.size() != 1)))
    throw Failure(
        ErrorCode::bad_data,
        "the attributes dicom.SOPInstanceUIDs (" + std::to_string(uids.size()) +
            " values) and dicom.ImagePositionPatient, dicom.FrameNumbers, dicom.slice_normal do not fit together",
        "leave attributes that begin with dicom. as the source wrote them");
  for (std::size_t i = 0; i < uids.size(); ++i)
    m.slices.push_back(
        {uids[i], static_cast<int>(frames[i]), {positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]}});
  if (!uids.empty()) {
    m.normal = {normal[0], normal[1], normal[2]};
    m.spacing_mm = spacing[0];
  }
  return m;
}

}  // namespace isocenter::detail::dicom
