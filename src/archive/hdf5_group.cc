#include "archive/hdf5_group.h"

#include <cstring>
#include <utility>

#include "archive/hdf5_cursor.h"

namespace keras_litert::archive {
namespace {

// The older kind of group, which h5py writes by default: names in a local heap, links in the leaves
// of a B-tree.
//
//   TREE  signature (4), type (0), level, entries used (2), left (8), right (8), key (8), {child
//   (8), key (8)}… SNOD  signature (4), version (1), reserved, symbols (2), entries: name's place
//   in the heap (8), header (8),
//         cache type (4; 2: a soft link), reserved (4), scratch (16)
//   HEAP  signature (4), version (0), reserved (3), size of data (8), free list (8), address of
//   data (8)
constexpr uint32_t kSoftLinkCache = 2;
constexpr size_t kMaxLevels = 16;

class SymbolTable {
 public:
  SymbolTable(std::span<const std::byte> file, uint64_t& budget) : file_(file), budget_(budget) {}

  bool ReadHeap(uint64_t address) {
    Cursor cursor = At(address);
    if (!cursor.Match("HEAP") || cursor.U8() != 0) return false;
    cursor.Skip(3);
    const uint64_t size = cursor.U64();
    cursor.Skip(8);
    const uint64_t data = cursor.U64();
    if (!cursor.ok()) return false;
    Cursor segment = At(data);
    heap_ = segment.Take(size);
    return segment.ok();
  }

  bool ReadTree(uint64_t address, size_t level_limit) {
    Cursor cursor = At(address);
    if (!cursor.Match("TREE") || cursor.U8() != 0) return false;
    const uint8_t level = cursor.U8();
    const uint16_t entries = cursor.U16();
    cursor.Skip(8 + 8 + 8);
    if (!cursor.ok() || level >= level_limit || !Spend(40 + uint64_t{entries} * 16)) return false;
    for (int i = 0; i < entries; ++i) {
      const uint64_t child = cursor.U64();
      cursor.Skip(8);
      if (!cursor.ok()) return false;
      if (!(level == 0 ? ReadLeaf(child) : ReadTree(child, level))) return false;
    }
    return true;
  }

  std::vector<Link> TakeLinks() { return std::move(links_); }

 private:
  Cursor At(uint64_t address) const {
    return Cursor(address < file_.size() ? file_.subspan(static_cast<size_t>(address))
                                         : std::span<const std::byte>());
  }
  bool Spend(uint64_t bytes) {
    if (bytes > budget_) return false;
    budget_ -= bytes;
    return true;
  }

  bool ReadLeaf(uint64_t address) {
    Cursor cursor = At(address);
    if (!cursor.Match("SNOD") || cursor.U8() != 1) return false;
    cursor.Skip(1);
    const uint16_t symbols = cursor.U16();
    if (!cursor.ok() || !Spend(8 + uint64_t{symbols} * 40)) return false;
    for (int i = 0; i < symbols; ++i) {
      const uint64_t place = cursor.U64();
      Link link;
      link.address = cursor.U64();
      if (cursor.U32() == kSoftLinkCache) link.kind = Link::Kind::kSoft;
      cursor.Skip(4 + 16);
      if (!cursor.ok() || place >= heap_.size()) return false;
      const std::span<const std::byte> rest = heap_.subspan(static_cast<size_t>(place));
      const auto* end = static_cast<const std::byte*>(memchr(rest.data(), 0, rest.size()));
      if (end == nullptr) return false;
      const auto size = static_cast<size_t>(end - rest.data());
      if (!Spend(size)) return false;
      link.name = {reinterpret_cast<const char*>(rest.data()), size};
      links_.push_back(link);
    }
    return true;
  }

  std::span<const std::byte> file_;
  uint64_t& budget_;
  std::span<const std::byte> heap_;
  std::vector<Link> links_;
};

}  // namespace

Hdf5Problem DamagedHdf5(std::string what) {
  return {"archive-7", "the HDF5 file is damaged here: " + std::move(what),
          "Copy or download the file again, or save the model again."};
}

std::expected<std::vector<Link>, Hdf5Problem> ReadLinks(std::span<const std::byte> file,
                                                        const std::vector<Message>& messages,
                                                        uint64_t& budget) {
  std::vector<Link> links;
  for (const Message& message : messages) {
    switch (message.type) {
      case MessageType::kSymbolTable: {
        Cursor cursor(message.data);
        const uint64_t tree = cursor.U64();
        const uint64_t heap = cursor.U64();
        SymbolTable table(file, budget);
        if (!cursor.ok() || !table.ReadHeap(heap) || !table.ReadTree(tree, kMaxLevels)) {
          return std::unexpected(DamagedHdf5("the group's symbol table"));
        }
        links = table.TakeLinks();
        break;
      }
      case MessageType::kLink: {
        const std::optional<Link> link = ParseLink(message.data);
        if (!link || message.shared) return std::unexpected(DamagedHdf5("a link"));
        links.push_back(*link);
        break;
      }
      case MessageType::kLinkInfo: {
        const std::optional<uint64_t> heap = ParseDenseStorage(message);
        if (!heap) return std::unexpected(DamagedHdf5("the group's links"));
        if (*heap != kUndefinedAddress) {
          return std::unexpected(Hdf5Problem{
              "archive-15", "the group keeps its links in a fractal heap, which is not read here",
              "Keras does not write such files; save the model again with Keras."});
        }
        break;
      }
      default:
        break;
    }
  }
  return links;
}

}  // namespace keras_litert::archive
