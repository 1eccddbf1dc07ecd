#include "archive/hdf5_messages.h"

#include <array>

#include "archive/hdf5_cursor.h"

namespace keras_litert::archive {
namespace {

using ir::DType;

constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);
constexpr size_t kMaxMessages = 65536;
constexpr size_t kMaxBlocks = 4096;
constexpr uint8_t kSharedFlag = 0x02;

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Text up to its first zero byte.
std::string_view UpToZero(std::span<const std::byte> bytes) {
  const std::string_view text = AsText(bytes);
  return text.substr(0, text.find('\0'));
}

struct Block {
  uint64_t address;
  uint64_t size;
};

// Messages of one block of a version 1 header.
//   type (2), size (2), flags (1), reserved (3), data (size)
// or a version 2 header:
//   type (1), size (2), flags (1), [creation order (2)], data (size)
bool ReadMessages(std::span<const std::byte> bytes, int version, bool creation_order,
                  std::vector<Message>& messages, std::vector<Block>& blocks) {
  Cursor cursor(bytes);
  const size_t prefix = version == 1 ? 8 : creation_order ? 6 : 4;
  while (cursor.remaining() >= prefix) {  // what is shorter is a gap
    const uint16_t type = version == 1 ? cursor.U16() : cursor.U8();
    const uint16_t size = cursor.U16();
    const uint8_t flags = cursor.U8();
    cursor.Skip(version == 1 ? 3 : creation_order ? 2 : 0);
    const std::span<const std::byte> data = cursor.Take(size);
    if (!cursor.ok()) return false;
    const Message message{static_cast<MessageType>(type), (flags & kSharedFlag) != 0, data};
    if (message.type == MessageType::kContinuation) {
      Cursor continuation(data);
      const uint64_t address = continuation.U64();
      const uint64_t length = continuation.U64();
      if (!continuation.ok() || blocks.size() >= kMaxBlocks) return false;
      blocks.push_back({address, length});
    } else if (type != 0) {
      if (messages.size() >= kMaxMessages) return false;
      messages.push_back(message);
    }
  }
  return true;
}

std::optional<DType> IntegerOf(uint32_t size, bool is_signed) {
  switch (size) {
    case 1:
      return is_signed ? DType::kInt8 : DType::kUInt8;
    case 2:
      return is_signed ? DType::kInt16 : DType::kUInt16;
    case 4:
      return is_signed ? DType::kInt32 : DType::kUInt32;
    case 8:
      return is_signed ? DType::kInt64 : DType::kUInt64;
    default:
      return std::nullopt;
  }
}

// h5py writes NumPy's bool as an enumeration {FALSE = 0, TRUE = 1} of int8.
//   base type, names (each padded to 8 bytes before version 3), values
bool IsBoolEnumeration(Cursor cursor, int version, int members) {
  const uint8_t base = cursor.U8();
  const uint32_t bits = static_cast<uint32_t>(cursor.Number(3));
  const uint32_t base_size = cursor.U32();
  cursor.Skip(4);  // offset and precision of the base type
  if ((base & 0x0f) != 0 || base_size != 1 || members != 2 || (bits & 1) != 0) return false;
  std::array<std::string_view, 2> names;
  for (std::string_view& name : names) {
    Cursor rest = cursor;
    name = UpToZero(rest.Take(rest.remaining()));
    const size_t size = name.size() + 1;
    cursor.Skip(version < 3 ? (size + 7) / 8 * 8 : size);
  }
  const uint8_t first = cursor.U8();
  const uint8_t second = cursor.U8();
  return cursor.ok() && ((names[0] == "FALSE" && first == 0 && names[1] == "TRUE" && second == 1) ||
                         (names[0] == "TRUE" && first == 1 && names[1] == "FALSE" && second == 0));
}

}  // namespace

