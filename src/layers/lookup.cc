// IntegerLookup, and the layers on strings, for which LiteRT has no operators.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <numeric>

#include "ir/operators.h"
#include "layers/categorical.h"
#include "layers/hashing.h"
#include "layers/table.h"

namespace keras_litert::layers {
namespace {

using ir::BuiltinOperator;
using nlohmann::json;

constexpr int64_t kMaxVocabulary = int64_t{1} << 24;

// What IntegerLookup is set up with.
struct Lookup {
  std::vector<int64_t> tokens;  // without mask and out-of-vocabulary tokens
  int64_t oov_indices = 1;
  std::optional<int64_t> mask_token;
  std::optional<int64_t> oov_token;
  std::string mode = "int";
  bool invert = false;

  // Numbers start with that of the mask (where one is given out), then those of unknown tokens.
  int64_t oov_start() const { return mask_token && mode == "int" ? 1 : 0; }
  int64_t token_start() const { return oov_start() + oov_indices; }
};

// The vocabulary of the config, or the lines of the asset that `adapt` left. Nullopt: reported.
std::optional<std::vector<int64_t>> ReadVocabulary(Layer& layer) {
  const json& given = layer.config().Raw("vocabulary");
  std::vector<int64_t> tokens;
  auto bad = [&](std::string_view what) -> std::optional<std::vector<int64_t>> {
    layer.Fail("lookup-1", fmt::format("the vocabulary {}", what),
               "Save the layer with a vocabulary of integers, or adapt it before saving.");
    return std::nullopt;
  };
  if (!given.is_null()) {
    if (!given.is_array()) return bad("is no list");
    for (const json& token : given) {
      if (!token.is_number_integer()) return bad("holds something that is no integer");
      tokens.push_back(token.get<int64_t>());
    }
  } else {
    const Result<std::string> text =
        layer.context().archive.ReadAsset("assets/" + layer.scope().path + "/vocabulary.txt");
    if (!text) return bad("is missing");
    const char* at = text->data();
    const char* end = at + text->size();
    while (at != end) {
      int64_t token = 0;
      const auto [next, error] = std::from_chars(at, end, token);
      if (error != std::errc()) return bad("holds a line that is no integer");
      tokens.push_back(token);
      at = next;
      while (at != end && (*at == '\n' || *at == '\r')) ++at;
    }
  }
  if (tokens.empty()) return bad("is empty");
  if (static_cast<int64_t>(tokens.size()) > kMaxVocabulary) return bad("is too large");
  return tokens;
}

// Drops the special tokens in front of a full vocabulary.
void StripSpecialTokens(Lookup& lookup) {
  std::vector<std::optional<int64_t>> special(static_cast<size_t>(lookup.oov_start()),
                                              lookup.mask_token);
  special.insert(special.end(), static_cast<size_t>(lookup.oov_indices), lookup.oov_token);
  if (special.size() > lookup.tokens.size()) return;
  const bool found = std::equal(special.begin(), special.end(), lookup.tokens.begin(),
                                [](const auto& s, int64_t t) { return s && *s == t; });
  if (found) {
    lookup.tokens.erase(lookup.tokens.begin(),
                        lookup.tokens.begin() + static_cast<ptrdiff_t>(special.size()));
  }
}

Value IntConstant(Builder& b, const std::vector<int64_t>& values, DType dtype) {
  return lrt::Cast(b, b.Constant(DType::kInt64, {static_cast<int64_t>(values.size())}, values),
                   dtype);
}

// int32 positions in the ascending `sorted`: that of x where it has it, any other otherwise.
Value Search(Builder& b, Value x, const std::vector<int64_t>& sorted) {
  constexpr int64_t kExactFloat = int64_t{1} << 24;
  if (sorted.front() >= -kExactFloat && sorted.back() <= kExactFloat) {
    // How many tokens are <= x, minus one. Compared as floats, which hold these tokens exactly.
    tflite::BucketizeOptionsT options;
    for (int64_t token : sorted) options.boundaries.push_back(static_cast<float>(token));
    const Value count =
        b.Emit(BuiltinOperator::BUCKETIZE, std::move(options), {x}, {DType::kInt32, x.shape()});
    return lrt::Maximum(b, lrt::Sub(b, count, b.Scalar(1, DType::kInt32)),
                        b.Scalar(0, DType::kInt32));
  }
  // Bisection: position += step where the token there is <= x.
  int64_t step = 1;
  while (2 * step < static_cast<int64_t>(sorted.size())) step *= 2;
  std::vector<int64_t> padded = sorted;
  padded.resize(static_cast<size_t>(2 * step), sorted.back());
  const Value table = IntConstant(b, padded, x.dtype());
  Value position = b.Scalar(0, DType::kInt32);
  for (; step > 0; step /= 2) {
    const Value next = lrt::Add(b, position, b.Scalar(static_cast<double>(step), DType::kInt32));
    const Value token = lrt::Gather(b, table, next, 0);
    position =
        lrt::Select(b, lrt::Compare(b, BuiltinOperator::LESS_EQUAL, token, x), next, position);
  }
  return lrt::Minimum(b, position, b.Scalar(static_cast<double>(sorted.size()) - 1, DType::kInt32));
}

// The number of each token; int32. `missing` where there is none.
Value TokenNumbers(Builder& b, Value x, const Lookup& lookup, Value missing) {
  std::vector<size_t> order(lookup.tokens.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t i, size_t j) { return lookup.tokens[i] < lookup.tokens[j]; });
  std::vector<int64_t> sorted;
  std::vector<int64_t> numbers;
  for (size_t i : order) {
    sorted.push_back(lookup.tokens[i]);
    numbers.push_back(static_cast<int64_t>(i) + lookup.token_start());
  }
  const Value position = Search(b, x, sorted);
  const Value hit = lrt::Compare(b, BuiltinOperator::EQUAL,
                                 lrt::Gather(b, IntConstant(b, sorted, x.dtype()), position, 0), x);
  const Value number = lrt::Gather(b, IntConstant(b, numbers, DType::kInt32), position, 0);
  return lrt::Select(b, hit, number, missing);
}

// Numbers back to tokens.
Value Tokens(Layer& layer, Value x, const Lookup& lookup) {
  Builder& b = layer.b();
  if (!lookup.oov_token) return layer.Fail("lookup-2", "an inverted lookup needs an oov_token");
  x = lrt::Cast(b, x, DType::kInt32);
  std::vector<int64_t> table = lookup.tokens;
  const auto size = static_cast<double>(table.size());
  const Value place =
      lrt::Sub(b, x, b.Scalar(static_cast<double>(lookup.token_start()), DType::kInt32));
  const Value inside = lrt::Compare(
      b, BuiltinOperator::LOGICAL_AND,
      lrt::Compare(b, BuiltinOperator::GREATER_EQUAL, place, b.Scalar(0, DType::kInt32)),
      lrt::Compare(b, BuiltinOperator::LESS, place, b.Scalar(size, DType::kInt32)));
  const Value clipped = lrt::Minimum(b, lrt::Maximum(b, place, b.Scalar(0, DType::kInt32)),
                                     b.Scalar(size - 1, DType::kInt32));
  auto token = [&](int64_t value) { return b.Constant<int64_t>(DType::kInt64, Shape{}, {value}); };
  Value y = lrt::Select(b, inside, lrt::Gather(b, IntConstant(b, table, DType::kInt64), clipped, 0),
                        token(*lookup.oov_token));
  if (lookup.mask_token) {
    y = lrt::Select(b, lrt::Compare(b, BuiltinOperator::EQUAL, x, b.Scalar(0, DType::kInt32)),
                    token(*lookup.mask_token), y);
  }
  return y;
}

Argument IntegerLookup(Layer& layer, Arguments& call) {
  Builder& b = layer.b();
  Config& config = layer.config();
  config.Ignore({"vocabulary_size", "vocabulary_dtype", "idf_weights", "has_input_vocabulary"});
  Value x = call.Tensor(0, "inputs");
  Lookup lookup;
  lookup.oov_indices = config.Int("num_oov_indices", 1);
  lookup.mask_token = config.OptionalInt("mask_token");
  lookup.oov_token = config.OptionalInt("oov_token");
  lookup.mode = config.String("output_mode", "int");
  if (lookup.mode == "binary") lookup.mode = "multi_hot";
  if (lookup.mode == "tf-idf") lookup.mode = "tf_idf";
  lookup.invert = config.Bool("invert", false);
  const std::optional<int64_t> max_tokens = config.OptionalInt("max_tokens");
  const bool pad_to_max_tokens = config.Bool("pad_to_max_tokens", false);
  const std::string oov_method = config.String("oov_method", "floormod");
  if (config.Bool("sparse", false)) {
    return layer.Fail("category-3", "sparse outputs are not supported", "Use sparse=False.");
  }
  if (lookup.oov_indices < 0 || lookup.oov_indices > INT32_MAX / 2) {
    return layer.Fail("lookup-3", fmt::format("num_oov_indices = {}", lookup.oov_indices));
  }
  const Salt salt = ReadSalt(layer);
  if (!salt.ok) return Value();
  if (oov_method != "floormod" && oov_method != "farmhash") {
    return layer.Fail("lookup-4", fmt::format("oov_method '{}' is not known", oov_method));
  }
  std::optional<std::vector<int64_t>> tokens = ReadVocabulary(layer);
  if (!tokens) return Value();
  lookup.tokens = std::move(*tokens);
  StripSpecialTokens(lookup);
  if (lookup.tokens.empty()) return layer.Fail("lookup-1", "the vocabulary is empty");
  if (!ir::IsInteger(x.dtype())) return layer.Fail("lookup-5", "the input is not of integers");
  if (lookup.invert) return Tokens(layer, x, lookup);

  // int32 where it holds the inputs and the vocabulary, else int64.
  const auto [least, largest] = std::minmax_element(lookup.tokens.begin(), lookup.tokens.end());
  const bool narrow = x.dtype() != DType::kInt64 && x.dtype() != DType::kUInt32 &&
                      *least >= INT32_MIN && *largest <= INT32_MAX;
  x = lrt::Cast(b, x, narrow ? DType::kInt32 : DType::kInt64);
  Value missing;
  if (lookup.oov_indices == 0) {
    layer.Note("a value outside the vocabulary gives -1, where Keras raises an error");
    missing = b.Scalar(-1, DType::kInt32);
  } else if (lookup.oov_indices == 1) {
    missing = b.Scalar(static_cast<double>(lookup.oov_start()), DType::kInt32);
  } else {
    const Value bucket =
        oov_method == "farmhash"
            ? ops::HashBins(b, x, lookup.oov_indices, salt.key)
            : lrt::FloorMod(b, x, b.Scalar(static_cast<double>(lookup.oov_indices), x.dtype()));
    missing = lrt::Add(b, lrt::Cast(b, bucket, DType::kInt32),
                       b.Scalar(static_cast<double>(lookup.oov_start()), DType::kInt32));
  }
  Value numbers = TokenNumbers(b, x, lookup, missing);
  if (lookup.mask_token) {
    // Encodings leave masked values out.
    const int64_t number = lookup.mode == "int" ? 0 : -1;
    const Value mask =
        lrt::Cast(b, b.Constant<int64_t>(DType::kInt64, Shape{}, {*lookup.mask_token}), x.dtype());
    numbers = lrt::Select(b, lrt::Compare(b, BuiltinOperator::EQUAL, x, mask),
                          b.Scalar(static_cast<double>(number), DType::kInt32), numbers);
  }
  if (lookup.mode == "int") return lrt::Cast(b, numbers, DType::kInt64);
  const int64_t size = lookup.token_start() + static_cast<int64_t>(lookup.tokens.size());
  if (pad_to_max_tokens && (!max_tokens || *max_tokens < size)) {
    return layer.Fail("lookup-6", "max_tokens is smaller than the vocabulary");
  }
  const int64_t depth = pad_to_max_tokens ? *max_tokens : size;
  if (lookup.mode != "tf_idf") {
    return EncodeCategories(layer, numbers, lookup.mode, depth, layer.compute_dtype());
  }
  const std::string path = layer.scope().path + "/vars/idf_weights";
  layer.context().weights.MarkRead(path);
  const ir::ConstantPtr weights =
      layer.context().archive.layout() == archive::WeightLayout::kObjectPath
          ? layer.context().archive.Find(path)
          : nullptr;
  if (!weights || weights->type().shape != Shape{depth}) {
    return layer.Fail("lookup-7", "the file holds no idf_weights for this vocabulary",
                      "Save the model as .keras, with the layer's vocabulary set.");
  }
  const Value counts = EncodeCategories(layer, numbers, "count", depth, layer.compute_dtype());
  return lrt::Mul(b, counts, lrt::Cast(b, b.Constant(weights), layer.compute_dtype()));
}

Argument RefuseStrings(Layer& layer, Arguments&) {
  return layer.Fail("string-1", "the layer works on strings, for which LiteRT has no operators",
                    "Split the model at this layer's output: look tokens up before the model, and "
                    "convert the part that works on numbers.");
}

}  // namespace

std::span<const LayerEntry> LookupLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"IntegerLookup", IntegerLookup, MaskRule::kDrop, /*autocast=*/false},
      {"StringLookup", RefuseStrings},
      {"TextVectorization", RefuseStrings},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
