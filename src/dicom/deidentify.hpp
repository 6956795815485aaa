#pragma once
// The Basic Application Level Confidentiality Profile of PS3.15 annex E with options, for one data set. Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace isocenter::detail::dicom {

/// What happens to dates and times (PS3.15 E.3.6).
enum class DateRetention {
  remove,   ///< the basic profile
  shifted,  ///< by a number of days of the patient's own, from the key: intervals stay
  keep
};

/// A rectangle of pixels, in every frame.
struct Rectangle {
  int x = 0, y = 0, width = 0, height = 0;
};

struct DeidentificationOptions {
  std::string key;  ///< any bytes: the same key maps the same UID, patient and date alike, in every run
  bool retain_uids = false;
  bool retain_device = false;
  bool retain_institution = false;
  bool retain_patient_characteristics = false;
  DateRetention dates = DateRetention::remove;
  bool clean_descriptors = false;  ///< keeps words of a list of anatomy and technique instead of removing texts
  bool clean_ultrasound = false;   ///< blanks what lies outside of SequenceOfUltrasoundRegions (0018,6011)
  std::vector<Rectangle> blank;    ///< and these rectangles, in any object
};

/// What was done, without any value that was there.
struct DeidentificationRecord {
  /// For each attribute, "keyword (gggg,eeee)", and what was done to it: how often.
  std::map<std::string, std::map<std::string, std::int64_t>> attributes;
  std::int64_t private_attributes = 0;
  std::vector<std::string> warnings;

  void add(const DeidentificationRecord& other);
};

/// Changes the data set in place, nested sequences too; gives its new SOPInstanceUID.
///
/// Where table E.1-1 leaves a choice, the one that keeps a type 1 attribute valid is taken: d before z before x. A
/// dummy value for a sequence leaves its structure and replaces the values in it. PatientName and PatientID get a
/// pseudonym from the key. Throws Failure: unsupported for an encapsulated document (its contents cannot be looked
/// into), or when pixels have to be blanked and cannot be decoded; bad_data for rectangles or regions that do not lie
/// within the image.
std::string deidentify(DcmDataset& dataset, const DeidentificationOptions& options, DeidentificationRecord& record);

/// 2.25. and 128 bits of the keyed hash of a UID; UIDs that DICOM itself defines stay as they are.
std::string mapped_uid(const std::string& uid, const std::string& key);

/// A date (DA) or date and time (DT) some days later; "" when it is no date.
std::string shifted_date(const std::string& date, int days);

/// The words of a text that the list of harmless ones holds.
std::string cleaned_text(const std::string& text);

}  // namespace isocenter::detail::dicom
