#include "archive/zip.h"

#include <algorithm>
#include <new>

#include "archive/inflate.h"

namespace keras_litert::archive {
namespace {

// Why not minizip or libzip: docs/architecture.md, "Readers of our own".
//
// Layouts (PKWARE's APPNOTE 6.3, sections 4.3 and 4.4). All numbers are little-endian.
//
//   [prefix] {local header, name, extra, data}… {central header, name, extra, comment}…
//   [zip64 end record, zip64 locator] end record, comment
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr size_t kLocalSize = 30;
constexpr size_t kCentralSize = 46;
constexpr size_t kEndSize = 22;
constexpr size_t kEnd64Size = 56;
constexpr size_t kLocator64Size = 20;
constexpr size_t kMaxComment = 65535;
constexpr uint32_t kMax32 = 0xffffffff;
constexpr uint16_t kZip64Extra = 1;

constexpr char kSaveAgain[] = "Save the model again with `model.save(\"model.keras\")`.";

uint64_t Get(std::span<const std::byte> bytes, size_t offset, int size) {
  uint64_t value = 0;
  for (int i = size - 1; i >= 0; --i) {
    value = value << 8 | std::to_integer<uint64_t>(bytes[offset + static_cast<size_t>(i)]);
  }
  return value;
}
uint16_t Get16(std::span<const std::byte> b, size_t o) {
  return static_cast<uint16_t>(Get(b, o, 2));
}
uint32_t Get32(std::span<const std::byte> b, size_t o) {
  return static_cast<uint32_t>(Get(b, o, 4));
}
uint64_t Get64(std::span<const std::byte> b, size_t o) {
  return Get(b, o, 8);
}

// True if [offset, offset + size) lies in [0, limit).
bool Inside(uint64_t offset, uint64_t size, uint64_t limit) {
  return offset <= limit && size <= limit - offset;
}

}  // namespace

bool ZipDirectory::LooksLikeZip(std::span<const std::byte> file) {
  if (file.size() < 4) return false;
  const uint32_t signature = Get32(file, 0);
  return signature == kLocalSignature || signature == kEndSignature;
}

Result<ZipDirectory> ZipDirectory::Read(std::span<const std::byte> file, std::string name) {
  ZipDirectory directory(file, std::move(name));
  const auto broken = [&](std::string why) {
    return Fail(directory.name_, "archive-2", "the zip file is broken or truncated: " + why,
                "Copy or download the file again, or save the model again.");
  };
  // 1. The end record: the last one whose comment ends where the file does.
  if (file.size() < kEndSize) return broken("it has " + std::to_string(file.size()) + " bytes");
  uint64_t end = file.size() - kEndSize;
  const uint64_t last = end > kMaxComment ? end - kMaxComment : 0;
  for (;; --end) {
    if (Get32(file, end) == kEndSignature &&
        Get16(file, end + 20) == file.size() - end - kEndSize) {
      break;
    }
    if (end == last) return broken("its directory is missing");
  }
  uint64_t count = Get16(file, end + 10);
  uint64_t size = Get32(file, end + 12);
  uint64_t offset = Get32(file, end + 16);
  uint64_t directory_end = end;
  // 2. The zip64 end record, where there is one: from 2 GB on Python's zipfile writes it although
  // the end record's own fields are wide enough up to 4 GB.
  if (end >= kLocator64Size && Get32(file, end - kLocator64Size) == kLocator64Signature) {
    // The record lies right before the locator unless it has extensible data, which nobody
    // writes; the locator's own offset does not count a prefix.
    const uint64_t locator = end - kLocator64Size;
    if (locator < kEnd64Size || Get32(file, locator - kEnd64Size) != kEnd64Signature) {
      return broken("its zip64 end record is missing");
    }
    const uint64_t end64 = locator - kEnd64Size;
    count = Get64(file, end64 + 32);
    size = Get64(file, end64 + 40);
    offset = Get64(file, end64 + 48);
    directory_end = end64;
  }
  // 3. The directory ends where the end record starts; what its offset lacks is the prefix's size.
  if (size > directory_end || offset > directory_end - size) {
    return broken("its directory claims " + std::to_string(size) + " bytes at " +
                  std::to_string(offset) + " of " + std::to_string(file.size()));
  }
  const uint64_t prefix = directory_end - size - offset;
  KL_RETURN_IF_ERROR(directory.ReadEntries(offset + prefix, size, count, prefix));
  return directory;
}

Status ZipDirectory::ReadEntries(uint64_t offset, uint64_t size, uint64_t count, uint64_t prefix) {
  const auto broken = [&](std::string why) {
    return Fail(name_, "archive-2", "the zip file is broken or truncated: " + why,
                "Copy or download the file again, or save the model again.");
  };
  if (count > size / kCentralSize) {
    return broken("its directory of " + std::to_string(size) + " bytes claims " +
                  std::to_string(count) + " entries");
  }
  const std::span<const std::byte> bytes = file_.subspan(offset, size);
  size_t at = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (!Inside(at, kCentralSize, size) || Get32(bytes, at) != kCentralSignature) {
      return broken("entry " + std::to_string(i) + " of its directory is damaged");
    }
    ZipEntry entry;
    entry.encrypted = (Get16(bytes, at + 8) & 1) != 0;
    entry.method = Get16(bytes, at + 10);
    entry.crc = Get32(bytes, at + 16);
    entry.stored_size = Get32(bytes, at + 20);
    entry.size = Get32(bytes, at + 24);
    const size_t name_size = Get16(bytes, at + 28);
    const size_t extra_size = Get16(bytes, at + 30);
    const size_t comment_size = Get16(bytes, at + 32);
    entry.header_offset = Get32(bytes, at + 42);
    at += kCentralSize;
    if (!Inside(at, name_size + extra_size + comment_size, size)) {
      return broken("entry " + std::to_string(i) + " of its directory is damaged");
    }
    std::string path(reinterpret_cast<const char*>(bytes.data() + at), name_size);
    // zip64: the fields that are all ones follow in this order.
    std::span<const std::byte> extra = bytes.subspan(at + name_size, extra_size);
    while (extra.size() >= 4) {
      const size_t length = Get16(extra, 2);
      if (length > extra.size() - 4) break;
      if (Get16(extra, 0) == kZip64Extra) {
        std::span<const std::byte> wide = extra.subspan(4, length);
        for (uint64_t* field : {&entry.size, &entry.stored_size, &entry.header_offset}) {
          if (*field != kMax32) continue;
          if (wide.size() < 8) return broken("a zip64 size of `" + path + "` is missing");
          *field = Get64(wide, 0);
          wide = wide.subspan(8);
        }
      }
      extra = extra.subspan(4 + length);
    }
    at += name_size + extra_size + comment_size;
    if (entry.header_offset > offset - prefix ||
        !Inside(entry.header_offset + prefix, entry.stored_size, offset)) {
      return broken("entry `" + path + "` claims " + std::to_string(entry.stored_size) +
                    " bytes at " + std::to_string(entry.header_offset) + " of " +
                    std::to_string(file_.size()));
    }
    entry.header_offset += prefix;
    if (path.empty() || path.back() == '/') continue;  // a folder
    if (!entries_.emplace(path, entry).second) {
      return Fail(name_, "archive-3", "the zip file has two entries `" + path + "`", kSaveAgain);
    }
  }
  return CheckOverlap();
}

