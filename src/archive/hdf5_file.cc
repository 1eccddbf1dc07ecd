#include "archive/hdf5_file.h"

#include <hdf5.h>
#include <hdf5_hl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace keras_litert::archive {
namespace {

using ir::DType;

constexpr int kMaxDepth = 64;  // of nested groups; Keras nests one per sub-model and attribute
constexpr size_t kMaxObjects = 2000000;  // groups and datasets
constexpr size_t kMaxPath = 4096;
constexpr uint64_t kMaxAttributeBytes = uint64_t{1} << 30;
// A dataset that claims more than the first and more than the second times what is stored for it is
// refused (gzip cannot expand by more than 1032).
constexpr uint64_t kBombFloor = uint64_t{64} << 20;
constexpr uint64_t kBombRatio = 1100;

constexpr char kSaveAgain[] = "Save the model again with `model.save(\"model.keras\")`.";

// Holds libhdf5 for the calling thread; not to be nested. One thread at a time, no printing, no
// plugins.
class Library {
 public:
  Library() : lock_(Mutex()) {
    H5open();
    H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    H5PLget_loading_state(&plugins_);
    H5PLset_loading_state(0);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() {
    H5Eclear2(H5E_DEFAULT);
    H5PLset_loading_state(plugins_);
    H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
  }

 private:
  static std::mutex& Mutex() {
    static std::mutex mutex;
    return mutex;
  }

  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  unsigned plugins_ = 0;
};

// An identifier of libhdf5, closed at the end of its scope. Needs a Library in an outer scope.
template <herr_t (*kClose)(hid_t)>
class Handle {
 public:
  explicit Handle(hid_t id) : id_(id) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  ~Handle() {
    if (id_ >= 0) kClose(id_);
  }
  explicit operator bool() const { return id_ >= 0; }
  hid_t get() const { return id_; }
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }

