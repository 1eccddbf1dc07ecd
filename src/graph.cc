// Graphs built by the names of Keras operations.
#include "keras_litert/graph.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "archive/json.h"
#include "archive/memory_archive.h"
#include "compile.h"
#include "ir/builder.h"
#include "ir/from_array.h"
#include "ir/operators.h"
#include "layers/layer.h"
#include "layers/table.h"
#include "ops/table.h"
#include "ops/variable.h"
#include "util/near_match.h"

namespace keras_litert {

using ir::Value;

struct Graph::State {
  // A graph under construction: the main one, or the body of control flow.
  struct Frame {
    explicit Frame(ir::Graph* g) : graph(g) {}

    ir::Graph* graph;
    // What tensors of the graphs around are called in here: captures and copies of constants.
    std::map<ir::Tensor*, Value> local = {};
    std::vector<ir::Tensor*> captures = {};  // tensors of the graph around, in order
  };
  // A finished body.
  struct Body {
    ir::Graph* graph;
    size_t num_inputs;                  // without the captures
    std::vector<ir::Tensor*> captures;  // tensors of the graph around
  };

  struct LibraryLayer {
    LibraryLayer(nlohmann::json c, std::shared_ptr<const archive::Archive> source,
                 ir::Builder builder)
        : config(std::move(c)), archive(std::move(source)), context(builder, *archive) {}

    nlohmann::json config;
    std::shared_ptr<const archive::Archive> archive;
    layers::LoweringContext context;
  };

  // A variable that lives between invocations.
  struct Variable {
    std::string name;
    ir::ConstantPtr initial;
    Value handle;
    Value before;      // what it is at the beginning of an invocation
    Value after = {};  // and at its end
  };

  // The variables on which an output depends, directly or in the next invocation.
  std::vector<const Variable*> LiveVariables() const;

  explicit State(const ConvertOptions& given)
      : options(given), build{module, {}, {}, 0}, frames{Frame(&module.main())} {}

  ir::Builder Top() { return ir::Builder(build, *frames.back().graph); }

  Tensor Add(Value value) {
    if (!value.ok()) return kNoTensor;
    const auto [entry, added] =
        ids.try_emplace(value.tensor(), static_cast<Tensor>(tensors.size()));
    if (added) tensors.push_back(value);
    return entry->second;
  }
  Value At(Tensor id) const {
    return id >= 0 && static_cast<size_t>(id) < tensors.size() ? tensors[static_cast<size_t>(id)]
                                                               : Value();
  }
  // The tensor as the graph of frame `depth` knows it: itself, a copied constant or a capture.
  Value In(size_t depth, Value value) {
    if (!value.ok() || value.tensor()->graph == frames[depth].graph) return value;
    const auto known = frames[depth].local.find(value.tensor());
    if (known != frames[depth].local.end()) return known->second;
    Value local;
    if (value.is_constant()) {
      local = ir::Builder(build, *frames[depth].graph).Constant(value.constant());
    } else if (depth == 0) {
      return build_error("graph-1", "a tensor of a body is used outside of it");
    } else {
      const Value outer = In(depth - 1, value);
      if (!outer.ok()) return outer;
      local = Value(frames[depth].graph->AddInput(outer.type(), ""));
      frames[depth].captures.push_back(outer.tensor());
    }
    frames[depth].local.emplace(value.tensor(), local);
    return local;
  }
  Value build_error(const char* code, std::string message, std::string hint = "") {
    return Top().Fail(code, std::move(message), std::move(hint));
  }
  // The errors since the last call of this function.
  std::optional<Error> TakeErrors() {
    if (build.errors.empty()) return std::nullopt;
    return Error(std::exchange(build.errors, {}));
  }

  static ir::Dim Internal(Dim dim) {
    return dim.symbol == 0 ? ir::Dim(dim.coefficient)
                           : ir::Dim::Symbolic(dim.symbol, dim.coefficient);
  }
  static Dim Public(ir::Dim dim) { return {dim.coefficient(), dim.symbol()}; }

  ops::Argument Internal(const Argument& argument);
  Argument Public(const ops::Argument& argument);

