#include "pet_suv.hpp"

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>

#include <cmath>
#include <cstdio>
#include <isocenter/error.hpp>

#include "dataset_values.hpp"
#include "single_object.hpp"

namespace isocenter::detail::dicom {
namespace {

constexpr Attribute series_date{0x0008, 0x0021, "SeriesDate"};
constexpr Attribute series_time{0x0008, 0x0031, "SeriesTime"};
constexpr Attribute acquisition_date{0x0008, 0x0022, "AcquisitionDate"};
constexpr Attribute acquisition_time{0x0008, 0x0032, "AcquisitionTime"};
constexpr Attribute patient_weight{0x0010, 0x1030, "PatientWeight"};
constexpr Attribute start_time{0x0018, 0x1072, "RadiopharmaceuticalStartTime"};
constexpr Attribute start_date_time{0x0018, 0x1078, "RadiopharmaceuticalStartDateTime"};
constexpr Attribute total_dose{0x0018, 0x1074, "RadionuclideTotalDose"};
constexpr Attribute half_life{0x0018, 0x1075, "RadionuclideHalfLife"};
constexpr Attribute corrected_image{0x0028, 0x0051, "CorrectedImage"};
constexpr Attribute decay_correction{0x0054, 0x1102, "DecayCorrection"};
constexpr Attribute suv_type{0x0054, 0x1006, "SUVType"};
constexpr Attribute philips_suv_scale{0x7053, 0x1000, "SUVScaleFactor"};
constexpr Attribute philips_creator{0x7053, 0x0010, "PrivateCreator"};

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw Failure(ErrorCode::bad_data, "'" + path + "': " + what + ": standardised uptake values cannot be computed",
                "set suv = none for the values as they are stored");
}

/// Digits of a date or time as an integer; -1 when one is missing.
int digits(const std::string& text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
    value = 10 * value + (text[i] - '0');
  }
  return value;
}

/// Days from 1 March of year 0 (Gregorian), so that differences are right across months and years.
std::optional<double> day_number(const std::string& date) {
  const int y = digits(date, 0, 4), m = digits(date, 4, 2), d = digits(date, 6, 2);
  if (y < 0 || m < 1 || m > 12 || d < 1 || d > 31) return std::nullopt;
  const int shifted = m < 3 ? y - 1 : y, month = (m + 9) % 12;
  return 365.0 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + (month * 306 + 5) / 10 + d - 1;
}

/// Seconds of a TM value (PS3.5 table 6.2-1), which may stop after the hours or minutes.
std::optional<double> seconds(const std::string& time) {
  const int h = digits(time, 0, 2), m = time.size() > 2 ? digits(time, 2, 2) : 0,
            s = time.size() > 4 ? digits(time, 4, 2) : 0;
  if (h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60) return std::nullopt;
  const auto fraction = time.size() > 6 ? parse_number("0" + time.substr(6)) : std::optional<double>(0);
  return fraction ? std::optional<double>(3600.0 * h + 60.0 * m + s + *fraction) : std::nullopt;
}

std::optional<double> moment(const std::string& date, const std::string& time) {
  const auto day = day_number(date), second = seconds(time);
  return day && second ? std::optional<double>(86400 * *day + *second) : std::nullopt;
}

std::string shown(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", v);
  return text;
}

/// One series' attributes, noted as they are used.
class SuvReader {
 public:
  SuvReader(const std::vector<std::string>& paths, const Workers& workers) : paths_(paths), workers_(workers) {
    open_header(paths.front(), header_);
  }

  SuvFactor read() {
    const std::string units = note(dataset(), attribute::units);
    if (units == "GML") return stored_suv();
    if (units == "CNTS") return philips_counts();
    if (units != "BQML") refuse(path(), text(attribute::units) + " = '" + units + "' is not BQML, GML or CNTS");
    const std::string corrected = note(dataset(), corrected_image);
    for (const char* needed : {"ATTN", "DECY"})
      if (corrected.find(needed) == std::string::npos)
        refuse(path(), text(corrected_image) + " = '" + corrected + "' lacks " + needed);
    const double weight_kg = positive(dataset(), patient_weight);
    DcmItem* const drug = sequence_item(dataset(), DCM_RadiopharmaceuticalInformationSequence);
    if (drug == nullptr) refuse(path(), "RadiopharmaceuticalInformationSequence (0054,0016) is missing");
    const double dose = positive(*drug, total_dose);
    const double decayed = dose * std::exp2(-decay_seconds(*drug) / positive(*drug, half_life));
    result_.used.emplace_back("dose at the scan's start in Bq", shown(decayed));
    result_.factor = weight_kg * 1000 / decayed;
    return std::move(result_);
  }

 private:
  DcmItem& dataset() { return *header_.getDataset(); }
  const std::string& path() const { return paths_.front(); }

