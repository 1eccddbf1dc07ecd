#include "util/platform.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace keras_litert {
namespace {

class PosixMapping final : public MappedFile {
 public:
  PosixMapping(void* base, size_t size) : base_(base), size_(size) {}
  PosixMapping(const PosixMapping&) = delete;
  PosixMapping& operator=(const PosixMapping&) = delete;
  ~PosixMapping() override {
    if (size_ > 0) munmap(base_, size_);
  }

  std::span<const std::byte> bytes() const override {
    return {static_cast<const std::byte*>(base_), size_};
  }
  void Release(size_t offset, size_t size) const override {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t begin = (offset + page - 1) / page * page;
    const size_t end = (offset + size) / page * page;
    if (begin < end) madvise(static_cast<char*>(base_) + begin, end - begin, MADV_DONTNEED);
  }

 private:
  void* base_;
  size_t size_;
};

// The temporary files to remove on a signal. A handler may neither lock nor allocate: names lie in
// a fixed table that is never freed. Where the table is full, or a name too long, the file stays
// behind.
class Unfinished {
 public:
  // Where `path` was put, or null.
  static Unfinished* Add(const std::filesystem::path& path) {
    if (path.native().size() >= sizeof(name_)) return nullptr;
    for (Unfinished& slot : slots_) {
      State free = kFree;
      if (!slot.state_.compare_exchange_strong(free, kBusy)) continue;
      std::memcpy(slot.name_, path.c_str(), path.native().size() + 1);
      slot.state_ = kSet;
      return &slot;
    }
    return nullptr;
  }
  void Remove() { state_ = kFree; }

  static void OnSignal(int signal) {
    for (Unfinished& slot : slots_) {
      if (slot.state_ == kSet) unlink(slot.name_);
    }
    // SA_RESETHAND has restored the default action; it takes effect when this handler returns.
    raise(signal);
  }

 private:
  enum State { kFree, kBusy, kSet };

  static std::array<Unfinished, 16> slots_;
  std::atomic<State> state_ = kFree;
  char name_[4096] = {};
};

std::array<Unfinished, 16> Unfinished::slots_;

class PosixOutput final : public OutputFile {
 public:
  PosixOutput(int file, std::filesystem::path temporary, std::filesystem::path target)
      : file_(file),
        temporary_(std::move(temporary)),
        target_(std::move(target)),
        unfinished_(Unfinished::Add(temporary_)) {}
  PosixOutput(const PosixOutput&) = delete;
  PosixOutput& operator=(const PosixOutput&) = delete;
  ~PosixOutput() override {
    if (file_ >= 0) close(file_);
    if (!committed_) unlink(temporary_.c_str());
    if (unfinished_ != nullptr) unfinished_->Remove();
  }

  Status Reserve(int64_t size) override {
#ifdef __linux__
    // File systems that cannot reserve say so; then a full disk shows when it is written.
    if (size > 0 && fallocate(file_, 0, 0, size) != 0 && (errno == ENOSPC || errno == EFBIG)) {
      return WriteError(size);
    }
#endif
    return ftruncate(file_, size) == 0 ? Status() : WriteError(size);
  }

  Status WriteAt(int64_t offset, std::span<const std::byte> bytes) override {
    // Linux caches each piece in blocks of memory as large as the piece. Large blocks are quick
    // where they are at hand, but in a virtual machine they are those that its host took back and
    // must give again. Measured there on ext4 for 2 GB, several times in turn, by processor time:
    // pieces of 16 KB 0.9 s, 64 KB 0.5 s to 0.9 s, 256 KB 1.4 s to 2.6 s, 8 MB 0.9 s to 5.1 s; and
    // 0.9 s to 3.3 s where the file is mapped and filled.
    constexpr int64_t kPiece = 64 << 10;  // pieces end at its multiples
    while (!bytes.empty()) {
      const size_t piece = std::min(bytes.size(), static_cast<size_t>(kPiece - offset % kPiece));
      const ssize_t written = pwrite(file_, bytes.data(), piece, offset);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return WriteError(static_cast<int64_t>(bytes.size()));
      bytes = bytes.subspan(static_cast<size_t>(written));
      offset += written;
    }
    return {};
  }

