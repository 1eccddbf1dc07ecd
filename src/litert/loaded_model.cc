#include "litert/loaded_model.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace keras_litert::litert {
namespace {

namespace fs = std::filesystem;

constexpr LiteRtIndex kFirstSignature = 0;
// Memory for an output whose size only a run tells. LiteRT 2.3 writes past the end of a buffer that
// is too small for it.
constexpr size_t kOpenBytes = size_t{1} << 20;

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

// As the C API takes them.
class Buffers {
 public:
  void Add(Owned<LiteRtTensorBuffer> buffer) {
    handles_.push_back(buffer.get());
    owners_.push_back(std::move(buffer));
  }
  LiteRtTensorBuffer* data() { return handles_.data(); }
  LiteRtTensorBuffer operator[](size_t i) const { return handles_[i]; }
  size_t size() const { return handles_.size(); }

 private:
  std::vector<Owned<LiteRtTensorBuffer>> owners_;
  std::vector<LiteRtTensorBuffer> handles_;
};

class Model final : public LoadedModel {
 public:
  Model(std::shared_ptr<const Runtime> runtime, const LiteRtApi& api, fs::path file)
      : runtime_(std::move(runtime)), api_(api), file_(std::move(file)) {}

  // LiteRT reports its doings on standard error. `explains`: what goes wrong, of which this model
  // can tell nothing before it is prepared. Else nothing, and errors tell what LiteRT says.
  Status Load(unsigned threads, bool explains) {
    const LiteRtEnvironmentOption severity{kLiteRtMinLoggerSeverity, kLiteRtAnyInteger,
                                           explains ? kLiteRtErrorSeverity : kLiteRtSilent};
    LiteRtEnvironment environment = nullptr;
    KL_RETURN_IF_ERROR(Check(api_.CreateEnvironment(1, &severity, &environment), "start"));
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
    if (threads > 1) {
      const std::string text = "num_threads = " + std::to_string(threads);
      for (const char* name : kLiteRtCpuOptions) SetOption(options, name, text);
    }
    if (!explains) SetOption(options, kLiteRtRuntimeOptions, kLiteRtKeepErrors);
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
    KeptErrors();  // What was said so far, while kernels were chosen, did not make it fail.
    KL_RETURN_IF_ERROR(ReadNames(api_.GetNumSignatureInputs, api_.GetSignatureInputName, inputs_));
    return ReadNames(api_.GetNumSignatureOutputs, api_.GetSignatureOutputName, outputs_);
  }

  const std::vector<std::string>& input_names() const override { return inputs_; }
  const std::vector<std::string>& output_names() const override { return outputs_; }