 private:
  hid_t id_;
};
using ObjectHandle = Handle<H5Oclose>;
using SpaceHandle = Handle<H5Sclose>;
using TypeHandle = Handle<H5Tclose>;
using PropertiesHandle = Handle<H5Pclose>;
using AttributeHandle = Handle<H5Aclose>;

// How one element is stored.
struct ElementType {
  DType dtype = DType::kFloat32;
  bool swapped = false;  // stored big-endian
};

std::string ClassName(H5T_class_t type) {
  switch (type) {
    case H5T_INTEGER:
      return "integer";
    case H5T_FLOAT:
      return "float";
    case H5T_STRING:
      return "string";
    case H5T_OPAQUE:
      return "opaque";
    case H5T_COMPOUND:
      return "compound";
    case H5T_ENUM:
      return "enumeration";
    case H5T_VLEN:
      return "variable-length";
    case H5T_REFERENCE:
      return "reference";
    case H5T_ARRAY:
      return "array";
    default:
      return "unknown";
  }
}

// True for an IEEE 754 format (the width of the exponent says which), whole bytes, no padding.
bool IsIeee(hid_t type, size_t exponent_bits) {
  const size_t bits = H5Tget_size(type) * 8;
  size_t sign = 0;
  size_t exponent = 0;
  size_t exponent_size = 0;
  size_t mantissa = 0;
  size_t mantissa_size = 0;
  return H5Tget_fields(type, &sign, &exponent, &exponent_size, &mantissa, &mantissa_size) >= 0 &&
         sign == bits - 1 && exponent_size == exponent_bits && mantissa == 0 &&
         mantissa_size == bits - 1 - exponent_bits && exponent == mantissa_size &&
         H5Tget_ebias(type) == (size_t{1} << (exponent_bits - 1)) - 1 &&
         H5Tget_norm(type) == H5T_NORM_IMPLIED;
}

// h5py writes NumPy's bool as an enumeration {FALSE = 0, TRUE = 1} of int8.
bool IsBool(hid_t type) {
  if (H5Tget_size(type) != 1 || H5Tget_nmembers(type) != 2) return false;
  int8_t value = -1;
  TypeHandle base(H5Tget_super(type));
  if (!base || H5Tget_class(base.get()) != H5T_INTEGER) return false;
  return H5Tenum_valueof(type, "FALSE", &value) >= 0 && value == 0 &&
         H5Tenum_valueof(type, "TRUE", &value) >= 0 && value == 1;
}

std::optional<ElementType> Integer(hid_t type) {
  const size_t size = H5Tget_size(type);
  if (H5Tget_precision(type) != size * 8) return std::nullopt;
  const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
  ElementType element;
  element.swapped = size > 1 && H5Tget_order(type) == H5T_ORDER_BE;
  switch (size) {
    case 1:
      element.dtype = is_signed ? DType::kInt8 : DType::kUInt8;
      return element;
    case 2:
      element.dtype = is_signed ? DType::kInt16 : DType::kUInt16;
      return element;
    case 4:
      element.dtype = is_signed ? DType::kInt32 : DType::kUInt32;
      return element;
    case 8:
      element.dtype = is_signed ? DType::kInt64 : DType::kUInt64;
      return element;
    default:
      return std::nullopt;
  }
}

std::optional<ElementType> Float(hid_t type) {
  const H5T_order_t order = H5Tget_order(type);
  if (order != H5T_ORDER_LE && order != H5T_ORDER_BE) return std::nullopt;
  ElementType element;
  element.swapped = order == H5T_ORDER_BE;
  const size_t size = H5Tget_size(type);
  if (size == 4 && IsIeee(type, 8)) {
    element.dtype = DType::kFloat32;
  } else if (size == 2 && IsIeee(type, 5)) {
    element.dtype = DType::kFloat16;
  } else if (size == 2 && IsIeee(type, 8)) {
    element.dtype = DType::kBFloat16;
  } else if (size == 8 && IsIeee(type, 11)) {
    element.dtype = DType::kFloat64;
  } else {
    return std::nullopt;
  }
  return element;
}

// The strings of an open attribute, whether fixed or variable, one or an array; nothing where it is
// something else. An empty array has no strings of whatever type (NumPy makes an empty list an
// array of float64).
std::optional<std::vector<std::string>> ReadStringAttribute(hid_t attribute) {
  TypeHandle type(H5Aget_type(attribute));
  SpaceHandle space(H5Aget_space(attribute));
  if (!type || !space) return std::nullopt;
  const hssize_t count = H5Sget_simple_extent_npoints(space.get());
  if (count < 0) return std::nullopt;
  if (count == 0) return std::vector<std::string>();
  if (H5Tget_class(type.get()) != H5T_STRING) return std::nullopt;
  const size_t size = H5Tget_size(type.get());
  const auto n = static_cast<size_t>(count);
  if (size == 0 || n > kMaxAttributeBytes / size ||
      n * size > static_cast<uint64_t>(H5Aget_storage_size(attribute))) {
    return std::nullopt;
  }
  std::vector<std::string> strings;
  if (H5Tis_variable_str(type.get()) > 0) {
    std::vector<char*> pointers(n, nullptr);
    TypeHandle memory(H5Tcopy(H5T_C_S1));
    H5Tset_size(memory.get(), H5T_VARIABLE);
    H5Tset_cset(memory.get(), H5Tget_cset(type.get()));
    if (H5Aread(attribute, memory.get(), pointers.data()) < 0) return std::nullopt;
    strings.reserve(n);
    for (const char* pointer : pointers) strings.emplace_back(pointer == nullptr ? "" : pointer);
    H5Dvlen_reclaim(memory.get(), space.get(), H5P_DEFAULT, pointers.data());
  } else {
    std::string bytes(n * size, '\0');
    if (H5Aread(attribute, type.get(), bytes.data()) < 0) return std::nullopt;
    const bool space_padded = H5Tget_strpad(type.get()) == H5T_STR_SPACEPAD;
    strings.reserve(n);
    for (size_t i = 0; i < n; ++i) {
      std::string_view text(bytes.data() + i * size, size);
      text = text.substr(0, text.find('\0'));
      if (space_padded) text = text.substr(0, text.find_last_not_of(' ') + 1);
      strings.emplace_back(text);
    }
  }
  return strings;
}

void SwapBytes(std::span<std::byte> bytes, size_t size) {
  for (size_t i = 0; i + size <= bytes.size(); i += size) {
    std::reverse(bytes.begin() + static_cast<ptrdiff_t>(i),
                 bytes.begin() + static_cast<ptrdiff_t>(i + size));
  }
}

class File final : public Hdf5File, public std::enable_shared_from_this<File> {
 public:
  File(hid_t file, Hdf5Image image, std::string name)
      : file_(file), image_(std::move(image)), name_(std::move(name)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() override {
    Library library;
    H5Fclose(file_);
  }

  Result<std::map<std::string, ir::ConstantPtr, std::less<>>> Datasets(
      std::string_view group, const std::function<bool(std::string_view)>& skip) const override;
  bool HasAttribute(const std::string& path, const std::string& name) const override;
  Result<std::vector<std::string>> ReadStrings(const std::string& path,
                                               const std::string& name) const override;
  bool HasGroup(std::string_view path) const override;

  // Reads the dataset whose header lies at `address`.
  Status Read(haddr_t address, const std::string& path, ElementType element,
              std::span<std::byte> out) const;

 private:
  struct Walk {
    const File* file;
    const std::function<bool(std::string_view)>* skip;
    std::map<std::string, ir::ConstantPtr, std::less<>> datasets;
    std::vector<Diagnostic> problems;
    std::set<haddr_t> groups;
    size_t objects = 0;
    std::string path;  // of the group that is being read, with a slash at its end; empty at the top
    int depth = 0;
    bool stopped = false;
  };

  static herr_t Visit(hid_t group, const char* name, const H5L_info_t* link, void* data);
  void VisitDataset(Walk& walk, hid_t dataset, haddr_t address) const;
  std::string Where(std::string_view path) const { return name_ + ": " + std::string(path); }
  // The group at `path` by hard links only; invalid where there is none.
  ObjectHandle OpenGroup(std::string_view path) const;

  hid_t file_;
  Hdf5Image image_;
  std::string name_;
};

ObjectHandle File::OpenGroup(std::string_view path) const {
  ObjectHandle group(H5Gopen2(file_, "/", H5P_DEFAULT));
  while (group && !path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string part(path.substr(0, slash));
    path.remove_prefix(std::min(slash + 1, path.size()));
    H5L_info_t link;
    if (part.empty() || H5Lget_info(group.get(), part.c_str(), &link, H5P_DEFAULT) < 0 ||
        link.type != H5L_TYPE_HARD) {
      return ObjectHandle(H5I_INVALID_HID);
    }
    ObjectHandle next(H5Oopen_by_addr(file_, link.u.address));
    if (!next || H5Iget_type(next.get()) != H5I_GROUP) return ObjectHandle(H5I_INVALID_HID);
    group = std::move(next);
  }
  return group;
}

bool File::HasGroup(std::string_view path) const {
  Library library;
  return static_cast<bool>(OpenGroup(path));
}

bool File::HasAttribute(const std::string& path, const std::string& name) const {
  Library library;
  ObjectHandle group = OpenGroup(path);
  return group && H5Aexists(group.get(), name.c_str()) > 0;
}

Result<std::vector<std::string>> File::ReadStrings(const std::string& path,
                                                   const std::string& name) const {
  Library library;
  ObjectHandle group = OpenGroup(path);
  AttributeHandle attribute(group ? H5Aopen(group.get(), name.c_str(), H5P_DEFAULT)
                                  : H5I_INVALID_HID);
  std::optional<std::vector<std::string>> strings;
  if (attribute) strings = ReadStringAttribute(attribute.get());
  if (!strings) {
    return Fail(Where(path), "archive-8", "attribute `" + name + "` cannot be read as text",
                kSaveAgain);
  }
  return *std::move(strings);
}

Result<std::map<std::string, ir::ConstantPtr, std::less<>>> File::Datasets(
    std::string_view group, const std::function<bool(std::string_view)>& skip) const {
  Library library;
  Walk walk{.file = this, .skip = &skip};
  ObjectHandle top = OpenGroup(group);
  if (!top) {
    return Fail(Where(group), "archive-8", "there is no such group in the HDF5 file", kSaveAgain);
  }
  if (H5Literate(top.get(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, Visit, &walk) < 0 &&
      walk.problems.empty()) {
    walk.problems.push_back({Where(walk.path), "archive-7", "the HDF5 file is damaged here",
                             "Copy or download the file again, or save the model again."});
  }
  if (!walk.problems.empty()) return std::unexpected(Error(std::move(walk.problems)));
  return std::move(walk.datasets);
}

// Called by H5Literate for each link of a group. Never throws: libhdf5 is C.
herr_t File::Visit(hid_t group, const char* name, const H5L_info_t* link, void* data) {
  Walk& walk = *static_cast<Walk*>(data);
  const size_t parent = walk.path.size();
  const auto stop = [&](std::string code, std::string message, std::string hint) {
    walk.problems.push_back(
        {walk.file->Where(walk.path), std::move(code), std::move(message), std::move(hint)});
    walk.path.resize(parent);
    return herr_t{-1};
  };
  walk.path += name;
  if (walk.path.size() > kMaxPath) {
    walk.path.resize(80);
    walk.problems.push_back({walk.file->Where(walk.path), "archive-9",
                             "a path has more than " + std::to_string(kMaxPath) + " bytes",
                             kSaveAgain});
    return -1;
  }
  if ((*walk.skip)(walk.path)) {
    walk.path.resize(parent);
    return 0;
  }
  if (link->type != H5L_TYPE_HARD) {
    return stop("archive-10",
                std::string("the HDF5 file has ") +
                    (link->type == H5L_TYPE_SOFT ? "a soft" : "an external") + " link here",
                "Keras writes none and refuses them; save the model again with Keras.");
  }
  if (++walk.objects > kMaxObjects) {
    return stop("archive-9",
                "the HDF5 file has more than " + std::to_string(kMaxObjects) + " objects",
                kSaveAgain);
  }
  ObjectHandle object(H5Oopen_by_addr(group, link->u.address));
  if (!object) {
    return stop("archive-7", "the HDF5 file is damaged here",
                "Copy or download the file again, or save the model again.");
  }
  switch (H5Iget_type(object.get())) {
    case H5I_DATASET:
      walk.file->VisitDataset(walk, object.get(), link->u.address);
      break;
    case H5I_GROUP: {
      if (!walk.groups.insert(link->u.address).second) {
        return stop("archive-10", "the HDF5 file reaches this group by two paths",
                    "Keras writes no such links; save the model again with Keras.");
      }
      if (++walk.depth > kMaxDepth) {
        return stop("archive-9",
                    "the HDF5 file nests groups more than " + std::to_string(kMaxDepth) + " deep",
                    kSaveAgain);
      }
      walk.path += '/';
      const size_t before = walk.problems.size();
      const herr_t status =
          H5Literate(object.get(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, Visit, data);
      if (status < 0) {
        if (walk.problems.size() > before) return -1;
        return stop("archive-7", "the HDF5 file is damaged here",
                    "Copy or download the file again, or save the model again.");
      }
      --walk.depth;
      break;
    }
    default:
      break;  // a named datatype holds no weight
  }
  walk.path.resize(parent);
  return 0;
}

void File::VisitDataset(Walk& walk, hid_t dataset, haddr_t address) const {
  const auto problem = [&](std::string code, std::string message, std::string hint) {
    walk.problems.push_back(
        {Where(walk.path), std::move(code), std::move(message), std::move(hint)});
  };
  TypeHandle type(H5Dget_type(dataset));
  SpaceHandle space(H5Dget_space(dataset));
  if (!type || !space) {
    return problem("archive-7", "the HDF5 file is damaged here",
                   "Copy or download the file again, or save the model again.");
  }
  // 1. The element type.
  const H5T_class_t type_class = H5Tget_class(type.get());
  std::optional<ElementType> element;
  if (type_class == H5T_FLOAT) {
    element = Float(type.get());
  } else if (type_class == H5T_INTEGER) {
    element = Integer(type.get());
  } else if (type_class == H5T_ENUM && IsBool(type.get())) {
    element = ElementType{.dtype = DType::kBool};
  } else if (type_class == H5T_OPAQUE && H5Tget_size(type.get()) == 2 &&
             H5Aexists(dataset, "dtype") > 0) {
    // Keras's H5IOStore writes bfloat16 as two opaque bytes and says so in an attribute.
    AttributeHandle attribute(H5Aopen(dataset, "dtype", H5P_DEFAULT));
    const auto names = attribute ? ReadStringAttribute(attribute.get()) : std::nullopt;
    if (names && names->size() == 1 && names->front() == "bfloat16") {
      element = ElementType{.dtype = DType::kBFloat16};
    }
  }
  if (!element) {
    return problem("archive-11",
                   "a weight has elements of " + std::to_string(H5Tget_size(type.get())) +
                       " bytes of the HDF5 class " + ClassName(type_class) +
                       ", which is no dtype that is read here",
                   "Cast the weight to a Keras dtype (float32, int8, bool …) before saving.");
  }
  // 2. The shape.
  const int rank = H5Sget_simple_extent_ndims(space.get());
  std::array<hsize_t, H5S_MAX_RANK> sizes{};
  if (H5Sis_simple(space.get()) <= 0 || rank < 0 || rank > H5S_MAX_RANK ||
      H5Sget_simple_extent_type(space.get()) == H5S_NULL ||
      H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr) < 0) {
    return problem("archive-11", "a weight has no shape", kSaveAgain);
  }
  ir::Shape shape;
  uint64_t bytes = ir::SizeOf(element->dtype);
  bool empty = false;
  for (int i = 0; i < rank; ++i) {
    empty |= sizes[i] == 0;
    // Sizes are checked one by one so that a product with a zero in it cannot hide an overflow.
    if (sizes[i] > (uint64_t{1} << 62) / std::max<uint64_t>(bytes, 1)) {
      return problem("archive-9", "a weight claims a size beyond 2^62 bytes", kSaveAgain);
    }
    if (sizes[i] != 0) bytes *= sizes[i];
    shape.Append(static_cast<int64_t>(sizes[i]));
  }
  if (empty) bytes = 0;
  ir::TensorType tensor{element->dtype, std::move(shape)};
  // 3. The data.
  ir::ConstantPtr value;
  const haddr_t offset = bytes == 0 ? HADDR_UNDEF : H5Dget_offset(dataset);
  if (bytes == 0) {
    value = ir::OwnedConstant(std::move(tensor), {});
  } else if (offset != HADDR_UNDEF) {  // in one piece, in this file
    if (H5Dget_storage_size(dataset) != bytes || offset > image_.bytes.size() ||
        bytes > image_.bytes.size() - offset) {
      return problem("archive-7",
                     "a weight claims " + std::to_string(bytes) + " bytes at " +
                         std::to_string(offset) + " of " + std::to_string(image_.bytes.size()),
                     "The file seems truncated; copy or download it again.");
    }
    if (!element->swapped && element->dtype != DType::kBool &&
        std::endian::native == std::endian::little) {
      std::function<void()> release;
      if (image_.release) {
        release = [drop = image_.release, offset, bytes] { drop(offset, bytes); };
      }
      value = ir::ViewConstant(std::move(tensor), image_.bytes.subspan(offset, bytes), image_.owner,
                               std::move(release));
    }
  } else {
    PropertiesHandle properties(H5Dget_create_plist(dataset));
    if (!properties || H5Pget_external_count(properties.get()) != 0 ||
        H5Pget_layout(properties.get()) == H5D_VIRTUAL) {
      return problem("archive-10", "a weight's data lies in another file",
                     "Keras writes no such weights and refuses them; save the model again.");
    }
    const uint64_t stored = H5Dget_storage_size(dataset);
    if (stored > image_.bytes.size() || (bytes > kBombFloor && bytes / kBombRatio > stored)) {
      return problem("archive-9",
                     "a weight claims " + std::to_string(bytes) + " bytes in " +
                         std::to_string(stored) + " stored ones",
                     kSaveAgain);
    }
  }
  if (!value) {
    value = ir::ReaderConstant(
        std::move(tensor),
        [self = shared_from_this(), address, path = walk.path,
         e = *element](std::span<std::byte> out) { return self->Read(address, path, e, out); });
  }
  walk.datasets.emplace(walk.path, std::move(value));
}

Status File::Read(haddr_t address, const std::string& path, ElementType element,
                  std::span<std::byte> out) const {
  Library library;
  ObjectHandle dataset(H5Oopen_by_addr(file_, address));
  TypeHandle type(dataset ? H5Dget_type(dataset.get()) : H5I_INVALID_HID);
  SpaceHandle space(dataset ? H5Dget_space(dataset.get()) : H5I_INVALID_HID);
  const size_t size = ir::SizeOf(element.dtype);
  // The type as stored: nothing is converted, so `out` holds exactly its bytes.
  if (!type || !space || H5Tget_size(type.get()) != size ||
      static_cast<uint64_t>(H5Sget_simple_extent_npoints(space.get())) != out.size() / size ||
      H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, out.data()) < 0) {
    return Fail(Where(path), "archive-12", "the weight's data cannot be read or unpacked",
                "The file may be damaged, or use an HDF5 filter that is not installed; save the "
                "model again.");
  }
  if (element.swapped != (std::endian::native == std::endian::big)) SwapBytes(out, size);
  if (element.dtype == DType::kBool) {  // an enumeration's byte may be anything
    for (std::byte& b : out) b = std::byte{b != std::byte{0}};
  }
  return {};
}

}  // namespace

bool Hdf5File::LooksLikeHdf5(std::span<const std::byte> bytes) {
  constexpr std::array<unsigned char, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  return bytes.size() >= kSignature.size() &&
         std::equal(kSignature.begin(), kSignature.end(), bytes.begin(),
                    [](unsigned char a, std::byte b) { return std::byte{a} == b; });
}

Result<std::shared_ptr<const Hdf5File>> Hdf5File::Open(Hdf5Image image, std::string name) {
  Library library;
  const hid_t file =
      image.bytes.empty()
          ? H5I_INVALID_HID
          : H5LTopen_file_image(image.bytes.data(), image.bytes.size(),
                                H5LT_FILE_IMAGE_DONT_COPY | H5LT_FILE_IMAGE_DONT_RELEASE);
  if (file < 0) {
    return Fail(std::move(name), "archive-6", "is no HDF5 file, or a damaged or truncated one",
                "Copy or download the file again, or save the model again.");
  }
  return std::make_shared<File>(file, std::move(image), std::move(name));
}

}  // namespace keras_litert::archive
