#include "passes/check_types.h"

#include <set>
#include <string>
#include <utility>

#include "ir/kernel_types.h"

namespace keras_litert::passes {

std::vector<Diagnostic> CheckTypes(const ir::Module& module) {
  std::vector<Diagnostic> errors;
  std::set<std::pair<uint32_t, std::string>> reported;  // one diagnostic for a layer and reason
  for (const auto& graph : module.graphs) {
    for (const ir::Operator* op = graph->first(); op != nullptr; op = op->next) {
      for (const ir::OperandGroup& group : ir::OperandGroups(op->code)) {
        const ir::DType dtype = ir::GroupType(*op, group);
        if (group.types.Has(dtype) || ir::IsQuantized(*op, group)) continue;
        std::string message = std::string(tflite::EnumNameBuiltinOperator(op->code)) +
                              " has no kernel for " + std::string(ir::Name(dtype)) + ", only for " +
                              group.types.ToString();
        if (!reported.emplace(op->origin, message).second) continue;
        const std::string& path =
            module.origins[op->origin < module.origins.size() ? op->origin : 0];
        errors.push_back({path, "dtype-2", std::move(message),
                          "Cast the layer's input to another dtype, such as int32 or float32."});
      }
    }
  }
  return errors;
}

}  // namespace keras_litert::passes
