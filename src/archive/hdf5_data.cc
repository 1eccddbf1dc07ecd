#include "archive/hdf5_data.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "archive/hdf5_cursor.h"
#include "archive/inflate.h"

namespace keras_litert::archive {
namespace {

constexpr uint16_t kDeflate = 1;
constexpr uint16_t kShuffle = 2;
constexpr uint16_t kFletcher32 = 3;
constexpr size_t kChecksumSize = 4;
constexpr size_t kMaxLevels = 16;
// Chunks may be larger than what they fill. What is unpacked in all is at most the larger of these
// two.
constexpr uint64_t kFreeWork = uint64_t{64} << 20;
constexpr uint64_t kWorkRatio = 64;

//   before: all first bytes, all second bytes, …, the bytes that are left
//   after:  element by element
void Unshuffle(size_t element_size, std::vector<std::byte>& bytes) {
  if (element_size < 2 || element_size > bytes.size()) return;
  const size_t elements = bytes.size() / element_size;
  std::vector<std::byte> ordered(bytes.size());
  for (size_t b = 0; b < element_size; ++b) {
    for (size_t i = 0; i < elements; ++i) ordered[i * element_size + b] = bytes[b * elements + i];
  }
  std::copy(bytes.begin() + static_cast<ptrdiff_t>(elements * element_size), bytes.end(),
            ordered.begin() + static_cast<ptrdiff_t>(elements * element_size));
  bytes = std::move(ordered);
}

class ChunkReader {
 public:
  ChunkReader(std::span<const std::byte> file, const ChunkedData& data, std::span<std::byte> out)
      : file_(file), data_(data), out_(out) {}

  bool Read() {
    const size_t rank = data_.sizes.size();
    if (rank == 0 || data_.chunk.size() != rank || rank > kMaxRank) return false;
    chunk_bytes_ = data_.element_size;
    for (const uint32_t size : data_.chunk) {
      if (size == 0 || size > (uint64_t{1} << 40) / chunk_bytes_) return false;
      chunk_bytes_ *= size;
    }
    work_left_ = std::max<uint64_t>(kFreeWork, out_.size() * kWorkRatio);
    nodes_left_ = file_.size() / 24 + 1;
    strides_.assign(rank, data_.element_size);
    for (size_t i = rank - 1; i > 0; --i) strides_[i - 1] = strides_[i] * data_.sizes[i];
    return ReadNode(data_.index, kMaxLevels);
  }

 private:
  // TREE: signature (4), type (1), level, entries used (2), left (8), right (8), {key, child (8)}…,
  // key key: bytes stored (4), filters skipped (4), place of the chunk in elements (8 each), 0 (8)
  bool ReadNode(uint64_t address, size_t level_limit) {
    if (address >= file_.size() || nodes_left_-- == 0) return false;
    Cursor cursor(file_.subspan(static_cast<size_t>(address)));
    if (!cursor.Match("TREE") || cursor.U8() != 1) return false;
    const uint8_t level = cursor.U8();
    const uint16_t entries = cursor.U16();
    cursor.Skip(8 + 8);
    if (level >= level_limit) return false;
    for (int i = 0; i < entries; ++i) {
      const uint32_t stored = cursor.U32();
      const uint32_t skipped = cursor.U32();
      std::array<uint64_t, kMaxRank> place{};
      for (size_t axis = 0; axis < data_.sizes.size(); ++axis) place[axis] = cursor.U64();
      cursor.Skip(8);
      const uint64_t child = cursor.U64();
      if (!cursor.ok()) return false;
      if (!(level == 0 ? ReadChunk(child, stored, skipped, place) : ReadNode(child, level))) {
        return false;
      }
    }
    return true;
  }

