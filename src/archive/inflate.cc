#include "archive/inflate.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace keras_litert::archive {

std::optional<size_t> Inflate(std::span<const std::byte> in, std::span<std::byte> out,
                              DeflateFormat format) {
  z_stream stream{};
  if (inflateInit2(&stream, format == DeflateFormat::kRaw ? -MAX_WBITS : MAX_WBITS) != Z_OK) {
    return std::nullopt;
  }
  // zlib counts in 32 bits: it is fed and drained in pieces. Where `out` is full, one spare byte
  // shows whether more content follows.
  constexpr size_t kPiece = std::numeric_limits<int32_t>::max();
  size_t read = 0;
  size_t written = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    const size_t give = std::min(in.size() - read, kPiece);
    const size_t take = std::min(out.size() - written, kPiece);
    std::byte spare{};
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data() + read));  // NOLINT
    stream.avail_in = static_cast<uInt>(give);
    stream.next_out = reinterpret_cast<Bytef*>(take == 0 ? &spare : out.data() + written);
    stream.avail_out = take == 0 ? 1 : static_cast<uInt>(take);
    status = inflate(&stream, Z_NO_FLUSH);
    read += give - stream.avail_in;
    if (take > 0) {
      written += take - stream.avail_out;
    } else if (stream.avail_out == 0) {
      status = Z_DATA_ERROR;
    }
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END) return std::nullopt;
  return written;
}

uint32_t Crc32(std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace keras_litert::archive
