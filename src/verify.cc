// Runs a file in the runtime and compares: npz → arrays of the signature's types → runtime →
// comparison.

#include "keras_litert/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>

#include "archive/npz.h"
#include "ir/element.h"
#include "keras_litert/inspect.h"
#include "litert/runtime.h"
#include "util/near_match.h"

namespace keras_litert {
namespace {

namespace fs = std::filesystem;
using archive::NpzArray;
using ir::DType;

constexpr size_t kFewElements = 8;  // too few to have a range

// --- Arrays by name
// --------------------------------------------------------------------------------------------

// NumPy's names for arrays given without one.
std::string DefaultName(size_t index) {
  return "arr_" + std::to_string(index);
}

const NpzArray* Find(const std::vector<NpzArray>& arrays, const std::string& name) {
  const auto found = std::find_if(arrays.begin(), arrays.end(),
                                  [&](const NpzArray& array) { return array.name == name; });
  return found != arrays.end() ? &*found : nullptr;
}

std::string Quoted(const std::vector<std::string>& names) {
  return fmt::format("`{}`", fmt::join(names, "`, `"));
}

// For each of `tensors` its array, or null where there is none. Errors: arrays-1, for a name that
// no tensor has.
Result<std::vector<const NpzArray*>> Match(const std::vector<NpzArray>& arrays,
                                           const std::vector<TensorReport>& tensors,
                                           const fs::path& file, const char* kind) {
  std::vector<const NpzArray*> matched;
  std::vector<std::string> names;
  for (const TensorReport& tensor : tensors) {
    names.push_back(tensor.name);
    matched.push_back(Find(arrays, tensor.name));
  }
  const bool none =
      std::all_of(matched.begin(), matched.end(), [](auto* a) { return a == nullptr; });
  if (none && arrays.size() == tensors.size()) {
    if (arrays.size() == 1) return std::vector{&arrays[0]};
    for (size_t i = 0; i < matched.size(); ++i) matched[i] = Find(arrays, DefaultName(i));
    if (std::find(matched.begin(), matched.end(), nullptr) == matched.end()) return matched;
    std::fill(matched.begin(), matched.end(), nullptr);
  }
  std::vector<Diagnostic> problems;
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  for (const NpzArray& array : arrays) {
    if (std::find(matched.begin(), matched.end(), &array) != matched.end()) continue;
    const auto near = NearMatch(array.name, candidates);
    problems.push_back({file.string(), "arrays-1",
                        fmt::format("the model has no {} `{}`", kind, array.name),
                        near ? "Did you mean `" + *near + "`?"
                             : fmt::format("Its {}s are {}.", kind, Quoted(names))});
  }
  if (!problems.empty()) return std::unexpected(Error(std::move(problems)));
  return matched;
}

// --- Inputs
// ----------------------------------------------------------------------------------------------------

template <typename T>
T ElementAt(const std::byte* bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return value;
}

// The elements as `dtype`: float64 rounded to a narrower float, int64 narrowed if no value changes.
// Null where that is no such conversion, or a value would change.
std::optional<std::vector<std::byte>> Convert(const NpzArray& array, DType dtype) {
  if (array.type.dtype == dtype) return array.bytes;
  const bool floats = array.type.dtype == DType::kFloat64 && ir::IsFloat(dtype);
  const bool integers = array.type.dtype == DType::kInt64 && ir::IsInteger(dtype);
  if (!floats && !integers) return std::nullopt;
  const auto count = static_cast<size_t>(array.type.shape.NumElements());
  std::vector<std::byte> converted(count * ir::SizeOf(dtype));
  bool same = true;
  ir::DispatchElement(dtype, [&](auto zero) {
    using To = decltype(zero);
    for (size_t i = 0; i < count; ++i) {
      To value{};
      if (floats) {
        value = ir::ConvertElement<To>(ElementAt<double>(array.bytes.data(), i));
      } else {
        const auto wide = ElementAt<int64_t>(array.bytes.data(), i);
        value = ir::ConvertElement<To>(wide);
        same &= ir::ConvertElement<int64_t>(value) == wide && (wide >= 0 || !ir::IsUnsigned(dtype));
      }
      std::memcpy(converted.data() + i * sizeof(To), &value, sizeof(To));
    }
  });
  if (!same) return std::nullopt;
  return converted;
}

Result<litert::Array> MakeInput(const TensorReport& tensor, const NpzArray* array,
                                const fs::path& file) {
  if (array == nullptr) {
    return Fail(file.string(), "arrays-2", "there is no array for the input `" + tensor.name + "`",
                fmt::format("Add it: np.savez(…, {}=array).", tensor.name));
  }
  bool fits = array->type.shape.rank() == static_cast<int>(tensor.shape.size());
  for (size_t i = 0; fits && i < tensor.shape.size(); ++i) {
    fits = tensor.shape[i] < 0 || array->type.shape.dim(static_cast<int>(i)) == tensor.shape[i];
  }
  if (!fits) {
    std::vector<std::string> sizes;
    for (const int64_t size : tensor.shape) sizes.push_back(size < 0 ? "?" : std::to_string(size));
    return Fail(file.string(), "arrays-3",
                fmt::format("the input `{}` takes [{}], the array is {}", tensor.name,
                            fmt::join(sizes, ", "), array->type.ToString()));
  }
  const std::optional<DType> dtype = ir::DTypeFromName(tensor.dtype);
  std::optional<std::vector<std::byte>> bytes;
  if (dtype) bytes = Convert(*array, *dtype);
  if (!bytes) {
    return Fail(file.string(), "arrays-4",
                fmt::format("the input `{}` takes {}, the array is {}", tensor.name, tensor.dtype,
                            array->type.ToString()),
                fmt::format("Save it as array.astype(\"{}\").", tensor.dtype));
  }
  return litert::Array{{*dtype, array->type.shape}, *std::move(bytes)};
}

// --- Comparison
// ------------------------------------------------------------------------------------------------

// The elements in double precision, complex numbers as two each.
std::vector<double> AsDoubles(DType dtype, const std::vector<std::byte>& bytes) {
  const DType element = dtype == DType::kComplex64 ? DType::kFloat32 : dtype;
  std::vector<double> values(bytes.size() / ir::SizeOf(element));
  ir::DispatchElement(element, [&](auto zero) {
    using T = decltype(zero);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = ir::ConvertElement<double>(ElementAt<T>(bytes.data(), i));
    }
  });
  return values;
}

std::vector<int64_t> AsIntegers(DType dtype, const std::vector<std::byte>& bytes) {
  std::vector<int64_t> values(bytes.size() / ir::SizeOf(dtype));
  ir::DispatchElement(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = ir::ConvertElement<int64_t>(ElementAt<T>(bytes.data(), i));
    }
  });
  return values;
}

