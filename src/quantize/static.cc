// A run of operators with integer kernels between two without:
//
//   F(…) → x → CONV_2D(·, w, b) → y → SOFTMAX → z → G(…)
//   ⇒
//   F(…) → x → QUANTIZE → CONV_2D(·, int8(w), int32(b)) → SOFTMAX → DEQUANTIZE → G(…)
//
// In three steps: which operators compute in integers (choose_integers.h), which tensors share a
// scale (scale_groups.h), and, here, the rewrite itself, in the order of execution.
#include "quantize/static.h"

#include <fmt/core.h>

#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "ir/operators.h"
#include "quantize/choose_integers.h"
#include "quantize/kernels.h"
#include "quantize/product_constants.h"
#include "quantize/scale_groups.h"
#include "quantize/tensor_ranges.h"

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

// Reads only sizes: the dtype does not matter to it.
bool IgnoresValues(const Operator& op) {
  return op.code == SHAPE || op.code == RANK;
}

class StaticQuantizer {
 public:
  // `chosen` is what ChooseIntegers() gives for the same recipes, ranges and options.
  StaticQuantizer(Module& module, const StaticRecipes& recipes, const TensorRanges& ranges,
                  const InputMeans& means, const QuantizeOptions& options, ChosenIntegers chosen)
      : module_(module),
        graph_(module.main()),
        recipes_(recipes),
        ranges_(ranges),
        options_(options),
        integers_(std::move(chosen.integers)),
        reports_(std::move(chosen.reports)),
        groups_(graph_, integers_, ranges_, InputType()),
        products_(graph_, means) {}

  Result<StaticReports> Run() {
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
  // Nothing: inputs stay float32.
  std::optional<DType> InputType() const {
    if (!IsIntegerType(options_.input_type)) return std::nullopt;
    return TypeOf(options_.input_type);
  }
  static DType TypeOf(const std::string& name) {
    return ir::DTypeFromName(name).value_or(DType::kFloat32);
  }

  // What an input or output of the file is to be; errors where that cannot be.
  std::optional<Affine> Interface(const Tensor* x, DType dtype, const std::string& name) {
    if (std::string reason = ranges_.WhyNot(x, "it"); !reason.empty()) {
      errors_.push_back({"", "quantize-9",
                         fmt::format("'{}' cannot be {}: {}", name, ir::Name(dtype), reason),
                         "Keep it float32."});
      return std::nullopt;
    }
    if (dtype == DType::kUInt8) return AsUnsigned(groups_.AffineFor(x, DType::kInt8));
    return groups_.AffineFor(x, dtype);
  }

  void PrepareInputs() {
    const std::optional<DType> wanted = InputType();
    if (!wanted) return;
    for (size_t i = 0; i < graph_.inputs().size(); ++i) {
      Tensor* x = graph_.inputs()[i];
      if (!IsFloat(x)) continue;
      if (const auto affine = Interface(x, *wanted, module_.input_names[i])) Set(x, *affine);
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

  void Rewrite(Operator* op) {
    const IntegerKernel& kernel = *FindIntegerKernel(op->code);
    const DType dtype = integers_.at(op);
    QuantizedOperator& report = reports_.at(op);
    report.recipe = Name(recipes_.at(op));
    report.weights_sqnr = std::numeric_limits<double>::infinity();
    Affine first;  // of the input that weights are multiplied by
    for (size_t i = 0; i < op->inputs.size(); ++i) {
      if (!kernel.IsValueInput(i)) continue;
      Tensor* x = op->inputs[i];
      Affine affine = groups_.AffineFor(kernel.scales == Scales::kSame ? op->output() : x, dtype);
      if (x->is_constant()) {
        if (kernel.scales != Scales::kSame) affine = AffineOf(*ranges_.RangeOfTensor(x), dtype);
        report.bytes_before += static_cast<int64_t>(x->constant->byte_size());
        const ConstantPtr stored = Stored(x->constant, affine);
        report.bytes_after += static_cast<int64_t>(stored->byte_size());
        graph_.SetInput(op, i, AddConstant(graph_, stored, ToParameters(affine)));
      } else {
        graph_.SetInput(op, i, As(x, affine, op, op->origin));
      }
      if (i == kernel.FirstValueInput()) first = affine;
    }
    if (kernel.scales == Scales::kWeights) {
      if (Status status = products_.Store(op, kernel, first, report); !status) {
        for (Diagnostic error : status.error().diagnostics()) {
          error.path = report.layer;
          errors_.push_back(std::move(error));
        }
      }
    }
    for (size_t i = 0; i < op->outputs.size(); ++i) {
      if (kernel.IsValueOutput(i)) Set(op->outputs[i], groups_.AffineFor(op->outputs[i], dtype));
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

  Module& module_;
  Graph& graph_;
  const StaticRecipes& recipes_;
  const TensorRanges& ranges_;
  const QuantizeOptions& options_;
  const Integers integers_;
  StaticReports reports_;
  ScaleGroups groups_;
  ProductConstants products_;
  std::vector<Diagnostic> errors_;
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
  const TensorRanges tensors(ranges);
  ChosenIntegers chosen = ChooseIntegers(module, recipes, tensors, options);
  return StaticQuantizer(module, recipes, tensors, means, options, std::move(chosen)).Run();
}

}  // namespace keras_litert::quantize
