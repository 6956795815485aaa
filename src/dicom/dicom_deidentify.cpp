#include "dicom_deidentify.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "deidentify_folder.hpp"
#include "output_file.hpp"
#include "uid.hpp"

namespace isocenter::detail::dicom {
namespace {

std::string read_key(const std::string& file) {
  if (file.empty()) return new_uid() + new_uid();  // two random UUIDs
  constexpr std::size_t least = 16;                // what can be guessed gives the identities away
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    throw Failure(ErrorCode::invalid_argument, "key_file = '" + file + "' cannot be read",
                  "name a file of at least 16 random bytes");
  std::string key((std::istreambuf_iterator<char>(stream)), {});
  if (key.size() < least)
    throw Failure(ErrorCode::invalid_argument,
                  "key_file = '" + file + "' has " + std::to_string(key.size()) + " bytes, and a key has at least 16",
                  "put at least 16 random bytes into it");
  return key;
}

/// What is written into the input would be input the next time.
void require_apart(const std::string& input, const std::string& output) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path in = fs::weakly_canonical(input, error), out = fs::weakly_canonical(output, error);
  const fs::path apart = out.lexically_relative(in);
  if (!fs::is_directory(in, error) || apart.empty() || *apart.begin() == "..") return;
  throw Failure(ErrorCode::invalid_argument, "the output folder '" + output + "' lies in the input '" + input + "'",
                "choose a folder that is not below the input");
}

/// "x y width height; ...".
std::vector<Rectangle> parse_rectangles(const std::string& text) {
  std::vector<Rectangle> all;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    const std::string entry = text.substr(begin, end - begin);
    begin = end + 1;
    if (entry.find_first_not_of(" \n\t") == std::string::npos) continue;
    Rectangle r;
    int used = 0;
    if (std::sscanf(entry.c_str(), " %d %d %d %d %n", &r.x, &r.y, &r.width, &r.height, &used) != 4 ||
        static_cast<std::size_t>(used) != entry.size())
      throw Failure(ErrorCode::invalid_argument, "blank = '" + entry + "' does not have the form x y width height",
                    "write for example 0 0 640 48");
    all.push_back(r);
  }
  return all;
}

}  // namespace

void DicomDeidentifyOperator::plan(PlanContext& plan) {
  options_.key = read_key(params.key_file);
  options_.retain_uids = params.retain_uids;
  options_.retain_device = params.retain_device;
  options_.retain_institution = params.retain_institution;
  options_.retain_patient_characteristics = params.retain_patient_characteristics;
  options_.dates = static_cast<DateRetention>(params.dates);
  options_.clean_descriptors = params.clean_descriptors;
  options_.clean_ultrasound = params.clean_ultrasound;
  options_.blank = parse_rectangles(params.blank);
  require_free_folder(params.output);
  require_apart(params.path, params.output);
  if (!params.report.empty()) require_file_path(params.report);
  plan.items(1);
  plan.fact("folder", params.output);
}

void DicomDeidentifyOperator::run(const RunContext& run) {
  if (run.sequence() > 0) throw EndOfStream{};
  const std::string report = deidentify_folder(params.path, params.output, options_, Workers(run.launcher()),
                                               [&](std::int64_t done, std::int64_t total) {
                                                 run.progress(static_cast<double>(done) / static_cast<double>(total));
                                                 return !run.cancelled();
                                               });
  if (params.report.empty()) return;
  OutputFile file(params.report);
  file.write({reinterpret_cast<const std::uint8_t*>(report.data()), report.size()});
  file.commit();
}

}  // namespace isocenter::detail::dicom
