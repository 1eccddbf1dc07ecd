// The directory of a zip file in memory: entries, and where their data lies.
//
// Only what a saved model needs: stored and deflated entries, zip64, bytes before the first entry.
// What an entry claims is checked against the file before it is believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "util/result.h"

namespace keras_litert::archive {

struct ZipEntry {
  uint16_t method = 0;  // 0 stored, 8 deflated
  bool encrypted = false;
  uint32_t crc = 0;
  uint64_t stored_size = 0;    // bytes in the file
  uint64_t size = 0;           // bytes of the content
  uint64_t header_offset = 0;  // of the local header, from the start of the file

  bool is_stored() const { return method == 0; }
};

class ZipDirectory {
 public:
  // True if `file` starts as a zip file does. A zip with a prefix is only found by Read().
  static bool LooksLikeZip(std::span<const std::byte> file);
  // Reads the central directory. `name` is the file's name, for errors. The span must outlive the
  // directory.
  static Result<ZipDirectory> Read(std::span<const std::byte> file, std::string name);

  // By path; folders are left out.
  const std::map<std::string, ZipEntry, std::less<>>& entries() const { return entries_; }
  // Null where there is none.
  const ZipEntry* Find(std::string_view path) const;
  // The entry's bytes as they lie in the file, compressed or not.
  Result<std::span<const std::byte>> StoredBytes(std::string_view path,
                                                 const ZipEntry& entry) const;
  // The entry's content, decompressed where needed and checked against its CRC. Contents above
  // `limit` bytes are refused.
  Result<std::vector<std::byte>> ReadContent(std::string_view path, const ZipEntry& entry,
                                             uint64_t limit) const;

 private:
  ZipDirectory(std::span<const std::byte> file, std::string name)
      : file_(file), name_(std::move(name)) {}
  Status ReadEntries(uint64_t offset, uint64_t size, uint64_t count, uint64_t prefix);
  Status CheckOverlap() const;

  std::span<const std::byte> file_;
  std::string name_;
  std::map<std::string, ZipEntry, std::less<>> entries_;
};

}  // namespace keras_litert::archive
