// Bytes of a file in memory, and who keeps them alive.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

namespace keras_litert::archive {

struct Image {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  // keeps `bytes` alive
  // Drops the cached pages of [offset, offset + size) of `bytes`; empty where there are none to
  // drop.
  std::function<void(size_t offset, size_t size)> release;

  // A part of this image. REQUIRES: the part lies inside.
  Image Part(size_t offset, size_t size) const {
    Image part{bytes.subspan(offset, size), owner, {}};
    if (release) {
      part.release = [drop = release, offset](size_t at, size_t n) { drop(offset + at, n); };
    }
    return part;
  }
};

}  // namespace keras_litert::archive
