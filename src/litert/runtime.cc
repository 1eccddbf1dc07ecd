#include "litert/runtime.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <utility>

#include "litert/runtime_api.h"
#include "util/platform.h"

namespace keras_litert::litert {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibraryName = "libLiteRt.so";
constexpr LiteRtIndex kFirstSignature = 0;

// TfLiteType's numbers.
constexpr std::pair<int, ir::DType> kElementTypes[] = {
    {1, ir::DType::kFloat32},   {2, ir::DType::kInt32},    {3, ir::DType::kUInt8},
    {4, ir::DType::kInt64},     {6, ir::DType::kBool},     {7, ir::DType::kInt16},
    {8, ir::DType::kComplex64}, {9, ir::DType::kInt8},     {10, ir::DType::kFloat16},
    {11, ir::DType::kFloat64},  {13, ir::DType::kUInt64},  {16, ir::DType::kUInt32},
    {17, ir::DType::kUInt16},   {19, ir::DType::kBFloat16}};

// An object of the C API with the function that frees it.
template <typename T>
using Owned = std::unique_ptr<std::remove_pointer_t<T>, void (*)(T)>;

class Model final : public LoadedModel {
 public:
  Model(std::shared_ptr<const Runtime> runtime, const LiteRtApi& api, fs::path file)
      : runtime_(std::move(runtime)), api_(api), file_(std::move(file)) {}

  Status Load(unsigned threads) {
    // LiteRT reports its doings on standard error; only what goes wrong is of interest.
    const LiteRtEnvironmentOption quiet{kLiteRtMinLoggerSeverity, kLiteRtAnyInteger,
                                        kLiteRtErrorSeverity};
    LiteRtEnvironment environment = nullptr;
    KL_RETURN_IF_ERROR(Check(api_.CreateEnvironment(1, &quiet, &environment), "start"));
    environment_ = {environment, api_.DestroyEnvironment};

    LiteRtModel model = nullptr;
    const LiteRtStatus opened = api_.CreateModelFromFile(environment, file_.c_str(), &model);
    if (opened != 0) return Refused(opened);
    model_ = {model, api_.DestroyModel};

    LiteRtOptions options = nullptr;
    KL_RETURN_IF_ERROR(Check(api_.CreateOptions(&options), "make options"));
    const Owned<LiteRtOptions> owned_options = {options, api_.DestroyOptions};
    KL_RETURN_IF_ERROR(
        Check(api_.SetOptionsHardwareAccelerators(options, kLiteRtCpu), "choose the CPU"));
    if (threads > 1) UseThreads(options, threads);
    LiteRtCompiledModel compiled = nullptr;
    const LiteRtStatus prepared = api_.CreateCompiledModel(environment, model, options, &compiled);
    if (prepared != 0) return Refused(prepared);
    compiled_ = {compiled, api_.DestroyCompiledModel};

    LiteRtIndex signatures = 0;
    KL_RETURN_IF_ERROR(Check(api_.GetNumModelSignatures(model, &signatures), "read signatures"));
    if (signatures == 0) {
      return Fail(file_.string(), "runtime-3", "has no signature",
                  "Convert the model again with this tool.");
    }
    KL_RETURN_IF_ERROR(
        Check(api_.GetModelSignature(model, kFirstSignature, &signature_), "read the signature"));
    KL_RETURN_IF_ERROR(ReadNames(api_.GetNumSignatureInputs, api_.GetSignatureInputName, inputs_));
    return ReadNames(api_.GetNumSignatureOutputs, api_.GetSignatureOutputName, outputs_);
  }

  const std::vector<std::string>& input_names() const override { return inputs_; }
  const std::vector<std::string>& output_names() const override { return outputs_; }

