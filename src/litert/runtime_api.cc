#include "litert/runtime_api.h"

namespace keras_litert::litert {

const char* LoadApi(const DynamicLibrary& library, LiteRtApi& api) {
  const auto find = [&](const char* name, auto& function) {
    using Function = std::remove_reference_t<decltype(function)>;
    function = reinterpret_cast<Function>(library.Find(name));
    return function != nullptr;
  };
#define KL_FIND(name) \
  if (!find("LiteRt" #name, api.name)) return "LiteRt" #name
  KL_FIND(CreateEnvironment);
  KL_FIND(DestroyEnvironment);
  KL_FIND(CreateModelFromFile);
  KL_FIND(DestroyModel);
  KL_FIND(CreateOptions);
  KL_FIND(SetOptionsHardwareAccelerators);
  KL_FIND(DestroyOptions);
  KL_FIND(CreateCompiledModel);
  KL_FIND(DestroyCompiledModel);
  KL_FIND(GetNumModelSignatures);
  KL_FIND(GetModelSignature);
  KL_FIND(GetNumSignatureInputs);
  KL_FIND(GetNumSignatureOutputs);
  KL_FIND(GetSignatureInputName);
  KL_FIND(GetSignatureOutputName);
  KL_FIND(GetSignatureInputTensorByIndex);
  KL_FIND(GetSignatureOutputTensorByIndex);
  KL_FIND(GetRankedTensorType);
  KL_FIND(CompiledModelResizeInputTensor);
  KL_FIND(GetCompiledModelInputTensorLayout);
  KL_FIND(GetCompiledModelOutputTensorLayouts);
  KL_FIND(GetCompiledModelInputBufferRequirements);
  KL_FIND(CreateManagedTensorBuffer);
  KL_FIND(CreateManagedTensorBufferFromRequirements);
  KL_FIND(GetTensorBufferSize);
  KL_FIND(LockTensorBuffer);
  KL_FIND(UnlockTensorBuffer);
  KL_FIND(DestroyTensorBuffer);
  KL_FIND(RunCompiledModel);
#undef KL_FIND
  find("LiteRtGetStatusString", api.GetStatusString);
  find("LiteRtCreateOpaqueOptions", api.CreateOpaqueOptions);
  find("LiteRtDestroyOpaqueOptions", api.DestroyOpaqueOptions);
  find("LiteRtAddOpaqueOptions", api.AddOpaqueOptions);
  find("LiteRtCompiledModelClearErrors", api.CompiledModelClearErrors);
  find("LiteRtCompiledModelGetErrorMessages", api.CompiledModelGetErrorMessages);
  return nullptr;
}

}  // namespace keras_litert::litert
