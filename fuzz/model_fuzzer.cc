// Converts the input as a saved model: a config (JSON), a zero byte, and the weights (HDF5).
// Whatever the config says, the conversion ends with a file or an error, in time and memory out of
// proportion to neither the input nor the model's weights.
//
// Mutations know JSON: they change, remove, copy and exchange values of the config, so that what is
// tested are the layers and not the parser alone (archive_fuzzer does that).

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "archive/container.h"
#include "archive/readers.h"
#include "convert_archive.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace keras_litert {
namespace {

using Json = nlohmann::ordered_json;
using Random = std::minstd_rand;

// The files of an archive whose config and weights are given.
class Files final : public archive::Container {
 public:
  Files(std::string_view config, std::string_view weights) : config_(config), weights_(weights) {}

  const std::string& name() const override { return name_; }
  bool Has(std::string_view path) const override {
    return path == "config.json" || path == "metadata.json" || path == "model.weights.h5";
  }
  std::vector<std::string> Paths() const override {
    return {"config.json", "metadata.json", "model.weights.h5"};
  }
  Result<std::string> Read(std::string_view path, uint64_t) const override {
    if (path == "config.json") return config_;
    if (path == "metadata.json") return std::string(R"({"keras_version": "3.15.1"})");
    return weights_;
  }
  Result<archive::Image> OpenImage(std::string_view path) const override {
    // A copy of its own, so that a read beyond the end is found.
    auto bytes = std::make_shared<std::string>(*Read(path, 0));
    return archive::Image{std::as_bytes(std::span(*bytes)), bytes, {}};
  }

 private:
  std::string name_ = "model.keras";
  std::string config_;
  std::string weights_;
};

void Collect(Json& value, std::vector<Json*>& all) {
  all.push_back(&value);
  if (value.is_structured()) {
    for (Json& item : value) Collect(item, all);
  }
}

// A value that lowerings may not expect.
Json Odd(Random& random) {
  static const Json kValues[] = {0,
                                 1,
                                 -1,
                                 2,
                                 3,
                                 -2,
                                 7,
                                 64,
                                 1000,
                                 100000,
                                 1e30,
                                 2147483647,
                                 nullptr,
                                 true,
                                 false,
                                 "",
                                 "same",
                                 "causal",
                                 0.5,
                                 -0.0,
                                 2147483648,
                                 -2147483649,
                                 4294967296,
                                 9223372036854775807,
                                 "channels_first",
                                 "float16",
                                 Json::array(),
                                 Json::object(),
                                 Json::array({1, 1}),
                                 Json::array({0, 0, 0}),
                                 Json::array({2, 2, 2}),
                                 Json::array({-1}),
                                 Json::array({nullptr, 3}),
                                 "int32",
                                 "linear"};
  return kValues[random() % std::size(kValues)];
}

void MutateOnce(Json& config, Random& random) {
  std::vector<Json*> all;
  Collect(config, all);
  Json& place = *all[random() % all.size()];
  switch (random() % 6) {
    case 0:
      place = Odd(random);
      break;
    case 1: {  // a value from elsewhere
      Json copy = *all[random() % all.size()];
      place = std::move(copy);
      break;
    }
    case 2:  // remove or add an item
      if (place.is_structured() && !place.empty()) {
        place.erase(std::next(place.begin(), static_cast<ptrdiff_t>(random() % place.size())));
      } else if (place.is_array()) {
        place.push_back(Odd(random));
      }
      break;
    case 3:
      if (place.is_array() && !place.empty()) {
        Json copy = place[random() % place.size()];
        place.push_back(std::move(copy));
      } else {
        place = Odd(random);
      }
      break;
    case 4:
      if (place.is_number_integer()) {
        // In unsigned arithmetic, which wraps around at the ends.
        place = static_cast<int64_t>(place.get<uint64_t>() + random() % 9 - 4);
      } else if (place.is_boolean()) {
        place = !place.get<bool>();
      } else if (place.is_number_float()) {
        place = -place.get<double>();
      } else {
        place = Odd(random);
      }
      break;
    default:
      if (place.is_number_integer()) {
        place = Odd(random);
      } else if (place.is_string()) {  // the name or class of something else
        for (int i = 0; i < 20; ++i) {
          const Json& other = *all[random() % all.size()];
          if (other.is_string()) {
            Json copy = other;
            place = std::move(copy);
            break;
          }
        }
      }
  }
}

// A folder that goes with the process.
class Folder {
 public:
  Folder() {
    const std::filesystem::path fast = "/dev/shm";
    path_ = (std::filesystem::exists(fast) ? fast : std::filesystem::temp_directory_path()) /
            "model_fuzzer.XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(std::string_view name) const {
    return std::filesystem::path(path_) / name;
  }

 private:
  std::string path_;
};

}  // namespace
}  // namespace keras_litert

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  using namespace keras_litert;
  Random random(seed + 1);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\0');
  if (end == std::string_view::npos || random() % 16 == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  Json config = Json::parse(text.substr(0, end), nullptr, /*allow_exceptions=*/false);
  if (config.is_discarded()) return LLVMFuzzerMutate(data, size, max_size);
  for (unsigned count = 1 + random() % 3; count > 0; --count) MutateOnce(config, random);
  std::string mutated = config.dump(-1, ' ', false, Json::error_handler_t::replace);
  mutated += text.substr(end);
  if (mutated.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, mutated.data(), mutated.size());
  return mutated.size();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace keras_litert;
  static const Folder kFolder;
  static const std::filesystem::path kOutput = kFolder / "model.tflite";
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(text.find('\0'), text.size());
  const auto archive = archive::OpenKeras(
      std::make_shared<Files>(text.substr(0, end), text.substr(std::min(end + 1, text.size()))));
  if (!archive) return 0;
  const auto report = ConvertArchive(**archive, "model.keras", kOutput, ConvertOptions());
  if (!report) {
    // An error names its reason, and is none of ours.
    for (const Diagnostic& problem : report.error().diagnostics()) {
      if (problem.message.empty() || problem.code.starts_with("internal")) {
        std::fprintf(stderr, "%s\n", problem.ToString().c_str());
        std::abort();
      }
    }
  }
  std::error_code ignored;
  std::filesystem::remove(kOutput, ignored);
  return 0;
}
