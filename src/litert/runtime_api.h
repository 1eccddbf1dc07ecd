// The part of LiteRT's C API that runtime.cc calls: its types, as bytes, and its functions, by
// name. Declared here because the library comes without headers; layouts as in LiteRT 2.x, checked
// where the compiler can.
#pragma once

#include <cstddef>
#include <cstdint>

#include "util/platform.h"

namespace keras_litert::litert {

using LiteRtStatus = int;  // 0: ok
using LiteRtIndex = size_t;

// Opaque objects.
using LiteRtEnvironment = struct LiteRtEnvironmentOpaque*;
using LiteRtModel = struct LiteRtModelOpaque*;
using LiteRtOptions = struct LiteRtOptionsOpaque*;
using LiteRtCompiledModel = struct LiteRtCompiledModelOpaque*;
using LiteRtOpaqueOptions = struct LiteRtOpaqueOptionsOpaque*;
using LiteRtSignature = struct LiteRtSignatureOpaque*;
using LiteRtTensor = struct LiteRtTensorOpaque*;
using LiteRtTensorBuffer = struct LiteRtTensorBufferOpaque*;
using LiteRtRequirements = struct LiteRtRequirementsOpaque*;

inline constexpr int kLiteRtMaxRank = 8;
inline constexpr int kLiteRtCpu = 1;
inline constexpr int kLiteRtHostMemory = 1;
inline constexpr int kLiteRtLockRead = 0;
inline constexpr int kLiteRtLockWrite = 1;

struct LiteRtLayout {
  unsigned int rank : 7;
  unsigned int has_strides : 1;
  int32_t dimensions[kLiteRtMaxRank];  // below 0: dynamic
  uint32_t strides[kLiteRtMaxRank];
};
static_assert(sizeof(LiteRtLayout) == 68);

struct LiteRtRankedTensorType {
  int element_type;  // TfLiteType's numbers
  LiteRtLayout layout;
};
static_assert(sizeof(LiteRtRankedTensorType) == 72);

// An option of the environment; only integers are used.
struct LiteRtEnvironmentOption {
  int tag;
  int value_type alignas(8);
  int64_t value;
};
static_assert(sizeof(LiteRtEnvironmentOption) == 24);
inline constexpr int kLiteRtMinLoggerSeverity = 25;  // a tag
inline constexpr int kLiteRtErrorSeverity = 3;
inline constexpr int kLiteRtSilent = 4;
inline constexpr int kLiteRtAnyInteger = 2;

// Names of options, whose values are a text. A release does not look at names that it does not
// know. Of the CPU's kernels, in newer and older releases: "num_threads = 4".
inline constexpr const char* kLiteRtCpuOptions[] = {"cpu_delegate", "xnnpack"};
// Of the runtime: errors are kept for CompiledModelGetErrorMessages() instead of printed.
inline constexpr const char* kLiteRtRuntimeOptions = "runtime_options_string";
inline constexpr const char* kLiteRtKeepErrors = "error_reporter_mode = 2";

// One pointer a function. Each name is LiteRT's without its prefix.
struct LiteRtApi {
  LiteRtStatus (*CreateEnvironment)(int count, const LiteRtEnvironmentOption*, LiteRtEnvironment*);
  void (*DestroyEnvironment)(LiteRtEnvironment);
  LiteRtStatus (*CreateModelFromFile)(LiteRtEnvironment, const char* file, LiteRtModel*);
  void (*DestroyModel)(LiteRtModel);
  LiteRtStatus (*CreateOptions)(LiteRtOptions*);
  LiteRtStatus (*SetOptionsHardwareAccelerators)(LiteRtOptions, int accelerators);
  void (*DestroyOptions)(LiteRtOptions);
  LiteRtStatus (*CreateCompiledModel)(LiteRtEnvironment, LiteRtModel, LiteRtOptions,
                                      LiteRtCompiledModel*);
  void (*DestroyCompiledModel)(LiteRtCompiledModel);
  LiteRtStatus (*GetNumModelSignatures)(LiteRtModel, LiteRtIndex*);
  LiteRtStatus (*GetModelSignature)(LiteRtModel, LiteRtIndex, LiteRtSignature*);
  LiteRtStatus (*GetNumSignatureInputs)(LiteRtSignature, LiteRtIndex*);
  LiteRtStatus (*GetNumSignatureOutputs)(LiteRtSignature, LiteRtIndex*);
  LiteRtStatus (*GetSignatureInputName)(LiteRtSignature, LiteRtIndex, const char**);
  LiteRtStatus (*GetSignatureOutputName)(LiteRtSignature, LiteRtIndex, const char**);
  LiteRtStatus (*GetSignatureInputTensorByIndex)(LiteRtSignature, LiteRtIndex, LiteRtTensor*);
  LiteRtStatus (*GetSignatureOutputTensorByIndex)(LiteRtSignature, LiteRtIndex, LiteRtTensor*);
  LiteRtStatus (*GetRankedTensorType)(LiteRtTensor, LiteRtRankedTensorType*);
  LiteRtStatus (*CompiledModelResizeInputTensor)(LiteRtCompiledModel, LiteRtIndex signature,
                                                 LiteRtIndex input, const int* sizes, size_t rank);
  LiteRtStatus (*GetCompiledModelInputTensorLayout)(LiteRtCompiledModel, LiteRtIndex signature,
                                                    LiteRtIndex input, LiteRtLayout*);
  LiteRtStatus (*GetCompiledModelOutputTensorLayouts)(LiteRtCompiledModel, LiteRtIndex signature,
                                                      size_t count, LiteRtLayout*, bool allocate);
  LiteRtStatus (*GetCompiledModelInputBufferRequirements)(LiteRtCompiledModel,
                                                          LiteRtIndex signature, LiteRtIndex input,
                                                          LiteRtRequirements*);
  LiteRtStatus (*CreateManagedTensorBuffer)(LiteRtEnvironment, int buffer_type,
                                            const LiteRtRankedTensorType*, size_t size,
                                            LiteRtTensorBuffer*);
  LiteRtStatus (*CreateManagedTensorBufferFromRequirements)(LiteRtEnvironment,
                                                            const LiteRtRankedTensorType*,
                                                            LiteRtRequirements,
                                                            LiteRtTensorBuffer*);
  LiteRtStatus (*GetTensorBufferSize)(LiteRtTensorBuffer, size_t*);
  LiteRtStatus (*LockTensorBuffer)(LiteRtTensorBuffer, void** address, int mode);
  LiteRtStatus (*UnlockTensorBuffer)(LiteRtTensorBuffer);
  void (*DestroyTensorBuffer)(LiteRtTensorBuffer);
  LiteRtStatus (*RunCompiledModel)(LiteRtCompiledModel, LiteRtIndex signature, size_t num_inputs,
                                   LiteRtTensorBuffer*, size_t num_outputs, LiteRtTensorBuffer*);

  // Null in releases that do not export them.
  const char* (*GetStatusString)(LiteRtStatus);
  // The options own the payload then, and free it so.
  LiteRtStatus (*CreateOpaqueOptions)(const char* identifier, void* payload,
                                      void (*free)(void* payload), LiteRtOpaqueOptions*);
  void (*DestroyOpaqueOptions)(LiteRtOpaqueOptions);
  LiteRtStatus (*AddOpaqueOptions)(LiteRtOptions, LiteRtOpaqueOptions);  // owned by the first then
  LiteRtStatus (*CompiledModelClearErrors)(LiteRtCompiledModel);
  LiteRtStatus (*CompiledModelGetErrorMessages)(LiteRtCompiledModel, char** text);  // to be freed
};

// The name of the first function that `library` lacks, or null: `api` is complete.
const char* LoadApi(const DynamicLibrary& library, LiteRtApi& api);

}  // namespace keras_litert::litert