  bool ReadChunk(uint64_t address, uint32_t stored, uint32_t skipped,
                 const std::array<uint64_t, kMaxRank>& place) {
    for (size_t axis = 0; axis < data_.sizes.size(); ++axis) {
      if (place[axis] >= data_.sizes[axis])
        return true;  // left over from before the dataset shrank
      if (place[axis] % data_.chunk[axis] != 0) return false;
    }
    if (address >= file_.size()) return false;
    Cursor cursor(file_.subspan(static_cast<size_t>(address)));
    const std::span<const std::byte> raw = cursor.Take(stored);
    if (!cursor.ok() || chunk_bytes_ > work_left_) return false;
    work_left_ -= chunk_bytes_;
    if (data_.filters.empty()) {
      if (raw.size() != chunk_bytes_) return false;
      Place(raw, place);
      return true;
    }
    std::vector<std::byte> bytes(raw.begin(), raw.end());
    for (size_t i = data_.filters.size(); i > 0; --i) {  // the last one applied comes off first
      if (i <= 32 && (skipped >> (i - 1) & 1) != 0) continue;
      const Filter& filter = data_.filters[i - 1];
      switch (filter.id) {
        case kDeflate: {
          if (chunk_bytes_ / kMaxDeflateRatio > bytes.size()) return false;
          std::vector<std::byte> content(chunk_bytes_ + kChecksumSize);
          const auto size = Inflate(bytes, content, DeflateFormat::kZlib);
          if (!size) return false;
          content.resize(*size);
          bytes = std::move(content);
          break;
        }
        case kShuffle:
          Unshuffle(filter.values.empty() ? data_.element_size : filter.values[0], bytes);
          break;
        case kFletcher32:  // the checksum is dropped unread
          if (bytes.size() < kChecksumSize) return false;
          bytes.resize(bytes.size() - kChecksumSize);
          break;
        default:
          return false;
      }
    }
    if (bytes.size() != chunk_bytes_) return false;
    Place(bytes, place);
    return true;
  }

  // Copies the part of a chunk that lies inside the dataset, row by row.
  void Place(std::span<const std::byte> chunk, const std::array<uint64_t, kMaxRank>& place) {
    const size_t rank = data_.sizes.size();
    std::array<uint64_t, kMaxRank> extent{};
    uint64_t target = 0;
    for (size_t axis = 0; axis < rank; ++axis) {
      extent[axis] = std::min<uint64_t>(data_.chunk[axis], data_.sizes[axis] - place[axis]);
      target += place[axis] * strides_[axis];
    }
    const size_t row = static_cast<size_t>(extent[rank - 1]) * data_.element_size;
    std::array<uint64_t, kMaxRank> index{};
    for (;;) {
      uint64_t from = 0;  // in elements
      uint64_t to = target;
      for (size_t axis = 0; axis < rank; ++axis) {
        from = from * data_.chunk[axis] + index[axis];
        to += index[axis] * strides_[axis];
      }
      std::memcpy(out_.data() + to, chunk.data() + from * data_.element_size, row);
      size_t axis = rank - 1;
      for (; axis > 0; --axis) {
        if (++index[axis - 1] < extent[axis - 1]) break;
        index[axis - 1] = 0;
      }
      if (axis == 0) return;
    }
  }

  std::span<const std::byte> file_;
  const ChunkedData& data_;
  std::span<std::byte> out_;
  uint64_t chunk_bytes_ = 0;
  uint64_t work_left_ = 0;
  uint64_t nodes_left_ = 0;
  std::vector<uint64_t> strides_;  // of the dataset, in bytes
};

}  // namespace

bool Fill(std::span<const std::byte> value, std::span<std::byte> out) {
  if (value.empty()) {
    std::fill(out.begin(), out.end(), std::byte{0});
    return true;
  }
  if (out.size() % value.size() != 0) return false;
  for (size_t i = 0; i < out.size(); i += value.size()) {
    std::memcpy(out.data() + i, value.data(), value.size());
  }
  return true;
}

std::optional<std::string> UnknownFilter(const std::vector<Filter>& filters) {
  for (const Filter& filter : filters) {
    switch (filter.id) {
      case kDeflate:
      case kShuffle:
      case kFletcher32:
        break;
      case 4:
        return "szip";
      case 5:
        return "nbit";
      case 6:
        return "scale-offset";
      case 32000:
        return "lzf";
      default:
        return "number " + std::to_string(filter.id);
    }
  }
  return std::nullopt;
}

bool ReadChunks(std::span<const std::byte> file, const ChunkedData& data,
                std::span<std::byte> out) {
  return data.index == kUndefinedAddress || ChunkReader(file, data, out).Read();
}

}  // namespace keras_litert::archive
