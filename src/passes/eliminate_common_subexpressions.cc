// Operators that compute the same become one.
//
//   y = SHAPE(x)                      y = SHAPE(x)
//   z = SHAPE(x)            ⇒
//   return PACK(y, z)                 return PACK(y, y)
#include <map>
#include <string>

#include "passes/match.h"
#include "passes/rewrites.h"

namespace keras_litert::passes {
namespace {

// Small constants are the same if their bytes are; large ones if they are one object. Whole numbers
// are no weights but masks and indices, which a model computes anew in each layer; folding makes
// them at most this large.
constexpr size_t kCompareFloatBytes = 1024;
constexpr size_t kCompareWholeBytes = 64 * 1024;

size_t CompareBytes(ir::DType dtype) {
  return ir::IsFloat(dtype) ? kCompareFloatBytes : kCompareWholeBytes;
}

void AppendNumber(std::string& key, uint64_t number) {
  key.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

class Keys {
 public:
  std::string Of(const ir::Operator& op) {
    std::string key;
    AppendNumber(key, static_cast<uint64_t>(op.code));
    flatbuffers::FlatBufferBuilder fbb;
    if (op.options.value != nullptr) {
      fbb.Finish(flatbuffers::Offset<void>(op.options.Pack(fbb).o));
    } else if (op.options2.value != nullptr) {
      fbb.Finish(flatbuffers::Offset<void>(op.options2.Pack(fbb).o));
    }
    if (op.options.value != nullptr || op.options2.value != nullptr) {
      key.append(reinterpret_cast<const char*>(fbb.GetBufferPointer()), fbb.GetSize());
    }
    for (const ir::Tensor* input : op.inputs) AppendNumber(key, Number(input));
    for (const ir::Tensor* output : op.outputs) key += output->type.ToString();
    return key;
  }

 private:
  // One number for tensors of one value.
  uint64_t Number(const ir::Tensor* tensor) {
    if (tensor == nullptr) return 0;
    if (!tensor->is_constant()) return reinterpret_cast<uint64_t>(tensor);
    const ir::Constant& constant = *tensor->constant;
    if (constant.byte_size() > CompareBytes(constant.type().dtype))
      return reinterpret_cast<uint64_t>(&constant);
    auto bytes = ir::EvaluateBytes(constant);
    if (!bytes) return reinterpret_cast<uint64_t>(&constant);
    std::string key = constant.type().ToString();
    key.append(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    return small_.try_emplace(key, reinterpret_cast<uint64_t>(tensor)).first->second;
  }

  std::map<std::string, uint64_t> small_;
};

}  // namespace

void EliminateCommonSubexpressions(ir::Module& module) {
  for (const auto& graph : module.graphs) {
    Keys keys;
    std::map<std::string, ir::Operator*> seen;
    for (ir::Operator* op : graph->Operators()) {
      if (op->erased) continue;
      if (IsImpure(op->code)) continue;
      const auto [entry, added] = seen.try_emplace(keys.Of(*op), op);
      if (added) continue;
      // Two outputs of the signature stay two tensors.
      bool is_output = false;
      for (const ir::Tensor* output : op->outputs) is_output |= graph->IsOutput(output);
      if (is_output) continue;
      for (size_t i = 0; i < op->outputs.size(); ++i) {
        graph->ReplaceAllUses(op->outputs[i], entry->second->outputs[i]);
      }
      graph->Erase(op);
    }
  }
}

}  // namespace keras_litert::passes
