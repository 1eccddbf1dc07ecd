#include "litert/runtime.h"

#include <cstdlib>
#include <system_error>
#include <utility>

#include "litert/loaded_model.h"
#include "litert/runtime_api.h"
#include "util/platform.h"

namespace keras_litert::litert {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibraryName = "libLiteRt.so";

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
    return LoadModel(shared_from_this(), api_, file, threads);
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
