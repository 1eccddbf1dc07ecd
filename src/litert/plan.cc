#include "litert/plan.h"

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "litert/equal_constants.h"
#include "litert/op_version.h"

namespace keras_litert::litert {
namespace {

using ir::BuiltinOperator;
using ir::DType;
using ir::Graph;
using ir::Operator;
using ir::Tensor;

// Names that are taken; a second use of a name gets "_1", "_2", …
class NameTable {
 public:
  std::string Unique(const std::string& wanted) {
    std::string base = wanted.empty() ? "tensor" : wanted;
    if (taken_.insert(base).second) return base;
    int& next = next_[base];
    for (;;) {
      std::string name = base + "_" + std::to_string(++next);
      if (taken_.insert(name).second) return name;
    }
  }

 private:
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int> next_;
};

// Operators whose kernels take the absence of a bias by the number of inputs, not by an index of
// -1.
bool DropsAbsentBias(BuiltinOperator code) {
  return code == BuiltinOperator::TRANSPOSE_CONV || code == BuiltinOperator::CONV_3D ||
         code == BuiltinOperator::CONV_3D_TRANSPOSE;
}

// Operators whose kernels read a bias that is not there: CONV_2D refuses to be prepared,
// DEPTHWISE_CONV_2D crashes.
bool NeedsBias(BuiltinOperator code) {
  return code == BuiltinOperator::CONV_2D || code == BuiltinOperator::DEPTHWISE_CONV_2D;
}

class Planner {
 public:
  explicit Planner(const ir::Module& module) : module_(module) { plan_.buffers.emplace_back(); }

  Result<Plan> Run() {
    for (const auto& graph : module_.graphs) KL_RETURN_IF_ERROR(AddGraph(*graph));
    return std::move(plan_);
  }

 private:
  // State of the subgraph being planned.
  struct Scope {
    const Graph& graph;
    PlannedSubgraph subgraph;
    NameTable names;
    std::unordered_map<const Tensor*, int32_t> index;
    std::map<std::string, int32_t> constants;  // everything that tells two constants apart → tensor
  };

  Status AddGraph(const Graph& graph) {
    Scope scope{.graph = graph,
                .subgraph = {.name = graph.name()},
                .names = {},
                .index = {},
                .constants = {}};
    const bool is_main = &graph == &module_.main();
    ReserveNames(scope, is_main);
    for (size_t i = 0; i < graph.inputs().size(); ++i) {
      const Tensor* input = graph.inputs()[i];
      if (scope.index.contains(input)) {
        return Fail("", "write-1",
                    "graph '" + graph.name() + "' has the same tensor as input twice");
      }
      scope.subgraph.inputs.push_back(AddTensor(scope, input, InputName(scope, i, is_main)));
    }
    for (const Operator* op = graph.first(); op != nullptr; op = op->next) {
      KL_RETURN_IF_ERROR(AddOperator(scope, *op));
    }
    KL_RETURN_IF_ERROR(AddOutputs(scope, is_main));
    plan_.subgraphs.push_back(std::move(scope.subgraph));
    return {};
  }

  // The main graph's inputs and outputs have their signature names whatever else wants them.
  void ReserveNames(Scope& scope, bool is_main) {
    if (!is_main) return;
    for (const std::string& name : module_.input_names)
      input_names_.push_back(scope.names.Unique(name));
    for (const std::string& name : module_.output_names)
      output_names_.push_back(scope.names.Unique(name));
  }
  std::string InputName(Scope& scope, size_t i, bool is_main) {
    if (is_main && i < input_names_.size()) return input_names_[i];
    return scope.names.Unique(scope.graph.inputs()[i]->name);
  }

  int32_t AddTensor(Scope& scope, const Tensor* tensor, std::string name) {
    const auto index = static_cast<int32_t>(scope.subgraph.tensors.size());
    scope.index.emplace(tensor, index);
    scope.subgraph.tensors.push_back({tensor->type, std::move(name), 0, tensor->quantization});
    return index;
  }