bool IsExact(DType dtype) {
  return dtype == DType::kBool || ir::IsInteger(dtype);
}

// The distance from 1 to the next number.
double EpsilonOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return 0x1p-10;
    case DType::kBFloat16:
      return 0x1p-7;
    case DType::kFloat64:
      return 0x1p-52;
    default:
      return 0x1p-23;
  }
}

// "[1, 2]", the place of a flat index.
std::string Place(size_t index, const ir::Shape& shape) {
  std::vector<int64_t> place(static_cast<size_t>(shape.rank()));
  auto rest = static_cast<int64_t>(index);
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    place[static_cast<size_t>(axis)] = rest % shape.dim(axis).value();
    rest /= shape.dim(axis).value();
  }
  return fmt::format("[{}]", fmt::join(place, ", "));
}

void CompareExact(const litert::Array& actual, const NpzArray& expected, OutputComparison& result) {
  const std::vector<int64_t> a = AsIntegers(actual.type.dtype, actual.bytes);
  const std::vector<int64_t> e = AsIntegers(expected.type.dtype, expected.bytes);
  for (size_t i = 0; i < e.size(); ++i) {
    if (a[i] == e[i]) continue;
    if (result.mismatches++ == 0) {
      result.reason = fmt::format("{}: {}, expected {}", Place(i, actual.type.shape), a[i], e[i]);
    }
  }
}

void CompareInexact(const litert::Array& actual, const NpzArray& expected, double tolerance,
                    OutputComparison& result) {
  const std::vector<double> a = AsDoubles(actual.type.dtype, actual.bytes);
  const std::vector<double> e = AsDoubles(expected.type.dtype, expected.bytes);
  const size_t parts = actual.type.dtype == DType::kComplex64 ? 2 : 1;
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  double largest = 0;
  size_t worst = 0;
  for (size_t i = 0; i < e.size(); ++i) {
    if (!std::isfinite(e[i]) || !std::isfinite(a[i])) {
      const bool same = a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]));
      if (!same && result.mismatches++ == 0) {
        result.reason =
            fmt::format("{}: {}, expected {}", Place(i / parts, actual.type.shape), a[i], e[i]);
      }
    }
    if (!std::isfinite(e[i])) continue;
    least = std::min(least, e[i]);
    most = std::max(most, e[i]);
    largest = std::max(largest, std::abs(e[i]));
    const double difference = std::abs(a[i] - e[i]);
    if (std::isfinite(difference) && difference > result.max_absolute_error) {
      result.max_absolute_error = difference;
      worst = i;
    }
  }
  double scale = most - least;
  if (e.size() < kFewElements || !(scale > 0)) scale = std::max(scale, largest);
  if (!(scale > 0)) scale = 1;
  // Two roundings of the largest value are no error, however small the range is beside it.
  if (result.max_absolute_error > 2 * EpsilonOf(actual.type.dtype) * largest) {
    result.max_relative_error = result.max_absolute_error / scale;
  }
  if (result.mismatches == 0 && result.max_relative_error > tolerance) {
    result.reason = fmt::format("{}: {:.6g}, expected {:.6g}",
                                Place(worst / parts, actual.type.shape), a[worst], e[worst]);
  }
}