  ConvertOptions options;
  ir::Module module;
  ir::BuildContext build;
  std::map<int, ir::Dim> symbols;
  std::vector<Frame> frames;
  std::vector<Body> bodies;
  std::vector<std::unique_ptr<LibraryLayer>> library;
  std::vector<Variable> variables;
  std::vector<Value> tensors;
  std::map<ir::Tensor*, Tensor> ids;
  std::deque<ir::Builder::Scope> layers;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

ops::Argument Graph::State::Internal(const Argument& a) {
  auto items = [&] {
    std::vector<ops::Argument> converted;
    for (const Argument& item : a.items) converted.push_back(Internal(item));
    return converted;
  };
  switch (a.kind) {
    case Argument::Kind::kNone:
      return {};
    case Argument::Kind::kBool:
      return ops::Argument::Bool(a.boolean);
    case Argument::Kind::kInt:
      return ops::Argument::Int(Internal(a.integer));
    case Argument::Kind::kFloat:
      return ops::Argument::Float(a.number);
    case Argument::Kind::kString:
      return ops::Argument::String(a.text);
    case Argument::Kind::kTensor: {
      const Value value = At(a.tensor);
      if (!value.ok()) return build_error("graph-2", "an argument is a tensor of another graph");
      return In(frames.size() - 1, value);
    }
    case Argument::Kind::kList:
      return ops::Argument::List(items());
    case Argument::Kind::kDict: {
      std::vector<std::pair<std::string, ops::Argument>> entries;
      for (size_t i = 0; i < std::min(a.items.size(), a.keys.size()); ++i) {
        entries.emplace_back(a.keys[i], Internal(a.items[i]));
      }
      return ops::Argument::Dict(std::move(entries));
    }
    case Argument::Kind::kSlice: {
      std::vector<ops::Argument> parts = items();
      parts.resize(3);
      return ops::Argument::Slice(parts[0], parts[1], parts[2]);
    }
    case Argument::Kind::kEllipsis:
      return ops::Argument::Ellipsis();
  }
  return {};
}

Graph::Argument Graph::State::Public(const ops::Argument& a) {
  using Kind = ops::Argument::Kind;
  Argument result;
  switch (a.kind()) {
    case Kind::kNone:
      break;
    case Kind::kBool:
      result.kind = Argument::Kind::kBool;
      result.boolean = a.boolean();
      break;
    case Kind::kInt:
      result.kind = Argument::Kind::kInt;
      result.integer = Public(a.integer());
      break;
    case Kind::kFloat:
      result.kind = Argument::Kind::kFloat;
      result.number = a.number();
      break;
    case Kind::kString:
      result.kind = Argument::Kind::kString;
      result.text = a.string();
      break;
    case Kind::kTensor:
      result = Argument::Of(Add(a.tensor()));
      break;
    case Kind::kDict:
      result.kind = Argument::Kind::kDict;
      result.keys = a.keys();
      break;
    case Kind::kList:
      result.kind = Argument::Kind::kList;
      break;
    case Kind::kSlice:
      result.kind = Argument::Kind::kSlice;
      break;
    case Kind::kEllipsis:
      result.kind = Argument::Kind::kEllipsis;
      break;
  }
  for (const ops::Argument& item : a.items()) result.items.push_back(Public(item));
  return result;
}

std::vector<const Graph::State::Variable*> Graph::State::LiveVariables() const {
  std::unordered_set<const ir::Tensor*> reached;
  std::vector<const ir::Tensor*> open;
  const ir::Graph& main = *module.graphs.front();
  open.insert(open.end(), main.outputs().begin(), main.outputs().end());
  for (const ir::Operator* op = main.first(); op != nullptr; op = op->next) {
    // Layers with state of their own read what they assign.
    if (op->code == ir::BuiltinOperator::ASSIGN_VARIABLE) {
      open.insert(open.end(), op->inputs.begin(), op->inputs.end());
    }
  }
  std::vector<const Variable*> live;
  std::vector<bool> is_live(variables.size(), false);
  while (!open.empty()) {
    while (!open.empty()) {
      const ir::Tensor* tensor = open.back();
      open.pop_back();
      if (tensor == nullptr || !reached.insert(tensor).second) continue;
      if (tensor->producer == nullptr) continue;
      const auto& inputs = tensor->producer->inputs;
      open.insert(open.end(), inputs.begin(), inputs.end());
    }
    for (size_t i = 0; i < variables.size(); ++i) {
      if (is_live[i] || !reached.contains(variables[i].before.tensor())) continue;
      is_live[i] = true;
      if (variables[i].after.ok()) open.push_back(variables[i].after.tensor());
    }
  }
  for (size_t i = 0; i < variables.size(); ++i) {
    if (is_live[i]) live.push_back(&variables[i]);
  }
  return live;
}

Graph::Graph(const ConvertOptions& options) : state_(std::make_unique<State>(options)) {}
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;
Graph::~Graph() = default;

Result<Graph::Tensor> Graph::Input(const std::string& name, const std::string& dtype,
                                   const std::vector<int64_t>& shape) {
  const std::optional<ir::DType> known = ir::DTypeFromName(dtype);
  if (!known) {
    return Fail("", "input-1", fmt::format("input '{}' has the unknown dtype '{}'", name, dtype));
  }
  ir::Builder b(state_->build, state_->module.main());
  const Value value = MakeInput(b, {name, *known, shape}, state_->options, state_->symbols);
  if (std::optional<Error> error = state_->TakeErrors()) return std::unexpected(std::move(*error));
  return state_->Add(value);
}

Result<Graph::Tensor> Graph::Constant(const Array& array) {
  KL_ASSIGN_OR_RETURN(ir::ConstantPtr constant, ir::FromArray(array, LayerPath()));
  return state_->Add(state_->Top().Constant(std::move(constant)));
}

Result<Graph::Tensor> Graph::Variable(const std::string& name, const Array& initial) {
  KL_ASSIGN_OR_RETURN(ir::ConstantPtr constant, ir::FromArray(initial, name));
  ir::Builder b(state_->build, state_->module.main());
  std::string unique = name;
  for (int i = 1; ops::HasVariable(b, unique); ++i) unique = fmt::format("{}_{}", name, i);
  const ir::TensorType type = constant->type();
  const Value handle = ops::VariableHandle(b, unique);
  const Value before = ops::ReadVariable(b, handle, type);
  state_->variables.push_back({std::move(unique), std::move(constant), handle, before});
  return state_->Add(before);
}

Status Graph::Assign(Tensor variable, Tensor value) {
  const Value before = state_->At(variable);
  const Value after = state_->In(0, state_->At(value));
  if (std::optional<Error> error = state_->TakeErrors()) return std::unexpected(std::move(*error));
  for (State::Variable& known : state_->variables) {
    if (!before.ok() || known.before != before) continue;
    if (!after.ok() || after.type() != before.type()) {
      return Fail(
          "", "state-2",
          fmt::format("the variable '{}' is {} and is assigned {}", known.name,
                      before.type().ToString(), after.ok() ? after.type().ToString() : "nothing"),
          "Assign a tensor of the variable's shape.");
    }
    known.after = after;
    return {};
  }
  return Fail("", "graph-4", "the tensor is no variable of the graph");
}

Status Graph::Output(const std::string& name, Tensor tensor) {
  const Value value = state_->In(0, state_->At(tensor));
  if (std::optional<Error> error = state_->TakeErrors()) return std::unexpected(std::move(*error));
  if (!value.ok()) return Fail("", "graph-2", "output '" + name + "' is no tensor of the graph");
  state_->module.main().outputs().push_back(value.tensor());
  state_->module.output_names.push_back(name);
  return {};
}

Result<Graph::Argument> Graph::Call(std::string_view operation, const Arguments& arguments) {
  const ops::OpFunction function = ops::FindOp(operation);
  ir::Builder b = state_->Top();
  if (function == nullptr) {
    const std::optional<std::string> near = NearMatch(operation, ops::OpNames());
    return Fail(LayerPath(), "operation-1",
                fmt::format("the operation '{}' is not supported{}", operation,
                            near ? fmt::format("; did you mean '{}'?", *near) : ""),
                "Express it by other functions of keras.ops.");
  }
  ops::Arguments call(b, std::string(operation));
  for (const Argument& argument : arguments.positional) {
    call.AddPositional(state_->Internal(argument));
  }
  for (const auto& [key, argument] : arguments.keyword) {
    call.AddKeyword(key, state_->Internal(argument));
  }
  ops::Argument result;
  if (b.errors().empty()) {
    result = function(b, call);
    if (b.errors().empty()) call.Finish();
  }
  if (std::optional<Error> error = state_->TakeErrors()) return std::unexpected(std::move(*error));
  for (Value value : result.Flatten()) {
    if (!value.ok()) {
      return Fail(LayerPath(), "internal-operation",
                  fmt::format("'{}' gave no result and no reason", operation));
    }
  }
  return state_->Public(result);
}

Result<int> Graph::AddLayer(const std::string& config, const std::map<std::string, Tensor>& weights,
                            std::map<std::string, std::string, std::less<>> assets) {
  KL_ASSIGN_OR_RETURN(nlohmann::json parsed, archive::ParseJson(config, "the layer's config"));
  archive::MemoryContent content{config, "", {}, std::move(assets)};
  for (const auto& [path, tensor] : weights) {
    const Value value = state_->At(tensor);
    if (!value.is_constant()) {
      return Fail(LayerPath(), "graph-3", "the weight '" + path + "' is no constant");
    }
    content.weights.emplace(path, value.constant());
  }
  state_->library.push_back(std::make_unique<State::LibraryLayer>(
      std::move(parsed), archive::OpenMemory(std::move(content)), state_->Top()));
  return static_cast<int>(state_->library.size()) - 1;
}

Result<Graph::LayerResult> Graph::CallLayer(int layer, const Arguments& arguments,
                                            const std::vector<Mask>& masks) {
  State::LibraryLayer& known = *state_->library.at(static_cast<size_t>(layer));
  layers::LoweringContext& context = known.context;
  context.b = state_->Top();
  context.masks.clear();
  const size_t here = state_->frames.size() - 1;
  for (const auto& [tensor, mask] : masks) {
    const Value value = state_->In(here, state_->At(tensor));
    const Value its_mask = state_->In(here, state_->At(mask));
    if (value.ok() && its_mask.ok()) context.masks[value.tensor()] = its_mask;
  }
  ops::Arguments call(context.b, "call");
  for (const Argument& argument : arguments.positional) {
    call.AddPositional(state_->Internal(argument));
  }
  for (const auto& [key, argument] : arguments.keyword) {
    call.AddKeyword(key, state_->Internal(argument));
  }
  ir::Graph& graph = *state_->frames.back().graph;
  const ir::Operator* before = graph.last();
  ops::Argument result;
  if (state_->build.errors.empty()) {
    result = layers::CallLayer(context, known.config, {"layer", "", {}, true}, call);
  }
  if (std::optional<Error> error = state_->TakeErrors()) {
    // What was lowered of the layer before it failed goes; the caller may trace it instead.
    while (graph.last() != before) graph.Erase(graph.last());
    return std::unexpected(std::move(*error));
  }
  LayerResult public_result;
  for (Value value : result.Flatten()) {
    if (!value.ok()) return Fail(LayerPath(), "internal-layer", "a layer gave no result");
    const auto mask = context.masks.find(value.tensor());
    if (mask != context.masks.end() && mask->second.ok()) {
      public_result.masks.emplace_back(state_->Add(value), state_->Add(mask->second));
    }
  }
  public_result.value = state_->Public(result);
  return public_result;
}

bool Graph::KnowsLayer(std::string_view class_name) {
  return layers::FindLayer(class_name) != nullptr;
}

bool Graph::Knows(std::string_view operation) {
  return ops::FindOp(operation) != nullptr;
}

std::vector<std::string> Graph::Names() {
  const std::vector<std::string_view> names = ops::OpNames();
  return {names.begin(), names.end()};
}

Graph::Type Graph::TypeOf(Tensor tensor) const {
  const Value value = state_->At(tensor);
  Type type{std::string(ir::Name(value.dtype())), {}};
  for (ir::Dim dim : value.shape()) type.shape.push_back(State::Public(dim));
  return type;
}

void Graph::EnterLayer(const std::string& name) {
  const ir::Builder b = state_->Top();
  state_->layers.emplace_back(b, name);
}

void Graph::LeaveLayer() {
  if (!state_->layers.empty()) state_->layers.pop_back();
}

std::string Graph::LayerPath() const {
  return state_->Top().PathString();
}

Graph::Dim Graph::Sum(Dim a, Dim b) {
  return State::Public(state_->module.symbols.Sum(State::Internal(a), State::Internal(b)));
}

Graph::Dim Graph::Product(Dim a, Dim b) {
  return State::Public(state_->module.symbols.Product(State::Internal(a), State::Internal(b)));
}

Graph::Dim Graph::FloorDiv(Dim a, int64_t b) {
  return State::Public(state_->module.symbols.FloorDiv(State::Internal(a), b));
}

std::string Graph::Print(Dim dim) const {
  return state_->module.symbols.Print(State::Internal(dim));
}

std::vector<Graph::Tensor> Graph::EnterBody(const std::string& name,
                                            const std::vector<Type>& inputs) {
  ir::Graph& graph = state_->module.AddGraph(name);
  state_->frames.emplace_back(&graph);
  std::vector<Tensor> tensors;
  for (const Type& type : inputs) {
    ir::TensorType internal{ir::DTypeFromName(type.dtype).value_or(ir::DType::kFloat32), {}};
    for (Dim dim : type.shape) internal.shape.Append(State::Internal(dim));
    tensors.push_back(state_->Add(Value(graph.AddInput(std::move(internal), ""))));
  }
  return tensors;
}

Result<int> Graph::LeaveBody(const std::vector<Tensor>& outputs) {
  State::Frame& frame = state_->frames.back();
  for (Tensor output : outputs) {
    Value value = state_->In(state_->frames.size() - 1, state_->At(output));
    if (!value.ok()) break;
    // The runtime wants every output of a body to be computed there.
    frame.graph->outputs().push_back(value.tensor());
  }
  const size_t captured = frame.captures.size();
  const size_t num_inputs = frame.graph->inputs().size() - captured;
  state_->bodies.push_back({frame.graph, num_inputs, frame.captures});
  state_->frames.pop_back();
  if (std::optional<Error> error = state_->TakeErrors()) return std::unexpected(std::move(*error));
  return static_cast<int>(state_->bodies.size()) - 1;
}

void Graph::AbandonBody() {
  if (state_->frames.size() > 1) state_->frames.pop_back();
}

namespace {

// Gives both bodies the captures of both, in one order. Gives the captured tensors.
template <typename Body>
std::vector<ir::Tensor*> ShareCaptures(Body& x, Body& y) {
  std::vector<ir::Tensor*> all = x.captures;
  for (ir::Tensor* tensor : y.captures) {
    if (std::find(all.begin(), all.end(), tensor) == all.end()) all.push_back(tensor);
  }
  for (Body* body : {&x, &y}) {
    std::vector<ir::Tensor*>& inputs = body->graph->inputs();
    const std::vector<ir::Tensor*> captured(
        inputs.begin() + static_cast<std::ptrdiff_t>(body->num_inputs), inputs.end());
    inputs.resize(body->num_inputs);
    for (ir::Tensor* tensor : all) {
      const auto at = std::find(body->captures.begin(), body->captures.end(), tensor);
      if (at == body->captures.end()) {
        body->graph->AddInput(tensor->type, "");
      } else {
        inputs.push_back(captured[static_cast<size_t>(at - body->captures.begin())]);
      }
    }
    body->captures = all;
  }
  return all;
}

}  // namespace

Result<std::vector<Graph::Tensor>> Graph::If(Tensor condition, int then_body, int else_body,
                                             const std::vector<Tensor>& inputs) {
  ir::Builder b = state_->Top();
  State::Body& then_part = state_->bodies.at(static_cast<size_t>(then_body));
  State::Body& else_part = state_->bodies.at(static_cast<size_t>(else_body));
  const std::vector<ir::Tensor*> captures = ShareCaptures(then_part, else_part);
  std::vector<Value> operands;
  const size_t here = state_->frames.size() - 1;
  for (Tensor input : inputs) operands.push_back(state_->In(here, state_->At(input)));
  for (ir::Tensor* tensor : captures) operands.push_back(state_->In(here, Value(tensor)));
  // A size that the branches do not share is open behind them.
  const auto& then_outputs = then_part.graph->outputs();
  const auto& else_outputs = else_part.graph->outputs();
  std::vector<ir::TensorType> types;
  for (size_t i = 0; i < then_outputs.size() && i < else_outputs.size(); ++i) {
    ir::TensorType type = then_outputs[i]->type;
    const ir::TensorType& other = else_outputs[i]->type;
    if (type.dtype != other.dtype || type.shape.rank() != other.shape.rank()) {
      return Fail(LayerPath(), "cond-1",
                  fmt::format("the branches of a condition give {} and {}", type.ToString(),
                              other.ToString()),
                  "Make both branches give tensors of the same dtype and rank.");
    }
    for (int axis = 0; axis < type.shape.rank(); ++axis) {
      if (type.shape[axis] != other.shape[axis]) {
        type.shape.Set(axis, state_->module.symbols.NewOpaque());
      }
    }
    types.push_back(std::move(type));
  }
  if (then_outputs.size() != else_outputs.size()) {
    return Fail(LayerPath(), "cond-2", "the branches of a condition give different structures");
  }
  const std::vector<Value> results = lrt::If(b, state_->In(here, state_->At(condition)),
                                             *then_part.graph, *else_part.graph, operands);
  std::vector<Tensor> ids;
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].ok()) results[i].tensor()->type = types[i];
    ids.push_back(state_->Add(results[i]));
  }
  if (std::optional<Error> error = state_->TakeErrors()) return std::unexpected(std::move(*error));
  return ids;
}