  Result<std::vector<Array>> Run(std::span<const Array> inputs, double* seconds) override {
    std::vector<Owned<LiteRtTensorBuffer>> owners;
    std::vector<LiteRtTensorBuffer> in;
    std::vector<LiteRtTensorBuffer> out;
    for (size_t i = 0; i < inputs.size(); ++i) KL_RETURN_IF_ERROR(Resize(i, inputs[i]));
    for (size_t i = 0; i < inputs.size(); ++i) {
      KL_ASSIGN_OR_RETURN(Owned<LiteRtTensorBuffer> buffer, InputBuffer(i, inputs[i]));
      in.push_back(buffer.get());
      owners.push_back(std::move(buffer));
    }
    // Asking for the layouts allocates, which tells the outputs' sizes for these inputs.
    std::vector<LiteRtLayout> layouts(outputs_.size());
    KL_RETURN_IF_ERROR(Check(api_.GetCompiledModelOutputTensorLayouts(
                                 compiled_.get(), kFirstSignature, layouts.size(), layouts.data(),
                                 /*allocate=*/true),
                             "prepare the file for these shapes"));
    for (size_t i = 0; i < outputs_.size(); ++i) {
      KL_ASSIGN_OR_RETURN(Owned<LiteRtTensorBuffer> buffer, OutputBuffer(i, layouts[i]));
      out.push_back(buffer.get());
      owners.push_back(std::move(buffer));
    }

    const auto start = std::chrono::steady_clock::now();
    KL_RETURN_IF_ERROR(Check(api_.RunCompiledModel(compiled_.get(), kFirstSignature, in.size(),
                                                   in.data(), out.size(), out.data()),
                             "run the file"));
    if (seconds != nullptr) {
      *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    std::vector<Array> results;
    for (size_t i = 0; i < out.size(); ++i) {
      KL_ASSIGN_OR_RETURN(Array array, Read(out[i], outputs_[i]));
      results.push_back(std::move(array));
    }
    return results;
  }

 private:
  // A release that has no such option runs on one thread.
  void UseThreads(LiteRtOptions options, unsigned threads) const {
    if (api_.CreateOpaqueOptions == nullptr || api_.DestroyOpaqueOptions == nullptr ||
        api_.AddOpaqueOptions == nullptr) {
      return;
    }
    const std::string text = "num_threads = " + std::to_string(threads);
    for (const char* name : kLiteRtCpuOptions) {
      auto payload = std::make_unique<char[]>(text.size() + 1);
      std::memcpy(payload.get(), text.c_str(), text.size() + 1);
      const auto free = [](void* bytes) { delete[] static_cast<char*>(bytes); };
      LiteRtOpaqueOptions opaque = nullptr;
      if (api_.CreateOpaqueOptions(name, payload.get(), free, &opaque) != 0) continue;
      payload.release();
      if (api_.AddOpaqueOptions(options, opaque) != 0) api_.DestroyOpaqueOptions(opaque);
    }
  }

  std::string Describe(LiteRtStatus status) const {
    if (api_.GetStatusString != nullptr) return api_.GetStatusString(status);
    return "status " + std::to_string(status);
  }
  Status Check(LiteRtStatus status, const char* what) const {
    if (status == 0) return {};
    return Fail(file_.string(), "runtime-5",
                std::string("LiteRT could not ") + what + ": " + Describe(status),
                "What it printed above may say more.");
  }
  Status Refused(LiteRtStatus status) const {
    return Fail(file_.string(), "runtime-3", "LiteRT refuses the file: " + Describe(status),
                "Its version may be too old for the file; what it printed above may say more.");
  }

  template <typename Count, typename Name>
  Status ReadNames(Count count, Name name, std::vector<std::string>& names) const {
    LiteRtIndex size = 0;
    KL_RETURN_IF_ERROR(Check(count(signature_, &size), "read the signature"));
    for (LiteRtIndex i = 0; i < size; ++i) {
      const char* text = nullptr;
      KL_RETURN_IF_ERROR(Check(name(signature_, i, &text), "read the signature"));
      names.emplace_back(text != nullptr ? text : "");
    }
    return {};
  }

  Status Resize(size_t input, const Array& array) {
    std::vector<int> sizes;
    for (const ir::Dim dim : array.type.shape) {
      if (dim.value() > INT32_MAX) {
        return Fail(file_.string(), "runtime-4",
                    "input `" + inputs_[input] + "`: a size above 2^31");
      }
      sizes.push_back(static_cast<int>(dim.value()));
    }
    LiteRtLayout layout{};
    KL_RETURN_IF_ERROR(Check(
        api_.GetCompiledModelInputTensorLayout(compiled_.get(), kFirstSignature, input, &layout),
        "read an input's shape"));
    if (layout.rank == sizes.size() && std::equal(sizes.begin(), sizes.end(), layout.dimensions)) {
      return {};
    }
    const LiteRtStatus status = api_.CompiledModelResizeInputTensor(
        compiled_.get(), kFirstSignature, input, sizes.data(), sizes.size());
    if (status == 0) return {};
    return Fail(file_.string(), "runtime-4",
                "input `" + inputs_[input] + "` does not take the shape " +
                    array.type.shape.ToString() + ": " + Describe(status),
                "Only dimensions that `keras-litert inspect` shows as ? can be chosen.");
  }

  Result<Owned<LiteRtTensorBuffer>> MakeBuffer(const LiteRtRankedTensorType& type,
                                               LiteRtRequirements requirements) const {
    LiteRtTensorBuffer buffer = nullptr;
    KL_RETURN_IF_ERROR(Check(api_.CreateManagedTensorBufferFromRequirements(
                                 environment_.get(), &type, requirements, &buffer),
                             "make a buffer"));
    return Owned<LiteRtTensorBuffer>(buffer, api_.DestroyTensorBuffer);
  }

  Result<Owned<LiteRtTensorBuffer>> InputBuffer(size_t input, const Array& array) const {
    LiteRtTensor tensor = nullptr;
    LiteRtRankedTensorType type{};
    LiteRtRequirements requirements = nullptr;
    KL_RETURN_IF_ERROR(
        Check(api_.GetSignatureInputTensorByIndex(signature_, input, &tensor), "find an input"));
    KL_RETURN_IF_ERROR(Check(api_.GetRankedTensorType(tensor, &type), "read an input's type"));
    type.layout.has_strides = 0;
    type.layout.rank = static_cast<unsigned>(array.type.shape.rank()) & 0x7FU;
    for (int i = 0; i < array.type.shape.rank(); ++i) {
      type.layout.dimensions[i] = static_cast<int32_t>(array.type.shape.dim(i).value());
    }
    KL_RETURN_IF_ERROR(Check(api_.GetCompiledModelInputBufferRequirements(
                                 compiled_.get(), kFirstSignature, input, &requirements),
                             "plan an input"));
    KL_ASSIGN_OR_RETURN(Owned<LiteRtTensorBuffer> buffer, MakeBuffer(type, requirements));
    size_t size = 0;
    void* address = nullptr;
    KL_RETURN_IF_ERROR(Check(api_.GetTensorBufferSize(buffer.get(), &size), "measure a buffer"));
    if (size < array.bytes.size()) {
      return Fail(file_.string(), "runtime-4",
                  "input `" + inputs_[input] + "` holds " + std::to_string(size) +
                      " bytes, given " + std::to_string(array.bytes.size()));
    }
    KL_RETURN_IF_ERROR(
        Check(api_.LockTensorBuffer(buffer.get(), &address, kLiteRtLockWrite), "fill an input"));
    if (!array.bytes.empty()) std::memcpy(address, array.bytes.data(), array.bytes.size());
    KL_RETURN_IF_ERROR(Check(api_.UnlockTensorBuffer(buffer.get()), "fill an input"));
    return buffer;
  }

  Result<Owned<LiteRtTensorBuffer>> OutputBuffer(size_t output, const LiteRtLayout& layout) const {
    LiteRtTensor tensor = nullptr;
    LiteRtRankedTensorType type{};
    LiteRtRequirements requirements = nullptr;
    KL_RETURN_IF_ERROR(
        Check(api_.GetSignatureOutputTensorByIndex(signature_, output, &tensor), "find an output"));
    KL_RETURN_IF_ERROR(Check(api_.GetRankedTensorType(tensor, &type), "read an output's type"));
    type.layout = layout;
    KL_RETURN_IF_ERROR(Check(api_.GetCompiledModelOutputBufferRequirements(
                                 compiled_.get(), kFirstSignature, output, &requirements),
                             "plan an output"));
    return MakeBuffer(type, requirements);
  }

  Result<Array> Read(LiteRtTensorBuffer buffer, const std::string& name) const {
    LiteRtRankedTensorType type{};
    KL_RETURN_IF_ERROR(Check(api_.GetTensorBufferTensorType(buffer, &type), "read an output"));
    const auto* known = std::find_if(std::begin(kElementTypes), std::end(kElementTypes),
                                     [&](const auto& e) { return e.first == type.element_type; });
    if (known == std::end(kElementTypes) || type.layout.rank > kLiteRtMaxRank) {
      return Fail(file_.string(), "runtime-5",
                  "output `" + name + "` has the element type " +
                      std::to_string(type.element_type) + ", which is not read");
    }
    Array array{{known->second, {}}, {}};
    size_t bytes = ir::SizeOf(known->second);
    for (unsigned i = 0; i < type.layout.rank; ++i) {
      const int32_t size = std::max(type.layout.dimensions[i], 0);
      array.type.shape.Append(size);
      bytes *= static_cast<size_t>(size);
    }
    size_t capacity = 0;
    void* address = nullptr;
    KL_RETURN_IF_ERROR(Check(api_.GetTensorBufferSize(buffer, &capacity), "read an output"));
    if (bytes > capacity) {
      return Fail(file_.string(), "runtime-5", "output `" + name + "` is larger than its buffer");
    }
    KL_RETURN_IF_ERROR(
        Check(api_.LockTensorBuffer(buffer, &address, kLiteRtLockRead), "read an output"));
    const auto* start = static_cast<const std::byte*>(address);
    array.bytes.assign(start, start + bytes);
    KL_RETURN_IF_ERROR(Check(api_.UnlockTensorBuffer(buffer), "read an output"));
    return array;
  }

  // Destroyed in reverse order, as LiteRT wants it.
  std::shared_ptr<const Runtime> runtime_;
  const LiteRtApi& api_;
  fs::path file_;
  Owned<LiteRtEnvironment> environment_{nullptr, nullptr};
  Owned<LiteRtModel> model_{nullptr, nullptr};
  Owned<LiteRtCompiledModel> compiled_{nullptr, nullptr};
  LiteRtSignature signature_ = nullptr;
  std::vector<std::string> inputs_;
  std::vector<std::string> outputs_;
};

class LibraryRuntime final : public Runtime, public std::enable_shared_from_this<LibraryRuntime> {
 public:
  explicit LibraryRuntime(fs::path library) : library_(std::move(library)) {}

