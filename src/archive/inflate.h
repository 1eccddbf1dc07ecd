// Decompression by zlib.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace keras_litert::archive {

// deflate cannot expand by more: a run of 258 bytes from two bits.
inline constexpr uint64_t kMaxDeflateRatio = 1032;

enum class DeflateFormat { kRaw, kZlib };  // in zip files; in HDF5 files

// Decompresses `in` into `out` and gives the number of bytes written; nothing where the data is
// damaged, ends early or has more content than `out` can take.
std::optional<size_t> Inflate(std::span<const std::byte> in, std::span<std::byte> out,
                              DeflateFormat format);

uint32_t Crc32(std::span<const std::byte> bytes);

}  // namespace keras_litert::archive
