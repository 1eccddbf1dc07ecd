#include "archive/hdf5_attribute.h"

#include <map>
#include <string_view>
#include <utility>

#include "archive/hdf5_cursor.h"

namespace keras_litert::archive {
namespace {

constexpr uint64_t kMaxText = uint64_t{1} << 30;  // bytes of all strings of an attribute
constexpr size_t kMaxObjects = 1000000;           // in all collections that an attribute points to

// A collection of variable-length data.
//   GCOL  signature (4), version (1), reserved (3), size (8), objects: index (2; 0: the free rest),
//   references (2),
//         reserved (4), size (8), data padded to 8
using Collection = std::map<uint16_t, std::span<const std::byte>>;

Collection ReadCollection(std::span<const std::byte> file, uint64_t address) {
  Collection collection;
  if (address >= file.size()) return collection;
  Cursor header(file.subspan(static_cast<size_t>(address)));
  if (!header.Match("GCOL") || header.U8() != 1) return collection;
  header.Skip(3);
  const uint64_t size = header.U64();
  if (!header.ok() || size < header.position()) return collection;
  Cursor cursor(header.Take(size - header.position()));
  while (cursor.remaining() >= 16) {
    const uint16_t index = cursor.U16();
    cursor.Skip(2 + 4);
    const uint64_t length = cursor.U64();
    if (index == 0) break;
    const std::span<const std::byte> data = cursor.Take(length);
    if (!cursor.ok()) break;
    cursor.AlignTo8();
    collection.emplace(index, data);
  }
  return collection;
}

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::optional<std::vector<std::string>> ReadAttributeStrings(std::span<const std::byte> file,
                                                             const Attribute& attribute) {
  if (!attribute.type || !attribute.space) return std::nullopt;
  std::vector<std::string> strings;
  if (attribute.space->null) return strings;
  uint64_t count = 1;
  for (const uint64_t size : attribute.space->sizes) {
    if (size == 0) return strings;
    // The header holds one element's bytes each, so this bounds the count.
    if (size > attribute.data.size() / count) return std::nullopt;
    count *= size;
  }
  const uint64_t element = attribute.type->size;
  if (element > attribute.data.size() / count) return std::nullopt;
  Cursor cursor(attribute.data);
  if (attribute.type->kind == Datatype::Kind::kFixedString) {
    for (uint64_t i = 0; i < count; ++i) {
      std::string_view text = AsText(cursor.Take(element));
      text = text.substr(0, text.find('\0'));
      if (attribute.type->space_padded) text = text.substr(0, text.find_last_not_of(' ') + 1);
      strings.emplace_back(text);
    }
    return strings;
  }
  if (attribute.type->kind != Datatype::Kind::kVariableString) return std::nullopt;
  // length (4), address of a collection (8), index in it (4)
  std::map<uint64_t, Collection> collections;
  uint64_t total = 0;
  size_t objects = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint32_t length = cursor.U32();
    const uint64_t address = cursor.U64();
    const uint32_t index = cursor.U32();
    if (!cursor.ok()) return std::nullopt;
    if (length == 0) {
      strings.emplace_back();
      continue;
    }
    auto [found, is_new] = collections.try_emplace(address);
    if (is_new) {
      found->second = ReadCollection(file, address);
      objects += found->second.size() + 1;
    }
    const auto object = found->second.find(static_cast<uint16_t>(index));
    if (index > 0xffff || object == found->second.end() || length > object->second.size() ||
        (total += length) > kMaxText || objects > kMaxObjects) {
      return std::nullopt;
    }
    const std::string_view text = AsText(object->second.first(length));
    strings.emplace_back(text.substr(0, text.find('\0')));
  }
  return strings;
}

}  // namespace keras_litert::archive
