#include "ops/recurrent.h"

#include <fmt/core.h>

#include <algorithm>

#include "ir/operators.h"

namespace keras_litert::ops {
namespace {

using ir::BuiltinOperator;
using ir::Graph;

// Static sequences up to this length become one copy of the step for each time step, longer ones a
// loop. A copy takes 1.7 kB of the file and 0.1 ms of the first invocation; a loop costs about 20
// µs in each (measured on LSTM and GRU, x86-64).
constexpr int kMaxUnrolled = 32;
// Steps that a loop's body takes at once. A loop copies its outputs, [batch, time, …], twice in
// every iteration, so long sequences need few iterations: of 1, 2, 4 … 32 this is the fastest for
// 128 and 1000 steps.
constexpr int kMaxStepsAtOnce = 8;
// XNNPACK packs the weights again for each copy of the step. Where the copies together outgrow the
// caches, every step waits for memory: an LSTM of 512 units (4 MB) runs 129 steps in 24 ms one at a
// time, in 124 ms eight at a time.
constexpr size_t kMaxCopiedBytes = size_t{4} << 20;

// More copies are refused even if the model asks for them by unroll=True: configs are untrusted.
constexpr int64_t kMaxAskedUnrolled = 10000;

// The largest power of two up to kMaxStepsAtOnce whose copies stay within kMaxCopiedBytes.
int StepsAtOnce(size_t step_bytes) {
  int steps = kMaxStepsAtOnce;
  while (steps > 1 && step_bytes > kMaxCopiedBytes / static_cast<size_t>(steps)) steps /= 2;
  return steps;
}

// What one step hands on to the next.
struct Carry {
  std::vector<Value> states;
  Value output;  // of the step, after masking
};

class Runner {
 public:
  Runner(Builder& b, const std::vector<Value>& sequences, const std::vector<Value>& initial,
         const StepFunction& step, const RecurrenceOptions& options)
      : b_(b), sequences_(sequences), initial_(initial), step_(step), options_(options) {}

  Recurrence Run();

 private:
  // The elements of all sequences (and last of the mask, if any) at one step.
  using Elements = std::vector<Value>;

  Carry Step(Builder& b, const Elements& elements, const Carry& before) const;
  Recurrence Unrolled();
  Recurrence Looped();
  // `count` steps from `index` on (an int32 scalar), in the order of processing.
  Carry Steps(Builder& b, const std::vector<Value>& inputs, Value index, int count, Carry carry,
              Value* buffer) const;
  // A loop that takes `count` steps at once while there are so many.
  void Loop(int count, Value* index, Carry* carry, Value* buffer);
  Value OutputBuffer(const Carry& carry) const;
  Value CutPadding(Value x) const;
  bool masked() const { return options_.mask.ok(); }
  // Must the output be carried beside the states?
  bool separate_output() const {
    return masked() && (options_.unroll ? initial_[0].ok() : options_.zero_output_for_mask);
  }

