#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <isocenter/payload.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace isocenter::inline v1 {

/// What the header of a volume's first slice says, in UTF-8: the attributes that matter as typed values with units, and
/// every other one as text by its keyword or tag. dicom_series_source puts it into the payload attribute
/// "dicom.header".
///
/// In an enhanced object the functional groups are those of the volume's first slice. Values that are absent, empty or
/// no numbers give "" or nothing. Dates are YYYYMMDD and times HHMMSS.FFFFFF as DICOM writes them (PS3.5 table 6.2-1).
class DicomHeader {
 public:
  struct Element {
    std::string tag;      ///< "00180060"; inside sequences "00540016[1].00181074"
    std::string keyword;  ///< "KVP", "RadiopharmaceuticalInformationSequence[1].RadionuclideTotalDose"; else the tag
    std::string vr;       ///< "DS"
    std::string value;    ///< values joined by backslashes; "1234 bytes" for long binary ones
  };

  struct Patient {
    std::string name, id, birth_date, sex, age;
    std::optional<double> weight_kg, height_m;
  };
  struct Study {
    std::string instance_uid, id, date, time, description, accession_number, referring_physician;
  };
  struct Series {
    std::string instance_uid, number, modality, description, protocol, body_part, laterality, patient_position, date,
        time;
  };
  struct Equipment {
    std::string manufacturer, model, serial_number, station, software, institution;
  };
  struct Acquisition {
    std::string date, time, number;
    // X-ray
    std::optional<double> tube_voltage_kv, tube_current_ma, exposure_time_ms, exposure_mas, gantry_tilt_deg;
    std::optional<double> reconstruction_diameter_mm, pitch, ctdi_vol_mgy;
    std::string kernel, filter;
    // MR
    std::optional<double> field_strength_t, echo_time_ms, repetition_time_ms, inversion_time_ms, flip_angle_deg;
    std::optional<double> echo_train_length, pixel_bandwidth_hz, b_value_s_per_mm2;
    std::string scanning_sequence, sequence_name;
    // Both
    std::optional<double> slice_thickness_mm;
    std::string contrast_agent;
  };
  struct Radiopharmaceutical {
    std::string name, nuclide, route, start_time, start_date_time;
    std::optional<double> total_dose_bq, half_life_s, positron_fraction;
    std::string units, decay_correction;
  };
  /// Radiography, mammography, angiography and fluoroscopy. Angles of each frame: dicom_projections_source.
  struct Xray {
    std::string view_position, laterality, patient_orientation, presentation_intent, presentation_lut_shape;
    std::string intensity_relationship;    ///< LIN, LOG, DISP of PixelIntensityRelationship
    std::optional<double> intensity_sign;  ///< -1: larger values stand for less X-rays
    std::optional<double> source_to_detector_mm, source_to_patient_mm, magnification;
    std::optional<double> imager_row_spacing_mm, imager_column_spacing_mm;  ///< at the detector
    std::optional<double> primary_angle_deg, secondary_angle_deg;           ///< of the first frame
    std::optional<double> body_part_thickness_mm, compression_force_n, entrance_dose_mgy, dose_area_product_dgy_cm2;
    std::optional<double> exposure_index, target_exposure_index, deviation_index;
    std::string detector_type, plate_type, sensitivity, target;  ///< the last: AnodeTargetMaterial
  };
  struct EnergyWindow {
    std::string name;
    std::optional<double> lower_kev, upper_kev;
  };
  /// Index vectors and angles of each frame: dicom_projections_source.
  struct NuclearMedicine {
    std::string kind;                          ///< STATIC, GATED, TOMO, RECON TOMO, ...: ImageType, third value
    std::vector<EnergyWindow> energy_windows;  ///< entry i is 1 + i in EnergyWindowVector
    std::optional<double> detectors, rotations, views_in_rotation, start_angle_deg, angular_step_deg, scan_arc_deg;
    std::optional<double> rr_intervals, time_slots, frame_duration_ms, counts;
    std::string rotation_direction, collimator, reconstruction;
  };
  struct FrameOfReference {
    std::string uid, position_reference;
  };
  struct Timing {
    std::string content_date, content_time;
    std::optional<double> trigger_time_ms, frame_time_ms, frame_reference_time_ms, frame_duration_ms;
  };

