#include "listener.hpp"

namespace isocenter::detail::dicom {

void SeriesWatch::arrived(const InstanceName& name, std::uint64_t association, Clock::time_point now) {
  Series& series = series_[name.study_uid + "/" + name.series_uid];
  series.name = name;
  ++series.instances;
  series.last = now;
  series.open.insert(association);
}

std::vector<SeriesWatch::Whole> SeriesWatch::association_ended(std::uint64_t association) {
  std::vector<Whole> whole;
  for (auto it = series_.begin(); it != series_.end();) {
    if (it->second.open.erase(association) == 0 || !it->second.open.empty()) {
      ++it;
      continue;
    }
    whole.push_back({it->second.name, it->second.instances});
    it = series_.erase(it);
  }
  return whole;
}

std::vector<SeriesWatch::Whole> SeriesWatch::idle_since(Clock::time_point limit) {
  std::vector<Whole> whole;
  for (auto it = series_.begin(); it != series_.end();) {
    if (it->second.last > limit) {
      ++it;
      continue;
    }
    whole.push_back({it->second.name, it->second.instances});
    it = series_.erase(it);
  }
  return whole;
}

}  // namespace isocenter::detail::dicom
