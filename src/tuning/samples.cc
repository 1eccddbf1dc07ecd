#include "tuning/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "archive/npz.h"
#include "ir/constant.h"
#include "ir/from_array.h"
#include "tuning/images.h"
#include "util/near_match.h"

namespace keras_litert {
namespace {

using archive::NpzArray;
using ir::ConstantPtr;
using ir::DType;
using ir::Tensor;

// Rows of a file that run at once where the model leaves the batch open.
constexpr int64_t kBatch = 8;

std::string Expected(const Tensor& input) {
  std::vector<std::string> sizes;
  for (const ir::Dim dim : input.type.shape) {
    sizes.push_back(dim.is_static() ? std::to_string(dim.value()) : "?");
  }
  return fmt::format("{}[{}]", ir::Name(input.type.dtype), fmt::join(sizes, ", "));
}

bool HasOnlyNumbers(const std::vector<std::byte>& bytes) {
  for (size_t i = 0; i < bytes.size(); i += sizeof(float)) {
    float value;
    std::memcpy(&value, bytes.data() + i, sizeof(value));
    if (!std::isfinite(value)) return false;
  }
  return true;
}

class Reader {
 public:
  Reader(const ir::Module& module, const CalibrateOptions& options)
      : module_(module), options_(options) {}

  Result<std::vector<std::vector<litert::Array>>> Run() {
    for (size_t i = 0; i < options_.samples.size(); ++i) {
      AddSample(options_.samples[i], fmt::format("sample {}", i + 1));
      if (errors_.size() >= kMostErrors) break;
    }
    if (!options_.file.empty()) KL_RETURN_IF_ERROR(AddFile());
    if (!errors_.empty()) return std::unexpected(Error(std::move(errors_)));
    if (batches_.empty()) {
      return Fail("", "samples-1",
                  "quantizing activations needs samples, as a search does, and there are none",
                  "Give a few hundred typical inputs: --calibrate samples.npz, or "
                  "representative_dataset= in Python. The recipe dynamic_int8 needs none.");
    }
    return std::move(batches_);
  }

 private:
  static constexpr size_t kMostErrors = 8;

  void Report(const std::string& where, const char* code, std::string message, std::string hint) {
    errors_.push_back({where, code, std::move(message), std::move(hint)});
  }

  std::string InputNames() const {
    return fmt::format("'{}'", fmt::join(module_.input_names, "', '"));
  }

  // The array with the values of an input, or nothing and an error.
  std::optional<litert::Array> Take(size_t input, const ConstantPtr& given,
                                    const std::string& where) {
    const Tensor& wanted = *module_.main().inputs()[input];
    const std::string& name = module_.input_names[input];
    const ir::Shape& shape = given->type().shape;
    bool fits = shape.rank() == wanted.type.shape.rank();
    for (int i = 0; fits && i < shape.rank(); ++i) {
      const ir::Dim dim = wanted.type.shape[i];
      fits = (!dim.is_static() || dim == shape[i]) && shape[i].value() > 0;
    }
    const std::string types = fmt::format("the input '{}' takes {}, the array is {}", name,
                                          Expected(wanted), given->type().ToString());
    if (!fits) {
      Report(where, "samples-3", types, "The first axis is the batch.");
      return std::nullopt;
    }
    const DType from = given->type().dtype;
    const DType to = wanted.type.dtype;
    const bool lossless = from == to || ir::IsFloat(to) || !ir::IsFloat(from);
    if (!lossless || from == DType::kComplex64 || to == DType::kString) {
      Report(where, "samples-4", types, fmt::format("Convert it to {}.", ir::Name(to)));
      return std::nullopt;
    }
    Result<std::vector<std::byte>> bytes = ir::EvaluateBytes(*ir::Casted(given, to));
    if (!bytes) {
      for (const Diagnostic& error : bytes.error().diagnostics()) errors_.push_back(error);
      return std::nullopt;
    }
    if (to == DType::kFloat32 && !HasOnlyNumbers(*bytes)) {
      Report(where, "samples-5",
             fmt::format("the array of the input '{}' has a NaN or an infinity", name),
             "Leave this sample out, or repair it.");
      return std::nullopt;
    }
    return litert::Array{{to, shape}, *std::move(bytes)};
  }

  void UnknownName(const std::string& where, const std::string& name) {
    const std::vector<std::string_view> known(module_.input_names.begin(),
                                              module_.input_names.end());
    const std::optional<std::string> near = NearMatch(name, known);
    Report(where, "samples-2", fmt::format("the model has no input '{}'", name),
           near ? fmt::format("Did you mean '{}'?", *near)
                : fmt::format("Its inputs are {}.", InputNames()));
  }

  void Missing(const std::string& where, const std::string& name) {
    Report(where, "samples-2", fmt::format("there is no array for the input '{}'", name),
           fmt::format("The model's inputs are {}.", InputNames()));
  }

  // An array without a name, for a model of one input.
  bool OnlyArray(const Sample& sample) const {
    return sample.size() == 1 && sample.begin()->first.empty() && module_.input_names.size() == 1;
  }