  // "encoder/dense_3/FULLY_CONNECTED"
  std::string OperatorName(const Operator& op) const {
    const std::string code = tflite::EnumNameBuiltinOperator(op.code);
    const std::string& origin =
        op.origin < module_.origins.size() ? module_.origins[op.origin] : module_.origins[0];
    return origin.empty() ? code : origin + "/" + code;
  }

  Result<uint32_t> BufferOf(const ir::ConstantPtr& given) {
    auto known = buffer_of_.find(given.get());
    if (known != buffer_of_.end()) return known->second;
    const ir::ConstantPtr constant =
        given->type().dtype == DType::kInt4 ? ir::PackedInt4(given) : given;
    const auto next = static_cast<uint32_t>(plan_.buffers.size());
    uint32_t buffer = next;
    if (constant->byte_size() > kSmallConstant) {
      buffer = equal_.NumberOf(constant, next);
      if (buffer == next) plan_.buffers.push_back({{}, constant});
    } else {
      KL_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, ir::EvaluateBytes(*constant));
      std::string key(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      buffer = small_.emplace(std::move(key), next).first->second;
      if (buffer == next) plan_.buffers.push_back({std::move(bytes), nullptr});
    }
    buffer_of_.emplace(given.get(), buffer);
    return buffer;
  }

  // A constant's tensor; constants that the file could not tell apart are one tensor.
  Result<int32_t> ConstantIndex(Scope& scope, const Tensor* tensor, const std::string& name) {
    if (tensor->type.dtype == DType::kString || tensor->type.dtype == DType::kResource) {
      return Fail("", "write-2",
                  "a constant of dtype " + std::string(ir::Name(tensor->type.dtype)) +
                      " cannot be written");
    }
    KL_ASSIGN_OR_RETURN(const uint32_t buffer, BufferOf(tensor->constant));
    std::string key = std::to_string(buffer) + tensor->type.ToString() + "|" + tensor->name + "|" +
                      std::to_string(reinterpret_cast<uintptr_t>(tensor->quantization.get()));
    auto known = scope.constants.find(key);
    if (known != scope.constants.end()) {
      scope.index.emplace(tensor, known->second);
      return known->second;
    }
    const int32_t index =
        AddTensor(scope, tensor, scope.names.Unique(tensor->name.empty() ? name : tensor->name));
    scope.subgraph.tensors.back().buffer = buffer;
    scope.constants.emplace(std::move(key), index);
    if (tensor->block_scales != nullptr) KL_RETURN_IF_ERROR(AddBlockScales(scope, *tensor, index));
    return index;
  }

  // Blocks of weights: their scales are a tensor that no operator reads.
  Status AddBlockScales(Scope& scope, const Tensor& weights, int32_t index) {
    const auto place = static_cast<size_t>(index);
    KL_ASSIGN_OR_RETURN(
        const int32_t scales,
        ConstantIndex(scope, weights.block_scales, scope.subgraph.tensors[place].name + "/scales"));
    auto quantization = std::make_shared<tflite::QuantizationParametersT>(*weights.quantization);
    quantization->details.AsBlockwiseQuantization()->scales = scales;
    scope.subgraph.tensors[place].quantization = std::move(quantization);
    return {};
  }

  Result<int32_t> OperandIndex(Scope& scope, const Tensor* tensor, const Operator& op) {
    auto known = scope.index.find(tensor);
    if (known != scope.index.end()) return known->second;
    if (!tensor->is_constant()) {
      return Fail("", "write-3",
                  OperatorName(op) + " reads a tensor that nothing before it computes");
    }
    return ConstantIndex(scope, tensor, OperatorName(op) + "/const");
  }

  uint32_t CodeIndex(BuiltinOperator code, int version) {
    const PlannedCode wanted{code, version};
    auto found = std::find(plan_.codes.begin(), plan_.codes.end(), wanted);
    if (found == plan_.codes.end()) found = plan_.codes.insert(plan_.codes.end(), wanted);
    return static_cast<uint32_t>(found - plan_.codes.begin());
  }