  /// Of what stands in the attribute "dicom.header".
  explicit DicomHeader(std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = cut(text, '\n');
      std::string_view rest = line;
      Element e;
      e.tag = cut(rest, '\t');
      e.keyword = cut(rest, '\t');
      e.vr = cut(rest, '\t');
      e.value = unescaped(rest);
      elements_.push_back(std::move(e));
    }
  }
  /// Of a volume: empty when it has no DICOM source.
  explicit DicomHeader(const Payload& volume) : DicomHeader(std::string_view(volume.text("dicom.header"))) {}

  bool empty() const { return elements_.empty(); }
  const std::vector<Element>& elements() const { return elements_; }

  /// By keyword ("KVP") or tag ("(0018,0060)", "0018,0060", "00180060"), in sequences by a path of either with items
  /// from 1. An attribute that does not stand at the top is looked for in the functional groups of an enhanced object.
  const Element* find(std::string_view name) const {
    const std::string tag = plain_tag(name);
    for (const Element& e : elements_)
      if (e.keyword == name || e.tag == tag) return &e;
    for (const std::string_view group : {"52009230", "52009229"})  // the slice's own, then the shared ones
      for (const Element& e : elements_)
        if (e.tag.starts_with(group) && (ends_with(e.keyword, name) || ends_with(e.tag, tag))) return &e;
    return nullptr;
  }
  std::string text(std::string_view name) const {
    const Element* const e = find(name);
    return e == nullptr ? std::string() : e->value;
  }
  /// Value `index` (from 0) as a number.
  std::optional<double> number(std::string_view name, std::size_t index = 0) const {
    const std::string value = text(name);
    std::string_view rest = value;
    for (; index > 0; --index) {
      if (rest.find('\\') == std::string_view::npos) return std::nullopt;
      cut(rest, '\\');
    }
    std::string_view one = cut(rest, '\\');
    while (!one.empty() && (one.front() == ' ' || one.front() == '+')) one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    double v = 0;
    const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), v);
    if (one.empty() || error != std::errc() || end != one.data() + one.size() || !std::isfinite(v)) return std::nullopt;
    return v;
  }

  Patient patient() const {
    return {text("PatientName"), text("PatientID"),       text("PatientBirthDate"), text("PatientSex"),
            text("PatientAge"),  number("PatientWeight"), number("PatientSize")};
  }
  Study study() const {
    return {text("StudyInstanceUID"),
            text("StudyID"),
            text("StudyDate"),
            text("StudyTime"),
            text("StudyDescription"),
            text("AccessionNumber"),
            text("ReferringPhysicianName")};
  }
  Series series() const {
    return {text("SeriesInstanceUID"), text("SeriesNumber"),     text("Modality"),   text("SeriesDescription"),
            text("ProtocolName"),      text("BodyPartExamined"), text("Laterality"), text("PatientPosition"),
            text("SeriesDate"),        text("SeriesTime")};
  }
  Equipment equipment() const {
    return {text("Manufacturer"), text("ManufacturerModelName"), text("DeviceSerialNumber"),
            text("StationName"),  text("SoftwareVersions"),      text("InstitutionName")};
  }
  /// PS3.3 C.8.2.1 and C.8.15.3 (CT), C.8.3.1 and C.8.13.5 (MR).
  Acquisition acquisition() const {
    Acquisition a;
    a.date = text("AcquisitionDate");
    a.time = text("AcquisitionTime");
    if (const std::string both = text("AcquisitionDateTime"); a.date.empty() && both.size() >= 8) {
      a.date = both.substr(0, 8);
      a.time = both.substr(8);
    }
    a.number = text("AcquisitionNumber");
    a.tube_voltage_kv = number("KVP");
    a.tube_current_ma = either(number("XRayTubeCurrent"), number("XRayTubeCurrentInmA"));
    a.exposure_time_ms = either(number("ExposureTime"), number("ExposureTimeInms"));
    a.exposure_mas = either(number("Exposure"), number("ExposureInmAs"));
    a.gantry_tilt_deg = number("GantryDetectorTilt");
    a.reconstruction_diameter_mm = number("ReconstructionDiameter");
    a.pitch = number("SpiralPitchFactor");
    a.ctdi_vol_mgy = number("CTDIvol");
    a.kernel = text("ConvolutionKernel");
    a.filter = text("FilterType");
    a.field_strength_t = number("MagneticFieldStrength");
    a.echo_time_ms = either(number("EchoTime"), number("EffectiveEchoTime"));
    a.repetition_time_ms = number("RepetitionTime");
    a.inversion_time_ms = either(number("InversionTime"), number("InversionTimes"));
    a.flip_angle_deg = number("FlipAngle");
    a.echo_train_length = number("EchoTrainLength");
    a.pixel_bandwidth_hz = number("PixelBandwidth");
    a.b_value_s_per_mm2 = number("DiffusionBValue");
    a.scanning_sequence = text("ScanningSequence");
    a.sequence_name = text(find("SequenceName") != nullptr ? "SequenceName" : "PulseSequenceName");
    a.slice_thickness_mm = number("SliceThickness");
    a.contrast_agent = text("ContrastBolusAgent");
    return a;
  }
  /// PS3.3 C.8.9.2: the dose stands in Bq in PET images; C.8.4.10 and the Enhanced PET Isotope module: in MBq.
  Radiopharmaceutical radiopharmaceutical() const {
    const std::string in = "RadiopharmaceuticalInformationSequence[1].";
    Radiopharmaceutical r;
    r.name = text(in + "Radiopharmaceutical");
    if (r.name.empty()) r.name = text(in + "RadiopharmaceuticalCodeSequence[1].CodeMeaning");
    r.nuclide = text(in + "RadionuclideCodeSequence[1].CodeMeaning");
    r.route = text(in + "RadiopharmaceuticalRoute");
    r.start_time = text(in + "RadiopharmaceuticalStartTime");
    r.start_date_time = text(in + "RadiopharmaceuticalStartDateTime");
    r.total_dose_bq = number(in + "RadionuclideTotalDose");
    const bool in_mega = text("Modality") == "NM" || text("SOPClassUID") == "1.2.840.10008.5.1.4.1.1.130";
    if (r.total_dose_bq && in_mega) *r.total_dose_bq *= 1e6;
    r.half_life_s = number(in + "RadionuclideHalfLife");
    r.positron_fraction = number(in + "RadionuclidePositronFraction");
    r.units = text("Units");
    r.decay_correction = text("DecayCorrection");
    return r;
  }
  /// PS3.3 C.8.1 (CR), C.8.11 (DX, MG), C.8.7 (XA, XRF), C.8.19 (enhanced XA).
  Xray xray() const {
    Xray x;
    x.view_position = text("ViewPosition");
    x.laterality = text(find("ImageLaterality") != nullptr ? "ImageLaterality" : "Laterality");
    x.patient_orientation = text("PatientOrientation");
    x.presentation_intent = text("PresentationIntentType");
    x.presentation_lut_shape = text("PresentationLUTShape");
    x.intensity_relationship = text("PixelIntensityRelationship");
    x.intensity_sign = number("PixelIntensityRelationshipSign");
    x.source_to_detector_mm = number("DistanceSourceToDetector");
    x.source_to_patient_mm = either(number("DistanceSourceToPatient"), number("DistanceSourceToIsocenter"));
    x.magnification = number("EstimatedRadiographicMagnificationFactor");
    x.imager_row_spacing_mm = number("ImagerPixelSpacing");
    x.imager_column_spacing_mm = number("ImagerPixelSpacing", 1);
    x.primary_angle_deg = number("PositionerPrimaryAngle");
    x.secondary_angle_deg = number("PositionerSecondaryAngle");
    x.body_part_thickness_mm = number("BodyPartThickness");
    x.compression_force_n = number("CompressionForce");
    x.entrance_dose_mgy = number("EntranceDoseInmGy");
    x.dose_area_product_dgy_cm2 = number("ImageAndFluoroscopyAreaDoseProduct");
    x.exposure_index = number("ExposureIndex");
    x.target_exposure_index = number("TargetExposureIndex");
    x.deviation_index = number("DeviationIndex");
    x.detector_type = text("DetectorType");
    x.plate_type = text("PlateType");
    x.sensitivity = text("Sensitivity");
    x.target = text("AnodeTargetMaterial");
    return x;
  }
  /// PS3.3 C.8.4.
  NuclearMedicine nuclear_medicine() const {
    NuclearMedicine n;
    const std::string type = text("ImageType");
    std::string_view rest = type;
    cut(rest, '\\');
    cut(rest, '\\');
    n.kind = cut(rest, '\\');
    for (int i = 1;; ++i) {
      const std::string window = "EnergyWindowInformationSequence[" + std::to_string(i) + "].";
      const std::string range = window + "EnergyWindowRangeSequence[1].";
      EnergyWindow w{text(window + "EnergyWindowName"), number(range + "EnergyWindowLowerLimit"),
                     number(range + "EnergyWindowUpperLimit")};
      if (w.name.empty() && !w.lower_kev && !w.upper_kev) break;
      n.energy_windows.push_back(std::move(w));
    }
    const std::string rotation = "RotationInformationSequence[1].", detector = "DetectorInformationSequence[1].";
    n.detectors = number("NumberOfDetectors");
    n.rotations = number("NumberOfRotations");
    n.views_in_rotation = number(rotation + "NumberOfFramesInRotation");
    n.start_angle_deg = either(number(detector + "StartAngle"), number(rotation + "StartAngle"));
    n.angular_step_deg = number(rotation + "AngularStep");
    n.scan_arc_deg = number(rotation + "ScanArc");
    n.rotation_direction = text(rotation + "RotationDirection");
    n.rr_intervals = number("NumberOfRRIntervals");
    n.time_slots = number("NumberOfTimeSlots");
    n.frame_duration_ms = either(number("ActualFrameDuration"), number(rotation + "ActualFrameDuration"));
    n.counts = number("CountsAccumulated");
    n.collimator = text(detector + "CollimatorType");
    n.reconstruction = text("ConvolutionKernel");
    return n;
  }
  FrameOfReference frame_of_reference() const {
    return {text("FrameOfReferenceUID"), text("PositionReferenceIndicator")};
  }
  Timing timing() const {
    return {text("ContentDate"),
            text("ContentTime"),
            either(number("TriggerTime"), number("NominalCardiacTriggerDelayTime")),
            number("FrameTime"),
            number("FrameReferenceTime"),
            either(number("ActualFrameDuration"), number("FrameAcquisitionDuration"))};
  }

 private:
  /// The text up to a separator, which is taken away with it.
  static std::string_view cut(std::string_view& text, char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view piece = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return piece;
  }
  /// Tabulators and line ends in values stand as ESC t, ESC n, ESC r.
  static std::string unescaped(std::string_view text) {
    std::string value;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\x1B' || i + 1 == text.size()) {
        value += text[i];
        continue;
      }
      const char c = text[++i];
      value += c == 't' ? '\t' : c == 'n' ? '\n' : '\r';
    }
    return value;
  }
  static std::string plain_tag(std::string_view name) {
    std::string tag;
    for (const char c : name)
      if (c != '(' && c != ')' && c != ',') tag += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    return tag;
  }
  static bool ends_with(std::string_view path, std::string_view name) {
    return path.size() > name.size() && path.ends_with(name) && path[path.size() - name.size() - 1] == '.';
  }
  static std::optional<double> either(std::optional<double> first, std::optional<double> second) {
    return first ? first : second;
  }

  std::vector<Element> elements_;
};

}  // namespace isocenter::inline v1
