// A volume that is larger than --memory goes into its file slab after slab.
#include <gmock/gmock.h>

#include <cmath>

#include "command_process.hpp"

namespace isocenter::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A scan and its reconstruction of 160 x 160 x 127 voxels (13 MB) into a file.
class SlabsInFiles : public ::testing::Test {
 protected:
  SlabsInFiles() {
    std::string name = (fs::temp_directory_path() / "isocenter_slabs_XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~SlabsInFiles() override { fs::remove_all(folder_); }

  Finished run(const std::string& ending, const std::string& output, std::vector<std::string> more) {
    const fs::path file = folder_ / "pipeline.yaml";
    std::ofstream(file) << "isocenter: 1\nname: slabs\ndescription: Slabs.\nnodes:\n"
                           "  - name: raw\n    operator: phantom_projections\n"
                           "    parameters: {views: 30, columns: 48, rows: 40, column_step_mm: 8, row_step_mm: 8}\n"
                           "  - name: recon\n    operator: fdk_reconstruction\n    inputs: {input: raw}\n"
                           "    parameters: {unit: 1/mm, nx: 160, ny: 160, nz: 127, spacing_mm: 2}\n"
                           "  - name: sink\n    operator: image_sink\n    inputs: {input: recon}\n"
                           "    parameters: {path: \"${output}/volume."
                        << ending << "\"}\n";
    std::vector<std::string> words = {
        "run", file.string(), "--output", (folder_ / output).string(), "--device", "cpu", "--threads", "1", "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    return command(words);
  }
  std::string bytes(const std::string& file) const {
    std::ifstream in(folder_ / file, std::ios::binary);
    std::stringstream all;
    all << in.rdbuf();
    return all.str();
  }
  static constexpr std::size_t voxels = 160 * 160 * 127;
  fs::path folder_;
};

TEST_F(SlabsInFiles, HoldTheSameVolumeInEveryFormat) {
  for (const std::string ending : {"mha", "nii", "nrrd"}) {
    ASSERT_EQ(run(ending, "whole", {"--force"}).exit_code, 0);
    const Finished cut = run(ending, "cut", {"--force", "--memory", "12MiB"});
    ASSERT_EQ(cut.exit_code, 0) << cut.err;
    EXPECT_THAT(bytes("cut/report.json"), HasSubstr("fdk.slabs"));
    const std::string a = bytes("whole/volume." + ending), b = bytes("cut/volume." + ending);
    ASSERT_EQ(a.size(), b.size()) << ending;
    const std::size_t header = a.size() - voxels * sizeof(float);
    EXPECT_EQ(a.substr(0, header), b.substr(0, header)) << ending;
    std::vector<float> x(voxels), y(voxels);
    std::memcpy(x.data(), a.data() + header, voxels * sizeof(float));
    std::memcpy(y.data(), b.data() + header, voxels * sizeof(float));
    double difference = 0.0, norm = 0.0;
    for (std::size_t i = 0; i < voxels; ++i) {
      difference += std::pow(static_cast<double>(x[i]) - y[i], 2);
      norm += std::pow(static_cast<double>(x[i]), 2);
    }
    EXPECT_LT(std::sqrt(difference / norm), 2e-6) << ending;
  }
}

TEST_F(SlabsInFiles, AreRefusedForAFileThatIsOneCompressedStream) {
  const Finished f = run("nii.gz", "cut", {"--memory", "12MiB"});
  EXPECT_NE(f.exit_code, 0);
  EXPECT_THAT(f.err,
              AllOf(HasSubstr("image_sink 'sink'"), HasSubstr("is compressed as one stream"), HasSubstr("Fix:")));
}

}  // namespace
}  // namespace isocenter::testing
