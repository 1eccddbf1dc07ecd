// The cells of Keras's recurrent layers, split in what is computed of all steps' inputs at once and
// what depends on the states.
//
// Shapes: inputs [batch, time, features], states [batch, units]; kernel [features, gates · units],
// recurrent [units, gates · units], bias [gates · units] or failed for none. Weights are constants.
#pragma once

#include <functional>
#include <vector>

#include "ops/recurrent.h"

namespace keras_litert::ops {

// Applied in whatever graph a step is lowered into.
using ActivationFunction = std::function<Value(Builder& b, Value x)>;

struct RecurrentCell {
  // The inputs of all steps → the sequences that `step` reads.
  std::function<std::vector<Value>(Value x)> project;
  StepFunction step;
  size_t step_bytes = 0;  // of the weights that `step` reads
};

//   h' = activation(x W + b + h U)
RecurrentCell SimpleCell(Builder& b, Value kernel, Value recurrent, Value bias,
                         ActivationFunction activation);

//   i, f, g, o = x W + b + h U
//   c' = gate(f) c + gate(i) activation(g)        h' = gate(o) activation(c')
// States: h, c.
RecurrentCell LstmCell(Builder& b, Value kernel, Value recurrent, Value bias,
                       ActivationFunction activation, ActivationFunction gate);

//   z, r = gate(x W_zr + b_zr + h U_zr + b'_zr)
//   reset_after:  g = activation(x W_g + b_g + r (h U_g + b'_g)), bias [2, 3 · units]
//   else:         g = activation(x W_g + b_g + (r h) U_g)
//   h' = z h + (1 - z) g  =  g + z (h - g)
RecurrentCell GruCell(Builder& b, Value kernel, Value recurrent, Value bias,
                      ActivationFunction activation, ActivationFunction gate, bool reset_after);

}  // namespace keras_litert::ops
