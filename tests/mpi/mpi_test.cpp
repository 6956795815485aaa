// isocenter run under mpirun: the volume of one process within a bound, whatever the number of processes; and the end
// of a job in which one of them fails, leaves early, does something else, or dies.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

/// A folder for one test, with the pipeline scan -> reconstruction -> volume.mhd in it, and more nodes that the
/// reconstruction takes its inputs from.
class Folder {
 public:
  Folder(const std::string& operator_name, const std::string& parameters, const std::string& scan = "",
         const std::string& inputs = "input: raw", const std::string& nodes = "") {
    std::string name = (fs::temp_directory_path() / "isocenter_mpi_XXXXXX").string();
    path_ = mkdtemp(name.data());
    std::ofstream(path_ / "pipeline.yaml")
        << "isocenter: 1\nname: shared\ndescription: One volume.\nnodes:\n"
           "  - name: raw\n    operator: phantom_projections\n"
           "    parameters: {views: 60, columns: 40, rows: 31, column_step_mm: 9, row_step_mm: 9"
        << scan << "}\n"
        << nodes << "  - name: recon\n    operator: " << operator_name << "\n    inputs: {" << inputs
        << "}\n    parameters: {" << parameters
        << "}\n"
           "  - name: sink\n    operator: image_sink\n    inputs: {input: recon}\n"
           "    parameters: {path: \"${output}/volume.mhd\"}\n";
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }

