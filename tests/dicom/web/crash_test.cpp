// kill -9 at every stage of sending by STOW-RS, and a server that disconnects at every stage of it: nothing is lost,
// and nothing is sent twice to a server that answers queries.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dicom/network/cutting_proxy.hpp"
#include "dicom/network/faulty_disk.hpp"
#include "dicom/network/service_peer.hpp"
#include "dicom/web/web_carrier.hpp"
#include "web_test.hpp"

namespace isocenter::test {
namespace {

using namespace detail::dicom;

/// SOPInstanceUID (0008,0018) of each part of a request that was posted: explicit little endian.
std::vector<std::string> posted(const std::string& body) {
  const std::string tag("\x08\x00\x18\x00UI", 6);
  std::vector<std::string> uids;
  for (std::size_t at = body.find(tag); at != std::string::npos; at = body.find(tag, at + 8)) {
    std::string uid = body.substr(at + 8, static_cast<unsigned char>(body[at + 6]));
    if (!uid.empty() && uid.back() == '\0') uid.pop_back();
    uids.push_back(uid);
  }
  return uids;
}

/// A server that takes what is posted and answers queries with what it has; it notes arrivals in a folder.
std::string serve_archive(const std::string& folder, const ScriptedServer::Request& request) {
  const auto named = [](const char* tag, const std::string& uid) {
    return "{\"" + std::string(tag) + R"(": {"vr": "UI", "Value": [")" + uid + "\"]}}";
  };
  if (request.line.starts_with("POST")) {
    std::string stored;
    for (const std::string& uid : posted(request.body)) {
      note_arrival(folder, uid);
      stored += (stored.empty() ? "" : ",") + named("00081155", uid);
    }
    return http_answer("200 OK", dicom_json, R"({"00081199": {"vr": "SQ", "Value": [)" + stored + "]}}");
  }
  const std::string key = "SOPInstanceUID=";
  const std::size_t from = request.line.find(key) + key.size();
  const std::string uid = request.line.substr(from, request.line.find('&', from) - from);
  const bool there = request.line.find("offset=0") != std::string::npos && arrivals(folder, uid) > 0;
  return http_answer("200 OK", dicom_json, there ? "[" + named("00080018", uid) + "]" : "[]");
}

/// The server in a process of its own: forking goes on from a process with one thread.
class ArchiveServer {
 public:
  explicit ArchiveServer(const std::string& folder) {
    int said[2];
    if (::pipe(said) != 0) throw std::runtime_error("ArchiveServer");
    pid_ = ::fork();
    if (pid_ == 0) {
      const ScriptedServer server([&](const auto& request, int) { return serve_archive(folder, request); });
      const int port = server.port();
      if (::write(said[1], &port, sizeof port) != sizeof port) ::_exit(1);
      for (;;) ::pause();
    }
    if (::read(said[0], &port_, sizeof port_) != sizeof port_) throw std::runtime_error("ArchiveServer");
    ::close(said[0]);
    ::close(said[1]);
  }
  ~ArchiveServer() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ArchiveServer(const ArchiveServer&) = delete;
  ArchiveServer& operator=(const ArchiveServer&) = delete;
  int port() const { return port_; }

 private:
  int pid_ = -1, port_ = 0;
};

Outbox::Delivery deliver_to(int port, const std::string& outbox_folder) {
  Outbox outbox(outbox_folder);
  WebClient client(web_peer("http://127.0.0.1:" + std::to_string(port) + "/web"), never);
  WebCarrier carrier(client);
  return outbox.deliver(carrier, {.attempts = 1}, never);
}

/// UIDs of the same length for every round: so the cuts of one fit the others.
std::string prefix_of(int round) { return "1.2.826.0.1.3680043.8.498." + std::to_string(1000 + round); }

void put_two(const TemporaryFolder& folder, int round) {
  const std::string prefix = prefix_of(round);
  Outbox(folder / prefix).put(write_ct_series(folder / (prefix + ".ct"), 2, 8, prefix));
}

void expect_each_once(const TemporaryFolder& folder, int round) {
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(arrivals(folder / "archive", instance_uid(i, prefix_of(round))), 1)
        << "round " << round << ", instance " << i;
}

TEST(WebCrash, AnOutboxKilledAtAnyStageLosesNothingAndSendsNothingTwice) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "archive");
  const ArchiveServer archive(folder / "archive");
  bool whole = false;
  int stages = 0;
  for (; !whole && stages < 300; ++stages) {
    put_two(folder, stages);
    const auto send = [&] { return deliver_to(archive.port(), folder / prefix_of(stages)); };
    whole = survives(stages, send);
    EXPECT_EQ(send().left, 0) << "stage " << stages;
    expect_each_once(folder, stages);
    EXPECT_TRUE(dicom_files(folder / prefix_of(stages)).empty()) << "stage " << stages;
  }
  EXPECT_TRUE(whole);
  EXPECT_GT(stages, has_all_faults ? 10 : 5);
}

TEST(WebCrash, AServerThatDisconnectsAtAnyStageGetsEverythingOnce) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "archive");
  ScriptedServer server([&](const auto& request, int) { return serve_archive(folder / "archive", request); });
  std::size_t lengths[2] = {};
  {
    CuttingProxy proxy(server.port(), never_cut, never_cut);
    put_two(folder, 0);
    EXPECT_EQ(deliver_to(proxy.port(), folder / prefix_of(0)).delivered, 2);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    for (std::size_t way = 0; way < 2; ++way) lengths[way] = proxy.carried(way).size();
  }
  ASSERT_GT(lengths[0], 1000U);
  ASSERT_GT(lengths[1], 200U);
  int round = 0, left = 0;
  for (std::size_t way = 0; way < 2; ++way)
    for (std::size_t cut = 0; cut < lengths[way] + 50; cut += lengths[way] / 12) {
      put_two(folder, ++round);
      {
        CuttingProxy proxy(server.port(), way == 0 ? cut : never_cut, way == 1 ? cut : never_cut);
        const auto first = deliver_to(proxy.port(), folder / prefix_of(round));
        EXPECT_EQ(first.delivered + first.left, 2) << (way == 0 ? "up after " : "down after ") << cut;
        left += static_cast<int>(first.left);
      }
      EXPECT_EQ(deliver_to(server.port(), folder / prefix_of(round)).left, 0);
      expect_each_once(folder, round);
    }
  EXPECT_GT(left, 30);
}

}  // namespace
}  // namespace isocenter::test