  Builder& b_;
  std::vector<Value> sequences_;  // with the mask as the last where there is one
  const std::vector<Value>& initial_;
  const StepFunction& step_;
  const RecurrenceOptions& options_;
  const int at_once_ = StepsAtOnce(options_.step_bytes);  // steps in a loop's body
  Dim time_ = 0;
};

Value SelectOrZero(Builder& b, Value mask, Value x, Value otherwise) {
  return lrt::Select(b, mask, x, otherwise.ok() ? otherwise : b.Scalar(0, x.dtype()));
}

// [batch, time] → bool [batch, time, 1, …], so that one step's element broadcasts with a state of
// `rank`.
Value ExpandMask(Builder& b, Value mask, int rank) {
  if (mask.dtype() != DType::kBool) {
    mask = lrt::Compare(b, BuiltinOperator::NOT_EQUAL, mask, b.Scalar(0, mask.dtype()));
  }
  if (mask.shape().NumDynamic() <= 1) {
    Shape shape = mask.shape();
    for (int i = 1; i < rank; ++i) shape.Append(1);
    return lrt::Reshape(b, mask, shape);
  }
  for (int i = 1; i < rank; ++i) mask = lrt::ExpandDims(b, mask, mask.rank());
  return mask;
}

Carry Runner::Step(Builder& b, const Elements& elements, const Carry& before) const {
  if (!masked()) {
    Carry after{step_(b, elements, before.states), Value()};
    after.output = after.states[0];
    return after;
  }
  Elements x = elements;
  const Value mask = x.back();
  x.pop_back();
  Carry after{step_(b, x, before.states), Value()};
  const Value output = after.states[0];
  for (size_t i = 0; i < after.states.size(); ++i) {
    if (after.states[i].ok()) {
      after.states[i] = SelectOrZero(b, mask, after.states[i], before.states[i]);
    }
  }
  if (!separate_output()) {
    after.output = after.states[0];
  } else if (output.ok()) {
    after.output = SelectOrZero(b, mask, output, options_.unroll ? before.output : Value());
  }
  return after;
}

Recurrence Runner::Run() {
  time_ = sequences_[0].dim(1);
  if (masked()) {
    if (options_.mask.rank() != 2) {
      b_.Fail("rnn-1", fmt::format("the mask must be [batch, time], got {}",
                                   options_.mask.shape().ToString()));
      return {};
    }
    sequences_.push_back(ExpandMask(b_, options_.mask, options_.state_rank));
  }
  if (time_.is_static() && time_.value() < 1) {
    b_.Fail("rnn-2", "the input has no time steps");
    return {};
  }
  if (options_.unroll && !time_.is_static()) {
    b_.Fail("rnn-3", "unroll=True needs a fixed number of time steps",
            "Give the model's Input a fixed size on the time axis, or set unroll=False.");
    return {};
  }
  if (options_.unroll && time_.value() > kMaxAskedUnrolled) {
    b_.Fail("rnn-15", fmt::format("unroll=True would copy the step {} times", time_.value()),
            "Set unroll=False: the layer computes the same.");
    return {};
  }
  const auto fits = [&](int64_t steps) {
    return steps <= kMaxUnrolled &&
           options_.step_bytes <= kMaxCopiedBytes / static_cast<size_t>(steps);
  };
  const bool unroll = options_.unroll || (time_.is_static() && fits(time_.value()));
  return unroll ? Unrolled() : Looped();
}

Recurrence Runner::Unrolled() {
  const auto steps = static_cast<size_t>(time_.value());
  std::vector<Elements> elements(steps);
  for (size_t s = 0; s < sequences_.size(); ++s) {
    std::vector<Value> parts;
    if (steps == 1) {
      Shape shape = sequences_[s].shape();
      shape.Erase(1);
      parts = {lrt::Reshape(b_, sequences_[s], shape)};
    } else {
      parts = lrt::Unpack(b_, sequences_[s], 1);
    }
    for (size_t t = 0; t < steps && t < parts.size(); ++t) elements[t].push_back(parts[t]);
  }
  Carry carry{initial_, Value()};
  std::vector<Value> outputs(steps);
  for (size_t i = 0; i < steps; ++i) {
    const size_t t = options_.go_backwards ? steps - 1 - i : i;
    carry = Step(b_, elements[t], carry);
    outputs[options_.keep_positions ? t : i] = carry.output;
  }
  Recurrence result{carry.output, Value(), carry.states};
  if (options_.return_sequences) result.outputs = lrt::Pack(b_, outputs, 1);
  return result;
}

Carry Runner::Steps(Builder& b, const std::vector<Value>& inputs, Value index, int count,
                    Carry carry, Value* buffer) const {
  std::vector<Elements> elements(static_cast<size_t>(count));
  Value first = index;  // the lowest position of the steps
  if (count == 1) {
    for (Value input : inputs) elements[0].push_back(lrt::Gather(b, input, index, 1));
  } else {
    std::vector<int32_t> offsets;
    for (int i = 0; i < count; ++i) offsets.push_back(options_.go_backwards ? -i : i);
    const Value indices = lrt::Add(b, index, b.Vector(offsets));
    for (Value input : inputs) {
      const std::vector<Value> parts = lrt::Unpack(b, lrt::Gather(b, input, indices, 1), 1);
      for (size_t i = 0; i < parts.size(); ++i) elements[i].push_back(parts[i]);
    }
    if (options_.go_backwards && buffer != nullptr) {
      first = lrt::Sub(b, index, b.Scalar(count - 1, DType::kInt32));
    }
  }
  std::vector<Value> outputs;
  for (const Elements& element : elements) {
    carry = Step(b, element, carry);
    outputs.push_back(carry.output);
  }
  if (buffer != nullptr && carry.output.ok()) {
    if (options_.go_backwards) std::reverse(outputs.begin(), outputs.end());
    const Value chunk = count == 1 ? lrt::ExpandDims(b, outputs[0], 1) : lrt::Pack(b, outputs, 1);
    if (!buffer->ok()) *buffer = OutputBuffer(carry);
    std::vector<Value> start(static_cast<size_t>(chunk.rank()), b.Scalar(0, DType::kInt32));
    start[1] = first;
    *buffer = lrt::DynamicUpdateSlice(b, *buffer, chunk, lrt::Pack(b, start, 0));
  }
  return carry;
}

// A tensor for the outputs of all steps, whose elements do not matter: each is overwritten. Dynamic
// times get at_once_ - 1 more steps: a runtime checks a loop's shapes even if it never runs it.
Value Runner::OutputBuffer(const Carry& carry) const {
  Shape shape = carry.output.shape();
  shape.Insert(1, time_);
  const Value x = sequences_[0];
  bool fits = x.rank() == shape.rank() && x.rank() <= 5 && x.dtype() == carry.output.dtype();
  for (int i = 2; fits && i < shape.rank(); ++i) {
    fits = x.dim(i).is_static() && shape[i].is_static() && x.dim(i).value() >= shape[i].value();
  }
  std::vector<int32_t> sizes{-1, -1};
  for (int i = 2; i < shape.rank(); ++i) {
    sizes.push_back(static_cast<int32_t>(shape[i].value_or_minus_one()));
  }
  const int64_t more = time_.is_static() ? 0 : at_once_ - 1;
  if (!fits) {
    shape.Set(1, b_.symbols().Sum(time_, more));
    return lrt::Fill(b_, shape, b_.Scalar(0, carry.output.dtype()));
  }
  // Cut from the sequence, so that no sizes have to be computed at run time.
  const Value buffer = lrt::Slice(b_, x, std::vector<int32_t>(sizes.size(), 0), sizes, shape);
  if (more == 0) return buffer;
  std::vector<lrt::AxisPadding> padding(sizes.size());
  padding[1].after = more;
  return lrt::Pad(b_, buffer, padding);
}

// x[:, : 1 - at_once_]
Value Runner::CutPadding(Value x) const {
  const auto rank = static_cast<size_t>(x.rank());
  std::vector<int32_t> end(rank, 0);
  end[1] = 1 - at_once_;
  const auto all_but_time = static_cast<int32_t>((1U << rank) - 1 - 2);
  Shape shape = x.shape();
  shape.Set(1, time_);
  if (rank > 5) {  // STRIDED_SLICE ends there
    return lrt::Slice(b_, x, b_.Vector(std::vector<int32_t>(rank, 0)), b_.ShapeVector(shape),
                      shape);
  }
  return lrt::StridedSlice(b_, x, b_.Vector(std::vector<int32_t>(rank, 0)), b_.Vector(end),
                           b_.Vector(std::vector<int32_t>(rank, 1)), {.end_mask = all_but_time},
                           {x.dtype(), shape});
}

//   index, bound, states…, outputs, sequences…
//   while index <= bound:          (going backwards: while index >= count - 1)
//     states, outputs[index : index + count] = steps(sequences[index : index + count], states)
//     index += count
void Runner::Loop(int count, Value* index, Carry* carry, Value* buffer) {
  const bool write = options_.return_sequences;
  const bool carry_output = separate_output() && !write;
  const bool backwards = options_.go_backwards;
  std::vector<Value> variables{*index};
  Value bound;  // the last index at which `count` steps are left
  if (backwards) {
    bound = b_.Scalar(count - 1, DType::kInt32);
  } else if (time_.is_static()) {
    bound = b_.Scalar(static_cast<double>(time_.value() - count), DType::kInt32);
  } else {
    bound = lrt::Sub(b_, b_.SizeOf(time_), b_.Scalar(count, DType::kInt32));
    variables.push_back(bound);
  }
  const bool carry_bound = variables.size() == 2;
  const size_t states = variables.size();
  variables.insert(variables.end(), carry->states.begin(), carry->states.end());
  if (carry_output) variables.push_back(carry->output);
  if (write) variables.push_back(*buffer);
  const size_t inputs = variables.size();
  variables.insert(variables.end(), sequences_.begin(), sequences_.end());
  for (Value v : variables) {
    if (!v.ok()) return;
  }

  const std::string name = fmt::format("{}_{}", b_.PathString(), b_.module().graphs.size());
  Graph& condition = b_.module().AddGraph(name + "_condition");
  Graph& body = b_.module().AddGraph(name + "_body");
  Builder in_condition = b_.In(condition);
  Builder in_body = b_.In(body);
  std::vector<Value> c;
  std::vector<Value> v;
  for (Value variable : variables) {
    c.emplace_back(condition.AddInput(variable.type(), ""));
    v.emplace_back(body.AddInput(variable.type(), ""));
  }
  condition.outputs() = {
      lrt::Compare(in_condition,
                   backwards ? BuiltinOperator::GREATER_EQUAL : BuiltinOperator::LESS_EQUAL, c[0],
                   carry_bound ? c[1] : bound)
          .tensor()};

  const size_t state_count = carry->states.size();
  Carry inner;
  inner.states.assign(v.begin() + static_cast<std::ptrdiff_t>(states),
                      v.begin() + static_cast<std::ptrdiff_t>(states + state_count));
  size_t next = states + state_count;
  if (carry_output) inner.output = v[next++];
  Value inner_buffer = write ? v[next++] : Value();
  inner = Steps(in_body, {v.begin() + static_cast<std::ptrdiff_t>(inputs), v.end()}, v[0], count,
                inner, write ? &inner_buffer : nullptr);
  std::vector<Value> results{
      lrt::Add(in_body, v[0], in_body.Scalar(backwards ? -count : count, DType::kInt32))};
  if (carry_bound) results.push_back(v[1]);
  results.insert(results.end(), inner.states.begin(), inner.states.end());
  if (carry_output) results.push_back(inner.output);
  if (write) results.push_back(inner_buffer);
  results.insert(results.end(), v.begin() + static_cast<std::ptrdiff_t>(inputs), v.end());
  for (Value result : results) {
    if (!result.ok()) return;
    body.outputs().push_back(result.tensor());
  }

  const std::vector<Value> after = lrt::While(b_, condition, body, variables);
  *index = after[0];
  for (size_t i = 0; i < state_count; ++i) carry->states[i] = after[states + i];
  next = states + state_count;
  carry->output = carry_output ? after[next++] : carry->states[0];
  if (write) *buffer = after[next];
}

Recurrence Runner::Looped() {
  const bool backwards = options_.go_backwards;
  // The first steps stand before the loop: from them on all states exist, with their shapes. Static
  // times leave a multiple of at_once_ to the loop.
  const int head = time_.is_static() ? static_cast<int>((time_.value() - 1) % at_once_) + 1 : 1;
  Value index = b_.Scalar(0, DType::kInt32);
  if (backwards) {
    index = time_.is_static() ? b_.Scalar(static_cast<double>(time_.value() - 1), DType::kInt32)
                              : lrt::Sub(b_, b_.SizeOf(time_), b_.Scalar(1, DType::kInt32));
  }
  Value buffer;
  Carry carry = Steps(b_, sequences_, index, head, {initial_, Value()},
                      options_.return_sequences ? &buffer : nullptr);
  if (!carry.output.ok()) return {};
  if (index.is_constant()) {
    index =
        b_.Scalar(backwards ? static_cast<double>(time_.value() - 1 - head) : head, DType::kInt32);
  } else {
    index = lrt::Sub(b_, index, b_.Scalar(head, DType::kInt32));
  }
  if (at_once_ > 1) Loop(at_once_, &index, &carry, &buffer);
  if (!time_.is_static() || at_once_ == 1) Loop(1, &index, &carry, &buffer);
  Recurrence result{carry.output, Value(), carry.states};
  if (options_.return_sequences) {
    if (!time_.is_static() && at_once_ > 1) buffer = CutPadding(buffer);
    result.outputs =
        backwards && !options_.keep_positions ? lrt::ReverseV2(b_, buffer, {1}) : buffer;
    if (separate_output()) {
      const Value last = backwards ? b_.Scalar(0, DType::kInt32)
                                   : lrt::Sub(b_, index, b_.Scalar(1, DType::kInt32));
      result.last_output = lrt::Gather(b_, buffer, last, 1);
    }
  }
  return result;
}

}  // namespace

Recurrence Recur(Builder& b, const std::vector<Value>& sequences, const std::vector<Value>& initial,
                 const StepFunction& step, const RecurrenceOptions& options) {
  if (sequences.empty() || initial.empty()) return {};
  for (Value sequence : sequences) {
    if (!sequence.ok()) return {};
    if (sequence.rank() < 2) {
      b.Fail("rnn-4", fmt::format("a sequence must be [batch, time, …], got {}",
                                  sequence.shape().ToString()));
      return {};
    }
  }
  return Runner(b, sequences, initial, step, options).Run();
}

Value ReverseTime(Builder& b, Value x) {
  if (!x.ok()) return x;
  const ir::Operator* producer = x.tensor()->producer;
  if (producer != nullptr && producer->code == BuiltinOperator::REVERSE_V2 &&
      producer->inputs.size() == 2 && producer->inputs[1]->is_constant()) {
    const auto axes = ir::EvaluateAs<int32_t>(producer->inputs[1]->constant);
    if (axes.has_value() && *axes == std::vector<int32_t>{1}) return Value(producer->inputs[0]);
  }
  if (producer != nullptr && producer->code == BuiltinOperator::PACK &&
      producer->options.AsPackOptions() != nullptr &&
      producer->options.AsPackOptions()->axis == 1) {
    std::vector<Value> parts;
    for (ir::Tensor* part : producer->inputs) parts.emplace_back(part);
    std::reverse(parts.begin(), parts.end());
    return lrt::Pack(b, parts, 1);
  }
  return lrt::ReverseV2(b, x, {1});
}

Value ConstantRows(Builder& b, Value constant, int64_t begin, int64_t end) {
  if (!constant.is_constant()) return Value();
  ir::TensorType type = constant.type();
  const int64_t rows = type.shape.dim(0).value();
  const size_t row_bytes =
      rows == 0 ? 0 : constant.constant()->byte_size() / static_cast<size_t>(rows);
  type.shape.Set(0, end - begin);
  return b.Constant(ir::ComputedConstant(
      "rows", type, {constant.constant()},
      [offset = row_bytes * static_cast<size_t>(begin)](
          std::span<const std::span<const std::byte>> in, std::span<std::byte> out) -> Status {
        const std::span<const std::byte> source = in[0].subspan(offset, out.size());
        std::copy(source.begin(), source.end(), out.begin());
        return {};
      }));
}

}  // namespace keras_litert::ops