  std::string note(DcmItem& item, const Attribute& a) {
    std::string value = text_value(item, a);
    if (!value.empty()) result_.used.emplace_back(text(a), value);
    return value;
  }

  double positive(DcmItem& item, const Attribute& a) {
    const std::string found = note(item, a);
    const auto value = number(item, a);
    if (!value || !(*value > 0))
      refuse(path(), text(a) + (found.empty() ? " is missing" : " = '" + found + "' is no positive number"));
    return *value;
  }

  SuvFactor stored_suv() {
    const std::string type = note(dataset(), suv_type);
    if (!type.empty() && type != "BW") refuse(path(), text(suv_type) + " = '" + type + "' is not BW");
    return std::move(result_);
  }

  SuvFactor philips_counts() {
    if (text_value(dataset(), philips_creator).find("Philips PET") == std::string::npos)
      refuse(path(), text(attribute::units) + " = 'CNTS' and no private SUVScaleFactor (7053,1000) of Philips");
    result_.factor = positive(dataset(), philips_suv_scale);
    return std::move(result_);
  }

  /// From the administration to the time that the values are corrected to.
  double decay_seconds(DcmItem& drug) {
    const std::string correction = note(dataset(), decay_correction);
    if (correction == "ADMIN") return 0;
    if (correction != "START")
      refuse(path(), text(decay_correction) + " = '" + correction + "' is neither START nor ADMIN");
    const double scan = scan_start();
    const std::string full = note(drug, start_date_time);
    auto injected = full.size() >= 10 ? moment(full.substr(0, 8), zoneless(full.substr(8))) : std::nullopt;
    const std::string time = injected ? "" : note(drug, start_time);
    if (!injected) injected = moment(scan_date_, time);
    if (!injected) refuse(path(), text(start_date_time) + " and " + text(start_time) + " are missing or no times");
    const double decay = scan - *injected;
    result_.used.emplace_back("decay in s", shown(decay));
    if (decay < 0 || decay > 7 * 86400.0)
      refuse(path(), "the time from " + text(start_time) + " to the scan is " + shown(decay) + " s");
    return decay;
  }

  /// A DT value's time without its offset from UTC: all times of a scan come from one clock.
  static std::string zoneless(const std::string& time) { return time.substr(0, time.find_first_of("+-&")); }

  double scan_start() {
    std::vector<double> starts(paths_.size(), 1e300);
    workers_.for_each(static_cast<std::int64_t>(paths_.size()), [&](std::int64_t i) {
      const auto n = static_cast<std::size_t>(i);
      DcmFileFormat file;
      open_header(paths_[n], file);
      DcmItem& item = *file.getDataset();
      if (const auto t = moment(text_value(item, acquisition_date), text_value(item, acquisition_time))) starts[n] = *t;
    });
    double earliest = starts.front();
    for (const double s : starts) earliest = std::fmin(earliest, s);
    const auto series = moment(note(dataset(), series_date), note(dataset(), series_time));
    scan_date_ = text_value(dataset(), series_date);
    if (scan_date_.empty()) scan_date_ = text_value(dataset(), acquisition_date);
    // A SeriesTime after the acquisition is that of some later processing.
    if (series && *series <= earliest) return *series;
    if (earliest > 1e299)
      refuse(path(), text(acquisition_date) + " and " + text(acquisition_time) + " are missing or no times");
    note(dataset(), acquisition_date);
    result_.used.emplace_back(text(acquisition_time) + ", the earliest", shown(std::fmod(earliest, 86400.0)) + " s");
    return earliest;
  }

  const std::vector<std::string>& paths_;
  const Workers& workers_;
  DcmFileFormat header_;
  SuvFactor result_;
  std::string scan_date_;
};

}  // namespace

SuvFactor suv_body_weight(const std::vector<std::string>& paths, const Workers& workers) {
  return SuvReader(paths, workers).read();
}

double philips_scale(const std::string& path, double rescale_slope) {
  DcmFileFormat header;
  open_header(path, header);
  DcmItem& dataset = *header.getDataset();
  constexpr Attribute creator{0x2005, 0x0010, "PrivateCreator"};
  constexpr Attribute scale_slope{0x2005, 0x100E, "MRScaleSlope"};
  const auto slope = number(dataset, scale_slope);
  if (text_value(dataset, creator).find("Philips MR Imaging DD 001") == std::string::npos || !slope || !(*slope > 0))
    throw Failure(ErrorCode::bad_data,
                  "'" + path + "' has no private " + text(scale_slope) + " of 'Philips MR Imaging DD 001'",
                  "set vendor_scale = none for the values after RescaleSlope and RescaleIntercept");
  return 1 / (rescale_slope * *slope);
}

}  // namespace isocenter::detail::dicom