  Words run(const std::string& output, const Words& more = {}) const {
    Words words = {ISOCENTER_COMMAND,
                   "run",
                   (path_ / "pipeline.yaml").string(),
                   "--output",
                   (path_ / output).string(),
                   "--device",
                   "cpu",
                   "--threads",
                   "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::vector<float> volume(const std::string& output) const {
    std::ifstream file(path_ / output / "volume.raw", std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    const std::string text = bytes.str();
    std::vector<float> voxels(text.size() / sizeof(float));
    std::copy_n(text.data(), voxels.size() * sizeof(float), reinterpret_cast<char*>(voxels.data()));
    return voxels;
  }

 private:
  fs::path path_;
};

struct Finished {
  int exit_code = -1;
  double seconds = 0;
  std::string out;
};

std::vector<pid_t> children_of(pid_t process) {
  const std::string number = std::to_string(process);
  std::ifstream file("/proc/" + number + "/task/" + number + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}
bool runs(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(") ");
  return name_end != std::string::npos && text[name_end + 2] != 'Z';
}

/// Waits for a process and gives its status and the seconds since `begin`. An mpirun that goes on for 15 s when all its
/// ranks have ended is killed, and its time is that of the ranks: Open MPI 4.1.4 over PMIx 4.2.2 waits now and then for
/// a lock of its own in PMIx_server_finalize after a job that has failed.
std::pair<int, double> wait_for(pid_t process, bool is_mpirun, std::chrono::steady_clock::time_point begin) {
  using Seconds = std::chrono::duration<double>;
  int status = 0;
  auto last_rank = std::chrono::steady_clock::now();
  while (waitpid(process, &status, is_mpirun ? WNOHANG : 0) == 0) {
    const auto ranks = children_of(process);
    const auto now = std::chrono::steady_clock::now();
    if (std::any_of(ranks.begin(), ranks.end(), runs)) last_rank = now;
    if (now - last_rank > std::chrono::seconds(15)) {
      kill(process, SIGKILL);
      waitpid(process, &status, 0);
      return {status, Seconds(last_rank - begin).count()};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {status, Seconds(std::chrono::steady_clock::now() - begin).count()};
}

/// Starts a process; `meanwhile` gets its number. Both outputs go into one file.
template <class F>
Finished run(Words words, F&& meanwhile) {
  std::string name = (fs::temp_directory_path() / "isocenter_mpi_out_XXXXXX").string();
  const int file = mkstemp(name.data());
  std::vector<char*> argv;
  for (auto& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    execv(argv[0], argv.data());
    _exit(127);
  }
  meanwhile(child);
  const auto [status, seconds] = wait_for(child, words.front() == ISOCENTER_MPIRUN, begin);
  Finished f;
  f.seconds = seconds;
  f.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::ifstream text(name);
  std::stringstream all;
  all << text.rdbuf();
  f.out = all.str();
  close(file);
  fs::remove(name);
  return f;
}
Finished run(const Words& words) {
  return run(words, [](pid_t) {});
}

/// mpirun -n ... for each of the commands, one job.
Words together(const std::vector<std::pair<int, Words>>& commands) {
  Words words = {ISOCENTER_MPIRUN, "--oversubscribe", "--bind-to", "none"};
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (i > 0) words.emplace_back(":");
    words.insert(words.end(), {"-n", std::to_string(commands[i].first)});
    words.insert(words.end(), commands[i].second.begin(), commands[i].second.end());
  }
  return words;
}

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

/// The stated bound: ‖shared - alone‖ / ‖alone‖.
constexpr double bound = 2e-6;

void expect_same_volume(const Folder& folder, std::initializer_list<int> processes) {
  const Finished alone = run(folder.run("alone"));
  ASSERT_EQ(alone.exit_code, 0) << alone.out;
  const std::vector<float> whole = folder.volume("alone");
  ASSERT_FALSE(whole.empty());
  for (const int n : processes) {
    const std::string output = "shared" + std::to_string(n);
    const Finished shared = run(together({{n, folder.run(output)}}));
    ASSERT_EQ(shared.exit_code, 0) << shared.out;
    EXPECT_LT(relative_difference(folder.volume(output), whole), bound) << n << " processes";
  }
}

TEST(Mpi, FdkOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("fdk_reconstruction", "unit: 1/mm"), {2, 3, 4});
}
TEST(Mpi, FdkOfAScanInBlocksOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("fdk_reconstruction", "unit: 1/mm", ", blocks: 6"), {4});
}
TEST(Mpi, AHelixOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("helical_reconstruction", "unit: 1/mm, nz: 31, spacing_mm: [6, 6, 2]",
                            ", orbit: helix, arc_deg: 1080, pitch: 0.4"),
                     {2, 4});
}
TEST(Mpi, AHelixInBlocksOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("helical_reconstruction", "unit: 1/mm, nz: 31, spacing_mm: [6, 6, 2]",
                            ", orbit: helix, arc_deg: 1080, pitch: 0.4, blocks: 12"),
                     {3});
}
TEST(Mpi, MotionCompensationOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("motion_compensated_reconstruction", "unit: 1/mm", ", phantom: moving_thorax",
                            "input: phases, motion_x: motion.x, motion_y: motion.y, motion_z: motion.z",
                            "  - name: phases\n    operator: phase_sort\n    inputs: {input: raw}\n"
                            "    parameters: {source: period, period_s: 4}\n"
                            "  - name: motion\n    operator: phantom_motion\n"
                            "    parameters: {frames: 4, nx: 7, ny: 6, nz: 9, spacing_mm: [45, 50, 30]}\n"),
                     {2, 4});
}
TEST(Mpi, FbpOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("fbp_reconstruction", "unit: 1/mm", ", beam: parallel"), {2, 3});
}
TEST(Mpi, OsSartOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("os_sart_reconstruction", "unit: 1/mm, subsets: 4, iterations: 3"), {2, 4});
}
TEST(Mpi, CglsOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("cgls_reconstruction", "unit: 1/mm, iterations: 4"), {3});
}
TEST(Mpi, OsemOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("osem_reconstruction", "data: emission, iterations: 3"), {4});
}