  void AddSample(const Sample& sample, const std::string& where) {
    const size_t before = errors_.size();
    std::vector<litert::Array> batch;
    for (const auto& [name, array] : sample) {
      if (!OnlyArray(sample) && std::find(module_.input_names.begin(), module_.input_names.end(),
                                          name) == module_.input_names.end()) {
        UnknownName(where, name);
      }
    }
    for (size_t i = 0; i < module_.input_names.size(); ++i) {
      auto found = sample.find(module_.input_names[i]);
      if (OnlyArray(sample)) found = sample.begin();
      if (found == sample.end()) {
        Missing(where, module_.input_names[i]);
        continue;
      }
      Result<ConstantPtr> constant = ir::FromArray(found->second, where);
      if (!constant) {
        for (const Diagnostic& error : constant.error().diagnostics()) errors_.push_back(error);
        continue;
      }
      if (auto array = Take(i, *constant, where)) batch.push_back(*std::move(array));
    }
    if (errors_.size() == before) batches_.push_back(std::move(batch));
  }

  // Rows [first, first + count) of an array.
  static ConstantPtr Rows(const NpzArray& array, int64_t first, int64_t count) {
    ir::TensorType type = array.type;
    const size_t row = array.bytes.size() / static_cast<size_t>(type.shape[0].value());
    type.shape.Set(0, count);
    return ir::ViewConstant(
        type,
        std::span(array.bytes)
            .subspan(static_cast<size_t>(first) * row, static_cast<size_t>(count) * row),
        nullptr);
  }

  Status AddFile() {
    std::error_code ignored;
    if (std::filesystem::is_directory(options_.file, ignored)) {
      std::vector<NpzArray> images(1);
      KL_ASSIGN_OR_RETURN(images[0], Images());
      return AddArrays(images);
    }
    KL_ASSIGN_OR_RETURN(const std::vector<NpzArray> arrays, archive::ReadNpz(options_.file));
    return AddArrays(arrays);
  }

  // The folder's images, as the only input takes them.
  Result<NpzArray> Images() const {
    const std::string where = options_.file.string();
    const std::vector<Tensor*>& inputs = module_.main().inputs();
    ImageFormat format = options_.images;
    ImageShape shape{format.height, format.width, 0};
    const ir::Shape* wanted = inputs.size() == 1 ? &inputs[0]->type.shape : nullptr;
    if (wanted != nullptr && wanted->rank() == 4) {
      const ir::Dim channels = (*wanted)[3];
      if (channels == 1 || channels == 3) shape.channels = channels.value();
      if (shape.height == 0 && (*wanted)[1].is_static()) shape.height = (*wanted)[1].value();
      if (shape.width == 0 && (*wanted)[2].is_static()) shape.width = (*wanted)[2].value();
    }
    if (shape.channels == 0) {
      return Fail(where, "samples-6",
                  fmt::format("images are for a model of one input [batch, height, width, 1 or 3]; "
                              "this one's inputs are {}",
                              InputNames()),
                  "Give the samples as an .npz file.");
    }
    if (shape.height == 0 || shape.width == 0) {
      return Fail(where, "samples-6", "the model takes images of any size",
                  "Say to which size the samples are to be brought: --image-size 224x224.");
    }
    if (!(format.low < format.high)) {
      return Fail(where, "samples-6", "which values do the pixels have that the model takes?",
                  "Say what black and white become: --image-scale 0:255, 0:1 or -1:1.");
    }
    KL_ASSIGN_OR_RETURN(NpzArray array, ReadImages(options_.file, shape, format));
    array.name = module_.input_names[0];
    return array;
  }

  Status AddArrays(const std::vector<NpzArray>& arrays) {
    const std::string where = options_.file.string();
    std::vector<const NpzArray*> matched;
    const bool one =
        arrays.size() == 1 && module_.input_names.size() == 1 && arrays[0].name == "arr_0";
    for (const std::string& name : module_.input_names) {
      const auto found = std::find_if(arrays.begin(), arrays.end(), [&](const NpzArray& array) {
        return one || array.name == name;
      });
      matched.push_back(found != arrays.end() ? &*found : nullptr);
      if (found == arrays.end()) Missing(where, name);
    }
    for (const NpzArray& array : arrays) {
      if (std::find(matched.begin(), matched.end(), &array) == matched.end()) {
        UnknownName(where, array.name);
      }
    }
    if (!errors_.empty()) return {};
    int64_t rows = -1;
    int64_t batch = kBatch;
    for (size_t i = 0; i < matched.size(); ++i) {
      const ir::Shape& shape = matched[i]->type.shape;
      const int64_t count = shape.rank() == 0 ? 0 : shape[0].value();
      if (count == 0 || (rows >= 0 && rows != count)) {
        Report(where, "samples-3",
               count == 0 ? fmt::format("the array '{}' has no rows", matched[i]->name)
                          : fmt::format("'{}' has {} rows, '{}' {}", matched[0]->name, rows,
                                        matched[i]->name, count),
               "Each row of the first axis is a sample.");
        return {};
      }
      rows = count;
      const ir::Dim size = module_.main().inputs()[i]->type.shape.dim(0);
      if (size.is_static()) batch = std::max<int64_t>(size.value(), 1);
    }
    for (int64_t first = 0; first < rows && errors_.empty(); first += batch) {
      std::vector<litert::Array> taken;
      for (size_t i = 0; i < matched.size(); ++i) {
        auto array = Take(i, Rows(*matched[i], first, std::min(batch, rows - first)), where);
        if (array) taken.push_back(*std::move(array));
      }
      if (errors_.empty()) batches_.push_back(std::move(taken));
    }
    return {};
  }

  const ir::Module& module_;
  const CalibrateOptions& options_;
  std::vector<Diagnostic> errors_;
  std::vector<std::vector<litert::Array>> batches_;
};

}  // namespace

Result<std::vector<std::vector<litert::Array>>> ReadSamples(const ir::Module& module,
                                                            const CalibrateOptions& options) {
  return Reader(module, options).Run();
}

}  // namespace keras_litert
