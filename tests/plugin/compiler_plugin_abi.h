#ifndef KERAS_LITERT_TESTS_PLUGIN_COMPILER_PLUGIN_ABI_H_
#define KERAS_LITERT_TESTS_PLUGIN_COMPILER_PLUGIN_ABI_H_

// What a LiteRT compiler plugin and the tool that loads it share, declared anew, as far as this
// plugin needs it. Source: google-ai-edge/LiteRT, litert/vendors/c/litert_compiler_plugin.h (the
// entry points), litert/c/internal/litert_compiler_context.h and litert_abi_header.h (the table of
// functions that the tool lends, version 1), litert/c/litert_common.h (status codes, handles).
// Found to be what ai-edge-litert 2.3.0's tools/apply_plugin_main speaks.

#include <cstddef>
#include <cstdint>

extern "C" {

// Values are LiteRT's.
enum Status : int {
  kOk = 0,
  kInvalidArgument = 1,
  kUnsupportedRuntime = 4000,
  kCompilationFailed = 504,
};

enum Accelerators : int { kNpu = 1 << 2 };

struct ApiVersion {
  int major, minor, patch;
};

// The tool's objects: only ever pointed to, owned by the tool.
struct Model;
struct Subgraph;
struct Op;
struct OpList;
struct EnvironmentOptions;
struct Options;

// Ours: made and destroyed by entry points below.
struct Plugin;
struct CompiledResult;

struct Transformation;

// Passed by value: one word.
struct SerializationOptions {
  size_t bytecode_alignment;  // bytes
};

// The functions that the tool lends to a plugin. Members not used here are kept as room.
struct Context {
  using Unused = void (*)();

  uint16_t size;  // of the tool's table, bytes
  uint16_t major;
  uint16_t minor;
  uint16_t reserved;

  Status (*subgraph_count)(Model*, size_t* count);
  Status (*subgraph)(Model*, size_t index, Subgraph**);
  Status (*op_count)(Subgraph*, size_t* count);
  Status (*op)(Subgraph*, size_t index, Op**);
  Unused subgraph_inputs_and_outputs[4];
  // The builtin operator's number in the file format's schema.
  Status (*op_code)(Op*, int* code);
  Unused operators_and_tensors[23];
  // Operators that follow each other and have the same `group` become one partition.
  Status (*push_op)(OpList*, Op*, size_t group);
  Unused options_and_attributes[96];
  // A .tflite file, `bytes` from `begin` to `end`, with one signature for each subgraph. The caller
  // owns `bytes`.
  Status (*serialize)(Model*, uint8_t** bytes, size_t* end, size_t* begin, bool destroy_model,
                      const char** signatures, size_t signature_count, SerializationOptions);
};

static_assert(sizeof(void*) == 8);
static_assert(offsetof(Context, op_code) == 72);
static_assert(offsetof(Context, push_op) == 264);
static_assert(offsetof(Context, serialize) == 1040);

// The entry points. Strings and buffers that they give are the plugin's, and live as long as it or
// the result does.
#define KERAS_LITERT_ENTRY __attribute__((visibility("default")))

// Must be the tool's own, 0.1.0.
KERAS_LITERT_ENTRY Status LiteRtGetCompilerPluginVersion(ApiVersion*);
KERAS_LITERT_ENTRY const char* LiteRtGetCompilerPluginSocManufacturer();
KERAS_LITERT_ENTRY Status LiteRtCreateCompilerPlugin(const Context*, Plugin**, EnvironmentOptions*,
                                                     Options*);
KERAS_LITERT_ENTRY void LiteRtDestroyCompilerPlugin(Plugin*);
KERAS_LITERT_ENTRY Status LiteRtGetCompilerPluginSupportedHardware(Plugin*, int* accelerators);
KERAS_LITERT_ENTRY Status LiteRtGetNumCompilerPluginSupportedSocModels(Plugin*, size_t* count);
KERAS_LITERT_ENTRY Status LiteRtGetCompilerPluginSupportedSocModel(Plugin*, size_t index,
                                                                   const char** name);
KERAS_LITERT_ENTRY Status LiteRtGetCompilerPluginSDKVersion(Plugin*, const char** version);
KERAS_LITERT_ENTRY Status LiteRtCompilerPluginCheckCompilerCompatibility(ApiVersion, Plugin*,
                                                                         EnvironmentOptions*,
                                                                         Options*,
                                                                         const char* soc_model);
KERAS_LITERT_ENTRY Status LiteRtCompilerPluginRegisterAllTransformations(Plugin*, Transformation**,
                                                                         size_t* count);
// Which operators the plugin takes. Once for each subgraph.
KERAS_LITERT_ENTRY Status LiteRtCompilerPluginPartition(Plugin*, const char* soc_model, Subgraph*,
                                                        OpList* selected);
// `partitions` has one subgraph for each partition.
KERAS_LITERT_ENTRY Status LiteRtCompilerPluginCompile(Plugin*, const char* soc_model,
                                                      Model* partitions, CompiledResult**);
KERAS_LITERT_ENTRY void LiteRtDestroyCompiledResult(CompiledResult*);
// Pieces of bytecode, and the calls, one for each partition: in which piece, by which name. The
// result is null where no operator was taken.
KERAS_LITERT_ENTRY Status LiteRtCompiledResultNumByteCodeModules(CompiledResult*, size_t* count);
KERAS_LITERT_ENTRY Status LiteRtGetCompiledResultByteCode(CompiledResult*, size_t index,
                                                          const void** bytes, size_t* size);
KERAS_LITERT_ENTRY Status LiteRtGetNumCompiledResultCalls(CompiledResult*, size_t* count);
KERAS_LITERT_ENTRY Status LiteRtGetCompiledResultCallInfo(CompiledResult*, size_t index,
                                                          const void** name, size_t* size,
                                                          size_t* byte_code);

}  // extern "C"

#endif  // KERAS_LITERT_TESTS_PLUGIN_COMPILER_PLUGIN_ABI_H_
