// A run of operators with integer kernels between two without:
//
//   F(…) → x → CONV_2D(·, w, b) → y → SOFTMAX → z → G(…)
//   ⇒
//   F(…) → x → QUANTIZE → CONV_2D(·, int8(w), int32(b)) → SOFTMAX → DEQUANTIZE → G(…)
//
// In three steps: which operators compute in integers (Choose), which tensors share a scale
// (Group), and the rewrite itself, in the order of execution (Rewrite).
#include "quantize/static.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "ir/operators.h"
#include "quantize/kernels.h"
#include "quantize/weights.h"

namespace keras_litert::quantize {
namespace {

using ir::BuiltinOperator;
using ir::ConstantPtr;
using ir::DType;
using ir::Graph;
using ir::Module;
using ir::Operator;
using ir::Tensor;
using ir::Value;
using enum ir::BuiltinOperator;

// Ranges beyond this are of masks (-1e9), which would leave no step for the numbers that count.
constexpr float kLargest = 1e6F;

bool IsFloat(const Tensor* tensor) {
  return tensor != nullptr && tensor->type.dtype == DType::kFloat32;
}

DType ActivationsOf(Recipe recipe) {
  return recipe == Recipe::kStaticInt16 ? DType::kInt16 : DType::kInt8;
}

std::string_view IntegerName(DType dtype) {
  return dtype == DType::kInt16 ? "int16" : "int8";
}

// Reads only sizes: the dtype does not matter to it.
bool IgnoresValues(const Operator& op) {
  return op.code == SHAPE || op.code == RANK;
}

class StaticQuantizer {
 public:
  StaticQuantizer(Module& module, const StaticRecipes& recipes, const Ranges& ranges,
                  const InputMeans& means, const QuantizeOptions& options)
      : module_(module),
        graph_(module.main()),
        recipes_(recipes),
        ranges_(ranges),
        means_(means),
        options_(options) {}

  Result<StaticReports> Run() {
    Choose();
    Group();
    PrepareInputs();
    for (Operator* op : graph_.Operators()) {
      if (integers_.contains(op)) {
        Rewrite(op);
      } else {
        Dequantize(op);
      }
    }
    FinishOutputs();
    if (!errors_.empty()) return std::unexpected(Error(std::move(errors_)));
    return std::move(reports_);
  }

 private:
  // ---- Which operators ----

  void Choose() {
    for (Operator* op = graph_.first(); op != nullptr; op = op->next) {
      const auto wanted = recipes_.find(op);
      if (wanted == recipes_.end()) continue;
      QuantizedOperator& report = reports_[op];
      report.layer = module_.origins[op->origin];
      report.op = tflite::EnumNameBuiltinOperator(op->code);
      report.recipe = Name(Recipe::kFloat32);
      const DType dtype = ActivationsOf(wanted->second);
      report.reason = WhyFloat(*op, dtype);
      if (report.reason.empty()) integers_[op] = dtype;
    }
    // What only moves or compares values does so in floats between floats.
    for (bool changed = true; changed;) {
      changed = false;
      for (Operator* op = graph_.first(); op != nullptr; op = op->next) {
        if (!integers_.contains(op) || !GainsNothingAlone(*op) || !IsAmongFloats(*op)) continue;
        integers_.erase(op);
        // No reason: nothing is lost by it.
        reports_.erase(op);
        changed = true;
      }
    }
  }

