// Besides the cells: keras.src.backend.rnn's lstm and gru by name.
#include "ops/recurrent_cell.h"

#include <fmt/core.h>

#include <algorithm>

#include "ir/operators.h"
#include "ops/activation.h"
#include "ops/linear.h"
#include "ops/table.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;

// x · W for a state x that may be zeros (failed): then the product is missing, and only the bias is
// left.
Value Product(Builder& b, Value state, Value weights, Value bias) {
  return state.ok() ? lrt::FullyConnected(b, state, weights, bias) : bias;
}

// x + y, where y may be missing.
Value Sum(Builder& b, Value x, Value y) {
  return y.ok() ? lrt::Add(b, x, y) : x;
}

size_t ConstantBytes(Value v) {
  return v.is_constant() ? v.constant()->byte_size() : 0;
}

}  // namespace

RecurrentCell SimpleCell(Builder& b, Value kernel, Value recurrent, Value bias,
                         ActivationFunction activation) {
  const Value recurrent_t = lrt::Transpose(b, recurrent, {1, 0});
  return {[&b, kernel, bias](Value x) { return std::vector{Dense(b, x, kernel, bias)}; },
          [=](Builder& in, const std::vector<Value>& x, const std::vector<Value>& states) {
            return std::vector{
                activation(in, Sum(in, x[0], Product(in, states[0], recurrent_t, Value())))};
          },
          ConstantBytes(recurrent)};
}

RecurrentCell LstmCell(Builder& b, Value kernel, Value recurrent, Value bias,
                       ActivationFunction activation, ActivationFunction gate) {
  const Value recurrent_t = lrt::Transpose(b, recurrent, {1, 0});
  return {[&b, kernel, bias](Value x) { return std::vector{Dense(b, x, kernel, bias)}; },
          [=](Builder& in, const std::vector<Value>& x, const std::vector<Value>& states) {
            const Value z = Sum(in, x[0], Product(in, states[0], recurrent_t, Value()));
            const std::vector<Value> parts = lrt::Split(in, z, -1, 4);
            Value carry = lrt::Mul(in, gate(in, parts[0]), activation(in, parts[2]));
            if (states[1].ok()) {
              carry = lrt::Add(in, lrt::Mul(in, gate(in, parts[1]), states[1]), carry);
            }
            const Value h = lrt::Mul(in, gate(in, parts[3]), activation(in, carry));
            return std::vector{h, carry};
          },
          ConstantBytes(recurrent)};
}

RecurrentCell GruCell(Builder& b, Value kernel, Value recurrent, Value bias,
                      ActivationFunction activation, ActivationFunction gate, bool reset_after) {
  const int64_t units = recurrent.dim(0).value_or_minus_one();
  // Rows of the transposed matrices: z and r first, then the candidate's.
  const Value kernel_t = lrt::Transpose(b, kernel, {1, 0});
  const Value kernel_zr = ConstantRows(b, kernel_t, 0, 2 * units);
  const Value kernel_g = ConstantRows(b, kernel_t, 2 * units, 3 * units);
  const Value recurrent_t = lrt::Transpose(b, recurrent, {1, 0});
  const Value recurrent_zr = ConstantRows(b, recurrent_t, 0, 2 * units);
  const Value recurrent_g = ConstantRows(b, recurrent_t, 2 * units, 3 * units);
  Value bias_zr;
  Value bias_g;
  Value recurrent_bias_zr;
  Value recurrent_bias_g;
  if (bias.ok()) {
    const Value flat = lrt::Reshape(b, bias, ir::Shape{reset_after ? 6 * units : 3 * units});
    bias_zr = ConstantRows(b, flat, 0, 2 * units);
    bias_g = ConstantRows(b, flat, 2 * units, 3 * units);
    if (reset_after) {
      recurrent_bias_zr = ConstantRows(b, flat, 3 * units, 5 * units);
      recurrent_bias_g = ConstantRows(b, flat, 5 * units, 6 * units);
    }
  }
  return {[=, &b](Value x) {
            return std::vector{lrt::FullyConnected(b, x, kernel_zr, bias_zr),
                               lrt::FullyConnected(b, x, kernel_g, bias_g)};
          },
          [=](Builder& in, const std::vector<Value>& x, const std::vector<Value>& states) {
            const Value h = states[0];
            const Value zr =
                gate(in, Sum(in, x[0], Product(in, h, recurrent_zr, recurrent_bias_zr)));
            const std::vector<Value> parts = lrt::Split(in, zr, -1, 2);
            const Value z = parts[0];
            const Value r = parts[1];
            Value inner;
            if (reset_after) {
              inner = Product(in, h, recurrent_g, recurrent_bias_g);
              if (inner.ok()) inner = lrt::Mul(in, r, inner);
            } else if (h.ok()) {
              inner = lrt::FullyConnected(in, lrt::Mul(in, r, h), recurrent_g, Value());
            }
            const Value g = activation(in, Sum(in, x[1], inner));
            if (!h.ok()) return std::vector{lrt::Sub(in, g, lrt::Mul(in, z, g))};
            return std::vector{lrt::Add(in, g, lrt::Mul(in, z, lrt::Sub(in, h, g)))};
          },
          ConstantBytes(recurrent)};
}