std::optional<uint64_t> FindSuperblock(std::span<const std::byte> file) {
  for (uint64_t at = 0; at < file.size(); at = at == 0 ? 512 : at * 2) {
    if (Cursor(file.subspan(at)).Match(kSignature)) return at;
  }
  return std::nullopt;
}

// Version 0 and 1:
//   signature (8), version, free-space version, root version, reserved, header version, size of
//   addresses, size of lengths, reserved, leaf k (2), internal k (2), flags (4), [1: indexed k (2),
//   reserved (2)], base, free space, end, driver (8 each), root's entry: name (8), header (8), …
// Version 2 and 3:
//   signature (8), version, size of addresses, size of lengths, flags, base, extension, end, root
//   (8 each), checksum (4)
std::optional<Superblock> ReadSuperblock(std::span<const std::byte> file, uint64_t at) {
  Cursor cursor(file.subspan(at));
  cursor.Skip(kSignature.size());
  const uint8_t version = cursor.U8();
  Superblock superblock;
  if (version <= 1) {
    cursor.Skip(4);
    if (cursor.U8() != 8 || cursor.U8() != 8) return std::nullopt;
    cursor.Skip(version == 0 ? 9 : 13);
    superblock.base = cursor.U64();
    cursor.Skip(8);
    superblock.end = cursor.U64();
    cursor.Skip(8 + 8);
    superblock.root = cursor.U64();
  } else if (version <= 3) {
    if (cursor.U8() != 8 || cursor.U8() != 8) return std::nullopt;
    cursor.Skip(1);
    superblock.base = cursor.U64();
    cursor.Skip(8);
    superblock.end = cursor.U64();
    superblock.root = cursor.U64();
  } else {
    return std::nullopt;
  }
  // The base address may be left at 0 when a user block was put before the file; the superblock's
  // place counts then.
  if (superblock.base < at) superblock.base = at;
  if (!cursor.ok() || superblock.base > file.size()) return std::nullopt;
  return superblock;
}

bool ReadObjectHeader(std::span<const std::byte> file, uint64_t address,
                      std::vector<Message>& messages, uint64_t& budget) {
  if (address >= file.size()) return false;
  Cursor cursor(file.subspan(static_cast<size_t>(address)));
  std::vector<Block> blocks;
  int version = 1;
  bool creation_order = false;
  const auto spend = [&](uint64_t bytes) {
    if (bytes > budget) return false;
    budget -= bytes;
    return true;
  };
  if (Cursor(cursor).Match("OHDR")) {
    // signature (4), version, flags, [times (16)], [attribute limits (4)], size of messages (1, 2,
    // 4 or 8), messages
    cursor.Skip(4);
    version = 2;
    if (cursor.U8() != 2) return false;
    const uint8_t flags = cursor.U8();
    creation_order = (flags & 0x04) != 0;
    if ((flags & 0x20) != 0) cursor.Skip(16);
    if ((flags & 0x10) != 0) cursor.Skip(4);
    const uint64_t size = cursor.Number(1 << (flags & 0x03));
    const std::span<const std::byte> bytes = cursor.Take(size);
    if (!cursor.ok() || !spend(64 + size) ||
        !ReadMessages(bytes, version, creation_order, messages, blocks)) {
      return false;
    }
  } else {
    // version, reserved, number of messages (2), references (4), size of messages (4), padding (4),
    // messages
    if (cursor.U8() != 1) return false;
    cursor.Skip(7);
    const uint32_t size = cursor.U32();
    cursor.Skip(4);
    const std::span<const std::byte> bytes = cursor.Take(size);
    if (!cursor.ok() || !spend(uint64_t{64} + size) ||
        !ReadMessages(bytes, version, creation_order, messages, blocks)) {
      return false;
    }
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Block block = blocks[i];
    if (block.address >= file.size()) return false;
    Cursor next(file.subspan(static_cast<size_t>(block.address)));
    std::span<const std::byte> bytes = next.Take(block.size);
    if (!next.ok() || !spend(64 + block.size)) return false;
    if (version == 2) {  // signature (4), messages, checksum (4)
      if (bytes.size() < 8 || !Cursor(bytes).Match("OCHK")) return false;
      bytes = bytes.subspan(4, bytes.size() - 8);
    }
    if (!ReadMessages(bytes, version, creation_order, messages, blocks)) return false;
  }
  return true;
}