  // Empty: it can compute in `dtype`.
  std::string WhyFloat(const Operator& op, DType dtype) const {
    if (op.code == WHILE) return "what its body computes is not observed, and stays float";
    const IntegerKernel* kernel = FindIntegerKernel(op.code);
    if (kernel == nullptr || (dtype == DType::kInt16 && !kernel->int16)) {
      return fmt::format("LiteRT has no {} kernel for it", IntegerName(dtype));
    }
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const Tensor* x = op.inputs[i];
      if (kernel->scales == Scales::kWeights && (i == kernel->weights || i == kernel->bias)) {
        if (i == kernel->bias && x == nullptr) continue;
        if (!IsFloat(x) || !x->is_constant()) return "its weights are computed";
        // The scales of the bias are those of the channels.
        if (i == kernel->bias && x->type.shape.rank() != 1) return "its bias is no vector";
        continue;
      }
      if (!kernel->IsValueInput(i)) {
        if (IsFloat(x)) return "LiteRT has no such kernel for all its inputs";
        continue;
      }
      if (!IsFloat(x)) return "it does not compute with floats";
      // Constants of operators that choose are brought into the others' range.
      if (x->is_constant() && kernel->scales == Scales::kSame && op.inputs.size() > 1 &&
          op.code != GATHER) {
        continue;
      }
      if (std::string reason = WhyNot(x, "an input"); !reason.empty()) return reason;
    }
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      if (!kernel->IsValueOutput(i)) continue;
      if (!IsFloat(op.outputs[i])) return "it does not compute with floats";
      if (kernel->scales == Scales::kFixed) continue;
      if (std::string reason = WhyNot(op.outputs[i], "its result"); !reason.empty()) return reason;
    }
    if (op.code == MUL || op.code == ADD || op.code == SUB) {
      if (std::string reason = WhyNotFactors(op, dtype); !reason.empty()) return reason;
    }
    // 1/√0 and log 0: what is close to 0 must not become 0.
    if (op.code == RSQRT || op.code == LOG) {
      const std::optional<Range> range = RangeOfTensor(op.inputs[0]);
      if (range->min < 2 * AffineOf(*range, dtype).scale) return "its input comes close to 0";
    }
    return "";
  }

  // Columns of a table have scales of their own until they are multiplied by factors that make them
  // comparable. One step for all of them, before that, is more than the small ones have: a factor f
  // makes f · step of it, which must be few steps of the result. Likewise for what is far from 0
  // until its mean is taken away, f being 1.
  std::string WhyNotFactors(const Operator& op, DType dtype) const {
    for (const size_t i : {0, 1}) {
      const Tensor* factors = op.inputs[i];
      const Tensor* x = op.inputs[1 - i];
      if (!factors->is_constant() || x->is_constant()) continue;
      const std::optional<Range> f = RangeOfTensor(factors);
      const std::optional<Range> in = RangeOfTensor(x);
      const std::optional<Range> out = RangeOfTensor(op.output());
      if (!f || !in || !out) continue;
      const double largest = op.code == MUL ? std::max(std::fabs(f->min), std::fabs(f->max)) : 1;
      const double steps = largest * AffineOf(*in, dtype).scale / AffineOf(*out, dtype).scale;
      constexpr double kMost = 32;
      if (steps > kMost) {
        return fmt::format("its {} make {:.0f} steps of its result of one step of its input",
                           op.code == MUL ? "factors" : "offsets", steps);
      }
    }
    return "";
  }

  std::string WhyNot(const Tensor* x, const char* what) const {
    const std::optional<Range> range = RangeOfTensor(x);
    if (!range) return fmt::format("{} was not observed", what);
    if (!range->IsFinite()) return fmt::format("{} has values that are no finite numbers", what);
    const float largest = std::max(-range->min, range->max);
    if (largest > kLargest) {
      return fmt::format("{} reaches {:.1e}, which leaves no steps for other values", what,
                         largest);
    }
    return "";
  }

  std::optional<Observed> ObservedOf(const Tensor* x) const {
    if (x->is_constant()) {
      const Result<Range> range = RangeOf(x->constant);
      if (!range) return std::nullopt;
      return Observed{*range, *range};
    }
    const auto found = ranges_.find(x);
    if (found == ranges_.end()) return std::nullopt;
    return found->second;
  }
  // Of all its values.
  std::optional<Range> RangeOfTensor(const Tensor* x) const {
    const std::optional<Observed> observed = ObservedOf(x);
    return observed ? std::optional(observed->all) : std::nullopt;
  }

