// A compiler plugin for LiteRT's apply_plugin, for an NPU that does not exist: it takes the
// operators that the target's name lists, and its bytecode is the partitions themselves, as a
// .tflite file with one signature for each, and a mark behind it. So a test knows what LiteRT cut
// out of a file of ours.
//
// The target's name is builtin operator numbers of the file format, joined by "_": "ops_3_9" takes
// CONV_2D and FULLY_CONNECTED. "broken" takes every operator and fails to compile them.

#include <charconv>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler_plugin_abi.h"

struct Plugin {
  const Context* context;
};

struct CompiledResult {
  std::vector<std::string> names;  // of the calls
  std::string byte_code;
};

namespace {

constexpr ApiVersion kVersion = {0, 1, 0};
constexpr std::string_view kBroken = "broken";
// Behind the bytecode's last byte.
constexpr std::string_view kEnd = "END OF BYTECODE";

// The numbers in "ops_3_9"; false where the name is not of that form.
bool ParseTarget(std::string_view target, std::set<int>& codes) {
  constexpr std::string_view kPrefix = "ops";
  if (!target.starts_with(kPrefix)) return false;
  target.remove_prefix(kPrefix.size());
  while (!target.empty()) {
    if (target.front() != '_') return false;
    int code = 0;
    const auto [end, error] =
        std::from_chars(target.data() + 1, target.data() + target.size(), code);
    if (error != std::errc()) return false;
    codes.insert(code);
    target.remove_prefix(end - target.data());
  }
  return true;
}

}  // namespace

Status LiteRtGetCompilerPluginVersion(ApiVersion* version) {
  *version = kVersion;
  return kOk;
}

const char* LiteRtGetCompilerPluginSocManufacturer() {
  return "KerasLiteRtTest";
}

Status LiteRtCreateCompilerPlugin(const Context* context, Plugin** plugin, EnvironmentOptions*,
                                  Options*) {
  // A table of another layout would be called at the wrong places.
  if (context == nullptr || context->major != 1 ||
      context->size < offsetof(Context, serialize) + sizeof(Context::serialize)) {
    return kUnsupportedRuntime;
  }
  *plugin = new Plugin{context};
  return kOk;
}

void LiteRtDestroyCompilerPlugin(Plugin* plugin) {
  delete plugin;
}

Status LiteRtGetCompilerPluginSupportedHardware(Plugin*, int* accelerators) {
  *accelerators = kNpu;
  return kOk;
}

Status LiteRtGetNumCompilerPluginSupportedSocModels(Plugin*, size_t* count) {
  *count = 1;
  return kOk;
}

Status LiteRtGetCompilerPluginSupportedSocModel(Plugin*, size_t index, const char** name) {
  if (index != 0) return kInvalidArgument;
  *name = "ops";
  return kOk;
}

Status LiteRtGetCompilerPluginSDKVersion(Plugin*, const char** version) {
  *version = "1";
  return kOk;
}

Status LiteRtCompilerPluginCheckCompilerCompatibility(ApiVersion, Plugin*, EnvironmentOptions*,
                                                      Options*, const char*) {
  return kOk;
}

Status LiteRtCompilerPluginRegisterAllTransformations(Plugin*, Transformation** transformations,
                                                      size_t* count) {
  *transformations = nullptr;
  *count = 0;
  return kOk;
}

Status LiteRtCompilerPluginPartition(Plugin* plugin, const char* soc_model, Subgraph* subgraph,
                                     OpList* selected) {
  const Context& context = *plugin->context;
  const std::string_view target = soc_model == nullptr ? "" : soc_model;
  std::set<int> codes;
  if (target != kBroken && !ParseTarget(target, codes)) return kInvalidArgument;
  size_t count = 0;
  if (const Status status = context.op_count(subgraph, &count); status != kOk) return status;
  for (size_t i = 0; i < count; ++i) {
    Op* op = nullptr;
    int code = 0;
    if (const Status status = context.op(subgraph, i, &op); status != kOk) return status;
    if (const Status status = context.op_code(op, &code); status != kOk) return status;
    if (target != kBroken && !codes.contains(code)) continue;
    if (const Status status = context.push_op(selected, op, /*group=*/0); status != kOk) {
      return status;
    }
  }
  return kOk;
}

Status LiteRtCompilerPluginCompile(Plugin* plugin, const char* soc_model, Model* partitions,
                                   CompiledResult** result) {
  if (soc_model != nullptr && soc_model == kBroken) return kCompilationFailed;
  const Context& context = *plugin->context;
  size_t count = 0;
  if (const Status status = context.subgraph_count(partitions, &count); status != kOk) {
    return status;
  }
  std::vector<std::string> names;
  std::vector<const char*> signatures;
  names.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    signatures.push_back(names.emplace_back("partition_" + std::to_string(i)).c_str());
  }
  // Lives as long as the process, which compiles one file: LiteRT has no function that frees it.
  uint8_t* bytes = nullptr;
  size_t end = 0;
  size_t begin = 0;
  const Status status = context.serialize(partitions, &bytes, &end, &begin,
                                          /*destroy_model=*/false, signatures.data(), count, {1});
  if (status != kOk) return status;
  *result = new CompiledResult{std::move(names), std::string(bytes + begin, bytes + end)};
  (*result)->byte_code += kEnd;
  return kOk;
}

void LiteRtDestroyCompiledResult(CompiledResult* result) {
  delete result;
}

// Where nothing was taken nothing is compiled, and LiteRT asks this of a null result.
Status LiteRtCompiledResultNumByteCodeModules(CompiledResult* result, size_t* count) {
  *count = result == nullptr ? 0 : 1;
  return kOk;
}

Status LiteRtGetCompiledResultByteCode(CompiledResult* result, size_t index, const void** bytes,
                                       size_t* size) {
  if (index != 0) return kInvalidArgument;
  *bytes = result->byte_code.data();
  *size = result->byte_code.size();
  return kOk;
}

Status LiteRtGetNumCompiledResultCalls(CompiledResult* result, size_t* count) {
  *count = result->names.size();
  return kOk;
}

Status LiteRtGetCompiledResultCallInfo(CompiledResult* result, size_t index, const void** name,
                                       size_t* size, size_t* byte_code) {
  if (index >= result->names.size()) return kInvalidArgument;
  *name = result->names[index].data();
  *size = result->names[index].size();
  *byte_code = 0;
  return kOk;
}