TEST(Mpi, TotalVariationOnSeveralProcessesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("tv_reconstruction", "unit: 1/mm, iterations: 3, inner: 5, weight_per_mm: 1e-4"), {2, 4});
}
TEST(Mpi, TotalVariationOnAsManyProcessesAsSlicesGivesTheVolumeOfOne) {
  expect_same_volume(Folder("tv_reconstruction", "unit: 1/mm, iterations: 2, inner: 5, weight_per_mm: 1e-4, nz: 4"),
                     {4});
}
TEST(Mpi, ARankWithASmallBudgetWorksInSlabsOfItsSlab) {
  const Folder folder("os_sart_reconstruction", "unit: 1/mm, subsets: 4, iterations: 2");
  ASSERT_EQ(run(folder.run("alone")).exit_code, 0);
  const Finished shared =
      run(together({{1, folder.run("shared")}, {1, folder.run("shared", {"--memory", "5400KiB"})}}));
  ASSERT_EQ(shared.exit_code, 0) << shared.out;
  EXPECT_LT(relative_difference(folder.volume("shared"), folder.volume("alone")), bound);
  std::ifstream file(folder / "shared/report.json");
  std::stringstream text;
  text << file.rdbuf();
  const std::string report = text.str();
  const auto at = report.find('[', report.find("planned_bytes_of_rank"));
  ASSERT_NE(at, std::string::npos) << report;
  const double second = std::stod(report.substr(report.find(',', at) + 1));
  EXPECT_GT(second, 4500.0 * 1024);  // two nodes talk, each with 2 MiB
  EXPECT_LE(second, 5400.0 * 1024);
}

TEST(Mpi, TheReportSaysHowManyBytesEachRankHolds) {
  const Folder folder("fdk_reconstruction", "unit: 1/mm");
  ASSERT_EQ(run(together({{4, folder.run("shared")}})).exit_code, 0);
  std::ifstream file(folder / "shared/report.json");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), AllOf(HasSubstr("planned_bytes_of_rank"), HasSubstr("fdk.slabs")));
}

#ifndef __SANITIZE_ADDRESS__  // which keeps what is freed for a while
TEST(Mpi, AProcessThatRunsManySessionsDoesNotGrow) {
  const Finished f = run(together({{2, {ISOCENTER_MANY_SESSIONS}}}));
  ASSERT_EQ(f.exit_code, 0) << f.out;
  const std::string words = "sessions more: ";
  int ranks = 0;
  for (std::size_t at = f.out.find(words); at != std::string::npos; at = f.out.find(words, at + 1), ++ranks)
    EXPECT_LT(std::stol(f.out.substr(at + words.size())), 8192) << "KiB; each channel would hold 2048";
  EXPECT_EQ(ranks, 2) << f.out;
}
#endif

TEST(Mpi, ARankThatCannotPlanEndsTheOthersWithItsError) {
  const Folder folder("fdk_reconstruction", "unit: 1/mm");
  const Finished f = run(together({{4, folder.run("out")}, {1, folder.run("out", {"--memory", "300KiB"})}}));
  EXPECT_NE(f.exit_code, 0);
  EXPECT_LT(f.seconds, 30) << f.out;
  EXPECT_THAT(f.out, AllOf(HasSubstr("rank 4 of 5 has failed: fdk_reconstruction 'recon'"), HasSubstr("are left on")));
  EXPECT_THAT(f.out, Not(HasSubstr("cause is gone. Fix: "))) << "told on as it was told";
  EXPECT_FALSE(fs::exists(folder / "out/volume.mhd"));
}

TEST(Mpi, ARankThatTheCommandRefusesEndsTheOthersWithThat) {
  const Folder folder("os_sart_reconstruction", "unit: 1/mm");
  Words nowhere = folder.run("out");
  std::replace(nowhere.begin(), nowhere.end(), std::string("cpu"), std::string("cuda:7"));
  for (const auto& [words, why] :
       std::vector<std::pair<Words, std::string>>{{folder.run("out", {"--memory", "much"}), "--memory much"},
                                                  {nowhere, "--device: there is no device 'cuda:7'"}}) {
    const Finished f = run(together({{1, folder.run("out", {"--force"})}, {1, words}}));
    EXPECT_NE(f.exit_code, 0);
    EXPECT_LT(f.seconds, 30) << f.out;
    EXPECT_THAT(f.out, HasSubstr("rank 1 of 2 has failed: " + why));
  }
}