  Result<std::vector<Array>> Run(std::span<const Array> inputs, double* seconds) override {
    KL_ASSIGN_OR_RETURN(Buffers in, InputBuffers(inputs));
    // Asking for the layouts allocates, which tells the outputs' sizes for these inputs, but for
    // those that depend on what is computed.
    KL_ASSIGN_OR_RETURN(std::vector<LiteRtLayout> layouts, OutputLayouts(/*allocate=*/true));
    std::vector<OutputSize> sizes;
    for (size_t i = 0; i < outputs_.size(); ++i) {
      KL_ASSIGN_OR_RETURN(OutputSize size, SizeOf(i, layouts[i]));
      if (size.is_open) {
        const auto reserved = reserved_.find(outputs_[i]);
        size.bytes =
            std::max(size.bytes, reserved != reserved_.end() ? reserved->second : kOpenBytes);
      }
      sizes.push_back(size);
    }
    Buffers out;
    for (const OutputSize& size : sizes) {
      KL_ASSIGN_OR_RETURN(Owned<LiteRtTensorBuffer> buffer, OutputBuffer(size));
      out.Add(std::move(buffer));
    }
    const auto start = std::chrono::steady_clock::now();
    KL_RETURN_IF_ERROR(Check(api_.RunCompiledModel(compiled_.get(), kFirstSignature, in.size(),
                                                   in.data(), out.size(), out.data()),
                             "run the file"));
    if (seconds != nullptr) {
      *seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    // It does not fail where it could not use a buffer.
    if (const std::string said = KeptErrors(); !said.empty()) {
      return Fail(file_.string(), "runtime-5", "LiteRT ran the file, but not as it should" + said);
    }
    KL_ASSIGN_OR_RETURN(std::vector<Array> results, Read(out, sizes));
    last_ = std::move(out);
    return results;
  }

  void Reserve(const std::string& output, size_t bytes) override { reserved_[output] = bytes; }

 private:
  // An output's place in memory.
  struct OutputSize {
    int element_type = 0;
    size_t element_bytes = 0;
    size_t bytes = 0;
    bool is_open = false;  // the file leaves its size to the run
  };

  // A release that has no such option goes on without.
  void SetOption(LiteRtOptions options, const char* name, const std::string& text) const {
    if (api_.CreateOpaqueOptions == nullptr || api_.DestroyOpaqueOptions == nullptr ||
        api_.AddOpaqueOptions == nullptr) {
      return;
    }
    auto payload = std::make_unique<char[]>(text.size() + 1);
    std::memcpy(payload.get(), text.c_str(), text.size() + 1);
    const auto free = [](void* bytes) { delete[] static_cast<char*>(bytes); };
    LiteRtOpaqueOptions opaque = nullptr;
    if (api_.CreateOpaqueOptions(name, payload.get(), free, &opaque) != 0) return;
    payload.release();
    if (api_.AddOpaqueOptions(options, opaque) != 0) api_.DestroyOpaqueOptions(opaque);
  }

  std::string Describe(LiteRtStatus status) const {
    if (api_.GetStatusString != nullptr) return api_.GetStatusString(status);
    return "status " + std::to_string(status);
  }
  Status Check(LiteRtStatus status, const char* what) const {
    if (status == 0) return {};
    return Fail(file_.string(), "runtime-5",
                std::string("LiteRT could not ") + what + ": " + Describe(status) + KeptErrors());
  }
  // ": Custom allocation is too small …": what LiteRT has to say since it was asked last.
  std::string KeptErrors() const {
    char* text = nullptr;
    if (compiled_ == nullptr || api_.CompiledModelGetErrorMessages == nullptr ||
        api_.CompiledModelGetErrorMessages(compiled_.get(), &text) != 0 || text == nullptr) {
      return "";
    }
    std::string kept = text;
    std::free(text);
    if (api_.CompiledModelClearErrors != nullptr) api_.CompiledModelClearErrors(compiled_.get());
    while (!kept.empty() && (kept.back() == '\n' || kept.back() == ' ')) kept.pop_back();
    for (size_t at = kept.find('\n'); at != std::string::npos; at = kept.find('\n')) {
      kept.replace(at, 1, "; ");
    }
    return kept.empty() ? kept : ": " + kept;
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

  // Of inputs of these sizes, which the compiled model takes from now on.
  Result<Buffers> InputBuffers(std::span<const Array> inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) KL_RETURN_IF_ERROR(Resize(i, inputs[i]));
    Buffers buffers;
    for (size_t i = 0; i < inputs.size(); ++i) {
      KL_ASSIGN_OR_RETURN(Owned<LiteRtTensorBuffer> buffer, InputBuffer(i, inputs[i]));
      buffers.Add(std::move(buffer));
    }
    return buffers;
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

  Result<std::vector<LiteRtLayout>> OutputLayouts(bool allocate) const {
    std::vector<LiteRtLayout> layouts(outputs_.size());
    KL_RETURN_IF_ERROR(
        Check(api_.GetCompiledModelOutputTensorLayouts(compiled_.get(), kFirstSignature,
                                                       layouts.size(), layouts.data(), allocate),
              "prepare the file for these shapes"));
    return layouts;
  }

  Result<OutputSize> SizeOf(size_t output, const LiteRtLayout& layout) const {
    LiteRtTensor tensor = nullptr;
    LiteRtRankedTensorType type{};
    KL_RETURN_IF_ERROR(
        Check(api_.GetSignatureOutputTensorByIndex(signature_, output, &tensor), "find an output"));
    KL_RETURN_IF_ERROR(Check(api_.GetRankedTensorType(tensor, &type), "read an output's type"));
    const auto* known = std::find_if(std::begin(kElementTypes), std::end(kElementTypes),
                                     [&](const auto& e) { return e.first == type.element_type; });
    if (known == std::end(kElementTypes) || type.layout.rank > kLiteRtMaxRank) {
      return Fail(file_.string(), "runtime-5",
                  "output `" + outputs_[output] + "` has the element type " +
                      std::to_string(type.element_type) + ", which is not read");
    }
    OutputSize size{.element_type = type.element_type, .element_bytes = ir::SizeOf(known->second)};
    size.bytes = BytesOf(size, layout);
    for (unsigned i = 0; i < type.layout.rank; ++i) size.is_open |= type.layout.dimensions[i] < 0;
    return size;
  }

  static size_t BytesOf(const OutputSize& size, const LiteRtLayout& layout) {
    size_t bytes = size.element_bytes;
    for (unsigned i = 0; i < layout.rank; ++i) {
      bytes *= static_cast<size_t>(std::max(layout.dimensions[i], 0));
    }
    return bytes;
  }

  // The shape is LiteRT's business: it looks at the buffer's size alone.
  Result<Owned<LiteRtTensorBuffer>> OutputBuffer(const OutputSize& size) const {
    const size_t elements =
        std::max<size_t>(1, (size.bytes + size.element_bytes - 1) / size.element_bytes);
    if (elements > INT32_MAX) {
      return Fail(file_.string(), "runtime-5", "an output has 2^31 numbers or more");
    }
    LiteRtRankedTensorType type{};
    type.element_type = size.element_type;
    type.layout.rank = 1;
    type.layout.dimensions[0] = static_cast<int32_t>(elements);
    LiteRtTensorBuffer buffer = nullptr;
    KL_RETURN_IF_ERROR(
        Check(api_.CreateManagedTensorBuffer(environment_.get(), kLiteRtHostMemory, &type,
                                             elements * size.element_bytes, &buffer),
              "make a buffer"));
    return Owned<LiteRtTensorBuffer>(buffer, api_.DestroyTensorBuffer);
  }

  Result<std::vector<Array>> Read(const Buffers& buffers,
                                  const std::vector<OutputSize>& sizes) const {
    KL_ASSIGN_OR_RETURN(const std::vector<LiteRtLayout> layouts, OutputLayouts(/*allocate=*/false));
    std::vector<Array> arrays;
    for (size_t i = 0; i < buffers.size(); ++i) {
      const auto* known =
          std::find_if(std::begin(kElementTypes), std::end(kElementTypes),
                       [&](const auto& e) { return e.first == sizes[i].element_type; });
      Array array{{known->second, {}}, {}};
      for (unsigned axis = 0; axis < layouts[i].rank; ++axis) {
        array.type.shape.Append(std::max(layouts[i].dimensions[axis], 0));
      }
      const size_t bytes = BytesOf(sizes[i], layouts[i]);
      size_t capacity = 0;
      void* address = nullptr;
      KL_RETURN_IF_ERROR(Check(api_.GetTensorBufferSize(buffers[i], &capacity), "read an output"));
      if (bytes > capacity) {
        return Fail(file_.string(), "runtime-5",
                    "output `" + outputs_[i] + "` is larger than its buffer");
      }
      KL_RETURN_IF_ERROR(
          Check(api_.LockTensorBuffer(buffers[i], &address, kLiteRtLockRead), "read an output"));
      const auto* start = static_cast<const std::byte*>(address);
      array.bytes.assign(start, start + bytes);
      KL_RETURN_IF_ERROR(Check(api_.UnlockTensorBuffer(buffers[i]), "read an output"));
      arrays.push_back(std::move(array));
    }
    return arrays;
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
  // Outputs of the last run: LiteRT knows their place until the next one gives it others, and may
  // write there while it prepares that.
  Buffers last_;
  std::unordered_map<std::string, size_t> reserved_;
};

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadModel(std::shared_ptr<const Runtime> runtime,
                                               const LiteRtApi& api, const fs::path& file,
                                               unsigned threads) {
  auto model = std::make_unique<Model>(runtime, api, file);
  if (model->Load(threads, /*explains=*/false)) return model;
  // Once more, so that LiteRT prints why.
  model = std::make_unique<Model>(runtime, api, file);
  KL_RETURN_IF_ERROR(model->Load(threads, /*explains=*/true));
  return model;
}

}  // namespace keras_litert::litert