  Status Commit() override {
    const int closed = close(std::exchange(file_, -1));
    if (closed != 0 || rename(temporary_.c_str(), target_.c_str()) != 0) return WriteError(0);
    committed_ = true;
    return {};
  }

 private:
  Status WriteError(int64_t bytes) const {
    const int error = errno;
    std::string message = std::string("cannot be written: ") + std::strerror(error);
    if (bytes > 0) message += " (" + std::to_string(bytes) + " bytes wanted)";
    return Fail(target_.string(), "file-6", std::move(message),
                error == ENOSPC || error == EDQUOT
                    ? "Free space on the disk, or choose another output directory."
                    : "Check the output directory.");
  }

  int file_;
  std::filesystem::path temporary_;
  std::filesystem::path target_;
  Unfinished* unfinished_;
  bool committed_ = false;
};

}  // namespace

Result<std::unique_ptr<OutputFile>> OutputFile::Create(const std::filesystem::path& target) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::weakly_canonical(target, error);
  if (error) path = target;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return Fail(target.string(), "file-4",
                std::filesystem::is_directory(status) ? "is a directory" : "is not a regular file",
                "Name the .tflite file to write.");
  }
  static std::atomic<unsigned> counter{0};
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::filesystem::path temporary = path;
    temporary.replace_filename("." + path.filename().string() + "." + std::to_string(getpid()) +
                               "." + std::to_string(counter++) + ".tmp");
    const int file = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0)
      return std::make_unique<PosixOutput>(file, std::move(temporary), std::move(path));
    if (errno == EEXIST) continue;
    return Fail(target.string(), "file-5",
                std::string("cannot be created: ") + std::strerror(errno),
                errno == ENOENT ? "Create the output directory first."
                                : "Check the output directory's permissions.");
  }
  return Fail(target.string(), "file-5", "cannot be created: no free temporary name beside it");
}

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return Fail(path.string(), "file-1", std::string("cannot be opened: ") + std::strerror(errno),
                "Check the path and its permissions.");
  }
  struct stat info{};
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(file);
    return Fail(path.string(), "file-2", "is not a regular file", "Name a .keras or .h5 file.");
  }
  const auto size = static_cast<size_t>(info.st_size);
  void* base = nullptr;
  if (size > 0) {
    base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  }
  close(file);
  if (base == MAP_FAILED) {
    return Fail(path.string(), "file-3",
                std::string("cannot be mapped into memory: ") + std::strerror(errno));
  }
  return std::make_shared<PosixMapping>(base, size);
}

Result<DynamicLibrary> DynamicLibrary::Open(const std::filesystem::path& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return DynamicLibrary(handle);
  const char* why = dlerror();
  return Fail(path.string(), "file-9",
              std::string("is no library that can be loaded: ") + (why != nullptr ? why : ""));
}

void* DynamicLibrary::Find(const char* name) const {
  return dlsym(handle_, name);
}

void RemoveOutputFilesOnInterrupt() {
  std::signal(SIGXFSZ, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action{};
    // What the parent ignores (nohup) stays ignored.
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action.sa_handler = Unfinished::OnSignal;
    action.sa_flags = SA_RESETHAND;
    sigaction(signal, &action, nullptr);
  }
}

unsigned DefaultThreads() {
  return std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
}

int64_t PeakResidentBytes() {
#ifdef __linux__
  // getrusage() would count what the process that started this one held before exec.
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kPeak = "VmHWM:";
    if (line.starts_with(kPeak)) {
      return std::strtoll(line.c_str() + kPeak.size(), nullptr, 10) * 1024;  // "VmHWM:  5400 kB"
    }
  }
#endif
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

bool StderrIsTerminal() {
  return isatty(STDERR_FILENO) != 0;
}
bool StdoutIsTerminal() {
  return isatty(STDOUT_FILENO) != 0;
}

}  // namespace keras_litert
