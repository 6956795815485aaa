#include "object_file.hpp"

#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcostrma.h>

#include <isocenter/error.hpp>

#include "output_file.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

/// Where DCMTK's bytes go. DCMTK must not see an exception: the first one is kept and thrown later.
class FileConsumer final : public DcmConsumer {
 public:
  explicit FileConsumer(OutputFile& file) : file_(file) {}
  OFBool good() const override { return error_ == nullptr; }
  OFCondition status() const override { return error_ == nullptr ? EC_Normal : EC_InvalidStream; }
  OFBool isFlushed() const override { return OFTrue; }
  offile_off_t avail() const override { return 1 << 30; }
  offile_off_t write(const void* bytes, offile_off_t count) override {
    if (error_ != nullptr) return 0;
    try {
      file_.write({static_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(count)});
      return count;
    } catch (...) {
      error_ = std::current_exception();
      return 0;
    }
  }
  void flush() override {}
  void rethrow() const {
    if (error_ != nullptr) std::rethrow_exception(error_);
  }

 private:
  OutputFile& file_;
  std::exception_ptr error_;
};

class FileStream final : public DcmOutputStream {
 public:
  explicit FileStream(FileConsumer& consumer) : DcmOutputStream(&consumer) {}
};

using Bytes = std::vector<std::uint8_t>;

void put_u16(Bytes& to, unsigned v) {
  to.push_back(static_cast<std::uint8_t>(v & 0xFFU));
  to.push_back(static_cast<std::uint8_t>(v >> 8U & 0xFFU));
}
void put_u32(Bytes& to, std::uint64_t v) {
  put_u16(to, static_cast<unsigned>(v & 0xFFFFU));
  put_u16(to, static_cast<unsigned>(v >> 16U & 0xFFFFU));
}

void put_text(Bytes& to, unsigned element, const char* vr, std::string value) {
  if (value.size() % 2 != 0) value += vr[0] == 'U' ? '\0' : ' ';
  put_u16(to, 0x0002);
  put_u16(to, element);
  to.insert(to.end(), vr, vr + 2);
  put_u16(to, static_cast<unsigned>(value.size()));
  to.insert(to.end(), value.begin(), value.end());
}

/// Preamble and file meta information: PS3.10 section 7.1.
Bytes meta_information(DcmDataset& dataset, const std::string& transfer_syntax) {
  OFString sop_class, sop_instance;
  dataset.findAndGetOFString(DCM_SOPClassUID, sop_class);
  dataset.findAndGetOFString(DCM_SOPInstanceUID, sop_instance);
  Bytes group;
  put_u16(group, 0x0002);
  put_u16(group, 0x0001);
  group.insert(group.end(), {'O', 'B', 0, 0});
  put_u32(group, 2);
  put_u16(group, 0x0100);  // version 00\01
  put_text(group, 0x0002, "UI", sop_class.c_str());
  put_text(group, 0x0003, "UI", sop_instance.c_str());
  put_text(group, 0x0010, "UI", transfer_syntax);
  put_text(group, 0x0012, "UI", implementation_class_uid);
  put_text(group, 0x0013, "SH", "ISOCENTER_1");
  Bytes all(128, 0);
  all.insert(all.end(), {'D', 'I', 'C', 'M'});
  put_u16(all, 0x0002);
  put_u16(all, 0x0000);
  all.insert(all.end(), {'U', 'L', 4, 0});
  put_u32(all, group.size());
  all.insert(all.end(), group.begin(), group.end());
  return all;
}

void put_item_head(Bytes& to, unsigned element, std::uint64_t length) {
  put_u16(to, 0xFFFE);
  put_u16(to, element);
  put_u32(to, length);
}

constexpr std::uint64_t undefined_length = 0xFFFFFFFFU;
constexpr std::uint64_t longest_element = 0xFFFFFFFEU;

Bytes pixel_head(PixelElement element, std::uint64_t length) {
  Bytes head;
  put_u16(head, 0x7FE0);
  put_u16(head, element == PixelElement::floats ? 0x0008 : 0x0010);
  const char vr = element == PixelElement::words ? 'W' : element == PixelElement::bytes ? 'B' : 'F';
  head.insert(head.end(), {'O', static_cast<std::uint8_t>(vr), 0, 0});
  put_u32(head, length);
  return head;
}

void write_native(OutputFile& file, const PixelElementToWrite& pixels) {
  file.write(pixel_head(pixels.element, pixels.native_bytes + pixels.native_bytes % 2));
  pixels.produce([&](std::span<const std::uint8_t> bytes) { file.write(bytes); });
  if (pixels.native_bytes % 2 != 0) file.write(Bytes{0});
}

void write_encapsulated(OutputFile& file, const PixelElementToWrite& pixels) {
  file.write(pixel_head(PixelElement::bytes, undefined_length));
  std::uint64_t offset = 0;
  Bytes table;
  for (const Bytes& c : *pixels.codestreams) {
    put_u32(table, offset);
    offset += 8 + c.size() + c.size() % 2;
  }
  if (offset > longest_element) table.clear();  // offsets beyond 32 bits: an empty table is allowed (PS3.5 A.4)
  Bytes head;
  put_item_head(head, 0xE000, table.size());
  file.write(head);
  file.write(table);
  for (const Bytes& c : *pixels.codestreams) {
    head.clear();
    put_item_head(head, 0xE000, c.size() + c.size() % 2);
    file.write(head);
    file.write(c);
    if (c.size() % 2 != 0) file.write(Bytes{0});
  }
  head.clear();
  put_item_head(head, 0xE0DD, 0);
  file.write(head);
}

}  // namespace

void write_object(const std::string& path, DcmDataset& dataset, const std::string& transfer_syntax,
                  const PixelElementToWrite& pixels) {
  if (pixels.codestreams == nullptr && pixels.native_bytes > longest_element)
    throw Failure(ErrorCode::unsupported,
                  "'" + path + "' would hold " + std::to_string(pixels.native_bytes) +
                      " bytes of uncompressed pixels, more than the 4294967294 of one element (PS3.5 section 7.1)",
                  "write fewer frames or smaller ones, or choose a compression");
  OutputFile file(path);
  file.write(meta_information(dataset, transfer_syntax));
  FileConsumer consumer(file);
  FileStream stream(consumer);
  dataset.transferInit();
  const bool implicit = transfer_syntax == "1.2.840.10008.1.2";
  const OFCondition status = dataset.write(stream, implicit ? EXS_LittleEndianImplicit : EXS_LittleEndianExplicit,
                                           EET_ExplicitLength, nullptr, EGL_withoutGL);
  dataset.transferEnd();
  consumer.rethrow();
  if (status.bad())
    throw Failure(ErrorCode::internal, "'" + path + "' cannot be written: " + status.text(),
                  "report this with the input");
  if (pixels.codestreams != nullptr)
    write_encapsulated(file, pixels);
  else if (pixels.element != PixelElement::none)
    write_native(file, pixels);
  file.commit();
}

}  // namespace isocenter::detail::dicom