// Version 1: version, rank, flags, reserved (5), sizes (8 each), …
// Version 2: version, rank, flags, type (0 scalar, 1 simple, 2 null), sizes (8 each), …
std::optional<Dataspace> ParseDataspace(std::span<const std::byte> data) {
  Cursor cursor(data);
  const uint8_t version = cursor.U8();
  const uint8_t rank = cursor.U8();
  cursor.Skip(1);
  Dataspace space;
  if (version == 1) {
    cursor.Skip(5);
  } else if (version == 2) {
    space.null = cursor.U8() == 2;
  } else {
    return std::nullopt;
  }
  if (rank > kMaxRank) return std::nullopt;
  for (int i = 0; i < rank; ++i) space.sizes.push_back(cursor.U64());
  if (!cursor.ok()) return std::nullopt;
  return space;
}

// class (low 4 bits) and version (high 4), flags (3), size (4), then by class:
//   0 integer  offset (2), precision (2); flags: bit 0 big-endian, bit 3 signed
//   1 float    offset (2), precision (2), exponent: place, size, mantissa: place, size, bias (4);
//              flags: bits 0 and 6 order, bits 4–5 normalization (2: implied one), bits 8–15 place
//              of the sign
//   3 string   flags: bits 0–3 padding (2: spaces)
//   8 enum     see IsBoolEnumeration; flags: bits 0–15 number of members
//   9 variable base type; flags: bits 0–3 type (1: string)
std::optional<Datatype> ParseDatatype(std::span<const std::byte> data) {
  static constexpr std::array<const char*, 11> kNames = {
      "integer",  "float",     "time",        "string",          "bit field", "opaque",
      "compound", "reference", "enumeration", "variable-length", "array"};
  Cursor cursor(data);
  const uint8_t head = cursor.U8();
  const auto flags = static_cast<uint32_t>(cursor.Number(3));
  Datatype type;
  type.size = cursor.U32();
  if (!cursor.ok() || type.size == 0) return std::nullopt;
  const int type_class = head & 0x0f;
  if (type_class < static_cast<int>(kNames.size())) type.class_name = kNames[type_class];
  switch (type_class) {
    case 0: {
      const uint16_t offset = cursor.U16();
      const uint16_t precision = cursor.U16();
      const auto dtype = IntegerOf(type.size, (flags & 8) != 0);
      if (dtype && offset == 0 && precision == type.size * 8) {
        type.kind = Datatype::Kind::kNumber;
        type.dtype = *dtype;
        type.big_endian = (flags & 1) != 0;
      }
      break;
    }
    case 1: {
      const uint16_t offset = cursor.U16();
      const uint16_t precision = cursor.U16();
      const uint8_t exponent_place = cursor.U8();
      const uint8_t exponent = cursor.U8();
      const uint8_t mantissa_place = cursor.U8();
      const uint8_t mantissa = cursor.U8();
      const uint32_t bias = cursor.U32();
      const uint64_t bits = uint64_t{type.size} * 8;
      // An IEEE 754 format (or bfloat16): sign, exponent and mantissa from the top, a hidden one.
      const bool ieee = offset == 0 && precision == bits && mantissa_place == 0 &&
                        exponent_place == mantissa && exponent > 0 && exponent < 16 &&
                        uint64_t{1} + exponent + mantissa == bits &&
                        (flags >> 8 & 0xff) == bits - 1 && (flags >> 4 & 3) == 2 &&
                        (flags & 0x40) == 0 && bias == (1U << (exponent - 1)) - 1;
      if (ieee && cursor.ok()) {
        type.kind = Datatype::Kind::kNumber;
        type.big_endian = (flags & 1) != 0;
        if (type.size == 4 && exponent == 8) {
          type.dtype = DType::kFloat32;
        } else if (type.size == 2 && exponent == 5) {
          type.dtype = DType::kFloat16;
        } else if (type.size == 2 && exponent == 8) {
          type.dtype = DType::kBFloat16;
        } else if (type.size == 8 && exponent == 11) {
          type.dtype = DType::kFloat64;
        } else {
          type.kind = Datatype::Kind::kOther;
        }
      }
      break;
    }
    case 3:
      type.kind = Datatype::Kind::kFixedString;
      type.space_padded = (flags & 0x0f) == 2;
      break;
    case 5:
      type.kind = Datatype::Kind::kOpaque;
      break;
    case 8:
      if (type.size == 1 && IsBoolEnumeration(cursor, head >> 4, flags & 0xffff)) {
        type.kind = Datatype::Kind::kBool;
        type.dtype = DType::kBool;
      }
      break;
    case 9:
      if ((flags & 0x0f) == 1 && type.size == 16) type.kind = Datatype::Kind::kVariableString;
      break;
    default:
      break;
  }
  if (!cursor.ok()) return std::nullopt;
  return type;
}

