#include "quantize/choose_integers.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "quantize/kernels.h"

namespace keras_litert::quantize {
namespace {

using ir::DType;
using ir::Graph;
using ir::Module;
using ir::Operator;
using ir::Tensor;
using enum ir::BuiltinOperator;

DType ActivationsOf(Recipe recipe) {
  return recipe == Recipe::kStaticInt16 ? DType::kInt16 : DType::kInt8;
}

std::string_view IntegerName(DType dtype) {
  return dtype == DType::kInt16 ? "int16" : "int8";
}

class Chooser {
 public:
  Chooser(const Module& module, const StaticRecipes& recipes, const TensorRanges& ranges,
          const QuantizeOptions& options)
      : module_(module),
        graph_(module.main()),
        recipes_(recipes),
        ranges_(ranges),
        options_(options) {}

  ChosenIntegers Run() {
    for (const Operator* op = graph_.first(); op != nullptr; op = op->next) {
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
      for (const Operator* op = graph_.first(); op != nullptr; op = op->next) {
        if (!integers_.contains(op) || !GainsNothingAlone(*op) || !IsAmongFloats(*op)) continue;
        integers_.erase(op);
        // No reason: nothing is lost by it.
        reports_.erase(op);
        changed = true;
      }
    }
    return {std::move(integers_), std::move(reports_)};
  }

 private:
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
      if (std::string reason = ranges_.WhyNot(x, "an input"); !reason.empty()) return reason;
    }
    for (size_t i = 0; i < op.outputs.size(); ++i) {
      if (!kernel->IsValueOutput(i)) continue;
      if (!IsFloat(op.outputs[i])) return "it does not compute with floats";
      if (kernel->scales == Scales::kFixed) continue;
      if (std::string reason = ranges_.WhyNot(op.outputs[i], "its result"); !reason.empty())
        return reason;
    }
    if (op.code == MUL || op.code == ADD || op.code == SUB) {
      if (std::string reason = WhyNotFactors(op, dtype); !reason.empty()) return reason;
    }
    // 1/√0 and log 0: what is close to 0 must not become 0.
    if (op.code == RSQRT || op.code == LOG) {
      const std::optional<Range> range = ranges_.RangeOfTensor(op.inputs[0]);
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
      const std::optional<Range> f = ranges_.RangeOfTensor(factors);
      const std::optional<Range> in = ranges_.RangeOfTensor(x);
      const std::optional<Range> out = ranges_.RangeOfTensor(op.output());
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

  bool IsInteger(const Operator* op) const { return op != nullptr && integers_.contains(op); }
  bool HasIntegerUser(const Tensor* x) const {
    return std::any_of(x->users.begin(), x->users.end(),
                       [&](const Operator* user) { return IsInteger(user); });
  }
  bool IsIntegerInput(const Tensor* x) const {
    return graph_.IsInput(x) && IsIntegerType(options_.input_type);
  }
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

  const Module& module_;
  const Graph& graph_;
  const StaticRecipes& recipes_;
  const TensorRanges& ranges_;
  const QuantizeOptions& options_;
  StaticReports reports_;
  Integers integers_;
};

}  // namespace

bool IsIntegerType(const std::string& name) {
  return !name.empty() && name != kFloatRecipe;
}

ChosenIntegers ChooseIntegers(const Module& module, const StaticRecipes& recipes,
                              const TensorRanges& ranges, const QuantizeOptions& options) {
  return Chooser(module, recipes, ranges, options).Run();
}

}  // namespace keras_litert::quantize
