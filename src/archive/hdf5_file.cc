#include "archive/hdf5_file.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <set>
#include <utility>

#include "archive/hdf5_attribute.h"
#include "archive/hdf5_data.h"
#include "archive/hdf5_group.h"
#include "archive/hdf5_messages.h"

namespace keras_litert::archive {
namespace {

using ir::DType;

constexpr int kMaxDepth = 64;  // of nested groups; Keras nests two per sub-model
constexpr size_t kMaxPath = 4096;
// The work of reading the structure: a few times the file's size, plus this, in bytes looked at.
constexpr uint64_t kFreeWork = uint64_t{16} << 20;
constexpr uint64_t kWorkRatio = 4;
// A dataset that claims more than the first and more than the second times the file's size is
// refused: deflate cannot expand by more than 1032.
constexpr uint64_t kFreeSize = uint64_t{64} << 20;
constexpr uint64_t kSizeRatio = 1100;
// After so many objects the pages that were touched are given back: headers lie between the
// weights, and the system maps a few pages around each.
constexpr size_t kReleaseEvery = 128;

constexpr char kSaveAgain[] = "Save the model again with `model.save(\"model.keras\")`.";

class Reader {
 public:
  Reader(const Image& image, const std::string& name,
         const std::function<bool(std::string_view)>& skip, Hdf5File::Contents& contents)
      : image_(image),
        name_(name),
        skip_(skip),
        contents_(contents),
        budget_(kFreeWork + image.bytes.size() * kWorkRatio) {}

  Status Run(uint64_t root) {
    ReadObject(root, 0);
    if (image_.release) image_.release(0, image_.bytes.size());
    if (!problems_.empty()) return std::unexpected(Error(std::move(problems_)));
    return {};
  }

 private:
  // What of a dataset is still to be read.
  struct Dataset {
    ir::TensorType type;
    uint64_t bytes = 0;
    Datatype element;
    Dataspace space;
    Layout layout;
    std::vector<Filter> filters;
    std::span<const std::byte> fill;
  };

  void Problem(Hdf5Problem problem) {
    problems_.push_back({name_ + ": " + path_, std::move(problem.code), std::move(problem.message),
                         std::move(problem.hint)});
  }
  // A problem after which reading on makes no sense.
  void Stop(Hdf5Problem problem) {
    Problem(std::move(problem));
    stopped_ = true;
  }

  // The object at `address`, which is reached by path_.
  void ReadObject(uint64_t address, int depth) {
    if (++objects_ % kReleaseEvery == 0 && image_.release) {
      image_.release(0, image_.bytes.size());
    }
    if (path_.size() > budget_) return OutOfBudget();
    budget_ -= path_.size();
    std::vector<Message> messages;
    if (!ReadObjectHeader(image_.bytes, address, messages, budget_)) {
      return budget_ < 64 ? OutOfBudget() : Stop(DamagedHdf5("an object's header"));
    }
    const auto has = [&](MessageType type) {
      return std::any_of(messages.begin(), messages.end(),
                         [&](const Message& m) { return m.type == type; });
    };
    if (has(MessageType::kLayout)) {
      ReadDataset(messages);
    } else if (has(MessageType::kSymbolTable) || has(MessageType::kLinkInfo) ||
               has(MessageType::kLink)) {
      ReadGroup(address, messages, depth);
    } else if (depth == 0) {
      Stop(DamagedHdf5("the root is no group"));
    }  // else a named datatype, which holds no weight
  }

  void OutOfBudget() {
    Stop({"archive-9", "the HDF5 file's structure is larger than the file", kSaveAgain});
  }