OutputComparison Compare(const std::string& name, const litert::Array& actual,
                         const NpzArray& expected, double tolerance) {
  OutputComparison result;
  result.name = name;
  result.dtype = ir::Name(actual.type.dtype);
  for (const ir::Dim dim : actual.type.shape) result.shape.push_back(dim.value());
  if (actual.type.shape != expected.type.shape) {
    result.reason = "the expected shape is " + expected.type.shape.ToString();
  } else if (IsExact(actual.type.dtype) != IsExact(expected.type.dtype) ||
             (actual.type.dtype == DType::kComplex64) !=
                 (expected.type.dtype == DType::kComplex64)) {
    result.reason = "the expected dtype is " + std::string(ir::Name(expected.type.dtype));
  } else if (IsExact(actual.type.dtype)) {
    CompareExact(actual, expected, result);
  } else {
    CompareInexact(actual, expected, tolerance, result);
  }
  result.passed = result.reason.empty();
  return result;
}

}  // namespace

Result<VerifyReport> Verify(const fs::path& model, const fs::path& inputs, const fs::path& expected,
                            const VerifyOptions& options) {
  KL_ASSIGN_OR_RETURN(const InspectReport contents, Inspect(model));
  if (contents.format != FileFormat::kTflite) {
    return Fail(model.string(), "tflite-2", "is a saved Keras model, no LiteRT file",
                "Convert it first, then name the .tflite file.");
  }
  if (contents.signatures.empty()) {
    return Fail(model.string(), "tflite-2", "holds no graph");
  }
  const SignatureReport& signature = contents.signatures.front();
  KL_ASSIGN_OR_RETURN(const std::vector<NpzArray> input_arrays, archive::ReadNpz(inputs));
  KL_ASSIGN_OR_RETURN(const std::vector<NpzArray> expected_arrays, archive::ReadNpz(expected));
  KL_ASSIGN_OR_RETURN(const std::vector<const NpzArray*> given,
                      Match(input_arrays, signature.inputs, inputs, "input"));
  KL_ASSIGN_OR_RETURN(const std::vector<const NpzArray*> wanted,
                      Match(expected_arrays, signature.outputs, expected, "output"));
  if (expected_arrays.empty()) {
    return Fail(expected.string(), "arrays-2", "there is no array to compare with");
  }
  std::vector<Diagnostic> problems;
  std::vector<litert::Array> arrays;
  for (size_t i = 0; i < given.size(); ++i) {
    auto array = MakeInput(signature.inputs[i], given[i], inputs);
    if (array) {
      arrays.push_back(*std::move(array));
    } else {
      problems.push_back(array.error().diagnostics().front());
    }
  }
  if (!problems.empty()) return std::unexpected(Error(std::move(problems)));

  VerifyReport report;
  report.tolerance = options.tolerance;
  KL_ASSIGN_OR_RETURN(const auto runtime, litert::Runtime::Open(options.runtime));
  report.runtime = runtime->library().string();
  KL_ASSIGN_OR_RETURN(const auto loaded, runtime->Load(model));
  for (size_t i = 0; i < signature.outputs.size(); ++i) {
    if (wanted[i] != nullptr) loaded->Reserve(signature.outputs[i].name, wanted[i]->bytes.size());
  }
  // The runtime orders inputs and outputs its own way.
  std::vector<litert::Array> ordered;
  for (const std::string& name : loaded->input_names()) {
    const auto same = [&](const TensorReport& tensor) { return tensor.name == name; };
    const auto found = std::find_if(signature.inputs.begin(), signature.inputs.end(), same);
    if (found == signature.inputs.end()) {
      return Fail(model.string(), "runtime-3",
                  "LiteRT knows an input `" + name + "` that the file's tables lack");
    }
    ordered.push_back(std::move(arrays[static_cast<size_t>(found - signature.inputs.begin())]));
  }
  KL_ASSIGN_OR_RETURN(const std::vector<litert::Array> outputs,
                      loaded->Run(ordered, &report.seconds));

  report.passed = true;
  for (size_t i = 0; i < signature.outputs.size(); ++i) {
    if (wanted[i] == nullptr) continue;
    const std::string& name = signature.outputs[i].name;
    const auto& names = loaded->output_names();
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      return Fail(model.string(), "runtime-3", "LiteRT does not know the output `" + name + "`");
    }
    report.outputs.push_back(Compare(name, outputs[static_cast<size_t>(found - names.begin())],
                                     *wanted[i], options.tolerance));
    report.passed &= report.outputs.back().passed;
  }
  return report;
}

}  // namespace keras_litert
