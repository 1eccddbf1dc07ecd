#include "archive/npz.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "archive/zip.h"
#include "ir/constant.h"
#include "util/platform.h"

namespace keras_litert::archive {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kLargestArray = uint64_t{1} << 36;
constexpr size_t kHighestRank = 32;  // NumPy's own limit

struct Header {
  std::string_view descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

bool StartsWith(Bytes bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
}

// Reads the header's dict: exactly the three keys that NumPy writes, in any order.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  std::optional<Header> Parse() {
    Header header;
    bool has_descr = false;
    bool has_order = false;
    bool has_shape = false;
    if (!Take("{")) return std::nullopt;
    while (!Take("}")) {
      const auto key = TakeString();
      if (!key || !Take(":")) return std::nullopt;
      if (*key == "descr" && !has_descr) {
        const auto descr = TakeString();
        // Structured dtypes are lists, which TakeString refuses.
        if (!descr) return std::nullopt;
        header.descr = *descr;
        has_descr = true;
      } else if (*key == "fortran_order" && !has_order) {
        header.fortran_order = Take("True");
        if (!header.fortran_order && !Take("False")) return std::nullopt;
        has_order = true;
      } else if (*key == "shape" && !has_shape) {
        if (!TakeShape(header.shape)) return std::nullopt;
        has_shape = true;
      } else {
        return std::nullopt;
      }
      if (!Take(",") && !Peek('}')) return std::nullopt;
    }
    if (!has_descr || !has_order || !has_shape) return std::nullopt;
    return header;
  }

 private:
  void SkipBlanks() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n')) text_.remove_prefix(1);
  }
  bool Peek(char c) {
    SkipBlanks();
    return !text_.empty() && text_[0] == c;
  }
  bool Take(std::string_view token) {
    SkipBlanks();
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }
  std::optional<std::string_view> TakeString() {
    SkipBlanks();
    if (text_.empty() || (text_[0] != '\'' && text_[0] != '"')) return std::nullopt;
    const size_t end = text_.find(text_[0], 1);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view content = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return content;
  }
  // "()", "(3,)", "(2, 3)"; Python 2 wrote "(3L,)".
  bool TakeShape(std::vector<int64_t>& shape) {
    if (!Take("(")) return false;
    while (!Take(")")) {
      SkipBlanks();
      int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0 || shape.size() >= kHighestRank) return false;
      text_.remove_prefix(static_cast<size_t>(end - text_.data()));
      Take("L");
      shape.push_back(size);
      if (!Take(",") && !Peek(')')) return false;
    }
    return true;
  }

  std::string_view text_;
};

// "<f4" ⇒ float32. The first letter is the byte order, '|' where it does not matter.
std::optional<ir::DType> DTypeOf(std::string_view descr) {
  constexpr std::pair<std::string_view, ir::DType> kTypes[] = {
      {"b1", ir::DType::kBool},     {"i1", ir::DType::kInt8},    {"u1", ir::DType::kUInt8},
      {"i2", ir::DType::kInt16},    {"u2", ir::DType::kUInt16},  {"i4", ir::DType::kInt32},
      {"u4", ir::DType::kUInt32},   {"i8", ir::DType::kInt64},   {"u8", ir::DType::kUInt64},
      {"f2", ir::DType::kFloat16},  {"f4", ir::DType::kFloat32}, {"f8", ir::DType::kFloat64},
      {"c8", ir::DType::kComplex64}};
  if (descr.size() != 3) return std::nullopt;
  for (const auto& [name, dtype] : kTypes) {
    if (descr.substr(1) != name) continue;
    const bool order_matters = ir::SizeOf(dtype) > 1;
    if (descr[0] == '<' || (descr[0] == '|' && !order_matters)) return dtype;
  }
  return std::nullopt;
}

