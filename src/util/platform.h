// The only file whose implementation calls the platform: mapping files, renaming, opening libraries, terminals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "util/result.h"

namespace keras_litert {

// A file mapped privately into memory. Reading touches only the pages read; Release() gives pages back.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> Open(const std::filesystem::path& path);
  virtual ~MappedFile() = default;

  virtual std::span<const std::byte> bytes() const = 0;
  // Drops the resident pages that lie wholly inside [offset, offset + size); they are read again if touched again.
  virtual void Release(size_t offset, size_t size) const = 0;
};

// The largest resident memory of this process so far, in bytes; 0 where the platform does not say.
int64_t PeakResidentBytes();

// True if standard error is a terminal.
bool StderrIsTerminal();

}  // namespace keras_litert