  Status Load() {
    const auto opened = DynamicLibrary::Open(library_);
    if (!opened) {
      return Fail(library_.string(), "runtime-2", opened.error().diagnostics().front().message,
                  "Name LiteRT's libLiteRt.so; `pip install ai-edge-litert` brings it.");
    }
    if (const char* missing = LoadApi(*opened, api_)) {
      return Fail(library_.string(), "runtime-2", std::string("does not export ") + missing,
                  "Name LiteRT's libLiteRt.so, of version 2 or newer.");
    }
    return {};
  }

  const fs::path& library() const override { return library_; }

  Result<std::unique_ptr<LoadedModel>> Load(const fs::path& file, unsigned threads) const override {
    auto model = std::make_unique<Model>(shared_from_this(), api_, file);
    KL_RETURN_IF_ERROR(model->Load(threads));
    return model;
  }

 private:
  fs::path library_;
  LiteRtApi api_{};
};

// The library at `path` or in the folder `path`; empty where there is none.
fs::path LibraryAt(const fs::path& path) {
  std::error_code ignored;
  const fs::path file = fs::is_directory(path, ignored) ? path / kLibraryName : path;
  // A path without a folder would be looked for by the loader instead.
  return fs::is_regular_file(file, ignored) ? fs::absolute(file, ignored) : fs::path();
}

// ENVIRONMENT/lib/python3.*/site-packages/ai_edge_litert; the newest Python's, for a definite
// answer.
fs::path LibraryOfPythonEnvironment(const fs::path& environment) {
  std::error_code error;
  fs::path newest;
  for (fs::directory_iterator entry(environment / "lib", error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with("python3")) continue;
    const fs::path file = LibraryAt(entry->path() / "site-packages" / "ai_edge_litert");
    if (!file.empty() && (newest.empty() || newest < file)) newest = file;
  }
  return newest;
}

Result<fs::path> FindLibrary(const fs::path& path) {
  constexpr const char* kHelp =
      "Name LiteRT's libLiteRt.so or its folder; `pip install ai-edge-litert` brings it.";
  if (!path.empty()) {
    fs::path file = LibraryAt(path);
    if (file.empty())
      return Fail(path.string(), "runtime-1", "there is no LiteRT library here", kHelp);
    return file;
  }
  if (const char* named = std::getenv("KERAS_LITERT_RUNTIME"); named != nullptr && *named != '\0') {
    fs::path file = LibraryAt(named);
    if (file.empty()) {
      return Fail(named, "runtime-1",
                  "there is no LiteRT library here, where KERAS_LITERT_RUNTIME points", kHelp);
    }
    return file;
  }
  if (const char* active = std::getenv("VIRTUAL_ENV"); active != nullptr && *active != '\0') {
    fs::path file = LibraryOfPythonEnvironment(active);
    if (!file.empty()) return file;
  }
  fs::path file = LibraryOfPythonEnvironment(".venv");
  if (!file.empty()) return file;
  if (DynamicLibrary::Open(kLibraryName)) return fs::path(kLibraryName);
  return Fail("", "runtime-1", "LiteRT's library is not found",
              "Run `pip install ai-edge-litert` in the active virtual environment, or name "
              "libLiteRt.so with "
              "--runtime or KERAS_LITERT_RUNTIME.");
}

}  // namespace

Result<std::shared_ptr<const Runtime>> Runtime::Open(const fs::path& path) {
  KL_ASSIGN_OR_RETURN(fs::path library, FindLibrary(path));
  auto runtime = std::make_shared<LibraryRuntime>(std::move(library));
  KL_RETURN_IF_ERROR(runtime->Load());
  return runtime;
}

}  // namespace keras_litert::litert
