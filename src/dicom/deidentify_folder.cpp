#include "deidentify_folder.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcmetinf.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <isocenter/error.hpp>
#include <sstream>

#include "deidentification_table.hpp"
#include "deidentify.hpp"
#include "object_builder.hpp"
#include "output_file.hpp"
#include "toolkit.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

namespace fs = std::filesystem;

constexpr const char* dicomdir_class = "1.2.840.10008.1.3.10";

std::vector<fs::path> files_below(const std::string& input) {
  std::error_code error;
  if (!fs::exists(input, error))
    throw Failure(ErrorCode::not_found, "there is no '" + input + "'", "give a folder with DICOM files, or one file");
  std::vector<fs::path> files;
  if (!fs::is_directory(input)) {
    files.emplace_back(input);
    return files;
  }
  for (const auto& entry : fs::recursive_directory_iterator(input, fs::directory_options::skip_permission_denied))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

struct Outcome {
  std::string left_out;  ///< why; "" for a file that was written
  DeidentificationRecord record;
};

/// Meta information of its own, so that nothing of the source's goes on (PS3.15 E.1.1 note on group 0002).
void save(DcmFileFormat& format, const std::string& uid, const std::string& path) {
  DcmMetaInfo& meta = *format.getMetaInfo();
  meta.clear();
  DcmDataset& dataset = *format.getDataset();
  const E_TransferSyntax syntax = dataset.getCurrentXfer();
  meta.putAndInsertString(DCM_ImplementationClassUID, implementation_class_uid);
  meta.putAndInsertString(DCM_ImplementationVersionName, "ISOCENTER_1");
  meta.putAndInsertString(DCM_MediaStorageSOPInstanceUID, uid.c_str());
  const OFCondition status = format.saveFile(OFFilename(path.c_str()), syntax, EET_ExplicitLength, EGL_withoutGL,
                                             EPD_withoutPadding, 0, 0, EWM_updateMeta);
  if (status.bad())
    throw Failure(ErrorCode::io_error, "'" + path + "' cannot be written: " + status.text(),
                  "free some space or choose another output");
}

Outcome one(const fs::path& from, const std::string& to, const DeidentificationOptions& options) {
  const DcmtkLog log;
  Outcome outcome;
  DcmFileFormat format;
  if (format.loadFile(OFFilename(from.c_str()), EXS_Unknown, EGL_noChange, DCM_MaxReadLength, ERM_fileOnly).bad()) {
    outcome.left_out = "no readable DICOM file";
    return outcome;
  }
  OFString media;
  format.getMetaInfo()->findAndGetOFString(DCM_MediaStorageSOPClassUID, media);
  if (media == dicomdir_class) {
    outcome.left_out = "a DICOMDIR, whose records name patients and files";
    return outcome;
  }
  format.loadAllDataIntoMemory();
  if (format.getDataset()->tagExists(DCM_EncapsulatedDocument)) {
    outcome.left_out = "EncapsulatedDocument (0042,0011) holds a document that cannot be looked into";
    return outcome;
  }
  try {
    const std::string uid = deidentify(*format.getDataset(), options, outcome.record);
    save(format, uid, to);
  } catch (const Failure& f) {
    throw Failure(f.code(), "'" + from.string() + "': " + f.what(), "or leave the file out of the folder");
  }
  return outcome;
}

std::string quoted(const std::string& text) {
  std::string q = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') q += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      q += code;
    } else {
      q += c;
    }
  }
  return q + '"';
}

std::string options_json(const DeidentificationOptions& o) {
  const auto flag = [](const char* name, bool value) {
    return std::string("\"") + name + "\": " + (value ? "true" : "false") + ", ";
  };
  const char* dates[] = {"remove", "shift", "keep"};
  return "{" + flag("retain_uids", o.retain_uids) + flag("retain_device", o.retain_device) +
         flag("retain_institution", o.retain_institution) +
         flag("retain_patient_characteristics", o.retain_patient_characteristics) +
         flag("clean_descriptors", o.clean_descriptors) + flag("clean_ultrasound", o.clean_ultrasound) +
         "\"rectangles\": " + std::to_string(o.blank.size()) + ", \"dates\": \"" + dates[static_cast<int>(o.dates)] +
         "\"}";
}

}  // namespace

std::string deidentify_folder(const std::string& input, const std::string& output,
                              const DeidentificationOptions& options, const Workers& workers,
                              const LoadProgress& progress) {
  use_dcmtk();
  const std::vector<fs::path> files = files_below(input);
  OutputFolder folder(output);
  std::vector<Outcome> outcomes(files.size());
  std::atomic<std::int64_t> done{0};
  const auto name = [](std::int64_t i) {
    char text[32];
    std::snprintf(text, sizeof text, "%06d.dcm", static_cast<int>(i) + 1);
    return std::string(text);
  };
  workers.for_each(static_cast<std::int64_t>(files.size()), [&](std::int64_t i) {
    const auto n = static_cast<std::size_t>(i);
    outcomes[n] = one(files[n], folder.temporary() + "/" + name(i), options);
    if (progress && !progress(++done, static_cast<std::int64_t>(files.size())))
      throw Error(ErrorCode::cancelled, "cancelled.");
  });

  DeidentificationRecord all;
  std::int64_t written = 0;
  std::ostringstream left_out, warnings, attributes;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Outcome& o = outcomes[i];
    if (!o.left_out.empty()) {
      left_out << (left_out.tellp() > 0 ? ",\n" : "") << "    {\"file\": " << quoted(files[i].string())
               << ", \"why\": " << quoted(o.left_out) << "}";
      continue;
    }
    ++written;
    all.add(o.record);
    for (const std::string& w : o.record.warnings)
      warnings << (warnings.tellp() > 0 ? ",\n" : "") << "    {\"file\": " << quoted(name(static_cast<std::int64_t>(i)))
               << ", \"what\": " << quoted(w) << "}";
  }
  if (written == 0)
    throw Failure(ErrorCode::bad_data, "'" + input + "' holds no DICOM file that can be de-identified",
                  "see 'isocenter inspect' for what it holds");
  for (const auto& [attribute, actions] : all.attributes) {
    attributes << (attributes.tellp() > 0 ? ",\n" : "") << "    " << quoted(attribute) << ": {";
    bool first = true;
    for (const auto& [action, count] : actions) {
      attributes << (first ? "" : ", ") << quoted(action) << ": " << count;
      first = false;
    }
    attributes << "}";
  }
  folder.commit();
  std::ostringstream report;
  report << "{\n  \"profile\": " << quoted(profile_edition) << ",\n  \"options\": " << options_json(options)
         << ",\n  \"files_written\": " << written << ",\n  \"private_attributes_removed\": " << all.private_attributes
         << ",\n  \"attributes\": {\n"
         << attributes.str() << "\n  },\n  \"left_out\": [\n"
         << left_out.str() << "\n  ],\n  \"warnings\": [\n"
         << warnings.str() << "\n  ]\n}\n";
  return report.str();
}

}  // namespace isocenter::detail::dicom