  void ReadGroup(uint64_t address, const std::vector<Message>& messages, int depth) {
    if (depth > kMaxDepth) {
      return Stop({"archive-9",
                   "groups are nested more than " + std::to_string(kMaxDepth) + " deep",
                   kSaveAgain});
    }
    if (!groups_.insert(address).second) {
      return Stop({"archive-10", "the group is reached by two paths",
                   "Keras writes no such links; save the model again with Keras."});
    }
    contents_.groups.emplace(path_, address);
    auto links = ReadLinks(image_.bytes, messages, budget_);
    if (!links) return Stop(std::move(links).error());
    const size_t parent = path_.size();
    for (const Link& link : *links) {
      if (!path_.empty()) path_ += '/';
      path_ += link.name;
      if (link.name.empty() || link.name.find('/') != std::string_view::npos ||
          path_.size() > kMaxPath) {
        path_.resize(std::min<size_t>(path_.size(), 200));
        return Stop({"archive-9", "a name is empty, has a slash or is too long", kSaveAgain});
      }
      if (skip_(path_)) {
        // Not looked at.
      } else if (link.kind != Link::Kind::kHard) {
        Problem({"archive-10",
                 std::string(link.kind == Link::Kind::kSoft ? "a soft" : "an external") +
                     " link instead of an object",
                 "Keras writes no links and refuses them; save the model again with Keras."});
      } else {
        ReadObject(link.address, depth + 1);
      }
      if (stopped_) return;
      path_.resize(parent);
    }
  }

  void ReadDataset(const std::vector<Message>& messages) {
    Dataset dataset;
    std::optional<Datatype> element;
    std::optional<Dataspace> space;
    std::optional<Layout> layout;
    bool bfloat16 = false;
    for (const Message& message : messages) {
      if (message.shared && message.type != MessageType::kAttribute) {
        return Problem(
            {"archive-15", "a weight's type or shape is shared with other objects", kSaveAgain});
      }
      switch (message.type) {
        case MessageType::kDataspace:
          space = ParseDataspace(message.data);
          break;
        case MessageType::kDatatype:
          element = ParseDatatype(message.data);
          break;
        case MessageType::kLayout:
          layout = ParseLayout(message.data);
          if (!layout) {
            return Problem({"archive-15", "a weight's layout is none of those that are read here",
                            kSaveAgain});
          }
          break;
        case MessageType::kFilters: {
          auto filters = ParseFilters(message.data);
          if (!filters) return Problem(DamagedHdf5("a weight's filters"));
          dataset.filters = *std::move(filters);
          break;
        }
        case MessageType::kOldFillValue:
        case MessageType::kFillValue: {
          const auto fill = ParseFillValue(message);
          if (!fill) return Problem(DamagedHdf5("a weight's fill value"));
          if (!fill->empty()) dataset.fill = *fill;
          break;
        }
        case MessageType::kExternalFiles:
          return OtherFile();
        case MessageType::kAttribute: {
          // Keras's H5IOStore writes bfloat16 as two opaque bytes and says so in an attribute.
          const auto attribute = ParseAttribute(message.data);
          if (attribute && attribute->name == "dtype") {
            const auto text = ReadAttributeStrings(image_.bytes, *attribute);
            bfloat16 = text && text->size() == 1 && text->front() == "bfloat16";
          }
          break;
        }
        default:
          break;
      }
    }
    if (!element || !space || !layout) return Problem(DamagedHdf5("a weight's header"));
    if (layout->kind == Layout::Kind::kVirtual) return OtherFile();
    // 1. The element type.
    if (element->kind == Datatype::Kind::kOpaque && element->size == 2 && bfloat16) {
      element->kind = Datatype::Kind::kNumber;
      element->dtype = DType::kBFloat16;
    }
    if (element->kind != Datatype::Kind::kNumber && element->kind != Datatype::Kind::kBool) {
      return Problem(
          {"archive-11",
           "a weight has elements of " + std::to_string(element->size) +
               " bytes of the HDF5 class " + element->class_name +
               ", which is no dtype that is read here",
           "Cast the weight to a dtype of Keras (float32, int8, bool …) and save again."});
    }
    // 2. The shape. Sizes other than 0 are multiplied, so that a 0 cannot hide an overflow.
    if (space->null) return Problem({"archive-11", "a weight has no shape", kSaveAgain});
    uint64_t bytes = element->size;
    bool empty = false;
    dataset.type.dtype = element->dtype;
    for (const uint64_t size : space->sizes) {
      empty |= size == 0;
      if (size > (uint64_t{1} << 62) / bytes) {
        return Problem({"archive-9", "a weight claims more than 2^62 bytes", kSaveAgain});
      }
      if (size != 0) bytes *= size;
      dataset.type.shape.Append(static_cast<int64_t>(size));
    }
    dataset.bytes = empty ? 0 : bytes;
    dataset.element = *element;
    dataset.space = *std::move(space);
    dataset.layout = *std::move(layout);
    Store(std::move(dataset));
  }