  bool IsInteger(const Operator* op) const { return op != nullptr && integers_.contains(op); }
  bool HasIntegerUser(const Tensor* x) const {
    return std::any_of(x->users.begin(), x->users.end(),
                       [&](const Operator* user) { return IsInteger(user); });
  }
  bool IsIntegerInput(const Tensor* x) const {
    return graph_.IsInput(x) && IsIntegerType(options_.input_type);
  }
  static bool IsIntegerType(const std::string& name) { return !name.empty() && name != "float32"; }

  static bool GainsNothingAlone(const Operator& op) {
    const IntegerKernel& kernel = *FindIntegerKernel(op.code);
    return kernel.scales == Scales::kSame || kernel.outputs == 0;
  }

  bool IsAmongFloats(const Operator& op) const {
    const IntegerKernel& kernel = *FindIntegerKernel(op.code);
    bool from_integers = false;
    bool from_input = false;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      const Tensor* x = op.inputs[i];
      if (!kernel.IsValueInput(i)) continue;
      from_integers |= IsInteger(x->producer) || IsIntegerInput(x);
      // A table of embeddings, or the model's input, may become integer for what follows.
      from_input |= x->is_constant() || graph_.IsInput(x);
    }
    if (from_integers) return false;
    if (!from_input || kernel.outputs == 0) return true;
    return std::none_of(op.outputs.begin(), op.outputs.end(), [&](const Tensor* y) {
      return HasIntegerUser(y) || (graph_.IsOutput(y) && IsIntegerType(options_.output_type));
    });
  }

  // ---- Which tensors share a scale ----

  struct GroupData {
    Observed range;
    std::optional<Affine> fixed;
  };

  size_t Find(size_t group) const {
    while (parents_[group] != group) group = parents_[group];
    return group;
  }

  size_t GroupOf(const Tensor* x) {
    const auto [found, added] = groups_.try_emplace(x, parents_.size());
    if (added) {
      parents_.push_back(parents_.size());
      data_.push_back({ObservedOf(x).value_or(Observed{}), std::nullopt});
    }
    return Find(found->second);
  }

  void Unite(size_t a, size_t b) {
    if (a == b) return;
    parents_[b] = a;
    data_[a].range.Include(data_[b].range);
  }

  void Group() {
    for (Operator* op = graph_.first(); op != nullptr; op = op->next) {
      if (!IsInteger(op)) continue;
      const IntegerKernel& kernel = *FindIntegerKernel(op->code);
      if (kernel.scales == Scales::kFixed) {
        data_[GroupOf(op->output())].fixed = FixedOutput(op->code, integers_.at(op));
      } else if (kernel.scales == Scales::kSame) {
        GroupSame(*op, kernel);
      } else if (kernel.scales == Scales::kWeights) {
        GroupCopies(*op, kernel);
      }
    }
  }

  // Copies of a recurrent step: with one scale for what they multiply by the same weights, they
  // share the bias, too, and its scales, which else would be 8 bytes a step for each channel.
  void GroupCopies(const Operator& op, const IntegerKernel& kernel) {
    const Tensor* x = op.inputs[FirstValue(kernel)];
    const Tensor*& last = copies_[{op.origin, op.inputs[kernel.weights]->constant.get()}];
    const Tensor* before = std::exchange(last, x);
    if (before == nullptr || before->is_constant() || x->is_constant()) return;
    const size_t a = GroupOf(before);
    const size_t b = GroupOf(x);
    if (data_[a].fixed || data_[b].fixed) return;
    // No more than a bit less for the narrower.
    const auto width = [](const Range& r) { return std::max(r.max, 0.0F) - std::min(r.min, 0.0F); };
    const float one = width(data_[a].range.all);
    const float other = width(data_[b].range.all);
    if (std::max(one, other) <= 2 * std::min(one, other)) Unite(a, b);
  }

  void GroupSame(const Operator& op, const IntegerKernel& kernel) {
    std::vector<const Tensor*> values;
    size_t inputs = 0;
    for (size_t i = 0; i < op.inputs.size(); ++i) {
      if (!kernel.IsValueInput(i)) continue;
      ++inputs;
      const Tensor* x = op.inputs[i];
      // Another dtype is requantized in front of it.
      if (IsInteger(x->producer) && integers_.at(x->producer) != integers_.at(&op)) continue;
      if (graph_.IsInput(x) && IsIntegerType(options_.input_type) &&
          InputType() != integers_.at(&op)) {
        continue;
      }
      values.push_back(x);
    }
    std::optional<size_t> group;
    for (const Tensor* x : values) {
      if (x->is_constant()) continue;
      const size_t g = GroupOf(x);
      // A fixed range is not everybody's: others are requantized, not clipped.
      if (inputs > 1 && data_[g].fixed) continue;
      if (group) Unite(*group, g);
      group = Find(group.value_or(g));
    }
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      if (!kernel.IsValueOutput(i)) continue;
      const size_t g = GroupOf(op.outputs[i]);
      if (group) Unite(*group, g);
      group = Find(group.value_or(g));
    }
    for (const Tensor* x : values) {
      if (!x->is_constant()) continue;
      const std::optional<Range> range = RangeOfTensor(x);
      if (range && range->IsFinite() && std::max(-range->min, range->max) <= kLargest) {
        data_[*group].range.Include({*range, *range});
      }
    }
  }

  Affine AffineFor(const Tensor* x, DType dtype) {
    const GroupData& group = data_[GroupOf(x)];
    if (group.fixed && group.fixed->dtype == dtype) return *group.fixed;
    return AffineOf(dtype == DType::kInt16 ? group.range.all : group.range.kept, dtype);
  }

  // ---- The rewrite ----

  DType InputType() const { return TypeOf(options_.input_type); }
  static DType TypeOf(const std::string& name) {
    return ir::DTypeFromName(name).value_or(DType::kFloat32);
  }

  // What an input or output of the file is to be; errors where that cannot be.
  std::optional<Affine> Interface(const Tensor* x, DType dtype, const std::string& name) {
    if (std::string reason = WhyNot(x, "it"); !reason.empty()) {
      errors_.push_back({"", "quantize-9",
                         fmt::format("'{}' cannot be {}: {}", name, ir::Name(dtype), reason),
                         "Keep it float32."});
      return std::nullopt;
    }
    if (dtype == DType::kUInt8) return AsUnsigned(AffineFor(x, DType::kInt8));
    return AffineFor(x, dtype);
  }

  void PrepareInputs() {
    if (!IsIntegerType(options_.input_type)) return;
    for (size_t i = 0; i < graph_.inputs().size(); ++i) {
      Tensor* x = graph_.inputs()[i];
      if (!IsFloat(x)) continue;
      if (const auto affine = Interface(x, InputType(), module_.input_names[i])) Set(x, *affine);
    }
  }

  void FinishOutputs() {
    const DType wanted = TypeOf(options_.output_type);
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      Tensor*& y = graph_.outputs()[i];
      const bool integer = current_.contains(y);
      if (!integer && !IsFloat(y)) continue;
      if (wanted == DType::kFloat32) {
        if (integer) y = Dequantized(y, nullptr, 0);
      } else if (y->is_constant()) {
        errors_.push_back(
            {"", "quantize-9",
             fmt::format("'{}' is constant and stays float32", module_.output_names[i]),
             "Keep the outputs float32."});
      } else if (const auto affine = Interface(y, wanted, module_.output_names[i])) {
        y = As(y, *affine, nullptr, 0);
      }
    }
  }

  // The tensor is integer from here on.
  void Set(Tensor* x, const Affine& affine) {
    x->type.dtype = affine.dtype;
    x->quantization = ToParameters(affine);
    current_[x] = affine;
  }

  // x, whatever it is now, in these integers; QUANTIZE in front of `before` where it is not.
  Tensor* As(Tensor* x, const Affine& affine, Operator* before, uint32_t origin) {
    const auto now = current_.find(x);
    if (now != current_.end() && now->second == affine) return x;
    if (now != current_.end() && now->second.dtype == DType::kInt16 &&
        affine.dtype == DType::kUInt8) {
      // LiteRT requantizes int16 to int8 only.
      x = As(x, {DType::kInt8, affine.scale, affine.zero_point - 128}, before, origin);
    }
    for (const auto& [source, to, result] : quantized_) {
      if (source == x && to == affine) return result;
    }
    ir::BuildContext context{module_, {}, {}, origin};
    ir::Builder b(context, graph_);
    b.SetInsertionPoint(before);
    Tensor* result = b.Emit(QUANTIZE, {Value(x)}, {affine.dtype, x->type.shape}).tensor();
    Set(result, affine);
    quantized_.push_back({x, affine, result});
    return result;
  }

  // x as float32.
  Tensor* Dequantized(Tensor* x, Operator* before, uint32_t origin) {
    Tensor*& known = dequantized_[x];
    if (known == nullptr) {
      ir::BuildContext context{module_, {}, {}, origin};
      ir::Builder b(context, graph_);
      b.SetInsertionPoint(before);
      known = b.Emit(DEQUANTIZE, {Value(x)}, {DType::kFloat32, x->type.shape}).tensor();
    }
    return known;
  }

  // For an operator that stays float.
  void Dequantize(Operator* op) {
    if (IgnoresValues(*op)) return;
    for (size_t i = 0; i < op->inputs.size(); ++i) {
      Tensor* x = op->inputs[i];
      if (x != nullptr && current_.contains(x)) {
        graph_.SetInput(op, i, Dequantized(x, op, op->origin));
      }
    }
  }

  Tensor* AddConstant(ConstantPtr constant,
                      std::shared_ptr<const tflite::QuantizationParametersT> quantization) {
    Tensor* tensor = graph_.AddConstant(std::move(constant));
    tensor->quantization = std::move(quantization);
    return tensor;
  }

  void Rewrite(Operator* op) {
    const IntegerKernel& kernel = *FindIntegerKernel(op->code);
    const DType dtype = integers_.at(op);
    QuantizedOperator& report = reports_.at(op);
    report.recipe = Name(recipes_.at(op));
    report.weights_sqnr = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < op->inputs.size(); ++i) {
      if (!kernel.IsValueInput(i)) continue;
      Tensor* x = op->inputs[i];
      Affine affine = AffineFor(kernel.scales == Scales::kSame ? op->output() : x, dtype);
      if (x->is_constant()) {
        if (kernel.scales != Scales::kSame) affine = AffineOf(*RangeOfTensor(x), dtype);
        report.bytes_before += static_cast<int64_t>(x->constant->byte_size());
        const ConstantPtr stored = Stored(x->constant, affine);
        report.bytes_after += static_cast<int64_t>(stored->byte_size());
        graph_.SetInput(op, i, AddConstant(stored, ToParameters(affine)));
      } else {
        graph_.SetInput(op, i, As(x, affine, op, op->origin));
      }
    }
    if (kernel.scales == Scales::kWeights) {
      if (Status status = StoreWeights(op, kernel, report); !status) {
        for (Diagnostic error : status.error().diagnostics()) {
          error.path = report.layer;
          errors_.push_back(std::move(error));
        }
      }
    }
    for (size_t i = 0; i < op->outputs.size(); ++i) {
      if (kernel.IsValueOutput(i)) Set(op->outputs[i], AffineFor(op->outputs[i], dtype));
    }
    // int16 with any scale, not only powers of two.
    if (auto* add = op->options.AsAddOptions()) add->pot_scale_int16 = false;
    if (auto* sub = op->options.AsSubOptions()) sub->pot_scale_int16 = false;
  }

  ConstantPtr Stored(const ConstantPtr& x, const Affine& affine) {
    for (const auto& [source, to, result] : constants_) {
      if (source == x && to == affine) return result;
    }
    constants_.push_back({x, affine, ToAffine(x, affine)});
    return constants_.back().result;
  }

  // w ≈ scale[c] · q and b ≈ input scale · scale[c] · q, the scales of the kernel's accumulators.
  Status StoreWeights(Operator* op, const IntegerKernel& kernel, QuantizedOperator& report) {
    const Tensor* weights = op->inputs[kernel.weights];
    const bool counted = !counted_.emplace(report.layer, weights->constant.get()).second;
    const Affine input = current_.at(op->inputs[FirstValue(kernel)]);
    const Tensor* bias = kernel.bias < op->inputs.size() ? op->inputs[kernel.bias] : nullptr;
    std::vector<double> offsets;
    if (bias != nullptr) {
      KL_ASSIGN_OR_RETURN(offsets, ir::EvaluateAs<double>(bias->constant));
    }
    for (const double offset : offsets) {
      if (!std::isfinite(offset)) {
        return Fail("", "quantize-4", "the bias has a NaN or an infinity",
                    "Repair the model, or keep this layer in float32 by a rule.");
      }
    }
    KL_ASSIGN_OR_RETURN(const std::vector<float> largest, Largest(weights->constant, kernel.axis));
    StoredKey key{weights->constant, kernel.axis, WeightScales(largest, offsets, input.scale)};
    auto known = stored_.find(key);
    if (known == stored_.end()) {
      KL_ASSIGN_OR_RETURN(StoredWeights stored,
                          ToInt8(weights->constant, kernel.axis, std::get<2>(key)));
      known = stored_.emplace(std::move(key), std::move(stored)).first;
    }
    const StoredWeights& stored = known->second;
    report.weights_sqnr = stored.sqnr;
    if (!counted) {
      report.bytes_before += static_cast<int64_t>(weights->constant->byte_size());
      report.bytes_after += static_cast<int64_t>(stored.constant->byte_size());
      report.bytes_after += static_cast<int64_t>(stored.quantization->scale.size()) * 4;
    }
    const std::vector<float>& scale = stored.quantization->scale;
    std::vector<double> shift;
    if (const std::vector<double>* mean = means_.Find(*op)) {
      KL_ASSIGN_OR_RETURN(shift, MeanShift(weights->constant, kernel.axis, scale, 127, *mean));
    }
    graph_.SetInput(op, kernel.weights, AddConstant(stored.constant, stored.quantization));
    // Kernels for integers, but for one, want a bias: zeros where there was none.
    if (bias == nullptr) {
      if (op->code == FULLY_CONNECTED) return {};
      offsets.assign(scale.size(), 0);
      if (op->inputs.size() <= kernel.bias) op->inputs.resize(kernel.bias + 1);
    }

    for (size_t c = 0; c < shift.size(); ++c) offsets[c] -= shift[c];

    auto quantization = std::make_shared<tflite::QuantizationParametersT>();
    std::vector<int64_t> integers(offsets.size());
    const bool wide = input.dtype == DType::kInt16;
    const double limit = wide ? 0x1p62 : 0x1p31 - 1;
    for (size_t c = 0; c < offsets.size(); ++c) {
      const float step = input.scale * scale[c];
      quantization->scale.push_back(step);
      quantization->zero_point.push_back(0);
      integers[c] = std::llround(std::clamp(offsets[c] / step, -limit, limit));
    }
    const ir::Shape shape{static_cast<int64_t>(offsets.size())};
    ConstantPtr& constant = biases_[{wide, integers}];
    if (constant != nullptr) {
      // As another copy of a recurrent step has it.
    } else if (wide) {
      constant = ir::MakeConstant<int64_t>(DType::kInt64, shape, integers);
    } else {
      constant = ir::MakeConstant<int32_t>(DType::kInt32, shape,
                                           std::vector<int32_t>(integers.begin(), integers.end()));
    }
    if (bias == nullptr || counted_.emplace(report.layer, bias->constant.get()).second) {
      if (bias != nullptr) report.bytes_before += static_cast<int64_t>(bias->constant->byte_size());
      report.bytes_after += static_cast<int64_t>(constant->byte_size());
    }
    graph_.SetInput(op, kernel.bias, AddConstant(constant, quantization));
    return {};
  }

  static size_t FirstValue(const IntegerKernel& kernel) {
    size_t i = 0;
    while (!kernel.IsValueInput(i)) ++i;
    return i;
  }

  // max|w[c]| / 127, but so large that the bias fits its integers. Channels without weights get
  // scales by which their bias is exact and that are of the others' size.
  static std::vector<float> WeightScales(const std::vector<float>& largest,
                                         const std::vector<double>& offsets, float input_scale) {
    std::vector<float> scale = SymmetricScales(largest);
    const float most = *std::max_element(largest.begin(), largest.end());
    for (size_t c = 0; c < scale.size(); ++c) {
      const double offset = c < offsets.size() ? std::fabs(offsets[c]) : 0;
      if (largest[c] == 0) {
        if (most > 0) scale[c] = most / 127;
        if (offset > 0) scale[c] = static_cast<float>(offset / input_scale * 0x1p-20);
      }
      scale[c] = std::max(scale[c], static_cast<float>(offset / input_scale * 0x1p-30));
    }
    return scale;
  }

  Module& module_;
  Graph& graph_;
  const StaticRecipes& recipes_;
  const Ranges& ranges_;
  const InputMeans& means_;
  const QuantizeOptions& options_;
  std::vector<Diagnostic> errors_;
  StaticReports reports_;
  std::unordered_map<const Operator*, DType> integers_;  // what computes in integers, and in which

  // Groups of tensors with one scale: union-find.
  std::unordered_map<const Tensor*, size_t> groups_;
  std::vector<size_t> parents_;
  std::vector<GroupData> data_;
  // By origin and weights: what was multiplied by them last.
  std::map<std::pair<uint32_t, const ir::Constant*>, const Tensor*> copies_;

  std::unordered_map<const Tensor*, Affine> current_;  // of the tensors that are integer by now
  struct QuantizedTensor {
    const Tensor* source;
    Affine affine;
    Tensor* result;
  };
  std::vector<QuantizedTensor> quantized_;
  std::unordered_map<const Tensor*, Tensor*> dequantized_;
  struct QuantizedConstant {
    ConstantPtr source;
    Affine affine;
    ConstantPtr result;
  };
  std::vector<QuantizedConstant> constants_;
  using StoredKey = std::tuple<ConstantPtr, int, std::vector<float>>;
  std::map<StoredKey, StoredWeights> stored_;
  std::map<std::pair<bool, std::vector<int64_t>>, ConstantPtr> biases_;  // int64 or int32
  // By layer: weights and biases that its report has already.
  std::set<std::pair<std::string, const ir::Constant*>> counted_;
};

}  // namespace

