#include "validate_object.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcdicent.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcelem.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcmetinf.h>
#include <dcmtk/dcmdata/dcsequen.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <isocenter/error.hpp>

#include "required_attributes.hpp"
#include "toolkit.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;

std::string name_of(const DcmTagKey& key) {
  DcmTag tag(key);
  char number[16];
  std::snprintf(number, sizeof number, " (%04x,%04x)", key.getGroup(), key.getElement());
  return tag.getTagName() + std::string(number);
}

class Validator {
 public:
  std::vector<Violation> check(const std::string& path) {
    const DcmtkLog log;
    DcmFileFormat format;
    const OFCondition status =
        format.loadFile(OFFilename(path.c_str()), EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_fileOnly);
    if (status.bad()) {
      add(true, "", std::string("the file cannot be read as DICOM: ") + status.text(),
          "export it again from where it came");
      return std::move(found_);
    }
    meta(*format.getMetaInfo(), *format.getDataset());
    values(*format.getDataset(), "");
    required(*format.getDataset());
    pixels(*format.getDataset());
    return std::move(found_);
  }

 private:
  void add(bool error, const std::string& attribute, const std::string& what, const std::string& fix) {
    found_.push_back({error, attribute, what, fix});
  }

  /// PS3.10 section 7.1.
  void meta(DcmMetaInfo& meta, DcmDataset& dataset) {
    const auto same = [&](const DcmTagKey& here, const DcmTagKey& there) {
      OFString a, b;
      meta.findAndGetOFString(here, a);
      dataset.findAndGetOFString(there, b);
      if (a != b)
        add(true, name_of(here),
            "is '" + std::string(a.c_str()) + "', and " + name_of(there) + " is '" + b.c_str() + "'",
            "write the meta information anew");
    };
    same(DCM_MediaStorageSOPClassUID, DCM_SOPClassUID);
    same(DCM_MediaStorageSOPInstanceUID, DCM_SOPInstanceUID);
    for (const DcmTagKey& tag : {DCM_TransferSyntaxUID, DCM_ImplementationClassUID})
      if (!meta.tagExistsWithValue(tag)) add(true, name_of(tag), "is missing", "write the meta information anew");
  }

  void values(DcmItem& item, const std::string& path) {
    for (unsigned long i = 0; i < item.card(); ++i) {
      DcmElement& e = *item.getElement(i);
      const std::string name = path + name_of(e.getTag());
      if (e.getTag().getGroup() % 2 != 0) continue;  // private: their owner knows
      if (e.ident() == EVR_SQ) {
        auto& sequence = static_cast<DcmSequenceOfItems&>(e);
        for (unsigned long k = 0; k < sequence.card(); ++k)
          values(*sequence.getItem(k), name + "[" + std::to_string(k + 1) + "] / ");
        continue;
      }
      value(e, name);
    }
  }

  void value(DcmElement& e, const std::string& name) {
    const DcmTagKey key = e.getTag().getXTag();
    std::string multiplicity = "1-n";
    DcmEVR expected = EVR_UNKNOWN;
    {
      const DcmDataDictionary& dictionary = dcmDataDict.rdlock();
      if (const DcmDictEntry* entry = dictionary.findEntry(key, nullptr); entry != nullptr) {
        multiplicity = entry->getVMMin() == entry->getVMMax() ? std::to_string(entry->getVMMin())
                       : entry->getVMMax() == DcmVariableVM
                           ? std::to_string(entry->getVMMin()) + "-n"
                           : std::to_string(entry->getVMMin()) + "-" + std::to_string(entry->getVMMax());
        expected = entry->getEVR();
      }
      dcmDataDict.rdunlock();
    }
    if (expected == EVR_UNKNOWN) return;  // not in the dictionary of this DCMTK
    const DcmEVR actual = e.getVR();
    if (actual != expected && actual == EVR_UN)
      add(false, name, "has the value representation UN",
          "re-encode it as " + std::string(DcmVR(expected).getVRName()));
    const OFCondition status = e.checkValue(multiplicity.c_str(), OFTrue);
    if (status.bad())
      add(true, name, std::string("has a value that is not allowed: ") + status.text(),
          "see PS3.5 section 6.2 for " + std::string(DcmVR(actual).getVRName()) + ", multiplicity " + multiplicity);
  }

  void required(DcmDataset& dataset) {
    OFString uid;
    dataset.findAndGetOFString(DCM_SOPClassUID, uid);
    const ObjectRequirements* known = requirements_of(uid.c_str());
    if (known == nullptr) {
      add(false, name_of(DCM_SOPClassUID),
          "is " + std::string(uid.c_str()) + ", whose modules are not known here and were not checked",
          "use a validator that knows it");
      return;
    }
    for (const RequiredAttribute& r : known->attributes) {
      if (!dataset.tagExists(r.tag))
        add(true, name_of(r.tag), "is missing: type " + std::to_string(r.type) + " in " + r.module,
            r.type == 1 ? "add it with a value" : "add it, empty where there is no value");
      else if (r.type == 1 && !dataset.tagExistsWithValue(r.tag))
        add(true, name_of(r.tag), std::string("has no value: type 1 in ") + r.module, "give it a value");
    }
  }