  void OtherFile() {
    Problem({"archive-10", "a weight's data lies in another file",
             "Keras writes no such weights and refuses them; save the model again with Keras."});
  }

  // Makes the constant.
  void Store(Dataset dataset) {
    if (dataset.bytes == 0) return Add(ir::OwnedConstant(std::move(dataset.type), {}));
    const uint64_t file_size = image_.bytes.size();
    std::span<const std::byte> data;  // in one piece
    switch (dataset.layout.kind) {
      case Layout::Kind::kCompact:
        data = dataset.layout.compact;
        break;
      case Layout::Kind::kContiguous:
        if (dataset.layout.address == kUndefinedAddress) break;  // never written: the fill value
        if (dataset.layout.address > file_size ||
            dataset.bytes > file_size - dataset.layout.address) {
          return Problem({"archive-7",
                          "a weight claims " + std::to_string(dataset.bytes) + " bytes at " +
                              std::to_string(dataset.layout.address) + " of " +
                              std::to_string(file_size),
                          "The file seems truncated; copy or download it again."});
        }
        data = image_.bytes.subspan(static_cast<size_t>(dataset.layout.address),
                                    static_cast<size_t>(dataset.layout.size));
        break;
      default:
        break;
    }
    if (!data.empty()) {
      if (data.size() != dataset.bytes) {
        return Problem(DamagedHdf5("a weight of " + std::to_string(dataset.bytes) + " bytes has " +
                                   std::to_string(data.size())));
      }
      return Add(InOnePiece(dataset, data));
    }
    if (dataset.bytes > kFreeSize && dataset.bytes / kSizeRatio > file_size) {
      return Problem({"archive-9",
                      "a weight claims " + std::to_string(dataset.bytes) + " bytes in a file of " +
                          std::to_string(file_size),
                      kSaveAgain});
    }
    if (const auto filter = UnknownFilter(dataset.filters)) {
      return Problem({"archive-12",
                      "a weight is compressed by the HDF5 filter " + *filter +
                          "; only gzip, shuffle and fletcher32 are read here",
                      kSaveAgain});
    }
    Add(InPieces(dataset));
  }

  void Add(ir::ConstantPtr value) { contents_.datasets.emplace(path_, std::move(value)); }

  ir::ConstantPtr InOnePiece(const Dataset& dataset, std::span<const std::byte> data) const {
    const bool swap = dataset.element.size > 1 &&
                      dataset.element.big_endian != (std::endian::native == std::endian::big);
    if (!swap && dataset.element.kind == Datatype::Kind::kNumber) {
      std::function<void(size_t, size_t)> release;
      if (image_.release) {
        const auto offset = static_cast<size_t>(data.data() - image_.bytes.data());
        release = [drop = image_.release, offset](size_t at, size_t n) { drop(offset + at, n); };
      }
      return ir::ViewConstant(dataset.type, data, image_.owner, std::move(release));
    }
    return ir::ReaderConstant(dataset.type,
                              [data, owner = image_.owner, element = dataset.element,
                               swap](std::span<std::byte> out) -> Status {
                                std::copy_n(data.begin(), out.size(), out.begin());
                                ToNative(element, swap, out);
                                return {};
                              });
  }

  ir::ConstantPtr InPieces(const Dataset& dataset) const {
    const bool swap = dataset.element.size > 1 &&
                      dataset.element.big_endian != (std::endian::native == std::endian::big);
    ChunkedData chunks{
        dataset.layout.kind == Layout::Kind::kChunked ? dataset.layout.address : kUndefinedAddress,
        dataset.element.size, dataset.space.sizes, dataset.layout.chunk, dataset.filters};
    std::string where = name_ + ": " + path_;
    return ir::ReaderConstant(
        dataset.type,
        [bytes = image_.bytes, owner = image_.owner, chunks = std::move(chunks),
         fill = dataset.fill, element = dataset.element, swap,
         where = std::move(where)](std::span<std::byte> out) -> Status {
          if (!Fill(fill, out) || !ReadChunks(bytes, chunks, out)) {
            return Fail(where, "archive-12", "the weight's data cannot be unpacked",
                        "Copy or download the file again, or save the model again.");
          }
          ToNative(element, swap, out);
          return {};
        });
  }