  // CONV_2D(x, w)   ⇒   CONV_2D(x, w, zeros [out channels])
  // Null where activations are quantized: a bias needs a scale then, which is the quantizer's to
  // give.
  const Tensor* ZeroBias(const Operator& op) {
    const ir::TensorType& type = op.output()->type;
    const ir::Dim channels = type.shape[3];
    if (op.output()->quantization != nullptr || !channels.is_static()) return nullptr;
    Tensor& bias = own_tensors_.emplace_back();
    bias.type = {type.dtype, {channels}};
    bias.constant = ir::OwnedConstant(
        bias.type,
        std::vector<std::byte>(static_cast<size_t>(channels.value()) * ir::SizeOf(type.dtype)));
    return &bias;
  }

  Status AddOperator(Scope& scope, const Operator& op) {
    PlannedOperator planned;
    std::vector<Tensor*> inputs = op.inputs;
    if (DropsAbsentBias(op.code) && inputs.back() == nullptr) inputs.pop_back();
    if (NeedsBias(op.code)) inputs.resize(3);
    planned.code = CodeIndex(op.code, OperatorVersion(op));
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Tensor* input = inputs[i];
      if (input == nullptr && NeedsBias(op.code)) input = ZeroBias(op);
      if (input == nullptr) {
        planned.inputs.push_back(-1);
        continue;
      }
      KL_ASSIGN_OR_RETURN(const int32_t index, OperandIndex(scope, input, op));
      planned.inputs.push_back(index);
    }
    for (const Tensor* output : op.outputs) {
      std::string name = output->name;
      const std::vector<Tensor*>& outputs = scope.graph.outputs();
      auto position = std::find(outputs.begin(), outputs.end(), output);
      if (&scope.graph == &module_.main() && position != outputs.end() &&
          static_cast<size_t>(position - outputs.begin()) < output_names_.size()) {
        name = output_names_[static_cast<size_t>(position - outputs.begin())];
      } else {
        name = scope.names.Unique(name.empty() ? OperatorName(op) : name);
      }
      planned.outputs.push_back(AddTensor(scope, output, std::move(name)));
    }
    planned.options = op.options;
    planned.options2 = op.options2;
    if (op.code == BuiltinOperator::CAST && !inputs.empty() && inputs[0] != nullptr) {
      tflite::CastOptionsT options;
      options.in_data_type = SchemaType(inputs[0]->type.dtype);
      options.out_data_type = SchemaType(op.output()->type.dtype);
      planned.options.Set(options);
    }
    scope.subgraph.operators.push_back(std::move(planned));
    return {};
  }

  // The runtime hands out every output in memory of its own, so an output must be a tensor that an
  // operator computes, and must be listed once:
  //   f(x) = x, f() = const, f(x) = (y, y)   ⇒   … = RESHAPE(tensor, shape of tensor)
  // A loop's body may pass a variable through at its own place: the runtime knows that case.
  Status AddOutputs(Scope& scope, bool is_main) {
    const std::vector<Tensor*>& outputs = scope.graph.outputs();
    std::unordered_set<const Tensor*> seen;
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Tensor* output = outputs[i];
      const std::vector<Tensor*>& inputs = scope.graph.inputs();
      const bool passed_through = !is_main && i < inputs.size() && inputs[i] == output;
      const bool own = output->producer != nullptr && seen.insert(output).second;
      if (own || passed_through) {
        auto known = scope.index.find(output);
        if (known == scope.index.end()) {
          return Fail("", "write-4",
                      "an output of graph '" + scope.graph.name() + "' is never computed");
        }
        scope.subgraph.outputs.push_back(known->second);
        continue;
      }
      const std::string name = is_main && i < output_names_.size()
                                   ? output_names_[i]
                                   : scope.names.Unique("output_" + std::to_string(i));
      KL_ASSIGN_OR_RETURN(const int32_t copy, AddCopy(scope, output, name));
      scope.subgraph.outputs.push_back(copy);
    }
    return {};
  }