std::vector<Tensor*> TensorsToObserve(Module& module) {
  std::vector<Tensor*> tensors;
  std::unordered_map<const Tensor*, bool> known;
  const auto add = [&](Tensor* x) {
    if (!IsFloat(x) || x->is_constant() || std::exchange(known[x], true)) return;
    tensors.push_back(x);
  };
  for (Tensor* x : module.main().inputs()) add(x);
  for (Operator* op = module.main().first(); op != nullptr; op = op->next) {
    if (FindIntegerKernel(op->code) == nullptr) continue;
    for (Tensor* x : op->inputs) add(x);
    for (Tensor* x : op->outputs) add(x);
  }
  for (Tensor* x : module.main().outputs()) add(x);
  return tensors;
}

std::vector<Tensor*> TensorsToAverage(Module& module) {
  std::vector<Tensor*> tensors = TensorsToObserve(module);
  std::erase_if(tensors, [](const Tensor* x) { return ChannelsToObserve(*x) == 0; });
  return tensors;
}

Result<StaticReports> QuantizeActivations(Module& module, const StaticRecipes& recipes,
                                          const Ranges& ranges, const InputMeans& means,
                                          const QuantizeOptions& options) {
  return StaticQuantizer(module, recipes, ranges, means, options).Run();
}

}  // namespace keras_litert::quantize