TEST(Mpi, ARankThatEndsBeforeItsPartEndsTheOthers) {
  const Folder folder("fdk_reconstruction", "unit: 1/mm");
  const Finished f = run(together({{2, folder.run("out")}, {1, {ISOCENTER_COMMAND, "modules"}}}));
  EXPECT_NE(f.exit_code, 0);
  EXPECT_LT(f.seconds, 30) << f.out;
  EXPECT_THAT(f.out, HasSubstr("rank 2 of 3 has ended without its part of the work"));
}

TEST(Mpi, RanksWithAnotherPipelineAreRefused) {
  const Folder folder("fdk_reconstruction", "unit: 1/mm");
  const Finished f = run(together({{1, folder.run("out")}, {1, folder.run("out", {"--set", "recon.nx=32"})}}));
  EXPECT_NE(f.exit_code, 0);
  EXPECT_LT(f.seconds, 30) << f.out;
  EXPECT_THAT(f.out, AllOf(HasSubstr("rank 1 of 2 runs a pipeline with other nodes or parameters than rank 0"),
                           HasSubstr("start all ranks with the same command")));
}

TEST(Mpi, APipelineThatSharesNothingIsRefused) {
  const Folder folder("phantom_volume", "nx: 8");
  std::ofstream(folder / "pipeline.yaml")
      << "isocenter: 1\nname: alone\ndescription: Nothing to share.\nnodes:\n"
         "  - name: truth\n    operator: phantom_volume\n    parameters: {nx: 8, ny: 8, nz: 8}\n"
         "  - name: sink\n    operator: image_sink\n    inputs: {input: truth.output}\n"
         "    parameters: {path: \"${output}/volume.mhd\"}\n";
  const Finished f = run(together({{2, folder.run("out")}}));
  EXPECT_NE(f.exit_code, 0);
  EXPECT_THAT(f.out, HasSubstr("2 processes run this pipeline, and none of its nodes shares its work. Fix: start one"));
}

/// Three ranks of which the second gets a signal a second after it was started.
Finished run_and_signal(const Folder& folder, int signal) {
  return run(together({{3, folder.run("out")}}), [&](pid_t mpirun) {
    std::vector<pid_t> ranks;
    for (int tries = 0; tries < 200 && ranks.size() < 3; ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      ranks = children_of(mpirun);
    }
    std::this_thread::sleep_for(std::chrono::seconds(1));
    ASSERT_EQ(ranks.size(), 3U);
    kill(ranks[1], signal);
  });
}

TEST(Mpi, ARankThatIsKilledEndsTheJob) {
  const Finished f = run_and_signal(Folder("os_sart_reconstruction", "unit: 1/mm, iterations: 100000"), SIGKILL);
  EXPECT_NE(f.exit_code, 0);
  EXPECT_LT(f.seconds, 30) << f.out;
  EXPECT_THAT(f.out, HasSubstr("Killed"));
}

/// It ends as cancelled; the others with its word, in whichever of its steps they wait for it.
TEST(Mpi, ARankThatIsCancelledEndsTheOthersWithThat) {
  for (const char* op : {"os_sart_reconstruction", "cgls_reconstruction", "tv_reconstruction"}) {
    const Folder folder(op, "unit: 1/mm, iterations: 100000");
    const Finished f = run_and_signal(folder, SIGTERM);
    EXPECT_NE(f.exit_code, 0);
    EXPECT_LT(f.seconds, 30) << f.out;
    EXPECT_THAT(f.out, AllOf(HasSubstr("isocenter run (rank 1): cancelled; what was finished is kept"),
                             HasSubstr("rank 1 of 3 has failed: its session was cancelled. Fix: start the job again"),
                             Not(HasSubstr("without its part")), Not(HasSubstr("signal 11"))))
        << op;
    EXPECT_FALSE(fs::exists(folder / "out/volume.mhd"));
  }
}

TEST(Mpi, MoreProcessesThanSlicesAreRefused) {
  const Folder folder("fdk_reconstruction", "unit: 1/mm, nz: 2");
  const Finished f = run(together({{3, folder.run("out")}}));
  EXPECT_NE(f.exit_code, 0);
  EXPECT_THAT(f.out, HasSubstr("3 processes share a volume of 2 slices. Fix: start 2 at most"));
}

}  // namespace