// Version 3 and 4: version, class, then
//   0 compact     size (2), data
//   1 contiguous  address (8), size (8)
//   2 chunked     version 3: rank + 1, address (8), sizes (4 each), size of an element (4); version
//   4 is not read 3 virtual     version 4
std::optional<Layout> ParseLayout(std::span<const std::byte> data) {
  Cursor cursor(data);
  const uint8_t version = cursor.U8();
  const uint8_t layout_class = cursor.U8();
  if (version != 3 && version != 4) return std::nullopt;
  Layout layout;
  switch (layout_class) {
    case 0:
      layout.kind = Layout::Kind::kCompact;
      layout.compact = cursor.Take(cursor.U16());
      break;
    case 1:
      layout.address = cursor.U64();
      layout.size = cursor.U64();
      break;
    case 2: {
      if (version != 3) return std::nullopt;
      layout.kind = Layout::Kind::kChunked;
      const uint8_t dimensions = cursor.U8();
      if (dimensions < 2 || dimensions > kMaxRank + 1) return std::nullopt;
      layout.address = cursor.U64();
      for (int i = 0; i + 1 < dimensions; ++i) layout.chunk.push_back(cursor.U32());
      cursor.Skip(4);
      break;
    }
    case 3:
      layout.kind = Layout::Kind::kVirtual;
      break;
    default:
      return std::nullopt;
  }
  if (!cursor.ok()) return std::nullopt;
  return layout;
}

// Version 1: version, count, reserved (6), filters: id (2), name size (2), flags (2), count of
// values (2),
//   name padded to 8, values (4 each), padding to 8
// Version 2: version, count, filters: id (2), [name size (2) from id 256 on], flags (2), count (2),
// name, values
std::optional<std::vector<Filter>> ParseFilters(std::span<const std::byte> data) {
  Cursor cursor(data);
  const uint8_t version = cursor.U8();
  const uint8_t count = cursor.U8();
  if (version != 1 && version != 2) return std::nullopt;
  if (version == 1) cursor.Skip(6);
  std::vector<Filter> filters;
  for (int i = 0; i < count && cursor.ok(); ++i) {
    Filter filter;
    filter.id = cursor.U16();
    const size_t name = version == 1 || filter.id >= 256 ? cursor.U16() : 0;
    cursor.Skip(2);
    const uint16_t values = cursor.U16();
    cursor.Skip(version == 1 ? (name + 7) / 8 * 8 : name);
    if (values > cursor.remaining() / 4) return std::nullopt;
    for (int k = 0; k < values; ++k) filter.values.push_back(cursor.U32());
    if (version == 1 && values % 2 == 1) cursor.Skip(4);
    filters.push_back(std::move(filter));
  }
  if (!cursor.ok()) return std::nullopt;
  return filters;
}

