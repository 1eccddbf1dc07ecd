// Hashing and HashedCrossing, of numbers. Where their inputs are strings they are refused.
#include "layers/hashing.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/categorical.h"
#include "layers/table.h"
#include "ops/hashing.h"

namespace keras_litert::layers {
namespace {

using ir::BuiltinOperator;
using nlohmann::json;

bool IsBeyondInt64(const json& number) {
  return number.is_number_unsigned() && number.get<uint64_t>() > INT64_MAX;
}

Value RefuseStrings(Layer& layer) {
  return layer.Fail("hashing-1",
                    "the layer hashes strings, for which LiteRT has no operators; integers can be "
                    "hashed in the file",
                    "Split the model at this layer's output: hash strings before the model.");
}

// The number of bins, common to both layers. Nullopt: reported.
std::optional<int64_t> ReadBins(Layer& layer) {
  const int64_t bins = layer.config().Int("num_bins");
  if (bins < 1 || bins > ops::kMaxHashBins) {
    layer.Fail("hashing-2", fmt::format("num_bins = {} is not in 1 … 2^62", bins),
               "The remainder of a 64-bit hash is computed for no more bins: use fewer.");
    return std::nullopt;
  }
  return bins;
}

// The bins, numbered or encoded. Without a dtype in the config Keras numbers them in int64.
Value Encode(Layer& layer, Value numbers, const std::string& mode, int64_t bins) {
  const json& dtype = layer.config().Raw("dtype");
  const DType result = mode == "int" && dtype.is_null() ? DType::kInt64 : layer.compute_dtype();
  return EncodeCategories(layer, numbers, mode, bins, result);
}

bool ReadSparse(Layer& layer) {
  if (!layer.config().Bool("sparse", false)) return true;
  layer.Fail("category-3", "sparse outputs are not supported", "Use sparse=False.");
  return false;
}

// mask_value as a scalar to compare `x` with. Failed, with an error reported, where TensorFlow has
// no such comparison.
Value MaskFor(Layer& layer, Value x, const json& mask_value) {
  Builder& b = layer.b();
  const DType dtype = x.dtype();
  if (ir::IsFloat(dtype) && mask_value.is_number()) {
    return b.Scalar(mask_value.get<double>(), dtype);
  }
  if (dtype == DType::kBool && mask_value.is_boolean()) {
    return b.Scalar(mask_value.get<bool>() ? 1 : 0, dtype);
  }
  if (ir::IsInteger(dtype) && mask_value.is_number_integer() && !IsBeyondInt64(mask_value)) {
    const auto value = mask_value.get<int64_t>();
    const int bits = 8 * static_cast<int>(ir::SizeOf(dtype)) - (ir::IsUnsigned(dtype) ? 0 : 1);
    const bool fits =
        bits >= 63 || (value >> bits) == 0 || (!ir::IsUnsigned(dtype) && (value >> bits) == -1);
    if (fits) {
      return lrt::Cast(b, b.Constant<int64_t>(DType::kInt64, Shape{}, {value}), dtype);
    }
  }
  return layer.Fail(
      "hashing-4",
      fmt::format("mask_value = {} is no {} as the input is",
                  mask_value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 40),
                  ir::Name(dtype)));
}

Argument Hashing(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Config& config = layer.config();
  const Value x = call.Tensor(0, "inputs");
  const std::string mode = config.String("output_mode", "int");
  const json& mask_value = config.Raw("mask_value");
  const bool dense = ReadSparse(layer);
  const std::optional<int64_t> bins = ReadBins(layer);
  const Salt salt = ReadSalt(layer);
  if (!dense || !bins || !salt.ok || !x.ok()) return Value();
  if (x.dtype() == DType::kString) return RefuseStrings(layer);

  // Bin 0 is for masked values alone, where there is more than one.
  const bool masked = !mask_value.is_null() && *bins > 1;
  Value numbers = ops::HashBins(b, x, masked ? *bins - 1 : *bins, salt.key);
  if (masked) {
    const Value mask = MaskFor(layer, x, mask_value);
    const Value one = b.Constant<int64_t>(DType::kInt64, Shape{}, {1});
    const Value zero = b.Constant<int64_t>(DType::kInt64, Shape{}, {0});
    numbers = lrt::Select(b, lrt::Compare(b, BuiltinOperator::EQUAL, x, mask), zero,
                          lrt::Add(b, numbers, one));
  }
  if (mode == "one_hot" && numbers.rank() > 0 && numbers.dim(-1) == Dim(1)) {
    numbers = lrt::Squeeze(b, numbers, {numbers.rank() - 1});
  }
  return Encode(layer, numbers, mode, *bins);
}

Argument HashedCrossing(Layer& layer, Arguments& call) {
  Config& config = layer.config();
  const std::vector<Value> xs = call.Tensors(0, "inputs");
  const std::string mode = config.String("output_mode", "int");
  const bool dense = ReadSparse(layer);
  const std::optional<int64_t> bins = ReadBins(layer);
  if (!dense || !bins) return Value();
  if (xs.size() < 2) return layer.Fail("hashing-5", "the layer crosses two inputs or more");
  for (Value x : xs) {
    if (!x.ok()) return Value();
    if (x.dtype() == DType::kString) return RefuseStrings(layer);
    if (!ir::IsInteger(x.dtype())) {
      return layer.Fail("hashing-6", fmt::format("an input is {}", ir::Name(x.dtype())),
                        "Cross integers.");
    }
    const bool scalars = x.rank() < 2 || (x.rank() == 2 && x.dim(1) == Dim(1));
    if (!scalars || x.shape() != xs[0].shape()) {
      return layer.Fail("hashing-7",
                        fmt::format("the inputs' shapes are {} and {}", xs[0].shape().ToString(),
                                    x.shape().ToString()),
                        "Cross scalars, (batch,) or (batch, 1), all of one shape.");
    }
  }
  return Encode(layer, ops::CrossBins(layer.b(), xs, *bins), mode, *bins);
}

}  // namespace

Salt ReadSalt(Layer& layer) {
  const json& salt = layer.config().Raw("salt");
  if (salt.is_null()) return {.ok = true, .key = std::nullopt};
  const json list = salt.is_array() ? salt : json::array({salt, salt});
  ops::HashKey key = {};
  bool ok = list.size() == key.size();
  for (size_t i = 0; ok && i < key.size(); ++i) {
    ok = list[i].is_number_integer() && !IsBeyondInt64(list[i]);
    if (ok) key[i] = static_cast<uint64_t>(list[i].get<int64_t>());
  }
  if (!ok)
    layer.Fail("hashing-3", "the salt is no integer and no list of two (of 64 bits, signed)");
  return {.ok = ok, .key = key};
}

std::span<const LayerEntry> HashingLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"HashedCrossing", HashedCrossing, MaskRule::kDrop, /*autocast=*/false},
      {"Hashing", Hashing, MaskRule::kDrop, /*autocast=*/false},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