// Few bytes must not be the content of many entries.
Status ZipDirectory::CheckOverlap() const {
  std::vector<std::pair<uint64_t, const std::string*>> by_offset;
  by_offset.reserve(entries_.size());
  for (const auto& [path, entry] : entries_) by_offset.emplace_back(entry.header_offset, &path);
  std::sort(by_offset.begin(), by_offset.end());
  for (size_t i = 0; i + 1 < by_offset.size(); ++i) {
    const auto& [offset, path] = by_offset[i];
    const auto& [next, next_path] = by_offset[i + 1];
    if (!Inside(kLocalSize, entries_.find(*path)->second.stored_size, next - offset)) {
      return Fail(name_, "archive-3",
                  "the zip file's entries `" + *path + "` and `" + *next_path + "` overlap",
                  kSaveAgain);
    }
  }
  return {};
}

const ZipEntry* ZipDirectory::Find(std::string_view path) const {
  const auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : &found->second;
}

Result<std::span<const std::byte>> ZipDirectory::StoredBytes(std::string_view path,
                                                             const ZipEntry& entry) const {
  const auto fail = [&](std::string why, std::string hint) {
    return Fail(name_, "archive-4", "entry `" + std::string(path) + "` " + why, std::move(hint));
  };
  if (entry.encrypted)
    return fail("is encrypted", "Unpack it and zip it again without a password.");
  // Name and extra field of the local header may differ in length from the directory's.
  if (!Inside(entry.header_offset, kLocalSize, file_.size()) ||
      Get32(file_, entry.header_offset) != kLocalSignature) {
    return fail("has no header where the zip directory says", kSaveAgain);
  }
  const uint64_t data = entry.header_offset + kLocalSize + Get16(file_, entry.header_offset + 26) +
                        Get16(file_, entry.header_offset + 28);
  if (!Inside(data, entry.stored_size, file_.size())) {
    return fail("claims " + std::to_string(entry.stored_size) + " bytes at " +
                    std::to_string(data) + " of " + std::to_string(file_.size()),
                "The file seems truncated; copy or download it again.");
  }
  if (entry.is_stored() && entry.size != entry.stored_size) {
    return fail("is stored but claims two sizes, " + std::to_string(entry.stored_size) + " and " +
                    std::to_string(entry.size),
                kSaveAgain);
  }
  return file_.subspan(data, entry.stored_size);
}

Result<std::vector<std::byte>> ZipDirectory::ReadContent(std::string_view path,
                                                         const ZipEntry& entry,
                                                         uint64_t limit) const {
  const auto fail = [&](std::string why, std::string hint) {
    return Fail(name_, "archive-4", "entry `" + std::string(path) + "` " + why, std::move(hint));
  };
  KL_ASSIGN_OR_RETURN(std::span<const std::byte> stored, StoredBytes(path, entry));
  if (entry.method != 0 && entry.method != 8) {
    return fail("is compressed by method " + std::to_string(entry.method) +
                    "; only stored (0) and deflated (8) entries are read",
                "Unpack it and zip it again with the usual method.");
  }
  if (entry.size > limit || (!entry.is_stored() && entry.size / kMaxDeflateRatio > stored.size())) {
    return fail("claims a content of " + std::to_string(entry.size) + " bytes in " +
                    std::to_string(stored.size()),
                kSaveAgain);
  }
  std::vector<std::byte> content;
  if (entry.is_stored()) {
    content.assign(stored.begin(), stored.end());
  } else {
    try {
      content.resize(entry.size);
    } catch (const std::bad_alloc&) {
      return fail("needs " + std::to_string(entry.size) + " bytes of memory to unpack",
                  "Unpack it and zip it again without compression (`zip -0`).");
    }
    const auto size = Inflate(stored, content, DeflateFormat::kRaw);
    if (size != content.size()) {
      return fail("cannot be unpacked: its compressed data is damaged",
                  "Copy or download the file again, or save the model again.");
    }
  }
  if (Crc32(content) != entry.crc) {
    return fail("is damaged: its checksum does not match",
                "Copy or download the file again, or save the model again.");
  }
  return content;
}

}  // namespace keras_litert::archive
