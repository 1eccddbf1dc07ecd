// The records of an HDF5 file: superblock, object headers and their messages.
//
// Format: "HDF5 File Format Specification Version 3.0". Read is what h5py writes for Keras:
// superblocks 0 to 3 with 8-byte addresses, object headers 1 and 2, groups as symbol tables or as
// link messages, compact, contiguous and chunked data. All addresses count from the superblock's
// base address.
//
// Every function takes untrusted bytes, allocates no more than those justify, and returns
// std::nullopt where they make no sense.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/type.h"

namespace keras_litert::archive {

inline constexpr uint64_t kUndefinedAddress = ~uint64_t{0};
inline constexpr size_t kMaxRank = 32;  // HDF5's own limit

struct Superblock {
  uint64_t base = 0;  // where addresses count from, in the file
  uint64_t root = 0;  // address of the root group's header
  uint64_t end = 0;   // of the HDF5 file, in the file
};

// Looks for the superblock at 0, 512, 1024, 2048 … (a user block may precede it); nothing where
// there is none.
std::optional<uint64_t> FindSuperblock(std::span<const std::byte> file);
std::optional<Superblock> ReadSuperblock(std::span<const std::byte> file, uint64_t at);

enum class MessageType : uint16_t {
  kDataspace = 0x01,
  kLinkInfo = 0x02,
  kDatatype = 0x03,
  kOldFillValue = 0x04,
  kFillValue = 0x05,
  kLink = 0x06,
  kExternalFiles = 0x07,
  kLayout = 0x08,
  kFilters = 0x0b,
  kAttribute = 0x0c,
  kContinuation = 0x10,
  kSymbolTable = 0x11,
  kAttributeInfo = 0x15,
};

struct Message {
  MessageType type;
  bool shared = false;  // the data lies elsewhere; not followed
  std::span<const std::byte> data;
};

// The messages of the object header at `address`, in order, appended to `messages`; what was read
// is taken off `budget`, so that a file cannot make a reader work more than its size allows. False
// where the header is damaged.
bool ReadObjectHeader(std::span<const std::byte> file, uint64_t address,
                      std::vector<Message>& messages, uint64_t& budget);

struct Dataspace {
  bool null = false;  // no elements, not even one
  std::vector<uint64_t> sizes;
};
std::optional<Dataspace> ParseDataspace(std::span<const std::byte> data);

struct Datatype {
  enum class Kind { kNumber, kBool, kOpaque, kFixedString, kVariableString, kOther };
  Kind kind = Kind::kOther;
  uint32_t size = 0;                      // bytes of an element
  ir::DType dtype = ir::DType::kFloat32;  // kNumber and kBool
  bool big_endian = false;                // kNumber
  bool space_padded = false;              // kFixedString
  const char* class_name = "unknown";     // for errors
};
std::optional<Datatype> ParseDatatype(std::span<const std::byte> data);

struct Layout {
  enum class Kind { kCompact, kContiguous, kChunked, kVirtual };
  Kind kind = Kind::kContiguous;
  std::span<const std::byte> compact;  // kCompact: the data
  uint64_t address =
      kUndefinedAddress;        // of the data, or of the chunks' B-tree; undefined: nothing stored
  uint64_t size = 0;            // kContiguous: bytes
  std::vector<uint32_t> chunk;  // kChunked: sizes of a chunk, in elements
};
std::optional<Layout> ParseLayout(std::span<const std::byte> data);

struct Filter {
  uint16_t id = 0;
  std::vector<uint32_t> values;
};
std::optional<std::vector<Filter>> ParseFilters(std::span<const std::byte> data);

// The bytes of the fill value; empty for zeros.
std::optional<std::span<const std::byte>> ParseFillValue(const Message& message);

struct Link {
  enum class Kind { kHard, kSoft, kExternal };
  Kind kind = Kind::kHard;
  std::string_view name;
  uint64_t address = kUndefinedAddress;  // kHard: of the object's header
};
std::optional<Link> ParseLink(std::span<const std::byte> data);

struct Attribute {
  std::string_view name;
  std::optional<Datatype> type;  // nothing where it is shared
  std::optional<Dataspace> space;
  std::span<const std::byte> data;
};
std::optional<Attribute> ParseAttribute(std::span<const std::byte> data);

// The address of the fractal heap that holds links (kLinkInfo) or attributes (kAttributeInfo)
// outside of the header; kUndefinedAddress where there is none.
std::optional<uint64_t> ParseDenseStorage(const Message& message);

}  // namespace keras_litert::archive
