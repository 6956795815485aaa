#pragma once
// The command as scripts and people see it: a process with arguments, an exit code, two outputs; on a pipe or a
// terminal.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace isocenter::testing {

namespace fs = std::filesystem;

struct Finished {
  int exit_code = -1;
  std::string out, err;  ///< a terminal's process has all of it in err
};

class Process {
 public:
  struct Options {
    std::map<std::string, std::string> environment;
    std::string folder;  ///< working folder
    bool terminal = false;
  };

  explicit Process(const std::vector<std::string>& arguments) : Process(arguments, Options{}) {}
  Process(const std::vector<std::string>& arguments, const Options& options) {
    int out[2], err[2];
    if (pipe(out) != 0 || pipe(err) != 0) throw std::runtime_error("pipe");
    if (options.terminal) {
      close(err[0]);
      close(err[1]);
      winsize size{40, 100, 0, 0};
      if (openpty(&err[0], &err[1], nullptr, nullptr, &size) != 0) throw std::runtime_error("openpty");
    }
    std::vector<std::string> words = {ISOCENTER_COMMAND, "--module", ISOCENTER_TEST_MODULE};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(out[1], STDOUT_FILENO);
      dup2(err[1], STDERR_FILENO);
      for (const int f : {out[0], out[1], err[0], err[1]}) close(f);
      setenv("TERM", "xterm", 1);
      for (const auto& [key, value] : options.environment) setenv(key.c_str(), value.c_str(), 1);
      if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) _exit(126);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(out[1]);
    close(err[1]);
    out_ = out[0];
    err_ = err[0];
    reader_ = std::thread([this] { read_all(); });
  }
  ~Process() {
    if (!ended_) {
      kill(pid_, SIGKILL);
      wait();
    }
  }

  void signal(int number) const { kill(pid_, number); }

  /// Waits until the process has said `text` on stderr; false after 100 s.
  bool says(const std::string& text) {
    for (int i = 0; i < 10000; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (finished_.err.find(text) != std::string::npos) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  Finished wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    reader_.join();
    finished_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    return finished_;
  }

 private:
  void read_all() {
    std::vector<pollfd> files = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
    char data[4096];
    while (files[0].fd >= 0 || files[1].fd >= 0) {
      poll(files.data(), 2, -1);
      for (std::size_t i = 0; i < 2; ++i) {
        if (files[i].fd < 0 || files[i].revents == 0) continue;
        const ssize_t n = read(files[i].fd, data, sizeof data);
        if (n <= 0) {  // a terminal ends with an error instead of 0
          close(files[i].fd);
          files[i].fd = -1;
          continue;
        }
        const std::lock_guard lock(mutex_);
        (i == 0 ? finished_.out : finished_.err).append(data, static_cast<std::size_t>(n));
      }
    }
  }

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
  std::mutex mutex_;
  Finished finished_;
  bool ended_ = false;
  std::thread reader_;
};

inline Finished command(const std::vector<std::string>& arguments) { return Process(arguments).wait(); }
inline Finished command(const std::vector<std::string>& arguments, const Process::Options& options) {
  return Process(arguments, options).wait();
}

/// A folder of its own for each test, gone with it.
class CommandTest : public ::testing::Test {
 protected:
  CommandTest() {
    std::string name = (fs::temp_directory_path() / "isocenter_apps_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = fs::canonical(name);
  }
  ~CommandTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::string write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return path(name);
  }
  static std::string read(const fs::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
  }
  static nlohmann::json read_json(const fs::path& file) { return nlohmann::json::parse(read(file)); }

  /// Every file below the test's folder, relative to it.
  std::vector<std::string> files(const std::string& below) const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / below))
      if (entry.is_regular_file()) all.push_back(entry.path().lexically_relative(folder_ / below).string());
    std::sort(all.begin(), all.end());
    return all;
  }

  /// A water cylinder of 16 x 16 x 8 voxels whose sum goes into ${output}/sum.txt.
  std::string small_pipeline(const std::string& more_of_sink = "") const {
    return write("small.yaml", R"(isocenter: 1
name: small
nodes:
  - name: write
    operator: test_text_sink
    inputs: {input: slow.output}
    parameters:
      path: ${output}/sum.txt
)" + more_of_sink + R"(  - name: slow
    operator: test_slow
    inputs: {input: phantom.output}
    parameters: {seconds: 0.02}
  - name: phantom
    operator: phantom_volume
    parameters:
      phantom: water_cylinder
      unit: relative
      radius_mm: 4
      nx: 16
      ny: 16
      nz: 8
      spacing_mm: [1, 1, 1]
)");
  }

  fs::path folder_;
};

}  // namespace isocenter::testing
