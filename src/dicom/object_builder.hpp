#pragma once
// The modules that every written object shares. Includes DCMTK.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdatset.h>
#include <dcmtk/dcmdata/dcdeftag.h>

#include <string>
#include <vector>

#include "output_description.hpp"
#include "source_metadata.hpp"
#include "vec3.hpp"

namespace isocenter::detail::dicom {

/// Puts values in, throwing Failure(internal) with the keyword when DCMTK refuses one.
class ItemWriter {
 public:
  explicit ItemWriter(DcmItem& item) : item_(item) {}
  DcmItem& item() const { return item_; }

  void text(const DcmTagKey& tag, const std::string& value) const;
  void u16(const DcmTagKey& tag, int value) const;
  void u16s(const DcmTagKey& tag, const std::vector<int>& values) const;
  void u32s(const DcmTagKey& tag, const std::vector<unsigned>& values) const;
  /// Decimal strings: at most 16 characters each (PS3.5 table 6.2-1), as exact as these allow.
  void decimals(const DcmTagKey& tag, const std::vector<double>& values) const;
  void point(const DcmTagKey& tag, Vec3 v) const { decimals(tag, {v.x, v.y, v.z}); }
  void directions(const DcmTagKey& tag, Vec3 row, Vec3 column) const {
    decimals(tag, {row.x, row.y, row.z, column.x, column.y, column.z});
  }
  void code(const DcmTagKey& sequence, const Code& code) const;
  /// A new last item of a sequence, which is made when it is not there.
  ItemWriter item(const DcmTagKey& sequence) const;
  /// The attribute with no value, where it is not there yet: what "type 2" means (PS3.5 section 7.4.3).
  void empty_unless_there(const DcmTagKey& tag) const;
  void empty_sequence(const DcmTagKey& tag) const;

 private:
  DcmItem& item_;
};

/// A decimal string of at most 16 characters.
std::string decimal_string(double value);

struct DateTime {
  std::string date, time;  ///< DA and TM
};
/// In the zone of TimezoneOffsetFromUTC (0008,0201), "+0100"; in local time when that is "".
DateTime now(const std::string& zone);

/// Patient, study, general series (with this Modality), equipment, contributing equipment, SOP common (without
/// SOPInstanceUID), and what `context_parts` of the source's context name besides. `texts` are all other texts that
/// will be added: where one of them or of the description is not ASCII, the object is turned to UTF-8 (ISO_IR 192).
void add_common_modules(DcmDataset& dataset, const SourceMetadata& source, const OutputDescription& description,
                        const std::string& modality, const std::string& sop_class_uid, const std::string& series_uid,
                        unsigned context_parts, const std::vector<std::string>& texts);

/// DerivationDescription and DerivationCodeSequence: general image module.
void add_derivation(const ItemWriter& to, const OutputDescription& description);

/// SourceImageSequence (0008,2112) with these slices of the source.
void add_source_images(const ItemWriter& to, const SourceMetadata& source, const std::vector<int>& slices);

/// Common instance reference module (PS3.3 C.12.2): the source series with these slices' instances.
void add_instance_references(DcmDataset& dataset, const SourceMetadata& source, const std::vector<int>& slices);

/// Indices of the source slices that a plane shows: the one that lies in it (within a hundredth of the spacing), else
/// those closer along the normal than the larger of the two spacings, else none. All of them when the plane is not
/// parallel to the source's slices.
std::vector<int> slices_near(const SourceMetadata& source, Vec3 position, Vec3 normal, double spacing_mm);
std::vector<int> all_slices(const SourceMetadata& source);

}  // namespace isocenter::detail::dicom