Result<std::vector<Graph::Tensor>> Graph::While(int condition, int body,
                                                const std::vector<Tensor>& variables) {
  ir::Builder b = state_->Top();
  State::Body& test = state_->bodies.at(static_cast<size_t>(condition));
  State::Body& step = state_->bodies.at(static_cast<size_t>(body));
  if (step.graph->outputs().size() != variables.size()) {
    return Fail(LayerPath(), "while-1",
                fmt::format("a loop's body gives {} values for {} variables",
                            step.graph->outputs().size(), variables.size()));
  }
  const std::vector<ir::Tensor*> captures = ShareCaptures(step, test);
  const size_t here = state_->frames.size() - 1;
  std::vector<Value> operands;
  for (size_t i = 0; i < variables.size(); ++i) {
    operands.push_back(state_->In(here, state_->At(variables[i])));
    const ir::TensorType& before = step.graph->inputs()[i]->type;
    const ir::TensorType& after = step.graph->outputs()[i]->type;
    if (before.dtype != after.dtype || before.shape.rank() != after.shape.rank()) {
      return Fail(LayerPath(), "while-2",
                  fmt::format("a loop's variable {} is {} before a step and {} behind it", i,
                              before.ToString(), after.ToString()),
                  "Cast or reshape it in the loop's body.");
    }
  }
  for (ir::Tensor* tensor : captures) operands.push_back(state_->In(here, Value(tensor)));
  // Captures pass through unchanged.
  for (size_t i = variables.size(); i < operands.size(); ++i) {
    step.graph->outputs().push_back(step.graph->inputs()[i]);
  }
  std::vector<Value> results = lrt::While(b, *test.graph, *step.graph, operands);
  results.resize(std::min(results.size(), variables.size()));
  std::vector<Tensor> ids;
  for (Value result : results) ids.push_back(state_->Add(result));
  if (std::optional<Error> error = state_->TakeErrors()) return std::unexpected(std::move(*error));
  return ids;
}

Result<ConvertReport> Graph::Write(const std::filesystem::path& output,
                                   const ConvertOptions& options, const std::string& model_name) {
  ir::Builder b = state_->Top();
  CheckShapeOptions(b, state_->options, state_->module.input_names);
  if (std::optional<Error> error = state_->TakeErrors()) return std::unexpected(std::move(*error));
  std::vector<std::string> notes;
  ir::Operator* first = state_->module.main().first();
  for (const State::Variable* variable : state_->LiveVariables()) {
    if (!variable->after.ok()) continue;
    ops::InitializeVariable(b, variable->name, variable->initial, first);
    ops::AssignVariable(b, variable->handle, variable->after);
    notes.push_back(
        fmt::format("the variable '{}' keeps its value from one run to the next", variable->name));
  }
  for (const auto& layer : state_->library) {
    notes.insert(notes.end(), layer->context.notes.begin(), layer->context.notes.end());
  }
  KL_ASSIGN_OR_RETURN(ConvertReport report,
                      Compile(state_->module, output, options, model_name, std::move(notes)));
  report.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - state_->start).count();
  return report;
}

}  // namespace keras_litert
