// SimpleRNN, LSTM, GRU, RNN with the built-in cells, StackedRNNCells.
#include "layers/recurrent.h"

#include <fmt/core.h>

#include <map>
#include <nlohmann/json.hpp>

#include "ir/operators.h"
#include "layers/table.h"
#include "ops/variable.h"

namespace keras_litert::layers {

using ir::BuiltinOperator;
using nlohmann::json;

namespace {

constexpr int kMaxStackDepth =
    8;  // of StackedRNNCells within StackedRNNCells; configs are untrusted

struct CellContext {
  Layer& config;   // the layer whose config describes the cell
  Layer& weights;  // the layer whose scope holds its weights
  Dim width;       // features of its input
};

int64_t Units(CellContext& c) {
  const int64_t units = c.config.config().Int("units");
  if (units >= 1 && units <= (int64_t{1} << 28)) return units;
  c.config.Fail("rnn-5", fmt::format("units must be positive, got {}", units));
  return 0;
}

Cell WithStates(ops::RecurrentCell cell, std::vector<Shape> states) {
  return {std::move(cell.project), std::move(cell.step), std::move(states), 2, cell.step_bytes};
}

Cell SimpleCell(CellContext c) {
  const int64_t units = Units(c);
  if (units == 0) return {};
  Config& config = c.config.config();
  config.Ignore(kRecurrentTrainingOnly);
  const Value kernel = c.weights.Weight(0, "kernel", Shape{c.width, units});
  const Value recurrent = c.weights.Weight(1, "recurrent_kernel", Shape{units, units});
  const Value bias =
      config.Bool("use_bias", true) ? c.weights.Weight(2, "bias", Shape{units}) : Value();
  const ActivationFunction activation = CellActivation(c.config, "activation", "tanh");
  return WithStates(ops::SimpleCell(c.config.b(), kernel, recurrent, bias, activation),
                    {Shape{units}});
}

Cell LstmCell(CellContext c) {
  const int64_t units = Units(c);
  if (units == 0) return {};
  Config& config = c.config.config();
  config.Ignore(kRecurrentTrainingOnly);
  const Value kernel = c.weights.Weight(0, "kernel", Shape{c.width, 4 * units});
  const Value recurrent = c.weights.Weight(1, "recurrent_kernel", Shape{units, 4 * units});
  const Value bias =
      config.Bool("use_bias", true) ? c.weights.Weight(2, "bias", Shape{4 * units}) : Value();
  const ActivationFunction activation = CellActivation(c.config, "activation", "tanh");
  const ActivationFunction gate = CellActivation(c.config, "recurrent_activation", "sigmoid");
  return WithStates(ops::LstmCell(c.config.b(), kernel, recurrent, bias, activation, gate),
                    {Shape{units}, Shape{units}});
}

Cell GruCell(CellContext c) {
  const int64_t units = Units(c);
  if (units == 0) return {};
  Config& config = c.config.config();
  config.Ignore(kRecurrentTrainingOnly);
  // The first versions of Keras 2 have no such argument: there r comes before the product.
  const bool reset_after = config.Bool("reset_after", !SavedByKeras2(c.config.context()));
  const Value kernel = c.weights.Weight(0, "kernel", Shape{c.width, 3 * units});
  const Value recurrent = c.weights.Weight(1, "recurrent_kernel", Shape{units, 3 * units});
  Value bias;
  if (config.Bool("use_bias", true)) {
    bias = c.weights.Weight(2, "bias", reset_after ? Shape{2, 3 * units} : Shape{3 * units});
  }
  const ActivationFunction activation = CellActivation(c.config, "activation", "tanh");
  const ActivationFunction gate = CellActivation(c.config, "recurrent_activation", "sigmoid");
  return WithStates(
      ops::GruCell(c.config.b(), kernel, recurrent, bias, activation, gate, reset_after),
      {Shape{units}});
}

using MakeCell = Cell (*)(CellContext);

MakeCell FindCell(std::string_view class_name) {
  if (class_name == "SimpleRNNCell") return SimpleCell;
  if (class_name == "LSTMCell") return LstmCell;
  if (class_name == "GRUCell") return GruCell;
  return nullptr;
}

// A layer that is one cell and its loop: the cell's config is the layer's own, its weights lie in
// its attribute `cell`.
template <MakeCell kMake>
Argument CellLayer(Layer& layer, Arguments& call) {
  Layer weights = layer.Child("cell", layer.class_name() + "Cell", layer.config().json());
  return RunCells(layer, call, 3,
                  [&](Value x) { return std::vector{kMake({layer, weights, x.dim(-1)})}; });
}

// Appends the cells of a serialized cell: itself, or those of StackedRNNCells. `width` is the
// number of features that the first one gets, and then that of the last one's output.
void ReadCells(Layer& parent, const std::string& attribute, const json& serialized, int depth,
               Dim* width, std::vector<Cell>* cells) {
  if (!serialized.is_object() || !serialized.contains("class_name") ||
      !serialized["class_name"].is_string() || !serialized.contains("config")) {
    parent.Fail("rnn-6", "the config of the RNN has no cell");
    return;
  }
  const auto& class_name = serialized["class_name"].get_ref<const std::string&>();
  const size_t errors = parent.b().errors().size();
  Layer cell = parent.Child(attribute, class_name, serialized["config"]);
  if (class_name == "StackedRNNCells") {
    if (depth >= kMaxStackDepth) {
      parent.Fail("rnn-7", fmt::format("cells are stacked more than {} deep", kMaxStackDepth));
      return;
    }
    const json& inner = cell.config().Raw("cells");
    if (!inner.is_array() || inner.empty()) {
      parent.Fail("rnn-6", "StackedRNNCells has no cells");
      return;
    }
    std::map<std::string, int> used;
    for (const json& one : inner) {
      const bool named =
          one.is_object() && one.contains("class_name") && one["class_name"].is_string();
      const std::string base = ToSnakeCase(named ? one["class_name"].get<std::string>() : "cell");
      const int count = used[base]++;
      ReadCells(cell, "cells/" + (count == 0 ? base : fmt::format("{}_{}", base, count)), one,
                depth + 1, width, cells);
    }
  } else if (const MakeCell make = FindCell(class_name)) {
    cells->push_back(make({cell, cell, *width}));
    if (!cells->back().states.empty()) *width = cells->back().states[0].dim(0);
  } else {
    parent.Fail("rnn-8", fmt::format("the cell class '{}' is not known", class_name),
                std::string("If the cell is your own: ") + kNeedsCode);
  }
  if (parent.b().errors().size() != errors) return;
  cell.config().Ignore({"name", "trainable", "dtype", "activity_regularizer"});
  cell.config().ReportUnread();
}

Argument Rnn(Layer& layer, Arguments& call) {
  return RunCells(layer, call, 3, [&](Value x) {
    std::vector<Cell> cells;
    Dim width = x.dim(-1);
    ReadCells(layer, "cell", layer.config().Raw("cell"), 0, &width, &cells);
    return cells;
  });
}

// The initial states in a call, flattened: a tensor for each state of all cells, or none at all.
std::optional<std::vector<Value>> InitialStates(Layer& layer, std::vector<Value> given,
                                                const std::vector<Cell>& cells) {
  size_t count = 0;
  for (const Cell& cell : cells) count += cell.states.size();
  if (given.empty()) return std::vector<Value>(count);
  if (given.size() != count) {
    layer.Fail("rnn-9",
               fmt::format("{} initial states are given, the layer has {}", given.size(), count));
    return std::nullopt;
  }
  size_t next = 0;
  for (const Cell& cell : cells) {
    for (const Shape& state : cell.states) {
      const Value value = given[next++];
      bool fits = value.rank() == state.rank() + 1;
      for (int i = 0; fits && i < state.rank(); ++i) {
        fits = !value.dim(i + 1).is_static() || value.dim(i + 1) == state[i];
      }
      if (fits) continue;
      layer.Fail("rnn-10", fmt::format("an initial state is {}, it must be [batch, …] with {}",
                                       value.shape().ToString(), state.ToString()));
      return std::nullopt;
    }
  }
  return given;
}

// The variables that keep the states of a stateful layer between invocations; `initial` (may be
// null) becomes their values.
std::vector<Value> StateVariables(Layer& layer, Dim batch, const std::vector<Cell>& cells,
                                  std::vector<Value>* initial) {
  std::string& name = layer.context().state_names[layer.scope().path];
  if (name.empty()) {
    const std::string path = layer.b().PathString();
    name = path;
    for (int i = 1; ops::HasVariable(layer.b(), name + "/state_0"); ++i) {
      name = fmt::format("{}_{}", path, i);
    }
  }
  std::vector<Value> variables;
  for (const Cell& cell : cells) {
    for (Shape shape : cell.states) {
      shape.Insert(0, batch);
      const ir::TensorType type{layer.compute_dtype(), shape};
      const size_t index = variables.size();
      variables.push_back(
          ops::ZeroVariable(layer.b(), fmt::format("{}/state_{}", name, index), type));
      if (initial != nullptr) {
        (*initial)[index] = ops::ReadVariable(layer.b(), variables.back(), type);
      }
    }
  }
  return variables;
}

}  // namespace

ActivationFunction CellActivation(const Layer& owner, std::string_view key,
                                  std::string_view fallback) {
  Layer layer = owner;
  json serialized = layer.config().json().contains(key) ? layer.config().Raw(key) : json(fallback);
  return [layer, serialized](Builder& b, Value x) mutable {
    if (!x.ok()) return x;
    const BuildIn scope(layer.context(), b);
    // Keras's functions give float32 for float64; a step keeps the dtype of its states.
    return lrt::Cast(b, ApplyActivation(layer, x, serialized), x.dtype());
  };
}

Argument RunCells(Layer& layer, Arguments& call, int rank,
                  const std::function<std::vector<Cell>(Value x)>& make_cells) {
  Config& config = layer.config();
  // Keras 2 hands the states over in a list behind the sequences.
  std::vector<Value> tensors = call.Get(0, "sequences").Flatten();
  if (tensors.empty()) return layer.Fail("rnn-11", "the layer is called without an input");
  const Value x = tensors[0];
  std::vector<Value> given(tensors.begin() + 1, tensors.end());
  const std::vector<Value> states = call.Get(1, "initial_state").Flatten();
  given.insert(given.end(), states.begin(), states.end());
  const std::vector<Value> masks = call.Get(2, "mask").Flatten();
  const Value mask = masks.empty() ? layer.Mask(x) : masks[0];
  for (Value& state : given) state = lrt::Cast(layer.b(), state, layer.compute_dtype());

  ops::RecurrenceOptions options;
  const bool return_sequences = config.Bool("return_sequences", false);
  const bool return_state = config.Bool("return_state", false);
  options.go_backwards = config.Bool("go_backwards", false);
  options.unroll = config.Bool("unroll", false);
  options.zero_output_for_mask = config.Bool("zero_output_for_mask", false);
  options.mask = mask;
  config.Ignore({"input_length", "input_dim"});
  if (config.Bool("time_major", false)) {
    return layer.Fail(
        "rnn-12", "time_major=True is not supported",
        "Keras 3 has no such argument: swap the axes in front and set time_major=False.");
  }
  const bool stateful = config.Bool("stateful", false);
  if (x.rank() != rank) {
    return layer.Fail(
        "rnn-14", fmt::format("the input must have rank {}, got {}", rank, x.shape().ToString()));
  }
  if (mask.ok() && options.unroll && options.zero_output_for_mask && return_sequences) {
    layer.Note(
        "unroll=True: Keras's backends disagree on zero_output_for_mask; as with JAX and "
        "NumPy it has no effect");
  }

  const size_t errors = layer.b().errors().size();
  const std::vector<Cell> cells = make_cells(x);
  if (layer.b().errors().size() != errors || cells.empty()) return Value();
  std::optional<std::vector<Value>> initial = InitialStates(layer, given, cells);
  if (!initial) return Value();
  std::vector<Value> variables;
  if (stateful) {
    if (!x.dim(0).is_static()) {
      return layer.Fail("rnn-13", "stateful=True needs a fixed batch size",
                        "Give the model's Input a batch_size, or convert with --static-batch.");
    }
    variables = StateVariables(layer, x.dim(0), cells, given.empty() ? &*initial : nullptr);
  }

  // A stack of cells is a stack of loops: the inputs of each are then one matrix product too.
  ops::Recurrence result;
  Value sequence = x;
  std::vector<Argument> results(1);
  auto next = initial->begin();
  for (size_t i = 0; i < cells.size(); ++i) {
    const bool last = i + 1 == cells.size();
    options.return_sequences = return_sequences || !last;
    options.keep_positions = !last;
    const Cell& cell = cells[i];
    const auto end = next + static_cast<std::ptrdiff_t>(cell.states.size());
    std::vector<Value> before(next, end);
    next = end;
    if (cell.enter) {
      sequence = cell.enter(sequence, 2);
      for (Value& state : before) state = cell.enter(state, 1);
    }
    options.state_rank = cell.state_rank;
    options.step_bytes = cell.step_bytes;
    result = ops::Recur(layer.b(), cell.project(sequence), before, cell.step, options);
    if (cell.leave) {
      result.outputs = cell.leave(result.outputs, 2);
      result.last_output = cell.leave(result.last_output, 1);
      for (Value& state : result.states) state = cell.leave(state, 1);
    }
    for (Value state : result.states) results.emplace_back(state);
    sequence = result.outputs;
  }
  for (size_t i = 0; i < variables.size() && i + 1 < results.size(); ++i) {
    ops::AssignVariable(layer.b(), variables[i], results[i + 1].tensor());
  }
  const Value output = return_sequences ? result.outputs : result.last_output;
  if (return_sequences) layer.SetMask(output, mask);
  if (!return_state) return output;
  results[0] = output;
  return Argument::List(std::move(results));
}

std::span<const LayerEntry> RecurrentLayers() {
  static constexpr LayerEntry kLayers[] = {
      {"GRU", CellLayer<GruCell>, MaskRule::kCustom},
      {"LSTM", CellLayer<LstmCell>, MaskRule::kCustom},
      {"RNN", Rnn, MaskRule::kCustom},
      {"SimpleRNN", CellLayer<SimpleCell>, MaskRule::kCustom},
  };
  return kLayers;
}

}  // namespace keras_litert::layers
