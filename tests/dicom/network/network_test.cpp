#include "network_test.hpp"

#include <arpa/inet.h>
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcdeftag.h>
#include <dcmtk/dcmdata/dcfilefo.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/oflog/oflog.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

#include "dicom/network/store_carrier.hpp"

namespace isocenter::test {

namespace fs = std::filesystem;

namespace {
// The module keeps DCMTK's log off the terminal (toolkit.hpp); here there is no module.
[[maybe_unused]] const bool quiet = (OFLog::configure(OFLogger::OFF_LOG_LEVEL), true);
}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "isocenter-network-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}
TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string instance_uid(int i, const std::string& prefix) { return prefix + ".3." + std::to_string(i + 1); }

std::vector<std::string> write_ct_series(const std::string& folder, int count, int size, const std::string& prefix) {
  fs::create_directories(folder);
  std::vector<std::string> paths;
  for (int i = 0; i < count; ++i) {
    DcmFileFormat file;
    DcmDataset& d = *file.getDataset();
    d.putAndInsertString(DCM_SOPClassUID, UID_CTImageStorage);
    d.putAndInsertString(DCM_SOPInstanceUID, instance_uid(i, prefix).c_str());
    d.putAndInsertString(DCM_StudyInstanceUID, (prefix + ".1").c_str());
    d.putAndInsertString(DCM_SeriesInstanceUID, (prefix + ".2").c_str());
    d.putAndInsertString(DCM_FrameOfReferenceUID, (prefix + ".4").c_str());
    d.putAndInsertString(DCM_Modality, "CT");
    d.putAndInsertString(DCM_PatientName, "Loop^Back");
    d.putAndInsertString(DCM_PatientID, "LOOP1");
    d.putAndInsertString(DCM_StudyID, "1");
    d.putAndInsertString(DCM_StudyDate, "20260101");
    d.putAndInsertString(DCM_StudyTime, "120000");
    d.putAndInsertString(DCM_AccessionNumber, "A1");
    d.putAndInsertString(DCM_SeriesNumber, "1");
    d.putAndInsertString(DCM_InstanceNumber, std::to_string(i + 1).c_str());
    d.putAndInsertString(DCM_ImageType, "ORIGINAL\\PRIMARY\\AXIAL");
    d.putAndInsertString(DCM_ImageOrientationPatient, "1\\0\\0\\0\\1\\0");
    d.putAndInsertString(DCM_ImagePositionPatient, ("0\\0\\" + std::to_string(2 * i)).c_str());
    d.putAndInsertString(DCM_PixelSpacing, "1\\1");
    d.putAndInsertString(DCM_RescaleSlope, "1");
    d.putAndInsertString(DCM_RescaleIntercept, "-1024");
    d.putAndInsertString(DCM_PhotometricInterpretation, "MONOCHROME2");
    d.putAndInsertUint16(DCM_SamplesPerPixel, 1);
    d.putAndInsertUint16(DCM_Rows, static_cast<Uint16>(size));
    d.putAndInsertUint16(DCM_Columns, static_cast<Uint16>(size));
    d.putAndInsertUint16(DCM_BitsAllocated, 16);
    d.putAndInsertUint16(DCM_BitsStored, 16);
    d.putAndInsertUint16(DCM_HighBit, 15);
    d.putAndInsertUint16(DCM_PixelRepresentation, 0);
    std::vector<Uint16> pixels(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
    for (std::size_t k = 0; k < pixels.size(); ++k) pixels[k] = static_cast<Uint16>(k + static_cast<std::size_t>(i));
    d.putAndInsertUint16Array(DCM_PixelData, pixels.data(), static_cast<unsigned long>(pixels.size()));
    paths.push_back(folder + "/" + std::to_string(i) + ".dcm");
    if (file.saveFile(paths.back().c_str(), EXS_LittleEndianExplicit).bad()) throw std::runtime_error(paths.back());
  }
  return paths;
}

std::vector<std::string> dicom_files(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error))
    if (entry.is_regular_file() && entry.path().extension() == ".dcm") found.push_back(entry.path().string());
  return found;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool same_data_set(const std::string& a, const std::string& b) {
  const auto data_set = [](const std::string& path) {
    const std::string all = text_of(path);
    if (all.size() < 144) return std::string("too short: ") + path;
    std::size_t group = 0;
    for (std::size_t i = 4; i-- > 0;) group = group << 8U | static_cast<unsigned char>(all[140 + i]);
    return all.substr(std::min(all.size(), 144 + group));
  };
  return data_set(a) == data_set(b);
}

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(socket);
  return ntohs(address.sin_port);
}

Program::Program(const std::vector<std::string>& command, const std::string& log,
                 const std::vector<std::string>& environment) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  for (const std::string& setting : environment) ::putenv(const_cast<char*>(setting.c_str()));
  ::execvp(words[0], words.data());
  ::_exit(127);
}

int Program::wait() {
  if (pid_ < 0) return -1;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Program::kill_now() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
  wait();
}

Program::~Program() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 100; ++i) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  kill_now();
}

int run_program(const std::vector<std::string>& command, const std::string& log,
                const std::vector<std::string>& environment) {
  return Program(command, log, environment).wait();
}

bool wait_for_port(int port) {
  for (int i = 0; i < 200; ++i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool open = ::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(socket);
    if (open) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

detail::dicom::Peer loopback(int port, const std::string& called) {
  detail::dicom::Peer peer;
  peer.host = "127.0.0.1";
  peer.port = port;
  peer.called_ae = called;
  peer.timeout_s = 5;
  return peer;
}

namespace {
constexpr const char* orthanc_program = "/usr/sbin/Orthanc";
}

bool Orthanc::is_installed() { return fs::exists(orthanc_program); }

Orthanc::Orthanc() : port(free_port()), our_port(free_port()) {
  std::ofstream(folder / "orthanc.json")
      << R"({"StorageDirectory": ")" << folder / "db"
      << R"(", "IndexDirectory": ")" << folder / "db"
      << R"(", "HttpServerEnabled": false, "DicomAet": "ORTHANC", "Plugins": [], "DicomPort": )" << port
      << R"(, "DicomModalities": {"we": {"AET": "ISOCENTER", "Host": "127.0.0.1", "Port": )" << our_port
      << R"(, "AllowStorageCommitment": true}}})";
  program_ =
      std::make_unique<Program>(std::vector<std::string>{orthanc_program, folder / "orthanc.json"}, folder / "log");
  if (!wait_for_port(port)) ADD_FAILURE() << text_of(folder / "log");
}

detail::dicom::Outbox::Delivery deliver(detail::dicom::Outbox& outbox, const detail::dicom::Peer& peer, int attempts,
                                        int associations, int batch) {
  detail::dicom::StoreCarrier carrier(peer, associations, batch);
  return outbox.deliver(carrier, {.attempts = attempts, .first_pause_s = 0.05, .longest_pause_s = 0.2},
                        [] { return false; });
}

}  // namespace isocenter::test
