// A bounds-checked reader of little-endian numbers. Reading beyond the end gives zeros and makes
// ok() false for good, so that a parser may read a whole record and check once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace keras_litert::archive {

class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t position() const { return at_; }
  size_t remaining() const { return bytes_.size() - at_; }

  uint8_t U8() { return static_cast<uint8_t>(Number(1)); }
  uint16_t U16() { return static_cast<uint16_t>(Number(2)); }
  uint32_t U32() { return static_cast<uint32_t>(Number(4)); }
  uint64_t U64() { return Number(8); }
  // A number of 1 to 8 bytes.
  uint64_t Number(int size) {
    const std::span<const std::byte> bytes = Take(static_cast<size_t>(size));
    uint64_t value = 0;
    for (size_t i = bytes.size(); i > 0; --i) {
      value = value << 8 | std::to_integer<uint64_t>(bytes[i - 1]);
    }
    return value;
  }
  // The next `size` bytes; empty where there are fewer.
  std::span<const std::byte> Take(uint64_t size) {
    if (size > remaining()) {
      ok_ = false;
      at_ = bytes_.size();
      return {};
    }
    const std::span<const std::byte> taken = bytes_.subspan(at_, static_cast<size_t>(size));
    at_ += taken.size();
    return taken;
  }
  void Skip(uint64_t size) { Take(size); }
  // Up to the next multiple of 8 from the start, or to the end where that comes first.
  void AlignTo8() { at_ = std::min((at_ + 7) / 8 * 8, bytes_.size()); }
  // True, and past it, if the next bytes are `text`.
  bool Match(std::string_view text) {
    const std::span<const std::byte> taken = Take(text.size());
    return taken.size() == text.size() &&
           std::equal(text.begin(), text.end(), taken.begin(),
                      [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
  }

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace keras_litert::archive
