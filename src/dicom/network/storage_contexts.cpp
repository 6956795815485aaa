#include "storage_contexts.hpp"

#include <dcmtk/dcmdata/dcuid.h>

#include <algorithm>
#include <array>

namespace isocenter::detail::dicom {
namespace {

/// Storage classes with pixels, by the modalities that their series have (PS3.3 C.7.3.1.1.1), the usual one first.
struct Images {
  const char* modality;  ///< nullptr: any
  std::vector<const char*> classes;
};

const std::vector<Images>& images() {
  static const std::vector<Images> all{
      {"CT", {UID_CTImageStorage, UID_EnhancedCTImageStorage, UID_LegacyConvertedEnhancedCTImageStorage}},
      {"MR",
       {UID_MRImageStorage, UID_EnhancedMRImageStorage, UID_EnhancedMRColorImageStorage,
        UID_LegacyConvertedEnhancedMRImageStorage}},
      {"PT",
       {UID_PositronEmissionTomographyImageStorage, UID_EnhancedPETImageStorage,
        UID_LegacyConvertedEnhancedPETImageStorage}},
      {"NM", {UID_NuclearMedicineImageStorage}},
      {"US", {UID_UltrasoundImageStorage, UID_UltrasoundMultiframeImageStorage, UID_EnhancedUSVolumeStorage}},
      {"IVUS", {UID_UltrasoundMultiframeImageStorage, UID_UltrasoundImageStorage}},
      {"CR", {UID_ComputedRadiographyImageStorage}},
      {"DX", {UID_DigitalXRayImageStorageForPresentation, UID_DigitalXRayImageStorageForProcessing}},
      {"PX", {UID_DigitalXRayImageStorageForPresentation, UID_ComputedRadiographyImageStorage}},
      {"IO", {UID_DigitalIntraOralXRayImageStorageForPresentation, UID_DigitalIntraOralXRayImageStorageForProcessing}},
      {"MG",
       {UID_DigitalMammographyXRayImageStorageForPresentation, UID_BreastTomosynthesisImageStorage,
        UID_DigitalMammographyXRayImageStorageForProcessing}},
      {"XA", {UID_XRayAngiographicImageStorage, UID_EnhancedXAImageStorage, UID_XRay3DAngiographicImageStorage}},
      {"RF", {UID_XRayRadiofluoroscopicImageStorage, UID_EnhancedXRFImageStorage}},
      {"ES", {UID_VLEndoscopicImageStorage, UID_VideoEndoscopicImageStorage}},
      {"GM", {UID_VLMicroscopicImageStorage, UID_VideoMicroscopicImageStorage}},
      {"SM", {UID_VLWholeSlideMicroscopyImageStorage, UID_VLSlideCoordinatesMicroscopicImageStorage}},
      {"XC", {UID_VLPhotographicImageStorage, UID_VideoPhotographicImageStorage}},
      {"OP", {UID_OphthalmicPhotography8BitImageStorage, UID_OphthalmicPhotography16BitImageStorage}},
      {"OPT", {UID_OphthalmicTomographyImageStorage}},
      {"IVOCT",
       {UID_IntravascularOpticalCoherenceTomographyImageStorageForPresentation,
        UID_IntravascularOpticalCoherenceTomographyImageStorageForProcessing}},
      {"RTIMAGE", {UID_RTImageStorage}},
      {"RTDOSE", {UID_RTDoseStorage}},
      {"SEG", {UID_SegmentationStorage}},
      {nullptr,
       {UID_SecondaryCaptureImageStorage, UID_MultiframeTrueColorSecondaryCaptureImageStorage,
        UID_MultiframeGrayscaleWordSecondaryCaptureImageStorage,
        UID_MultiframeGrayscaleByteSecondaryCaptureImageStorage}},
  };
  return all;
}

/// Modalities whose series have no images of the table (PS3.3 C.7.3.1.1.1).
const std::set<std::string>& without_images() {
  static const std::set<std::string> all{"SR",       "PR",     "KO",       "REG", "FID",  "RWV", "DOC",       "PLAN",
                                         "RTSTRUCT", "RTPLAN", "RTRECORD", "ECG", "RESP", "EPS", "HD",        "AU",
                                         "M3D",      "AR",     "KER",      "LEN", "SRF",  "VA",  "OAM",       "IOL",
                                         "OPM",      "OPV",    "SMR",      "EEG", "EMG",  "EOG", "CTPROTOCOL"};
  return all;
}

/// Of still images, and of video; those that Conversation accepts, the usual ones first.
const std::vector<std::string>& compressed_syntaxes(const std::string& sop_class) {
  static const std::vector<std::string> still{
      UID_JPEG2000LosslessOnlyTransferSyntax, UID_JPEGLSLosslessTransferSyntax, UID_JPEGProcess14SV1TransferSyntax,
      UID_RLELosslessTransferSyntax,          UID_JPEGProcess1TransferSyntax,   UID_JPEG2000TransferSyntax,
      UID_JPEGLSLossyTransferSyntax,          UID_JPEGProcess2_4TransferSyntax, UID_JPEGProcess14TransferSyntax};
  static const std::vector<std::string> video{UID_MPEG4HighProfileLevel4_1TransferSyntax,
                                              UID_MPEG4BDcompatibleHighProfileLevel4_1TransferSyntax,
                                              UID_MPEG4HighProfileLevel4_2_For2DVideoTransferSyntax,
                                              UID_MPEG2MainProfileAtMainLevelTransferSyntax,
                                              UID_MPEG2MainProfileAtHighLevelTransferSyntax,
                                              UID_HEVCMainProfileLevel5_1TransferSyntax,
                                              UID_HEVCMain10ProfileLevel5_1TransferSyntax};
  const bool moves = sop_class == UID_VideoEndoscopicImageStorage || sop_class == UID_VideoMicroscopicImageStorage ||
                     sop_class == UID_VideoPhotographicImageStorage;
  return moves ? video : still;
}

/// Not more than this of an association goes to compressed syntaxes.
constexpr std::size_t most_compressed = 60;

void add_once(std::vector<std::string>& classes, const std::string& sop_class) {
  if (std::find(classes.begin(), classes.end(), sop_class) == classes.end()) classes.push_back(sop_class);
}

/// The usual class of each modality first.
std::vector<std::string> classes_of(const std::set<std::string>& modalities) {
  std::vector<std::string> classes;
  if (modalities.empty()) return classes;
  for (std::size_t rank = 0; rank < 4; ++rank)
    for (const Images& row : images())
      if (rank < row.classes.size() && row.modality != nullptr && modalities.contains(row.modality))
        add_once(classes, row.classes[rank]);
  for (const char* sop_class : images().back().classes) add_once(classes, sop_class);
  return classes;
}

/// Whether it is known what images the series of each of these have.
bool all_known(const std::set<std::string>& modalities) {
  return std::all_of(modalities.begin(), modalities.end(), [](const std::string& modality) {
    return without_images().contains(modality) || std::any_of(images().begin(), images().end(), [&](const Images& row) {
             return row.modality != nullptr && modality == row.modality;
           });
  });
}

bool has_pixels(const std::string& sop_class) {
  return std::any_of(images().begin(), images().end(), [&](const Images& row) {
    return std::find(row.classes.begin(), row.classes.end(), sop_class) != row.classes.end();
  });
}

}  // namespace

std::vector<ContextProposal> storage_contexts(const std::set<std::string>& modalities, std::size_t most) {
  const std::vector<std::string> likely = classes_of(modalities);
  std::vector<std::string> classes = likely;
  for (const bool pixels : {false, true})  // what goes with any modality before the images of another one
    for (int i = 0; i < numberOfDcmLongSCUStorageSOPClassUIDs; ++i)
      if (has_pixels(dcmLongSCUStorageSOPClassUIDs[i]) == pixels) add_once(classes, dcmLongSCUStorageSOPClassUIDs[i]);
  // Of a modality that nobody knows an image may be of any class: none is left out for a compressed syntax.
  const std::size_t compressed = all_known(modalities) ? most_compressed : most - std::min(most, classes.size());
  std::vector<ContextProposal> proposals;
  for (const std::string& sop_class : likely) proposals.push_back({sop_class, uncompressed_syntaxes(), true});
  for (const std::string& sop_class : likely)
    for (const std::string& syntax : compressed_syntaxes(sop_class))
      if (proposals.size() < likely.size() + compressed) proposals.push_back({sop_class, {syntax}, true});
  for (std::size_t i = likely.size(); i < classes.size() && proposals.size() < most; ++i)
    proposals.push_back({classes[i], uncompressed_syntaxes(), true});
  return proposals;
}

}  // namespace isocenter::detail::dicom
