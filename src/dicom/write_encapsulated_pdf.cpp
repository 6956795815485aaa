#include "write_encapsulated_pdf.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcvrobow.h>

#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <set>

#include "context.hpp"
#include "object_builder.hpp"
#include "object_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr const char* encapsulated_pdf_storage = "1.2.840.10008.5.1.4.1.1.104.1";
constexpr const char* explicit_little_endian = "1.2.840.10008.1.2.1";

std::vector<Uint8> read_pdf(const std::string& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error)
    throw Failure(ErrorCode::not_found, "the document '" + file + "' cannot be read: " + error.message(),
                  "name a PDF file");
  if (size > 0xFFFFFFFDU)
    throw Failure(ErrorCode::unsupported,
                  "'" + file + "' has " + std::to_string(size) + " bytes, and an element holds 4294967294",
                  "split the document");
  std::vector<Uint8> bytes(size);
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size)))
    throw Failure(ErrorCode::io_error, "the document '" + file + "' cannot be read to its end", "check the disk");
  if (bytes.size() < 5 || std::string_view(reinterpret_cast<const char*>(bytes.data()), 5) != "%PDF-")
    throw Failure(ErrorCode::bad_data, "'" + file + "' does not begin with %PDF-", "name a PDF file");
  return bytes;
}

}  // namespace

void write_encapsulated_pdf(const std::string& path, const std::string& pdf, const std::string& title,
                            const SourceMetadata& source, const OutputDescription& description) {
  use_dcmtk();
  const DcmtkLog log;
  std::vector<Uint8> bytes = read_pdf(pdf);
  const std::size_t length = bytes.size();
  bytes.resize(length + length % 2, 0);
  DcmDataset dataset;
  add_common_modules(dataset, source, description, "DOC", encapsulated_pdf_storage, new_uid(), image_history, {title});
  const ItemWriter object(dataset);
  for (const DcmTagKey& tag :
       {DCM_LossyImageCompression, DCM_LossyImageCompressionRatio, DCM_LossyImageCompressionMethod, DCM_Laterality})
    dataset.findAndDeleteElement(tag);
  object.text(DCM_SOPInstanceUID, new_uid());
  object.text(DCM_InstanceNumber, "1");
  object.text(DCM_ConversionType, "WSD");
  object.empty_unless_there(DCM_AcquisitionDateTime);
  if (!dataset.tagExistsWithValue(DCM_BurnedInAnnotation)) object.text(DCM_BurnedInAnnotation, "YES");
  object.text(DCM_DocumentTitle, title);
  object.empty_sequence(DCM_ConceptNameCodeSequence);
  object.text(DCM_MIMETypeOfEncapsulatedDocument, "application/pdf");
  object.u32s(DCM_EncapsulatedDocumentLength, {static_cast<unsigned>(length)});
  std::set<std::string> seen;
  for (const SourceSlice& s : source.slices) {
    if (!seen.insert(s.sop_instance_uid).second) continue;
    const ItemWriter instance = object.item(DCM_SourceInstanceSequence);
    instance.text(DCM_ReferencedSOPClassUID, source.sop_class_uid);
    instance.text(DCM_ReferencedSOPInstanceUID, s.sop_instance_uid);
  }
  if (dataset.putAndInsertUint8Array(DCM_EncapsulatedDocument, bytes.data(), static_cast<unsigned long>(bytes.size()))
          .bad())
    throw Failure(ErrorCode::internal, "DCMTK does not take the document '" + pdf + "'", "report this with the input");
  PixelElementToWrite none;
  none.element = PixelElement::none;
  write_object(path, dataset, explicit_little_endian, none);
}

}  // namespace isocenter::detail::dicom
