#include "stored_instance.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcmetinf.h>
#include <dcmtk/dcmdata/dcxfer.h>

#include <cstdio>
#include <isocenter/error.hpp>

#include "../uid.hpp"
#include "association.hpp"
#include "nesting.hpp"

namespace isocenter::detail::dicom {
namespace {

std::string uid_in(DcmItem& item, const DcmTagKey& key, const char* keyword) {
  OFString value;
  char tag[16];
  std::snprintf(tag, sizeof tag, " (%04x,%04x)", key.getGroup(), key.getElement());
  if (item.findAndGetOFString(key, value).bad() || value.empty())
    throw Failure(ErrorCode::bad_data, std::string(keyword) + tag + " is missing", "have the sender write it");
  const std::string text(value.c_str());
  if (!is_uid(text)) {
    std::string shown;
    for (const char c : text.substr(0, 64)) shown += c >= ' ' && c <= '~' ? c : '?';
    throw Failure(ErrorCode::bad_data, std::string(keyword) + tag + " = '" + shown + "' is no UID",
                  "have the sender write digits and dots, at most 64");
  }
  return text;
}

InstanceName name_in(DcmItem& item, const std::string& syntax) {
  InstanceName name;
  name.transfer_syntax = syntax;
  name.sop_class = uid_in(item, DCM_SOPClassUID, "SOPClassUID");
  name.sop_instance_uid = uid_in(item, DCM_SOPInstanceUID, "SOPInstanceUID");
  name.study_uid = uid_in(item, DCM_StudyInstanceUID, "StudyInstanceUID");
  name.series_uid = uid_in(item, DCM_SeriesInstanceUID, "SeriesInstanceUID");
  return name;
}

void put16(std::vector<std::uint8_t>& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value & 0xffU));
  out.push_back(static_cast<std::uint8_t>(value >> 8U & 0xffU));
}
void put32(std::vector<std::uint8_t>& out, std::size_t value) {
  put16(out, value & 0xffffU);
  put16(out, value >> 16U);
}

void put_text(std::vector<std::uint8_t>& out, unsigned element, const char* vr, std::string text, char padding) {
  if (text.size() % 2 != 0) text += padding;
  put16(out, 0x0002);
  put16(out, element);
  out.insert(out.end(), vr, vr + 2);
  put16(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

}  // namespace

InstanceName name_of(std::span<const std::uint8_t> data_set, const std::string& transfer_syntax) {
  const DcmXfer syntax(transfer_syntax.c_str());
  if (syntax.getXfer() == EXS_Unknown)
    throw Failure(ErrorCode::unsupported, "transfer syntax '" + transfer_syntax + "' is unknown",
                  "have the peer send another");
  if (syntax.getStreamCompression() != ESC_none)  // only inflated could its nesting be seen, by what it may overflow
    throw Failure(ErrorCode::unsupported,
                  "transfer syntax " + std::string(syntax.getXferName()) + " (" + transfer_syntax + ") is not taken",
                  "have the peer send another, such as 1.2.840.10008.1.2.1");
  require_shallow(data_set, transfer_syntax);
  DcmInputBufferStream stream;
  stream.setBuffer(data_set.data(), static_cast<offile_off_t>(data_set.size()));
  stream.setEos();
  DcmDataset head;
  head.transferInit();
  // A damaged tail is the reader's to judge; what is needed here either was found or is named as missing.
  head.readUntilTag(stream, syntax.getXfer(), EGL_noChange, 4096, DcmTagKey(0x0020, 0x0010));
  head.transferEnd();
  return name_in(head, transfer_syntax);
}

std::vector<std::uint8_t> file_head(const InstanceName& name, const std::string& source_ae) {
  std::vector<std::uint8_t> group;
  put16(group, 0x0002);
  put16(group, 0x0001);
  group.insert(group.end(), {'O', 'B', 0, 0});
  put32(group, 2);
  group.insert(group.end(), {0, 1});
  put_text(group, 0x0002, "UI", name.sop_class, '\0');
  put_text(group, 0x0003, "UI", name.sop_instance_uid, '\0');
  put_text(group, 0x0010, "UI", name.transfer_syntax, '\0');
  put_text(group, 0x0012, "UI", implementation_class_uid, '\0');
  put_text(group, 0x0013, "SH", "ISOCENTER", ' ');
  put_text(group, 0x0016, "AE", source_ae, ' ');
  std::vector<std::uint8_t> head(128, 0);
  for (const char c : {'D', 'I', 'C', 'M'}) head.push_back(static_cast<std::uint8_t>(c));
  put16(head, 0x0002);
  put16(head, 0x0000);
  for (const char c : {'U', 'L'}) head.push_back(static_cast<std::uint8_t>(c));
  put16(head, 4);
  put32(head, group.size());
  head.insert(head.end(), group.begin(), group.end());
  return head;
}

InstanceName name_of_file(const std::string& path) {
  use_dcmnet();
  DcmFileFormat file;
  const OFCondition read =
      file.loadFileUntilTag(path.c_str(), EXS_Unknown, EGL_noChange, 4096, ERM_autoDetect, DcmTagKey(0x0020, 0x0010));
  if (read.bad())
    throw Failure(ErrorCode::bad_data, "'" + path + "' is no DICOM file: " + read.text(), "send DICOM files");
  OFString syntax;
  if (file.getMetaInfo()->findAndGetOFString(DCM_TransferSyntaxUID, syntax).bad() || syntax.empty())
    syntax = DcmXfer(file.getDataset()->getOriginalXfer()).getXferID();
  try {
    return name_in(*file.getDataset(), syntax.c_str());
  } catch (const Error& e) {
    throw Error(e.code(), "'" + path + "': " + e.what());
  }
}

}  // namespace isocenter::detail::dicom