  /// PS3.5 section 8.1.1: native pixels fill their element, padded to an even length.
  void pixels(DcmDataset& dataset) {
    DcmElement* element = nullptr;
    if (dataset.findAndGetElement(DCM_PixelData, element).bad()) return;
    if (DcmXfer(dataset.getOriginalXfer()).isEncapsulated()) return;
    const auto word = [&](const DcmTagKey& tag) {
      Uint16 v = 0;
      dataset.findAndGetUint16(tag, v);
      return static_cast<std::uint64_t>(v);
    };
    Sint32 frames = 1;
    if (dataset.findAndGetSint32(DCM_NumberOfFrames, frames).bad() || frames < 1) frames = 1;
    const std::uint64_t bits = word(DCM_Rows) * word(DCM_Columns) * word(DCM_SamplesPerPixel) *
                               word(DCM_BitsAllocated) * static_cast<std::uint64_t>(frames);
    OFString model;
    dataset.findAndGetOFString(DCM_PhotometricInterpretation, model);
    const std::uint64_t bytes = (model == "YBR_FULL_422" ? bits / 3 * 2 + 7 : bits + 7) / 8;
    const std::uint64_t even = bytes + bytes % 2;
    if (element->getLength() != even)
      add(true, name_of(DCM_PixelData),
          "has " + std::to_string(element->getLength()) + " bytes, and " + std::to_string(even) +
              " follow from Rows, Columns, SamplesPerPixel, BitsAllocated and NumberOfFrames",
          "export the object again from where it came");
  }

  std::vector<Violation> found_;
};

std::string quoted(const std::string& text) {
  std::string q = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') q += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) q += c;
  }
  return q + '"';
}

}  // namespace

std::vector<Violation> validate_object(const std::string& path) {
  use_dcmtk();
  return Validator().check(path);
}

std::vector<std::pair<std::string, std::string>> validated_classes() {
  std::vector<std::pair<std::string, std::string>> all;
  for (const ObjectRequirements& r : all_requirements()) all.emplace_back(r.name, r.uid);
  return all;
}

std::vector<ValidatedFile> validate_folder(const std::string& path, const Workers& workers) {
  std::error_code error;
  if (!fs::exists(path, error))
    throw Failure(ErrorCode::not_found, "there is no '" + path + "'", "give a folder with DICOM files, or one file");
  std::vector<ValidatedFile> files;
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::recursive_directory_iterator(path, fs::directory_options::skip_permission_denied))
      if (entry.is_regular_file()) files.push_back({entry.path().string(), {}});
  } else {
    files.push_back({path, {}});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  workers.for_each(static_cast<std::int64_t>(files.size()), [&](std::int64_t i) {
    ValidatedFile& f = files[static_cast<std::size_t>(i)];
    f.violations = validate_object(f.path);
  });
  return files;
}

std::string to_json(const std::vector<ValidatedFile>& files) {
  std::string text = "[\n";
  for (std::size_t i = 0; i < files.size(); ++i) {
    text += "  {\"file\": " + quoted(files[i].path) + ", \"violations\": [";
    for (std::size_t k = 0; k < files[i].violations.size(); ++k) {
      const Violation& v = files[i].violations[k];
      text += std::string(k == 0 ? "" : ",") + "\n    {\"severity\": \"" + (v.error ? "error" : "warning") +
              "\", \"attribute\": " + quoted(v.attribute) + ", \"what\": " + quoted(v.what) +
              ", \"fix\": " + quoted(v.fix) + "}";
    }
    text += std::string("]}") + (i + 1 < files.size() ? ",\n" : "\n");
  }
  return text + "]\n";
}

std::string to_lines(const std::vector<ValidatedFile>& files) {
  std::string text;
  std::size_t errors = 0, warnings = 0;
  for (const ValidatedFile& f : files)
    for (const Violation& v : f.violations) {
      (v.error ? errors : warnings) += 1;
      text += std::string(v.error ? "error: '" : "warning: '") + f.path +
              "': " + (v.attribute.empty() ? "" : v.attribute + " ") + v.what + ". Fix: " + v.fix + "\n";
    }
  return text + std::to_string(files.size()) + " files, " + std::to_string(errors) + " errors, " +
         std::to_string(warnings) + " warnings\n";
}

}  // namespace isocenter::detail::dicom
