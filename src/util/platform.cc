#include "util/platform.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return Fail(path.string(), "file-1", std::string("cannot be opened: ") + std::strerror(errno),
                "Check the path and its permissions.");
  }
  struct stat info {};
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

int64_t PeakResidentBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

bool StderrIsTerminal() { return isatty(STDERR_FILENO) != 0; }

}  // namespace keras_litert