// Old: size (4), value
// Version 1 and 2: version, allocation time, write time, defined, [2: only if defined] size (4),
// value Version 3: version, flags (bit 5: defined), size (4), value
std::optional<std::span<const std::byte>> ParseFillValue(const Message& message) {
  Cursor cursor(message.data);
  bool defined = true;
  if (message.type == MessageType::kFillValue) {
    const uint8_t version = cursor.U8();
    if (version == 1 || version == 2) {
      cursor.Skip(2);
      defined = cursor.U8() != 0;
    } else if (version == 3) {
      defined = (cursor.U8() & 0x20) != 0;
    } else {
      return std::nullopt;
    }
  }
  if (!defined) return std::span<const std::byte>();
  const std::span<const std::byte> value = cursor.Take(cursor.U32());
  if (!cursor.ok()) return std::nullopt;
  return value;
}

// version, flags, [type], [creation order (8)], [character set], name size (1, 2, 4 or 8), name,
// then hard (0): address (8); soft (1), external (64): not followed
std::optional<Link> ParseLink(std::span<const std::byte> data) {
  Cursor cursor(data);
  if (cursor.U8() != 1) return std::nullopt;
  const uint8_t flags = cursor.U8();
  const uint8_t type = (flags & 0x08) != 0 ? cursor.U8() : 0;
  if ((flags & 0x04) != 0) cursor.Skip(8);
  if ((flags & 0x10) != 0) cursor.Skip(1);
  Link link;
  const uint64_t size = cursor.Number(1 << (flags & 0x03));
  link.name = AsText(cursor.Take(size));
  if (type == 0) {
    link.address = cursor.U64();
  } else {
    link.kind = type == 1 ? Link::Kind::kSoft : Link::Kind::kExternal;
  }
  if (!cursor.ok()) return std::nullopt;
  return link;
}

// version, flags (bits 0 and 1: type and space are shared), sizes of name, type and space (2 each),
// [3: character set], name, type, space (each padded to 8 in version 1), data
std::optional<Attribute> ParseAttribute(std::span<const std::byte> data) {
  Cursor cursor(data);
  const uint8_t version = cursor.U8();
  const uint8_t flags = cursor.U8();
  if (version < 1 || version > 3) return std::nullopt;
  const uint16_t name_size = cursor.U16();
  const uint16_t type_size = cursor.U16();
  const uint16_t space_size = cursor.U16();
  if (version == 3) cursor.Skip(1);
  const auto take = [&](size_t size) {
    const std::span<const std::byte> bytes = cursor.Take(size);
    if (version == 1) cursor.Skip((8 - size % 8) % 8);
    return bytes;
  };
  Attribute attribute;
  attribute.name = UpToZero(take(name_size));
  const std::span<const std::byte> type = take(type_size);
  const std::span<const std::byte> space = take(space_size);
  if (!cursor.ok()) return std::nullopt;
  if (version == 1 || (flags & 1) == 0) attribute.type = ParseDatatype(type);
  if (version == 1 || (flags & 2) == 0) attribute.space = ParseDataspace(space);
  attribute.data = cursor.Take(cursor.remaining());
  return attribute;
}

// Links:      version, flags (bit 0: creation order (8) follows), heap (8), …
// Attributes: version, flags (bit 0: creation order (2) follows), heap (8), …
std::optional<uint64_t> ParseDenseStorage(const Message& message) {
  Cursor cursor(message.data);
  if (cursor.U8() != 0) return std::nullopt;
  if ((cursor.U8() & 1) != 0) cursor.Skip(message.type == MessageType::kLinkInfo ? 8 : 2);
  const uint64_t heap = cursor.U64();
  if (!cursor.ok()) return std::nullopt;
  return heap;
}

}  // namespace keras_litert::archive
