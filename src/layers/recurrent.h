// What recurrent layers share: cells, and the layer around them.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "layers/layer.h"
#include "ops/recurrent_cell.h"

namespace keras_litert::layers {

// A recurrent cell, split in what it computes of all steps' inputs at once and what depends on the
// states.
struct Cell {
  // [batch, time, …] → the sequences that `step` reads.
  std::function<std::vector<Value>(Value x)> project;
  ops::StepFunction step;
  std::vector<Shape> states;  // as Keras has them, without the batch axis
  int state_rank = 2;         // in `step`, with the batch axis
  size_t step_bytes = 0;      // of the weights that `step` reads
  // Where `step` has another layout than Keras: from Keras's layout to its own and back. `leading`
  // axes stand before those of the layout. Null: the layouts are the same.
  std::function<Value(Value x, int leading)> enter;
  std::function<Value(Value x, int leading)> leave;
};

// Config keys of recurrent layers and cells that say nothing at inference.
inline constexpr std::string_view kRecurrentTrainingOnly[] = {"kernel_initializer",
                                                              "recurrent_initializer",
                                                              "bias_initializer",
                                                              "kernel_regularizer",
                                                              "recurrent_regularizer",
                                                              "bias_regularizer",
                                                              "kernel_constraint",
                                                              "recurrent_constraint",
                                                              "bias_constraint",
                                                              "unit_forget_bias",
                                                              "dropout",
                                                              "recurrent_dropout",
                                                              "seed",
                                                              "implementation",
                                                              "use_cudnn"};

// An activation of a cell, applied in whatever graph a step is lowered into.
using ops::ActivationFunction;
ActivationFunction CellActivation(const Layer& owner, std::string_view key,
                                  std::string_view fallback);

// Lowers in another graph (a loop's body) while it lives.
class BuildIn {
 public:
  BuildIn(LoweringContext& context, const Builder& b) : context_(context), saved_(context.b) {
    context.b = b;
  }
  BuildIn(const BuildIn&) = delete;
  BuildIn& operator=(const BuildIn&) = delete;
  ~BuildIn() { context_.b = saved_; }

 private:
  LoweringContext& context_;
  Builder saved_;
};

// keras.layers.RNN's call: reads its arguments (sequences, initial_state, mask) and its part of the
// config, runs the cells, one on top of the other, and sets the mask of the output. `make_cells`
// makes the cells for inputs x. `rank` is that of the inputs. Gives the output, or a list of it and
// the states.
Argument RunCells(Layer& layer, Arguments& call, int rank,
                  const std::function<std::vector<Cell>(Value x)>& make_cells);

}  // namespace keras_litert::layers