Result<NpzArray> ParseArray(const std::string& file, std::string name, Bytes bytes) {
  const auto damaged = [&](const std::string& why) {
    return Fail(file, "npz-2", "array `" + name + "`: " + why,
                "Save the array again with np.savez.");
  };
  if (bytes.size() < 12 || !StartsWith(bytes, kMagic)) return damaged("is no .npy array");
  const auto byte = [&](size_t i) { return std::to_integer<size_t>(bytes[i]); };
  const size_t version = byte(6);
  if (version < 1 || version > 3) {
    return damaged("has version " + std::to_string(version) + " of the format");
  }
  const size_t start = version == 1 ? 10 : 12;
  const size_t length = version == 1 ? byte(8) | byte(9) << 8
                                     : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - start) return damaged("its header is cut off");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + start, length);
  std::optional<Header> header = HeaderParser(text).Parse();
  if (!header) return damaged("its header cannot be read");

  const std::optional<ir::DType> dtype = DTypeOf(header->descr);
  if (!dtype) {
    return Fail(
        file, "npz-3",
        "array `" + name + "` has the dtype `" + std::string(header->descr) +
            "`, which is not read",
        "Save it as a bool, integer or float array in the machine's byte order, for example "
        "x.astype(\"float32\").");
  }
  const Bytes data = bytes.subspan(start + length);
  // The product is bounded by the file's size, so it cannot overflow.
  size_t size = ir::SizeOf(*dtype);
  if (std::find(header->shape.begin(), header->shape.end(), 0) != header->shape.end()) size = 0;
  for (const int64_t dimension : header->shape) {
    if (size == 0) break;
    if (static_cast<uint64_t>(dimension) > data.size() / size)
      return damaged("its data is cut off");
    size *= static_cast<size_t>(dimension);
  }
  if (size != data.size()) return damaged("its data does not fit its shape");

  ir::TensorType type{*dtype, ir::Shape::Of(header->shape)};
  std::vector<std::byte> content(data.begin(), data.end());
  if (header->fortran_order && header->shape.size() > 1) {
    // Column-major is row-major of the reversed shape.
    std::vector<int64_t> reversed(header->shape.rbegin(), header->shape.rend());
    std::vector<int> permutation(reversed.size());
    for (size_t i = 0; i < permutation.size(); ++i) {
      permutation[i] = static_cast<int>(permutation.size() - 1 - i);
    }
    const ir::ConstantPtr stored =
        ir::OwnedConstant({*dtype, ir::Shape::Of(reversed)}, std::move(content));
    KL_ASSIGN_OR_RETURN(content, ir::EvaluateBytes(*ir::Transposed(stored, permutation)));
  }
  return NpzArray{std::move(name), std::move(type), std::move(content)};
}

}  // namespace

Result<std::vector<NpzArray>> ReadNpz(const std::filesystem::path& file) {
  KL_ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> mapped, MappedFile::Open(file));
  const Bytes bytes = mapped->bytes();
  std::vector<NpzArray> arrays;
  if (StartsWith(bytes, kMagic)) {
    KL_ASSIGN_OR_RETURN(NpzArray array, ParseArray(file.string(), "arr_0", bytes));
    arrays.push_back(std::move(array));
    return arrays;
  }
  if (!ZipDirectory::LooksLikeZip(bytes)) {
    return Fail(file.string(), "npz-1", "is no NumPy array file (.npz or .npy)",
                "Save the arrays with np.savez(\"" + file.filename().string() + "\", name=array).");
  }
  KL_ASSIGN_OR_RETURN(const ZipDirectory directory, ZipDirectory::Read(bytes, file.string()));
  for (const auto& [path, entry] : directory.entries()) {
    std::string name = path;
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    KL_ASSIGN_OR_RETURN(const std::vector<std::byte> content,
                        directory.ReadContent(path, entry, kLargestArray));
    KL_ASSIGN_OR_RETURN(NpzArray array, ParseArray(file.string(), std::move(name), content));
    arrays.push_back(std::move(array));
  }
  return arrays;
}

}  // namespace keras_litert::archive