namespace {

// Largest constant that is looked at for being all zeros: an initial state, no weights.
constexpr size_t kMaxZeros = size_t{1} << 16;

// Whether x is known to be zeros: a constant, or a number or constant spread over a size that is
// known at run time.
bool IsZeros(Value x) {
  if (!x.ok()) return false;
  if (x.is_constant()) {
    const size_t size = x.constant()->byte_size();
    if (size > kMaxZeros) return false;
    std::vector<std::byte> bytes(size);
    if (!x.constant()->Evaluate(bytes)) return false;
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte v) { return v == std::byte{}; });
  }
  const ir::Operator* producer = x.tensor()->producer;
  if (producer == nullptr) return false;
  switch (producer->code) {
    case BuiltinOperator::FILL:
      return IsZeros(Value(producer->inputs[1]));
    case BuiltinOperator::BROADCAST_TO:
    case BuiltinOperator::CAST:
    case BuiltinOperator::RESHAPE:
      return IsZeros(Value(producer->inputs[0]));
    default:
      return false;
  }
}

ActivationFunction NamedActivation(Arguments& a, int position, std::string_view name) {
  const std::string function = a.String(position, name, "linear");
  return [function](Builder& b, Value x) {
    return x.ok() ? lrt::Cast(b, Activate(b, x, function), x.dtype()) : x;
  };
}

// What lstm() and gru() have in common: `first` is the position of the mask, `gates` how many
// matrices stand side by side in the kernels.
Argument Fused(Builder& b, Arguments& a, int first, int gates,
               const std::vector<std::string_view>& state_names) {
  const Value x = a.Tensor(0, "inputs");
  std::vector<Value> states;
  for (size_t i = 0; i < state_names.size(); ++i) {
    const Value state = a.OptionalTensor(static_cast<int>(i) + 1, state_names[i]);
    states.push_back(IsZeros(state) ? Value() : state);
  }
  RecurrenceOptions options;
  options.mask = a.OptionalTensor(first, "mask");
  const Value kernel = a.Tensor(first + 1, "kernel");
  const Value recurrent = a.Tensor(first + 2, "recurrent_kernel");
  const Value bias = a.OptionalTensor(first + 3, "bias");
  const ActivationFunction activation = NamedActivation(a, first + 4, "activation");
  const ActivationFunction gate = NamedActivation(a, first + 5, "recurrent_activation");
  options.return_sequences = a.Bool(first + 6, "return_sequences", false);
  options.go_backwards = a.Bool(first + 7, "go_backwards", false);
  options.unroll = a.Bool(first + 8, "unroll", false);
  const bool gru = gates == 3;
  const bool reset_after = gru && a.Bool(first + 9, "reset_after", true);
  if (!x.ok() || !kernel.ok() || !recurrent.ok()) return Value();

  // (rnn-16) the weights are constants whose shapes fit.
  const int64_t units = recurrent.dim(0).value_or_minus_one();
  const ir::Shape width{gates * units};
  bool fits = kernel.is_constant() && recurrent.is_constant() && x.rank() == 3 && units >= 1 &&
              recurrent.shape() == ir::Shape{units, gates * units} &&
              kernel.shape() == ir::Shape{x.dim(2), gates * units};
  if (bias.ok()) {
    fits &= bias.is_constant() &&
            bias.shape() == (reset_after ? ir::Shape{2, gates * units} : ir::Shape{gates * units});
  }
  for (Value state : states) {
    fits &= !state.ok() || (state.rank() == 2 && state.dim(1) == Dim(units));
  }
  if (!fits) {
    return b.Fail(
        "rnn-16",
        fmt::format("inputs {}, kernel {} and recurrent kernel {} do not belong together, "
                    "or are no constants",
                    x.shape().ToString(), kernel.shape().ToString(), recurrent.shape().ToString()));
  }
  const RecurrentCell cell =
      gru ? GruCell(b, kernel, recurrent, bias, activation, gate, reset_after)
          : LstmCell(b, kernel, recurrent, bias, activation, gate);
  options.step_bytes = cell.step_bytes;
  const Recurrence result = Recur(b, cell.project(x), states, cell.step, options);
  std::vector<Argument> after(result.states.begin(), result.states.end());
  const Value outputs = options.return_sequences || !result.last_output.ok()
                            ? result.outputs
                            : lrt::ExpandDims(b, result.last_output, 1);
  return Argument::List({result.last_output, outputs, Argument::List(std::move(after))});
}

// (last output, outputs [batch, time or 1, units], [h, c]). Masked steps leave the states, and give
// the output before them.
Argument Lstm(Builder& b, Arguments& a) {
  return Fused(b, a, 3, 4, {"initial_state_h", "initial_state_c"});
}

// (last output, outputs [batch, time or 1, units], [h]).
Argument Gru(Builder& b, Arguments& a) {
  return Fused(b, a, 2, 3, {"initial_state"});
}

}  // namespace

std::span<const OpEntry> RecurrentOps() {
  static constexpr OpEntry kOps[] = {{"rnn.gru", Gru}, {"rnn.lstm", Lstm}};
  return kOps;
}

}  // namespace keras_litert::ops