  Result<int32_t> AddCopy(Scope& scope, const Tensor* source, const std::string& name) {
    int32_t from;
    auto known = scope.index.find(source);
    if (known != scope.index.end()) {
      from = known->second;
    } else if (source->is_constant()) {
      KL_ASSIGN_OR_RETURN(from, ConstantIndex(scope, source, name + "/const"));
    } else {
      return Fail("", "write-4",
                  "an output of graph '" + scope.graph.name() + "' is never computed");
    }
    PlannedOperator copy;
    copy.code = CodeIndex(BuiltinOperator::RESHAPE, 1);
    const ir::Shape& shape = source->type.shape;
    tflite::ReshapeOptionsT options;
    int32_t target;
    if (shape.NumDynamic() <= 1) {
      for (ir::Dim dim : shape)
        options.new_shape.push_back(static_cast<int32_t>(dim.value_or_minus_one()));
      Tensor& sizes = own_tensors_.emplace_back();
      sizes.type = {DType::kInt32, {static_cast<int64_t>(shape.rank())}};
      sizes.constant =
          ir::MakeConstant<int32_t>(DType::kInt32, sizes.type.shape, options.new_shape);
      KL_ASSIGN_OR_RETURN(target, ConstantIndex(scope, &sizes, name + "/shape"));
    } else {
      PlannedOperator measure;
      measure.code = CodeIndex(BuiltinOperator::SHAPE, 1);
      measure.inputs = {from};
      target =
          NewTensor(scope, {DType::kInt32, {static_cast<int64_t>(shape.rank())}}, name + "/shape");
      measure.outputs = {target};
      tflite::ShapeOptionsT out;
      out.out_type = tflite::TensorType::INT32;
      measure.options.Set(out);
      scope.subgraph.operators.push_back(std::move(measure));
    }
    copy.options.Set(std::move(options));
    copy.inputs = {from, target};
    PlannedTensor result{source->type, name, 0, source->quantization};
    copy.outputs = {static_cast<int32_t>(scope.subgraph.tensors.size())};
    scope.subgraph.tensors.push_back(std::move(result));
    scope.subgraph.operators.push_back(copy);
    return copy.outputs[0];
  }

  int32_t NewTensor(Scope& scope, ir::TensorType type, const std::string& name) {
    scope.subgraph.tensors.push_back({std::move(type), scope.names.Unique(name), 0, nullptr});
    return static_cast<int32_t>(scope.subgraph.tensors.size()) - 1;
  }

  const ir::Module& module_;
  Plan plan_;
  std::vector<std::string> input_names_;
  std::vector<std::string> output_names_;
  std::unordered_map<const ir::Constant*, uint32_t> buffer_of_;
  std::unordered_map<std::string, uint32_t> small_;  // bytes → buffer
  EqualConstants equal_;                             // the large ones
  std::deque<Tensor> own_tensors_;                   // that the module does not have
};

}  // namespace

Result<Plan> MakePlan(const ir::Module& module) {
  return Planner(module).Run();
}

tflite::TensorType SchemaType(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return tflite::TensorType::BOOL;
    case DType::kInt8:
      return tflite::TensorType::INT8;
    case DType::kUInt8:
      return tflite::TensorType::UINT8;
    case DType::kInt16:
      return tflite::TensorType::INT16;
    case DType::kUInt16:
      return tflite::TensorType::UINT16;
    case DType::kInt32:
      return tflite::TensorType::INT32;
    case DType::kUInt32:
      return tflite::TensorType::UINT32;
    case DType::kInt64:
      return tflite::TensorType::INT64;
    case DType::kUInt64:
      return tflite::TensorType::UINT64;
    case DType::kFloat16:
      return tflite::TensorType::FLOAT16;
    case DType::kBFloat16:
      return tflite::TensorType::BFLOAT16;
    case DType::kFloat32:
      return tflite::TensorType::FLOAT32;
    case DType::kFloat64:
      return tflite::TensorType::FLOAT64;
    case DType::kComplex64:
      return tflite::TensorType::COMPLEX64;
    case DType::kString:
      return tflite::TensorType::STRING;
    case DType::kResource:
      return tflite::TensorType::RESOURCE;
    case DType::kInt4:
      return tflite::TensorType::INT4;
  }
  return tflite::TensorType::FLOAT32;
}

}  // namespace keras_litert::litert
