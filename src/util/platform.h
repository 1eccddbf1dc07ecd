// The only file whose implementation calls the platform: mapping files, renaming, opening
// libraries, terminals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "util/result.h"

namespace keras_litert {

// A file mapped privately into memory. Reading touches only the pages read; Release() gives pages
// back.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> Open(const std::filesystem::path& path);
  virtual ~MappedFile() = default;

  virtual std::span<const std::byte> bytes() const = 0;
  // Drops the resident pages that lie wholly inside [offset, offset + size); they are read again if
  // touched again.
  virtual void Release(size_t offset, size_t size) const = 0;
};

// A file that appears under its name only when it is complete. Until Commit() it lies beside its
// target under a unique temporary name; destroyed without Commit(), it disappears. A target that is
// a link is written through. Errors: file-4 (target is no regular file), file-5 (cannot be
// created), file-6 (cannot be written).
class OutputFile {
 public:
  static Result<std::unique_ptr<OutputFile>> Create(const std::filesystem::path& target);
  virtual ~OutputFile() = default;

  // Sets the size; fails early where the disk is too full for it.
  virtual Status Reserve(int64_t size) = 0;
  // Writes at a place inside the reserved size. May be called from several threads at once.
  virtual Status WriteAt(int64_t offset, std::span<const std::byte> bytes) = 0;
  // Gives the file its name, in place of what had it before. Called once, last.
  virtual Status Commit() = 0;
};

// A shared library opened at run time. It stays loaded for the life of the process, as runtimes
// that start threads do not survive being unloaded.
class DynamicLibrary {
 public:
  // `path` is a file, or a bare name that the system's loader looks for. Errors: file-9.
  static Result<DynamicLibrary> Open(const std::filesystem::path& path);
  // The address of an exported name, or null.
  void* Find(const char* name) const;

 private:
  explicit DynamicLibrary(void* handle) : handle_(handle) {}
  void* handle_;
};

// From now on an interrupt (Ctrl-C), a hang-up or a request to terminate removes what unfinished
// OutputFiles have written so far, then ends the process as it would have. A file larger than the
// user's limit becomes an error of the write instead of a signal. For programs: a library leaves
// signals alone.
void RemoveOutputFilesOnInterrupt();

// How many threads share a work that takes any number of them: one for each processor, at most 8.
unsigned DefaultThreads();

// The largest resident memory of this process so far, in bytes; 0 where the platform does not say.
int64_t PeakResidentBytes();

// True if standard error, or standard output, is a terminal.
bool StderrIsTerminal();
bool StdoutIsTerminal();

}  // namespace keras_litert
