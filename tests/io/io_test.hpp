#pragma once
// What the tests of this room share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <isocenter/isocenter.h>
#include <stdlib.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <isocenter/error.hpp>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

namespace isocenter::io_test {
namespace fs = std::filesystem;

/// A folder of its own for a test, gone after it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "isocenter-io-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }
  /// Names in the folder, sorted; also hidden ones.
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(path_)) all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  fs::path path_;
};

inline fs::path fixture(const std::string& name) { return fs::path(ISOCENTER_TEST_DATA) / name; }

inline std::vector<char> bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_bytes(const fs::path& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Expects an Error with the code, whose message has all the parts and ends with a fix.
template <class F>
void expect_failure(F&& f, ErrorCode code, const std::vector<std::string>& parts) {
  try {
    f();
    ADD_FAILURE() << "nothing was refused; expected: " << ::testing::PrintToString(parts);
  } catch (const Error& e) {
    EXPECT_EQ(static_cast<int>(e.code()), static_cast<int>(code)) << e.what();
    for (const std::string& part : parts) EXPECT_THAT(e.what(), ::testing::HasSubstr(part));
    EXPECT_THAT(e.what(), ::testing::HasSubstr("Fix: "));
  }
}

/// A launcher with so many threads of its own, without a context.
inline isocenter_launcher threads(int count) {
  isocenter_launcher l{};
  l.struct_size = sizeof l;
  l.concurrency = count;
  l.pool = reinterpret_cast<void*>(static_cast<std::intptr_t>(count));
  l.parallel_for = [](void* pool, int64_t n, int64_t, void (*body)(void*, int64_t, int64_t), void* data) {
    const auto workers = static_cast<int64_t>(reinterpret_cast<std::intptr_t>(pool));
    std::vector<std::thread> running;
    for (int64_t w = 0; w < workers; ++w)
      running.emplace_back([=] { body(data, n * w / workers, n * (w + 1) / workers); });
    for (auto& t : running) t.join();
  };
  return l;
}

}  // namespace isocenter::io_test
