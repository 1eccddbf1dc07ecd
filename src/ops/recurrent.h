// keras.src.backend.rnn: recurrences over the time axis of sequences.
#pragma once

#include <functional>
#include <vector>

#include "ops/dtype.h"

namespace keras_litert::ops {

// One step of a recurrence, appended to `b` (the graph of the model or of a loop's body).
//   x       the step's element of every sequence, [batch, …]
//   states  the states before it, [batch, …] each; a failed value is a state of zeros
// Gives the states after it. The first one is the step's output. The only tensors of another graph
// that it may read are constants.
using StepFunction = std::function<std::vector<Value>(Builder& b, const std::vector<Value>& x,
                                                      const std::vector<Value>& states)>;

struct RecurrenceOptions {
  bool return_sequences = false;
  // From the last step to the first. Keras gives the outputs in the order of processing.
  bool go_backwards = false;
  // One copy of the step for each time step, whatever their number. Time must be static.
  bool unroll = false;
  // Steps that are masked out give zeros instead of the output before them.
  bool zero_output_for_mask = false;
  // The outputs stay in the order of the sequences although go_backwards is set.
  bool keep_positions = false;
  // [batch, time] of any dtype, or failed for none. Where it is false the states stay as they are.
  Value mask;
  int state_rank = 2;  // of every state, batch included
  // Bytes of the constants that one step reads.
  size_t step_bytes = 0;
};

struct Recurrence {
  Value last_output;          // [batch, …]
  Value outputs;              // [batch, time, …]; failed without return_sequences
  std::vector<Value> states;  // after the last step
};

// Runs `step` over axis 1 of the sequences ([batch, time, …] each, at least one). `initial` has one
// entry a state; a failed value stands for zeros.
//
// Where Keras's backends disagree this is what its JAX and NumPy backends compute: a masked step at
// the very beginning gives the initial state as its output (TensorFlow and PyTorch: zeros), but
// zeros with `unroll`; and with `unroll` zero_output_for_mask has no effect.
Recurrence Recur(Builder& b, const std::vector<Value>& sequences, const std::vector<Value>& initial,
                 const StepFunction& step, const RecurrenceOptions& options);

// x with its axis 1 reversed. Undoes a reversal, and repacks a PACK, instead of adding to it.
Value ReverseTime(Builder& b, Value x);

// Rows [begin, end) along axis 0 of a constant.
Value ConstantRows(Builder& b, Value constant, int64_t begin, int64_t end);

}  // namespace keras_litert::ops