  // The stored elements become the machine's; a bool is 0 or 1 whatever its byte was.
  static void ToNative(const Datatype& element, bool swap, std::span<std::byte> bytes) {
    if (swap) {
      const auto size = static_cast<ptrdiff_t>(element.size);
      for (auto it = bytes.begin(); bytes.end() - it >= size; it += size) {
        std::reverse(it, it + size);
      }
    }
    if (element.kind == Datatype::Kind::kBool) {
      for (std::byte& b : bytes) b = b == std::byte{0} ? std::byte{0} : std::byte{1};
    }
  }

  const Image& image_;
  const std::string& name_;
  const std::function<bool(std::string_view)>& skip_;
  Hdf5File::Contents& contents_;
  uint64_t budget_;
  std::string path_;
  std::set<uint64_t> groups_;
  size_t objects_ = 0;
  std::vector<Diagnostic> problems_;
  bool stopped_ = false;
};

}  // namespace

bool Hdf5File::LooksLikeHdf5(std::span<const std::byte> bytes) {
  return FindSuperblock(bytes.first(std::min<size_t>(bytes.size(), 8))).has_value();
}

bool Hdf5File::HasUserBlock(std::span<const std::byte> bytes) {
  return FindSuperblock(bytes).value_or(0) > 0;
}

Result<Hdf5File> Hdf5File::Read(Image image, std::string name,
                                const std::function<bool(std::string_view)>& skip) {
  const std::optional<uint64_t> at = FindSuperblock(image.bytes);
  if (!at) {
    return Fail(std::move(name), "archive-6", "is no HDF5 file",
                "Copy or download the file again, or save the model again.");
  }
  const std::optional<Superblock> superblock = ReadSuperblock(image.bytes, *at);
  if (!superblock) {
    return Fail(std::move(name), "archive-6", "has an HDF5 superblock that cannot be read",
                kSaveAgain);
  }
  if (superblock->end > image.bytes.size()) {  // counts from the start, user block included
    return Fail(std::move(name), "archive-7",
                "the HDF5 file is truncated: it has " + std::to_string(image.bytes.size()) +
                    " of " + std::to_string(superblock->end) + " bytes",
                "Copy or download the file again, or save the model again.");
  }
  const auto base = static_cast<size_t>(superblock->base);
  image = image.Part(base, image.bytes.size() - base);
  Hdf5File file(std::move(image), std::move(name));
  KL_RETURN_IF_ERROR(Reader(file.image_, file.name_, skip, file.contents_).Run(superblock->root));
  return file;
}

Result<std::unique_ptr<Strings>> Hdf5File::ReadStrings(std::string_view path,
                                                       std::string_view name) const {
  std::vector<Message> messages;
  uint64_t budget = kFreeWork + image_.bytes.size();
  const auto group = contents_.groups.find(path);
  if (group == contents_.groups.end() ||
      !ReadObjectHeader(image_.bytes, group->second, messages, budget)) {
    return Fail(name_ + ": " + std::string(path), "archive-8", "there is no such group",
                kSaveAgain);
  }
  for (const Message& message : messages) {
    if (message.type == MessageType::kAttributeInfo) {
      const auto heap = ParseDenseStorage(message);
      if (heap != kUndefinedAddress) {
        return Fail(name_ + ": " + std::string(path), "archive-15",
                    "the group keeps its attributes in a fractal heap, which is not read here",
                    kSaveAgain);
      }
    }
    if (message.type != MessageType::kAttribute || message.shared) continue;
    const auto attribute = ParseAttribute(message.data);
    if (!attribute || attribute->name != name) continue;
    auto strings = ReadAttributeStrings(image_.bytes, *attribute);
    if (!strings) {
      return Fail(name_ + ": " + std::string(path), "archive-8",
                  "attribute `" + std::string(name) + "` cannot be read as text", kSaveAgain);
    }
    return std::make_unique<Strings>(*std::move(strings));
  }
  return nullptr;
}

}  // namespace keras_litert::archive
